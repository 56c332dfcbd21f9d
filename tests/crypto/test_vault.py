"""The vault against OpenSSL's Argon2id and a second XChaCha20; everything that must be refused."""

import struct

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from crypto import vault
from crypto.vault import CEILING, FLOOR, INTERACTIVE, Cost, VaultDamaged, WrongPassphrase
from tests.crypto import vectors
from tests.crypto.pairs import flipped

KEY, SALT, NONCE = b"d" * 32, bytes(range(16)), bytes(range(24))
PASSPHRASE = "pass phräse".encode()


@pytest.fixture(scope="module")
def made() -> bytes:
    return vault.wrap(KEY, PASSPHRASE, SALT, NONCE, INTERACTIVE)


def test_the_oracle_gives_the_outputs_of_rfc_9106() -> None:
    seen = 0
    for vector in vectors.blocks("KDF/argon2id.txt"):
        if "output" not in vector or int(vector["memcost"]) > 4096:
            continue
        optional = {name: bytes.fromhex(vector[name]) for name in ("secret", "ad") if name in vector}
        argon = Argon2id(
            salt=bytes.fromhex(vector["salt"]),
            length=len(vector["output"]) // 2,
            iterations=int(vector["iter"]),
            lanes=int(vector["lanes"]),
            memory_cost=int(vector["memcost"]),
            **optional,
        )
        if len(vector["salt"]) >= 16:
            assert argon.derive(bytes.fromhex(vector["pass"])).hex() == vector["output"]
            seen += 1
    assert seen >= 2


def test_a_vault_opens_with_openssl_and_a_second_cipher(made: bytes) -> None:
    assert len(made) == 109
    magic, kind, operations, memory, salt = struct.unpack_from(">8sBIQ16s", made)
    assert (magic, kind, salt) == (b"weftvlt\x01", 1, SALT)
    argon = Argon2id(salt=salt, length=32, iterations=operations, lanes=1, memory_cost=memory // 1024)
    cipher = ChaCha20_Poly1305.new(key=argon.derive(PASSPHRASE), nonce=made[37:61])
    cipher.update(made[:37])
    assert cipher.decrypt_and_verify(made[61:93], made[93:]) == KEY


def test_a_vault_opens_with_its_passphrase_and_a_key_file_vault_with_its_key(made: bytes) -> None:
    assert vault.unwrap(made, PASSPHRASE) == KEY
    assert vault.kind_of(made) == "passphrase"
    by_key = vault.wrap_with_key(KEY, b"f" * 32, NONCE)
    assert len(by_key) == 81
    assert vault.kind_of(by_key) == "keyfile"
    assert vault.unwrap_with_key(by_key, b"f" * 32) == KEY


def test_case_56_a_wrong_passphrase_or_key_is_refused(made: bytes) -> None:
    for passphrase in (b"", PASSPHRASE + b" ", PASSPHRASE[:-1]):
        with pytest.raises(WrongPassphrase):
            vault.unwrap(made, passphrase)
    with pytest.raises(WrongPassphrase):
        vault.unwrap(made, b"x" * 1025)
    by_key = vault.wrap_with_key(KEY, b"f" * 32, NONCE)
    for key in (b"F" * 32, b"f" * 31, b""):
        with pytest.raises(WrongPassphrase):
            vault.unwrap_with_key(by_key, key)


def test_case_56_a_truncated_or_longer_file_is_damaged(made: bytes) -> None:
    by_key = vault.wrap_with_key(KEY, b"f" * 32, NONCE)
    for whole in (made, by_key):
        for length in range(len(whole)):
            if whole is made and length == len(by_key):
                continue  # the length of the other form, told apart by its kind: below
            with pytest.raises(VaultDamaged):
                vault.kind_of(whole[:length])
        with pytest.raises(VaultDamaged):
            vault.kind_of(whole + b"\x00")
    with pytest.raises(VaultDamaged):
        vault.unwrap(made[: len(by_key)], PASSPHRASE)
    with pytest.raises(VaultDamaged):
        vault.unwrap(by_key, PASSPHRASE)
    with pytest.raises(VaultDamaged):
        vault.unwrap_with_key(made, b"f" * 32)


@pytest.mark.parametrize(
    "cost",
    [
        Cost(FLOOR.operations - 1, FLOOR.memory_bytes),
        Cost(FLOOR.operations, FLOOR.memory_bytes - 1),
        Cost(0, 0),
        Cost(1, 8192),
        Cost(CEILING.operations + 1, FLOOR.memory_bytes),
        Cost(FLOOR.operations, CEILING.memory_bytes + 1),
        Cost(2**32 - 1, 2**64 - 1),
    ],
)
def test_case_56_lowered_or_absurd_parameters_are_refused_before_any_work(made: bytes, cost: Cost) -> None:
    changed = made[:9] + struct.pack(">IQ", cost.operations, cost.memory_bytes) + made[21:]
    with pytest.raises(VaultDamaged):
        vault.unwrap(changed, PASSPHRASE)


def test_case_56_a_vault_planted_with_a_low_cost_and_the_right_passphrase_is_refused() -> None:
    argon = Argon2id(salt=SALT, length=32, iterations=1, lanes=1, memory_cost=8)
    header = struct.pack(">8sBIQ16s", b"weftvlt\x01", 1, 1, 8192, SALT)
    cipher = ChaCha20_Poly1305.new(key=argon.derive(PASSPHRASE), nonce=NONCE)
    cipher.update(header)
    planted = header + NONCE + b"".join(cipher.encrypt_and_digest(KEY))
    assert len(planted) == 109
    with pytest.raises(VaultDamaged):
        vault.unwrap(planted, PASSPHRASE)


@pytest.mark.parametrize("byte", [0, 7, 8, 12, 20, 22, 40, 70, 108])
def test_case_56_a_changed_field_is_refused(made: bytes, byte: int) -> None:
    with pytest.raises((VaultDamaged, WrongPassphrase)):
        vault.unwrap(flipped(made, byte * 8), PASSPHRASE)


def test_every_bit_of_a_key_file_vault_is_authenticated() -> None:
    by_key = vault.wrap_with_key(KEY, b"f" * 32, NONCE)
    for bit in range(len(by_key) * 8):
        with pytest.raises((VaultDamaged, WrongPassphrase)):
            vault.unwrap_with_key(flipped(by_key, bit), b"f" * 32)
