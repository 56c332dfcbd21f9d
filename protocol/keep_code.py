"""The code of a keeper node of one's own: what `weft keeper node` shows, and `weft keeper use` takes.

    weft:k/ base64url( version 1 || permit 32 || find 32 || PeerId 32 || endpoints 0-2, 7 or 19 each || check 4 )

Whoever has it may have mail kept there, so it is for its owner alone. docs/protocol/text-forms.md 4.
"""

import base64
import binascii
from dataclasses import dataclass, field

from crypto import hashing
from crypto.hashing import Label
from protocol import invite
from protocol.faults import OverLimit, UserFault
from protocol.ids import DeviceId
from protocol.invite import Endpoint

PREFIX = "weft:k/"
VERSION = 1
CHECK_BYTES = 4
TEXT_CHARACTERS_MAX = 200
KEEPER = DeviceId(bytes(32))  # what stands for the device in the record of a keeper, which is none
_HEAD_BYTES = 1 + 3 * 32
_CHECK = b"code"  # what the check is made for; the frames of keep.md have other labels


class BadCode(UserFault):
    """This is no whole code of a keeper, so nothing was changed. Copy it again: it begins with weft:k/."""

    code = "keeper.code"
    next = "weft keeper use CODE"
    exit = 2


@dataclass(frozen=True, slots=True)
class Code:
    """A keeper node. permit: lets its owner enrol there; find: the secret of its record in the DHT; peer: its PeerId.

    endpoints: where it was when the code was made, at most 2. Raises: OverLimit.
    """

    permit: bytes = field(repr=False)
    find: bytes = field(repr=False)
    peer: bytes
    endpoints: tuple[Endpoint, ...]

    def __post_init__(self) -> None:
        sizes = (len(self.permit), len(self.find), len(self.peer))
        if sizes != (32, 32, 32) or len(self.endpoints) > invite.ADDRESSES_MAX:
            raise OverLimit("This keeper does not fit a code.")


def text_of(code: Code) -> str:
    """The code as text: at most 200 characters."""
    raw = bytes((VERSION,)) + code.permit + code.find + code.peer + invite.endpoint_bytes(code.endpoints)
    return _text(raw + _check(raw))


def of_text(text: str) -> Code:
    """The code in a text, with white space around it. Raises: BadCode, also for a newer one or one wrong character."""
    stripped = text.strip()
    if not stripped.startswith(PREFIX) or len(stripped) > TEXT_CHARACTERS_MAX:
        raise BadCode
    coded = stripped.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCode from None
    said, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
    if len(said) < _HEAD_BYTES or _check(said) != check or _text(raw) != stripped:
        raise BadCode
    if said[0] != VERSION:
        raise BadCode("This code was made by a newer weft; nothing was changed. Update weft.", next="weft version")
    try:
        endpoints = invite.endpoints_of(said[_HEAD_BYTES:])
    except invite.BadLink:
        raise BadCode from None
    return Code(said[1:33], said[33:65], said[65:97], endpoints)


def _check(raw: bytes) -> bytes:
    return hashing.keyed_id(_CHECK, Label.KEEP, raw)[:CHECK_BYTES]


def _text(raw: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
