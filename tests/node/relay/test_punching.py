"""Hole punching between two hosts on loopback, who dial each other at once, port to port; and who is not let in."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
import trio

from node import delimited, sockets
from node.host import Host
from node.links import HostLink
from node.network import Address, Circuit, PeerId, Stream, circuit_text, parts_of
from node.relay import messages, punching
from node.relay.messages import DCUTR, Meeting
from node.yamux import Session
from protocol.faults import Unavailable
from tests.node.relay.hosts import ECHO, HOLDER, OTHER, PATIENCE_S, echoes, opened, town

pytestmark = pytest.mark.socket


def at(ip: str) -> Address:
    return Address(f"/ip{6 if ':' in ip else 4}/{ip}/tcp/4001")


WAY = circuit_text(Circuit(at("44.0.0.1"), PeerId(b"r" * 32), PeerId(b"t" * 32)))


@pytest.mark.parametrize(
    ("theirs", "own", "dialled"),
    [
        (["44.0.0.1", "192.168.1.7"], [], ["44.0.0.1"]),
        (["192.168.1.7", "192.168.2.7"], ["192.168.1.3"], ["192.168.1.7"]),
        (["127.0.0.1", "169.254.1.1", "10.0.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1"], ["192.168.1.3"], []),
        ([f"44.0.0.{n}" for n in range(20)], [], [f"44.0.0.{n}" for n in range(8)]),
    ],
)
def test_only_public_addresses_and_those_of_our_own_networks_are_dialled(
    theirs: Sequence[str], own: Sequence[str], dialled: Sequence[str]
) -> None:
    assert punching.allowed([*map(at, theirs), WAY], [*map(at, own), WAY]) == tuple(map(at, dialled))


async def meeting(first: Host, first_at: Address, second: Host, second_at: Address) -> list[HostLink]:
    """Both dial until one link stands, as two attempts of hole punching do; a link of each."""
    found: dict[str, HostLink] = {}

    async def begin() -> None:
        with first.awaiting((second_at,), second.peer) as awaited:
            while "first" not in found:
                try:
                    found["first"] = await first.meet_first(second_at, second.peer)
                except Unavailable:
                    if awaited.link is not None:
                        found["first"] = awaited.link

    async def follow() -> None:
        while "second" not in found:
            try:
                found["second"] = await second.meet_second(first_at, first.peer)
            except Unavailable:
                if "first" in found:  # he got through to our port
                    return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
        nursery.start_soon(follow)
    return [*found.values()]


async def sessions(of: Host) -> list[Session]:
    """The links of a host, when it has any: the accepting side may be a moment later."""
    while not (found := [session for session in of._sessions if not session.is_gone]):
        await trio.lowlevel.checkpoint()
    return found


async def test_two_who_dial_each_other_from_their_ports_have_a_link() -> None:
    with trio.fail_after(PATIENCE_S):
        async with opened(HOLDER) as (one, one_at), opened(OTHER) as (two, two_at):
            link, *_ = await meeting(one, one_at, two, two_at)
            assert not link.is_relayed
            for each in (one, two):
                session, *_ = await sessions(each)
                assert session.is_inbound == (each is two)  # the first begins, whoever got through


async def test_who_waits_for_us_to_begin_is_begun_with_when_he_gets_through_first() -> None:
    with trio.fail_after(PATIENCE_S):
        async with opened(HOLDER) as (one, one_at), opened(OTHER) as (two, two_at):
            with one.awaiting((two_at,), two.peer) as awaited:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(two.meet_second, one_at, one.peer)
                    await awaited.came.wait()
            assert awaited.link is not None
            await echoes(await awaited.link.open(ECHO))


async def test_another_peer_than_the_one_who_was_told_is_refused() -> None:
    with trio.fail_after(PATIENCE_S):
        async with opened(HOLDER) as (one, _), opened(OTHER) as (_, two_at):
            with pytest.raises(Unavailable, match="another peer"):
                await one.meet_first(two_at, PeerId(b"x" * 32))


async def test_a_refusal_is_told_from_silence() -> None:
    async with opened(HOLDER) as (one, _):
        with pytest.raises(sockets.Refused):
            await one.meet_first(Address("/ip4/127.0.0.1/tcp/1"), PeerId(b"x" * 32))


async def test_a_dial_from_our_port_comes_from_our_port() -> None:
    with trio.fail_after(PATIENCE_S):
        async with opened(HOLDER) as (one, one_at), opened(OTHER) as (two, two_at):
            link = await one.dial_from_port(two_at, two.peer)
            assert link.is_from_port
            (session,) = await sessions(two)
            assert session.remote == one_at
            again = await one.dial_from_port(two_at, two.peer)  # the same two ports have a link already
            assert not again.is_from_port


async def test_a_port_of_another_program_is_neither_listened_on_nor_shared() -> None:
    async with opened(HOLDER) as (one, _), opened(OTHER) as (_, two_at):
        with pytest.raises(Unavailable):
            await one.listen([two_at])
        ip, port = parts_of(two_at)
        with pytest.raises(OSError):
            await sockets.listen(ip, port)


class Nobody:
    """What hole punching asks of delivery, where nobody talks with us."""

    @property
    def talks(self) -> "Nobody":
        return self

    def relayed_with(self, _peer: PeerId) -> int | None:
        return None


async def test_who_has_proven_nothing_learns_no_address_and_makes_nobody_dial() -> None:
    async with town() as t:
        asked: list[Stream] = []

        async def own(stream: Stream) -> tuple[Address, ...]:
            asked.append(stream)
            return (at("44.0.0.1"),)

        served = punching.Punching(t.holder, cast("Any", Nobody()), own)
        t.holder.serve([DCUTR], served.accept)
        await t.reserve()
        through = await t.caller.dial(t.circuit(), None)
        (direct,) = t.holder.addresses()
        for link in (through, await t.caller.dial(direct, None)):
            stream = await link.open(DCUTR)
            await delimited.write(stream, messages.encode_punch(Meeting((at("44.0.0.2"),))))
            assert await received(stream) == b""
        assert asked == []


async def received(stream: Stream) -> bytes:
    try:
        return await stream.receive_some(4096)
    except Unavailable:
        return b""
