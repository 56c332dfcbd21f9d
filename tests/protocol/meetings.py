"""Records of the DHT as honest ones are: for golden vectors, for laws, and to be changed by hostile tests."""

from dataclasses import dataclass

from crypto import vault
from crypto.hashing import Label
from protocol import account_record, handle_record, invitation_record, invite, presence_record, record, rendezvous, wire
from protocol.account_record import Findable
from protocol.handle_record import Claim
from protocol.identity import Bundle
from protocol.presence_record import Presence, Whereabouts
from protocol.rendezvous import Keys, Record, Signer
from tests.protocol.circle import NOW_S, Someone, someone

ANA = someone("ana of the records")
EVE = someone("eve of the records")
EPOCH = rendezvous.epoch_of(NOW_S)
PRESENCE, SECRET, PEER, NONCE, SEED = b"p" * 32, b"s" * 16, b"t" * 32, b"n" * 24, b"e" * 32
ADDRESSES = ("/ip4/192.0.2.7/tcp/4001", "/ip6/2001:db8::7/tcp/4001")
CHEAP = vault.Cost(1, 8 * 2**20)
BUNDLE = ANA.bundle(ANA.one_time())  # one, however often it is put into a record
SEQUENCE = rendezvous.next_sequence(NOW_S, None)


@dataclass(frozen=True)
class Lying:
    """A record, and what its reader knows: where it lies and how its seal opens."""

    key: bytes
    seal: bytes
    raw: bytes
    signer: Signer


def whereabouts(of: Someone = ANA, addresses: tuple[str, ...] = ADDRESSES, said_s: int = NOW_S) -> Whereabouts:
    return Whereabouts(of.device, PEER, addresses, said_s)


def link(of: Someone = ANA, long_term: bool = True) -> invite.Link:
    return invite.Link(long_term, NOW_S + 86_400, of.account, SECRET, PEER, invite.addresses_of(ADDRESSES))


def findable(to: invite.Link | None = None) -> Findable:
    return Findable(invite.link_bytes(to or link()), PEER, ADDRESSES)


def _of(keys: Keys, signer: Signer, raw: bytes) -> Lying:
    return Lying(rendezvous.dht_key(keys.name.public), keys.seal, raw, signer)


def presence(epoch: int = EPOCH, seed: bytes = SEED, nonce: bytes = NONCE) -> Lying:
    keys = presence_record.keys_of(PRESENCE, epoch)
    signer = rendezvous.appoint(keys.name, epoch, seed)
    said = Presence((whereabouts(),))
    return _of(keys, signer, presence_record.seal(signer, keys, said, SEQUENCE, nonce))


def account(
    epoch: int = EPOCH, seed: bytes = SEED, nonce: bytes = NONCE, said: Findable | None = None, of: Someone = ANA
) -> Lying:
    signer = account_record.certify(of.account_key, epoch, seed)
    raw = account_record.seal(signer, of.account, epoch, said or findable(), SEQUENCE, nonce)
    return Lying(rendezvous.dht_key(signer.name), b"", raw, signer)


def invited(
    epoch: int = EPOCH,
    seed: bytes = SEED,
    nonce: bytes = NONCE,
    bundle: Bundle = BUNDLE,
    addresses: tuple[str, ...] = ADDRESSES,
    of: Someone = ANA,
) -> Lying:
    keys = invitation_record.keys_of(invite.InviteKeys.of(SECRET), epoch)
    signer = rendezvous.appoint(keys.name, epoch, seed)
    said = invitation_record.answer(keys, of.device_key, bundle, PEER, addresses)
    return _of(keys, signer, invitation_record.seal(signer, keys, said, SEQUENCE, nonce))


def claim(epoch: int = EPOCH, seed: bytes = SEED, nonce: bytes = NONCE) -> Lying:
    month = handle_record.month_of(epoch)
    stretched = handle_record.stretch(handle_record.normalised("Ana@Example.org"), month, CHEAP)
    keys = handle_record.keys_of(stretched, handle_record.slot_of(ANA.account, month), epoch)
    signer = rendezvous.appoint(keys.name, epoch, seed)
    return _of(keys, signer, handle_record.seal(signer, keys, Claim(ANA.account, "Ana"), SEQUENCE, nonce))


KINDS = {"presence": presence, "account": account, "invited": invited, "claim": claim}


def resigned(lying: Lying, **changed: object) -> bytes:
    """The record with other fields under a good signature of its signer: what only whoever has the keys can make."""
    fields = {name: getattr(record.decode(Record, lying.raw, 4096), name) for name, _ in record.rules(Record)}
    fields |= changed
    said = [value for name, value in fields.items() if name != "signature"]
    signature = lying.signer.key.sign(Label.DHT, wire.encode((Record.KIND, *said)))
    return wire.encode((Record.KIND, *said, signature))
