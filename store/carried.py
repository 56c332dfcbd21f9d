"""What was carried to us by mail of the logs of others, and what we owe an answer for (docs/protocol/carrying.md 3).

Entries are taken in as those of a session are (intake.py). Of a log whose anchor we are, only what follows our newest
entry is: its author may have been set back, and is told what we hold. Not here: what we carry ourselves (carrying.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from crypto.keys import Entropy
from protocol import carrying, content, wire
from protocol import log as chains
from protocol.carrying import Carried, Holding
from protocol.faults import PeerFault
from store import entries, intake, logs, passing, spaces
from store.carrying import HEADERS_ALONE
from store.database import Tx
from store.identity import Identity
from store.inbox import Arrival
from store.intake import Piece
from store.spaces import Space
from store.witnessing import NotShared

CHANGED = "carried"  # a topic: something is owed, or was given back to us; its key is the contact
ROWS_MAX = spaces.LOGS_OF_CONTACT_MAX + 64  # of one contact: his logs that go on, and some that were never granted
RETURNED_MAX = 32  # contents with entries of our own that one anchor gives back, before they are looked at: 2 MiB
RETURN_ENTRIES_MAX = carrying.ENTRIES_MAX
RETURN_BYTES_MAX = 1 << 20


class Fit(Enum):
    """How a run stands to what we hold of its log."""

    FOLLOWS = "follows"  # or is there already
    GAP = "gap"  # entries before it are missing
    OTHER = "other"  # it is another history


class _Owed(Enum):
    """What a row asks for. The number is what the table keeps."""

    NOTHING = 0
    ANSWER = 1
    RETURN = 2  # and what we hold is not what the author has: he is given it


class Debt(NamedTuple):
    """An answer that we owe. said: what we hold; back: entries of the reader's own log that he has not."""

    contact: int
    said: Holding
    back: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """Entries of our own that an anchor gives back. id: its row, for `done`."""

    id: int
    contact: int
    piece: Piece


def take(tx: Tx, arrival: Arrival, me: Identity, entropy: Entropy) -> None:
    """Takes in what was carried to us; what we then hold is owed to its author. Raises: PeerFault."""
    said = arrival.said.content
    assert isinstance(said, Carried)
    piece_contents = said.even_contents()
    log = logs.by_id(tx, said.log)
    if log is None:  # its grant was lost, or comes later: the author says it again, and then carries this again
        _owe(tx, arrival.contact.id, said, _Owed.ANSWER)
        return
    of, piece = spaces.space(tx, log.number), Piece(log.number, said.entries, piece_contents)
    if log.own:
        _give_back(tx, arrival, of, piece)
        return
    if log.author != arrival.device.device:
        raise NotShared
    is_anchor = of.anchor == me.account
    found = fit(tx, of, said.entries) if is_anchor and said.entries else Fit.FOLLOWS
    if said.entries and found is Fit.FOLLOWS:
        before = entries.head(tx, log.number)
        (took,) = intake.take(tx, (piece,), me.device_key, arrival.now_ms, entropy)
        if isinstance(took, PeerFault):
            raise took
        if is_anchor and took.head != before:
            _count_offer(tx, arrival.contact.id, said.log)
    has_more = not said.entries and _count(entries.head(tx, log.number)) > said.since
    is_other = is_anchor and (found is Fit.OTHER or has_more)
    _owe(tx, arrival.contact.id, said, _Owed.RETURN if is_other else _Owed.ANSWER)


def fit(tx: Tx, of: Space, raws: Sequence[bytes]) -> Fit:
    """How a run stands to what we hold of its log. Raises: PeerFault (no run of this author's and this log)."""
    run = chains.check_piece(raws, of.log.author, of.log.id)
    newest = entries.head(tx, of.log.number)
    if run[0].body.seq > _count(newest):
        return Fit.GAP
    ours = entries.read(tx, of.log.number, run[0].body.seq, len(run), entries.MEMORY_BYTES_MAX)
    if any(held.raw != theirs for held, theirs in zip(ours, raws, strict=False)):
        return Fit.OTHER
    rest = run[len(ours) :]
    follows = not rest or rest[0].body.prev == (None if newest is None else newest.id)
    return Fit.FOLLOWS if follows else Fit.OTHER


def offers(tx: Tx, contact_id: int) -> int:
    """How often a contact's mail has brought us entries of logs whose anchor we are: a session compares it."""
    row = tx.one("SELECT COALESCE(SUM(offers), 0) FROM carried WHERE contact = ?", (contact_id,))
    assert row is not None
    return int(row[0])


