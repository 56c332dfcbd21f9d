"""The room of conversations between two accounts."""

from dataclasses import asdict

from features.chat import conversations, hearing, index, lasting, service, view
from features.chat.content import Gone, Seen, Text, Timer
from features.chat.service import Chat
from node.feature import Feature, Keeping
from protocol import ids
from store.database import Tx

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, seq: int) -> dict[str, object] | None:
    """The line, and whether it came into a conversation that is not to ring."""
    line = view.line(tx, seq, AS_STORED)
    return None if line is None else {**asdict(line), "muted": conversations.was_muted(tx, seq)}


def _show_state(tx: Tx, seq: int) -> dict[str, object] | None:
    line = view.line(tx, seq, AS_STORED)
    return asdict(line) if line is not None and line.mine else None


def _show_gone(tx: Tx, seq: int) -> dict[str, object] | None:
    """Which line is to be taken from a screen."""
    row = tx.one("SELECT m.message_id, c.name FROM message m JOIN contact c ON c.id = m.contact WHERE seq = ?", (seq,))
    return None if row is None else {"id": ids.ulid(row[0]), "seq": seq, "contact": row[1]}


FEATURE = Feature(
    name="chat",
    contents=(Text, Timer, Seen, Gone),
    migrations=(*view.MIGRATIONS, *index.MIGRATIONS, *conversations.MIGRATIONS, *lasting.MIGRATIONS),
    apply=hearing.apply,
    open=Chat,
    shows={"chat.received": _show, "delivery": _show_state, lasting.GONE: _show_gone},
    run=service.run,
    keeping=Keeping(conversations.keep, conversations.check, conversations.put_back),
)
