"""Ids, their types and their texts (docs/protocol/text-forms.md 1 and 2).

An id is bytes inside weft and text only at its doors. Not here: invitation links (invite.py), safety numbers
(crypto/safety.py).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, NewType

from protocol import bech32, record
from protocol.faults import UserFault

if TYPE_CHECKING:  # the doors read ids and shall not load the cryptography behind keys.py
    from crypto.keys import Entropy

AccountId = NewType("AccountId", bytes)
"""Ed25519 public key of an account, 32 bytes."""
DeviceId = NewType("DeviceId", bytes)
"""Ed25519 public key of a device, 32 bytes."""
MessageId = NewType("MessageId", bytes)
"""ULID of a message, 16 bytes: 48 bits of ms time, 80 random."""
SessionId = NewType("SessionId", bytes)
"""Id of a session between two devices, 16 bytes."""

Account = Annotated[AccountId, record.Size(32)]
Device = Annotated[DeviceId, record.Size(32)]
Message = Annotated[MessageId, record.Size(16)]
Session = Annotated[SessionId, record.Size(16)]

ACCOUNT_BYTES = 32
ULID_BYTES = 16
CHANCE_BYTES = 10  # of a ULID: its 80 random bits
ULID_CHARACTERS = 26
SHORT_CHARACTERS = 8  # all random: the time of a ULID is in its first ten characters
SUFFIX_CHARACTERS_MIN = 4  # 20 random bits; several matches are listed, so a collision costs a question

_HRP = "wf"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)  # ten bits at a time: half the steps
_READ = {character: value for value, character in enumerate(_CROCKFORD)}
# Crockford base32: letters that are easily mistaken are read as the digit they look like.
_READ |= {"O": 0, "I": 1, "L": 1}


class BadAccount(UserFault):
    """This is no account id. It begins with wf1 and has 61 characters; copy it again, whole; nothing was done."""

    code = "account.malformed"
    next = "weft contacts"
    exit = 2


class BadId(UserFault):
    """This is no id, so nothing was done. Give its last four characters or more, as they are shown."""

    code = "id.malformed"
    next = "weft invite --list"
    exit = 2


def account_text(account: AccountId) -> str:
    """The text of an account id: wf1, 52 characters of data and 6 of checksum (bech32m, BIP-350)."""
    return bech32.encode(_HRP, account)


def account_from(text: str) -> AccountId:
    """The account id in a text, in either case, with white space around it.

    Raises: BadAccount, for one mistyped character too.
    """
    try:
        hrp, account = bech32.decode(text.strip())
    except bech32.BadChecksum:
        raise BadAccount from None
    if hrp != _HRP or len(account) != ACCOUNT_BYTES:
        raise BadAccount
    return AccountId(account)


def new_message_id(now_ms: int, entropy: "Entropy") -> MessageId:
    """A new ULID. now_ms: ms since 1970; only sorts rows in the maker's database and is never trusted by others."""
    return MessageId(now_ms.to_bytes(6, "big") + entropy(CHANCE_BYTES))


def ulid(id16: bytes) -> str:
    """The 26 Crockford base32 characters of a 16-byte id (github.com/ulid/spec)."""
    number = int.from_bytes(id16, "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def ulid_from(text: str) -> bytes:
    """The 16 bytes of a whole id in either case. Raises: BadId."""
    normal = matches(text)
    number = 0
    for character in normal:
        number = number << 5 | _READ[character]
    # 26 characters have 130 bits: the first is at most 7.
    if len(normal) != ULID_CHARACTERS or number >> 128:
        raise BadId
    return number.to_bytes(ULID_BYTES, "big")


def short(id16: bytes) -> str:
    """The last 8 characters of an id, all random: how it is shown."""
    return ulid(id16)[-SHORT_CHARACTERS:]


def matches(text: str) -> str:
    """The end of an id as `ulid` would have written it: upper case, mistakable letters as digits.

    Raises: BadId for fewer than 4 or more than 26 characters and for characters that no id has.
    """
    upper = text.strip().upper() if text.isascii() else ""
    if not SUFFIX_CHARACTERS_MIN <= len(upper) <= ULID_CHARACTERS or any(c not in _READ for c in upper):
        raise BadId
    return "".join(_CROCKFORD[_READ[c]] for c in upper)


def last_bytes(suffix: str) -> bytes:
    """The last two bytes of every id that ends so, by which it is looked for. suffix: as `matches` gives it."""
    number = 0
    for character in suffix[-SUFFIX_CHARACTERS_MIN:]:
        number = number << 5 | _READ[character]
    return (number & 0xFFFF).to_bytes(2, "big")


def matching(suffix: str, ids: Iterable[bytes]) -> tuple[bytes, ...]:
    """Those of the ids that end so, in their order. The caller lists several and says so. Raises: BadId."""
    normal = matches(suffix)
    return tuple(id16 for id16 in ids if ulid(id16).endswith(normal))
