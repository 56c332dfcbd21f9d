"""Keepers that are no weft: hosts in a world that speak /weft/keep/1 and answer whatever a story wants."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from crypto.faults import PeerFault
from lab.network import SimHost
from lab.world import Person, World
from node import frames
from node.frames import FrameReader
from node.network import Stream
from protocol import keep, keep_proof
from protocol.faults import Unavailable
from protocol.keep import Answer, Shown, Status
from protocol.mailbox import Line
from store import devices, inboxes, keepers, people
from store.database import Tx
from tests.stories.stranger_kit import core_of

NONCE = b"n" * keep.NONCE_BYTES

PERMIT = b"p" * 32


@dataclass(frozen=True, slots=True)
class Say:
    """An answer, which shows the key of the door or the permit where it is one to a put or a claim."""

    status: Status
    kept_s: int = 0


Reply = Callable[[keep.Request, int], keep.Reply | Say | None]
"""What is answered to a request, by its number on its stream; None for nothing at all."""


@dataclass
class FalseKeeper:
    """A host that answers as it is told. heard: all requests; streams: how many were opened; pause_s: before an answer.

    is_known: whether it has the permits and the keys of doors, or only answers in the place of who has them.
    """

    host: SimHost
    reply: Reply
    is_known: bool = True
    heard: list[keep.Request] = field(default_factory=list)
    streams: int = 0
    pause_s: float = 0.0

    def puts(self) -> list[keep.Put]:
        return [one for one in self.heard if isinstance(one, keep.Put)]

    def fetches(self) -> list[keep.Fetch]:
        return [one for one in self.heard if isinstance(one, keep.Fetch)]

    def line(self, name: str, find: bytes | None = None, mark: bytes = bytes(16)) -> Line:
        """A queue of somebody at this keeper, as its sender is told of it. find: of another keeper, to pass for it."""
        key = _key_of(name)
        addresses = tuple(map(str, self.host.addresses()))
        return Line(bytes(self.host.peer), addresses, find or key, key[:16], key, key, mark)

    async def accept(self, _protocol: str, stream: Stream) -> None:
        self.streams += 1
        reader, n = FrameReader(stream, keep.FRAME_BYTES_MAX), 0
        try:
            await frames.write(stream, keep.encode(keep.Hello(keep.VERSION, NONCE)))
            while (raw := await reader.read()) is not None:
                n += 1
                asked = keep.decode_request(raw)
                self.heard.append(asked)
                said = self.reply(asked, n)
                await trio.sleep(self.pause_s)
                if said is None:
                    return
                await frames.write(stream, keep.encode(self._encoded(said, asked, n, stream)))
        except (PeerFault, Unavailable):
            return

    def _encoded(self, said: keep.Reply | Say, asked: keep.Request, n: int, stream: Stream) -> keep.Reply:
        if not isinstance(said, Say):
            return said
        match asked:
            case keep.Put():
                key = asked.sender.ljust(32) if self.is_known else bytes(32)
                proof = keep_proof.put_proof(key, NONCE, asked, n, said.status, said.kept_s)
                return Shown(n, said.status, said.kept_s, proof)
            case keep.Claim():
                ends = (bytes(self.host.peer), bytes(stream.peer), NONCE)
                key = PERMIT if self.is_known else bytes(32)
                return Shown(n, said.status, 0, keep_proof.claim_proof(key, ends, asked.owner, n, said.status))
            case _:
                return Answer(n, said.status)


def _key_of(name: str) -> bytes:
    """The key of somebody's door, which begins with its sender id."""
    return name.encode().ljust(32)


@asynccontextmanager
async def false_keeper(
    w: World, reply: Reply, name: str = "false", *, is_known: bool = True
) -> AsyncIterator[FalseKeeper]:
    """Such a host in a world, that listens."""
    async with w.network.open_host(name, name.encode().ljust(32)) as host:
        keeper = FalseKeeper(host, reply, is_known)
        host.serve((keep.PROTOCOL,), keeper.accept)
        await host.listen((w.network.address(name),))
        yield keeper


def always(status: Status, kept_s: int = 0) -> Reply:
    """The same answer to everything."""
    return lambda _, __: Say(status, kept_s)


async def told(sender: Person, owner: str, lines: Sequence[Line], version: int = 1) -> None:
    """The sender knows these lines of a contact's device, as if that had told them."""

    def tell(tx: Tx) -> None:
        (one, *_) = devices.devices_of(tx, people.find_contact(tx, owner).id)
        inboxes.take(tx, one.id, version, lines, sender.entropy("told"))

    await core_of(sender).database.transact(tell)


async def used(owner: Person, keeper: FalseKeeper) -> int:
    """The keeper is a node of the owner's own, as far as he knows; its row."""

    def use(tx: Tx) -> int:
        addresses = tuple(map(str, keeper.host.addresses()))
        peer, now_ms = bytes(keeper.host.peer), owner.now_ms()
        one = keepers.add_own(tx, "cellar", PERMIT, b"f" * 32, peer, addresses, keep.OWN.ttl_s, now_ms)
        keepers.use(tx, one.id, owner.entropy("owner")(32))
        return one.id

    found: int = await core_of(owner).database.transact(use)
    return found
