"""Messages behind their length as libp2p writes it: cut anywhere, and by whoever means harm."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Malformed
from node import delimited
from node.delimited import DelimitedReader
from tests.node.test_frames import Wire


async def all_of(reader: DelimitedReader) -> list[bytes]:
    found = []
    while (message := await reader.read()) is not None:
        found.append(message)
    return found


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 400))
def test_messages_arrive_however_they_are_cut(messages: list[bytes], size: int) -> None:
    async def body() -> None:
        written = Wire()
        for message in messages:
            await delimited.write(written, message)
        sent = b"".join(written.writes)
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert await all_of(DelimitedReader(Wire(*pieces), 300)) == messages

    trio.run(body)


@given(st.integers(0, 2**31))
def test_a_number_survives(number: int) -> None:
    encoded = delimited.varint(number)
    assert delimited.read_varint(encoded + b"rest") == (number, len(encoded))
    assert delimited.read_varint(encoded[:-1]) is None


@pytest.mark.parametrize(
    "sent", [b"\x81\x00", b"\xff\xff\xff\xff\xff\x01", b"\xac\x02" + b"x" * 300, b"\x05four", b"\x80"]
)
async def test_a_bad_length_or_half_a_message_is_refused(sent: bytes) -> None:
    with pytest.raises(Malformed):
        await all_of(DelimitedReader(Wire(sent), 299))


async def test_an_answer_that_does_not_come_is_the_peers_fault() -> None:
    with pytest.raises(Malformed):
        await DelimitedReader(Wire(), 299).demand()
