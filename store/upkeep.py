"""What time alone makes due in the database: to be run a few times a day."""

from crypto import keys
from store import (
    collecting,
    doors,
    healing,
    invitations,
    outbox,
    pairs,
    parcels,
    passing,
    prekeys,
    quarantine,
    session_rows,
)
from store.database import Tx


def tidy(tx: Tx, now_ms: int, entropy: keys.Entropy) -> None:
    """Rotates prekeys; deletes expired keys, invitations, sessions and quarantined envelopes; gives up old messages."""
    prekeys.keep_fresh(tx, now_ms, entropy)
    invitations.forget_expired(tx, now_ms)
    doors.forget(tx, invitations.open_invitations(tx, now_ms))
    pairs.forget_old(tx, now_ms)
    outbox.expire(tx, now_ms)
    passing.empty(tx)
    parcels.expire(tx, now_ms)
    collecting.forget_old(tx, now_ms)
    for (device_id,) in tx.all("SELECT id FROM device ORDER BY id"):
        session_rows.prune(tx, device_id, now_ms)
        # What came before the last new session was sealed anew in it long ago.
        quarantine.forget_before(tx, device_id, healing.state(tx, device_id).healed_ms - prekeys.ROTATE_MS)
