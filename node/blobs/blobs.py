"""Large content of this node: what is made, fetched, given to contacts and saved (docs/protocol/blobs.md).

One task fetches each blob that is wanted, as long as it is; all contacts who are there may be asked, those first who
told it. Not here: one blob on its way (fetching.py), answering others (holder.py), the files (files.py), what a person
sends and sees (features/media).
"""

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trio

from crypto.faults import Forged, Malformed
from node import ground
from node.blobs import disk
from node.blobs.disk import NO_DISK, NO_ROOM, sealed_missing
from node.blobs.fetching import AGAIN_S, Fetching
from node.blobs.files import NAME_BYTES, Files
from node.blobs.holder import Holder
from node.blobs.kept import Kept
from node.inward import Inward
from node.network import Stream
from node.supervisor import attempt, first
from node.talk import Talk
from node.talks import Talks
from protocol.blobs import Blob
from protocol.faults import PeerFault, Unavailable, UserFault
from store import blobs
from store.blobs import BlobFalse, BlobNotHere, Row, State
from store.database import Tx

SEAT_S = 10.0  # a stream may come a little before the talk that it belongs to is known here
OTHERS_MAX = 16  # contacts who are asked although they did not tell a blob
RELAYED_BYTES_MAX = 16 << 20  # of a blob that is fetched through a relay, which others pay for; larger ones wait
FROM_ONE_MAX = 4  # blobs that are fetched from one contact side by side
RESERVE_BYTES = 64 << 20  # of the disk, which no fetched file takes
FULL = (errno.ENOSPC, errno.EDQUOT)
NOBODY = "nobody who has it is there"
RELAYED = "it is too large to go through a relay, and waits for a direct way"

log = structlog.get_logger("blobs")


class NoRoomForBlob(UserFault):
    """The disk has no room for this file, so it is neither sealed nor fetched. Make room and try again."""

    code = "media.room"
    next = "df -h"
    exit = 1


