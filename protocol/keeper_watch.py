"""What the owner of a queue knows of its keeper's honesty: which numbers came, and which a sender says were kept.

    parcels in order of arrival ──> came ─┐
    heads in the other queues ────> told ─┼──> judge ──> findings: missing, replayed, reordered, foreign
    "all it had is here and done" ────────┘

Nothing is a finding that an honest keeper and an honest sender can cause, with whatever crashes and repetitions
(docs/protocol/parcel.md 3): only what the sender says was answered OK counts, and only once the keeper has given all
that it had since. A watch is a value and is stored with its queue; it has at most 8 KiB. Pure. Not here: what is in a
parcel (parcel.py), how mail is brought into order (arrivals.py), what a person is told (features/keepers).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Any

from protocol import wire
from protocol.parcel import Parcel

WATCH_BYTES_MAX = 8 * 1024
RUNS_MAX = 16  # of a queue that are remembered: a sender has one for each time that he met this inbox anew
GAPS_MAX = 16  # of a run; a keeper that drops in more places is found out all the same
SETTLE_MS = 600_000  # how late a put that its sender gave up and repeated may still arrive, on a stream that hangs
CLOCKS_MS = 8 * 86_400_000  # by how much clocks may be wrong before what may have expired is taken for missing
UNANSWERED_MAX = 256  # parcels that a sender has on one line and whose keeper has not answered, at most
TTL_S_MIN = 16 * 86_400  # for which a keeper must keep: who comes once a week can then always judge it

Gap = tuple[int, int]
"""Numbers that did not come: the first and the last."""


class Kind(Enum):
    """What a keeper is found to do. The texts are stored."""

    MISSING = "missing"  # it was kept, others after it came, and it never did
    BEHIND = "behind"  # it was kept, and neither it nor anything after it came
    REPLAYED = "replayed"  # it came again after it had been confirmed and all was fetched
    REORDERED = "reordered"  # it came after what was put later
    FOREIGN = "foreign"  # it does not open under the key of this queue


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that no honest keeper does. first, last: the numbers, 0 where there are none."""

    kind: Kind
    first: int
    last: int


class Sure(IntEnum):
    """Whether it is sure that no number came which is not counted. The numbers are stored."""

    EXPIRED = 0  # not before the first that comes: older ones may have expired
    YES = 1
    FORGOTTEN = 2  # not before so many more as a sender may have on their way: our own disk may have been put back


@dataclass(frozen=True, slots=True)
class Counted:
    """A run of a sender in this queue, as far as it came.

    base: numbers up to it are not judged: they may have come or expired while nobody watched. sure: whether nothing
    above it was there before. top: the highest number known; gaps: those up to it that did not come, ascending.
    own: up to where parcels of this very queue say that it was filled. told: the same from anywhere; waiting: as much
    of it as waits to be judged, since waiting_ms; settled: as much as was judged. newest: the highest sealing.
    """

    run: bytes
    base: int = 0
    sure: Sure = Sure.YES
    top: int = 0
    gaps: tuple[Gap, ...] = ()
    own: int = 0
    told: int = 0
    waiting: int = 0
    waiting_ms: int = 0
    settled: int = 0
    newest: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of one queue. whole: whether every run that ever came is among these. runs: the newest last."""

    whole: Sure = Sure.YES
    runs: tuple[Counted, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether something is said to be kept that was not judged yet."""
        return any(run.waiting > run.settled for run in self.runs)


@dataclass(slots=True)
class Drains:
    """Up to when the owner has all that one keeper had. Lives in memory, for one Fetch at a time.

    complete_ms: the owner's clock when he sent the last Fetch after which nothing was left and everything was
    committed and confirmed by Done; None when there was none since his start, or since his clock was put back.
    confirmed: up to where the keeper has answered Done.
    """

    confirmed: int = 0
    complete_ms: int | None = None
    _asked_ms: int | None = None
    _drained: tuple[int, int] | None = None

    def asked(self, now_ms: int) -> None:
        """A Fetch is sent."""
        if self._asked_ms is not None and now_ms < self._asked_ms:
            self.complete_ms = self._drained = None
        self._asked_ms = now_ms

    def committed(self, seq: int, more: bool) -> None:
        """What it brought is committed. seq: of the newest item that ever came from this keeper, 0 for none."""
        if not more and self._asked_ms is not None:
            self._drained = (self._asked_ms, seq)
            self.done(self.confirmed)

    def done(self, upto: int) -> None:
        """The keeper has answered a Done."""
        self.confirmed = max(self.confirmed, upto)
        if self._drained is not None and self._drained[1] <= self.confirmed:
            self.complete_ms = self._drained[0]


