"""The packs that a person keeps, and a sticker as it stands in a conversation.

A sticker that was said is in its message and nowhere else: with the message it goes. Not here: the message itself,
which is a line of the room of chats.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from features.media.view import LINE_KINDS
from features.stickers.content import PACK_MAX, Piece, Sticker
from features.stickers.faults import AmbiguousSticker, TooMany, UnknownPack, UnknownSticker
from protocol import content, ids, webp
from protocol.content import Channel
from protocol.faults import quoted
from protocol.ids import BadId
from protocol.workshop import STICKER_SIDE
from store.database import Migration, Tx

CHANGED = "stickers.changed"  # topic: a pack is another; its key is the row of the pack
PACKS_MAX = 64
BYTES_MAX = 64 * 1024 * 1024  # of all packs
MIGRATIONS = (
    Migration(
        "stickers",
        1,
        """
        CREATE TABLE sticker_pack (id INTEGER PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE sticker (
          id INTEGER PRIMARY KEY, pack INTEGER NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, alt TEXT NOT NULL,
          webp BLOB NOT NULL, UNIQUE (pack, folded)
        ) STRICT;
        """,
    ),
)
# By the index chat_line_end of the room of chats.
ENDING = (
    f"SELECT seq, message_id FROM message WHERE kind IN ({LINE_KINDS}) AND substr(message_id, 15, 2) = ?"
    f" AND kind = {Sticker.KIND} ORDER BY seq DESC"
)

_KINDS = content.Kinds((Sticker,))


class NotSticker(webp.NotWebp):
    """A peer's sticker is no still WebP picture without metadata, of at most 512 on a side."""


@dataclass(frozen=True, slots=True)
class StickerLine:
    """A sticker in a conversation. bytes: of its picture; width, height: its pixels."""

    name: str
    pack: str
    alt: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A sticker of a pack."""

    name: str
    alt: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PackLine:
    """A pack that is kept."""

    name: str
    bytes: int
    stickers: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Own:
    """A sticker that is kept."""

    pack: str
    said: Piece


def measured(picture: bytes) -> tuple[int, int]:
    """Width and height of a sticker's picture; it is not decoded. Raises: NotSticker."""
    try:
        sides = webp.measure(picture)
    except webp.NotWebp:
        raise NotSticker from None
    if max(sides) > STICKER_SIDE:
        raise NotSticker
    return sides


def line(said: Sticker) -> StickerLine:
    """A sticker as people see it in a conversation."""
    return StickerLine(said.name, said.pack, said.alt, len(said.webp), *measured(said.webp))


def text_of(said: Sticker) -> str:
    """A sticker as a line of text: `[sticker] 👋 wave (Cats)`."""
    return f"[sticker] {words_of(said)}"


def words_of(said: Sticker) -> str:
    """The same without what it is: by its words it is found."""
    return " ".join(f"{said.alt} {said.name} ({said.pack})".split())


def in_message(tx: Tx, text: str) -> Sticker | None:
    """The sticker of the one message whose id is, or ends with, this text; None for no such, or several."""
    try:
        wanted = ids.matches(text)
    except BadId:
        return None
    rows = tx.all(ENDING, (ids.last_bytes(wanted),))
    found = [seq for seq, message_id in rows if ids.ulid(message_id).endswith(wanted)]
    if len(found) != 1:
        return None
    row = tx.one("SELECT body FROM message WHERE seq = ?", (found[0],))
    assert row is not None
    said = _KINDS.hear(row[0], Channel.RATCHET).content
    return said if isinstance(said, Sticker) else None


def packs(tx: Tx) -> tuple[PackLine, ...]:
    """All packs, by name. There are at most as many stickers as BYTES_MAX takes."""
    found: dict[str, list[Listed]] = {}
    rows = tx.all(
        "SELECT p.name, s.name, s.alt, length(s.webp) FROM sticker_pack p JOIN sticker s ON s.pack = p.id"
        " ORDER BY p.folded, s.id"
    )
    for pack, name, alt, size in rows:
        found.setdefault(pack, []).append(Listed(name, alt, size))
    return tuple(PackLine(name, sum(one.bytes for one in of), tuple(of)) for name, of in found.items())


def pack(tx: Tx, name: str) -> PackLine:
    """The pack of this name. Raises: UnknownPack."""
    _, kept = _pack(tx, name)
    return next(one for one in packs(tx) if one.name == kept)


def has_pack(tx: Tx, name: str) -> bool:
    """Whether there is a pack of this name."""
    return tx.one("SELECT 1 FROM sticker_pack WHERE folded = ?", (name.casefold(),)) is not None


def pieces(tx: Tx, name: str) -> tuple[str, tuple[Piece, ...]]:
    """A pack's name as it is kept, and its stickers. Raises: UnknownPack."""
    number, kept = _pack(tx, name)
    rows = tx.all("SELECT name, alt, webp FROM sticker WHERE pack = ? ORDER BY id", (number,))
    return kept, tuple(Piece(*row) for row in rows)


def find(tx: Tx, text: str) -> Own:
    """The sticker that is called so, as `PACK/STICKER`, by its name alone or its beginning, or by its emoji.

    Raises: UnknownSticker, AmbiguousSticker.
    """
    numbers = _matching(tx, text.strip())
    if not numbers:
        raise UnknownSticker(f"You have no sticker {quoted(text)}.")
    if len(numbers) > 1:
        raise AmbiguousSticker(f"{len(numbers)} stickers are called {quoted(text)}; say PACK/STICKER.")
    row = tx.one(
        "SELECT p.name, s.name, s.alt, s.webp FROM sticker s JOIN sticker_pack p ON p.id = s.pack WHERE s.id = ?",
        (numbers[0],),
    )
    assert row is not None
    return Own(row[0], Piece(*row[1:]))


def put(tx: Tx, name: str, made: Sequence[Piece]) -> None:
    """Adds stickers to the pack of this name, which is made where there is none.

    made: their names are not taken. Raises: TooMany; nothing is to be committed then.
    """
    row = tx.one("SELECT id FROM sticker_pack WHERE folded = ?", (name.casefold(),))
    if row is None:
        number = tx.insert("INSERT INTO sticker_pack (name, folded) VALUES (?, ?)", (name, name.casefold()))
    else:
        number = row[0]
    for one in made:
        tx.execute(
            "INSERT INTO sticker (pack, name, folded, alt, webp) VALUES (?, ?, ?, ?, ?)",
            (number, one.name, one.name.casefold(), one.alt, one.webp),
        )
    counts = tx.one(
        "SELECT (SELECT COUNT(*) FROM sticker WHERE pack = ?), (SELECT COUNT(*) FROM sticker_pack),"
        " (SELECT TOTAL(length(webp)) FROM sticker)",
        (number,),
    )
    assert counts is not None
    if counts[0] > PACK_MAX or counts[1] > PACKS_MAX or counts[2] > BYTES_MAX:
        raise TooMany
    tx.changed(CHANGED, number)


def drop(tx: Tx, text: str) -> tuple[str, int]:
    """Keeps a pack, or the one sticker that is called so, no more; returns the pack and how many went.

    Raises: UnknownSticker, AmbiguousSticker.
    """
    pack_row = tx.one("SELECT id, name FROM sticker_pack WHERE folded = ?", (_folded(text),))
    if pack_row is not None:
        number, name = pack_row
        count = tx.execute("DELETE FROM sticker WHERE pack = ?", (number,)).rowcount
    else:
        own = find(tx, text)
        number, name = _pack(tx, own.pack)
        folded = own.said.name.casefold()
        count = tx.execute("DELETE FROM sticker WHERE pack = ? AND folded = ?", (number, folded)).rowcount
    if tx.one("SELECT 1 FROM sticker WHERE pack = ?", (number,)) is None:
        tx.execute("DELETE FROM sticker_pack WHERE id = ?", (number,))
    tx.changed(CHANGED, number)
    return name, count


def _pack(tx: Tx, name: str) -> tuple[int, str]:
    row = tx.one("SELECT id, name FROM sticker_pack WHERE folded = ?", (_folded(name),))
    if row is None:
        raise UnknownPack(f"You have no pack {quoted(name)}.")
    return row[0], row[1]


def _folded(text: str) -> str:
    """A name as it is compared: some systems type a letter and its accent as two signs."""
    return " ".join(unicodedata.normalize("NFC", text).split()).casefold()


def _matching(tx: Tx, text: str) -> list[int]:
    """Rows of stickers that are called so: by the whole name, else by the emoji, else by its beginning."""
    of, _, rest = unicodedata.normalize("NFC", text).rpartition("/")
    rows = tx.all("SELECT s.id, p.folded, s.folded, s.alt FROM sticker s JOIN sticker_pack p ON p.id = s.pack")
    rows = [row for row in rows if not of or row[1] == _folded(of)]
    alt, wanted = rest.strip(), _folded(rest)
    return (
        [number for number, _, _, emoji in rows if emoji and emoji == alt]
        or [number for number, _, folded, _ in rows if folded == wanted]
        or [number for number, _, folded, _ in rows if wanted and folded.startswith(wanted)]
    )
