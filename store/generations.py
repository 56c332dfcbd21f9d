"""In which ledger two are: the newest generation that both have begun alike (docs/protocol/ledger.md 15).

    our root of it   [Open: he owes 12]  ──ack──┐   ┌── [Open: I owe 12]   theirs
                     [Ackn]  ───────────────────┼───┘
                                                └─> both have seen the other's: it is in force

A generation has a number, 0 at first, and logs of its own, named by it. Not here: how one is begun (renewing.py), what
the entries come to (tabs.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ledger.terms import RULES, Open
from protocol import entry
from store import entries, halves, people, spaces
from store.database import Tx
from store.spaces import Space

NAME = "ledger"  # of the logs
AHEAD_MAX = 1000  # generations beyond ours: who names a higher one would leave us none to go on with
_FIRST_ENTRIES = 2
_BYTES_MAX = 1 << 17


@dataclass(frozen=True, slots=True)
class Begun:
    """A generation as one side begins it. at_ms: by his clock; acks: entries of the other's roots that he has seen."""

    root: Space
    id: bytes
    at_ms: int
    said: Open
    acks: tuple[entry.Ack, ...]

    @property
    def owed(self) -> Mapping[str, int]:
        """What the other owes the one who wrote this."""
        return dict(zip(self.said.units, self.said.owed, strict=True))

    @property
    def number(self) -> int:
        """Which generation this is."""
        return self.said.generation

    def has_seen(self, other: "Begun") -> bool:
        """Whether its first or second entry acknowledges that the other begins so."""
        return entry.Ack(other.root.log.id, 0, other.id) in self.acks

    def is_against(self, other: "Begun") -> bool:
        """Whether the other says the same from his side."""
        return self.owed == {unit: -owed for unit, owed in other.owed.items()}


class Ledger(NamedTuple):
    """The generation in force. ours, theirs: its logs, oldest first; begun: how we began it, None for the first one.

    mine, his: what each proposes beyond, the newest last. newest: the highest number that anybody has used. later: our
    logs of generations beyond. is_lost: what he says of those answers a log that nobody knows here.
    """

    number: int
    ours: list[Space]
    theirs: list[Space]
    begun: Begun | None = None
    mine: tuple[Begun, ...] = ()
    his: tuple[Begun, ...] = ()
    newest: int = 0
    later: tuple[Space, ...] = ()
    is_lost: bool = False

    @property
    def proposed(self) -> Begun | None:
        """What we propose."""
        return self.mine[-1] if self.mine else None

    @property
    def offered(self) -> Begun | None:
        """What he proposes."""
        return self.his[-1] if self.his else None

    @property
    def agreed(self) -> Begun | None:
        """Ours, of a generation to which we have agreed and which the other has to confirm."""
        pairs = ((one, other) for one in reversed(self.mine) for other in self.his if is_pair(one, other))
        return next((one for one, other in pairs if one.has_seen(other)), None)

    @property
    def answered(self) -> tuple[Begun, Begun] | None:
        """Ours and his, the newest to which he says the same as we and which we have to confirm."""
        pairs = ((one, other) for one in reversed(self.mine) for other in self.his if is_pair(one, other))
        return next((pair for pair in pairs if not pair[0].has_seen(pair[1])), None)


def is_pair(one: Begun, other: Begun) -> bool:
    """Whether two begin the same generation with the same balances."""
    return one.number == other.number and one.is_against(other)


def of(tx: Tx, contact_id: int, account: bytes) -> Ledger:
    """The ledger with a contact. account: ours."""
    ours, theirs = spaces.ledger(tx, contact_id)
    newest = max((number(one) for one in (*ours, *theirs) if not one.previous), default=0)
    if newest == 0:
        return Ledger(0, _first(ours), _first(theirs))
    other = people.contact(tx, contact_id).account
    mine, his = _begun(tx, ours, other), _begun(tx, theirs, account)
    least = max((one.number for one in mine), default=0)
    near = max((number(one) for one in (*ours, *theirs) if number(one) <= least + AHEAD_MAX), default=0)
    pairs = ((one, each) for one in reversed(mine) for each in his if is_pair(one, each))
    begun = next((pair for pair in pairs if pair[0].has_seen(pair[1]) and pair[1].has_seen(pair[0])), None)
    force = 0 if begun is None else begun[0].number
    chains = (
        (_first(ours), _first(theirs))
        if begun is None
        else (_chain(ours, begun[0].root), _chain(theirs, begun[1].root))
    )
    known = {one.log.id for one in (*ours, *theirs)}
    beyond = [one for one in his if one.number > force]
    return Ledger(
        force,
        *chains,
        None if begun is None else begun[0],
        tuple(one for one in mine if one.number > force),
        tuple(one for one in beyond if one.number <= least + AHEAD_MAX),
        near,
        tuple(one for one in ours if number(one) > force),
        any(ack.log not in known for one in beyond for ack in one.acks),
    )


def number(of: Space) -> int:
    """Of which generation a log is, by its name; 0 for any other name."""
    _, _, said = of.name.rpartition(f"{NAME} ")
    is_named = of.name == f"{NAME} {said}" and said.isascii() and said.isdecimal() and not said.startswith("0")
    return int(said) if is_named else 0


def name(generation: int) -> str:
    """What the logs of a generation are called."""
    return f"{NAME} {generation}" if generation else NAME


def _begun(tx: Tx, found: Iterable[Space], peer: bytes) -> list[Begun]:
    """What one side has begun, by generation. peer: the account that it must name."""
    roots = (one for one in found if not one.previous and number(one))
    begun = [made for one in roots if (made := _read(tx, one, peer)) is not None]
    return sorted(begun, key=lambda made: (made.number, made.root.log.number))


def _read(tx: Tx, root: Space, peer: bytes) -> Begun | None:
    """How a log begins; None where it does not begin the generation that it is named by."""
    found = entries.read(tx, root.log.number, 0, _FIRST_ENTRIES, _BYTES_MAX)
    if not found or found[0].content is None:
        return None
    said = halves.term(root, found[0])
    if not isinstance(said, Open) or (said.rules, said.peer, said.generation) != (RULES, peer, number(root)):
        return None
    units = said.units
    if len(units) != len(said.owed) or list(units) != sorted({*units}) or 0 in said.owed:
        return None
    acks = tuple(ack for held in found for ack in entry.recall_acks(held.raw)[1] if ack.seq == 0)
    return Begun(root, entry.id_of(found[0].raw), entry.recall_acks(found[0].raw)[0], said, acks)


def _first(found: tuple[Space, ...]) -> list[Space]:
    """The logs of the first generation."""
    root = next((one for one in found if not one.previous and not number(one)), None)
    return [] if root is None else _chain(found, root)


def _chain(found: tuple[Space, ...], root: Space) -> list[Space]:
    """A first log and those that go it on, each the first that was granted to do so."""
    chain = [root]
    while True:
        after = next((one for one in found if one.previous == chain[-1].log.number), None)
        if after is None:
            return chain
        chain.append(after)
