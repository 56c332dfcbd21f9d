"""Links to peers of the DHT that end, with a word or without."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from lab.network import SimHost, SimNetwork, open_network
from node import delimited, host
from node.delimited import DelimitedReader
from node.kad import messages
from node.kad.links import QUESTION_S, Links
from node.kad.messages import Kind, Message, Peer
from node.network import Address, Stream
from protocol.faults import Unavailable

NOTICE_S = 120.0  # a dead cable is noticed late here
PING = Message(Kind.PING)


@dataclass
class Pair:
    """Ana asks, Bo answers."""

    sim: SimNetwork
    links: Links
    bo: SimHost
    address: Address
    answered: int = 0

    @property
    def peer(self) -> Peer:
        return Peer(self.bo.peer, (self.address,))

    async def is_answered(self) -> bool:
        try:
            answer, _ = await self.links.ask(self.peer, PING)
        except Unavailable:
            return False
        return answer == PING


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    async with (
        open_network(7) as sim,
        sim.open_host("ana", b"a" * 32) as ana,
        sim.open_host("bo", b"b" * 32) as bo,
        trio.open_nursery() as nursery,
    ):
        sim.notice_s = NOTICE_S
        links = Links(ana, lambda: 0)

        bo.serve([messages.PROTOCOL], echo)
        (address,) = await bo.listen([sim.address("bo")])
        nursery.start_soon(links.run)
        yield Pair(sim, links, bo, address)
        nursery.cancel_scope.cancel()


async def echo(_protocol: str, stream: Stream) -> None:
    stream.welcome()
    reader = DelimitedReader(stream, messages.REQUEST_BYTES_MAX)
    while (raw := await reader.read()) is not None:
        await delimited.write(stream, raw)


async def test_a_link_that_is_dead_without_a_word_is_left_though_others_wait_on_it(autojump_clock: MockClock) -> None:
    async with pair() as p:
        assert await p.is_answered()
        move(p)
        answers: list[bool] = []

        async def ask_at(second: float) -> None:
            await trio.sleep(second)
            answers.append(await p.is_answered())

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(ask_at, number * QUESTION_S / 2)
        assert answers.count(False) <= 2  # those who were waiting already
        assert len(p.links._lines) == 1


@pytest.mark.socket
async def test_a_link_that_is_known_to_be_gone_is_dialled_anew_at_once() -> None:
    async with host.open_host(b"a" * 32) as ana, host.open_host(b"b" * 32) as bo, trio.open_nursery() as nursery:
        assert isinstance(bo, host.Host)
        links = Links(ana, lambda: 0)
        bo.serve([messages.PROTOCOL], echo)
        peer = Peer(bo.peer, await bo.listen([Address("/ip4/127.0.0.1/tcp/0")]))
        nursery.start_soon(links.run)
        with trio.fail_after(60):
            await links.ask(peer, PING)
            gone = links._lines[bo.peer].link
            assert gone is not None
            for session in bo._sessions:
                await session.aclose()
            await gone.closed()
            await links.ask(peer, PING)
        nursery.cancel_scope.cancel()


async def test_a_question_that_takes_long_does_not_end_the_link_of_others(autojump_clock: MockClock) -> None:
    async with pair() as p:
        stuck = trio.Event()

        async def answer(_protocol: str, stream: Stream) -> None:
            reader = DelimitedReader(stream, messages.REQUEST_BYTES_MAX)
            raw = await reader.demand()
            if messages.decode(raw).key == b"slow":
                await stuck.wait()
            await delimited.write(stream, raw)

        p.bo.serve([messages.PROTOCOL], answer)
        assert await p.links.ask(p.peer, Message(Kind.FIND_NODE, b"quick"))
        before = p.links._lines[p.bo.peer].link
        async with trio.open_nursery() as nursery:

            async def ask_slowly() -> None:
                with pytest.raises(Unavailable):
                    await p.links.ask(p.peer, Message(Kind.FIND_NODE, b"slow"))

            nursery.start_soon(ask_slowly)
            await trio.sleep(1.0)
            assert await p.is_answered()
        assert await p.is_answered()
        assert p.links._lines[p.bo.peer].link is before


def move(p: Pair) -> None:
    """Bo is elsewhere at once: the link that stands carries nothing any more, a new one would."""
    for end in p.bo.ends:
        end.wire.cut(NOTICE_S)
