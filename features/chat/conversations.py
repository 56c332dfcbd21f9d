"""What a person has decided about a conversation, and keeps here alone: pinned, muted, archived, a draft, stars.

Nobody else is told of any of it. Not here: the lines and how far they were read (view.py), how long they stay
(lasting.py).
"""

from dataclasses import dataclass, replace

from crypto.faults import Malformed
from features.chat import lasting, overlay, view
from features.chat.content import TEXT_BYTES_MAX
from features.chat.view import Line
from protocol import wire
from protocol.backup_records import MESSAGES_MAX, NOTE_BYTES_MAX
from protocol.faults import UserFault
from protocol.record import SAFE_INT_MAX
from store.database import Migration, Tx
from store.people import Contact

MIGRATIONS = (
    Migration(
        "chat_kept",
        1,
        """
        CREATE TABLE chat_kept (
          contact INTEGER NOT NULL PRIMARY KEY, pinned INTEGER NOT NULL, muted_ms INTEGER NOT NULL,
          archived INTEGER NOT NULL, draft TEXT NOT NULL
        ) STRICT;
        CREATE TABLE chat_star (message INTEGER NOT NULL PRIMARY KEY, contact INTEGER NOT NULL) STRICT;
        CREATE INDEX chat_star_contact ON chat_star (contact, message);
        """,
    ),
)
FOREVER_MS = SAFE_INT_MAX  # muted until it is unmuted
UNREAD_MAX = 9999  # counted up to here: nobody reads the number of more, and each costs a look
EXCERPT_CHARS = 80  # one line of a terminal
STARS_KEPT_MAX = 512  # of a contact in a backup, the newest: with all else they fit a note
CHATS_MAX = 5000  # of one answer: as many as there may be contacts

_COLUMNS = ("pinned", "muted_ms", "archived", "draft")


class LongDraft(UserFault):
    """A draft has at most 16 KiB of UTF-8, like a text; the one before stays as it was."""

    code = "limit"
    next = "weft draft NAME"
    exit = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one conversation. muted_ms: until when, 0: not; archived: the row that was its newest then, 0."""

    pinned: int = 0
    muted_ms: int = 0
    archived: int = 0
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of the list of conversations. last: its newest line, if any; unread: at most 9999, and then maybe more.

    muted_until_ms: 0 where it is not muted, or until it is unmuted. timer_s: after how long what is said disappears.
    """

    contact: str
    last: Line | None
    excerpt: str
    unread: int
    pinned: bool
    muted: bool
    muted_until_ms: int
    archived: bool
    draft: str
    timer_s: int


def of(tx: Tx, contact_id: int) -> Kept:
    """What is kept of the conversation with a contact."""
    row = tx.one("SELECT pinned, muted_ms, archived, draft FROM chat_kept WHERE contact = ?", (contact_id,))
    return Kept() if row is None else Kept(*row)


def listed(tx: Tx, archived: bool, limit: int, now_ms: int) -> tuple[Conversation, ...]:
    """The conversations that are archived, or those that are not: pinned ones first, each by its newest line.

    A contact with whom nothing was said, of whom nothing is pinned and no draft waits has none.
    """
    rows = tx.all(
        "SELECT c.id, c.name, (SELECT m.seq FROM message m WHERE m.contact = c.id"
        f" AND {view.HEARD} ORDER BY m.seq DESC LIMIT 1), COALESCE(k.pinned, 0), COALESCE(k.muted_ms, 0),"
        " COALESCE(k.archived, 0), COALESCE(k.draft, '') FROM contact c LEFT JOIN chat_kept k ON k.contact = c.id"
    )
    found = []
    for contact_id, name, newest, *values in rows:
        kept = Kept(*values)
        is_any = newest is not None or kept.pinned or kept.draft
        if is_any and _is_archived(kept, newest, now_ms) is archived:
            found.append((-kept.pinned, -(newest or 0), name, contact_id, kept, newest))
    found.sort(key=lambda one: one[:3])
    few = found[: max(0, min(limit, CHATS_MAX))]
    return tuple(
        _conversation(tx, contact_id, name, kept, newest, now_ms) for _, _, name, contact_id, kept, newest in few
    )


