"""The records by which somebody can be found by a handle, if he wants to be: claims that nobody has verified.

Whoever knows a handle can compute the keys of its eight slots, at the price of one Argon2id, and write all of them. So
what is found there are at most eight claims, each an account id and a name, and what follows is the way of strangers
(account_record.py) and a request. Law: docs/protocol/rendezvous.md 6. The outer form: rendezvous.py.
"""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import hashing, vault
from crypto.hashing import Label
from crypto.vault import Cost
from protocol import identity, ids, record, rendezvous
from protocol.faults import UserFault

SLOTS = 8
MONTH_DAYS = 30  # whoever computes handles in bulk starts anew after so many days
HANDLE_CHARACTERS_MIN = 3
HANDLE_BYTES_MAX = 64
COST = vault.MODERATE  # 256 MiB, three passes: half a second for each guess at a handle


class BadHandle(UserFault):
    """A handle is one line of 3 characters or more, and of 64 bytes at most; nothing was done."""

    code = "handle.malformed"
    next = "weft contacts find --help"
    exit = 2


@record.record
@dataclass(frozen=True, slots=True)
class Claim:
    """That an account wants to be found by this handle. Nothing vouches for it, and the name is its own."""

    KIND: ClassVar[int] = 6

    account: ids.Account
    name: Annotated[str, record.Line(identity.NAME_BYTES_MAX)]


def normalised(handle: str) -> str:
    """The form in which a handle is looked up: compatibility forms, cases and spaces around it make no difference.

    Raises: BadHandle.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", handle).casefold()).strip()
    try:
        size = len(folded.encode())
    except UnicodeEncodeError:
        raise BadHandle from None
    if len(folded) < HANDLE_CHARACTERS_MIN or size > HANDLE_BYTES_MAX or not folded.isprintable():
        raise BadHandle
    return folded


def month_of(epoch: int) -> int:
    """The number of the thirty days in which this day is."""
    return epoch // MONTH_DAYS


def stretch(handle: str, month: int, cost: Cost = COST) -> bytes:
    """The key of a normalised handle for a month, 32 bytes: Argon2id (RFC 9106), so that guessing costs.

    It blocks for half a second and takes 256 MiB: called in a thread. Raises: MemoryShort.
    """
    salt = hashing.hash_of(Label.RENDEZVOUS, b"handle" + month.to_bytes(4, "big"))[: vault.SALT_BYTES]
    return vault.stretch(handle.encode(), salt, cost)


def slot_of(account: ids.AccountId, month: int) -> int:
    """The slot in which an account claims a handle in a month, 0 to 7."""
    return hashing.hash_of(Label.RENDEZVOUS, b"slot" + account + month.to_bytes(4, "big"))[0] % SLOTS


def keys_of(stretched: bytes, slot: int, epoch: int) -> rendezvous.Keys:
    """The keys of a slot of a handle on a day. stretched: from `stretch`, for the month of this day."""
    assert 0 <= slot < SLOTS
    return rendezvous.keys_of(hashing.subkey(stretched, Label.RENDEZVOUS, b"slot" + bytes((slot,))), epoch)


def seal(signer: rendezvous.Signer, keys: rendezvous.Keys, said: Claim, sequence: int, nonce: bytes) -> bytes:
    """The record, at most 1,024 bytes. sequence: from next_sequence; nonce: 24 random bytes."""
    assert signer.name == keys.name.public
    return rendezvous.write(signer, keys.seal, said, sequence, nonce)


def open_sealed(keys: rendezvous.Keys, raw: bytes, now_s: int) -> Claim:
    """What the record in a slot claims. Raises: what `rendezvous.check` does; Malformed."""
    found = rendezvous.check(rendezvous.dht_key(keys.name.public), raw, now_s)
    return rendezvous.open_sealed(found, keys.seal, Claim)
