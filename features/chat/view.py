"""The conversations as a person reads them: lines of chat over the messages of the store, and how far each was read.

The messages and their deliveries are written by store/inbox.py and store/outbox.py; this room adds only the read mark.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from features.chat.content import Edit, How, Text, Timer
from features.media import view as files
from features.media.view import FileLine
from features.profile import view as told
from features.profile.content import ContactCard, Location
from features.profile.view import CardLine, PlaceLine
from features.stickers import view as stickers
from features.stickers.content import Sticker
from features.stickers.view import StickerLine
from protocol import content, delivery, ids
from protocol.faults import UserFault, quoted
from protocol.file import File
from protocol.preview import SeenLink
from store import whereabouts
from store.database import Migration, Tx
from store.inbox import Arrival

MIGRATIONS = (
    Migration(
        "chat",
        1,
        "CREATE TABLE chat_mark (contact INTEGER NOT NULL PRIMARY KEY, read_seq INTEGER NOT NULL) STRICT;",
    ),
    # Lines of a kind that only a later version understood: they stand before the mark, and nobody has seen them.
    Migration(
        "chat_late",
        1,
        """
        CREATE TABLE chat_late (message INTEGER NOT NULL PRIMARY KEY, contact INTEGER NOT NULL) STRICT;
        CREATE INDEX chat_late_contact ON chat_late (contact);
        """,
    ),
)
LINES_MAX = 1000  # of one answer: at most 16 MiB of text, far less in life
CLOCK_AHEAD_MS_MAX = 5 * 60_000  # a sender's clock further ahead is not believed: the arrival counts instead
CLOCK_BEHIND_MS_MAX = delivery.EXPIRE_MS + 86_400_000  # older than this no message arrives: its sender gave it up

KEPT, QUEUED = (one.name.lower() for one in (delivery.State.KEPT, delivery.State.QUEUED))
ALL = 2**62  # more than there are
_LAST = "~"  # sorts behind every id
SAID = (Text, File, ContactCard, Location, Sticker)  # what somebody says in a line
SHOWN = (*SAID, Timer)  # what is a line
_KINDS = content.Kinds(SHOWN)
_LINES = (
    "SELECT m.seq, m.message_id, m.device, m.at_ms, m.arrived_ms, m.body, c.name, m.state, m.state_ms, m.reason,"
    " CASE WHEN l.message IS NULL THEN COALESCE(k.read_seq, 0) ELSE 0 END, m.contact"
    " FROM message m JOIN contact c ON c.id = m.contact LEFT JOIN chat_mark k ON k.contact = m.contact"
    " LEFT JOIN chat_late l ON l.message = m.seq"
)
# A text with more fields than this version knows is kept raw, and is a line once a later version has heard it.
# One that was deleted here is no line any more.
HEARD = (
    f"m.kind IN ({files.LINE_KINDS}) AND NOT EXISTS (SELECT 1 FROM unheard u WHERE u.message = m.seq)"
    " AND NOT EXISTS (SELECT 1 FROM chat_gone g WHERE g.message = m.seq)"
)
# By the index chat_line_end (acts.py): one types the end of an id for each thing that is done to a message.
ENDING = (
    f"SELECT seq, message_id FROM message WHERE kind IN ({files.LINE_KINDS}) AND substr(message_id, 15, 2) = ?"
    " ORDER BY seq DESC"
)

Shown = Text | File | ContactCard | Location | Sticker | Timer


class UnknownMessage(UserFault):
    """No message has this id."""

    code = "message.unknown"
    next = "weft inbox"
    exit = 5


class AmbiguousMessage(UserFault):
    """Several messages end like this; type more characters of the id."""

    code = "message.ambiguous"
    next = "weft inbox"
    exit = 5


@dataclass(frozen=True, slots=True)
class Answered:
    """The line that another one answers. excerpt: its beginning; empty where it is not here, or was recalled."""

    id: str
    short: str
    mine: bool = False
    is_here: bool = False
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one side has put to a line."""

    mine: bool
    mark: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a conversation. at_ms: by its sender's clock where that can be, else when it arrived.

    text: of a file its name, of a card, place or sticker one line that says what it is. file, card, place, sticker:
    more of it, None where it is none; of a file how much of it is here.
    edited: how often. recalled: its author took it back, and this is the notice. Both, reactions and the excerpt of
    what is answered are put in by overlay.py.
    pinned: for both sides; starred: here alone; put in by overlay.py too.
    notice: what nobody typed is told here: "timer", or "" for a text. lasts_s: how long it stays once it was read
    (mine: delivered); 0: for ever. preview: what the sender says of a link in it; overlay.py takes one of another away.
    """

    id: str
    short: str
    seq: int
    contact: str
    mine: bool
    text: str
    at_ms: int
    arrived_ms: int
    state: str
    state_ms: int
    reason: str
    unread: bool
    file: FileLine | None = None
    card: CardLine | None = None
    place: PlaceLine | None = None
    sticker: StickerLine | None = None
    edited: int = 0
    recalled: bool = False
    forwarded: bool = False
    reply_to: Answered | None = None
    reactions: tuple[Reaction, ...] = ()
    notice: str = ""
    lasts_s: int = 0
    pinned: bool = False
    starred: bool = False
    preview: SeenLink | None = None


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Tells watchers of a line that arrived; the line itself is the stored message."""
    assert isinstance(arrival.said.content, SHOWN)
    if arrival.seq <= mark(tx, arrival.contact.id):
        tx.execute("INSERT INTO chat_late (message, contact) VALUES (?, ?)", (arrival.seq, arrival.contact.id))
    tx.changed("chat.received", arrival.seq)
    return ()