NEW = Watch()
FOREIGN = Finding(Kind.FOREIGN, 0, 0)
"""The finding for an envelope that does not open: what parcel.unwrap calls Forged."""

Judged = tuple[Watch, tuple[Finding, ...]]


def may_have_expired(last_ms: int, now_ms: int, ttl_s: int) -> bool:
    """Whether so much time has passed since the owner last had all from a keeper that some of it may be gone by now.

    last_ms: by the owner's clock; ttl_s: how long the keeper keeps. The caller then calls `away` for all queues there.
    """
    return now_ms - last_ms > ttl_s * 1000 - CLOCKS_MS


def came(watch: Watch, sender_id: bytes, parcel: Parcel, now_ms: int) -> Judged:
    """The watch after a parcel of this queue, in the order in which the keeper gave them. sender_id: the queue's."""
    own = max((head.number for head in parcel.heads if head.sender == sender_id), default=0)
    watch, run = _run_of(watch, parcel.run)
    if _is_counted(run, parcel.number) and parcel.sealing > run.newest:
        run = _forgotten(run)  # a number with something new: the disk of the sender was put back
    run = replace(run, newest=max(run.newest, parcel.sealing))
    if run.sure is not Sure.YES:
        # What was put after this one cannot have expired before it: from here on the count is sure. What we have
        # forgotten may have a higher number, since it came while this one was on its way again and again.
        base = max(run.base, own, parcel.number - 1 + UNANSWERED_MAX * (run.sure is Sure.FORGOTTEN))
        run = replace(run, base=base, sure=Sure.YES, top=max(run.top, base), settled=max(run.settled, base))
    run, findings = _count(run, parcel.number)
    run = _told(replace(run, own=max(run.own, own)), own, now_ms)
    return _with(watch, run), findings


def told(watch: Watch, run_id: bytes, number: int, now_ms: int) -> Watch:
    """The watch after a parcel of another queue said, by a head, up to which number this queue was filled."""
    watch, run = _run_of(watch, run_id)
    if run.sure is not Sure.YES:
        base = max(run.base, number)
        return _with(watch, replace(run, base=base, top=max(run.top, base)))
    return _with(watch, _told(run, number, now_ms))


def judge(watch: Watch, complete_ms: int | None, now_ms: int) -> Judged:
    """The watch after all that this keeper had at a moment was fetched, committed, and confirmed by Done.

    complete_ms: that of its Drains. What was said to be kept 10 minutes before that has come, or never will.
    """
    if complete_ms is None or complete_ms > now_ms:
        return watch, ()
    findings: list[Finding] = []
    runs: list[Counted] = []
    for run in watch.runs:
        if run.settled < run.waiting and run.waiting_ms + SETTLE_MS <= complete_ms:
            run, found = _settle(run, now_ms)
            findings += found
        runs.append(run)
    return replace(watch, runs=tuple(runs)), tuple(findings)


def away(watch: Watch) -> Watch:
    """The watch after so long an absence that parcels may have expired: it begins to count anew."""
    whole = watch.whole if watch.whole is Sure.FORGOTTEN else Sure.EXPIRED
    return Watch(whole, tuple(map(_forgotten, watch.runs)))


def forgotten(watch: Watch) -> Watch:
    """The watch where our own disk was put back, and parcels that came and were confirmed are forgotten."""
    runs = tuple(replace(_forgotten(run), sure=Sure.FORGOTTEN) for run in watch.runs)
    return Watch(Sure.FORGOTTEN, runs)


def pack(watch: Watch) -> bytes:
    """The bytes of a watch, for its row."""
    return wire.encode((int(watch.whole), tuple(map(_packed, watch.runs))))


