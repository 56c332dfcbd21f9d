"""What a relay allows: each limit with whoever goes beyond it. All hosts are real, on loopback."""

from typing import Any

import pytest
import trio
import trio.testing

from node import delimited
from node.host import open_host
from node.identify import Offers
from node.network import Circuit, Stream, circuit_text
from node.relay import circuits, hop, messages
from node.relay.messages import HOP, Answer, Connect, Reserve, Status
from protocol.faults import Unavailable
from tests.node.relay.hosts import ECHO, OTHER, TERMS, Town, echoes, now_ms, opened, town

LIAR = b"l" * 32

pytestmark = pytest.mark.socket


async def asked(stream: Stream, raw: bytes) -> int:
    """The status a relay answers to these bytes as one message."""
    await delimited.write(stream, raw)
    return messages.decode_answer(await circuits.read(stream), stream.peer).status


async def test_reservations_of_one_place_are_counted_and_renewed() -> None:
    async with town() as t:
        assert (await t.reserve()).status == Status.OK
        assert (await t.reserve()).status == Status.OK
        assert t.relay.load.reservations == 1
        async with trio.open_nursery() as nursery:
            for number in range(hop.RESERVATIONS_PER_PLACE_MAX - 1):
                assert await nursery.start(reserved, t, number) == Status.OK
            assert await nursery.start(reserved, t, 99) == Status.RESERVATION_REFUSED
            assert (await t.reserve()).status == Status.OK  # who has one renews it
            nursery.cancel_scope.cancel()


async def reserved(t: Town, number: int, task_status: Any) -> None:
    async with open_host(bytes([number]) * 32) as more:
        link = await more.dial(t.relay_address, None)
        task_status.started((await circuits.ask(await link.open(HOP), Reserve())).status)
        await trio.sleep_forever()


async def test_a_reservation_ends_with_its_link() -> None:
    async with town() as t:
        async with opened(OTHER) as (other, _):
            assert (await t.reserve(other)).status == Status.OK
            assert t.relay.load.reservations == 1
        while t.relay.load.reservations:
            await trio.lowlevel.checkpoint()
        with pytest.raises(Unavailable, match="not at that relay"):
            await t.caller.dial(t.circuit(other.peer), None)


async def test_circuits_are_counted_in_all_and_a_free_one_can_be_had_again() -> None:
    async with town() as t:
        t.turn(circuits=2)
        await t.reserve()
        links = [await t.caller.dial(t.circuit(), None) for _ in range(2)]
        with pytest.raises(Unavailable, match="at its limit"):
            await t.caller.dial(t.circuit(), None)
        await links[0].aclose()
        while t.relay.load.circuits == 2:
            await trio.lowlevel.checkpoint()
        await t.caller.dial(t.circuit(), None)


async def test_one_place_has_its_share_of_circuits() -> None:
    async with town() as t, opened(OTHER) as (other, _):
        t.turn(circuits=100)
        await t.reserve()
        await t.reserve(other)
        for number in range(hop.CIRCUITS_PER_PLACE_MAX):
            await t.caller.dial(t.circuit((t.holder, other)[number % 2].peer), None)
        with pytest.raises(Unavailable, match="at its limit"):
            await t.caller.dial(t.circuit(), None)


async def test_one_holder_has_its_share_of_circuits() -> None:
    """Its circuits come from many places here, which one machine does not have."""
    async with town() as t:
        t.turn(circuits=100)
        await t.reserve()
        for number in range(hop.CIRCUITS_PER_HOLDER_MAX):
            t.relay._crossings[hop.Crossing(f"place {number}", t.holder.peer)] = None
        with pytest.raises(Unavailable, match="at its limit"):
            await t.caller.dial(t.circuit(), None)


async def test_a_circuit_over_its_volume_ends() -> None:
    async with town() as t:
        t.turn(circuit_megabytes=1)
        await t.reserve()
        link = await t.caller.dial(t.circuit(), None)
        stream = await link.open(ECHO)
        with pytest.raises(BaseExceptionGroup):
            await echoes(stream, bytes(2_000_000))
        await link.closed()
        await t.caller.dial(t.circuit(), None)  # the next one has its own


