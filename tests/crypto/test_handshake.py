"""PX3: computed a second time with other libraries, and attacked.

What needs certificates and bundles (cases 2, 4, 7, 10) is tested where those are, in tests/protocol.
"""

import contextlib
import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from kyber_py.ml_kem import ML_KEM_768

from crypto import handshake, ratchet
from crypto.faults import Forged, Malformed, PeerFault, Reflected, Replayed, Unreadable
from crypto.handshake import Agreed, Party, Prekeys, PrekeySecrets
from crypto.keys import DhKey, KemKey
from tests.crypto import vectors
from tests.crypto.pairs import (
    NOW_MS,
    End,
    Init,
    encapsulation_of,
    end_of,
    entropy_of,
    initiated,
    known,
    read,
    responded,
    secrets_of,
    state,
    writer,
)


def _setting(seed: object, one_time: bool = True) -> tuple[End, End, PrekeySecrets, DhKey]:
    entropy = entropy_of(seed)
    return end_of(entropy), end_of(entropy), secrets_of(entropy, one_time), DhKey(entropy(32))


def _first_message_opens(sent: Agreed, received: Agreed, secrets: PrekeySecrets) -> bool:
    mine = ratchet.sending_first(sent, secrets.signed.public, entropy_of("first"), NOW_MS)
    theirs = ratchet.receiving_first(received, secrets.signed, NOW_MS)
    try:
        return read(theirs, writer("first")(mine, b"hello")) == b"hello"
    except Unreadable:
        return False


@pytest.mark.parametrize("one_time", [True, False])
def test_both_ends_agree(one_time: bool) -> None:
    alice, bob, secrets, ephemeral = _setting("agree", one_time)
    sent, init = initiated(alice, bob, secrets.public(), ephemeral)
    received = responded(init, bob, secrets)
    assert known(sent) == known(received)
    assert len(set(known(sent))) == 5
    assert _first_message_opens(sent, received, secrets)


def _x(secret: bytes, public: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))


def agreed_again(alice: End, init: Init, bob: End, secrets: PrekeySecrets) -> tuple[bytes, tuple[bytes, ...]]:
    """The transcript hash, and what PX3 gives the responder, by the protocol's text with OpenSSL and kyber_py."""
    one_time = secrets.one_time
    message = b"weft/1/px3\x00" + alice.party.account + alice.party.cert_hash + alice.identity.public
    message += bob.party.account + bob.party.cert_hash + bob.identity.public + secrets.signed.public
    message += b"\x00" + bytes(32) if one_time is None else b"\x01" + one_time.public
    message += secrets.kem.public + init.ephemeral + init.ciphertext + init.counter.to_bytes(8, "big")
    assert len(message) == 11 + 7 * 32 + 1 + 32 + 1184 + 32 + 1088 + 8 - 0
    heard = hashlib.sha256(message).digest()
    ikm = b"\xff" * 32 + _x(secrets.signed.secret, alice.identity.public) + _x(bob.identity.secret, init.ephemeral)
    ikm += _x(secrets.signed.secret, init.ephemeral)
    ikm += b"" if one_time is None else _x(one_time.secret, init.ephemeral)
    ikm += ML_KEM_768.decaps(ML_KEM_768.key_derive(secrets.kem.seed)[1], init.ciphertext)
    okm = HKDF(SHA256(), 128, bytes(32), b"weft/1/px3\x00" + heard).derive(ikm)
    session = HKDF(SHA256(), 16, bytes(32), b"weft/1/sid\x00" + heard).derive(ikm)
    return heard, (session, okm[:32], okm[32:64], okm[64:96], okm[96:128])


@pytest.mark.parametrize("one_time", [True, False])
def test_the_result_is_that_of_the_protocols_text(one_time: bool) -> None:
    for number in range(3):
        alice, bob, secrets, ephemeral = _setting(number, one_time)
        sent, init = initiated(alice, bob, secrets.public(), ephemeral, counter=number * 2**33)
        assert known(sent) == agreed_again(alice, init, bob, secrets)[1]


def test_an_encapsulation_by_another_implementation_is_understood() -> None:
    alice, bob, secrets, ephemeral = _setting("kyber")
    encapsulate = encapsulation_of(entropy_of("kyber"))
    sent, init = initiated(alice, bob, secrets.public(), ephemeral, encapsulate=encapsulate)
    assert known(responded(init, bob, secrets)) == known(sent)


