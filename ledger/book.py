"""A tab as one of the two holds it, beside how the other stood at each of his entries (docs/protocol/ledger.md 5).

    book = Book(Side.LOW)
    book.write(said)      an entry of ours, once it is on the disk      book.hear(said)     the next one of the other's
    book.tab             all that we have                              book.differences    where he counts otherwise

Two who have taken the same entries come to the same state. Who accepts or settles says in which state he stood: so a
difference is found at the first such entry. Not here: what follows from entries (tab.py).
"""

from collections import deque
from dataclasses import dataclass, field

from ledger import image
from ledger.payment import Side
from ledger.tab import Said, Tab
from ledger.terms import Accept, Settle

DIFFERENCES_MAX = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """The other stands elsewhere than his entries say. seq: of the entry; said, found: states of 32 bytes."""

    seq: int
    said: bytes
    found: bytes


@dataclass
class Book:
    """Both views of a tab. differences: the first hundred."""

    side: Side
    tab: Tab = field(default_factory=Tab)
    differences: list[Difference] = field(default_factory=list)
    _theirs: Tab = field(default_factory=Tab)
    _unseen: deque[Said] = field(default_factory=deque)  # entries of ours that the other has not acknowledged

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
        other = self.side.other
        self.tab.take(other, said)
        theirs = self._theirs
        while theirs.heads[self.side] < said.ack:
            theirs.take(self.side, self._unseen.popleft())
        if isinstance(said.term, Accept | Settle) and len(self.differences) < DIFFERENCES_MAX:
            found = theirs.state()
            if found != said.term.state:
                self.differences.append(Difference(theirs.heads[other], said.term.state, found))
        theirs.take(other, said)
