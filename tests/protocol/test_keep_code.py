"""The code of a keeper node as text: the vectors of text-forms.md 4, and every way in which a copy can go wrong."""

import base64

import pytest

from protocol import keep_code
from protocol.faults import OverLimit
from protocol.invite import Endpoint
from protocol.keep_code import BadCode, Code
from tests.protocol.test_ids import rows_of

HOME = Code(b"p" * 32, b"f" * 32, b"h" * 32, (Endpoint(bytes((192, 0, 2, 7)), 4001),))
TEXT = keep_code.text_of(HOME)


def with_check(said: bytes) -> str:
    """A text of these bytes whose check is right."""
    return keep_code._text(said + keep_code._check(said))


def said_of(text: str) -> bytes:
    """The bytes of a text without their check."""
    coded = text.removeprefix(keep_code.PREFIX)
    return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))[:-4]


def test_the_vectors_of_the_law() -> None:
    rows = rows_of("Codes of keepers")
    assert len(rows) >= 2
    for raw, text in rows:
        assert keep_code._text(bytes.fromhex(raw)) == text
        assert keep_code.text_of(keep_code.of_text(f" {text}\n")) == text
        assert len(text) <= keep_code.TEXT_CHARACTERS_MAX


def test_a_code_is_read_as_it_was_written() -> None:
    assert keep_code.of_text(TEXT) == HOME
    assert "p" * 32 not in repr(HOME)
    most = Code(b"p" * 32, b"f" * 32, b"h" * 32, (Endpoint(bytes(16), 65535),) * 2)
    assert keep_code.of_text(keep_code.text_of(most)) == most


def test_one_wrong_character_is_noticed() -> None:
    for place in range(len(keep_code.PREFIX), len(TEXT)):
        other = "A" if TEXT[place] != "A" else "B"
        with pytest.raises(BadCode):
            keep_code.of_text(TEXT[:place] + other + TEXT[place + 1 :])


@pytest.mark.parametrize(
    "text",
    ["", "weft:k/", "weft:k/AA", TEXT[:-1], TEXT + "A", TEXT + "=", TEXT.replace("weft:k", "weft:i"), TEXT + "A" * 500],
)
def test_what_is_no_whole_code_is_none(text: str) -> None:
    with pytest.raises(BadCode):
        keep_code.of_text(text)


@pytest.mark.parametrize(
    "said",
    [
        said_of(TEXT)[:96],
        said_of(TEXT) + b"\x05",
        said_of(TEXT)[:-2] + bytes(2),  # port 0
        said_of(TEXT)[:97] + said_of(TEXT)[97:] * 3,  # three endpoints
        b"\x00" + said_of(TEXT)[1:],
    ],
)
def test_a_good_check_around_nonsense_helps_nothing(said: bytes) -> None:
    with pytest.raises(BadCode):
        keep_code.of_text(with_check(said))


def test_a_newer_code_asks_for_a_newer_weft() -> None:
    with pytest.raises(BadCode) as met:
        keep_code.of_text(with_check(b"\x02" + said_of(TEXT)[1:]))
    assert met.value.next == "weft version"


def test_what_does_not_fit_a_code_is_not_made() -> None:
    for wrong in (
        (b"p" * 31, b"f" * 32, b"h" * 32, ()),
        (b"p" * 32, b"f" * 33, b"h" * 32, ()),
        (b"p" * 32, b"f" * 32, b"", ()),
        (b"p" * 32, b"f" * 32, b"h" * 32, HOME.endpoints * 3),
    ):
        with pytest.raises(OverLimit):
            Code(*wrong)
