"""The room of conversations between two accounts."""

from dataclasses import asdict

from features.chat import conversations, index, service, view
from features.chat.content import Text
from features.chat.service import Chat
from node.feature import Feature, Keeping
from store.database import Tx

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, seq: int) -> dict[str, object] | None:
    """The line, and whether it came into a conversation that is not to ring."""
    line = view.line(tx, seq, AS_STORED)
    return None if line is None else {**asdict(line), "muted": conversations.was_muted(tx, seq)}


def _show_state(tx: Tx, seq: int) -> dict[str, object] | None:
    line = view.line(tx, seq, AS_STORED)
    return asdict(line) if line is not None and line.mine else None


FEATURE = Feature(
    name="chat",
    contents=(Text,),
    migrations=(*view.MIGRATIONS, *index.MIGRATIONS, *conversations.MIGRATIONS),
    apply=view.apply,
    open=Chat,
    shows={"chat.received": _show, "delivery": _show_state},
    run=service.run,
    keeping=Keeping(conversations.keep, conversations.check, conversations.put_back),
)