def test_case_1_stolen_identity_of_the_responder_does_not_impersonate_others_to_him() -> None:
    """The attacker holds B's identity key and plays A: DH1 needs A's identity secret or B's prekey."""
    alice, bob, secrets, ephemeral = _setting("kci")
    _, init = initiated(alice, bob, secrets.public(), ephemeral)
    received = responded(init, bob, secrets)
    attacker = DhKey(b"a" * 32)
    # He knows EK and every public key, and B's identity secret: DH2, DH3, DH4 and SS are his. For DH1 he can put the
    # agreement of any key that he holds with SPK, or of B's identity with A's.
    for known_dh1 in (_x(attacker.secret, secrets.signed.public), _x(bob.identity.secret, alice.identity.public)):
        forged = _agreed_with_dh1(known_dh1, alice, init, bob, secrets)
        assert not set(known(received)) & set(known(forged))
        assert not _first_message_opens(forged, received, secrets)
    true_dh1 = _x(alice.identity.secret, secrets.signed.public)
    assert known(_agreed_with_dh1(true_dh1, alice, init, bob, secrets)) == known(received)  # the attack is complete


def _agreed_with_dh1(dh1: bytes, alice: End, init: Init, bob: End, secrets: PrekeySecrets) -> Agreed:
    assert secrets.one_time
    heard = agreed_again(alice, init, bob, secrets)[0]
    ikm = b"\xff" * 32 + dh1 + _x(bob.identity.secret, init.ephemeral) + _x(secrets.signed.secret, init.ephemeral)
    ikm += _x(secrets.one_time.secret, init.ephemeral) + secrets.kem.decapsulate(init.ciphertext)
    okm = HKDF(SHA256(), 128, bytes(32), b"weft/1/px3\x00" + heard).derive(ikm)
    session = HKDF(SHA256(), 16, bytes(32), b"weft/1/sid\x00" + heard).derive(ikm)
    return Agreed(session, okm[:32], okm[32:64], okm[64:96], okm[96:128])


@pytest.mark.parametrize("one_time", [True, False])
def test_case_3_an_init_delivered_twice_gives_the_same_session_and_its_message_is_replayed(one_time: bool) -> None:
    alice, bob, secrets, ephemeral = _setting("twice", one_time)
    sent, init = initiated(alice, bob, secrets.public(), ephemeral)
    first, second = responded(init, bob, secrets), responded(init, bob, secrets)
    assert known(first) == known(second)
    theirs = ratchet.receiving_first(first, secrets.signed, NOW_MS)
    mine = ratchet.sending_first(sent, secrets.signed.public, entropy_of(3), NOW_MS)
    message = writer(3)(mine, b"hello")
    assert read(theirs, message) == b"hello"
    before = ratchet.freeze(theirs)
    with pytest.raises(Replayed):
        read(theirs, message)
    assert ratchet.freeze(theirs) == before


@pytest.mark.parametrize("public", vectors.LOW_ORDER, ids=bytes.hex)
def test_case_5_low_order_keys_make_no_session(public: bytes) -> None:
    alice, bob, secrets, ephemeral = _setting("low")
    prekeys = secrets.public()
    low = replace(bob.party, identity=public)
    for theirs, bundle in (
        (low, prekeys),
        (bob.party, replace(prekeys, signed=public)),
        (bob.party, replace(prekeys, one_time=public)),
    ):
        with pytest.raises(Forged):
            handshake.initiate(
                alice.party, alice.identity, theirs, bundle, ephemeral, 0, encapsulation_of(entropy_of(1))
            )
    _, init = initiated(alice, bob, prekeys, ephemeral)
    for changed in (init._replace(ephemeral=public), init._replace(theirs=replace(init.theirs, identity=public))):
        with pytest.raises(Forged):
            responded(changed, bob, secrets)


def test_case_6_wrong_ciphertext_lengths_are_forged_and_a_random_one_stays_unreadable() -> None:
    alice, bob, secrets, ephemeral = _setting("ct")
    sent, init = initiated(alice, bob, secrets.public(), ephemeral)
    for length in (0, 1087, 1089):
        with pytest.raises(Forged):
            responded(init._replace(ciphertext=bytes(length)), bob, secrets)
    received = responded(init._replace(ciphertext=entropy_of("random")(1088)), bob, secrets)
    assert not _first_message_opens(sent, received, secrets)
    theirs = ratchet.receiving_first(received, secrets.signed, NOW_MS)
    before = ratchet.freeze(theirs)
    with pytest.raises(Unreadable):
        read(theirs, writer(6)(ratchet.sending_first(sent, secrets.signed.public, entropy_of(6), NOW_MS), b"hello"))
    assert ratchet.freeze(theirs) == before


