"""What is said in a feed, and what its author and who answers tell others in their ratchets beside it.

What stands in entries is named by Ref: by its log and place. Who may open what: docs/protocol/moments.md; the sealing
of an entry is in protocol/moment.py.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from protocol import content, entry, record
from protocol.file import File
from protocol.preview import Preview
from protocol.record import Bytes16, Bytes32, TimeMs, TimeS
from protocol.url import URL_BYTES_MAX

TEXT_BYTES_MAX = 8 * 1024
COMMENT_BYTES_MAX = 2 * 1024
MEDIA_MAX = 9  # pictures, or one film
LABEL_BYTES_MAX = 200
DEGREE = 1_000_000  # parts of a degree; one is at most 11 cm
DROPS_MAX = 64
KEYS_MAX = 512
CHAINS_MAX = 64  # one for all contacts and one for each tag; a contact has at most 16

_PAIR = frozenset({content.Channel.RATCHET})
_LOG = frozenset({content.Channel.LOG})
Seq = Annotated[int, record.Range(0, entry.SEQ_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Ref:
    """An entry of a feed, by its log and place."""

    KIND: ClassVar[int] = 160

    log: Bytes16
    seq: Seq


@record.record
@dataclass(frozen=True, slots=True)
class Where:
    """A place that a post names. latitude, longitude: WGS 84, in millionths of a degree; both null where it is a name
    alone."""

    KIND: ClassVar[int] = 161

    label: Annotated[str, record.Utf8(LABEL_BYTES_MAX)]
    latitude: Annotated[int, record.Range(-90 * DEGREE, 90 * DEGREE)] | None = None
    longitude: Annotated[int, record.Range(-180 * DEGREE, 180 * DEGREE)] | None = None


@record.record
@dataclass(frozen=True, slots=True)
class Post:
    """A moment. at_ms: of when it is, by its author's clock. preview: of the link."""

    KIND: ClassVar[int] = 162
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]
    at_ms: TimeMs
    media: Annotated[tuple[File, ...], record.Count(MEDIA_MAX)] = ()
    link: Annotated[str, record.Url(URL_BYTES_MAX)] | None = None
    preview: Preview | None = None
    place: Where | None = None


@record.record
@dataclass(frozen=True, slots=True)
class Replace:
    """A post as it reads from now on, by its author."""

    KIND: ClassVar[int] = 163
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    post: Ref
    said: Post


@record.record
@dataclass(frozen=True, slots=True)
class Comment:
    """Words below a post. answers: another comment there."""

    KIND: ClassVar[int] = 164
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    post: Ref
    text: Annotated[str, record.Utf8(COMMENT_BYTES_MAX)]
    answers: Ref | None = None


@record.record
@dataclass(frozen=True, slots=True)
class Like:
    """The sender likes a post."""

    KIND: ClassVar[int] = 165
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    post: Ref


@record.record
@dataclass(frozen=True, slots=True)
class Hide:
    """The author of a post does not want an answer below it."""

    KIND: ClassVar[int] = 166
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    post: Ref
    answer: Ref


@record.record
@dataclass(frozen=True, slots=True)
class Drop:
    """Entries of this author whose contents nobody shall keep. For all who carry the log."""

    KIND: ClassVar[int] = 167
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    entries: Annotated[tuple[Ref, ...], record.Count(1, DROPS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Window:
    """How old what others are given and shown may be, 0 for any age. For all who carry the log."""

    KIND: ClassVar[int] = 168
    CHANNELS: ClassVar[frozenset[content.Channel]] = _LOG

    seconds: TimeS


@record.record
@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of an audience of the sender, where it stands; it goes on instead of the one before of this audience.
    audience: 16 bytes without meaning. root: of the chain in the log to which this one is handed over."""

    KIND: ClassVar[int] = 169

    audience: Bytes16
    log: Bytes16
    seq: Seq
    chain: Bytes32
    root: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Key:
    """What opens one entry of the sender: the key of a post, or the wrapping key of the place of an answer."""

    KIND: ClassVar[int] = 170

    log: Bytes16
    seq: Seq
    key: Bytes32


@record.record
@dataclass(frozen=True, slots=True)
class Chains:
    """The reader is in these audiences of the sender from now on. window_s: as in Window.

    window_ms: when the sender last said so in an entry, by his clock; 0 for never.
    """

    KIND: ClassVar[int] = 171
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    chains: Annotated[tuple[Chain, ...], record.Count(CHAINS_MAX)]
    window_s: TimeS
    window_ms: TimeMs = 0


@record.record
@dataclass(frozen=True, slots=True)
class Keys:
    """The reader may open these entries of the sender."""

    KIND: ClassVar[int] = 172
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    keys: Annotated[tuple[Key, ...], record.Count(1, KEYS_MAX)]


@record.record
@dataclass(frozen=True, slots=True)
class Answered:
    """The sender has answered a post of the reader; where: the entry in his own feed. text: null for a like.

    nonce: of the content of that entry, by which it is known where it stands in another place later.
    """

    KIND: ClassVar[int] = 173
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    where: Ref
    post: Ref
    text: Annotated[str, record.Utf8(COMMENT_BYTES_MAX)] | None
    answers: Ref | None
    at_ms: TimeMs
    nonce: Annotated[bytes, record.Size(24)]


@record.record
@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The sender has taken back what he told in Answered."""

    KIND: ClassVar[int] = 174
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR

    where: Ref


@record.record
@dataclass(frozen=True, slots=True)
class Forget:
    """The sender does not show the reader his moments any more, nor those of before."""

    KIND: ClassVar[int] = 175
    CHANNELS: ClassVar[frozenset[content.Channel]] = _PAIR


CONTENTS = (Chains, Keys, Answered, Withdrawn, Forget)
SAID = (Post, Replace, Comment, Like, Hide, Drop, Window)  # in entries
Said = Post | Replace | Comment | Like | Hide | Drop | Window
_KINDS: dict[int, type[Any]] = {one.KIND: one for one in SAID}


def said(raw: bytes) -> Said:
    """What an entry of a feed says. Raises: Malformed."""
    found: Any = record.decode_one_of(_KINDS, raw, entry.SAID_BYTES_MAX)
    assert isinstance(found, Said)
    return found
