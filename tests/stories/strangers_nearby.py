"""A stranger without a node: what he sends to throw-away hosts, as bytes and as he likes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from crypto.keys import DhKey
from features.nearby import question
from lab.network import SimHost
from lab.world import Person, World
from node import frames
from node.network import Address, parts_of
from protocol import beacon, nearby, record
from protocol.nearby import Verdict


@dataclass
class Stranger:
    """One throw-away host that does as the test says."""

    world: World
    host: SimHost
    box: DhKey = field(default_factory=lambda: DhKey(b"strange box".ljust(32, b".")))
    count: int = 0
    card: nearby.Card | None = None  # the last that was shown to him; kept, though none is shown any more

    async def ask(self, of: Person, asked: nearby.Question, answer: type[Any]) -> Any:
        """The answer of somebody's newest mask. Raises: Unavailable, PeerFault."""
        mask = of.world.network.machine(of.name)[-1]
        answered, _ = await question.ask(self.host, mask.addresses(), mask.peer, asked, answer)
        return answered

    async def greet(self, of: Person, text: str = "hello", ticket: bytes | None = None) -> Verdict:
        """Greets somebody; what he is told."""
        self.count += 1
        peer = of.world.network.machine(of.name)[-1].peer
        self.card = self.card or await self.ask(of, nearby.CardWanted(), nearby.Card)
        named = ticket or self.count.to_bytes(4, "big") + self.host.peer[:12]
        words = nearby.Words(named, self.box.public, "Mallory", text)
        sealed = nearby.seal_words(words, self.card.box, self.host.peer + peer, DhKey(named * 2), bytes(24))
        verdict: Verdict = (await self.ask(of, sealed, nearby.Heard)).verdict
        return verdict

    async def decision(self, of: Person, ticket: bytes) -> str | None:
        """The link in what somebody decided."""
        reply = await self.ask(of, nearby.Asking(ticket), nearby.Reply)
        return nearby.open_decision(reply, self.box, ticket).link

    async def say(self, of: Person, raw: bytes) -> bytes | None:
        """Sends one frame of any bytes; what comes back, None when the stream is just ended."""
        mask = of.world.network.machine(of.name)[-1]
        link = await self.host.dial(mask.addresses()[0], mask.peer)
        stream = await link.open(nearby.PROTOCOL)
        await frames.write(stream, raw)
        try:
            return await frames.FrameReader(stream, nearby.FRAME_BYTES_MAX).read()
        finally:
            await link.aclose()

    def announce(self, address: Address | None = None, peer: bytes | None = None) -> bytes:
        """A packet that names this host, or another address and key."""
        ip, port = parts_of(address or self.host.addresses()[0])
        said = beacon.Announcement(self.world.now_ms() // 1000, port, peer or self.host.peer, (ip,))
        self.count += 1
        return nearby.packet(said, self.count.to_bytes(24, "big"))

    async def serve_card(self) -> None:
        """From now on shows a card to whoever asks."""

        async def accept(_: str, stream: Any) -> None:
            await frames.FrameReader(stream, nearby.FRAME_BYTES_MAX).read()
            await frames.write(stream, record.encode(nearby.Card("Mallory", self.box.public)))

        self.host.serve((nearby.PROTOCOL,), accept)
        await self.host.listen((Address("/ip4/0.0.0.0/tcp/0"),))


@asynccontextmanager
async def stranger(w: World, name: str = "mallory", number: int = 1) -> AsyncIterator[Stranger]:
    """A stranger on a machine of this name."""
    async with w.network.open_beside(name, number.to_bytes(4, "big") * 8) as host:
        yield Stranger(w, host)
