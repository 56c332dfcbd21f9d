"""The doors of our invitations at keepers: which there are, what they are told as, and what opens what is left there.

docs/protocol/parcel.md 4. The queues are rows of keepers.py, the invitations those of invitations.py; what is decided
of somebody who knocked is in features/contacts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto import keys, xwing
from crypto.xwing import InboxKey
from protocol import keep, knock
from protocol.door_record import PLACES_MAX, Place
from store import findable, invitations, keepers
from store.database import Tx
from store.invitations import Invitation
from store.keepers import Keeper


@dataclass(frozen=True, slots=True)
class Knocked:
    """A door of ours. invitation: whose it is; key: opens what is left there."""

    invitation: Invitation
    key: InboxKey = field(repr=False)


def key_of(tx: Tx, invitation: Invitation, entropy: keys.Entropy) -> InboxKey:
    """The inbox key of an invitation, made when there is none."""
    row = tx.one("SELECT seed FROM door WHERE invitation = ?", (invitation.id,))
    if row is not None:
        return InboxKey(row[0])
    seed = entropy(xwing.SEED_BYTES)
    tx.execute("INSERT INTO door (invitation, seed) VALUES (?, ?)", (invitation.id, seed))
    return InboxKey(seed)


def keepers_of(tx: Tx) -> tuple[Keeper, ...]:
    """The keepers at which strangers may knock: the first two that are used."""
    return keepers.used(tx)[:PLACES_MAX]


def places(tx: Tx) -> tuple[Place, ...]:
    """Where strangers are told to knock: at those of them that have a queue for it."""
    return tuple(
        Place(one.peer, one.addresses, one.find)
        for one in keepers_of(tx)
        if one.peer and any(each.contact == keepers.OWN for each in keepers.queues(tx, one.id, keepers.QueueState.OPEN))
    )


def open_invitations(tx: Tx, now_ms: int, bits: int) -> tuple[Invitation, ...]:
    """The invitations that have doors. bits: of work for who only knows the account id; 0: he has no door."""
    reserved = findable.reserved(tx)
    return tuple(one for one in invitations.open_invitations(tx, now_ms) if bits or one.id != reserved)


def is_reserved(tx: Tx, invitation: Invitation) -> bool:
    """Whether this is the invitation of whoever only knows the account id."""
    return findable.reserved(tx) == invitation.id


def doors(tx: Tx, find: bytes, now_ms: int, bits: int) -> tuple[keep.Door, ...]:
    """The doors at one keeper. find: the secret of its record; bits: as above."""
    reserved = findable.reserved(tx)
    made = []
    for one in open_invitations(tx, now_ms, bits):
        sender, put_key = knock.door_of(one.secret, find)
        items = knock.LONG_TERM_ITEMS if one.long_term else knock.ONCE_ITEMS
        made.append(keep.Door(sender, put_key, items, bits if one.id == reserved else 0))
    return tuple(made)


def behind(tx: Tx, find: bytes, sender: bytes, now_ms: int) -> Knocked | None:
    """The invitation whose door at this keeper has this id, and its key; None where there is none any more."""
    for one in invitations.open_invitations(tx, now_ms):
        if knock.door_of(one.secret, find).sender == sender:
            row = tx.one("SELECT seed FROM door WHERE invitation = ?", (one.id,))
            return None if row is None else Knocked(one, InboxKey(row[0]))
    return None


def forget(tx: Tx, living: Sequence[Invitation]) -> None:
    """Forgets the keys of invitations that are over or withdrawn: what was left for them opens no more."""
    names = {one.id for one in living}
    for (invitation,) in tx.all("SELECT invitation FROM door ORDER BY invitation"):
        if invitation not in names:
            tx.execute("DELETE FROM door WHERE invitation = ?", (invitation,))
