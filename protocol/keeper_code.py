"""The code of one's own keeper, which its program shows and the owner's device takes (docs/protocol/text-forms.md 4).

    version 1 || transport key 32 || permit 32 || find 32 || at most 2 addresses         weft:k/ and base64url

Whoever has it may have mail kept there in the owner's place, and finds the keeper; nothing that lies there opens with
it. Not here: what a permit is (keep.py), the keeper's record in the DHT (presence_record.py under keys_of(find, day)).
"""

import base64
import binascii
from dataclasses import dataclass

from protocol import invite
from protocol.faults import OverLimit, UserFault
from protocol.ids import DeviceId
from protocol.invite import BadLink, Endpoint

PREFIX = "weft:k/"
VERSION = 1
SECRET_BYTES = 32  # of the permit, and of what finds it
BYTES_MIN = 1 + 3 * 32
BYTES_MAX = BYTES_MIN + 2 * 19
TEXT_CHARACTERS_MAX = len(PREFIX) + (BYTES_MAX * 4 + 2) // 3
KEEPER = DeviceId(bytes(32))  # what stands for the device in the record of a keeper, which is none


class BadCode(UserFault):
    """This is no whole code of a keeper, so nothing was changed. Copy it again: it begins with weft:k/."""

    code = "keeper.code"
    next = "weft keeper node --code"
    exit = 2


class NewerCode(UserFault):
    """This code was made by a newer weft; nothing was changed. Update weft and try again."""

    code = "keeper.newer"
    next = "weft version"
    exit = 1


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """What an owner's device must know. peer: the keeper's transport key; find: 32 bytes. Raises: OverLimit."""

    peer: bytes
    permit: bytes
    find: bytes
    addresses: tuple[Endpoint, ...]

    def __post_init__(self) -> None:
        fits = (len(self.peer), len(self.permit), len(self.find)) == (32, SECRET_BYTES, SECRET_BYTES)
        if not fits or len(self.addresses) > invite.ADDRESSES_MAX:
            raise OverLimit("This does not fit the code of a keeper.")

    def __repr__(self) -> str:
        return f"Code({len(self.addresses)} addresses)"


def code_text(code: Code) -> str:
    """weft:k/ and base64url without padding: at most 187 characters."""
    raw = bytes((VERSION,)) + code.peer + code.permit + code.find + invite.endpoint_bytes(code.addresses)
    return _text(raw)


def code_from(text: str) -> Code:
    """The code in a text, with white space around it. Raises: BadCode, NewerCode."""
    stripped = text.strip()
    if not stripped.startswith(PREFIX) or len(stripped) > TEXT_CHARACTERS_MAX:
        raise BadCode
    coded = stripped.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCode from None
    # Unused bits of the last character would give one code several texts.
    if len(raw) < BYTES_MIN or _text(raw) != stripped:
        raise BadCode
    if raw[0] != VERSION:
        raise NewerCode if raw[0] > VERSION else BadCode
    try:
        return Code(raw[1:33], raw[33:65], raw[65:97], invite.endpoints_of(raw[BYTES_MIN:]))
    except BadLink:
        raise BadCode from None


def _text(raw: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
