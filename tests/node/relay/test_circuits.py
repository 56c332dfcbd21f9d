"""Links through a relay, between real hosts on loopback."""

import pytest
import trio

from node import dialler
from node.network import Address, Stream
from node.relay.messages import Status
from protocol.faults import Unavailable
from tests.node.relay.hosts import ECHO, echoes, town

pytestmark = pytest.mark.socket


async def test_a_link_through_a_relay_carries_streams_as_any_other() -> None:
    async with town() as t:
        answer = await t.reserve()
        assert (answer.status, answer.addresses) == (Status.OK, (t.relay_address,))
        link = await t.caller.dial(t.circuit(), t.holder.peer)
        assert (link.peer, link.address, link.is_relayed) == (t.holder.peer, t.circuit(), True)
        stream = await link.open(ECHO)
        assert stream.is_relayed
        assert stream.remote is None
        await echoes(stream, bytes(range(256)) * 8192)  # 2 MiB: more than every window between them
        await echoes(await link.open(ECHO))
        await link.aclose()
        await link.closed()
        with pytest.raises(Unavailable):
            await link.open(ECHO)


async def test_the_other_end_sees_who_dialled_and_that_he_came_through_a_relay() -> None:
    seen: list[Stream] = []

    async def note(protocol: str, stream: Stream) -> None:
        seen.append(stream)
        await stream.send_all(b"seen")

    async with town() as t:
        await t.reserve()
        t.holder.serve(["/note/1"], note)
        link = await t.caller.dial(t.circuit(), None)
        assert await (await link.open("/note/1")).receive_some(10) == b"seen"
        (stream,) = seen
        assert (stream.peer, stream.is_relayed, stream.remote) == (t.caller.peer, True, None)
        assert stream.link is not None
        assert stream.link.is_relayed
        back = await stream.link.open(ECHO)
        await echoes(back)


async def test_circuits_of_one_relay_share_a_link_that_ends_with_the_last() -> None:
    async with town() as t:
        await t.reserve()
        first = await t.caller.dial(t.circuit(), None)
        second = await t.caller.dial(t.circuit(), None)
        (trunk,) = {shared.link for shared in t.caller.trunks._shared.values()}
        await first.aclose()
        await echoes(await second.open(ECHO))
        await second.aclose()
        await trunk.closed()
        while t.relay.load.circuits:
            await trio.lowlevel.checkpoint()


async def test_who_holds_nothing_is_not_reached_and_the_reason_is_said() -> None:
    async with town() as t:
        with pytest.raises(Unavailable, match="the other end is not at that relay now"):
            await t.caller.dial(t.circuit(), None)
        assert not t.caller.trunks._shared


async def test_a_direct_way_is_taken_before_one_through_a_relay_and_that_one_where_there_is_no_other() -> None:
    async with town() as t:
        await t.reserve()
        (direct,) = t.holder.addresses()
        link = await dialler.dial(t.caller, [t.circuit(), direct], t.holder.peer)
        assert (link.address, link.is_relayed) == (direct, False)
        dead = Address("/ip4/127.0.0.1/tcp/1")
        assert (await dialler.dial(t.caller, [dead, t.circuit()], t.holder.peer)).is_relayed
        assert (await dialler.dial(t.caller, [t.circuit()], t.holder.peer)).is_relayed


async def test_addresses_that_are_announced_stand_behind_those_where_we_listen() -> None:
    async with town() as t:
        own = t.holder.addresses()
        many = [Address(f"/ip4/44.0.0.{n}/tcp/4001") for n in range(6)]
        assert t.holder.announce(many)
        assert not t.holder.announce(many)
        assert t.holder.addresses() == (*own, *many[:4])
        assert t.holder.announce([])
        assert t.holder.addresses() == own


async def test_a_relay_that_stops_reading_tears_no_record() -> None:
    """A send that is cancelled while the relay takes nothing leaves the link on the circuit whole."""
    async with town() as t:
        t.holder.serve(["/slow/1"], slow)
        await t.reserve()
        link = await t.caller.dial(t.circuit(), None)
        stream = await link.open("/slow/1")
        with trio.move_on_after(0.5) as cancelled:
            await stream.send_all(bytes(16_000_000))
        assert cancelled.cancelled_caught
        await stream.aclose()
        await echoes(await link.open(ECHO))


async def slow(protocol: str, stream: Stream) -> None:
    stream.vouch()
    await trio.sleep_forever()
