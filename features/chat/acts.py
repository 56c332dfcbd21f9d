"""What people do to messages: which reaction, edit or recall counts, whenever it comes.

Acts come in any order, also before their message. Which one counts is decided by the clock and number that their
author put into them, never by the arrival, so both sides decide alike:

    React   of each side the newest             waits for its message
    Edit    the newest, by the message's author waits, all are kept as its history
    Recall  ends them all, by the author        waits, and takes the message as it comes
    Pin     of both sides that of the last turn waits; what is pinned: pins.py

This file writes chat_act and chat_gone; both can be made anew from the messages (`rebuild`). How a line looks
afterwards is in overlay.py, what a person does by himself in acting.py.
"""

from collections.abc import Mapping
from typing import Any

from crypto.faults import Malformed
from features.chat import carried, index, overlay, view
from features.chat.content import Edit, How, Pin, React, Recall, Text
from features.media.view import LINE_KINDS
from features.profile.content import ContactCard, Location
from features.stickers.content import Sticker
from protocol import content, delivery
from protocol.content import Said
from protocol.file import File
from store import bodies
from store.database import Migration, Tx
from store.inbox import Arrival

CHANGED = "chat.changed"  # topic: something was done to a line; its key is the line
RECALL_MS: Mapping[int, int] = {
    **dict.fromkeys((Text.KIND, ContactCard.KIND, Location.KIND, Sticker.KIND), 2 * 60_000),
    File.KIND: 3 * 3_600_000,
}  # how long its author can recall a message of a kind
HONOURED_MS = 86_400_000  # between both by the author's clock, which may have been set meanwhile
LATE_MS = delivery.EXPIRE_MS + 86_400_000  # between both arrivals: later no recall comes that was said in time
WAITS_MAX = 512  # acts of a contact whose message is not here: one window of a talk
EDITS_MAX = 64  # of one message; the oldest go
PINNED = "pinned"  # the mark of a pin