def test_case_6_an_invalid_ml_kem_key_makes_no_session() -> None:
    alice, bob, secrets, ephemeral = _setting("ek")
    with pytest.raises(Forged):
        initiated(alice, bob, replace(secrets.public(), kem=b"\xff" * 1184), ephemeral)


def test_case_8_own_names_and_keys_are_reflected() -> None:
    alice, bob, secrets, ephemeral = _setting("mirror")
    prekeys = secrets.public()
    same_account = End(replace(bob.party, account=alice.party.account), bob.identity)
    same_identity = End(replace(bob.party, identity=alice.identity.public), alice.identity)
    with pytest.raises(Reflected):
        initiated(alice, alice, prekeys, ephemeral)
    for mirror in (same_account, same_identity):
        with pytest.raises(Reflected):
            initiated(alice, mirror, prekeys, ephemeral)
    for signed in (alice.identity.public, ephemeral.public):
        with pytest.raises(Reflected):
            initiated(alice, bob, replace(prekeys, signed=signed), ephemeral)
    _, init = initiated(alice, bob, prekeys, ephemeral)
    for theirs in (bob.party, same_account.party, replace(alice.party, identity=bob.identity.public)):
        with pytest.raises(Reflected):
            responded(init._replace(theirs=theirs), bob, secrets)
    for mine in (bob.identity.public, secrets.signed.public):
        with pytest.raises(Reflected):
            responded(init._replace(ephemeral=mine), bob, secrets)


def test_case_9_a_recertified_key_does_not_take_over_an_init() -> None:
    """The attacker certifies A's identity key under his own account and replays A's init as his."""
    alice, bob, secrets, ephemeral = _setting("uks")
    sent, init = initiated(alice, bob, secrets.public(), ephemeral)
    for theirs in (
        replace(alice.party, account=b"e" * 32, cert_hash=b"c" * 32),
        replace(alice.party, account=b"e" * 32),
        replace(alice.party, cert_hash=b"c" * 32),
    ):
        received = responded(init._replace(theirs=theirs), bob, secrets)
        assert not set(known(sent)) & set(known(received))
        assert not _first_message_opens(sent, received, secrets)


def test_every_field_of_the_transcript_counts() -> None:
    alice, bob, secrets, ephemeral = _setting("fields")
    sent, init = initiated(alice, bob, secrets.public(), ephemeral, counter=7)
    without = PrekeySecrets(secrets.signed, None, secrets.kem)
    other_kem = PrekeySecrets(secrets.signed, secrets.one_time, KemKey(b"o" * 64))
    results = [
        sent,
        responded(init._replace(counter=8), bob, secrets),
        responded(init._replace(ephemeral=DhKey(b"x" * 32).public), bob, secrets),
        responded(init, End(replace(bob.party, account=b"b" * 32), bob.identity), secrets),
        responded(init, End(replace(bob.party, cert_hash=b"b" * 32), bob.identity), secrets),
        responded(init, bob, without),
        responded(init, bob, other_kem),
    ]
    values = [value for agreed in results for value in known(agreed)]
    assert len(set(values)) == len(values)


@settings(max_examples=30)
@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(-(2**65), 2**65))
def test_any_init_gives_a_session_or_a_peer_fault(ephemeral: bytes, ciphertext: bytes, counter: int) -> None:
    alice, bob, secrets, _ = _setting("fuzz")
    for ct in (ciphertext, ciphertext.ljust(1088, b"c")):
        with contextlib.suppress(PeerFault):
            responded(Init(alice.party, ephemeral, ct, counter), bob, secrets)


def test_names_and_prekeys_of_another_size_are_malformed() -> None:
    for sizes in ((31, 32, 32), (32, 33, 32), (32, 32, 0)):
        with pytest.raises(Malformed):
            Party(*(bytes(size) for size in sizes))
    for signed, one_time, kem in ((31, 32, 1184), (32, 33, 1184), (32, 0, 1184), (32, 32, 1183)):
        with pytest.raises(Malformed):
            Prekeys(bytes(signed), bytes(one_time), bytes(kem))


def test_state_of_a_refused_first_message_is_untouched() -> None:
    alice, bob, secrets, ephemeral = _setting("untouched")
    _, init = initiated(alice, bob, secrets.public(), ephemeral)
    theirs = ratchet.receiving_first(responded(init, bob, secrets), secrets.signed, NOW_MS)
    before = state(theirs)
    with pytest.raises(Unreadable):
        ratchet.decrypt(theirs, bytes(80), bytes(40), NOW_MS)
    assert state(theirs) == before