async def test_the_volume_of_a_day_is_for_all_circuits_together() -> None:
    async with town() as t:
        t.turn(day_megabytes=1)
        await t.reserve()
        link = await t.caller.dial(t.circuit(), None)
        with pytest.raises(BaseExceptionGroup):
            await echoes(await link.open(ECHO), bytes(2_000_000))
        with pytest.raises(Unavailable, match="at its limit"):
            await t.caller.dial(t.circuit(), None)


async def test_off_ends_circuits_reservations_and_the_offer_at_once() -> None:
    async with town() as t:
        await t.reserve()
        link = await t.caller.dial(t.circuit(), None)
        t.relay.turn(False, TERMS)
        await link.closed()
        assert t.relay.load.reservations == 0
        plain = await t.caller.dial(t.relay_address, None)
        with pytest.raises(Unavailable):
            await plain.open(HOP)
        t.turn()
        await t.reserve()
        await echoes(await (await t.caller.dial(t.circuit(), None)).open(ECHO))


async def test_nothing_is_relayed_for_who_comes_through_a_relay() -> None:
    async with town() as t:
        second = hop.Relay(t.holder, Offers(t.holder, t.holder.addresses), now_ms, TERMS)  # the holder is a relay too
        second.turn(True, TERMS)
        await t.reserve()
        link = await t.caller.dial(t.circuit(), None)
        for request in (Reserve(), Connect(t.holder.peer)):
            assert (await circuits.ask(await link.open(HOP), request)).status == Status.PERMISSION_DENIED


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff" * 40, b"\x08\x07", b"\x08\x01", b"\x08\x01\x12\x02\x0a\x00"],
    ids=["empty", "garbage", "type", "nobody", "no key"],
)
async def test_garbage_is_answered_as_such(raw: bytes) -> None:
    async with town() as t:
        link = await t.caller.dial(t.relay_address, None)
        assert await asked(await link.open(HOP), raw) == Status.MALFORMED_MESSAGE


async def test_an_oversized_message_is_not_read() -> None:
    async with town() as t:
        stream = await (await t.caller.dial(t.relay_address, None)).open(HOP)
        await stream.send_all(delimited.varint(messages.MESSAGE_BYTES_MAX + 1))
        assert messages.decode_answer(await circuits.read(stream), stream.peer).status == Status.MALFORMED_MESSAGE


async def test_a_circuit_to_oneself_is_refused() -> None:
    async with town() as t:
        await t.reserve(t.caller)
        stream = await (await t.caller.dial(t.relay_address, None)).open(HOP)
        assert (await circuits.ask(stream, Connect(t.caller.peer))).status == Status.PERMISSION_DENIED


async def test_a_relay_that_leads_elsewhere_is_found_out() -> None:
    """It says OK and gives the circuit to somebody else: Noise says who is there."""
    async with town() as t, opened(OTHER) as (other, _):

        async def lie(protocol: str, stream: Stream) -> None:
            await circuits.read(stream)
            onward = await (await liar.dial(other_address, None)).open("/take/1")
            await delimited.write(stream, messages.encode_answer(Answer(Status.OK), liar.peer))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(moved, stream, onward)
                nursery.start_soon(moved, onward, stream)

        async def take(protocol: str, stream: Stream) -> None:
            await other.host_through(stream, t.relay_address)

        async with opened(LIAR) as (liar, liar_address):
            liar.serve([HOP], lie)
            other.serve(["/take/1"], take)
            (other_address,) = other.addresses()
            with pytest.raises(Unavailable, match="another peer answers there"):
                await t.caller.dial(circuit_text(Circuit(liar_address, liar.peer, t.holder.peer)), None)


async def moved(source: Stream, onward: Stream) -> None:
    while data := await source.receive_some(65_536):
        await onward.send_all(data)


async def test_a_caller_who_does_not_read_stops_the_sender_and_fills_256_kib() -> None:
    async with town() as t:
        t.holder.serve(["/pour/1"], pour)
        await t.reserve()
        link = await t.caller.dial(t.circuit(), None)
        stream = await link.open("/pour/1")
        before = -1
        while t.relay.load.bytes_today != before:  # until nothing moves any more
            before = t.relay.load.bytes_today
            await trio.testing.wait_all_tasks_blocked(0.3)
        assert before < 3_000_000
        await echoes(await link.open(ECHO))  # the other streams of that link go on
        received = 0
        while received < 4_000_000:
            received += len(await stream.receive_some(65_536))


async def pour(protocol: str, stream: Stream) -> None:
    stream.vouch()
    while True:
        await stream.send_all(bytes(65_536))
