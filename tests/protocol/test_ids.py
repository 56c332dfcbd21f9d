"""Ids as text: BIP-350's own vectors, the ULID of its specification, and the vectors of docs/protocol/text-forms.md."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import bech32, ids
from protocol.faults import UserFault
from tests.crypto.pairs import entropy_of

TEXT_FORMS = Path(__file__).parents[2] / "docs" / "protocol" / "text-forms.md"

# BIP-350, "Test vectors for Bech32m"
VALID = (
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
)
INVALID = (
    "\x201xj0phk",
    "\x7f1g6xzxy",
    "\x801vctc34",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
    "qyrz8wqd2c9m",
    "1qyrz8wqd2c9m",
    "y1b0jsk6g",
    "lt1igcx5c0",
    "in1muywd",
    "mm1crxm3i",
    "au1s5cgom",
    "M1VUXWEZ",
    "16plkw9",
    "1p2gdwpf",
)


@pytest.mark.parametrize("text", VALID)
def test_valid_vectors_of_bip_350(text: str) -> None:
    hrp, values = bech32.split(text)
    assert text.lower().startswith(hrp + "1")
    assert len(text) == len(hrp) + 1 + len(values) + 6


@pytest.mark.parametrize("text", INVALID)
def test_invalid_vectors_of_bip_350(text: str) -> None:
    with pytest.raises(bech32.BadChecksum):
        bech32.split(text)


def test_the_segwit_data_of_bip_350() -> None:
    # Its addresses carry a version in the first value; what follows is 8 bits to 5, as here.
    address = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
    hrp, values = bech32.split(address)
    assert (hrp, values[0]) == ("bc", 1)
    program = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    assert values[1:] == bech32.split(bech32.encode("bc", program))[1]


@given(st.binary(max_size=40))
def test_data_survives(data: bytes) -> None:
    assert bech32.decode(bech32.encode("wf", data)) == ("wf", data)


@given(st.binary(min_size=32, max_size=32), st.integers(4, 60), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_every_single_mistyped_character_is_found(account: bytes, at: int, typed: str) -> None:
    text = ids.account_text(ids.AccountId(account))
    wrong = text[:at] + typed + text[at + 1 :]
    if wrong != text:
        with pytest.raises(ids.BadAccount):
            ids.account_from(wrong)


def test_an_account_is_read_in_either_case_but_not_in_both() -> None:
    text = ids.account_text(ids.AccountId(bytes(range(32))))
    assert (len(text), text[:3]) == (61, "wf1")
    assert ids.account_from(f"  {text.upper()}\n") == bytes(range(32))
    with pytest.raises(ids.BadAccount):
        ids.account_from("W" + text[1:])


@pytest.mark.parametrize("hrp_and_size", [("wf", 31), ("wf", 33), ("bc", 32), ("w", 32), ("wf", 0)])
def test_other_bech32m_is_no_account(hrp_and_size: tuple[str, int]) -> None:
    hrp, size = hrp_and_size
    with pytest.raises(ids.BadAccount):
        ids.account_from(bech32.encode(hrp, bytes(size)))


def test_the_ulid_of_its_specification() -> None:
    # github.com/ulid/spec: time 1469918176385 is 01ARYZ6S41; the largest is 7ZZZ...
    assert ids.ulid((1469918176385).to_bytes(6, "big") + bytes(10)) == "01ARYZ6S41" + "0" * 16
    assert ids.ulid(b"\xff" * 16) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    assert ids.ulid(bytes(16)) == "0" * 26


@given(st.binary(min_size=16, max_size=16))
def test_a_ulid_is_read_as_it_was_written(id16: bytes) -> None:
    text = ids.ulid(id16)
    assert ids.ulid_from(text.lower()) == id16
    assert ids.short(id16) == text[-8:]
    assert ids.matching(text[-4:], (bytes(16), id16)) in ((id16,), (bytes(16), id16))


def test_ids_of_one_maker_sort_by_time() -> None:
    entropy = entropy_of("ids")
    made = [ids.new_message_id(now_ms, entropy) for now_ms in (0, 1, 1_800_000_000_000, 2**48 - 1)]
    assert made == sorted(made)
    assert {len(one) for one in made} == {16}
    assert len({one[6:] for one in made}) == 4


@pytest.mark.parametrize(("typed", "normal"), [("o1il", "0111"), (" abcd ", "ABCD"), ("7zzz0", "7ZZZ0")])
def test_a_suffix_forgives_mistaken_letters(typed: str, normal: str) -> None:
    assert ids.matches(typed) == normal


@pytest.mark.parametrize("typed", ["", "abc", "abcu", "ab-d", "a" * 27, "äbcd", "ab cd", "ıııı"])
def test_no_suffix(typed: str) -> None:
    with pytest.raises(ids.BadId):
        ids.matches(typed)
    with pytest.raises(UserFault):
        ids.ulid_from(typed)


def test_a_ulid_beyond_128_bits_is_none() -> None:
    with pytest.raises(ids.BadId):
        ids.ulid_from("8" + "0" * 25)


def rows_of(title: str) -> list[list[str]]:
    """The rows of the table under a heading of text-forms.md."""
    section = TEXT_FORMS.read_text().split(f"### {title}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(
    ("title", "written", "read"),
    [
        ("Account ids", ids.account_text, ids.account_from),
        ("Message ids", ids.ulid, ids.ulid_from),
    ],
)
def test_vectors_of_the_law(title: str, written: Callable[[bytes], str], read: Callable[[str], bytes]) -> None:
    rows = rows_of(title)
    assert len(rows) >= 3
    for raw, text in rows:
        assert written(bytes.fromhex(raw)) == text
        assert read(text) == bytes.fromhex(raw)


def test_refused_account_texts_of_the_law() -> None:
    rows = rows_of("Refused account ids")
    assert len(rows) >= 4
    for text, _ in rows:
        with pytest.raises(ids.BadAccount):
            ids.account_from(text)
