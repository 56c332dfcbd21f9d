"""Our own account and device: keys, certificate, device lists, presence and transport keys.

Contacts are in people.py, prekeys in prekeys.py.
"""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from crypto import keys, words
from crypto.keys import DhKey, SigningKey, fingerprint
from protocol import identity as documents
from protocol import ids, record
from protocol.identity import Certificate, DeviceList
from store.database import Tx

CERTIFICATE_LIFE_S = 10 * 365 * 86_400  # a lost device is revoked by the next list, not by waiting
FIRST_S = 1_735_689_600  # 2025: older than weft, so that a certificate made by a wrong clock is good by the right one
TRANSPORT_LIFE_MS = 7 * 86_400_000  # docs/protocol/identity.md: a PeerId lives a week
LIST_BYTES_MAX = 8 * 1024
CERTIFICATE_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who we are. recovery: the 32 bytes of the words; lists: our newest 8 device lists, oldest first.

    transport_seed: of the Ed25519 key behind our PeerId, since transport_since_ms; presence: 32 bytes, with its epoch.
    """

    account: ids.AccountId
    recovery: bytes = field(compare=False)
    device_key: SigningKey
    identity_key: DhKey
    certificate: Certificate
    lists: tuple[DeviceList, ...]
    name: str
    transport_seed: bytes = field(compare=False)
    transport_since_ms: int
    presence: bytes = field(compare=False)
    presence_epoch: int

    @property
    def device(self) -> ids.DeviceId:
        """The public half of the device key: the device's name."""
        return ids.DeviceId(self.device_key.public)

    def account_key(self) -> SigningKey:
        """The account key, made from the words for the moment in which it signs."""
        return words.account_key(self.recovery)

    def __repr__(self) -> str:
        return f"Identity({fingerprint(self.account)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an identity is not pickled")


