"""What is a word, for a search: the same in what was said and in what is asked. Pure.

SQLite's unicode61 splits a text at spaces and signs, and folds case and diacritics. Two things are done before:

    NFKC and casefold   so that one letter has one form (full-width, half-width, decomposed, ß and ss)
    a space around each character of a script that puts none between its words: each is a word of its own,
    and a run of them in a query is a phrase

Not here: the index (index.py).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from protocol.faults import UserFault

QUERY_CHARS_MAX = 256  # more than anybody remembers of a message; SQLite takes as many words
PREFIX_CHARS_MIN = 2  # one letter alone begins half of all words, and is one
EXCERPT_CHARS = 160  # two lines of a terminal
BEFORE_CHARS = 40  # of them before the first match, so that one sees what it is about

_UNSPACED = (
    "\u1100-\u11ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u30ff\u3105-\u318e\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001aff0-\U0001b16f"
    "\U00020000-\U0003ffff"  # Han, Hiragana, Katakana, Bopomofo, Hangul
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
)
_ALONE = re.compile(f"[{_UNSPACED}]")
# Soft hyphens, joiners and the choice of a glyph: nobody sees or types them.
_UNSEEN = re.compile("[\u00ad\u200c\u200d\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]")
_SIGN = re.compile(r"[^\w\x00-\x7f]")  # or a mark of a letter: re does not know them
_PLAIN = re.compile("[0-9a-z]+")
_SOUND_MARKS = "\uff9e\uff9f"  # of half-width Katakana: one letter with the one before
_DIACRITICS = re.compile("[\u0300-\u0331]")  # those that unicode61 drops: alone they would be empty words


class NothingToFind(UserFault):
    """There is no word to search for: signs alone are not words. Nothing was searched."""

    code = "search.words"
    next = "weft search WORD"
    exit = 2


class LongQuery(UserFault):
    """A search takes at most 256 characters; nothing was searched. A few words of the message are enough."""

    code = "limit"
    next = "weft search WORD"
    exit = 2


@dataclass(frozen=True, slots=True)
class Word:
    """A word in its folded form, and the place in the text where it stands, from `start` up to `end`."""

    folded: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A query: phrases, all of which a text must have, each of words that follow one another; none: any text.

    goes_on: whether the very last word may be the beginning of a longer one.
    """

    phrases: tuple[tuple[str, ...], ...]
    goes_on: bool

    def expression(self) -> str:
        """The query in FTS5's language: quoted words alone, so nothing that was typed is part of that language."""
        said = " ".join(f'"{" ".join(phrase)}"' for phrase in self.phrases)
        return f"{said} *" if self.goes_on else said


ANYTHING = Asked((), goes_on=False)


def spaced(text: str) -> str:
    """The text as it goes into the index."""
    if text.isascii():
        return text
    # SQLite's tables are of an older Unicode: what is an emoji for us is a letter for it.
    return _ALONE.sub(r" \g<0> ", _SIGN.sub(lambda found: found[0] if _is_of_word(found[0]) else " ", _normal(text)))


def asked(query: str) -> Asked:
    """What a person wants to find who typed this. Raises: NothingToFind, LongQuery."""
    if len(query) > QUERY_CHARS_MAX:
        raise LongQuery
    phrases = tuple(phrase for part in query.split() if (phrase := tuple(word.folded for word in words(part))))
    if not phrases:
        raise NothingToFind
    last = phrases[-1][-1]
    return Asked(phrases, goes_on=len(last) >= PREFIX_CHARS_MIN)


def words(text: str) -> Iterator[Word]:
    """The words of a text, as the index has them, in order."""
    if text.isascii():
        yield from (Word(found[0], *found.span()) for found in _PLAIN.finditer(text.lower()))
        return
    folded, begun, ended = "", 0, 0
    for normal, start, end in _letters(text):
        for character in normal:
            of_word = _is_of_word(character)
            alone = of_word and _ALONE.match(character) is not None
            if folded and (alone or not of_word):
                yield from _word(folded, begun, ended)
                folded = ""
            if alone:
                yield Word(character, start, end)
            elif of_word:
                begun = begun if folded else start
                folded += character
                ended = end
    yield from _word(folded, begun, ended)


def fits(text: str, wanted: Asked) -> bool:
    """Whether a text has all that is asked, as the index would say."""
    if not wanted.phrases:
        return True
    folded = [word.folded for word in words(text)]
    *whole, last = wanted.phrases
    ends = _goes_on if wanted.goes_on else _is_same
    return all(_has(folded, phrase, _is_same) for phrase in whole) and _has(folded, last, ends)


