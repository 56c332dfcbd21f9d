"""Blinded keys: Tor's vectors, other libraries' verification, and what is no key."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import VerifyKey

from crypto import blinding, keys
from crypto.faults import Forged
from crypto.hashing import Label, labelled
from crypto.keys import SigningKey
from tests.crypto.vectors import LOW_ORDER_POINTS, TOR_BLINDING

seeds = st.binary(min_size=32, max_size=32)


def tor_tweak(param: str) -> bytes:
    """How the version of Tor that made the vectors derives a tweak."""
    return hashlib.sha512(b"Derive temporary signing key" + bytes.fromhex(param)).digest()[:32]


@pytest.mark.parametrize(("seed", "public", "param", "scalar", "nonce_key", "blinded"), TOR_BLINDING)
def test_the_arithmetic_is_that_of_tor(
    seed: str, public: str, param: str, scalar: str, nonce_key: str, blinded: str
) -> None:
    key = SigningKey(bytes.fromhex(seed))
    assert key.public.hex() == public
    made = blinding.blind(key, tor_tweak(param))
    assert (made.scalar.hex(), made.nonce_key.hex(), made.public.hex()) == (scalar, nonce_key, blinded)
    assert blinding.blind_public(key.public, tor_tweak(param)).hex() == blinded


@given(seeds, seeds, st.binary(max_size=100))
def test_both_sides_blind_alike_and_everybody_verifies(seed: bytes, tweak: bytes, message: bytes) -> None:
    key = SigningKey(seed)
    made = blinding.blind(key, tweak)
    assert made.public == blinding.blind_public(key.public, tweak)
    signature = made.sign(Label.RENDEZVOUS, message)
    keys.verify(made.public, Label.RENDEZVOUS, message, signature)
    said = labelled(Label.RENDEZVOUS, message)
    VerifyKey(made.public).verify(said, signature)
    Ed25519PublicKey.from_public_bytes(made.public).verify(signature, said)


@given(seeds, seeds, st.integers(0, 511))
def test_no_bit_of_a_signature_can_be_changed(seed: bytes, tweak: bytes, bit: int) -> None:
    made = blinding.blind(SigningKey(seed), tweak)
    changed = bytearray(made.sign(Label.RENDEZVOUS, b"said"))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Forged):
        keys.verify(made.public, Label.RENDEZVOUS, b"said", bytes(changed))
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(made.public).verify(bytes(changed), labelled(Label.RENDEZVOUS, b"said"))


def test_two_tweaks_give_two_keys_and_two_nonces_for_one_message() -> None:
    key = SigningKey(b"k" * 32)
    one, other = (blinding.blind(key, bytes((day,)) * 32) for day in (8, 16))
    assert one.public != other.public != key.public
    # One nonce under two blinded keys would give the account key away to anybody who knows the tweaks.
    assert one.sign(Label.DHT, b"said")[:32] != other.sign(Label.DHT, b"said")[:32]
    with pytest.raises(Forged):
        keys.verify(other.public, Label.DHT, b"said", one.sign(Label.DHT, b"said"))


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), b"\x02" + bytes(31), b"\xff" * 32, *LOW_ORDER_POINTS])
def test_what_is_no_key_of_full_order_is_forged(public: bytes) -> None:
    with pytest.raises(Forged):
        blinding.blind_public(public, b"t" * 32)
