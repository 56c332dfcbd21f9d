"""The secrets that prove a channel to a contact: the pair secret with its epochs, and `boot` of the first session.

docs/protocol/store.md 3. Who dials with what: the taker of a secret uses it at once, because its maker has it; the
maker once the other side says that it is taken; until then `boot`. The listener accepts all that it knows. The proof
itself: protocol/talk.py.
"""

from dataclasses import dataclass, field
from typing import Any

from protocol import backup_records, ids
from store.database import Tx
from store.people import ContactState

PREVIOUS_MS = 30 * 86_400_000  # how long the secret before the current one still opens the door
BOOT_EPOCH = 0
CLOSED = (ContactState.REQUEST, ContactState.BLOCKED, ContactState.REFUSED)  # nobody of these is talked to
_CLOSED = tuple(map(int, CLOSED))
_KEYS = (
    "SELECT k.contact, k.key, k.epoch, k.sid FROM ("
    " SELECT contact, secret AS key, epoch, x'' AS sid FROM pair_secret"
    " UNION ALL SELECT d.contact, s.boot, 0, s.sid FROM session s JOIN device d ON d.id = s.device WHERE s.boot != x''"
    ") k JOIN contact c ON c.id = k.contact"
)


@dataclass(frozen=True, slots=True)
class ChanKey:
    """A secret (32 bytes) that proves a channel to a contact. epoch: of the pair secret, 0 for `boot` of a session."""

    contact: int
    key: bytes = field(repr=False)
    epoch: int
    session: ids.SessionId | None


def make_pair_secret(tx: Tx, contact_id: int, secret: bytes, now_ms: int, epoch_min: int = 1) -> int:
    """Stores a new secret (32 random bytes) that we give to the contact; returns its epoch.

    epoch_min: what a device that came back from a backup counts from (docs/protocol/backup.md 4.3).
    """
    epoch = max(epoch_min, 1 + newest_epoch(tx, contact_id))
    _put(tx, contact_id, epoch, secret, made=1, taken=0, now_ms=now_ms)
    return epoch


def newest_epoch(tx: Tx, contact_id: int) -> int:
    """The highest epoch of a secret that is known for a contact, 0 for none. He may have named any there is."""
    row = tx.one("SELECT MAX(epoch) FROM pair_secret WHERE contact = ?", (contact_id,))
    return row[0] or BOOT_EPOCH if row else BOOT_EPOCH


def take_pair_secret(tx: Tx, contact_id: int, epoch: int, secret: bytes, now_ms: int) -> None:
    """Stores a secret that the contact made. Did both make one for this epoch, the bytewise smaller stays."""
    row = tx.one("SELECT secret, made FROM pair_secret WHERE contact = ? AND epoch = ?", (contact_id, epoch))
    if row is not None and row[0] <= secret:
        return
    _put(tx, contact_id, epoch, secret, made=0, taken=1, now_ms=now_ms)
    _end_earlier(tx, contact_id, epoch, now_ms)


def pair_secret_taken(tx: Tx, contact_id: int, epoch: int, now_ms: int) -> None:
    """The contact has stored the secret of this epoch; from now on we use it too."""
    tx.execute("UPDATE pair_secret SET taken = 1 WHERE contact = ? AND epoch = ?", (contact_id, epoch))
    if has_secret(tx, contact_id):
        _end_earlier(tx, contact_id, epoch, now_ms)


def set_aside(tx: Tx, contact_id: int) -> None:
    """No secret is used to dial until one is agreed again: the contact answered an invitation, and may have forgotten
    those that we have. `boot` of that session proves the channel until then. The listener accepts all of them still."""
    tx.execute("UPDATE pair_secret SET taken = 0 WHERE contact = ?", (contact_id,))


def pair_secret(tx: Tx, contact_id: int) -> tuple[int, bytes] | None:
    """Epoch and secret that both sides hold and use."""
    row = tx.one(
        "SELECT epoch, secret FROM pair_secret WHERE contact = ? AND taken = 1 ORDER BY epoch DESC LIMIT 1",
        (contact_id,),
    )
    return None if row is None else (int(row[0]), bytes(row[1]))


def has_secret(tx: Tx, contact_id: int) -> bool:
    """Whether a pair secret is in use: then no new session needs its `boot`."""
    return tx.one("SELECT 1 FROM pair_secret WHERE contact = ? AND taken = 1 LIMIT 1", (contact_id,)) is not None


