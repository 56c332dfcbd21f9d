"""What somebody on the simulated cable sees of /weft/talk/1, where no Noise hides the frames, and one who speaks it.

The adversaries of tests/stories: a listener on the cable (envelopes, nonces), and somebody who has a contact's secrets
and says what he likes (open_impostor). Not here: whole hostile nodes; nobody needs one.
"""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from struct import Struct

import trio

from lab.network import Seen
from lab.world import Person, World
from node import channel, frames
from node.network import Stream
from protocol import envelope, talk
from protocol.faults import PeerFault
from protocol.identity import Bundle
from store import pairs, people
from store.pairs import ChanKey

_LENGTH = Struct(">I")
RUN = bytes(range(16))


def envelopes(tap: list[Seen]) -> Iterator[tuple[str, bytes]]:
    """(sender, envelope) of everything that went over a talk, in order; pieces that are no frames are passed over."""
    for _, sender, _, piece in tap:
        at = 0
        while at + _LENGTH.size <= len(piece):
            (length,) = _LENGTH.unpack_from(piece, at)
            raw = piece[at + _LENGTH.size : at + _LENGTH.size + length]
            at += _LENGTH.size + length
            try:
                frame = talk.decode(raw)
            except PeerFault:
                continue
            if isinstance(frame, talk.Envelopes):
                for one in frame.envelopes:
                    yield sender, one


def message_of(raw: bytes) -> envelope.Message:
    """The ratchet message inside an envelope, whatever stands in front of it."""
    inner = envelope.disclose(raw)
    carried = inner.init if isinstance(inner, envelope.Restart) else inner
    return carried.message if isinstance(carried, envelope.Init) else carried


def nonces(tap: list[Seen]) -> list[bytes]:
    """The nonces (24 bytes) of all headers and bodies."""
    messages = [message_of(raw) for _, raw in envelopes(tap)]
    return [sealed[:24] for message in messages for sealed in (message.header, message.body)]


@dataclass
class Impostor:
    """A live talk of somebody who has all of a person's secrets and none of his manners."""

    stream: Stream
    reader: frames.FrameReader
    bundle: Bundle
    chance: random.Random
    number: int = 0
    restarts: set[int] = field(default_factory=set)  # the counters of the restarts that came
    _turn: trio.Lock = field(default_factory=trio.Lock)

    async def say(self, *what: talk.Frame) -> None:
        """Sends frames."""
        await self.say_raw(*(talk.encode(one) for one in what))

    async def say_raw(self, *what: bytes) -> None:
        """Sends bytes in frames."""
        async with self._turn:  # a stream has one writer, and this one answers while it floods
            await frames.write(self.stream, *what)

    async def flood(self, count: int) -> None:
        """Sends envelopes that no session opens: well-formed, and random inside."""
        garbage = tuple(
            envelope.enclose(envelope.Message(self.chance.randbytes(80), self.chance.randbytes(240)))
            for _ in range(count)
        )
        await self.say(talk.Envelopes(self.number + 1, garbage))
        self.number += count

    async def listen(self) -> None:
        """Answers what a talk is asked, notes restarts, and never gives an answer inside a session."""
        received = 0
        while (raw := await self.reader.read()) is not None:
            match talk.decode(raw):
                case talk.Envelopes(envelopes=more):
                    for one in more:
                        inner = envelope.disclose(one)
                        if isinstance(inner, envelope.Restart):
                            self.restarts.add(inner.init.counter)
                    received += len(more)
                    await self.say(talk.Ack(received, ()))
                case talk.BundleWanted():
                    await self.say(talk.BundleGiven(self.bundle))
                case talk.Ping(n=n):
                    await self.say(talk.Pong(n))
                case _:
                    pass


async def secrets_of(person: Person, contact: str) -> tuple[ChanKey, talk.Introduction, Bundle]:
    """What a person's node proves a channel to a contact with, and a bundle of its."""
    assert person.node is not None
    core = person.node.core
    found = await core.database.transact(people.find_contact, contact)
    chan = await core.database.transact(pairs.dial_key, found.id)
    assert chan is not None
    (device,) = await core.database.transact(people.devices_of, found.id)
    return chan, core.delivery.inward.introduction(), await core.delivery.inward.own_bundle(device.id)


@asynccontextmanager
async def open_impostor(w: World, person: Person, victim: Person) -> AsyncIterator[Impostor]:
    """Ends a person's node, and speaks in its place with the victim's."""
    chan, introduction, bundle = await secrets_of(person, victim.name)
    assert person.node is not None
    seed = person.node.core.identity.transport_seed
    await person.kill()
    chance = random.Random(w.seed)
    async with w.network.open_host(person.name, seed) as host:
        link = await host.dial(w.network.address(victim.name), None)
        stream = await link.open(talk.PROTOCOL)
        proven = await channel.dial(host, stream, chan, introduction, chance.randbytes)
        impostor = Impostor(stream, proven.reader, bundle, chance)
        await impostor.say(talk.Hello((1,), RUN, (), None, 0, talk.WINDOW_ENVELOPES))
        yield impostor
        await link.aclose()
