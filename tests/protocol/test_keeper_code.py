"""Codes of keepers: one text for each code, and no other text is one (docs/protocol/text-forms.md 4)."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import invite, keeper_code
from protocol.faults import OverLimit
from protocol.invite import Endpoint
from protocol.keeper_code import BadCode, Code, NewerCode
from tests.protocol.test_ids import rows_of

V4, V6 = Endpoint(bytes((192, 0, 2, 7)), 4001), Endpoint(bytes.fromhex("20010db8" + "00" * 11 + "07"), 65535)
CODE = Code(b"p" * 32, b"P" * 32, b"f" * 32, (V6, V6))
RAW = b"\x01" + b"p" * 32 + b"P" * 32 + b"f" * 32

keys = st.binary(min_size=32, max_size=32)
endpoints = st.builds(
    Endpoint, st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)), st.integers(1, 65535)
)


def text_of(raw: bytes) -> str:
    return "weft:k/" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


@given(code=st.builds(Code, keys, keys, keys, st.lists(endpoints, max_size=2).map(tuple)))
def test_a_code_is_read_as_written(code: Code) -> None:
    text = keeper_code.code_text(code)
    assert keeper_code.code_from(f" {text}\n") == code
    assert len(text) <= keeper_code.TEXT_CHARACTERS_MAX


def test_the_vectors_of_the_law() -> None:
    rows = rows_of("Codes of keepers")
    assert len(rows) >= 2
    for raw, text in rows:
        assert text_of(bytes.fromhex(raw)) == text
        assert keeper_code.code_text(keeper_code.code_from(text)) == text


def test_the_longest_code_has_187_characters() -> None:
    assert len(keeper_code.code_text(CODE)) == keeper_code.TEXT_CHARACTERS_MAX == 187


@pytest.mark.parametrize(
    "text",
    [
        "",
        "weft:k/",
        text_of(RAW)[:-1],
        text_of(RAW[:-1]),
        text_of(RAW) + "=",
        text_of(RAW).replace("weft:k/", "weft:i/"),
        text_of(RAW)[:-1] + "h",  # unused bits
        text_of(RAW + b"\x05" + bytes(6)),
        text_of(RAW + b"\x04" + bytes(6)),  # port 0
        text_of(RAW + invite.endpoint_bytes((V4,))[:-1]),
        text_of(RAW + invite.endpoint_bytes((V4, V4, V4))),
        text_of(RAW) + "A" * 300,
        text_of(b"\x00" + RAW[1:]),
    ],
)
def test_other_texts_are_no_codes(text: str) -> None:
    with pytest.raises(BadCode):
        keeper_code.code_from(text)


def test_a_code_of_a_later_version_says_so() -> None:
    with pytest.raises(NewerCode):
        keeper_code.code_from(text_of(b"\x02" + RAW[1:] + b"more"))


def test_limits_hold_for_what_we_write_too() -> None:
    for wrong in ({"peer": b""}, {"permit": bytes(31)}, {"find": bytes(33)}, {"addresses": (V4, V4, V4)}):
        with pytest.raises(OverLimit):
            replace(CODE, **wrong)


def test_a_code_does_not_show_itself() -> None:
    for secret in (CODE.permit, CODE.find, CODE.peer):
        assert secret.decode() not in repr(CODE)