MIGRATIONS = (
    Migration(
        "chat_acts",
        1,
        f"""
        CREATE TABLE chat_act (
          contact INTEGER NOT NULL, target BLOB NOT NULL, mine INTEGER NOT NULL, kind INTEGER NOT NULL,
          hlc_ms INTEGER NOT NULL, device_seq INTEGER NOT NULL, act BLOB NOT NULL, seq INTEGER NOT NULL,
          mark TEXT NOT NULL, waits INTEGER NOT NULL,
          PRIMARY KEY (contact, target, mine, kind, hlc_ms, device_seq, act)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX chat_act_waits ON chat_act (contact, seq) WHERE waits = 1;
        CREATE INDEX chat_line_end ON message (substr(message_id, 15, 2), seq) WHERE kind IN ({LINE_KINDS});
        CREATE TABLE chat_gone (message INTEGER NOT NULL PRIMARY KEY) STRICT;
        """,
    ),
    Migration(
        "chat_pins",
        1,
        """
        ALTER TABLE chat_act ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX chat_act_pin ON chat_act (contact, hlc_ms, act) WHERE kind = 127 AND mark != '';
        """,
    ),
)
WAITING = (
    "SELECT target, act FROM chat_act INDEXED BY chat_act_waits WHERE contact = ? AND waits = 1"
    " ORDER BY seq DESC LIMIT -1 OFFSET ?"
)
_BLANK = {how: bytes((0x83, 0x60, 0xF6, how)) for how in (How.WITHDRAWN, How.DELETED)}  # fields of a text of nothing


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Takes in a line or an act of a contact, and tells watchers. Raises: Malformed."""
    said, contact_id = arrival.said, arrival.contact.id
    match said.content:
        case Text(how=How.DELETED):
            raise Malformed
        case Text(how=How.WITHDRAWN):
            withdraw(tx, contact_id, arrival.seq)
        case React() | Edit() | Recall() | Pin():
            fold(tx, contact_id, False, arrival.seq, said)
            return ()
    carried.arrived(tx, arrival)
    meet(tx, contact_id, arrival.seq, said)
    return view.apply(tx, arrival)


def fold(tx: Tx, contact_id: int, mine: bool, seq: int, said: Said) -> None:
    """Takes in one act. What its author may not do, or what comes too late, changes nothing."""
    act = said.content
    assert isinstance(act, React | Edit | Recall | Pin)
    target = overlay.row_of(tx, contact_id, act.target, mine)
    other = overlay.row_of(tx, contact_id, act.target, not mine) if target is None else None
    if other is not None:
        if isinstance(act, Edit | Recall):
            return  # only the author edits and recalls
        target = other
    if target is not None and not _takes(tx, target, act):
        bodies.put(tx, seq, blank(said, How.DELETED), said.kind)
        return
    if isinstance(act, Recall) and target is not None:
        if mine or _is_honoured(tx, seq, target):
            withdraw(tx, contact_id, target)
            tx.changed(CHANGED, target)
        return
    mark, turn = _told(act)
    place = (contact_id, act.target, int(mine), said.kind)
    tx.execute(
        "INSERT OR IGNORE INTO chat_act (contact, target, mine, kind, hlc_ms, device_seq, act, seq, mark, waits, turn)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, said.hlc_ms, said.device_seq, said.message_id, seq, mark, int(target is None), turn),
    )
    _bound(tx, place, EDITS_MAX if isinstance(act, Edit) else 1)
    if target is None:
        _bound_waiting(tx, contact_id)
        return
    if isinstance(act, Edit):
        _index(tx, contact_id, target)
    tx.changed(CHANGED, target)


def meet(tx: Tx, contact_id: int, seq: int, said: Said) -> None:
    """A message of a contact has come: the acts that waited for it count from now on."""
    place = (contact_id, said.message_id)
    if not tx.execute("UPDATE chat_act SET waits = 0 WHERE contact = ? AND target = ? AND waits = 1", place).rowcount:
        return
    recall = tx.one("SELECT seq FROM chat_act WHERE contact = ? AND target = ? AND kind = 123 AND mine = 0", place)
    if recall is not None and _is_honoured(tx, recall[0], seq):
        withdraw(tx, contact_id, seq)


def withdraw(tx: Tx, contact_id: int, seq: int) -> None:
    """A message is recalled: what it said, ever, is gone; a notice stays."""
    _empty(tx, contact_id, seq, How.WITHDRAWN)


def delete(tx: Tx, contact_id: int, seq: int) -> None:
    """A message is gone here; its id stays, so that it does not come back."""
    _empty(tx, contact_id, seq, How.DELETED)
    tx.execute("INSERT OR IGNORE INTO chat_gone (message) VALUES (?)", (seq,))
    tx.changed(CHANGED, seq)


def acts_of(tx: Tx, contact_id: int, message_id: bytes) -> tuple[tuple[int, bool, int], ...]:
    """(row, is it ours, clock) of every act on a message that counts."""
    rows = tx.all("SELECT seq, mine, hlc_ms FROM chat_act WHERE contact = ? AND target = ?", (contact_id, message_id))
    return tuple((seq, bool(mine), hlc_ms) for seq, mine, hlc_ms in rows)


def reaction(tx: Tx, contact_id: int, message_id: bytes) -> str | None:
    """Our reaction to a message; None where there is none."""
    row = tx.one(
        "SELECT mark FROM chat_act WHERE contact = ? AND target = ? AND mine = 1 AND kind = 121 AND mark != ''",
        (contact_id, message_id),
    )
    return None if row is None else str(row[0])


def blank(said: Said, how: How) -> bytes:
    """The same message with nothing in it: its head, and which message an act is about; nothing that it carried."""
    match said.content:
        case Edit(target=target):
            what: object = Edit(target, "")
        case React(target=target):
            what = React(target, None)
        case _:
            what = Text("", None, how) if isinstance(said.content, view.SAID) else said.content
    return content.say(
        message_id=said.message_id,
        hlc_ms=said.hlc_ms,
        device_seq=said.device_seq,
        parents=said.parents,
        content=what,
        conversation=said.conversation,
        expire_s=said.expire_s,
    )


def rebuild(tx: Tx) -> None:
    """Makes both tables anew from the messages, as after a restore."""
    tx.execute("DELETE FROM chat_act")
    tx.execute("DELETE FROM chat_gone")
    tx.execute(
        "INSERT INTO chat_gone (message) SELECT seq FROM message WHERE kind = 120 AND instr(substr(body, -9), ?) > 0",
        (_BLANK[How.DELETED],),
    )
    acts = tx.all(
        "SELECT m.seq, m.contact, m.device FROM message m WHERE m.kind IN (121, 122, 123, 127)"
        " AND NOT EXISTS (SELECT 1 FROM unheard u WHERE u.message = m.seq) ORDER BY m.seq"
    )
    for seq, contact_id, device_id in acts:
        fold(tx, contact_id, device_id == 0, seq, overlay.hear(tx, seq))


def _takes(tx: Tx, seq: int, act: React | Edit | Recall | Pin) -> bool:
    """Whether this can be done to this row: it is a line, neither deleted here nor recalled; only texts are edited."""
    if not overlay.is_line(tx, seq):
        return False
    said = overlay.hear(tx, seq).content
    match act:
        case Edit():
            return isinstance(said, Text) and not view.is_withdrawn(said)
        case Recall():
            return isinstance(said, view.SAID) and not view.is_withdrawn(said)
        case React() | Pin():
            return not view.is_withdrawn(said)


def _told(act: React | Edit | Recall | Pin) -> tuple[str, int]:
    """The mark of an act, "" for one that takes something away, and its turn, 0 for all but pins."""
    match act:
        case React():
            return act.mark or "", 0
        case Pin():
            return PINNED if act.pinned else "", act.turn
        case _:
            return "", 0


def _is_honoured(tx: Tx, recall: int, target: int) -> bool:
    """Whether a recall of a contact's is heeded: only differences of one clock are compared, never two clocks."""
    row = tx.one(
        "SELECT r.at_ms - t.at_ms, r.arrived_ms - t.arrived_ms FROM message r, message t WHERE r.seq = ? AND t.seq = ?",
        (recall, target),
    )
    assert row is not None
    said_later_ms, came_later_ms = row
    return bool(said_later_ms <= HONOURED_MS and came_later_ms <= LATE_MS)


