"""The form of a file of evidence: what is written is read, in any pieces, and all else refused (log.md 6)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import entry, log_file, record, wire
from protocol.entry import Kind
from protocol.evidence import Committed, Contradiction, Rollback
from protocol.identity import Certificate
from protocol.log import Fork
from protocol.log_file import Claimed, Covered, CutOff, Item, NotEvidence, Shown
from protocol.spine import Cosignature
from tests import depth
from tests.protocol import chains, handed, samples
from tests.protocol.handed import bytes_of, file_of

GOOD = handed.handed()
FIRST, SPINE = Claimed(GOOD.notes[0]), Claimed(GOOD.header)
PLAIN, COSIGNED, PROOF = Shown(b"content", None), handed.cosigned(GOOD.header), GOOD.items[-1]
LONGEST = Shown(bytes(entry.CONTENT_BYTES_MAX), bytes(32))
PROOFS = (Fork, Contradiction, Rollback)
CERTIFICATE = handed.certificate()


def items_of(raw: bytes) -> tuple[Item, ...]:
    return tuple(placed.item for placed in log_file.read((raw,)))


def refused_at(raw: bytes) -> int:
    """Where the reader stops, whatever it was handed in."""
    places = set()
    for chunks in ((raw,), [raw[at : at + 1] for at in range(len(raw))]):
        with pytest.raises(NotEvidence) as caught:
            list(log_file.read(chunks))
        places.add(caught.value.offset)
    (place,) = places
    return place


@st.composite
def files(draw: st.DrawFn) -> tuple[Item, ...]:
    """Items in an order that the form allows; whether they are true is not asked."""
    source = samples.Searched(draw)
    found: list[Item] = []
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            found.append(samples.sample(draw(st.sampled_from((*PROOFS, Certificate))), source))
            continue
        one = draw(st.sampled_from((*GOOD.notes, GOOD.header)))
        found.append(Claimed(one))
        if draw(st.booleans()):
            found.append(Shown(draw(st.binary(max_size=300)), draw(st.none() | st.just(b"k" * 32))))
        cosigned = one.body.kind is Kind.SPINE
        for _ in range(draw(st.integers(0, 3))):
            if draw(st.booleans()):
                found.append(Covered(samples.sample(Committed, source), draw(st.sampled_from((bytes(32), b"l" * 32)))))
                cosigned = True
            elif cosigned:
                found.append(samples.sample(Cosignature, source))
    return tuple(found)


def pieces(raw: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The bytes in pieces of these sizes, over and over."""
    at = 0
    while at < len(raw):
        for size in sizes:
            yield raw[at : at + size]
            at += size


# --- laws


@settings(max_examples=2 * depth.EXAMPLES, deadline=None)
@given(files(), st.lists(st.integers(0, 700), min_size=1, max_size=5).filter(any))
def test_what_is_written_is_read_in_any_pieces(items: tuple[Item, ...], sizes: list[int]) -> None:
    found = list(log_file.read(pieces(file_of(items), sizes)))
    assert tuple(placed.item for placed in found) == items
    ends = 0
    for placed in found:
        assert placed.offset == ends
        ends += len(bytes_of(placed.item))


def test_an_item_is_given_with_its_last_byte() -> None:
    fed = 0

    def one_by_one() -> Iterator[bytes]:
        nonlocal fed
        for byte in GOOD.raw:
            fed += 1
            yield bytes((byte,))

    for placed in log_file.read(one_by_one()):
        assert fed == placed.offset + len(bytes_of(placed.item))
    assert fed == len(GOOD.raw)


def test_the_longest_items_are_read() -> None:
    ack = entry.Ack(b"l" * 16, entry.SEQ_MAX, b"i" * 32)
    most = chains.body(entry.SEQ_MAX, bytes(32), at_ms=entry.AT_MS_MAX, acks=(ack,) * entry.ACKS_MAX)
    longest = entry.write(replace(most, content_length=entry.CONTENT_BYTES_MAX), chains.ANA)
    least = entry.write(chains.body(at_ms=0, kind=Kind.SEALED, content=b""), chains.ANA)
    assert (len(longest.raw), len(least.raw)) == (entry.ENTRY_BYTES_MAX, entry.ENTRY_BYTES_MIN)
    items = (Claimed(longest), LONGEST, Claimed(least), Shown(b"", None))
    assert len(bytes_of(LONGEST)) <= log_file.ITEM_BYTES_MAX
    assert items_of(file_of(items)) == items


