"""The record by which an invitation tells at which keepers of its maker one can knock while he is away.

It lies beside the invitation's answer (invitation_record.py), under keys of the link's secret that have nothing in
common with that one's: the two are too large for one record. The device of the bundle signs it, so that whoever has
the link can send nobody to another place. Law: docs/protocol/rendezvous.md 5.3. The outer form: rendezvous.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import hashing, keys, xwing
from crypto.hashing import Label
from protocol import identity, keep, mailbox, record, rendezvous, wire
from protocol.identity import Bundle
from protocol.record import Bytes32

PLACES_MAX = 2  # keepers at which an invitation has a door


@record.record
@dataclass(frozen=True, slots=True)
class Place:
    """A keeper. peer, addresses: where it is; find: the secret of its own record, and of the door's id and key."""

    KIND: ClassVar[int] = 8

    peer: Bytes32
    addresses: mailbox.Addresses
    find: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Doors:
    """Where to knock. inbox: what is left there is sealed to it. bits: of work that the doors ask for, 0 for none.

    signature: the bundle's device, over the name of the record and all before it.
    """

    KIND: ClassVar[int] = 7

    inbox: Annotated[bytes, record.Size(xwing.PUBLIC_BYTES)]
    bits: keep.Bits
    places: Annotated[tuple[Place, ...], record.Count(1, PLACES_MAX)]
    signature: identity.Signature


def keys_of(secret: bytes, epoch: int) -> rendezvous.Keys:
    """The keys of the record of a day. secret: of the link, 16 bytes."""
    return rendezvous.keys_of(hashing.subkey(secret, Label.INVITE, b"keep"), epoch)


def tell(
    named: rendezvous.Keys, device_key: keys.SigningKey, inbox: bytes, bits: int, places: Sequence[Place]
) -> Doors:
    """What the record of this day says. device_key: of the device in the bundle; inbox: 1,216 bytes."""
    told = tuple(places)
    return Doors(inbox, bits, told, device_key.sign(Label.DHT, _signed(named.name.public, inbox, bits, told)))


def seal(signer: rendezvous.Signer, named: rendezvous.Keys, said: Doors, sequence: int, nonce: bytes) -> bytes:
    """The record, at most 4,096 bytes. sequence: from next_sequence; nonce: 24 random bytes."""
    assert signer.name == named.name.public
    return rendezvous.write(signer, named.seal, said, sequence, nonce)


def open_sealed(named: rendezvous.Keys, raw: bytes, bundle: Bundle, now_s: int) -> Doors:
    """Where to knock for the invitation that this checked bundle belongs to.

    Raises: what `rendezvous.check` does (Forged also where the bundle's device has not signed it, or the inbox is no
    key), Malformed.
    """
    found = rendezvous.check(rendezvous.dht_key(named.name.public), raw, now_s, named.ahead_s)
    said = rendezvous.open_sealed(found, named.seal, Doors)
    signed = _signed(found.name, said.inbox, said.bits, said.places)
    keys.verify(bundle.certificate.device, Label.DHT, signed, said.signature)
    xwing.require_public(said.inbox)
    return said


def _signed(name: bytes, inbox: bytes, bits: int, places: tuple[Place, ...]) -> bytes:
    return wire.encode((Doors.KIND, name, inbox, bits, tuple((Place.KIND, *record.fields(one)) for one in places)))
