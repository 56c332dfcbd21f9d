"""The record by which an invitation is answered while its maker is away: under keys of the link's secret.

It holds the bundle that the maker would have shown, the same bytes, and where he is now; whoever has the link sees by
it that the invitation is genuine. He can also write it, having the secret; but the account vouches for the bundle, and
the bundle's device signs where it is, so that he can send nobody to another place.
Law: docs/protocol/rendezvous.md 5. The outer form: rendezvous.py; the dialogue: invite.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from crypto.hashing import Label
from crypto.keys import SigningKey, verify
from protocol import identity, ids, record, rendezvous, wire
from protocol.identity import Bundle
from protocol.invite import InviteKeys
from protocol.record import Bytes32
from protocol.rendezvous import Addresses

Texts = tuple[str, ...]


@record.record
@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation's answer. bundle: as shown in the dialogue; peer, addresses: where its maker is now.

    signature: the bundle's device, over the name of the record, peer and addresses.
    """

    KIND: ClassVar[int] = 5

    bundle: Bundle
    peer: Bytes32
    addresses: Addresses
    signature: identity.Signature


def keys_of(invitation: InviteKeys, epoch: int) -> rendezvous.Keys:
    """The keys of an invitation's record of a day."""
    return rendezvous.keys_of(invitation.dht, epoch)


def answer(keys: rendezvous.Keys, device_key: SigningKey, bundle: Bundle, peer: bytes, addresses: Texts) -> Invited:
    """What the record of this day says. Addresses that do not fit are left out, the farthest first.

    device_key: of the device in the bundle; peer: 32 bytes; addresses: at most 8.
    """
    assert bundle.certificate.device == device_key.public
    said = Invited(bundle, peer, addresses, device_key.sign(Label.DHT, _signed(keys.name.public, peer, addresses)))
    return said if rendezvous.fits(said) else answer(keys, device_key, bundle, peer, addresses[:-1])


def seal(signer: rendezvous.Signer, keys: rendezvous.Keys, said: Invited, sequence: int, nonce: bytes) -> bytes:
    """The record, at most 4,096 bytes. said: from `answer`; sequence: from next_sequence; nonce: 24 random bytes."""
    assert signer.name == keys.name.public
    return rendezvous.write(signer, keys.seal, said, sequence, nonce)


def open_sealed(keys: rendezvous.Keys, raw: bytes, account: ids.AccountId, now_s: int) -> Invited:
    """The answer to an invitation of this account, its bundle checked.

    Raises: what `rendezvous.check` and `identity.check_bundle` do (Forged also for another account's bundle, or for a
    place that its device has not signed), Malformed.
    """
    found = rendezvous.check(rendezvous.dht_key(keys.name.public), raw, now_s, keys.ahead_s)
    said = rendezvous.open_sealed(found, keys.seal, Invited)
    identity.check_bundle(said.bundle, account, now_s, None)
    where = _signed(found.name, said.peer, said.addresses)
    verify(said.bundle.certificate.device, Label.DHT, where, said.signature)
    return said


def _signed(name: bytes, peer: bytes, addresses: Texts) -> bytes:
    return wire.encode((Invited.KIND, name, peer, addresses))