def test_a_file_that_is_cut_off_gives_what_was_whole() -> None:
    ends = {placed.offset for placed in log_file.read((GOOD.raw,))} | {len(GOOD.raw)}
    for length in range(len(GOOD.raw)):
        found: list[Item] = []
        begun = max(end for end in ends if end <= length)
        if length in ends:
            found.extend(items_of(GOOD.raw[:length]))
        else:
            with pytest.raises(CutOff) as caught:
                found.extend(placed.item for placed in log_file.read((GOOD.raw[:length],)))
            assert caught.value.offset == begun
        assert file_of(found) == GOOD.raw[:begun]
    assert items_of(b"") == ()


def test_what_came_before_a_bad_item_was_given() -> None:
    found: list[Item] = []
    with pytest.raises(NotEvidence) as caught:
        found.extend(placed.item for placed in log_file.read((file_of(GOOD.items[:3]) + b"\xa0",)))
    assert tuple(found) == GOOD.items[:3]
    assert caught.value.offset == len(file_of(found))


# --- one hostile variant for each check


@pytest.mark.parametrize(
    "items",
    [
        (PLAIN,),
        (FIRST, PLAIN, PLAIN),
        (PROOF, PLAIN),
        (FIRST, PROOF, PLAIN),
        (SPINE, COSIGNED, PLAIN),
        (FIRST, GOOD.covered, PLAIN),
        (COSIGNED,),
        (FIRST, COSIGNED),
        (FIRST, PLAIN, COSIGNED),
        (SPINE, FIRST, COSIGNED),
        (PROOF, COSIGNED),
        (SPINE, PROOF, COSIGNED),
        (GOOD.covered,),
        (PROOF, GOOD.covered),
        (FIRST, PROOF, GOOD.covered),
        (FIRST, CERTIFICATE, PLAIN),
        (SPINE, CERTIFICATE, COSIGNED),
        (FIRST, CERTIFICATE, GOOD.covered),
    ],
)
def test_an_item_that_belongs_to_nothing_is_refused(items: tuple[Item, ...]) -> None:
    assert refused_at(file_of(items)) == len(file_of(items[:-1]))


