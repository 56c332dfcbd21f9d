"""HPKE with X-Wing against the vectors of the HPKE working group and the library's own HPKE; bad keys and seals."""

import json
import os

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from hypothesis import given
from hypothesis import strategies as st

from crypto import keys, xwing
from crypto.faults import Forged
from crypto.keys import DhKey
from crypto.xwing import InboxKey
from tests.crypto import vectors
from tests.crypto.pairs import encapsulation_of, entropy_of, flipped

OURS = {"mode": 0, "kem_id": 0x647A, "kdf_id": 1, "aead_id": 3}
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
MINE, INFO = InboxKey(b"s" * 32), b"info"


def sealed(plaintext: bytes = b"text", public: bytes = MINE.public) -> bytes:
    entropy = entropy_of("sealed")
    return xwing.seal(public, INFO, plaintext, DhKey(entropy(32)), encapsulation_of(entropy), b"ad")


def test_a_seal_is_that_of_the_hpke_working_group() -> None:
    found = json.loads(vectors.text_of("HPKE/hpke-pq-test-vectors.json"))
    (vector,) = (one for one in found if {name: one[name] for name in OURS} == OURS)
    held = {name: bytes.fromhex(one) for name, one in vector.items() if isinstance(one, str)}
    mine = InboxKey(held["skRm"])
    assert mine.public == held["pkRm"]
    assert mine.decapsulate(held["enc"]) == held["shared_secret"]
    first = {name: bytes.fromhex(one) for name, one in vector["encryptions"][0].items()}
    assert xwing.open_sealed(mine, held["info"], held["enc"] + first["ct"], first["aad"]) == first["pt"]
    # X-Wing, 5.4: 32 bytes of chance for ML-KEM, then the X25519 key.
    chance = held["ikmE"]
    encapsulate = encapsulation_of(lambda _: chance[:32])
    again = xwing.seal(mine.public, held["info"], first["pt"], DhKey(chance[32:]), encapsulate, first["aad"])
    assert again == held["enc"] + first["ct"]


def theirs(mine: InboxKey) -> tuple[MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey]:
    """The same key pair as the library holds it."""
    private = MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(mine._kem.seed), X25519PrivateKey.from_private_bytes(mine._dh.secret)
    )
    public = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(mine.public[:1184]), X25519PublicKey.from_public_bytes(mine.public[1184:])
    )
    return private, public


@given(seed=st.binary(min_size=32, max_size=32), text=st.binary(), info=st.binary(max_size=40))
def test_the_library_opens_ours_and_we_open_the_librarys(seed: bytes, text: bytes, info: bytes) -> None:
    mine = InboxKey(seed)
    private, public = theirs(mine)
    assert xwing.open_sealed(mine, info, SUITE.encrypt(text, public, info)) == text
    ours = xwing.seal(mine.public, info, text, DhKey(os.urandom(32)), keys.encapsulate)
    assert len(ours) == len(text) + xwing.OVERHEAD_BYTES
    assert SUITE.decrypt(ours, private, info) == text
    with pytest.raises(InvalidTag):
        SUITE.decrypt(ours, private, info + b"x")


def test_what_was_sealed_is_opened_and_nothing_else() -> None:
    good = sealed()
    assert good == sealed()
    assert xwing.open_sealed(MINE, INFO, good, b"ad") == b"text"
    for mine, info, ad in ((InboxKey(b"S" * 32), INFO, b"ad"), (MINE, b"inf", b"ad"), (MINE, INFO, b"")):
        with pytest.raises(Forged):
            xwing.open_sealed(mine, info, good, ad)
    for bit in (*range(0, xwing.HEAD_BYTES * 8, 97), *range(xwing.HEAD_BYTES * 8, len(good) * 8)):
        with pytest.raises(Forged):
            xwing.open_sealed(MINE, INFO, flipped(good, bit), b"ad")


@pytest.mark.parametrize("size", [0, 1, xwing.HEAD_BYTES - 1, xwing.HEAD_BYTES, xwing.OVERHEAD_BYTES - 1])
def test_too_short_is_forged(size: int) -> None:
    with pytest.raises(Forged):
        xwing.open_sealed(MINE, INFO, sealed(b"")[:size], b"ad")
    with pytest.raises(Forged):
        MINE.decapsulate(bytes(size if size < xwing.HEAD_BYTES else size + 1))


def test_a_sealed_nothing_is_nothing() -> None:
    assert xwing.open_sealed(MINE, INFO, sealed(b""), b"ad") == b""


@pytest.mark.parametrize("low", vectors.LOW_ORDER, ids=bytes.hex)
def test_case_5_a_key_of_low_order_is_forged(low: bytes) -> None:
    with pytest.raises(Forged):
        sealed(public=MINE.public[:1184] + low)
    good = sealed()
    with pytest.raises(Forged):
        xwing.open_sealed(MINE, INFO, good[:1088] + low + good[xwing.HEAD_BYTES :], b"ad")


def test_case_6_what_is_no_key_is_forged() -> None:
    bad = b"\xff" * 1184 + MINE.public[1184:]
    xwing.require_public(MINE.public)
    for public in (b"", MINE.public[:-1], MINE.public + b"\x00", bad):
        with pytest.raises(Forged):
            xwing.require_public(public)
        with pytest.raises(Forged):
            xwing.seal(public, INFO, b"text", DhKey(b"e" * 32), keys.encapsulate)
