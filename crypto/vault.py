"""The vault: the database key under a passphrase or under a key file.

The law is docs/protocol/vault.md 1. A random 32-byte database key is wrapped by a key from Argon2id (RFC 9106), so a
new passphrase wraps anew and touches no database. All of the header is associated data. Not here: reading and writing
the file (node/profile.py), the database itself (store/database.py). Argon2id blocks for 0.06 to 0.5 s: call it
from a thread.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13
from nacl.exceptions import RuntimeError as SodiumError

from crypto import sealing
from crypto.faults import Forged

DATABASE_KEY_BYTES = 32
SALT_BYTES = 16
PASSPHRASE_BYTES_MAX = 1024  # longer adds nothing, and a limit is a limit

_MAGIC = b"weftvlt\x01"
_PASSPHRASE, _KEY_FILE = 1, 2
_KIND = struct.Struct(">8sB")
_HEADER = struct.Struct(">8sBIQ16s")  # magic, kind, operations, memory in bytes, salt
_SEALED_BYTES = sealing.NONCE_BYTES + DATABASE_KEY_BYTES + sealing.TAG_BYTES


class WrongPassphrase(Exception):
    """This passphrase or key does not open the vault; try again, nothing was changed."""


class VaultDamaged(Exception):
    """The vault file is cut off, changed, or asks for less protection than weft allows; restore it from a copy."""


class MemoryShort(Exception):
    """This machine has not enough free memory to open or make the vault; close other programs and try again."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase costs: passes over the memory, and the memory in bytes."""

    operations: int
    memory_bytes: int


INTERACTIVE = Cost(2, 64 * 2**20)  # 64 ms; where the machine has less than 1 GiB
MODERATE = Cost(3, 256 * 2**20)  # 0.46 s; the default
FLOOR = INTERACTIVE  # a vault that asks for less was not made by weft
CEILING = Cost(64, 4 * 2**30)  # a vault that asks for more would only stop this machine


def wrap(database_key: bytes, passphrase: bytes, salt: bytes, nonce: bytes, cost: Cost) -> bytes:
    """The vault file, 109 bytes. database_key: 32 bytes; salt: 16 and nonce: 24 random bytes; cost: FLOOR or more.

    Raises: MemoryShort.
    """
    assert len(database_key) == DATABASE_KEY_BYTES
    assert _allowed(cost)
    header = _HEADER.pack(_MAGIC, _PASSPHRASE, cost.operations, cost.memory_bytes, salt)
    return header + sealing.seal(stretch(passphrase, salt, cost), nonce, database_key, header)


def unwrap(vault: bytes, passphrase: bytes) -> bytes:
    """The 32-byte database key.

    Raises: VaultDamaged when the file has the wrong shape or a cost outside FLOOR and CEILING, before any work;
    WrongPassphrase when it does not open; MemoryShort.
    """
    if kind_of(vault) != "passphrase":
        raise VaultDamaged
    _, _, operations, memory_bytes, salt = _HEADER.unpack_from(vault)
    cost = Cost(operations, memory_bytes)
    if not _allowed(cost):
        raise VaultDamaged
    if len(passphrase) > PASSPHRASE_BYTES_MAX:
        raise WrongPassphrase
    return _open(stretch(passphrase, salt, cost), vault, _HEADER.size)


def wrap_with_key(database_key: bytes, key: bytes, nonce: bytes) -> bytes:
    """The vault file for key file mode, 81 bytes. key: the 32 random bytes of the key file; nonce: 24 random bytes."""
    assert len(database_key) == DATABASE_KEY_BYTES
    header = _KIND.pack(_MAGIC, _KEY_FILE)
    return header + sealing.seal(key, nonce, database_key, header)


def unwrap_with_key(vault: bytes, key: bytes) -> bytes:
    """The 32-byte database key. Raises: VaultDamaged for a wrong shape, WrongPassphrase when the key does not fit."""
    if kind_of(vault) != "keyfile":
        raise VaultDamaged
    if len(key) != sealing.KEY_BYTES:
        raise WrongPassphrase
    return _open(key, vault, _KIND.size)


def kind_of(vault: bytes) -> Literal["passphrase", "keyfile"]:
    """How this vault opens. Raises: VaultDamaged when it is no whole vault file of a known form."""
    if len(vault) < _KIND.size:
        raise VaultDamaged
    match _KIND.unpack_from(vault):
        case (magic, kind) if (magic, kind) == (_MAGIC, _PASSPHRASE) and len(vault) == _HEADER.size + _SEALED_BYTES:
            return "passphrase"
        case (magic, kind) if (magic, kind) == (_MAGIC, _KEY_FILE) and len(vault) == _KIND.size + _SEALED_BYTES:
            return "keyfile"
        case _:
            raise VaultDamaged


def stretch(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    """The 32-byte key that Argon2id (RFC 9106) makes of a passphrase. salt: 16 bytes. Blocks. Raises: MemoryShort."""
    assert len(passphrase) <= PASSPHRASE_BYTES_MAX
    assert len(salt) == SALT_BYTES
    try:
        return crypto_pwhash_alg(
            sealing.KEY_BYTES, passphrase, salt, cost.operations, cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13
        )
    except SodiumError:
        raise MemoryShort from None


def _allowed(cost: Cost) -> bool:
    operations_fit = FLOOR.operations <= cost.operations <= CEILING.operations
    return operations_fit and FLOOR.memory_bytes <= cost.memory_bytes <= CEILING.memory_bytes


def _open(key: bytes, vault: bytes, header_bytes: int) -> bytes:
    try:
        return sealing.open_sealed(key, vault[header_bytes:], vault[:header_bytes])
    except Forged:
        raise WrongPassphrase from None
