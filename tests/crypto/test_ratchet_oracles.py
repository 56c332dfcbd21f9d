"""The ratchet against implementations that nobody here wrote: doubleratchet 1.3 and vodozemac.

doubleratchet has no header encryption and no KEM step: our headers are opened and sealed for it by the test, and our
end is told that it offered a KEM key just now. Its root KDF takes 64 bytes of the same HKDF of which we take 96.
"""

import random
from typing import Any

import pytest
import vodozemac
from Crypto.Cipher import ChaCha20_Poly1305
from doubleratchet import DoubleRatchet, Header
from doubleratchet.aead import AEAD, AuthenticationFailedException
from doubleratchet.diffie_hellman_ratchet import DuplicateMessageException
from doubleratchet.recommended import HashFunction, diffie_hellman_ratchet_curve25519, kdf_hkdf, kdf_separate_hmacs
from doubleratchet.types import EncryptedMessage

from crypto import header, keys, ratchet, sealing
from crypto.faults import BodyForged, Forged, PeerFault, Replayed, TooFarAhead
from crypto.keys import DhKey
from crypto.ratchet import Ratchet
from tests.crypto.pairs import (
    NOW_MS,
    Sealed,
    Write,
    end_of,
    entropy_of,
    initiated,
    known,
    read,
    responded,
    secrets_of,
    session,
    writer,
)

DIFFERENTIAL_MESSAGES = 1_200  # case 14 asks for 1,000
NEVER = -(10**9)  # messages since the last offer: none will come


class RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"weft/1/dr-root\x00"


class ChainKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class XChaCha(AEAD):
    """Bodies as weft has them, by a cipher that is not libsodium's."""

    nonces = entropy_of("doubleratchet nonces")

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        nonce = XChaCha.nonces(24)
        cipher = ChaCha20_Poly1305.new(key=key, nonce=nonce)
        cipher.update(associated_data)
        return nonce + b"".join(cipher.encrypt_and_digest(plaintext))

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        cipher = ChaCha20_Poly1305.new(key=key, nonce=ciphertext[:24])
        cipher.update(associated_data)
        try:
            return cipher.decrypt_and_verify(ciphertext[24:-16], ciphertext[-16:])
        except ValueError:
            raise AuthenticationFailedException from None


class Headers:
    """Stands between their plain headers and our sealed ones: each turn has the header key that our end expects."""

    def __init__(self, ours: Ratchet) -> None:
        self.ours = ours
        self.sealed: dict[Header, bytes] = {}
        self.keys: dict[bytes, bytes] = {}

    def for_us(self, plain: Header) -> bytes:
        if plain not in self.sealed:
            small = header.pack(plain.ratchet_pub, plain.previous_sending_chain_length, plain.sending_chain_length)
            key = self.keys.setdefault(plain.ratchet_pub, self.ours.receive_next)
            self.sealed[plain] = sealing.seal(key, b"h" * 24, small, self.ours.sid)
        return self.sealed[plain]

    def for_them(self, sealed: bytes) -> Header:
        """The header of a message that our end has just written."""
        plain = Header(*header.unpack_from(sealing.open_sealed(self.ours.send_header, sealed, self.ours.sid)))
        self.sealed[plain] = sealed
        return plain


class Theirs(DoubleRatchet):
    between: Headers

    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return associated_data + Theirs.between.for_us(header)


PARAMETERS: dict[str, Any] = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": RootKdf,
    "message_chain_kdf": ChainKdf,
    "message_chain_constant": b"\x02\x01",
    "dos_protection_threshold": 1000,
    "max_num_skipped_message_keys": 2000,
    "aead": XChaCha,
}


def _classical(r: Ratchet) -> Ratchet:
    r.messages = NEVER
    return r


def _agreed_session(seed: object) -> tuple[Ratchet, Ratchet, bytes, bytes]:
    """Both ends, the root key that they start from, and the responder's first ratchet secret."""
    entropy = entropy_of(seed)
    alice, bob, secrets = end_of(entropy), end_of(entropy), secrets_of(entropy)
    agreed, init = initiated(alice, bob, secrets.public(), DhKey(entropy(32)))
    assert known(agreed) == known(responded(init, bob, secrets))
    mine = ratchet.sending_first(agreed, secrets.signed.public, entropy, NOW_MS)
    theirs = ratchet.receiving_first(agreed, secrets.signed, NOW_MS)
    return _classical(mine), _classical(theirs), agreed.root, secrets.signed.secret


@pytest.mark.parametrize("we_start", [True, False])
async def test_case_14_differential_run_against_doubleratchet(we_start: bool) -> None:
    initiator, responder, root, prekey = _agreed_session(we_start)
    ours = initiator if we_start else responder
    headers = Theirs.between = Headers(ours)
    write = writer(we_start)
    their_first: tuple[bytes, Sealed] | None = None
    if we_start:
        sealed = write(ours, b"first")
        plain = headers.for_them(sealed.header)
        theirs, opened = await Theirs.decrypt_initial_message(
            **PARAMETERS,
            shared_secret=root,
            own_ratchet_priv=prekey,
            message=EncryptedMessage(plain, sealed.body),
            associated_data=ours.sid,
        )
        assert opened == b"first"
    else:
        theirs, message = await Theirs.encrypt_initial_message(
            **PARAMETERS,
            shared_secret=root,
            recipient_ratchet_pub=DhKey(prekey).public,
            message=b"first",
            associated_data=ours.sid,
        )
        their_first = b"first", Sealed(headers.sealed[message.header], message.ciphertext)
    await _exchange(theirs, headers, write, their_first)