def conversation(tx: Tx, contact: Contact, now_ms: int) -> Conversation:
    """The conversation with a contact, whether it is listed or not."""
    return _conversation(tx, contact.id, contact.name, of(tx, contact.id), view.newest_line(tx, contact.id), now_ms)


def pin(tx: Tx, contact_id: int, is_pinned: bool) -> None:
    """Puts a conversation before all others, or back among them."""
    _set(tx, contact_id, "pinned", int(is_pinned))


def mute(tx: Tx, contact_id: int, until_ms: int, now_ms: int) -> None:
    """Lets a conversation ring no more until then; 0: it rings. One that has come back is not put away by that."""
    kept = of(tx, contact_id)
    if kept.archived and not _is_archived(kept, view.newest_line(tx, contact_id), now_ms):
        _set(tx, contact_id, "archived", 0)
    _set(tx, contact_id, "muted_ms", until_ms)


def archive(tx: Tx, contact_id: int, is_archived: bool) -> None:
    """Puts a conversation away until something new is said in it, or takes it back."""
    newest = tx.one("SELECT COALESCE(MAX(seq), 1) FROM message")
    assert newest is not None
    _set(tx, contact_id, "archived", newest[0] if is_archived else 0)


def draft(tx: Tx, contact_id: int, text: str) -> None:
    """Keeps what is to be said later, in place of what was kept before; "" for nothing. Raises: LongDraft."""
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise LongDraft
    _set(tx, contact_id, "draft", text)


def said(tx: Tx, contact_id: int, texts: tuple[str, ...]) -> None:
    """A draft is over once it was sent as it stands."""
    row = tx.one("SELECT draft FROM chat_kept WHERE contact = ? AND draft != ''", (contact_id,))
    if row is not None and row[0] in texts:
        _set(tx, contact_id, "draft", "")


def was_muted(tx: Tx, seq: int) -> bool:
    """Whether the conversation of a message is muted, or was until some time after the message came."""
    row = tx.one(
        "SELECT 1 FROM message m JOIN chat_kept k ON k.contact = m.contact"
        " WHERE m.seq = ? AND k.muted_ms > m.arrived_ms",
        (seq,),
    )
    return row is not None


def star(tx: Tx, seq: int, is_starred: bool) -> None:
    """Marks a message, so that it is found again, or not any more."""
    tx.execute("DELETE FROM chat_star WHERE message = ?", (seq,))
    if is_starred:
        tx.execute("INSERT INTO chat_star (message, contact) SELECT seq, contact FROM message WHERE seq = ?", (seq,))


def is_starred(tx: Tx, seq: int) -> bool:
    """Whether a message has a star: its file stays here then, whatever the quota is."""
    return tx.one("SELECT 1 FROM chat_star WHERE message = ?", (seq,)) is not None


def starred(tx: Tx, contact_id: int | None, before: int | None, limit: int, now_ms: int) -> tuple[Line, ...]:
    """The newest lines with a star, newest first, of one contact or of all. before: only those before this row."""
    where = "" if contact_id is None else "contact = ? AND "
    rows = tx.all(
        f"SELECT message FROM chat_star WHERE {where}message < ? ORDER BY message DESC LIMIT ?",
        (
            *(() if contact_id is None else (contact_id,)),
            2**62 if before is None else before,
            max(0, min(limit, view.LINES_MAX)),
        ),
    )
    lines = (view.line(tx, seq, now_ms) for (seq,) in rows)
    return tuple(overlay.dressed(tx, [line for line in lines if line is not None]))