def unpack(raw: bytes) -> Watch:
    """The watch in the bytes that `pack` made; a new one for none."""
    if not raw:
        return NEW
    value: Any = wire.decode(raw, WATCH_BYTES_MAX)
    whole, runs = value
    return Watch(Sure(whole), tuple(Counted(run, base, Sure(sure), *rest) for run, base, sure, *rest in runs))


def _run_of(watch: Watch, run_id: bytes) -> tuple[Watch, Counted]:
    """What is known of a run, which becomes the newest; the oldest one is forgotten where there are too many."""
    others = tuple(run for run in watch.runs if run.run != run_id)
    known = next((run for run in watch.runs if run.run == run_id), None)
    if known is not None:
        return Watch(watch.whole, (*others, known)), known
    # A run that comes again after it was forgotten looks like a new one.
    fresh = Counted(run_id, sure=watch.whole)
    kept = others[-(RUNS_MAX - 1) :]
    whole = Sure.EXPIRED if watch.whole is Sure.YES and kept != others else watch.whole
    return Watch(whole, (*kept, fresh)), fresh


def _forgotten(run: Counted) -> Counted:
    """The run begun anew, above all that is known of it."""
    base = max(run.base, run.top, run.told)
    sure = run.sure if run.sure is Sure.FORGOTTEN else Sure.EXPIRED
    return Counted(run.run, base, sure, base, told=base, waiting=base, settled=base, newest=run.newest)


def _is_counted(run: Counted, number: int) -> bool:
    """Whether this number came before."""
    return run.base < number <= run.top and not any(first <= number <= last for first, last in run.gaps)


def _with(watch: Watch, newest: Counted) -> Watch:
    return replace(watch, runs=(*watch.runs[:-1], newest))


def _count(run: Counted, number: int) -> tuple[Counted, tuple[Finding, ...]]:
    """The run after this number came."""
    if number <= run.base:
        return run, ()
    if number > run.top:
        gaps = run.gaps if number == run.top + 1 else (*run.gaps, (run.top + 1, number - 1))
        return replace(run, top=number, gaps=gaps[-GAPS_MAX:]), ()
    gaps = _without(run.gaps, number)
    if gaps != run.gaps:
        # parcel 3.3: what was sealed after this one had been answered OK came first
        late = number <= max(run.own, run.settled)
        return replace(run, gaps=gaps), (Finding(Kind.REORDERED, number, number),) if late else ()
    return run, (Finding(Kind.REPLAYED, number, number),) if number <= run.settled else ()


def _told(run: Counted, number: int, now_ms: int) -> Counted:
    run = replace(run, told=max(run.told, number))
    if run.waiting > run.settled or number <= run.settled:
        return run
    return replace(run, waiting=run.told, waiting_ms=now_ms)


def _settle(run: Counted, now_ms: int) -> tuple[Counted, list[Finding]]:
    """The run after what it waits for was judged. What did not come stays a gap: it may still come, out of order."""
    upto = run.waiting
    low = max(run.settled, run.base) + 1
    findings = [
        Finding(Kind.MISSING, max(first, low), min(last, upto))
        for first, last in run.gaps
        if max(first, low) <= min(last, upto)
    ]
    if run.top < upto:
        lost = (max(run.top + 1, low), upto)
        findings.append(Finding(Kind.BEHIND, *lost))
        run = replace(run, top=upto, gaps=(*run.gaps, lost)[-GAPS_MAX:])
    run = replace(run, settled=upto)
    return (replace(run, waiting=run.told, waiting_ms=now_ms) if run.told > upto else run), findings


def _without(gaps: Iterable[Gap], number: int) -> tuple[Gap, ...]:
    left: list[Gap] = []
    for first, last in gaps:
        if first <= number <= last:
            left += [gap for gap in ((first, number - 1), (number + 1, last)) if gap[0] <= gap[1]]
        else:
            left.append((first, last))
    return tuple(left[-GAPS_MAX:])


def _packed(run: Counted) -> wire.Value:
    numbers = (run.own, run.told, run.waiting, run.waiting_ms, run.settled, run.newest)
    return (run.run, run.base, int(run.sure), run.top, run.gaps, *numbers)
