"""Permits: who may have something kept here, how much and how long (docs/protocol/keep.md 3.1).

A permit belongs to a contact, a number of the person's own database, or to the person himself. Not here: what its owner
has (shelves.py), how a permit is shown (protocol/keep.py).
"""

from typing import NamedTuple

from protocol import keep_proof
from store import shelves
from store.database import Tx

OWN = 0  # in place of a contact: the person's own devices, to whom the limits of friends do not apply


class Permit(NamedTuple):
    """A permit. contact: OWN for the person himself; space: bytes; seen_ms: when its owner was here, 0 for never."""

    id: int
    contact: int
    secret: bytes
    space: int
    ttl_s: int
    seen_ms: int


class Use(NamedTuple):
    """What the owner of a permit has here."""

    contact: int
    bytes: int
    items: int
    queues: int
    seen_ms: int
    space: int


def make(tx: Tx, contact: int, space: int, ttl_s: int, secret: bytes) -> bytes:
    """The permit of a contact, 32 bytes: the one he has, with this space and time from now on, or this new one."""
    row = tx.one("SELECT secret FROM permit WHERE contact = ?", (contact,))
    if row is not None:
        tx.execute("UPDATE permit SET space = ?, ttl_s = ? WHERE contact = ?", (space, ttl_s, contact))
        return bytes(row[0])
    tx.execute(
        "INSERT INTO permit (contact, name, secret, space, ttl_s, seen_ms) VALUES (?, ?, ?, ?, ?, 0)",
        (contact, keep_proof.permit_id(secret), secret, space, ttl_s),
    )
    return secret


def withdraw(tx: Tx, contact: int) -> int | None:
    """Ends the permit of a contact; returns its owner, whose things are swept away by and by, None where none is."""
    row = tx.one("SELECT id FROM permit WHERE contact = ?", (contact,))
    if row is None:
        return None
    tx.execute("DELETE FROM permit WHERE id = ?", row)
    return shelves.end(tx, row[0])


def named(tx: Tx, name: bytes) -> Permit | None:
    """The permit of this name."""
    row = tx.one("SELECT id, contact, secret, space, ttl_s, seen_ms FROM permit WHERE name = ?", (name,))
    return None if row is None else Permit(*row)


def seen(tx: Tx, permit_id: int, now_ms: int) -> bytes:
    """Notes that the owner of a permit is here; returns the permit."""
    row = tx.one("UPDATE permit SET seen_ms = ? WHERE id = ? RETURNING secret", (now_ms, permit_id))
    assert row is not None
    return bytes(row[0])


def count(tx: Tx) -> int:
    """How many permits there are."""
    row = tx.one("SELECT COUNT(*) FROM permit")
    return 0 if row is None else int(row[0])


def uses(tx: Tx) -> tuple[Use, ...]:
    """What everybody who has a permit has here, in the order in which they got it."""
    rows = tx.all(
        "SELECT p.contact, COALESCE(o.bytes, 0), COALESCE(o.items, 0), COALESCE(o.queues, 0), p.seen_ms, p.space"
        " FROM permit p LEFT JOIN owner o ON o.permit = p.id ORDER BY p.id"
    )
    return tuple(Use(*row) for row in rows)
