"""Invitations that we made: open, fetched, spent, expired. The dialogue is in protocol/invite.py.

A spent one is kept until it expires, so that the next who comes with it can be refused and named.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from crypto import keys
from protocol import ids, invite, record
from protocol.identity import Bundle
from store import people, prekeys
from store.database import Tx
from store.devices import BUNDLE_BYTES_MAX
from store.faults import TooManyInvitations
from store.identity import Identity
from store.people import Verified

CHANGED = "invitations.changed"  # topic of changes; the key is 0
LIVING_MAX = invite.OPEN_MAX
FETCHES_MAX = invite.FETCHES_MAX
SIGN_AGAIN_S = 7 * 86_400  # a long-term invitation's bundle: it is valid for 14 days
_COLUMNS = "id, long_term, secret, bundle, created_ms, expires_s, fetches, spent_by, second, revoked"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation. id: 16 bytes; secret: of the link; expires_s: seconds since 1970; spent_by: who used it first.

    second: another account that came with it later, if any: then the link was seen by somebody it was not meant for.
    """

    id: bytes
    long_term: bool
    secret: bytes = field(repr=False)
    bundle: Bundle
    created_ms: int
    expires_s: int
    fetches: int
    spent_by: ids.AccountId | None
    second: ids.AccountId | None
    revoked: bool


def create(
    tx: Tx, identity: Identity, long_term: bool, now_ms: int, expires_s: int, entropy: keys.Entropy
) -> Invitation:
    """A new invitation with its bundle; a one-time one has one-time keys of its own.

    Raises: TooManyInvitations when 256 live.
    """
    forget_expired(tx, now_ms)
    count = tx.one("SELECT COUNT(*) FROM invitation WHERE revoked = 0")
    assert count is not None
    if count[0] >= LIVING_MAX:
        raise TooManyInvitations
    if long_term:
        bundle = prekeys.own_bundle(tx, identity, now_ms, entropy)
    else:
        bundle = prekeys.invitation_bundle(tx, identity, now_ms, expires_s, entropy)
    made = bytes(ids.new_message_id(now_ms, entropy))
    secret = entropy(invite.SECRET_BYTES)
    tx.execute(
        f"INSERT INTO invitation ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 0, x'', x'', 0)",
        (made, int(long_term), secret, record.encode(bundle), now_ms, expires_s),
    )
    tx.changed(CHANGED, 0)
    return Invitation(made, long_term, secret, bundle, now_ms, expires_s, 0, None, None, False)


def open_invitations(tx: Tx, now_ms: int) -> tuple[Invitation, ...]:
    """The invitations that a listener tries, spent ones too, oldest first; at most 256."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM invitation WHERE revoked = 0 AND expires_s > ? ORDER BY id LIMIT ?",
        (now_ms // 1000, LIVING_MAX),
    )
    return tuple(map(_invitation, rows))


def fetched(tx: Tx, identity: Identity, invitation: Invitation, now_ms: int, entropy: keys.Entropy) -> Bundle | None:
    """The bundle to show to an asker: always the same bytes for a one-time invitation, at most 20 times.

    None: shown often enough, or expired. A long-term one is signed anew every 7 days.
    """
    if invitation.expires_s <= now_ms // 1000 or (not invitation.long_term and invitation.fetches >= FETCHES_MAX):
        return None
    tx.execute("UPDATE invitation SET fetches = fetches + 1 WHERE id = ?", (invitation.id,))
    return current_bundle(tx, identity, invitation, now_ms, entropy)


def current_bundle(tx: Tx, identity: Identity, invitation: Invitation, now_ms: int, entropy: keys.Entropy) -> Bundle:
    """The bundle that is shown for an invitation now, without counting it as shown."""
    if not invitation.long_term or invitation.bundle.not_after_s - now_ms // 1000 > SIGN_AGAIN_S:
        return invitation.bundle
    bundle = prekeys.own_bundle(tx, identity, now_ms, entropy)
    tx.execute("UPDATE invitation SET bundle = ? WHERE id = ?", (record.encode(bundle), invitation.id))
    return bundle


def spend(tx: Tx, invitation: Invitation, account: ids.AccountId, now_ms: int) -> invite.Verdict:
    """What an asker is told whose init is authentic; in the transaction that stores his session.

    STORED also for the same account again. SPENT for a second account: it is not added, both are named in the
    invitation, and the first loses its verified mark and gets the alarm "link_twice". WAITING for a long-term one.
    """
    if invitation.expires_s <= now_ms // 1000 or invitation.revoked:
        return invite.Verdict.EXPIRED
    if invitation.long_term:
        return invite.Verdict.WAITING
    row = tx.one("SELECT spent_by FROM invitation WHERE id = ?", (invitation.id,))
    assert row is not None
    if row[0] == account:
        return invite.Verdict.STORED
    if not row[0]:
        tx.execute("UPDATE invitation SET spent_by = ? WHERE id = ?", (account, invitation.id))
        return invite.Verdict.STORED
    tx.execute("UPDATE invitation SET second = ? WHERE id = ?", (account, invitation.id))
    first = people.by_account(tx, ids.AccountId(row[0]))
    if first is not None:
        people.set_verified(tx, first.id, Verified.NO, now_ms)
        people.set_alarm(tx, first.id, "link_twice")
    return invite.Verdict.SPENT


def revoke(tx: Tx, invitation_id: bytes) -> None:
    """Ends an invitation: its link is answered like an unknown one, its one-time keys are gone."""
    row = tx.one(f"SELECT {_COLUMNS} FROM invitation WHERE id = ?", (invitation_id,))
    if row is None:
        return
    revoked = replace(_invitation(row), revoked=True)
    if revoked.bundle.one_time is not None:
        prekeys.forget_one_time(tx, revoked.bundle.one_time.number)
    tx.execute("UPDATE invitation SET revoked = 1 WHERE id = ?", (invitation_id,))
    tx.changed(CHANGED, 0)


def forget_expired(tx: Tx, now_ms: int) -> None:
    """Deletes invitations whose time is over."""
    tx.execute("DELETE FROM invitation WHERE expires_s <= ?", (now_ms // 1000,))


def _invitation(row: tuple[Any, ...]) -> Invitation:
    made, long_term, secret, bundle, created_ms, expires_s, fetches, spent_by, second, revoked = row
    return Invitation(
        id=made,
        long_term=bool(long_term),
        secret=secret,
        bundle=record.decode(Bundle, bundle, BUNDLE_BYTES_MAX),
        created_ms=created_ms,
        expires_s=expires_s,
        fetches=fetches,
        spent_by=spent_by or None,
        second=second or None,
        revoked=bool(revoked),
    )