def line(tx: Tx, seq: int, now_ms: int) -> Line | None:
    """The line in this row, as it is now, or None where the row holds something else than chat."""
    row = tx.one(f"{_LINES} WHERE m.seq = ? AND {HEARD}", (seq,))
    return None if row is None else _explained(tx, row[-1], [_line(tx, row)], now_ms)[0]


def newest_line(tx: Tx, contact_id: int) -> int | None:
    """The row of the newest line of a conversation."""
    row = tx.one(
        f"SELECT m.seq FROM message m WHERE m.contact = ? AND {HEARD} ORDER BY m.seq DESC LIMIT 1", (contact_id,)
    )
    return None if row is None else int(row[0])


def inbox(tx: Tx, after: int, limit: int) -> tuple[Line, ...]:
    """Lines that others wrote, in the order of their arrival: the first ones after this row, or after 0 the newest."""
    where = f"WHERE {HEARD} AND m.device != 0 AND m.seq > ? ORDER BY m.seq {{}} LIMIT ?"
    if after > 0:
        return tuple(_line(tx, row) for row in tx.all(f"{_LINES} {where.format('ASC')}", (after, _page(limit))))
    newest = tx.all(f"{_LINES} {where.format('DESC')}", (0, _page(limit)))
    return tuple(_line(tx, row) for row in reversed(newest))


def unread(tx: Tx, limit: int) -> tuple[Line, ...]:
    """The lines nobody has read yet, oldest first."""
    where = (
        f"WHERE {HEARD} AND m.device != 0 AND m.seq > COALESCE(k.read_seq, 0)"
        " AND m.seq > (SELECT COALESCE(MIN(COALESCE(r.read_seq, 0)), 0) FROM contact p LEFT JOIN chat_mark r"
        " ON r.contact = p.id) ORDER BY m.seq LIMIT ?"
    )
    late = tx.all(
        f"{_LINES} WHERE m.seq IN (SELECT message FROM chat_late) AND {HEARD} ORDER BY m.seq LIMIT ?", (_page(limit),)
    )
    rows = tx.all(f"{_LINES} {where}", (_page(limit) - len(late),))
    return tuple(_line(tx, row) for row in (*late, *rows))


def history(tx: Tx, contact_id: int, before: int | None, limit: int, now_ms: int) -> tuple[Line, ...]:
    """The last lines with a contact before this row, in the conversation's order: hybrid clock, then message id."""
    where = f"WHERE m.contact = ? AND {HEARD} AND m.seq < ? ORDER BY m.seq DESC LIMIT ?"
    top = 2**62 if before is None else before
    lines = [_line(tx, row) for row in tx.all(f"{_LINES} {where}", (contact_id, top, _page(limit)))]
    return _in_order(reversed(_explained(tx, contact_id, lines, now_ms)))