def dial_key(tx: Tx, contact_id: int, ignoring_state: bool = False) -> ChanKey | None:
    """What a channel to this contact is dialled with; None where he is not to be dialled or nothing is agreed yet."""
    state = tx.one("SELECT state FROM contact WHERE id = ?", (contact_id,))
    assert state is not None
    if state[0] in _CLOSED and not ignoring_state:
        return None
    current = pair_secret(tx, contact_id)
    if current is not None:
        return ChanKey(contact_id, current[1], current[0], None)
    row = tx.one(
        "SELECT s.boot, s.sid FROM session s JOIN device d ON d.id = s.device WHERE d.contact = ? AND s.boot != x''"
        " ORDER BY s.receive_only, s.counter DESC, s.sid LIMIT 1",
        (contact_id,),
    )
    if row is not None:
        return ChanKey(contact_id, row[0], BOOT_EPOCH, ids.SessionId(row[1]))
    # After a restore `boot` is gone, and the backup may be older than the word that the first secret was taken.
    # Who has no device that we know was never met: there is nobody to dial.
    row = tx.one(
        "SELECT secret, epoch FROM pair_secret p WHERE contact = ?"
        " AND EXISTS (SELECT 1 FROM device d WHERE d.contact = p.contact) ORDER BY epoch LIMIT 1",
        (contact_id,),
    )
    return None if row is None else ChanKey(contact_id, row[0], row[1], None)


def chan_keys(tx: Tx, after: int, limit: int) -> tuple[ChanKey, ...]:
    """What a listener accepts: about `limit` keys of the contacts after this one, all keys of a contact together."""
    rows = tx.all(
        f"{_KEYS} WHERE k.contact > ? AND c.state NOT IN (?, ?, ?) ORDER BY k.contact, k.epoch DESC LIMIT ?",
        (after, *_CLOSED, limit + 1),
    )
    if len(rows) > limit and rows[0][0] != rows[-1][0]:
        rows = [row for row in rows if row[0] != rows[-1][0]]  # the last contact's keys may be cut off: next page
    return tuple(map(_chan_key, rows))


def chan_keys_of_peer(tx: Tx, peer: bytes) -> tuple[ChanKey, ...]:
    """The keys of the contacts who were last seen with this PeerId or have announced it."""
    found = tx.all(
        "SELECT contact FROM device WHERE peer = ? UNION SELECT contact FROM device WHERE next_peer = ?", (peer, peer)
    )
    keys: list[ChanKey] = []
    for (contact_id,) in sorted(found):
        rows = tx.all(
            f"{_KEYS} WHERE k.contact = ? AND c.state NOT IN (?, ?, ?) ORDER BY k.epoch DESC", (contact_id, *_CLOSED)
        )
        keys.extend(map(_chan_key, rows))
    return tuple(keys)


def forget_boot(tx: Tx, contact_id: int) -> None:
    """Erases what the first contact proved itself with: a channel was proven under a pair secret."""
    tx.execute(
        "UPDATE session SET boot = x'' WHERE boot != x'' AND device IN (SELECT id FROM device WHERE contact = ?)",
        (contact_id,),
    )


def forget_old(tx: Tx, now_ms: int) -> None:
    """Deletes secrets that were replaced more than 30 days ago."""
    tx.execute("DELETE FROM pair_secret WHERE ended_ms != 0 AND ended_ms < ?", (now_ms - PREVIOUS_MS,))


def put_back(tx: Tx, kept: backup_records.PairSecret) -> None:
    """The row of a secret as a backup has it."""
    tx.execute(
        "INSERT INTO pair_secret (contact, epoch, secret, made, taken, since_ms, ended_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (kept.contact, kept.epoch, kept.secret, kept.made, kept.taken, kept.since_ms, kept.ended_ms),
    )


def _put(tx: Tx, contact_id: int, epoch: int, secret: bytes, made: int, taken: int, now_ms: int) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO pair_secret (contact, epoch, secret, made, taken, since_ms, ended_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, 0)",
        (contact_id, epoch, secret, made, taken, now_ms),
    )


def _end_earlier(tx: Tx, contact_id: int, epoch: int, now_ms: int) -> None:
    tx.execute(
        "UPDATE pair_secret SET ended_ms = ? WHERE contact = ? AND epoch < ? AND ended_ms = 0",
        (now_ms, contact_id, epoch),
    )


def _chan_key(row: tuple[Any, ...]) -> ChanKey:
    contact_id, key, epoch, sid = row
    return ChanKey(contact_id, key, epoch, ids.SessionId(sid) if sid else None)