@dataclass
class Blobs:
    """All blobs of a node. `run` works until cancelled; `accept` serves inbound streams."""

    inward: Inward
    talks: Talks
    files: Files
    reserve_bytes: int = RESERVE_BYTES
    kept: Kept | None = None  # the keepers of this node, once they are known
    _holder: Holder = field(init=False)
    _fetches: dict[int, tuple[Fetching, trio.CancelScope]] = field(default_factory=dict)
    _limiters: dict[int, trio.CapacityLimiter] = field(default_factory=dict)
    _false: dict[int, set[int]] = field(default_factory=dict)  # blob -> contacts who lied about it
    _seated: trio.Event = field(default_factory=trio.Event)
    _left: list[str] = field(default_factory=list)  # what stood in the folder before anything of this run

    def __post_init__(self) -> None:
        self._holder = Holder(self.inward, self.files)
        with suppress(OSError):  # then nothing is swept
            self._left = self.files.all_names()

    async def run(self) -> None:
        """Fetches what is wanted, takes away what is not needed, until cancelled."""
        database = self.inward.database
        await self._sweep()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._holder.run)
            nursery.start_soon(self._hear_tellers)
            nursery.start_soon(disk.resume, self.inward, self.files, self._has_room)
            if self.kept is not None:
                nursery.start_soon(self.kept.run)
            with database.watch(frozenset({blobs.CHANGED})) as changes:
                while True:
                    wanted = dict(await database.read(blobs.wanted))
                    for number, (fetching, scope) in [*self._fetches.items()]:
                        if wanted.get(number) != fetching.row.file:  # also where it was dropped, and wanted again
                            del self._fetches[number]
                            scope.cancel()
                    for number in wanted:
                        if number not in self._fetches:
                            await self._begin(nursery, number)
                    await self._remove_waste()
                    await changes.receive()

    async def accept(self, stream: Stream) -> None:
        """Serves one inbound /weft/blobs/1 beside its talk. Raises: PeerFault (there is none), Unavailable."""
        with trio.move_on_after(SEAT_S):
            while self._talk_beside(stream) is None:
                await self._seated.wait()
        talk = self._talk_beside(stream)
        if talk is None:
            raise PeerFault("a stream about a blob without a talk")
        stream.vouch()
        await self._holder.serve(talk, stream)

    def met(self, contact_id: int) -> None:
        """A talk with a contact begins: he may have what is wanted."""
        self._seated.set()
        self._seated = trio.Event()
        for fetching, _ in self._fetches.values():
            fetching.met(contact_id)

    # --- what rooms use

    async def make(self, length: int, source: Iterator[bytes]) -> tuple[Blob, bytes, str]:
        """Seals a content of ours; returns the blob, its manifest and its file, for `store.blobs.made`.

        Raises: NoRoomForBlob, also where the disk is filled meanwhile; SourceChanged, OSError (it cannot be read).
        """
        self._require_room(length)
        entropy = self.inward.ground.entropy("blob")
        name = entropy(NAME_BYTES).hex()
        try:
            blob, names = await ground.aside(self.inward.ground, self.files.make, name, length, source, entropy)
        except OSError as broken:
            if broken.errno in FULL:
                raise NoRoomForBlob from None
            raise
        return blob, names, name

    async def discard(self, file: str) -> None:
        """Takes away what `make` made and nobody was told."""
        await ground.aside(self.inward.ground, self.files.remove, file)

    async def require_room_for(self, number: int) -> None:
        """Returns where the disk has room for what is missing of a blob. Raises: NoRoomForBlob."""
        row = await self.inward.database.read(blobs.row, number)
        if row is not None:
            self._require_room(sealed_missing(row.blob, row.here))

    async def require_standing(self, number: int) -> None:
        """Returns where what is said to be here of a blob is. Raises: BlobGone (and is not said any more), OSError."""
        await disk.require(self.inward, self.files, number)

    async def save(self, number: int, file: Path) -> None:
        """Writes the plain content of a whole blob to a file that does not stand there yet, whole or not at all.

        Raises: BlobFalse (nothing was written, nothing of it is kept), BlobNotHere, BlobGone, FileExistsError, OSError.
        """
        row, names = await self.inward.database.read(_whole, number)
        entropy = self.inward.ground.entropy("blob")
        try:
            await ground.aside(self.inward.ground, self.files.save, row.file, row.blob, names, file, entropy)
        except (Forged, Malformed):
            if not await ground.aside(self.inward.ground, self.files.is_as_it_came, row.file, row.blob, names):
                await disk.give_up(self.inward, row)  # the disk's fault, and nobody's who sent it
            await self.inward.database.transact(blobs.false, number, row.file)
            raise BlobFalse from None
        except FileExistsError:
            raise
        except OSError:
            await self.require_standing(number)
            now, _ = await self.inward.database.read(_whole, number)
            if now.file != row.file:
                raise BlobNotHere from None  # it was dropped while it was saved
            raise
        await self.inward.database.transact(blobs.used, number, self.inward.now())

    def free_bytes(self) -> int:
        """How much room the disk has on which the files lie."""
        return shutil.disk_usage(self.files.folder.parent).free

    # --- the work

    async def _hear_tellers(self) -> None:
        """Whoever tells what is wanted may be asked for it at once."""
        database = self.inward.database
        with database.watch(frozenset({blobs.TOLD})) as changes:
            last = await database.read(blobs.last_told)
            while True:
                await changes.receive()
                for turn, number, contact_id in await database.read(blobs.told_after, last):
                    last = turn
                    if number in self._fetches:
                        self._fetches[number][0].told(contact_id)

    async def _begin(self, nursery: trio.Nursery, number: int) -> None:
        fetching = await self._fetching(number)
        if fetching is not None:
            scope = trio.CancelScope()
            self._fetches[number] = fetching, scope
            nursery.start_soon(self._fetch, fetching, scope)

    async def _fetching(self, number: int) -> Fetching | None:
        with suppress(OSError):  # then it cannot be written either, which is said
            await disk.is_gone(self.inward, self.files, number)
        row = await self.inward.database.read(blobs.row, number)
        if row is None or row.state is not State.WANTED:
            return None
        false = self._false.setdefault(number, set())
        return Fetching(self.inward, self.files, row, self._candidates, self.kept, self._limiter, false, self._has_room)

    async def _fetch(self, fetching: Fetching | None, scope: trio.CancelScope) -> None:
        """Fetches a blob to its end, again and again where something of ours breaks."""
        assert fetching is not None
        number = fetching.row.number
        try:
            with scope:
                while fetching is not None and not await attempt("blobs", self._work, fetching):
                    await trio.sleep(AGAIN_S)
                    fetching = await self._fetching(number)
                    if fetching is not None:
                        self._fetches[number] = fetching, scope
        finally:
            if self._fetches.get(number, (None, None))[1] is scope:
                del self._fetches[number]

    async def _work(self, fetching: Fetching) -> bool:
        """Returns whether there is nothing more to do: it is whole, or its file cannot be written."""
        is_over = True
        try:
            await fetching.run()
        except* OSError as faults:
            row, fault = fetching.row, first(faults)
            log.error("a file of pieces cannot be written", reason=str(fault))
            is_full = isinstance(fault, OSError) and fault.errno in FULL
            await self.inward.database.transact(blobs.stuck, row.number, row.file, NO_ROOM if is_full else NO_DISK)
        except* Unavailable as faults:
            log.warning("a file waits", reason=str(first(faults)))
            is_over = False
        return is_over

    async def _candidates(self, number: int) -> tuple[list[Talk], str]:
        """On which talks a blob may be asked for: of those who told it first, the direct one of each contact.

        And why it waits where none of them has it.
        """
        tellers = await self.inward.database.read(blobs.sources, number)
        row = await self.inward.database.read(blobs.row, number)
        if row is None:
            return [], ""
        found: dict[int, Talk] = {}
        is_small = row.blob.length <= RELAYED_BYTES_MAX
        for talk in sorted(
            self.talks, key=lambda one: (one.contact not in tellers, one.stream.is_relayed, one.contact)
        ):
            if talk.link is not None and (is_small or not talk.stream.is_relayed):
                found.setdefault(talk.contact, talk)
        is_relayed = any(self.talks.path(one) == "relayed" for one in tellers)
        why = RELAYED if is_relayed and not is_small else NOBODY
        return [*found.values()][: len(tellers) + OTHERS_MAX], why

    def _limiter(self, contact_id: int) -> trio.CapacityLimiter:
        return self._limiters.setdefault(contact_id, trio.CapacityLimiter(FROM_ONE_MAX))

    def _talk_beside(self, stream: Stream) -> Talk | None:
        return next((one for one in self.talks if one.stream.is_beside(stream)), None)

    def _require_room(self, length: int) -> None:
        if not self._has_room(length):
            raise NoRoomForBlob

    def _has_room(self, length: int = 0) -> bool:
        return self.free_bytes() >= length + self.reserve_bytes

    async def _sweep(self) -> None:
        """Removes files that belong to no blob: a node was killed before it had told anybody of them.

        What this run makes was not there when it began, and is told a little after it stands there.
        """
        known = await self.inward.database.transact(blobs.files)
        await self._remove([name for name in self._left if name not in known])
        self._left = []

    async def _remove_waste(self) -> None:
        waste = await self.inward.database.read(blobs.waste)
        if removed := await self._remove(waste):
            await self.inward.database.transact(blobs.wasted, removed)

    async def _remove(self, files: Sequence[str]) -> list[str]:
        """Takes files away, and returns those that are; one that stays is tried again."""
        removed = []
        for name in files:
            try:
                await ground.aside(self.inward.ground, self.files.remove, name)
                removed.append(name)
            except OSError as refused:
                log.error("a file of pieces cannot be removed", file=name, reason=str(refused))
        return removed


def _whole(tx: Tx, number: int) -> tuple[Row, bytes]:
    """A blob that is here, and its manifest. Raises: BlobNotHere."""
    row = blobs.row(tx, number)
    if row is None or row.state is not State.WHOLE:
        raise BlobNotHere
    return row, blobs.names(tx, number)
