"""What a message says once its body is open: a fixed head, and fields that a room defines (docs/protocol/wire.md 4).

    [kind, message-id, conversation, time, sequence, [parents], [fields of the kind], expiry]

Rooms define contents in features/<room>/content.py: records with a KIND of their range and CHANNELS, the only ways such
a content may arrive. The sender is never in here: he is whoever the session belongs to. Not here: seals and sessions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from crypto.faults import Malformed, PeerFault
from protocol import record, wire
from protocol.faults import OverLimit
from protocol.ids import MessageId

CONTENT_BYTES_MAX = (
    60 * 1024
)  # inside a restart, with the largest header, it still fits the 64 KiB bucket; more is a blob
PARENTS_MAX = 8
KIND_MIN = 100  # below it are the structures that rooms do not define
KIND_MAX = 65_535
EXPIRE_S_MAX = 2**32 - 1

_TIME_MS_MAX = 2**48 - 1
_NULL = b"\xf6"


class Channel(Enum):
    """The ways in which a content can arrive."""

    INIT = "init"  # the message inside an init or restart
    RATCHET = "ratchet"  # a message of an established session
    LOG = "log"  # the content of an entry, alone: no head, no message


class WrongChannel(PeerFault):
    """A peer said something in a place where such things are not said; it was dropped."""


@dataclass(frozen=True, slots=True)
class Said:
    """An opened content. hlc_ms, device_seq: the sender's clock and number, only used for order.

    parents: ids of the newest messages the sender had seen. expire_s: life after reading, or None. content: None when
    this version knows no such kind, or not all of its fields: raw is kept and heard again after an upgrade. raw: the
    bytes as they came.
    """

    kind: int
    message_id: MessageId
    conversation: bytes | None
    hlc_ms: int
    device_seq: int
    parents: tuple[MessageId, ...]
    expire_s: int | None
    content: Any
    raw: bytes

    def __repr__(self) -> str:
        return f"Said(kind={self.kind}, {len(self.raw)} bytes)"


def say(
    *,
    message_id: MessageId,
    hlc_ms: int,
    device_seq: int,
    parents: tuple[MessageId, ...],
    content: Any,
    conversation: bytes | None = None,
    expire_s: int | None = None,
) -> bytes:
    """The bytes of a content, at most 60 KiB.

    message_id, parents: 16 bytes each, at most 8 parents. conversation: 32 bytes, None for the pair's own.
    Raises: OverLimit.
    """
    head = (content.KIND, message_id, conversation, hlc_ms, device_seq, parents)
    if not _is_head(*head, expire_s):
        raise OverLimit("This message has a head that the protocol does not allow.")
    raw = wire.encode((*head, record.said_fields(content), expire_s))
    if len(raw) > CONTENT_BYTES_MAX:
        raise OverLimit("This message is too long. Send it as a file, or in parts.", bytes_max=CONTENT_BYTES_MAX)
    return raw


class Kinds:
    """The contents that this node understands, by kind; made once at start from all rooms."""

    def __init__(self, classes: Iterable[type]) -> None:
        """classes: records with KIND (100 to 65,535) and CHANNELS. Raises: ValueError when two claim one kind."""
        kinds: dict[int, type] = {}
        for cls in classes:
            kind: int = cls.KIND  # type: ignore[attr-defined]
            if kind in kinds or not KIND_MIN <= kind <= KIND_MAX or not cls.CHANNELS:  # type: ignore[attr-defined]
                raise ValueError(f"{cls.__qualname__}: kind {kind} is taken, out of range or has no channel")
            kinds[kind] = cls
        self.classes: Mapping[int, type] = kinds

    def hear(self, raw: bytes, channel: Channel) -> Said:
        """What the opened body of a message says.

        A kind that is unknown here, or a known one with more fields than here, is kept: Said.content is None.
        Raises: Malformed; WrongChannel when a content of this kind may not arrive so.
        """
        value: Any = wire.decode(raw, CONTENT_BYTES_MAX)
        if type(value) is not tuple or len(value) != 8:
            raise Malformed
        kind, message_id, conversation, hlc_ms, device_seq, parents, values, expire_s = value
        head_is_good = _is_head(kind, message_id, conversation, hlc_ms, device_seq, parents, expire_s)
        if not head_is_good or type(values) is not tuple:
            raise Malformed
        content = self._content(kind, values, channel)
        return Said(kind, message_id, conversation, hlc_ms, device_seq, parents, expire_s, content, raw)

    def _content(self, kind: int, values: tuple[wire.Value, ...], channel: Channel) -> object | None:
        cls = self.classes.get(kind)
        if cls is None:
            return None
        if channel not in cls.CHANNELS:  # type: ignore[attr-defined]
            raise WrongChannel
        if len(values) > record.field_count(cls):
            return None
        content: object = record.parse_fields(cls, values)
        return content


def passes(raw: bytes) -> bool:
    """Whether a content that was heard before is to disappear: it has an expiry."""
    ends = len(raw) >= 5 and (raw[-2] == 0x18 or raw[-3] == 0x19 or raw[-5] == 0x1A)
    if raw[-1:] == _NULL and not ends:  # nearly always; decoding takes a hundred times as long
        return False
    value: Any = wire.decode(raw, CONTENT_BYTES_MAX)
    return value[-1] is not None


def device_seq_of(raw: bytes) -> int:
    """The number of a content that was said or heard before."""
    value: Any = wire.decode(raw, CONTENT_BYTES_MAX)
    return int(value[4])


def _is_head(
    kind: Any, message_id: Any, conversation: Any, hlc_ms: Any, device_seq: Any, parents: Any, expire_s: Any
) -> bool:
    """Whether everything around the fields is within the limits; exact types, because a bool is no integer here."""
    return (
        type(kind) is int
        and KIND_MIN <= kind <= KIND_MAX
        and type(message_id) is bytes
        and len(message_id) == 16
        and (conversation is None or (type(conversation) is bytes and len(conversation) == 32))
        and type(hlc_ms) is int
        and 0 <= hlc_ms <= _TIME_MS_MAX
        and type(device_seq) is int
        and 0 <= device_seq <= record.SAFE_INT_MAX
        and type(parents) is tuple
        and len(parents) <= PARENTS_MAX
        and all(type(parent) is bytes and len(parent) == 16 for parent in parents)
        and (expire_s is None or (type(expire_s) is int and 0 < expire_s <= EXPIRE_S_MAX))
    )
