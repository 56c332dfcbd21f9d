"""The grammar of entries takes exactly what the general decoder takes, and says the same of it (log.md 1.1, 1.2, 1.4).

The reader of this test is the law step by step: cut, decode, encode again, compare, look at each item.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto import hashing
from crypto.faults import Malformed
from protocol import entry, wire
from protocol.entry import Ack, Body, Entry, Kind
from protocol.faults import OverLimit
from tests import depth
from tests.protocol import chains, hostile
from tests.protocol.chains import ANA, LOG, OTHER

START = bytes.fromhex("8443a10127a0")
END = b"\x58\x40" + bytes(64)
BOUNDS = (0, 1, 23, 24, 255, 256, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**48, 2**64 - 1)
LIMITS = (entry.SEQ_MAX, entry.SEQ_MAX + 1, entry.AT_MS_MAX, entry.CONTENT_BYTES_MAX, entry.CONTENT_BYTES_MAX + 1)
FIRST = chains.body()
LAST = chains.body(entry.SEQ_MAX, bytes(range(32)), acks=(Ack(LOG, 300, bytes(32)), Ack(OTHER, 2**33, b"\xff" * 32)))

numbers = st.sampled_from(BOUNDS + LIMITS) | st.integers(0, 2**64 - 1)
bytes16, bytes32 = (st.binary(min_size=size, max_size=size) for size in (16, 32))
anything = st.sampled_from(hostile.VALUES)
counts = st.sampled_from((0, 0, 1, 2, 23, 24, 32, 33, 40))


def read_step_by_step(raw: bytes) -> Entry:
    """The entry in these bytes, by the general decoder. Raises: Malformed."""
    if len(raw) > entry.ENTRY_BYTES_MAX or not raw.startswith(START) or raw[-66:-64] != b"\x58\x40":
        raise Malformed
    wrapped = raw[len(START) : -len(END)]
    payload = wire.decode(wrapped, entry.ENTRY_BYTES_MAX)
    if type(payload) is not bytes:
        raise Malformed
    items: Any = wire.decode(payload, entry.ENTRY_BYTES_MAX)
    if type(items) is not tuple or len(items) != 10 or type(items[6]) is not tuple:
        raise Malformed
    version, author, log, seq, prev, at_ms, heard, kind, length, content_hash = items
    if any(type(ack) is not tuple or len(ack) != 3 for ack in heard):
        raise Malformed
    if type(version) is not int or version != entry.VERSION or type(kind) is not int or kind not in list(Kind):
        raise Malformed
    try:
        acks = tuple(Ack(*ack) for ack in heard)
        body = Body(author, log, seq, prev, at_ms, acks, Kind(kind), length, content_hash)
    except OverLimit:
        raise Malformed from None
    return Entry(raw, hashing.digest(raw), body)


def agreed(raw: bytes) -> bool:
    """Whether these bytes are an entry; both readers say the same."""
    try:
        expected = read_step_by_step(raw)
    except Malformed:
        with pytest.raises(Malformed):
            entry.parse_without_looking_at_the_signature(raw)
        return False
    assert entry.parse_without_looking_at_the_signature(raw) == expected
    assert entry.recall_acks(raw) == (expected.body.at_ms, expected.body.acks)
    return True


def around(payload: bytes) -> bytes:
    """An entry with this payload; nobody has signed it."""
    return START + wire.encode(payload) + END


def values(body: Body) -> list[Any]:
    heard = tuple(tuple(ack) for ack in body.acks)
    place = (body.author, body.log, body.seq, body.prev, body.at_ms)
    return [entry.VERSION, *place, heard, int(body.kind), body.content_length, body.content_hash]


@st.composite
def bodies(draw: st.DrawFn) -> list[Any]:
    """The items of a body, whose numbers may be beyond the limits."""
    seq = draw(numbers)
    prev = draw(bytes32) if seq else None
    acks = ((draw(bytes16), draw(numbers), draw(bytes32)),) * draw(counts)
    first = (entry.VERSION, draw(bytes32), draw(bytes16), seq, prev, draw(numbers))
    return [*first, acks, draw(st.integers(0, 2)), draw(numbers), draw(bytes32)]


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(bodies())
@example(values(FIRST))
@example(values(LAST))
def test_all_numbers_are_read_as_the_wire_has_them(items: list[Any]) -> None:
    allowed = (
        items[3] <= entry.SEQ_MAX
        and items[5] <= entry.AT_MS_MAX
        and len(items[6]) <= entry.ACKS_MAX
        and all(seq <= entry.SEQ_MAX for _, seq, _ in items[6])
        and items[8] <= entry.CONTENT_BYTES_MAX
    )
    assert agreed(around(wire.encode(tuple(items)))) == allowed


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(bodies(), st.integers(0, 9), anything)
def test_anything_in_the_place_of_an_item_is_judged_alike(items: list[Any], index: int, value: wire.Value) -> None:
    items[index] = value
    agreed(around(wire.encode(tuple(items))))


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(bodies(), st.integers(0, 2), anything)
def test_anything_inside_an_ack_is_judged_alike(items: list[Any], index: int, value: wire.Value) -> None:
    ack: list[wire.Value] = [LOG, 1, bytes(32)]
    ack[index] = value
    items[6] = (*items[6], tuple(ack), *items[6])
    agreed(around(wire.encode(tuple(items))))


@pytest.mark.parametrize("body", [FIRST, LAST], ids=["short", "with acks"])
def test_every_other_byte_in_every_place_is_judged_alike(body: Body) -> None:
    raw = around(wire.encode(tuple(values(body))))
    taken = 0
    for at in range(len(raw) - 64):
        for byte in range(256):
            taken += agreed(raw[:at] + bytes((byte,)) + raw[at + 1 :])
    assert taken > 255 * 80  # of ids and hashes any byte may be another


@pytest.mark.parametrize("body", [FIRST, LAST], ids=["short", "with acks"])
def test_every_number_and_length_in_a_longer_form_is_refused(body: Body) -> None:
    items = values(body)
    payload = wire.encode(tuple(items))
    numbers = {wire.encode(number) for number in (1, items[3], items[5], items[7], items[8])}
    for head in (b"\x8a", b"\x58\x20", b"\x50", b"\x80", b"\x82", b"\x83", *numbers):
        for at in range(len(payload)):
            if payload.startswith(head, at):
                for longer in longer_forms(head):
                    assert not agreed(around(payload[:at] + longer + payload[at + len(head) :]))
    wrapped = wire.encode(payload)
    for longer in longer_forms(wrapped[: -len(payload)]):
        assert not agreed(START + longer + payload + END)


def longer_forms(head: bytes) -> list[bytes]:
    """The head of an item in the forms that are longer than need be (RFC 8949, section 3)."""
    major, short = head[0] & 0xE0, head[0] & 0x1F
    number = short if len(head) == 1 else int.from_bytes(head[1:], "big")
    forms = [
        bytes((major | 24 + step,)) + number.to_bytes(1 << step, "big")
        for step in range(4)
        if number < 256 ** (1 << step)
    ]
    return [form for form in forms if len(form) > len(head)]


def test_hostile_bytes_are_judged_alike() -> None:
    raws = [around(wire.encode(tuple(values(body)))) for body in (FIRST, LAST)]
    raws += [entry.write(body, ANA).raw for body in (FIRST, LAST)]
    taken = sum(map(agreed, hostile.inputs("grammar", raws, depth.INPUTS_PER_DECODER)))
    payloads = [wire.encode(tuple(values(body))) for body in (FIRST, LAST)]
    taken += sum(agreed(around(raw)) for raw in hostile.inputs("inside", payloads, depth.INPUTS_PER_DECODER))
    assert taken > 0
