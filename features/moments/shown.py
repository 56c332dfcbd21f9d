"""Moments as people see them: what the local API gives. Built in view.py and wall.py."""

from dataclasses import dataclass

from protocol.preview import SeenLink


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or film of a moment. number: from 1. shape: "picture", "video".

    state: "offered" (nobody has looked at it), "fetching", "paused", "here", "false". pieces, here: of all and here.
    """

    number: int
    name: str
    mime: str
    shape: str
    bytes: int
    width: int
    height: int
    length_ms: int
    blurhash: str
    has_preview: bool
    state: str
    pieces: int
    here: int
    reason: str


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """Where a moment was. latitude, longitude: in degrees, both None where it is a name alone."""

    label: str
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class MomentLine:
    """A moment. id: of its entry, 64 hexadecimal digits; short: its first 8. author: "" for ours.

    edited_ms: 0 for never. likes: names of whose likes we can see, "" for ours. comments: so many that we can see.
    audience: of ours, in words ("all", "private", "family, work", "all but bo"), else "". waits_for: of ours, who has
    to have it before others, where he has not.
    """

    id: str
    short: str
    author: str
    mine: bool
    at_ms: int
    edited_ms: int
    text: str
    pictures: tuple[Picture, ...]
    link: str
    preview: SeenLink | None
    place: PlaceLine | None
    likes: tuple[str, ...]
    comments: int
    audience: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """A comment. author: "" for ours. hidden: we have hidden it, so nobody else is shown it.

    answers: the short id of the comment it answers, "" for none. answers_whom: whose that is, "" for ours or none, null
    where it is not here any more.
    """

    id: str
    short: str
    author: str
    mine: bool
    at_ms: int
    text: str
    answers: str
    answers_whom: str | None
    hidden: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A moment with what is below it, in the order of time."""

    moment: MomentLine
    comments: tuple[AnswerLine, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody liked or answered. kind: "like", "comment" (below ours), "reply" (to a comment of ours), "also" (below a
    moment that we have commented on). moment: short id; of: the beginning of its text; text: of the comment."""

    number: int
    kind: str
    who: str
    moment: str
    of: str
    answer: str
    text: str
    at_ms: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds between us and a contact, as far as moments go. chats_only: neither sees the other's."""

    name: str
    chats_only: bool
    hide_mine: bool
    hide_theirs: bool
