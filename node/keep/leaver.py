"""Leaves files at the keepers of contacts who are away, piece by piece, and takes back what is not needed there.

    a file was said, and its reader is away ──> a keeper of his ──> what lies of it? ──> the pieces that are missing
    he has it, or the message is gone ──> withdrawn

What is wanted is a row of store/leaving.py; one file goes to one keeper. Mail is left meanwhile, on streams of its own
(courier.py). Not here: what a keeper does (depot.py), what is left for us (node/blobs/kept.py).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
import trio

from node import ground
from node.bell import Bell
from node.blobs import disk
from node.blobs.files import Files, sealed_total
from node.delivery import Delivery
from node.ground import jitter
from node.inward import Inward
from node.keep import deposit_client
from node.keep.courier import may_be_left, place_of
from node.keep.deposit_client import DepositStream, Parting
from node.keep.roads import Place, Roads
from node.supervisor import first
from protocol import deposit, keep
from protocol.faults import PeerFault, Unavailable
from protocol.keep import Status
from store import blobs, inboxes, leaving
from store.blobs import Row
from store.database import Tx
from store.inboxes import Mailbox
from store.leaving import Leaving, State

WINDOW = 4  # pieces that are not answered yet: a megabyte on the way
NOTED = 8  # pieces between two looks at whether it is still wanted
ANSWER_S = 30.0
PIECE_S = 60.0  # for one piece, over a slow line
SIDE_BY_SIDE = 2  # contacts for whom something is left at once
RETRY_S = (60.0, 300.0, 1800.0, 7200.0)  # until keepers that took nothing are tried again
LOOK_S = 3600.0  # between two looks at what is over
SETTLE_S = 0.5  # what changes together is dealt with together
JITTER = 0.2
RELAYED_BYTES_MAX = 16 << 20  # of a file that goes through a relay, which others pay for
RELAYED = "the way to the keeper goes through a relay, and it is too large for that"
NOT_REACHED = "no keeper of theirs that takes files is reached"
NO_KEEPER = "they have no keeper"
NOT_HERE = "not all of it is here any more"
TOO_LARGE = "it is too large for a keeper"
_SAID = {
    Status.GONE: "the keeper does not know this way any more",
    Status.QUOTA: "the keeper has no room for more files of theirs",
    Status.TOO_BIG: "the keeper takes no file so large",
    Status.REFUSED: "the keeper takes no files",
    Status.FULL: "the disk of the keeper is full",
}
_LEAST = (_SAID[Status.REFUSED], _SAID[Status.GONE], NOT_REACHED)  # what another keeper says is more than that

log = structlog.get_logger("leaver")


class _NotHere(Unavailable):
    """The disk does not give a piece of ours."""


class _Stopped(Exception):
    """It is not to be left any more: its reader is here, or has it."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A file for a contact. row: its blob, None where it is gone; manifest: empty while not all of it is here."""

    leaving: Leaving
    row: Row | None
    manifest: bytes


@dataclass(slots=True)
class _Round:
    """One go at all that is to be left for a contact. tried: (file, line) where it is not tried again in this go."""

    jobs: dict[int, _Job]
    boxes: dict[bytes, tuple[Mailbox, Place]]
    tried: set[tuple[int, bytes]] = field(default_factory=set)
    reasons: dict[int, str] = field(default_factory=dict)
    has_moved: bool = False  # something was taken

    def next(self) -> tuple[bytes, list[_Job]] | None:
        """A line, and what is tried there now; None when there is nothing more."""
        found: dict[bytes, list[_Job]] = {}
        for job in self.jobs.values():
            if (line := self._line(job.leaving)) is not None:
                found.setdefault(line, []).append(job)
        return next(iter(found.items()), None)

    def failed(self, number: int, line: bytes, reason: str) -> None:
        """A file is not left at this line; of what several keepers say, what helps a person stays."""
        self.tried.add((number, line))
        before = self.reasons.get(number)
        if before is None or (before in _LEAST and reason not in _LEAST[: _LEAST.index(before)]):
            self.reasons[number] = reason

    def _line(self, one: Leaving) -> bytes | None:
        """Where a part of it lies already, else the best; what is taken back lies at one line alone."""
        known = [one.sender] if one.sender in self.boxes else []
        lines = known if one.state is State.UNWANTED else [*known, *self.boxes]
        return next((line for line in lines if (one.id, line) not in self.tried), None)


@dataclass(slots=True)
class _Wake:
    """What wakes the task of a contact. known: (file, state) that it knows; keepers: contacts at whom it tries."""

    bell: Bell = field(default_factory=Bell)
    known: set[tuple[int, int]] = field(default_factory=set)
    keepers: set[int | None] = field(default_factory=set)


