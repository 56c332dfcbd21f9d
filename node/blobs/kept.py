"""Keepers as sources of files: what contacts have left there for us while we were away (docs/protocol/blobs.md 6).

A keeper is asked under the names that a file has behind the doors of those who told it. What it gives is checked like
what anybody gives; once the file is here, or is not wanted, the keeper is told so. Not here: how pieces are asked for
of several sources (fetching.py), what a keeper does (node/keep/depot.py), what we leave for others
(node/keep/leaver.py).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby

import structlog
import trio

from crypto import chunks
from node.inward import Inward
from node.keep import deposit_client
from node.keep.collector import place_of
from node.keep.deposit_client import DepositStream
from node.keep.roads import Roads
from node.supervisor import first
from protocol import deposit
from protocol.blob_stream import bits_of
from protocol.blobs import Blob
from protocol.faults import PeerFault, Unavailable
from protocol.keep import Status
from store import blobs, keepers, leaving
from store.database import Tx
from store.keepers import Keeper, QueueState

ANSWER_S = 30.0
PIECE_S = 60.0  # for one piece, however slow the line is: 35 kbit/s
THANK_S = 300.0  # until a keeper is told again that a file is not needed
RELAYED_BYTES_MAX = 16 << 20  # of a file that goes through a relay, which others pay for

log = structlog.get_logger("blobs")


class Nothing(Unavailable):
    """A source has nothing of it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A keeper where pieces of a file may lie, under one of these names."""

    keeper: Keeper
    names: tuple[bytes, ...]

    @property
    def key(self) -> int:
        """What stands for it among the sources: contacts are above 0."""
        return -self.keeper.id


@dataclass
class KeptSource:
    """A stream to a keeper that may have pieces. asked: those on their way; is_idle: it had nothing to give."""

    inward: Inward
    stream: DepositStream
    desk: Desk
    number: int
    asked: int = 0
    is_idle: bool = False
    _manifest: bytes = b""

    async def join(self) -> int | None:
        """The pieces that lie there, under the name that has most of what is missing here.

        What is another file by its manifest is passed over: whoever told us this one may leave anything under his name,
        and that is neither the keeper's fault nor that of who left the right one. Raises: Nothing, Unavailable.
        """
        row = await self.inward.database.read(blobs.row, self.number)
        if row is None:
            raise Nothing
        most, best, sought = -1, b"", b""
        for name in self.desk.names:
            found, sought = await self._seek(name), name
            if _is_of(found, row.blob) and (news := (bits_of(found.bits) & ~row.bits).bit_count()) > most:
                most, best = news, name
        if not best:
            raise Nothing
        if sought != best:  # what is wanted is of what was sought last
            found = await self._seek(best)
        if not _is_of(found, row.blob):
            raise Nothing
        bits, self._manifest = bits_of(found.bits), found.manifest
        await self.inward.database.transact(leaving.found, self.desk.keeper.id, best, self.number, bits.bit_count())
        return bits

    async def _seek(self, name: bytes) -> deposit.Found:
        with trio.fail_after(ANSWER_S):
            found = await self.stream.seek(name)
        if isinstance(found, Status):
            raise Unavailable(f"the keeper refuses: {found.name}")
        return found

    async def names(self) -> bytes:
        """The manifest that lies there."""
        return self._manifest

    async def want(self, places: Sequence[int]) -> None:
        """Asks for pieces."""
        with trio.fail_after(ANSWER_S):
            await self.stream.want(places)

    async def piece(self) -> tuple[int, bytes]:
        """The next of them; nobody has checked it."""
        with trio.fail_after(PIECE_S):
            return await self.stream.piece()


@dataclass
class Kept:
    """The keepers of a node, for its files. `run` works until cancelled."""

    inward: Inward
    roads: Roads
    _later: dict[int, float] = field(default_factory=dict)  # keeper -> when it is told again, after it failed

    async def desks(self, number: int) -> tuple[Desk, ...]:
        """The keepers where pieces of a blob may lie, and that can be asked now."""
        found = await self.inward.database.read(_desks, number)
        return tuple(one for one in found if self._is_there(one.keeper))

    @asynccontextmanager
    async def open(self, desk: Desk, number: int, blob: Blob) -> AsyncIterator[KeptSource]:
        """A stream to a keeper, claimed. Raises: Unavailable, PeerFault, TooSlowError."""
        async with self._claimed(desk.keeper, is_small=blob.length <= RELAYED_BYTES_MAX) as stream:
            yield KeptSource(self.inward, stream, desk, number)

    async def run(self) -> None:
        """Tells keepers what is not needed any more, until cancelled."""
        database = self.inward.database
        with database.watch(frozenset({blobs.CHANGED, keepers.CHANGED})) as changes:
            while True:
                with trio.move_on_at(await self._thank()):
                    await changes.receive()

    async def _thank(self) -> float:
        """Has deleted what can be; when something is left to be tried again, inf for never."""
        database = self.inward.database
        again_at = float("inf")
        for keeper_id, some in groupby(await database.read(leaving.to_thank), key=lambda one: one.keeper):
            files = tuple(some)
            one = await database.read(keepers.find, keeper_id)
            if one is None or one.state is not keepers.State.USED:  # what lay there goes with our queues
                await database.transact(leaving.thanked, files)
                continue
            now = trio.current_time()
            later = self._later.get(keeper_id, 0.0) if self._is_there(one) else now + THANK_S
            if now < later:
                again_at = min(again_at, later)
                continue
            try:
                async with self._claimed(one, is_small=True) as stream:
                    for file in files:
                        with trio.fail_after(ANSWER_S):
                            status = await stream.had(file.name)
                        if status is not Status.OK:
                            raise Unavailable(f"the keeper deletes nothing: {status.name}")
                        await database.transact(leaving.thanked, (file,))
            except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
                log.info("a keeper still has a file", keeper=keeper_id, reason=str(first(faults)))
                later = self._later[keeper_id] = trio.current_time() + THANK_S  # not at every piece of another file
                again_at = min(again_at, later)
        return again_at

    @asynccontextmanager
    async def _claimed(self, one: Keeper, *, is_small: bool) -> AsyncIterator[DepositStream]:
        async with self.roads.to(place_of(one), self.inward.now() // 1000) as way:
            if way.link.is_relayed and not is_small:
                raise Unavailable("the way to this keeper goes through a relay")
            async with deposit_client.open_stream(way.link, self.roads.network.peer) as stream:
                with trio.fail_after(ANSWER_S):
                    status = await stream.claim(one.owner_key, one.permit)
                if status is not Status.OK:
                    raise Unavailable(f"the keeper refuses: {status.name}")
                yield stream

    def _is_there(self, one: Keeper) -> bool:
        return one.contact == keepers.OWN or self.roads.talks.online(one.contact)


def _is_of(found: deposit.Found, blob: Blob) -> bool:
    """Whether something of this blob lies there."""
    return bool(found.bits) and chunks.name(found.manifest) == blob.root


def _desks(tx: Tx, number: int) -> tuple[Desk, ...]:
    row = blobs.row(tx, number)
    if row is None or row.blob.count > deposit.PIECES_MAX:
        return ()
    tellers, found = blobs.sources(tx, number), []
    for one in keepers.used(tx):
        queues = [keepers.queue_of(tx, one.id, contact_id) for contact_id in tellers]
        names = tuple(
            deposit.name_of(row.blob.key, row.blob.root, queue.sender)
            for queue in queues
            if queue is not None and queue.state is QueueState.OPEN
        )
        if names and one.owner_seed:
            found.append(Desk(one, names))
    return tuple(found)
