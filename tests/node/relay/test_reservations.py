"""Being reached through a relay: reservations that are kept, circuits that are taken from their relays alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from node import delimited
from node.network import Address, Stream
from node.relay import circuits, messages
from node.relay.messages import STOP, Answer, Connect, Limits, Status
from node.relay.reservations import Reservations, ways_to
from protocol.faults import PeerFault, Unavailable
from tests.node.relay.hosts import ECHO, TERMS, Town, echoes, now_ms, town

pytestmark = pytest.mark.socket


@asynccontextmanager
async def held(t: Town) -> AsyncIterator[Reservations]:
    """The holder's reservation at the relay, kept while the block lasts."""
    reservations = Reservations(t.holder, now_ms)

    async def hold() -> None:
        with suppress(PeerFault, Unavailable):
            await reservations.hold(t.relay_address, t.relay_host.peer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold)
        await reservations.changed.wait()
        yield reservations
        nursery.cancel_scope.cancel()


async def test_who_holds_a_reservation_is_reached_at_the_address_it_tells() -> None:
    async with town() as t, held(t) as reservations:
        assert reservations.addresses == (t.circuit(),)
        (one,) = reservations.held
        assert (one.relay, one.address) == (t.relay_host.peer, t.circuit())
        assert 3500 < one.until_s - now_ms() // 1000 <= 3600
        await echoes(await (await t.caller.dial(reservations.addresses[0], t.holder.peer)).open(ECHO))


async def test_the_link_of_a_reservation_is_no_strangers() -> None:
    async with town() as t, held(t):
        (session,) = [one for one in t.relay_host._sessions if one.peer == t.holder.peer]
        assert session.is_vouched


async def test_a_relay_that_goes_off_is_noticed() -> None:
    async with town() as t, held(t) as reservations:
        t.relay.turn(False, TERMS)
        for session in [*t.relay_host._sessions]:
            await session.aclose()
        await reservations.changed.wait()
        assert (reservations.held, reservations.addresses) == ((), ())


async def test_no_circuit_is_taken_from_who_is_not_our_relay() -> None:
    async with town() as t, held(t):
        (address,) = t.holder.addresses()
        link = await t.caller.dial(address, t.holder.peer)
        assert await stopped(await link.open(STOP)) == Status.PERMISSION_DENIED
        mine = [one for one in t.relay_host._sessions if one.peer == t.holder.peer]
        assert mine  # while our relay may open as many as it likes: what comes through is a guest


async def test_without_a_reservation_the_protocol_is_not_even_served() -> None:
    async with town() as t:
        async with held(t):
            pass
        (address,) = t.holder.addresses()
        link = await t.caller.dial(address, t.holder.peer)
        with pytest.raises(Unavailable):
            await link.open(STOP)


async def stopped(stream: Stream) -> int:
    await delimited.write(stream, messages.encode_stop(Connect(stream.peer, Limits(0, 0))))
    answer = messages.decode_stop(await circuits.read(stream))
    assert isinstance(answer, Answer)
    return answer.status


async def test_a_full_relay_says_so_and_the_reason_reaches_us() -> None:
    async with town() as t:
        t.relay.turn(False, TERMS)
        with pytest.raises(Unavailable):
            await Reservations(t.holder, now_ms).hold(t.relay_address, t.relay_host.peer)


LAN, PUBLIC, OTHER = (Address(f"/ip4/{ip}/tcp/4001") for ip in ("192.168.1.9", "44.0.0.1", "44.0.0.2"))


@pytest.mark.parametrize(
    ("dialled", "told", "ways"),
    [
        (PUBLIC, (OTHER, LAN), (PUBLIC,)),
        (LAN, (OTHER,), (OTHER, LAN)),
        (LAN, (LAN,), (LAN,)),
        (LAN, (), (LAN,)),
    ],
)
def test_where_a_relay_is_dialled_is_what_we_saw_before_what_it_says(
    dialled: Address, told: tuple[Address, ...], ways: tuple[Address, ...]
) -> None:
    assert ways_to(dialled, told) == ways