@dataclass
class Leaver:
    """The files of a node for those who are away. `run` works until cancelled."""

    inward: Inward
    delivery: Delivery
    roads: Roads
    files: Files
    network_changed: Bell = field(default_factory=Bell)  # rung from outside
    _bell: Bell = field(default_factory=Bell)
    _rounds: dict[int, _Wake] = field(default_factory=dict)  # contacts for whom a task leaves files
    _limiter: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(SIDE_BY_SIDE))

    def met(self, contact_id: int) -> None:
        """A talk with a contact has begun: if he is a keeper, he is there."""
        for one in self._rounds.values():
            if contact_id in one.keepers:
                one.bell.ring()

    async def run(self) -> None:
        """Leaves what is to be left, until cancelled."""
        self._rounds.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_rows)
            nursery.start_soon(self._heed_lines)
            nursery.start_soon(self._heed_away)
            nursery.start_soon(self._heed_network)
            while True:
                for contact_id, *what in await self.inward.database.transact(leaving.review, self.inward.now()):
                    if contact_id not in self._rounds:
                        self._rounds[contact_id] = _Wake()
                        nursery.start_soon(self._serve, contact_id)
                    one = self._rounds[contact_id]
                    if (file := (what[0], what[1])) not in one.known:  # not whenever anything has changed
                        one.known.add(file)
                        one.bell.ring()
                with trio.move_on_after(LOOK_S):
                    await self._bell.wait()
                await trio.sleep(SETTLE_S)

    async def _heed_rows(self) -> None:
        """Looks again whenever files have changed."""
        with self.inward.database.watch(frozenset({leaving.CHANGED, blobs.GIVEN, blobs.CHANGED})) as changes:
            while True:
                await changes.receive()
                self._bell.ring()

    async def _heed_lines(self) -> None:
        """Tries all again whenever it is told where something can be left."""
        with self.inward.database.watch(frozenset({inboxes.CHANGED})) as changes:
            while True:
                await changes.receive()
                self._again()

    async def _heed_away(self) -> None:
        """Looks again whenever somebody is found to be away."""
        while True:
            await self.delivery.away.gone.wait()
            self._bell.ring()

    async def _heed_network(self) -> None:
        """Tries all again whenever the network has changed."""
        while True:
            await self.network_changed.wait()
            self._again()

    def _again(self) -> None:
        for one in self._rounds.values():
            one.bell.ring()
        self._bell.ring()

    # --- one contact

    async def _serve(self, contact_id: int) -> None:
        """Leaves what is due for one contact, again and again, until nothing is."""
        wake, failures = self._rounds[contact_id], 0
        try:
            while (one := await self._begin(contact_id)) is not None:
                wake.keepers = {place.contact for _, place in one.boxes.values()}
                async with self._limiter:
                    await self._go(one)
                if not one.jobs:
                    continue
                for number, reason in one.reasons.items():
                    await self.inward.database.transact(leaving.waits, number, reason)
                failures = 0 if one.has_moved else failures
                chance = jitter(self.inward.ground.entropy("leaver"))
                pause_s = RETRY_S[min(failures, len(RETRY_S) - 1)] * (1 - JITTER + 2 * JITTER * chance)
                failures += 1
                with trio.move_on_after(pause_s):
                    await wake.bell.wait()
                    failures = 0  # something is new: what waits for long already is no reason to wait for that
        finally:
            self._rounds.pop(contact_id, None)

    async def _begin(self, contact_id: int) -> _Round | None:
        """What can be done for a contact now; None for nothing."""
        one = await self.inward.database.transact(_round, contact_id, self.delivery.away.is_away(contact_id))
        if one.jobs and not one.boxes:
            for job in one.jobs.values():
                if job.leaving.state is State.WANTED:
                    await self.inward.database.transact(leaving.waits, job.leaving.id, NO_KEEPER)
            return None
        return one if one.jobs else None

    async def _go(self, one: _Round) -> None:
        """Tries each file at one keeper after the other, until it lies somewhere."""
        while (step := one.next()) is not None:
            line, jobs = step
            box, place = one.boxes[line]
            begun: list[_Job] = []  # what breaks the stream keeps no other file from its turn
            try:
                async with (
                    self.roads.to(place, self.inward.now() // 1000) as way,
                    deposit_client.open_stream(way.link, self.roads.network.peer) as stream,
                ):
                    for job in jobs:
                        begun.append(job)
                        reason = await self._settle(one, job, box, stream, is_relayed=way.link.is_relayed)
                        if reason:
                            one.failed(job.leaving.id, line, reason)
                        else:
                            del one.jobs[job.leaving.id]
            except* _Stopped:
                one.jobs.clear()
            except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
                fault = first(faults)
                log.info("a file is not left", reason=str(fault))
                for job in begun[-1:] or jobs:
                    one.failed(job.leaving.id, line, NOT_HERE if isinstance(fault, _NotHere) else NOT_REACHED)

    async def _settle(self, one: _Round, job: _Job, box: Mailbox, stream: DepositStream, *, is_relayed: bool) -> str:
        """Leaves a file or takes it back; returns why not, "" where it is done. Raises: _Stopped, and what breaks."""
        number, line = job.leaving.id, box.line
        if job.leaving.state is State.UNWANTED:
            with trio.fail_after(ANSWER_S):
                status = await stream.withdraw(line.sender, line.put_key, job.leaving.name)
            if status not in (Status.OK, Status.GONE):
                return _SAID.get(status, status.name)
            await self.inward.database.transact(leaving.ended, number)
            return ""
        row = job.row
        if row is None or not job.manifest:
            return NOT_HERE
        if row.blob.count > deposit.PIECES_MAX:
            return TOO_LARGE
        if is_relayed and row.blob.length > RELAYED_BYTES_MAX:
            return RELAYED
        name = deposit.name_of(row.blob.key, row.blob.root, line.sender)
        parting = Parting(line.sender, line.put_key, name, sealed_total(row.blob), keep.TTL_S_MAX, job.manifest)
        for _ in range(2):  # once more where all lies there: then it says for how long
            with trio.fail_after(ANSWER_S):
                left = await stream.leave(parting)
            if left.status is not Status.OK:
                return _SAID.get(left.status, left.status.name)
            missing = [place for place in range(row.blob.count) if not left.bits >> place & 1]
            try:
                await self._note(job, parting, row.blob.count - len(missing))
            except _Stopped:
                if await self.inward.database.read(leaving.at, number) is None:  # so nobody else takes it back
                    with trio.fail_after(ANSWER_S):
                        await stream.withdraw(line.sender, line.put_key, name)
                raise
            if not missing:
                until_ms = self.inward.now() + 1000 * left.kept_s
                await self.inward.database.transact(leaving.kept, number, until_ms)
                return ""
            try:
                status = await self._give(one, job, parting, missing, stream)
            except OSError as broken:  # of ours
                log.error("a file of pieces cannot be read", reason=str(broken))
                with suppress(OSError):
                    await disk.is_gone(self.inward, self.files, row.number)
                raise _NotHere from broken
            if status is not Status.OK:
                return _SAID.get(status, status.name)
        return NOT_REACHED

    async def _give(
        self, one: _Round, job: _Job, parting: Parting, missing: Sequence[int], stream: DepositStream
    ) -> Status:
        """Gives the pieces that are missing, a few of them on the way; what the keeper said last."""
        row = job.row
        assert row is not None
        lying, on_their_way, status = row.blob.count - len(missing), 0, Status.OK
        for place in (*missing, *([-1] * WINDOW)):
            if on_their_way and (on_their_way == WINDOW or place < 0):
                with trio.fail_after(PIECE_S):
                    status = await stream.answer()
                on_their_way -= 1
                if status is not Status.OK:
                    return status
                one.has_moved = True
                lying += 1
                if lying % NOTED == 0:
                    await self._note(job, parting, lying)
            if place >= 0:
                (sealed,) = await ground.aside(self.inward.ground, self.files.read, row.file, row.blob, [place])
                with trio.fail_after(PIECE_S):
                    await stream.give(place, sealed)
                on_their_way += 1
        return status

    async def _note(self, job: _Job, one: Parting, lying: int) -> None:
        """Writes down how much lies there. Raises: _Stopped."""
        is_wanted = await self.inward.database.transact(leaving.lies, job.leaving.id, one.sender, one.name, lying)
        if not is_wanted or not self.delivery.away.is_away(job.leaving.contact):
            raise _Stopped


def _round(tx: Tx, contact_id: int, is_away: bool) -> _Round:
    """What is to be left for a contact or taken back, and the lines at which that can be."""
    boxes: dict[bytes, tuple[Mailbox, Place]] = {}
    for device_id in inboxes.devices_of(tx, contact_id):
        boxes |= {box.line.sender: (box, place_of(tx, contact_id, box)) for box in inboxes.of(tx, device_id)}
    is_wanted, jobs = is_away and may_be_left(tx, contact_id), {}
    for one in leaving.due(tx, contact_id):
        if one.state is State.UNWANTED and one.sender not in boxes:
            leaving.ended(tx, one.id)  # its line is gone: what lies there goes by itself
        elif one.state is State.UNWANTED or is_wanted:  # also from one who was turned away since
            row = blobs.row(tx, one.blob)
            is_whole = row is not None and row.state is blobs.State.WHOLE
            jobs[one.id] = _Job(one, row, blobs.names(tx, one.blob) if is_whole else b"")
    return _Round(jobs, boxes)