def onward(tx: Tx, contact_id: int, after: int, limit: int, now_ms: int) -> tuple[Line, ...]:
    """The first lines with a contact behind this row, in the conversation's order among themselves."""
    where = f"WHERE m.contact = ? AND {HEARD} AND m.seq > ? ORDER BY m.seq LIMIT ?"
    lines = [_line(tx, row) for row in tx.all(f"{_LINES} {where}", (contact_id, after, _page(limit)))]
    return _in_order(_explained(tx, contact_id, lines, now_ms))


def find(tx: Tx, text: str, now_ms: int) -> Line:
    """The line whose id is, or ends with, this text. Raises: UnknownMessage, AmbiguousMessage, BadId."""
    try:
        wanted = ids.matches(text)
    except ids.BadId:
        raise ids.BadId(next=UnknownMessage.next) from None
    found: list[Line] = []
    for seq, message_id in tx.all(ENDING, (ids.last_bytes(wanted),)):
        if ids.ulid(message_id).endswith(wanted) and (one := line(tx, seq, now_ms)) is not None:
            found.append(one)
    if not found:
        raise UnknownMessage(f"No message ends with {quoted(text)}.")
    if len(found) > 1:
        raise AmbiguousMessage(f"{len(found)} messages end with {quoted(text)}.", ids=[one.id for one in found[:8]])
    return found[0]


def count_unread(tx: Tx, contact_id: int, most: int) -> int:
    """How many lines of a contact nobody has read, counted up to `most`."""
    count = tx.one(
        f"SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM message m WHERE m.contact = ?1 AND {HEARD} AND m.device != 0"
        " AND m.seq > ?2 LIMIT ?3)) + (SELECT COUNT(*) FROM chat_late WHERE contact = ?1)",
        (contact_id, mark(tx, contact_id), most),
    )
    assert count is not None
    return min(int(count[0]), most)


def unread_ids(tx: Tx, contact_id: int, most: int) -> tuple[ids.MessageId, ...]:
    """The ids of the newest lines of a contact that nobody has read, the newest first."""
    rows = tx.all(
        f"SELECT m.message_id FROM message m WHERE m.contact = ?1 AND {HEARD} AND m.device != 0 AND m.seq > ?2"
        " ORDER BY m.seq DESC LIMIT ?3",
        (contact_id, mark(tx, contact_id), most),
    )
    rows += tx.all(
        "SELECT m.message_id FROM chat_late l JOIN message m ON m.seq = l.message WHERE l.contact = ?", (contact_id,)
    )
    return tuple(ids.MessageId(one) for (one,) in rows[:most])


def read(tx: Tx, contact_id: int) -> int:
    """Marks everything from a contact as read; returns how many lines were new."""
    count = count_unread(tx, contact_id, ALL)
    newest = tx.one("SELECT COALESCE(MAX(seq), 0) FROM message WHERE contact = ?", (contact_id,))
    assert newest is not None
    tx.execute("DELETE FROM chat_late WHERE contact = ?", (contact_id,))
    put_mark(tx, contact_id, newest[0])
    return count


def mark(tx: Tx, contact_id: int) -> int:
    """Up to which row a contact was read; 0 before the first time."""
    row = tx.one("SELECT read_seq FROM chat_mark WHERE contact = ?", (contact_id,))
    return 0 if row is None else int(row[0])


def put_mark(tx: Tx, contact_id: int, seq: int) -> None:
    """A contact was read up to this row."""
    tx.execute(
        "INSERT INTO chat_mark (contact, read_seq) VALUES (?, ?)"
        " ON CONFLICT (contact) DO UPDATE SET read_seq = excluded.read_seq",
        (contact_id, seq),
    )


