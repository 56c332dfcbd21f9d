"""What acts make of the lines: the newest edit, reactions, a pin, and the line that is answered. Only reads.

The acts are messages of their own (kinds 121 to 123, and 127); which of them count is written by acts.py. Not here: the
lines (view.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from features.chat import linked, view
from features.chat.content import Edit, Pin, React, Recall, Text
from features.chat.view import Answered, Line, Reaction
from protocol import content, ids
from protocol.content import Channel, Said
from store.database import Tx

EXCERPT_CHARS = 80  # of the line that is answered: one row of a terminal
SLICE_ROWS = 500  # in one query

KINDS = content.Kinds((*view.SHOWN, React, Edit, Recall, Pin))
_OURS = "SELECT seq FROM message WHERE device = 0 AND message_id = ? AND contact = ?"
_THEIRS = "SELECT m.seq FROM device d CROSS JOIN message m ON m.device = d.id AND m.message_id = ? WHERE d.contact = ?"
_STARS = "SELECT message FROM chat_star WHERE message IN ({})"
_ACTS = (
    "SELECT m.seq, a.mine, a.kind, a.hlc_ms, a.device_seq, a.act, a.mark, a.seq, a.turn FROM message m"
    " JOIN chat_act a ON a.contact = m.contact AND a.target = m.message_id"
    " WHERE m.seq IN ({}) AND (a.kind IN (121, 127) OR a.mine = (m.device = 0))"
)


@dataclass(frozen=True, slots=True)
class Version:
    """A text that a message said once, or says now. at_ms: by its author's clock."""

    text: str
    at_ms: int


@dataclass(slots=True)
class _Acts:
    """What was done to one line: rows of its edits, the last one newest; reactions; turn, id and mark of its pin."""

    edits: list[int]
    reactions: list[Reaction]
    pin: tuple[int, bytes, str] = (0, b"", "")


def row_of(tx: Tx, contact_id: int, message_id: bytes, mine: bool) -> int | None:
    """The row of a message by its id, on one side of a conversation."""
    row = tx.one(_OURS if mine else _THEIRS, (message_id, contact_id))
    return None if row is None else int(row[0])


def hear(tx: Tx, seq: int) -> Said:
    """What a message that is kept says."""
    row = tx.one("SELECT body FROM message WHERE seq = ?", (seq,))
    assert row is not None
    return KINDS.hear(row[0], Channel.RATCHET)


def texts(tx: Tx, seqs: Sequence[int]) -> dict[int, str]:
    """What those of these lines say now that were edited."""
    return {seq: _text(tx, found.edits[-1]) for seq, found in _acts(tx, seqs).items() if found.edits}


def dressed(tx: Tx, lines: Sequence[Line]) -> list[Line]:
    """The lines with what was done to them, by both and by us alone."""
    seqs = [one.seq for one in lines]
    acts, stars = _acts(tx, seqs), _stars(tx, seqs)
    marked = (replace(one, starred=True) if one.seq in stars else one for one in map(_linked, lines))
    return [_dressed(tx, one, acts.get(one.seq)) for one in marked]


def versions(tx: Tx, seq: int) -> tuple[Version, ...]:
    """All that a line has said, oldest first; the last one is what it says now."""
    edits = found.edits if (found := _acts(tx, [seq]).get(seq)) else []
    heard = [hear(tx, row) for row in (seq, *edits)]
    return tuple(Version(view.text_of(one.content), one.hlc_ms) for one in heard)


def _acts(tx: Tx, seqs: Sequence[int]) -> Mapping[int, _Acts]:
    found: dict[int, _Acts] = {}
    for start in range(0, len(seqs), SLICE_ROWS):
        places = ",".join(map(str, seqs[start : start + SLICE_ROWS]))
        for seq, mine, kind, _, _, act, mark, row, turn in sorted(tx.all(_ACTS.format(places))):
            acts = found.setdefault(seq, _Acts([], []))
            if kind == Edit.KIND:
                acts.edits.append(row)
            elif kind == React.KIND and mark:
                acts.reactions.append(Reaction(bool(mine), mark))
            elif kind == Pin.KIND:
                acts.pin = max(acts.pin, (turn, act, mark))
    return found


def _stars(tx: Tx, seqs: Sequence[int]) -> frozenset[int]:
    """Those of these lines that have a star."""
    found: list[int] = []
    for start in range(0, len(seqs), SLICE_ROWS):
        places = ",".join(map(str, seqs[start : start + SLICE_ROWS]))
        found += [seq for (seq,) in tx.all(_STARS.format(places))]
    return frozenset(found)


def _text(tx: Tx, seq: int) -> str:
    said = hear(tx, seq).content
    assert isinstance(said, Edit | Text)
    return said.text


def _linked(line: Line) -> Line:
    """The line without a preview that is of something else than its text, as it was said, leads to."""
    is_good = line.preview is None or linked.is_of(line.text, line.preview.url)
    return line if is_good else replace(line, preview=None)


def _dressed(tx: Tx, line: Line, acts: _Acts | None) -> Line:
    if line.reply_to is not None:
        line = replace(line, reply_to=_answered(tx, line.seq, line.reply_to))
    if acts is None or line.recalled:
        return line
    text = _text(tx, acts.edits[-1]) if acts.edits else line.text
    reactions = tuple(sorted(acts.reactions, key=lambda one: not one.mine))
    preview = None if acts.edits else line.preview  # it was of a link in what was said before
    edited, is_pinned = len(acts.edits), acts.pin[-1] != ""
    return replace(line, text=text, edited=edited, reactions=reactions, pinned=is_pinned, preview=preview)


def _answered(tx: Tx, seq: int, reply_to: Answered) -> Answered:
    """The beginning of the line that is answered, where it is here."""
    row = tx.one("SELECT contact FROM message WHERE seq = ?", (seq,))
    assert row is not None
    message_id = ids.ulid_from(reply_to.id)
    for mine in (True, False):
        target = row_of(tx, row[0], message_id, mine)
        if target is None or not is_line(tx, target):
            continue
        said = hear(tx, target).content
        if view.is_withdrawn(said):
            return replace(reply_to, mine=mine, is_here=True)
        words = " ".join((texts(tx, [target]).get(target, view.text_of(said))).split())
        excerpt = words if len(words) <= EXCERPT_CHARS else f"{words[: EXCERPT_CHARS - 1]}…"
        return replace(reply_to, mine=mine, is_here=True, excerpt=excerpt)
    return reply_to


def is_line(tx: Tx, seq: int) -> bool:
    """Whether this row is a line that is shown."""
    found = tx.one(
        f"SELECT 1 FROM message m WHERE m.seq = ? AND {view.HEARD}",
        (seq,),
    )
    return found is not None
