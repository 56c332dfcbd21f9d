"""Our prekeys: what others start sessions with, and for how long the private halves are kept.

docs/protocol/store.md 4. One row has an X25519 and an ML-KEM pair under one number: the current pair of the device, or
the one-time set of an invitation. Sessions are in sessions.py.
"""

from dataclasses import dataclass

from crypto import keys
from crypto.handshake import PrekeySecrets
from crypto.keys import DhKey, KemKey
from protocol import envelope, ids
from protocol import identity as documents
from protocol.faults import Malformed, PeerFault
from protocol.identity import Bundle
from store import devices
from store.database import Tx
from store.identity import Identity

ROTATE_MS = 7 * 86_400_000  # a seized device opens inits of a week at most, beside those of the keys not yet deleted
KEEP_MS = 90 * 86_400_000  # the longest that a keeper holds an init
GIVE_AGAIN_MS = ROTATE_MS  # a bundle lives 14 days: a contact always has one that is valid for a week


class PrekeysGone(PeerFault):
    """A session was begun with prekeys that are no longer here; its maker has to begin another one."""


class OneTimeSpent(PeerFault):
    """The one-time keys of an invitation were already used by another account."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A stored prekey set."""

    number: int
    dh: DhKey
    kem: KemKey


def keep_fresh(tx: Tx, now_ms: int, entropy: keys.Entropy) -> None:
    """Makes a new pair when the newest is a week old, and deletes private keys whose time is over."""
    tx.execute("DELETE FROM px3_seen WHERE prekey IN (SELECT number FROM prekey WHERE forget_ms <= ?)", (now_ms,))
    tx.execute("DELETE FROM prekey WHERE forget_ms <= ?", (now_ms,))
    newest = tx.one("SELECT made_ms FROM prekey WHERE one_time = 0 ORDER BY number DESC LIMIT 1")
    # Times in the future were given by a clock that was wrong: without this the keys would live until then.
    tx.execute(
        "UPDATE prekey SET forget_ms = ? WHERE one_time = 0 AND forget_ms > ?", (now_ms + KEEP_MS, now_ms + KEEP_MS)
    )
    if newest is None or not 0 <= now_ms - newest[0] < ROTATE_MS:
        _make(tx, 0, now_ms, now_ms + KEEP_MS, entropy)


def own_bundle(tx: Tx, identity: Identity, now_ms: int, entropy: keys.Entropy) -> Bundle:
    """A freshly signed bundle for 14 days, without one-time keys."""
    return _bundle(identity, _current(tx, now_ms, entropy), None, now_ms, now_ms + 14 * 86_400_000)


def give_bundle(tx: Tx, identity: Identity, device_id: int, now_ms: int, entropy: keys.Entropy) -> Bundle:
    """A bundle for this device of a contact; notes that it has one now."""
    devices.bundle_given(tx, device_id, now_ms)
    return own_bundle(tx, identity, now_ms, entropy)


def bundle_due(tx: Tx, identity: Identity, device_id: int, now_ms: int, entropy: keys.Entropy) -> Bundle | None:
    """A bundle for this device when the last one it was given is older than a week; else None."""
    row = tx.one("SELECT bundle_given_ms FROM device WHERE id = ?", (device_id,))
    assert row is not None
    if 0 <= now_ms - row[0] < GIVE_AGAIN_MS:
        return None
    return give_bundle(tx, identity, device_id, now_ms, entropy)


def invitation_bundle(tx: Tx, identity: Identity, now_ms: int, expires_s: int, entropy: keys.Entropy) -> Bundle:
    """The bundle of a one-time invitation, with a one-time set that lives as long as the invitation does."""
    one_time = _make(tx, 1, now_ms, expires_s * 1000, entropy)
    signed = documents.make_one_time(identity.device_key, one_time.number, one_time.dh.public, one_time.kem.public)
    current = _current(tx, now_ms, entropy)
    return _bundle(identity, current, signed, now_ms, expires_s * 1000)


def secrets_for(tx: Tx, init: envelope.Init, account: ids.AccountId, now_ms: int) -> PrekeySecrets:
    """The private halves that an init of this account names.

    Raises: PrekeysGone when we do not have them (any more), OneTimeSpent, Malformed.
    """
    signed = _pair(tx, init.signed_number, 0, now_ms)
    if init.one_time_number is None:
        kem = signed if init.kem_number == signed.number else _pair(tx, init.kem_number, 0, now_ms)
        return PrekeySecrets(signed.dh, None, kem.kem)
    if init.kem_number != init.one_time_number:
        raise Malformed  # the one-time set is used whole
    one_time = _pair(tx, init.one_time_number, 1, now_ms)
    row = tx.one("SELECT spent_by FROM prekey WHERE number = ?", (one_time.number,))
    assert row is not None
    if row[0] not in (b"", account):
        raise OneTimeSpent
    return PrekeySecrets(signed.dh, one_time.dh, one_time.kem)


def spend(tx: Tx, number: int, account: ids.AccountId) -> None:
    """The one-time set is this account's from now on; another init of the same account is a retry."""
    tx.execute("UPDATE prekey SET spent_by = ? WHERE number = ? AND one_time = 1", (account, number))


def forget_one_time(tx: Tx, number: int) -> None:
    """Deletes a one-time set: its invitation was revoked."""
    tx.execute("DELETE FROM px3_seen WHERE prekey = ?", (number,))
    tx.execute("DELETE FROM prekey WHERE number = ? AND one_time = 1", (number,))


def _current(tx: Tx, now_ms: int, entropy: keys.Entropy) -> Pair:
    keep_fresh(tx, now_ms, entropy)
    row = tx.one("SELECT number, dh, kem FROM prekey WHERE one_time = 0 ORDER BY number DESC LIMIT 1")
    assert row is not None
    return Pair(row[0], DhKey(row[1]), KemKey(row[2]))


def _pair(tx: Tx, number: int, one_time: int, now_ms: int) -> Pair:
    row = tx.one(
        "SELECT dh, kem FROM prekey WHERE number = ? AND one_time = ? AND forget_ms > ?", (number, one_time, now_ms)
    )
    if row is None:
        raise PrekeysGone
    return Pair(number, DhKey(row[0]), KemKey(row[1]))


def _make(tx: Tx, one_time: int, now_ms: int, forget_ms: int, entropy: keys.Entropy) -> Pair:
    # Numbers follow the clock, so that a database that was set back does not give an old number to new keys.
    row = tx.one("SELECT MAX(number) FROM prekey")
    number = max(now_ms, (row[0] or 0) + 1 if row else 1)
    made = Pair(number, DhKey(entropy(32)), KemKey(entropy(64)))
    tx.execute(
        "INSERT INTO prekey (number, one_time, dh, kem, made_ms, forget_ms, spent_by) VALUES (?, ?, ?, ?, ?, ?, x'')",
        (number, one_time, made.dh.secret, made.kem.seed, now_ms, forget_ms),
    )
    return made


def _bundle(
    identity: Identity, current: Pair, one_time: documents.OneTime | None, now_ms: int, not_after_ms: int
) -> Bundle:
    return documents.make_bundle(
        identity.device_key,
        identity.certificate,
        current.number,
        current.dh.public,
        current.number,
        current.kem.public,
        one_time,
        min(not_after_ms // 1000, now_ms // 1000 + documents.BUNDLE_LIFE_S),
        documents.list_hash(identity.lists[-1]),
    )