def _bound(tx: Tx, place: tuple[object, ...], count_max: int) -> None:
    """Keeps the newest acts of one kind, of one side, on one message."""
    old = tx.all(
        "SELECT act, seq FROM chat_act WHERE contact = ? AND target = ? AND mine = ? AND kind = ?"
        " ORDER BY turn DESC, hlc_ms DESC, device_seq DESC, act DESC LIMIT -1 OFFSET ?",
        (*place, count_max),
    )
    for act, _ in old:
        tx.execute(
            "DELETE FROM chat_act WHERE contact = ? AND target = ? AND mine = ? AND kind = ? AND act = ?",
            (*place, act),
        )


def _bound_waiting(tx: Tx, contact_id: int) -> None:
    """Of those whose message is not here the oldest go, so that nobody fills our disk with acts on nothing."""
    old = tx.all(
        WAITING,
        (contact_id, WAITS_MAX),
    )
    for target, act in old:
        tx.execute("DELETE FROM chat_act WHERE contact = ? AND target = ? AND act = ?", (contact_id, target, act))


def _index(tx: Tx, contact_id: int, seq: int) -> None:
    text = overlay.texts(tx, [seq]).get(seq)
    if text is not None:
        index.learn(tx, seq, contact_id, text)


def _empty(tx: Tx, contact_id: int, seq: int, how: How) -> None:
    """Takes away what a message and the acts on it say, and the acts."""
    said = overlay.hear(tx, seq)
    bodies.put(tx, seq, blank(said, how), Text.KIND)
    carried.forget(tx, seq)
    for act, _, _ in acts_of(tx, contact_id, said.message_id):
        heard = overlay.hear(tx, act)
        bodies.put(tx, act, blank(heard, how), heard.kind)
    tx.execute("DELETE FROM chat_act WHERE contact = ? AND target = ?", (contact_id, said.message_id))
    index.forget(tx, seq)
