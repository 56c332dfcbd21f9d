"""Mail from several keepers at once, brought into the order in which it was sealed (docs/protocol/parcel.md 2).

    push ──> held, by contact ──> flush ──> the caller commits ──> committed ──> upto: what a keeper may delete

A parcel is held while a keeper that is connected, did not give it and has not yet said that it has no more may still
have an older one; for ten seconds and within 4 MiB. A copy comes out once, and what a keeper gave counts as done only
when it, or its copy from another keeper, is committed. In memory only: what was not confirmed comes again. Pure: time
is an argument. Not here: whether a sealing was taken in an earlier life (store), lies of keepers (keeper_watch.py).
"""

from bisect import insort
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from crypto.faults import Malformed

HOLD_S = 10.0  # longer than a keeper needs for a page; nobody waits longer for the sake of order
HELD_BYTES_MAX = 4 * 2**20  # of all contacts
REMEMBERED_MAX = 4096  # sealings that came out: a copy that comes later than so many others is the store's to know

T = TypeVar("T")


class Order(NamedTuple):
    """Where a parcel stands: whose it is, and run and time of its sealing."""

    contact: Hashable
    run: bytes
    sealing: int


@dataclass(slots=True, eq=False)
class Arrived(Generic[T]):
    """A parcel, once. item: what the caller pushed first. places: the keepers and numbers that gave it."""

    item: T
    order: Order | None
    size: int
    since: float
    places: list[tuple[int, int]]
    is_committed: bool = False


@dataclass(slots=True)
class _Side:
    """A keeper that is connected. pending: numbers that are not committed, ascending."""

    is_drained: bool = False
    last: int = 0
    pending: dict[int, None] = field(default_factory=dict)


class Arrivals(Generic[T]):
    """The mail of one owner, from all his keepers."""

    def __init__(self) -> None:
        self._sides: dict[int, _Side] = {}
        self._held: dict[Hashable, list[tuple[int, bytes, int, Arrived[T]]]] = {}
        self._known: dict[Order, Arrived[T]] = {}  # held, out, or committed a while ago; the newest last
        self._free: list[Arrived[T]] = []  # in no order
        self._bytes = 0
        self._pushed = 0

    def met(self, keeper: int) -> None:
        """A keeper is connected, and gives anew what was not confirmed to it."""
        self._sides[keeper] = _Side()

    def lost(self, keeper: int) -> None:
        """A keeper is connected no more: nobody waits for it."""
        self._sides.pop(keeper, None)

    def push(self, keeper: int, seq: int, item: T, order: Order | None, size: int, now: float) -> None:
        """Takes what a keeper gave. order: None for what waits for nothing. size: its bytes while it is held.

        Raises: Malformed when the keeper gives numbers in another order than ascending.
        """
        side = self._sides[keeper]
        if seq <= side.last:
            raise Malformed
        side.last = seq
        known = None if order is None else self._known.get(order)
        if known is not None:
            if (keeper, seq) not in known.places:
                known.places.append((keeper, seq))
            if not known.is_committed:
                side.pending[seq] = None
            return
        side.pending[seq] = None
        arrived = Arrived(item, order, size, now, [(keeper, seq)])
        self._pushed += 1
        if order is None:
            self._free.append(arrived)
            return
        self._known[order] = arrived
        self._bytes += size
        insort(self._held.setdefault(order.contact, []), (order.sealing, order.run, self._pushed, arrived))

    def drained(self, keeper: int) -> None:
        """A keeper said that it has no more: nobody waits for it any longer."""
        self._sides[keeper].is_drained = True

    def flush(self, now: float) -> tuple[Arrived[T], ...]:
        """What may come out now, each once: of a contact in the order of the sealings.

        Who then fails to commit it begins with new Arrivals.
        """
        out, self._free = self._free, []
        everything = self._bytes > HELD_BYTES_MAX
        for contact, held in list(self._held.items()):
            count = len(held) if everything else self._releasable(held, now)
            out += [entry[-1] for entry in held[:count]]
            del held[:count]
            if not held:
                del self._held[contact]
        self._bytes = sum(entry[-1].size for held in self._held.values() for entry in held)
        return tuple(out)

    def due(self) -> float | None:
        """When `flush` lets the next one out, if nothing comes before; None while nothing is held."""
        since = [entry[-1].since for held in self._held.values() for entry in held]
        return min(since) + HOLD_S if since else None

    def committed(self, arrived: Iterable[Arrived[T]]) -> None:
        """What came out is on the disk: its keepers may delete it."""
        for one in arrived:
            one.is_committed = True
            for keeper, seq in one.places:
                if keeper in self._sides:
                    self._sides[keeper].pending.pop(seq, None)
            if one.order is not None:
                self._known[one.order] = self._known.pop(one.order, one)
        while len(self._known) > REMEMBERED_MAX and (oldest := next(iter(self._known.values()))).is_committed:
            assert oldest.order is not None
            del self._known[oldest.order]

    def upto(self, keeper: int) -> int:
        """The number up to which everything that this keeper gave since it was met is committed; 0 for nothing."""
        side = self._sides[keeper]
        return next(iter(side.pending)) - 1 if side.pending else side.last

    def _releasable(self, held: list[tuple[int, bytes, int, Arrived[T]]], now: float) -> int:
        """How many of a contact's, from the oldest sealing on, may come out."""
        busy = {keeper for keeper, side in self._sides.items() if not side.is_drained}
        for count in range(len(held), 0, -1):
            arrived = held[count - 1][-1]
            if now >= arrived.since + HOLD_S or busy <= {keeper for keeper, _ in arrived.places}:
                return count
        return 0
