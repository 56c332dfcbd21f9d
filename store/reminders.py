"""What was said about requests beside the ledgers: reminders, and how far the bill is of which they are a share.

A word may come before the entry of the request itself, which takes another way; it counts once both are here. Not here:
requests (payments.py), when something is said (a room).
"""

from dataclasses import dataclass

from store import payments
from store.database import Tx
from store.payments import Asked

EVERY_MS = 86_400_000  # between two reminders about a request that count
EARLY_MAX = 100  # words of one contact that are kept about requests which are not here


@dataclass(frozen=True, slots=True)
class Word:
    """What was said last about a request. reminded_ms: 0 for never. paid, people: of the bill, as its maker counts."""

    reminded_ms: int
    paid: int
    people: int


NOTHING = Word(0, 0, 0)


def word(tx: Tx, contact: int, mine: bool, request: bytes) -> Word:
    """What was said about a request: by us where it is ours, else by the contact."""
    row = tx.one(
        "SELECT reminded_ms, paid, people FROM request_word WHERE contact = ? AND mine = ? AND request = ?",
        (contact, int(mine), request),
    )
    return NOTHING if row is None else Word(*row)


def counts(last_ms: int, now_ms: int) -> bool:
    """Whether another reminder counts, after one of last_ms. One of the future is of a clock that was set back."""
    return not last_ms <= now_ms < last_ms + EVERY_MS


def remind(tx: Tx, contact: int, mine: bool, request: bytes, now_ms: int) -> bool:
    """Notes a reminder; returns whether it counts, else nothing is changed."""
    if not counts(word(tx, contact, mine, request).reminded_ms, now_ms) or not _is_kept(tx, contact, mine, request):
        return False
    tx.execute(
        "INSERT INTO request_word (contact, mine, request, reminded_ms, paid, people) VALUES (?, ?, ?, ?, 0, 0)"
        " ON CONFLICT (contact, mine, request) DO UPDATE SET reminded_ms = excluded.reminded_ms",
        (contact, int(mine), request, now_ms),
    )
    _tell(tx, contact, mine, request)
    return True


def progress(tx: Tx, contact: int, request: bytes, paid: int, people: int) -> None:
    """Notes how many have paid of those who were asked, as a contact says who asks us."""
    if not _is_kept(tx, contact, False, request):
        return
    tx.execute(
        "INSERT INTO request_word (contact, mine, request, reminded_ms, paid, people) VALUES (?, 0, ?, 0, ?, ?)"
        " ON CONFLICT (contact, mine, request) DO UPDATE SET paid = excluded.paid, people = excluded.people",
        (contact, request, paid, people),
    )
    _tell(tx, contact, False, request)


def of(tx: Tx, one: Asked) -> Word:
    """What was said about this request."""
    return word(tx, one.contact, one.mine, one.request)


def _is_kept(tx: Tx, contact: int, mine: bool, request: bytes) -> bool:
    """Whether a word about this request is kept: the request is here, or few words are ahead of theirs."""
    if payments.asked(tx, contact, mine, request) is not None:
        return True
    early = tx.all(
        "SELECT w.request FROM request_word w WHERE w.contact = ? AND w.mine = 0 AND NOT EXISTS"
        " (SELECT 1 FROM request r WHERE r.contact = w.contact AND r.mine = 0 AND r.request = w.request)",
        (contact,),
    )
    return (request,) in early or len(early) < EARLY_MAX


def _tell(tx: Tx, contact: int, mine: bool, request: bytes) -> None:
    """Tells watchers of the request, where it is here."""
    found = payments.asked(tx, contact, mine, request)
    if found is not None:
        tx.changed(payments.ASKED, found.id)
