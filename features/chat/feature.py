"""The room of conversations between two accounts."""

from dataclasses import asdict

from crypto.keys import Entropy
from features.chat import acts, conversations, hearing, index, lasting, overlay, service, view
from features.chat.content import Edit, Gone, Pin, React, Recall, Seen, Text, Timer
from features.chat.service import Chat
from features.profile.content import ContactCard, Location
from features.stickers.content import Sticker
from node.feature import Feature, Keeping
from protocol import ids
from protocol.file import File
from store.database import Tx
from store.identity import Identity

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, seq: int) -> dict[str, object] | None:
    """The line, and whether it came into a conversation that is not to ring."""
    line = view.line(tx, seq, AS_STORED)
    if line is None:
        return None
    return {**asdict(overlay.dressed(tx, [line])[0]), "muted": conversations.was_muted(tx, seq)}


def _show_state(tx: Tx, seq: int) -> dict[str, object] | None:
    shown = _show(tx, seq)
    return shown if shown is not None and shown["mine"] else None


def _restored(tx: Tx, _identity: Identity, _now_ms: int, _entropy: Entropy) -> None:
    acts.rebuild(tx)


def _show_gone(tx: Tx, seq: int) -> dict[str, object] | None:
    """Which line is to be taken from a screen."""
    row = tx.one("SELECT m.message_id, c.name FROM message m JOIN contact c ON c.id = m.contact WHERE seq = ?", (seq,))
    return None if row is None else {"id": ids.ulid(row[0]), "seq": seq, "contact": row[1]}


FEATURE = Feature(
    name="chat",
    needs=("media", "profile", "stickers"),
    contents=(Text, React, Edit, Recall, Timer, Seen, Gone, Pin, File, ContactCard, Location, Sticker),
    migrations=(
        *view.MIGRATIONS,
        *index.MIGRATIONS,
        *acts.MIGRATIONS,
        *conversations.MIGRATIONS,
        *lasting.MIGRATIONS,
    ),
    apply=hearing.apply,
    open=Chat,
    shows={"chat.received": _show, acts.CHANGED: _show, "delivery": _show_state, lasting.GONE: _show_gone},
    passing={"chat.typing": lambda chat: chat.typists.watch()},
    run=service.run,
    keeping=Keeping(conversations.keep, conversations.check, conversations.put_back),
    restored=_restored,
)
