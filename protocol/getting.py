"""Which source is asked for which chunk of a blob, where several have it (docs/protocol/blobs.md 3). Pure.

    getting = Getting(blob.count, done)
    getting.join(source, have)            getting.ask(source, now) -> places to ask it for now
    getting.came(source, place)           getting.took(place)           getting.leave(source)

Chunks are asked for from the first on, each of one source; a source that has nothing else to do helps with what another
was asked for longest ago, so one that stalls near the end holds nothing up. Sets of places are integers, a bit for
each: the lowest of 262,144 is found in microseconds. Not here: whether a chunk is the right one (blobs.py).
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from crypto.faults import Malformed

AHEAD_MAX = 8  # chunks asked of one source at once: two megabytes on the way
ASKED_MAX = 2  # sources asked for one chunk


@dataclass
class _Source:
    have: int
    asked: dict[int, float] = field(default_factory=dict)  # place -> when it was asked for
    heard_at: float = 0.0


@dataclass
class Getting:
    """The chunks of one blob that are still to be got. count: of all; done: those that are here, as bits."""

    count: int
    done: int = 0
    _sources: dict[Hashable, _Source] = field(default_factory=dict)
    _asked: dict[int, int] = field(default_factory=dict)  # place -> of how many sources
    _taken: int = 0  # the places in _asked, as bits

    @property
    def missing(self) -> int:
        """How many chunks are not here."""
        return self.count - self.done.bit_count()

    @property
    def is_done(self) -> bool:
        """Whether all are here."""
        return self.missing == 0

    def join(self, source: Hashable, have: int | None, now: float) -> None:
        """A source says what it has, for the first time or again. have: as bits, None for all."""
        every = (1 << self.count) - 1
        known = every if have is None else have & every
        if source in self._sources:
            self._sources[source].have |= known
        else:
            self._sources[source] = _Source(known, heard_at=now)

    def leave(self, source: Hashable) -> None:
        """A source is gone, or was dropped: what it was asked for is free again."""
        one = self._sources.pop(source, None)
        for place in () if one is None else tuple(one.asked):
            self._free(place)

    def ask(self, source: Hashable, now: float) -> list[int]:
        """The places that this source is to be asked for now, and is from now on."""
        one, found = self._sources[source], []
        while len(one.asked) < AHEAD_MAX:
            place = self._next(one)
            if place is None:
                break
            if not one.asked:
                one.heard_at = now  # it has been waiting for nothing
            one.asked[place] = now
            self._asked[place] = self._asked.get(place, 0) + 1
            self._taken |= 1 << place
            found.append(place)
        return found

    def came(self, source: Hashable, place: int, now: float) -> bool:
        """A chunk has come from a source; returns whether it is still missing. Raises: Malformed, not asked of it.

        Who is asked for something and gives other things for ever would keep what he was asked for from all others.
        """
        one = self._sources[source]
        if one.asked.pop(place, None) is None:
            raise Malformed
        one.heard_at = now
        self._free(place)
        return not self.done >> place & 1

    def took(self, place: int) -> None:
        """A chunk was checked, and is here."""
        self.done |= 1 << place

    def silent(self, since: float) -> tuple[Hashable, ...]:
        """The sources that were asked for something and have given nothing since then."""
        return tuple(name for name, one in self._sources.items() if one.asked and one.heard_at < since)

    def _next(self, one: _Source) -> int | None:
        wanted = one.have & ~self.done
        if free := wanted & ~self._taken:
            return _lowest(free)
        if one.asked:
            return None
        late = [(self._asked_at(place), place) for place in _bits(wanted) if self._asked[place] < ASKED_MAX]
        return min(late)[1] if late else None

    def _asked_at(self, place: int) -> float:
        return min(one.asked[place] for one in self._sources.values() if place in one.asked)

    def _free(self, place: int) -> None:
        left = self._asked[place] - 1
        if left:
            self._asked[place] = left
        else:
            del self._asked[place]
            self._taken &= ~(1 << place)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _bits(bits: int) -> Iterator[int]:
    """The places in a set, the lowest first: few, where each of them was asked of a source."""
    while bits:
        yield _lowest(bits)
        bits &= bits - 1
