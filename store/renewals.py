"""Rows beside those of payments: why a ledger stands still, what is proposed, and what beginning it anew has changed.

All of it follows from the entries of the ledgers (tabs.py and renewing.py write it), but for two notes of this device:
how it stood when it proposed something, and which limits it had given before. So lists and sums read rows alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ledger.book import Difference
from ledger.payment import Stage
from ledger.terms import Open
from protocol import record, wire
from store import payments
from store.database import Tx
from store.generations import Ledger

_OPEN_BYTES_MAX = 1 << 13
_OWED_BYTES_MAX = 1 << 16
_NONE = b""
_UNFIXED = -1  # seq, where nobody counts otherwise


class Pause(Enum):
    """Why nothing is written into a tab. The value is for a person, before the contact's name is put in."""

    WAITS = "{name} has to show first what you both had written before this device was set up"
    NEWER = "{name} uses a newer weft; update yours to go on"
    PARTED = "{name}'s new device goes on from an earlier place than the old one had told; nothing is counted since"
    FROZEN = "a log of this ledger was proven to be forked; nothing is counted since"
    LOST = "what {name} has written answers a log of yours that this device does not have"
    AGREED = "{name} has to confirm that it begins anew as you have agreed"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a ledger stands beside what is owed. pause: the name of why nothing is written, "" for none.

    difference: the first one; mine, his: what is proposed, which would begin it anew; is_answered: the other has agreed
    to ours, and we did not confirm it yet; is_agreed: the other way round.
    """

    contact: int
    generation: int
    pause: str
    difference: Difference | None
    mine: Open | None
    his: Open | None
    is_answered: bool
    is_agreed: bool


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a contact owes more (or less, below 0) since a ledger was begun anew. log: ours of that generation."""

    contact: int
    generation: int
    unit: str
    amount: int
    at_ms: int
    log: bytes
    reason: str


def stands(tx: Tx, contact: int, pause: str, difference: Difference | None, ledger: Ledger) -> bool:
    """Keeps how a ledger stands; returns whether that is another than before."""
    mine, his = (_NONE if one is None else record.encode(one.said) for one in (ledger.proposed, ledger.offered))
    first = (_UNFIXED, _NONE, _NONE) if difference is None else (difference.seq, difference.said, difference.found)
    row = (
        contact,
        ledger.number,
        pause,
        *first,
        mine,
        his,
        int(ledger.answered is not None),
        int(ledger.agreed is not None),
    )
    if tx.one(f"SELECT {_STANDING} FROM tab_standing WHERE contact = ?", (contact,)) == row:
        return False
    tx.execute(f"INSERT OR REPLACE INTO tab_standing ({_STANDING}) VALUES ({', '.join('?' * len(row))})", row)
    return True


_STANDING = "contact, generation, pause, seq, said, found, mine, his, is_answered, is_agreed"


def turn(tx: Tx, contact: int, ledger: Ledger) -> None:
    """The rows are of this generation from now on, if they were of another; limits of the one before are noted."""
    row = tx.one("SELECT generation FROM tab_standing WHERE contact = ?", (contact,))
    if row is not None and ledger.number > row[0]:
        limits = [(one.unit, one.allowed) for one in payments.balances(tx) if one.contact == contact]
        _keep_limits(tx, contact, limits)
        tx.execute("DELETE FROM unsaid WHERE contact = ?", (contact,))  # it was of the one before (reissuing.py)
    payments.lapse(tx, contact, ledger.number)
    if ledger.begun is None:
        tx.execute("DELETE FROM begun_anew WHERE contact = ?", (contact,))
    else:
        _book(tx, contact, ledger)


def standing(tx: Tx) -> tuple[Standing, ...]:
    """How all ledgers stand that were ever looked at, by contact."""
    return tuple(map(_standing, tx.all(f"SELECT {_STANDING} FROM tab_standing ORDER BY contact")))


# --- what is begun anew


def _book(tx: Tx, contact: int, ledger: Ledger) -> None:
    """Books the difference between what was settled before a generation and what it begins with."""
    one = ledger.begun
    assert one is not None
    tx.execute("DELETE FROM begun_anew WHERE contact = ? AND generation >= ?", (contact, ledger.number))
    before: dict[str, int] = {}
    for unit, amount in tx.all(
        "SELECT unit, CASE mine WHEN 1 THEN -amount ELSE amount END FROM payment"
        f" WHERE contact = ?1 AND generation < ?2 AND stage = {int(Stage.SETTLED)}"
        " UNION ALL SELECT unit, amount FROM begun_anew WHERE contact = ?1",
        (contact, ledger.number),
    ):
        before[unit] = before.get(unit, 0) + amount
    changes = {unit: one.owed.get(unit, 0) - before.get(unit, 0) for unit in sorted({*before, *one.owed})}
    tx.executemany(
        "INSERT INTO begun_anew (contact, generation, unit, amount, at_ms, log, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (contact, one.number, unit, amount, one.at_ms, one.root.log.id, one.said.reason)
            for unit, amount in changes.items()
            if amount
        ],
    )


def renewals(tx: Tx, contact: int | None, end_ms: int) -> tuple[Renewal, ...]:
    """What was changed by beginning anew before a moment, in the order of time."""
    rows = tx.all(
        "SELECT contact, generation, unit, amount, at_ms, log, reason FROM begun_anew"
        " WHERE at_ms < ? AND (? IS NULL OR contact = ?) ORDER BY at_ms, contact, unit",
        (end_ms, contact, contact),
    )
    return tuple(Renewal(*row) for row in rows)


# --- notes of this device


def proposed(tx: Tx, contact: int, number: int, owed: Mapping[str, int]) -> None:
    """Notes how it stood when we proposed a generation."""
    raw = wire.encode(tuple((unit, _signed(debt)) for unit, debt in sorted(owed.items())))
    tx.execute(
        "INSERT OR REPLACE INTO proposed_at (contact, generation, owed) VALUES (?, ?, ?)", (contact, number, raw)
    )


def stood(tx: Tx, contact: int, number: int) -> Mapping[str, int] | None:
    """How it stood when we proposed this generation; None where this device does not know."""
    row = tx.one("SELECT owed FROM proposed_at WHERE contact = ? AND generation = ?", (contact, number))
    if row is None:
        return None
    rows: Any = wire.decode(row[0], _OWED_BYTES_MAX)
    return {unit: int.from_bytes(debt, "big", signed=True) for unit, debt in rows}


def _keep_limits(tx: Tx, contact: int, rows: Iterable[tuple[str, int]]) -> None:
    """Limits that we had given in the generation before: (unit, most). They are given again."""
    tx.executemany(
        "INSERT OR REPLACE INTO limit_before (contact, unit, most) VALUES (?, ?, ?)",
        [(contact, unit, most) for unit, most in rows],
    )


def take_limits(tx: Tx, contact: int) -> tuple[tuple[str, int], ...]:
    """The limits that are to be given again, once."""
    rows = tx.all("DELETE FROM limit_before WHERE contact = ? RETURNING unit, most", (contact,))
    return tuple(sorted((unit, most) for unit, most in rows))


def _signed(debt: int) -> bytes:
    return debt.to_bytes(16, "big", signed=True)


def _standing(row: Any) -> Standing:
    contact, number, pause, seq, said, found, mine, his, is_answered, is_agreed = row
    difference = None if seq == _UNFIXED else Difference(seq, said, found)
    ours, theirs = (None if raw == _NONE else record.decode(Open, raw, _OPEN_BYTES_MAX) for raw in (mine, his))
    return Standing(contact, number, pause, difference, ours, theirs, bool(is_answered), bool(is_agreed))
