"""An account with a device and everything it signs, from a seed; and a session's first message between two of them."""

from dataclasses import dataclass, field

from crypto import handshake, ratchet
from crypto.keys import DhKey, Entropy, KemKey, SigningKey
from protocol import content, envelope, identity, ids, talk
from protocol.identity import Bundle, Card, Certificate, DeviceList
from tests.crypto.pairs import encapsulation_of, entropy_of

NOW_S = 1_800_000_000
NOW_MS = NOW_S * 1000
DAY_S = 86_400
YEAR_S = 365 * DAY_S


@dataclass(frozen=True)
class Someone:
    """An account key, one device and its prekeys. Entropy goes on where the keys ended."""

    entropy: Entropy
    account_key: SigningKey
    device_key: SigningKey
    identity_key: DhKey
    signed: DhKey
    kem: KemKey
    certificate: Certificate = field(init=False)
    devices: DeviceList = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "certificate", self.certify())
        object.__setattr__(self, "devices", identity.first_list(self.account_key, (self.certificate,), NOW_S))

    @property
    def account(self) -> ids.AccountId:
        return ids.AccountId(self.account_key.public)

    @property
    def device(self) -> ids.DeviceId:
        return ids.DeviceId(self.device_key.public)

    @property
    def party(self) -> handshake.Party:
        return handshake.Party(self.account, identity.certificate_hash(self.certificate), self.identity_key.public)

    def certify(self, serial: int = 1) -> Certificate:
        return identity.certify(
            self.account_key, self.device, self.identity_key.public, serial, NOW_S - DAY_S, NOW_S + YEAR_S
        )

    def bundle(self, one_time: identity.OneTime | None = None, not_after_s: int = NOW_S + 7 * DAY_S) -> Bundle:
        return identity.make_bundle(
            self.device_key,
            self.certificate,
            1,
            self.signed.public,
            1,
            self.kem.public,
            one_time,
            not_after_s,
            identity.list_hash(self.devices),
        )

    def one_time(self) -> identity.OneTime:
        key, kem = DhKey(self.entropy(32)), KemKey(self.entropy(64))
        return identity.make_one_time(self.device_key, 7, key.public, kem.public)

    def card(self, name: str = "Ana") -> Card:
        return Card(self.account, self.devices, self.certificate, name, None, NOW_MS)

    def introduction(self) -> talk.Introduction:
        return talk.Introduction(self.certificate, (self.devices,))


def someone(seed: str) -> Someone:
    """A person; the same for the same seed."""
    entropy = entropy_of(seed)
    return Someone(
        entropy,
        SigningKey(entropy(32)),
        SigningKey(entropy(32)),
        DhKey(entropy(32)),
        DhKey(entropy(32)),
        KemKey(entropy(64)),
    )


def first_words(asker: Someone, inviter: Someone, said: object) -> envelope.Init:
    """The init by which the asker starts a session with the inviter, saying a content."""
    bundle = inviter.bundle(inviter.one_time())
    assert bundle.one_time is not None
    ephemeral, encapsulate = DhKey(asker.entropy(32)), encapsulation_of(asker.entropy)
    prekeys = handshake.Prekeys(bundle.signed, bundle.one_time.key, bundle.one_time.kem)
    agreed, ciphertext = handshake.initiate(
        asker.party, asker.identity_key, inviter.party, prekeys, ephemeral, 0, encapsulate
    )
    session = ratchet.sending_first(agreed, bundle.signed, asker.entropy, NOW_MS)
    header, body = ratchet.encrypt(session, said_by(asker, said), asker.entropy, encapsulate, NOW_MS)
    return envelope.Init(
        asker.certificate,
        identity.list_hash(asker.devices),
        ephemeral.public,
        ciphertext,
        bundle.signed_number,
        bundle.one_time.number,
        bundle.one_time.number,
        0,
        envelope.Message(header, body),
    )


def said_by(author: Someone, what: object) -> bytes:
    """The content as the author puts it into a message."""
    message_id = ids.new_message_id(NOW_MS, author.entropy)
    return content.say(message_id=message_id, hlc_ms=NOW_MS, device_seq=1, parents=(), content=what)