RAW = GOOD.notes[0].raw
RECORD = record.encode(COSIGNED)
COMMITTED: Any = wire.decode(handed.committed_bytes(GOOD.covered.committed), 4096)
BAD_ITEMS = {
    "no tag": RAW,
    "another tag": b"\xd1" + RAW,
    "a long tag": b"\xd8\x12" + RAW,
    "two tags": b"\xd2\xd2" + RAW,
    "other headers": b"\xd2" + chains.signed(chains.payload(GOOD.notes[0]), headers=bytes.fromhex("43a10126a0")),
    "a payload without its length": b"\xd2" + RAW[:6] + b"\x57" + RAW[7:],
    "a payload in the long form": b"\xd2" + RAW[:6] + b"\x59\x00" + RAW[7:],
    "a payload that is too long": b"\xd2" + RAW[:6] + b"\x59\xff\xff" + bytes(70_000),
    "another version": b"\xd2" + chains.altered(GOOD.notes[0], 0, 2),
    "no content": wire.encode((None, bytes(32))),
    "neither content nor key": wire.encode((None, None)),
    "a short key": wire.encode((b"content", bytes(31))),
    "a key that is a number": wire.encode((b"content", 7)),
    "a content that is a text": wire.encode(("content", None)),
    "three items": wire.encode((b"content", None, None)),
    "one item": wire.encode((b"content",)),
    "too long a content": wire.encode((bytes(entry.CONTENT_BYTES_MAX + 1), None)),
    "too long an item": wire.encode((bytes(log_file.ITEM_BYTES_MAX), None)),
    "a content in a long form": b"\x82\x58\x07content\xf6",
    "a content in pieces": b"\x82\x5f\x47content\xff\xf6",
    "a committed without a key": handed.committed_bytes(GOOD.covered.committed),
    "a committed with a short key": wire.encode((COMMITTED, bytes(31))),
    "a committed with null": wire.encode((COMMITTED, None)),
    "a committed of another kind": wire.encode(((2, *COMMITTED[1:]), bytes(32))),
    "a committed with a field too many": wire.encode(((*COMMITTED, 0), bytes(32))),
    "another kind": wire.encode((6, *COMMITTED[1:])),
    "a cosignature with a field too few": wire.encode((2, bytes(32), 0, bytes(32))),
    "a certificate with a field too few": wire.encode((10, *record.fields(CERTIFICATE)[:-1])),
    "a certificate with a short key": wire.encode((10, bytes(31), *record.fields(CERTIFICATE)[1:])),
    "a list of devices": wire.encode((11, *record.fields(CERTIFICATE))),
    "a proof with a long integer": b"\x83\x18\x01" + handed.bytes_of(GOOD.items[-3])[2:],
    "an empty array": b"\x80",
    "an array of indefinite length": b"\x9f" + RECORD[1:] + b"\xff",
    "a map": b"\xa0",
    "a map inside": b"\x82\x41\x00\xa0",
    "a tag inside": b"\x82\xd2" + RAW + b"\xf6",
    "a float inside": b"\x82\x41\x00\xf9\x00\x00",
    "true inside": b"\x82\x41\x00\xf5",
    "a number": b"\x07",
    "bytes": b"\x41\x07",
    "a text": b"\x61a",
    "null": b"\xf6",
    "a break": b"\xff",
    "2^64 bytes": b"\x82\x5b" + b"\xff" * 8,
    "2^64 items": b"\x9b" + b"\xff" * 8,
    "deep arrays": b"\x81" * log_file.ITEM_BYTES_MAX,
}


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_what_is_no_item_is_refused(name: str) -> None:
    before = file_of((FIRST, PLAIN))
    with pytest.raises(NotEvidence) as caught:
        list(log_file.read((file_of((FIRST,)) + BAD_ITEMS[name] + file_of((FIRST,)) * 9,)))
    assert caught.value.offset == len(file_of((FIRST,)))
    if not name.startswith("a committed") and len(BAD_ITEMS[name]) < 4096:
        assert refused_at(before + BAD_ITEMS[name] + file_of((FIRST,)) * 9) == len(before)


@pytest.mark.parametrize(
    "first",
    [
        b"\x7fELF",
        b"SQLite format 3",
        b"{}",
        b"\xd2\x85",
        b"\xd2" + RAW[:6] + b"\x57",
        b"\xd2" + RAW[:6] + b"\x59\xff\xff",
        b"\x82\x5b" + b"\xff" * 8,
        b"\x82\x41\x00\x5a\x00\x02\x00\x00",
        b"\x9a\xff\xff\xff\xff",
        b"\x9c",
        b"\x9f",
        b"\x82\x5f",
        b"\x82\xa0",
        b"\x82\xd2",
        b"\x82\xf5",
    ],
)
def test_what_is_no_evidence_is_refused_with_its_first_bytes(first: bytes) -> None:
    def endless() -> Iterator[bytes]:
        yield first
        raise AssertionError("one more piece was asked for")

    with pytest.raises(NotEvidence):
        list(log_file.read(endless()))


def test_no_more_is_held_than_one_item() -> None:
    # What claims to be long is not waited for: it is refused before a second of its pieces is asked for.
    sizes = []

    def growing() -> Iterator[bytes]:
        yield b"\x82\x5a" + log_file.ITEM_BYTES_MAX.to_bytes(4, "big")
        for _ in range(1000):
            sizes.append(1)
            yield bytes(1024)

    with pytest.raises(NotEvidence):
        list(log_file.read(growing()))
    assert sizes == []
