"""What strangers find us by: signers that the account key has certified for days ahead, and the invitation they use.

A device publishes the account's record of a day with the stored signer alone, so that it need not hold the account key.
Not here: the record's bytes (protocol/account_record.py), when it is published (features/contacts/publishing.py).
"""

from crypto import keys
from protocol import account_record, rendezvous
from store import invitations
from store.database import Tx
from store.identity import Identity
from store.invitations import Invitation

INVITATION_LIFE_S = 3650 * 86_400  # made once; it ends when it is withdrawn


def certify_ahead(tx: Tx, identity: Identity, now_s: int, entropy: keys.Entropy) -> None:
    """Forgets the signers of days that are over; makes those of 60 days when fewer than 30 of them are left."""
    today = rendezvous.epoch_of(now_s)
    last = today + account_record.CERTIFIED_DAYS
    # Days further ahead were given by a clock that was wrong.
    tx.execute("DELETE FROM day_certificate WHERE day < ? OR day > ?", (today, last))
    known = {day for (day,) in tx.all("SELECT day FROM day_certificate ORDER BY day")}
    if len(known) >= account_record.CERTIFIED_DAYS_MIN and today in known:
        return
    account_key = identity.account_key()
    for day in range(today, last + 1):
        if day not in known:
            seed = entropy(keys.SEED_BYTES)
            made = account_record.certify(account_key, day, seed)
            tx.execute(
                "INSERT INTO day_certificate (day, name, seed, certificate) VALUES (?, ?, ?, ?)",
                (day, made.name, seed, made.certificate),
            )


def signer_of(tx: Tx, day: int) -> rendezvous.Signer | None:
    """The stored signer of the account's record of a day, None when there is none."""
    row = tx.one("SELECT name, seed, certificate FROM day_certificate WHERE day = ?", (day,))
    if row is None:
        return None
    name, seed, certificate = row
    return rendezvous.Signer(name, keys.SigningKey(seed), rendezvous.ends_s(day), certificate)


def invitation(tx: Tx, identity: Identity, now_ms: int, entropy: keys.Entropy) -> Invitation:
    """The long-term invitation that the account's record names, made when there is none. Raises: TooManyInvitations."""
    known = reserved(tx)
    for one in invitations.open_invitations(tx, now_ms):
        if one.id == known:
            return one
    made = invitations.create(tx, identity, True, now_ms, now_ms // 1000 + INVITATION_LIFE_S, entropy)
    tx.execute("INSERT OR REPLACE INTO findable (id, invitation) VALUES (1, ?)", (made.id,))
    return made


def reserved(tx: Tx) -> bytes | None:
    """The id of that invitation: it is of no person's making, and is not shown among those that are."""
    row = tx.one("SELECT invitation FROM findable")
    return None if row is None else bytes(row[0])


def withdraw(tx: Tx) -> None:
    """Ends it: who comes with what the record says is answered like one with an unknown link."""
    known = reserved(tx)
    if known is not None:
        invitations.revoke(tx, known)
        tx.execute("DELETE FROM findable")
