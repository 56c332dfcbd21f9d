"""Ledgers that are begun anew, as people see it: what is proposed, what it gives up, why a ledger stands still.

Not here: what it does (store/renewing.py), the commands (service.py).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from features.payments import view
from features.payments.faults import BadBalances
from features.payments.view import Line
from ledger import units
from ledger.terms import UNITS_MAX, Open
from store import payments, people, renewals
from store.database import Tx
from store.people import Contact
from store.renewals import Pause, Standing
from store.tabs import OpenTab


@dataclass(frozen=True, slots=True)
class Begin:
    """What a ledger begins with in a unit. owed: what the contact owes us, negative where we owe him, as typed."""

    unit: str
    owed: str
    minor: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """That a ledger begins anew. mine: we propose it; balances: none where nobody is to owe anything.

    state: "proposed"; "agreed" where the other has agreed to ours, and only we have to confirm it; "confirming" where
    we have agreed, and only he has.
    """

    contact: str
    mine: bool
    state: str
    balances: tuple[Begin, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a command: "proposed", "agreed" or "begun". gives_up: what is open and will be over with the old."""

    contact: str
    state: str
    balances: tuple[Begin, ...]
    gives_up: tuple[Line, ...]


def read(one: OpenTab, rows: Sequence[dict[str, object]]) -> dict[str, int]:
    """What the other then owes us, by unit, from what was typed: {"amount", "unit", "by": "me" or "them"}.

    Raises: BadBalances, and what amounts and units raise.
    """
    found: dict[str, int] = {}
    for row in rows:
        match row:
            case {"amount": str(amount), "unit": str(unit), "by": "me" | "them" as by} if len(row) == 3:
                known = units.of(unit, one.tab.units())
                owed = units.parse(amount, known, least=0)
            case _:
                raise BadBalances
        if known.text in found or len(found) == UNITS_MAX:
            raise BadBalances(f"Each unit once, and at most {UNITS_MAX}; nothing was written.")
        found[known.text] = owed if by == "them" else -owed
    return found


def answered(tx: Tx, contact: Contact, generation: int, open_before: Sequence[Line]) -> Answered:
    """What came of a command. generation: in force before it; open_before: what was open then."""
    now = next(one for one in renewals.standing(tx) if one.contact == contact.id)
    if now.generation > generation:
        rows = [(one.unit, one.owed) for one in payments.balances(tx) if one.contact == contact.id and one.owed]
        found = tuple(_begin(unit, owed) for unit, owed in rows)
        return Answered(contact.name, "begun", found, tuple(open_before))
    assert now.mine is not None
    return Answered(contact.name, "agreed" if now.is_agreed else "proposed", _begins(now.mine, 1), tuple(open_before))


def open_lines(tx: Tx, contact: Contact, now_ms: int) -> tuple[Line, ...]:
    """What is open with a contact."""
    return tuple(view.line(tx, one, now_ms) for one in payments.open_payments(tx) if one.contact == contact.id)


def proposals(tx: Tx) -> list[dict[str, object]]:
    """All that is proposed and not in force: of each contact what he proposes, and what we do."""
    found = []
    for one in renewals.standing(tx):
        name = people.contact(tx, one.contact).name
        state = "agreed" if one.is_answered else "confirming" if one.is_agreed else "proposed"
        if one.his is not None:
            found.append(asdict(Proposal(name, False, state, _begins(one.his, -1), one.his.reason)))
        if one.mine is not None:
            found.append(asdict(Proposal(name, True, state, _begins(one.mine, 1), one.mine.reason)))
    return found


def paused(tx: Tx) -> list[tuple[str, str]]:
    """With whom a ledger stands still, or two count differently, and why."""
    return [(name, why) for one in renewals.standing(tx) for name, why in _why(tx, one)]


def _why(tx: Tx, one: Standing) -> list[tuple[str, str]]:
    name = people.contact(tx, one.contact).name
    found = [(name, Pause[one.pause].value.format(name=name))] if one.pause else []
    return found + ([(name, view.difference(name, one.difference))] if one.difference else [])


def _begins(said: Open, sign: int) -> tuple[Begin, ...]:
    return tuple(_begin(unit, sign * owed) for unit, owed in zip(said.units, said.owed, strict=True))


def _begin(text: str, owed: int) -> Begin:
    unit = view.unit_of(text)
    return Begin(unit.label, units.number(owed, unit), owed)