def keep(tx: Tx, contact_id: int) -> bytes | None:
    """What a backup has of a conversation beside its messages; a draft only where what is said stays."""
    mark, kept = view.mark(tx, contact_id), of(tx, contact_id)
    rows = tx.all(
        "SELECT message FROM chat_star WHERE contact = ? ORDER BY message DESC LIMIT ?", (contact_id, STARS_KEPT_MAX)
    )
    stars = tuple(seq for (seq,) in rows)
    timer = lasting.setting(tx, contact_id)
    draft = "" if timer.seconds else kept.draft  # a file that lies about does not hold what is to be gone in a day
    if not (mark or stars or timer.turn or replace(kept, draft=draft) != Kept()):
        return None
    said: wire.Value = (timer.seconds, timer.turn, timer.author) if timer.turn else ()
    return wire.encode((mark, kept.pinned, kept.muted_ms, kept.archived, stars, said, draft))


def check(raw: bytes) -> tuple[int, Kept, tuple[int, ...], lasting.Setting]:
    """What `keep` wrote, also in an earlier version: the read mark, what is kept, the stars, the timer.

    Raises: Malformed.
    """
    match wire.decode(raw, NOTE_BYTES_MAX):
        case (int(mark),) if _is_row(mark):
            return mark, Kept(), (), lasting.Setting()
        case (int(mark), 0 | 1 as pinned, int(muted_ms), int(archived), tuple(stars), tuple(timer), str(draft)) if (
            _is_row(mark)
            and _is_row(archived)
            and 0 <= muted_ms <= FOREVER_MS
            and len(stars) <= STARS_KEPT_MAX
            and len(draft.encode()) <= TEXT_BYTES_MAX
            and len(rows := [seq for seq in stars if isinstance(seq, int) and _is_row(seq)]) == len(stars)
        ):
            return mark, Kept(int(pinned), muted_ms, archived, draft), tuple(rows), lasting.checked(timer)
        case _:
            raise Malformed


def put_back(tx: Tx, contact_id: int, raw: bytes) -> None:
    """Takes in what `keep` gave. Raises: Malformed."""
    mark, kept, stars, timer = check(raw)
    if timer.turn:
        lasting.put_back(tx, contact_id, timer)
    view.put_mark(tx, contact_id, mark)
    for column, value in zip(_COLUMNS[:3], (kept.pinned, kept.muted_ms, kept.archived), strict=True):
        _set(tx, contact_id, column, value)
    _set(tx, contact_id, "draft", kept.draft)
    rows = [(seq, contact_id) for seq in stars]
    tx.executemany("INSERT OR IGNORE INTO chat_star (message, contact) VALUES (?, ?)", rows)


def _conversation(tx: Tx, contact_id: int, name: str, kept: Kept, newest: int | None, now_ms: int) -> Conversation:
    shown = None if newest is None else view.line(tx, newest, now_ms)
    last = None if shown is None else overlay.dressed(tx, [shown])[0]
    is_muted = kept.muted_ms > now_ms
    return Conversation(
        contact=name,
        last=last,
        excerpt="" if last is None else _excerpt(last.text),
        unread=view.count_unread(tx, contact_id, UNREAD_MAX),
        pinned=bool(kept.pinned),
        muted=is_muted,
        muted_until_ms=kept.muted_ms if is_muted and kept.muted_ms != FOREVER_MS else 0,
        archived=_is_archived(kept, newest, now_ms),
        draft=kept.draft,
        timer_s=lasting.setting(tx, contact_id).seconds,
    )


def _is_archived(kept: Kept, newest: int | None, now_ms: int) -> bool:
    """Whether it is put away: until something is said that is newer, which a muted one does not heed."""
    return kept.archived > 0 and (kept.muted_ms > now_ms or (newest or 0) <= kept.archived)


def _excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * EXCERPT_CHARS].split())
    return line if len(line) <= EXCERPT_CHARS else f"{line[: EXCERPT_CHARS - 1]}…"


def _is_row(value: int) -> bool:
    return 0 <= value <= MESSAGES_MAX


def _set(tx: Tx, contact_id: int, column: str, value: int | str) -> None:
    assert column in _COLUMNS
    tx.execute(
        "INSERT INTO chat_kept (contact, pinned, muted_ms, archived, draft) VALUES (?, 0, 0, 0, '')"
        " ON CONFLICT DO NOTHING",
        (contact_id,),
    )
    tx.execute(f"UPDATE chat_kept SET {column} = ? WHERE contact = ?", (value, contact_id))
