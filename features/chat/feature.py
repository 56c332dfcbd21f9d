"""The room of conversations between two accounts."""

from dataclasses import asdict

from features.chat import index, service, view
from features.chat.content import Text
from features.chat.service import Chat
from node.feature import Feature, Keeping
from store.database import Tx

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, seq: int) -> dict[str, object] | None:
    line = view.line(tx, seq, AS_STORED)
    return None if line is None else asdict(line)


def _show_state(tx: Tx, seq: int) -> dict[str, object] | None:
    line = view.line(tx, seq, AS_STORED)
    return asdict(line) if line is not None and line.mine else None


FEATURE = Feature(
    name="chat",
    needs=("media",),
    contents=(Text,),
    migrations=(*view.MIGRATIONS, *index.MIGRATIONS),
    apply=view.apply,
    open=Chat,
    shows={"chat.received": _show, "delivery": _show_state},
    run=service.run,
    keeping=Keeping(view.keep, view.mark_of, view.put_back),
)
