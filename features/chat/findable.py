"""By what a line is found: the words that are said in it, and what it has besides. Pure.

A content that becomes a line is one more case of `tokens_of`. Not here: what a word is (words.py), where it is kept
(index.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from features.chat import linked
from features.chat.content import Text
from features.profile import view as told
from features.profile.content import ContactCard, Location
from features.stickers import view as stickers
from features.stickers.content import Sticker
from protocol.faults import UserFault
from protocol.file import File, Shape

# Where no Latin letter stands before it: a sentence in Chinese has no space there.
_LINK = re.compile(r"(?<![0-9a-z])(?:(?:https?|ftp)://[^\s/]|www\.[^\s./]+\.[^\s./]|weft:[a-z]/)", re.IGNORECASE)


class Trait(StrEnum):
    """What a line may have. What is sent as a picture, a voice message or a video is a file too."""

    FILE = "file"
    LINK = "link"
    PICTURE = "picture"
    VOICE = "voice"
    VIDEO = "video"
    CARD = "card"
    PLACE = "place"
    STICKER = "sticker"


_OF_SHAPE: Mapping[Shape, tuple[Trait, ...]] = {
    Shape.PICTURE: (Trait.PICTURE,),
    Shape.VOICE: (Trait.VOICE,),
    Shape.VIDEO: (Trait.VIDEO,),
}


class UnknownTrait(UserFault):
    """A message can have a file, link, picture, voice, video, card, place or sticker; nothing was searched."""

    code = "search.has"
    next = "weft search --help"
    exit = 2


@dataclass(frozen=True, slots=True)
class Findable:
    """What a line is found by. text: whose words."""

    text: str
    traits: frozenset[Trait]


def tokens_of(said: object) -> Findable:
    """What a line of this content is found by; an unknown content by nothing."""
    match said:
        case Text(text=text, preview=preview):
            title = preview.title if preview is not None and linked.is_of(text, preview.url) else None
            return Findable(with_title(text, title or ""), frozenset((Trait.LINK,) if _LINK.search(text) else ()))
        case File(name=name, shape=shape):
            return Findable(name, traits_of(shape))
        case ContactCard():
            return Findable(told.words_of(said), frozenset((Trait.CARD,)))
        case Location():
            return Findable(told.words_of(said), frozenset((Trait.PLACE,)))
        case Sticker():
            return Findable(stickers.words_of(said), frozenset((Trait.STICKER,)))
        case _:
            return Findable("", frozenset())


def with_title(text: str, title: str) -> str:
    """The words of a text and of what its sender says of its link."""
    return f"{text}\n{title}" if title else text


def traits_of(shape: Shape) -> frozenset[Trait]:
    """What a file is, and what of that it is besides."""
    return frozenset((Trait.FILE, *_OF_SHAPE.get(shape, ())))


def trait(name: str) -> Trait:
    """What is called so. Raises: UnknownTrait."""
    if name not in [*Trait]:
        raise UnknownTrait
    return Trait(name)
