"""Which feeds of ours wait for their anchors, and which go on with another, because that one does not come.

docs/protocol/spine.md 6.8. What is in a feed is for today: its anchor is waited for a quarter of an hour where somebody
else is here. A successor costs each reader a grant, so there are few of them. Not here: spines (scribe.py), logs that a
person writes, who decides by himself (features/logs).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol.grant import Role
from store import carrying, entries, people, spaces
from store.database import Tx
from store.logs import State
from store.people import Contact, ContactState
from store.spaces import Space

PATIENCE_MS = 15 * 60_000  # that an entry of a feed waits for its anchor, and that he has taken nothing
RECENT = 3  # successors of one feed ...
RECENT_MS = 36 * 3_600_000  # ... in such a time: two a day, over years no more than a reader takes (grant 1.4)
MEET_S = 120.0  # of a run, and after sleep: until then who is there may not have been met
LOOK_S = 60.0  # while something waits


@dataclass(frozen=True, slots=True)
class Waiting:
    """A feed of ours with entries that its anchor has not, from this seq on.

    next: the account of who could be the anchor in his place; None: it waits.
    """

    number: int
    seq: int
    next: bytes | None


@dataclass
class Patience:
    """How long this run has seen which entry wait."""

    _since_s: dict[tuple[int, int], float] = field(default_factory=dict)

    def over(self, found: Sequence[Waiting], now_s: float) -> tuple[tuple[int, bytes], ...]:
        """The feeds among all that wait now that shall go on, each with the account of its next anchor.

        now_s: of a clock that stands while the machine sleeps.
        """
        self._since_s = {(one.number, one.seq): self._since_s.get((one.number, one.seq), now_s) for one in found}
        return tuple(
            (one.number, one.next)
            for one in found
            if one.next is not None and now_s - self._since_s[one.number, one.seq] >= MEET_S
        )


def waiting(tx: Tx, now_ms: int, online: frozenset[int]) -> tuple[Waiting, ...]:
    """Our feeds that wait for their anchors. online: the contacts who are here now."""
    return tuple(
        Waiting(own.log.number, own.log.published + 1, _next(tx, own, at_ms, now_ms, online))
        for own, at_ms in _unpublished(tx)
    )


def _unpublished(tx: Tx) -> Iterable[tuple[Space, int]]:
    """Feeds of ours that go on, and since when, by our clock, their oldest entry waits."""
    for own in spaces.of(tx, spaces.OURS):
        if own.role is Role.FEED and own.log.own and own.log.state is State.OK:
            oldest = entries.entry_at(tx, own.log.number, own.log.published + 1)
            if oldest is not None:
                yield own, oldest.body.at_ms


def _next(tx: Tx, own: Space, at_ms: int, now_ms: int, online: frozenset[int]) -> bytes | None:
    """Who is here in place of the anchor, where it has been waited long enough; of several the one seen last."""
    readers = [people.contact(tx, one) for one in spaces.readers(tx, own.log.number)]
    heard = {one.id: max(one.seen_ms, carrying.heard_ms(tx, own.log.number, one.id)) for one in readers}
    anchor_ms = max((heard[one.id] for one in readers if one.account == own.anchor), default=0)
    # Distances in time, so that a clock that was ahead does not stop it for a year.
    if abs(now_ms - at_ms) < PATIENCE_MS or abs(now_ms - anchor_ms) < PATIENCE_MS or _is_too_soon(tx, own, now_ms):
        return None
    since_ms = max(at_ms, anchor_ms + PATIENCE_MS)

    def is_here(one: Contact) -> bool:
        return one.id in online or since_ms <= heard[one.id] <= now_ms

    others = [one for one in readers if one.account != own.anchor and one.state is ContactState.ACTIVE]
    best = max(filter(is_here, others), key=lambda one: (one.id in online, heard[one.id], -one.id), default=None)
    return None if best is None else best.account


def _is_too_soon(tx: Tx, own: Space, now_ms: int) -> bool:
    """Whether this feed is the last of as many as there may be in one while."""
    first = own
    for _ in range(RECENT - 1):
        if not first.previous:
            return False
        first = spaces.space(tx, first.previous)
    return bool(first.previous) and abs(now_ms - first.since_ms) < RECENT_MS