def create_identity(tx: Tx, recovery: bytes, name: str, now_ms: int, entropy: keys.Entropy) -> Identity:
    """A new device of the account of these 32 bytes, its certificate and first device list, stored.

    Raises: OverLimit for a name that a card cannot carry. There is no identity in the database yet.
    """
    account_key = words.account_key(recovery)
    keys_of, certificate = _new_device(account_key, now_ms // 1000, entropy)
    first = documents.first_list(account_key, (certificate,), now_ms // 1000)
    return _insert(tx, recovery, keys_of, certificate, (first,), name, (entropy(32), entropy(32)), 1, now_ms)


def restore_identity(
    tx: Tx,
    recovery: bytes,
    name: str,
    lists: tuple[DeviceList, ...],
    presence: bytes,
    presence_epoch: int,
    now_ms: int,
    entropy: keys.Entropy,
) -> Identity:
    """A new device of the account of these 32 bytes in place of all those in its lists, stored with the lists.

    lists: own ones of before, checked, oldest first. presence_epoch: above those that contacts may hold.
    Raises: OverLimit for a name that a card cannot carry. There is no identity in the database yet.
    """
    account_key = words.account_key(recovery)
    keys_of, certificate = _new_device(account_key, now_ms // 1000, entropy)
    newest = documents.recovered_list(account_key, lists[-1], (certificate,), now_ms // 1000)
    secrets = (entropy(32), presence)
    return _insert(tx, recovery, keys_of, certificate, (*lists, newest), name, secrets, presence_epoch, now_ms)


def load_identity(tx: Tx) -> Identity | None:
    """Who we are, or None before `create_identity`."""
    row = tx.one(
        "SELECT recovery, device_seed, identity_secret, certificate, name, transport_seed, transport_since_ms,"
        " presence, presence_epoch FROM identity"
    )
    if row is None:
        return None
    recovery, device_seed, identity_secret, certificate, name, transport_seed, since_ms, presence, epoch = row
    newest = tx.all("SELECT raw FROM own_list ORDER BY epoch DESC LIMIT ?", (documents.LISTS_MAX,))
    lists = tuple(record.decode(DeviceList, raw, LIST_BYTES_MAX) for (raw,) in reversed(newest))
    return Identity(
        account=lists[-1].account,
        recovery=recovery,
        device_key=SigningKey(device_seed),
        identity_key=DhKey(identity_secret),
        certificate=record.decode(Certificate, certificate, CERTIFICATE_BYTES_MAX),
        lists=lists,
        name=name,
        transport_seed=transport_seed,
        transport_since_ms=since_ms,
        presence=presence,
        presence_epoch=epoch,
    )


def card(mine: Identity, now_ms: int) -> documents.Card:
    """How we present ourselves. Raises: OverLimit for a name that is not one line of 1 to 64 bytes."""
    return documents.Card(mine.account, mine.lists[-1], mine.certificate, mine.name, None, now_ms)


def rotate_transport(tx: Tx, seed: bytes, now_ms: int) -> None:
    """A new transport key from now on. seed: 32 random bytes."""
    tx.execute("UPDATE identity SET transport_seed = ?, transport_since_ms = ?", (seed, now_ms))


def transport_is_old(mine: Identity, now_ms: int) -> bool:
    """Whether the transport key has lived its week."""
    # A time in the future was given by a clock that was wrong: the key would live until then.
    return not 0 <= now_ms - mine.transport_since_ms < TRANSPORT_LIFE_MS


def renamed(tx: Tx, mine: Identity) -> Identity:
    """Us under the name that was set last."""
    row = tx.one("SELECT name FROM identity")
    assert row is not None
    return replace(mine, name=row[0])


def set_own_name(tx: Tx, mine: Identity, name: str, now_ms: int) -> Identity:
    """Us under another name. Raises: OverLimit."""
    renamed = replace(mine, name=name)
    card(renamed, now_ms)
    tx.execute("UPDATE identity SET name = ?", (name,))
    return renamed


def _new_device(
    account_key: SigningKey, now_s: int, entropy: keys.Entropy
) -> tuple[tuple[SigningKey, DhKey], Certificate]:
    """The keys of a new device, and its certificate."""
    device_key, identity_key = SigningKey(entropy(32)), DhKey(entropy(32))
    device = ids.DeviceId(device_key.public)
    begins, ends = FIRST_S, max(now_s, FIRST_S) + CERTIFICATE_LIFE_S
    return (device_key, identity_key), documents.certify(account_key, device, identity_key.public, 1, begins, ends)


def _insert(
    tx: Tx,
    recovery: bytes,
    device: tuple[SigningKey, DhKey],
    certificate: Certificate,
    lists: tuple[DeviceList, ...],
    name: str,
    secrets: tuple[bytes, bytes],
    presence_epoch: int,
    now_ms: int,
) -> Identity:
    """Stores who we are. secrets: transport seed and presence key. Raises: OverLimit."""
    assert load_identity(tx) is None
    (device_key, identity_key), (transport_seed, presence) = device, secrets
    mine = Identity(
        account=lists[-1].account,
        recovery=recovery,
        device_key=device_key,
        identity_key=identity_key,
        certificate=certificate,
        lists=lists[-documents.LISTS_MAX :],
        name=name,
        transport_seed=transport_seed,
        transport_since_ms=now_ms,
        presence=presence,
        presence_epoch=presence_epoch,
    )
    card(mine, now_ms)  # refuses a name that no card can carry
    tx.execute(
        "INSERT INTO identity (id, recovery, device_seed, identity_secret, certificate, name, transport_seed,"
        " transport_since_ms, presence, presence_epoch) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            recovery,
            device_key.seed,
            identity_key.secret,
            record.encode(certificate),
            name,
            transport_seed,
            now_ms,
            presence,
            presence_epoch,
        ),
    )
    tx.executemany(
        "INSERT INTO own_list (epoch, raw) VALUES (?, ?)", [(one.epoch, record.encode(one)) for one in lists]
    )
    return mine
