"""Large content of this node: what is made, fetched, given to contacts and saved (docs/protocol/blobs.md).

One task fetches each blob that is wanted, as long as it is; all contacts who are there may be asked, those first who
told it. Not here: one blob on its way (fetching.py), answering others (holder.py), the files (files.py), what a person
sends and sees (features/media).
"""

import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trio

from node import ground
from node.blobs.fetching import AGAIN_S, Fetching
from node.blobs.files import NAME_BYTES, Files, sealed_total
from node.blobs.holder import Holder
from node.inward import Inward
from node.network import Stream
from node.supervisor import attempt, first
from node.talk import Talk
from node.talks import Talks
from protocol.blobs import Blob
from protocol.faults import PeerFault, Unavailable, UserFault
from store import blobs
from store.blobs import BlobFalse, Row, State

SEAT_S = 10.0  # a stream may come a little before the talk that it belongs to is known here
OTHERS_MAX = 16  # contacts who are asked although they did not tell a blob
RELAYED_BYTES_MAX = 16 << 20  # of a blob that is fetched through a relay, which others pay for; larger ones wait
FROM_ONE_MAX = 4  # blobs that are fetched from one contact side by side
RESERVE_BYTES = 64 << 20  # of the disk, which no fetched file takes
NO_ROOM = "the disk has no room for it"
NOBODY = "nobody who has it is there"
RELAYED = "it is too large to go through a relay, and waits for a direct way"
NO_DISK = "the disk does not take it"

log = structlog.get_logger("blobs")


class NoRoomForBlob(UserFault):
    """The disk has no room for this file, so nothing of it was fetched. Make room and try again."""

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
    _holder: Holder = field(init=False)
    _scopes: dict[int, trio.CancelScope] = field(default_factory=dict)  # of the tasks that fetch, by blob
    _fetches: dict[int, Fetching] = field(default_factory=dict)
    _limiters: dict[int, trio.CapacityLimiter] = field(default_factory=dict)
    _false: dict[int, set[int]] = field(default_factory=dict)  # blob -> contacts who lied about it
    _seated: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self._holder = Holder(self.inward, self.files)

    async def run(self) -> None:
        """Fetches what is wanted, takes away what is not needed, until cancelled."""
        database = self.inward.database
        await self._sweep()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._holder.run)
            with database.watch(frozenset({blobs.CHANGED})) as changes:
                while True:
                    wanted = await database.read(blobs.wanted)
                    for number in wanted:
                        if number not in self._scopes:
                            self._scopes[number] = trio.CancelScope()
                            nursery.start_soon(self._fetch, number, self._scopes[number])
                    for number in [one for one in self._scopes if one not in wanted]:
                        self._scopes.pop(number).cancel()
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
        for fetching in self._fetches.values():
            fetching.met(contact_id)

    # --- what rooms use

    async def make(self, length: int, source: Iterator[bytes]) -> tuple[Blob, bytes, str]:
        """Seals a content of ours; returns the blob, its manifest and its file, for `store.blobs.made`.

        Raises: NoRoomForBlob, SourceChanged, OSError (the source cannot be read).
        """
        self._require_room(length)
        entropy = self.inward.ground.entropy("blob")
        name = entropy(NAME_BYTES).hex()
        blob, names = await ground.aside(self.inward.ground, self.files.make, name, length, source, entropy)
        return blob, names, name

    async def discard(self, file: str) -> None:
        """Takes away what `make` made and nobody was told."""
        await ground.aside(self.inward.ground, self.files.remove, file)

    async def require_room_for(self, number: int) -> None:
        """Returns where the disk has room for what is missing of a blob. Raises: NoRoomForBlob."""
        row = await self.inward.database.read(blobs.row, number)
        if row is not None:
            self._require_room(sealed_total(row.blob) * (row.blob.count - row.here) // row.blob.count)

    async def check(self, number: int) -> None:
        """Returns where a whole blob is what its teller said. Raises: BlobFalse; then nothing of it is kept."""
        row, names = await self._whole(number)
        if not await ground.aside(self.inward.ground, self.files.check, row.file, row.blob, names):
            await self.inward.database.transact(blobs.false, number)
            raise BlobFalse

    async def save(self, number: int, file: Path) -> None:
        """Writes the plain content of a whole blob to a file that does not stand there yet, whole or not at all.

        Raises: BlobFalse (nothing was written), FileExistsError, OSError.
        """
        await self.check(number)
        row, names = await self._whole(number)
        entropy = self.inward.ground.entropy("blob")
        await ground.aside(self.inward.ground, self.files.save, row.file, row.blob, names, file, entropy)
        await self.inward.database.transact(blobs.used, number, self.inward.now())

    def free_bytes(self) -> int:
        """How much room the disk has on which the files lie."""
        return shutil.disk_usage(self.files.folder.parent).free

    # --- the work

    async def _whole(self, number: int) -> tuple[Row, bytes]:
        database = self.inward.database
        row, names = await database.read(blobs.row, number), await database.read(blobs.names, number)
        assert row is not None
        assert row.state is State.WHOLE
        return row, names

    async def _fetch(self, number: int, scope: trio.CancelScope) -> None:
        """Fetches a blob as long as it is wanted; what failed begins anew with what is on the disk."""
        with scope:
            while (fetching := await self._fetching(number)) is not None:
                self._fetches[number] = fetching
                if await attempt("blobs", self._try, fetching):
                    break
                await trio.sleep(AGAIN_S)
        if self._scopes.get(number) in (scope, None):
            self._scopes.pop(number, None)
            self._fetches.pop(number, None)

    async def _fetching(self, number: int) -> Fetching | None:
        row = await self.inward.database.read(blobs.row, number)
        if row is None or row.state is not State.WANTED:
            return None
        false = self._false.setdefault(number, set())
        return Fetching(self.inward, self.files, row, self._candidates, self._limiter, false)

    async def _try(self, fetching: Fetching) -> bool:
        """Whether all is here, or it is paused because the disk fails."""
        reason, is_over = "", False
        try:
            await fetching.run()
            is_over = True
        except* OSError as faults:
            fault = first(faults)
            log.error("a file of pieces cannot be written", reason=str(fault))
            is_full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
            reason, is_over = NO_ROOM if is_full else NO_DISK, True
        except* Unavailable as faults:
            log.warning("a blob waits", reason=str(first(faults)))
        if reason:
            await self.inward.database.transact(blobs.pause, fetching.row.number, reason)
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
        if self.free_bytes() < length + self.reserve_bytes:
            raise NoRoomForBlob

    async def _sweep(self) -> None:
        """Removes files that belong to no blob: a node was killed before it had told anybody of them."""
        known = await self.inward.database.transact(blobs.files)
        there = await ground.aside(self.inward.ground, self.files.all_names)
        for name in there:
            if name not in known:
                await ground.aside(self.inward.ground, self.files.remove, name)

    async def _remove_waste(self) -> None:
        waste = await self.inward.database.read(blobs.waste)
        for name in waste:
            await ground.aside(self.inward.ground, self.files.remove, name)
        if waste:
            await self.inward.database.transact(blobs.wasted, waste)