def owed(tx: Tx) -> tuple[Debt, ...]:
    """The answers that we owe, with what we hold now."""
    rows = tx.all(
        "SELECT contact, log, nonce, since, owed FROM carried WHERE owed != 0 ORDER BY contact, log",
    )
    return tuple(_debt(tx, *row) for row in rows)


def paid(tx: Tx, one: Debt) -> None:
    """The answer is in the outbox, in this transaction."""
    key = (one.contact, one.said.log)
    if logs.by_id(tx, one.said.log) is None:
        tx.execute("DELETE FROM carried WHERE contact = ? AND log = ?", key)
    else:
        tx.execute("UPDATE carried SET owed = ? WHERE contact = ? AND log = ?", (_Owed.NOTHING.value, *key))


def returned(tx: Tx) -> tuple[Returned, ...]:
    """What anchors gave back of our own logs, in the order in which it came."""
    rows = tx.all("SELECT id, contact, log, body FROM returned ORDER BY id")
    return tuple(_returned(*row) for row in rows)


def done(tx: Tx, one: Returned) -> None:
    """It was looked at, in this transaction."""
    tx.execute("DELETE FROM returned WHERE id = ?", (one.id,))


def _give_back(tx: Tx, arrival: Arrival, of: Space, piece: Piece) -> None:
    """Keeps entries of our own until node/logs/carrier.py has its desk compare them."""
    if of.anchor != arrival.contact.account or not piece.raws:
        raise NotShared
    chains.check_piece(piece.raws, of.log.author, of.log.id)
    row = tx.one("SELECT COUNT(*) FROM returned WHERE contact = ?", (arrival.contact.id,))
    assert row is not None
    if row[0] < RETURNED_MAX:  # else the anchor is asked again
        tx.execute(
            "INSERT INTO returned (contact, log, body) VALUES (?, ?, ?)",
            (arrival.contact.id, of.log.number, wire.encode((piece.raws, piece.contents))),
        )
        tx.changed(CHANGED, arrival.contact.id)


def _owe(tx: Tx, contact_id: int, said: Carried, what: _Owed) -> None:
    row = tx.one(
        "SELECT COUNT(*) FILTER (WHERE l.state IS NOT ?), COUNT(*) FILTER (WHERE c.log = ?) FROM carried c"
        " LEFT JOIN log l ON l.id = c.log WHERE c.contact = ?",
        (logs.State.OVER, said.log, contact_id),
    )
    assert row is not None
    count, is_there = row
    if count >= ROWS_MAX and not is_there:
        return
    tx.execute(
        "INSERT INTO carried (contact, log, nonce, since, owed, offers) VALUES (?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (contact, log) DO UPDATE SET nonce = excluded.nonce, since = excluded.since,"
        " owed = MAX(owed, excluded.owed)",
        (contact_id, said.log, said.nonce, said.since, what.value),
    )
    tx.changed(CHANGED, contact_id)


def _count_offer(tx: Tx, contact_id: int, log: bytes) -> None:
    tx.execute(
        "INSERT INTO carried (contact, log, nonce, since, owed, offers) VALUES (?, ?, x'', 0, 0, 1)"
        " ON CONFLICT (contact, log) DO UPDATE SET offers = offers + 1",
        (contact_id, log),
    )


def _debt(tx: Tx, contact_id: int, log_id: bytes, nonce: bytes, since: int, what: int) -> Debt:
    log = logs.by_id(tx, log_id)
    head = None if log is None else entries.head(tx, log.number)
    back: tuple[Carried, ...] = ()
    if log is not None and what == _Owed.RETURN.value and not passing.is_laden(tx, contact_id):
        bare = spaces.space(tx, log.number).role in HEADERS_ALONE
        found = entries.read(tx, log.number, since, RETURN_ENTRIES_MAX, RETURN_BYTES_MAX)
        given = [(one.raw, None if bare else one.content) for one in found]
        back = tuple(carrying.carried(log_id, nonce, since, part) for part in carrying.packed(given))
    return Debt(contact_id, Holding(log_id, nonce, _count(head), None if head is None else head.id), back)


def _returned(row_id: int, contact_id: int, number: int, body: bytes) -> Returned:
    said: Any = wire.decode(body, content.CONTENT_BYTES_MAX)
    raws, contents = said
    return Returned(row_id, contact_id, Piece(number, raws, contents))


def _count(head: chains.Head | None) -> int:
    return 0 if head is None else head.seq + 1
