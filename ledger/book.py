"""A tab as one of the two holds it, beside how the other stood at each of his entries (docs/protocol/ledger.md 5).

    book = Book(Side.LOW)
    book.write(said)      an entry of ours, once it is on the disk      book.hear(said)     the next one of the other's
    book.tab             all that we have                              book.differences    where he counts otherwise

Two who have taken the same entries come to the same state. Who accepts or settles says in which state he stood: so a
difference is found at the first such entry. Not here: what follows from entries (tab.py).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger import image
from ledger.payment import Side
from ledger.tab import Said, Tab, Unseen
from ledger.terms import Accept, Settle

DIFFERENCES_MAX = 100
COMPARED_MAX = (
    2000  # rows of a state: beyond, to look at what is said of it is work that the other gives us for nothing
)
BEHIND_MAX = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """The other stands elsewhere than his entries say. seq: of the entry; said, found: states of 32 bytes."""

    seq: int
    said: bytes
    found: bytes


@dataclass
class Book:
    """Both views of a tab. differences: the first hundred. behind_max: entries for which the other's view may wait.

    The other's view is ours whenever he has acknowledged all of ours; only where he has not is it folded for itself.
    """

    side: Side
    tab: Tab = field(default_factory=Tab)
    differences: list[Difference] = field(default_factory=list)
    behind_max: int = BEHIND_MAX
    _unseen: deque[Said] = field(default_factory=deque)  # entries of ours that the other has not acknowledged
    _theirs: Tab = field(default_factory=Tab)  # as it stood some time ago
    _behind: list[tuple[Side, Said]] = field(default_factory=list)  # what it has not taken yet, in the other's order

    @classmethod
    def begun(cls, side: Side, owed: Mapping[str, int]) -> "Book":
        """A book of a ledger that was begun anew. owed: by the other to this side."""
        sign = 1 if side is Side.LOW else -1
        mine, theirs = (Tab(debts={unit: sign * debt for unit, debt in owed.items()}) for _ in range(2))
        return cls(side, mine, _theirs=theirs)

    @classmethod
    def resumed(cls, side: Side, raw: bytes) -> "Book":
        """A book from an image of its tab that was made when it was even."""
        return cls(side, image.tab(raw), _theirs=image.tab(raw))

    @property
    def is_even(self) -> bool:
        """Whether the other has acknowledged all of ours: both views are one, and an image of the tab is all."""
        return not self._unseen

    def write(self, said: Said) -> None:
        """The next entry of ours. Raises: tab.Unseen."""
        self.tab.take(self.side, said)
        self._unseen.append(said)

    def hear(self, said: Said) -> None:
        """The next entry of the other's. Raises: tab.Unseen where it acknowledges more than there is of ours."""
        other, tab = self.side.other, self.tab
        if said.ack > tab.heads[self.side]:
            raise Unseen
        while len(self._unseen) > tab.heads[self.side] - said.ack:
            self._behind.append((self.side, self._unseen.popleft()))
        if isinstance(said.term, Accept | Settle) and len(self.differences) < DIFFERENCES_MAX:
            theirs = tab if self.is_even else self._caught_up()
            if theirs.weight <= COMPARED_MAX:
                found = theirs.state()
                if found != said.term.state:
                    self.differences.append(Difference(theirs.heads[other], said.term.state, found))
        tab.take(other, said)
        self._behind.append((other, said))
        if len(self._behind) >= self.behind_max:
            self._caught_up()

    def forget_what_is_over(self) -> None:
        """Drops the payments that are final."""
        self.tab.forget_what_is_over()
        self._theirs.forget_what_is_over()

    def _caught_up(self) -> Tab:
        """The other's view now."""
        if self.is_even and len(self._behind) > self.tab.weight:
            self._theirs = image.tab(image.of(self.tab))
        else:
            for side, said in self._behind:
                self._theirs.take(side, said)
            self._theirs.touched.clear()
            self._theirs.touched_units.clear()
            self._theirs.forget_what_is_over()
        self._behind.clear()
        return self._theirs