def span(seconds: int) -> str:
    """A time as people say it: 40 s, 12 min, 2 h, 3 days."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "days"):
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def _explained(tx: Tx, contact_id: int, lines: Sequence[Line], now_ms: int) -> list[Line]:
    """Lines of one conversation; of those that a keeper has it is said who has it, and until when."""
    if all(one.state != KEPT for one in lines):
        return list(lines)
    names = whereabouts.keepers_of(tx, contact_id)
    return [_kept(tx, one, names, now_ms) if one.state == KEPT else one for one in lines]


def _kept(tx: Tx, one: Line, names: Mapping[int, str], now_ms: int) -> Line:
    """A line that a keeper has; where its day is over, it waits again, also before the store has noticed."""
    found = whereabouts.kept(tx, one.seq, names, now_ms)
    return replace(one, reason=whereabouts.said(found)) if found else replace(one, state=QUEUED)


def _page(limit: int) -> int:
    """How many lines one answer has: SQLite takes a negative limit for none at all."""
    return max(0, min(limit, LINES_MAX))


def _in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines in the order of their rows, sorted by their times where these can be; our own clock may have been set."""
    placed: list[tuple[int, str, Line]] = []
    newest_ms = 0
    for one in lines:
        newest_ms = max(newest_ms, one.arrived_ms)
        believed = _believed(one.at_ms, newest_ms)
        placed.append((one.at_ms, one.id, one) if believed else (newest_ms, _LAST, one))
    return tuple(one for _, _, one in sorted(placed, key=lambda row: row[:2]))


def _believed(at_ms: int, arrived_ms: int) -> bool:
    return arrived_ms - CLOCK_BEHIND_MS_MAX <= at_ms <= arrived_ms + CLOCK_AHEAD_MS_MAX


def _line(tx: Tx, row: tuple[Any, ...]) -> Line:
    seq, message_id, device, at_ms, arrived_ms, body, name, state, state_ms, reason, read_seq, _ = row
    said = _KINDS.hear(body, content.Channel.RATCHET)
    what: Shown = said.content
    mine, answers = device == 0, what.answers if isinstance(what, Text) else None
    return Line(
        id=ids.ulid(message_id),
        short=ids.short(message_id),
        seq=seq,
        contact=name,
        mine=mine,
        text=text_of(what),
        at_ms=at_ms if _believed(at_ms, arrived_ms) else arrived_ms,
        arrived_ms=arrived_ms,
        state=delivery.State(state).name.lower() if mine else "received",
        state_ms=state_ms if mine else arrived_ms,
        reason=reason,
        unread=not mine and seq > read_seq,
        file=files.line(tx, seq) if isinstance(what, File) else None,
        card=told.card_line(tx, what) if isinstance(what, ContactCard) else None,
        place=told.place_line(what) if isinstance(what, Location) else None,
        sticker=stickers.line(what) if isinstance(what, Sticker) else None,
        recalled=is_withdrawn(what),
        forwarded=is_forwarded(what),
        reply_to=None if answers is None else Answered(ids.ulid(answers), ids.short(answers)),
        notice="timer" if isinstance(what, Timer) else "",
        lasts_s=said.expire_s or 0,
        preview=what.preview.shown if isinstance(what, Text) and what.preview else None,
    )


def text_of(said: Shown | Edit) -> str:
    """What a line says as text: of a file its name, of what nobody typed what it means."""
    match said:
        case File():
            return said.name
        case ContactCard() | Location():
            return told.text_of(said)
        case Sticker():
            return stickers.text_of(said)
        case Timer(0):
            return "What is said from now on stays."
        case Timer(seconds):
            return f"What is said from now on disappears {span(seconds)} after it was read."
        case Text() | Edit():
            return said.text
        case _:
            assert_never(said)


def is_withdrawn(said: object) -> bool:
    """Whether this is what is left of a message that was recalled."""
    return isinstance(said, Text) and said.how is How.WITHDRAWN


def is_forwarded(said: Shown) -> bool:
    """Whether its sender has it from somebody else."""
    match said:
        case Text():
            return said.how is How.FORWARDED
        case File() | ContactCard() | Location() | Sticker():
            return bool(said.forwarded)
        case Timer():
            return False