async def _exchange(theirs: Theirs, headers: Headers, write: Write, their_first: tuple[bytes, Sealed] | None) -> None:
    """Both write, everything is shuffled and comes twice, and both read the same."""
    ours = headers.ours
    chance = random.Random(14)
    to_them: list[tuple[bytes, EncryptedMessage]] = []
    to_us: list[tuple[bytes, Sealed]] = [their_first] if their_first else []
    passed = written = 0
    while passed < DIFFERENTIAL_MESSAGES:
        for _ in range(chance.randrange(8) if ratchet.can_send(ours) else 0):
            text = b"ours %d" % written
            sealed = write(ours, text)
            assert len(sealed.header) == ratchet.HEADER_SMALL_BYTES
            to_them.append((text, EncryptedMessage(headers.for_them(sealed.header), sealed.body)))
            written += 1
        for _ in range(chance.randrange(8)):
            text = b"theirs %d" % written
            message = await theirs.encrypt_message(text, ours.sid)
            to_us.append((text, Sealed(headers.sealed[message.header], message.ciphertext)))
            written += 1
        chance.shuffle(to_them)
        chance.shuffle(to_us)
        for _ in range(chance.randrange(len(to_them) + 1)):
            text, message = to_them.pop()
            assert await theirs.decrypt_message(message, ours.sid) == text
            with pytest.raises((DuplicateMessageException, AuthenticationFailedException)):
                await theirs.decrypt_message(message, ours.sid)
            passed += 1
        for _ in range(chance.randrange(len(to_us) + 1)):
            text, sealed = to_us.pop()
            assert read(ours, sealed) == text
            with pytest.raises(Replayed):
                read(ours, sealed)
            passed += 1


def _vodozemac() -> tuple[vodozemac.Session, vodozemac.Session]:
    mine, theirs = vodozemac.Account(), vodozemac.Account()
    theirs.generate_one_time_keys(1)
    one_time = next(iter(theirs.one_time_keys.values()))
    sending = mine.create_outbound_session(theirs.curve25519_key, one_time)
    first = sending.encrypt(b"first").to_pre_key()
    assert first is not None
    receiving, opened = theirs.create_inbound_session(mine.curve25519_key, first)
    assert opened == b"first"
    sending.decrypt(receiving.encrypt(b"answer"))
    receiving.decrypt(sending.encrypt(b"normal from now"))
    return sending, receiving


def _ours() -> tuple[Ratchet, Ratchet, Write]:
    mine, theirs = session("vodozemac")
    write = writer("vodozemac")
    read(theirs, write(mine, b"first"))
    read(mine, write(theirs, b"answer"))
    read(theirs, write(mine, b"normal from now"))
    return mine, theirs, write


def test_skips_and_replays_are_decided_as_vodozemac_decides_them() -> None:
    """One random order of delivery, with repeats, for both; within the 40 skipped keys that vodozemac keeps."""
    sending, receiving = _vodozemac()
    mine, theirs, write = _ours()
    chance = random.Random(1)
    for _ in range(20):
        texts = [b"%d" % chance.randrange(10**6) for _ in range(30)]
        their_messages = [sending.encrypt(text) for text in texts]
        our_messages = [write(mine, text) for text in texts]
        for place in chance.choices(range(30), k=60):
            assert _their_verdict(receiving, their_messages[place]) == _our_verdict(theirs, our_messages[place])
        sending.decrypt(receiving.encrypt(b"turn"))
        read(mine, write(theirs, b"turn"))


def _their_verdict(r: vodozemac.Session, message: vodozemac.AnyOlmMessage) -> bytes | None:
    try:
        return r.decrypt(message)
    except vodozemac.OlmDecryptionException:
        return None


def _our_verdict(r: Ratchet, message: Sealed) -> bytes | None:
    try:
        return read(r, message)
    except PeerFault:
        return None


def test_the_gap_that_vodozemac_refuses_is_refused() -> None:
    sending, receiving = _vodozemac()
    mine, theirs, write = _ours()
    now_ms = NOW_MS + ratchet.DAY_MS
    for _ in range(ratchet.MAX_SKIP + 1):
        sending.encrypt(b"lost")
        write(mine, b"lost")
    assert _their_verdict(receiving, sending.encrypt(b"too far")) is None
    with pytest.raises(TooFarAhead):
        read(theirs, write(mine, b"too far"), now_ms)


def test_a_zero_ratchet_key_is_refused_by_both() -> None:
    sending, receiving = _vodozemac()
    receiving.decrypt(sending.encrypt(b"x"))
    sending.decrypt(receiving.encrypt(b"turn"))
    kind, message = sending.encrypt(b"with a zero key").to_parts()
    at = message.index(b"\n\x20") + 2  # the field of the ratchet key: tag 0x0a, 32 bytes
    changed = vodozemac.AnyOlmMessage.from_parts(kind, message[:at] + bytes(32) + message[at + 32 :])
    assert _their_verdict(receiving, changed) is None

    mine, theirs, write = _ours()
    write(theirs, b"begin a turn")
    zero = sealing.seal(theirs.receive_next, b"z" * 24, header.pack(bytes(32), 0, 0), mine.sid)
    with pytest.raises(BodyForged):
        read(theirs, Sealed(zero, bytes(40)))
    with pytest.raises(Forged):
        keys.agree(DhKey(b"s" * 32), bytes(32))
