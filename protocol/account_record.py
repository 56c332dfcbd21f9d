"""The record by which a stranger who knows an account id finds the account: under its blinded key of the day.

It says what a long-term invitation link says, so that what follows is the dialogue of an invitation (invite.py) and a
request that waits for approval. A node of the DHT that does not know the account id can neither read it nor link two
days. The account key certifies the signers of many days ahead: a device that does not hold it can publish with them.
Law: docs/protocol/rendezvous.md 4. The outer form: rendezvous.py.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import blinding, hashing, keys
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from protocol import ids, invite, record, rendezvous
from protocol.record import Bytes32
from protocol.rendezvous import Addresses

CERTIFIED_DAYS = 60  # ahead, made at once
CERTIFIED_DAYS_MIN = 30  # fewer than these left: made anew where the account key is


@record.record
@dataclass(frozen=True, slots=True)
class Findable:
    """How a stranger makes a request to an account. link: a long-term invitation; peer, addresses: where it is met."""

    KIND: ClassVar[int] = 4

    link: Annotated[bytes, record.Size(invite.LINK_BYTES_MIN, invite.LINK_BYTES_MAX)]
    peer: Bytes32
    addresses: Addresses


@dataclass(frozen=True, slots=True)
class Found:
    """An opened record. link: of the account that was asked for, long-term. peer, addresses: newer than the link's."""

    link: invite.Link
    peer: bytes
    addresses: tuple[str, ...]


def name_of(account: ids.AccountId, epoch: int) -> bytes:
    """The account's blinded key of a day, 32 bytes: the name of its record. Raises: Forged when the id is no key."""
    return blinding.blind_public(account, _tweak(account, epoch))


def certify(account_key: keys.SigningKey, epoch: int, seed: bytes) -> rendezvous.Signer:
    """The signer of the account's record of a day. seed: 32 random bytes."""
    account = ids.AccountId(account_key.public)
    return rendezvous.appoint(blinding.blind(account_key, _tweak(account, epoch)), epoch, seed)


def seal(
    signer: rendezvous.Signer, account: ids.AccountId, epoch: int, said: Findable, sequence: int, nonce: bytes
) -> bytes:
    """The record of a day, at most 4,096 bytes. sequence: from next_sequence; nonce: 24 random bytes."""
    assert signer.until_s == rendezvous.ends_s(epoch)
    return rendezvous.write(signer, _seal_key(account, epoch), said, sequence, nonce)


def open_sealed(account: ids.AccountId, epoch: int, raw: bytes, now_s: int) -> Found:
    """How to make a request to this account, by its record of a day.

    Raises: what `rendezvous.check` does; Forged (also when the link is another account's), Malformed.
    """
    found = rendezvous.check(rendezvous.dht_key(name_of(account, epoch)), raw, now_s)
    said = rendezvous.open_sealed(found, _seal_key(account, epoch), Findable)
    try:
        link = invite.link_of(said.link)
    except (invite.BadLink, invite.NewerLink):
        raise Malformed from None
    if link.account != account or not link.long_term:
        raise Forged
    return Found(link, said.peer, said.addresses)


def _tweak(account: ids.AccountId, epoch: int) -> bytes:
    return hashing.hash_of(Label.RENDEZVOUS, b"blind" + account + epoch.to_bytes(4, "big"))


def _seal_key(account: ids.AccountId, epoch: int) -> bytes:
    return hashing.subkey(account, Label.RENDEZVOUS, b"account" + epoch.to_bytes(4, "big"))