def excerpt(text: str, wanted: Asked) -> tuple[str, ...]:
    """The part of a text around the first match, in pieces: the second, fourth … are what matched.

    160 characters at most, or the first match where that is longer; … stands where something is left out.
    """
    matches = _matches(text, wanted)
    first_start, first_end = matches[0] if matches else (0, 0)
    start = 0 if len(text) <= EXCERPT_CHARS else _after_gap(text, max(0, first_start - BEFORE_CHARS), first_start)
    end = len(text) if len(text) <= EXCERPT_CHARS else _before_gap(text, first_end, start + EXCERPT_CHARS)
    pieces = ["…" if start else ""]
    at = start
    for match_start, match_end in matches:
        if match_end > end:
            break
        pieces[-1] += text[at:match_start]
        pieces += [text[match_start:match_end], ""]
        at = match_end
    pieces[-1] += text[at:end] + ("…" if end < len(text) else "")
    return tuple(pieces)


def _normal(text: str) -> str:
    return _DIACRITICS.sub("", unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).casefold())


def _letters(text: str) -> Iterator[tuple[str, int, int]]:
    """The normal form of each letter with the marks that belong to it, and where it stands."""
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not _goes_with(text[end]):
            yield _normal(text[start:end]), start, end
            start = end


def _goes_with(character: str) -> bool:
    """Whether this is a part of the letter before it."""
    if character.isascii():
        return False
    return (
        unicodedata.category(character)[0] == "M" or character in _SOUND_MARKS or "\u1160" <= character <= "\u11ff"
    )  # the latter are vowels and finals of a Hangul syllable


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc", "Me", "Co")


def _word(folded: str, start: int, end: int) -> Iterator[Word]:
    """The word without its diacritics, if it is one: marks alone are none."""
    bare = "".join(map(_bare, folded))
    if any(character.isalnum() or unicodedata.category(character) == "Co" for character in bare):
        yield Word(bare, start, end)


def _bare(character: str) -> str:
    """A Latin letter without its diacritics; any other as it is, as in unicode61."""
    first = unicodedata.normalize("NFD", character)[0]
    return first if first.isascii() else character


def _matches(text: str, wanted: Asked) -> list[tuple[int, int]]:
    """Where the phrases stand in the text, in order, without overlaps."""
    if not wanted.phrases:
        return []
    found = list(words(text))
    folded = [word.folded for word in found]
    *whole, last = wanted.phrases
    by_head: dict[str, list[tuple[str, ...]]] = {}
    for phrase in whole if wanted.goes_on else wanted.phrases:
        by_head.setdefault(phrase[0], []).append(phrase)
    joined: list[tuple[int, int]] = []
    for at, word in enumerate(found):
        ends = [at + len(one) for one in by_head.get(word.folded, ()) if tuple(folded[at : at + len(one)]) == one]
        if wanted.goes_on and word.folded.startswith(last[0]) and _goes_on(last, folded[at : at + len(last)]):
            ends.append(at + len(last))
        if not ends:
            continue
        start, end = word.start, found[max(ends) - 1].end
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _has(folded: list[str], phrase: Sequence[str], is_there: Callable[[Sequence[str], Sequence[str]], bool]) -> bool:
    return any(is_there(phrase, folded[at : at + len(phrase)]) for at in range(len(folded)))


def _is_same(phrase: Sequence[str], there: Sequence[str]) -> bool:
    return [*phrase] == [*there]


def _goes_on(phrase: Sequence[str], there: Sequence[str]) -> bool:
    """Whether the words there are the phrase, the last of them perhaps longer."""
    return len(there) == len(phrase) and [*phrase[:-1]] == there[:-1] and there[-1].startswith(phrase[-1])


def _after_gap(text: str, start: int, first_start: int) -> int:
    """Where the excerpt begins: at a word if there is one soon, and not after the match."""
    gap = text.find(" ", start, first_start)
    return start if start == 0 or gap < 0 else gap + 1


def _before_gap(text: str, first_end: int, end: int) -> int:
    """Where it ends: after a word if there is one, and not within the first match."""
    if end >= len(text):
        return len(text)
    gap = text.rfind(" ", first_end, end)
    return max(first_end, end) if gap < 0 else gap
