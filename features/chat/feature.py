"""The room of conversations between two accounts."""

from dataclasses import asdict

from crypto.keys import Entropy
from features.chat import acts, index, overlay, service, view
from features.chat.content import Edit, React, Recall, Text
from features.chat.service import Chat
from features.media.content import File
from node.feature import Feature, Keeping
from store.database import Tx
from store.identity import Identity

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, seq: int) -> dict[str, object] | None:
    line = view.line(tx, seq, AS_STORED)
    return None if line is None else asdict(overlay.dressed(tx, [line])[0])


def _show_state(tx: Tx, seq: int) -> dict[str, object] | None:
    shown = _show(tx, seq)
    return shown if shown is not None and shown["mine"] else None


def _restored(tx: Tx, _identity: Identity, _now_ms: int, _entropy: Entropy) -> None:
    acts.rebuild(tx)


FEATURE = Feature(
    name="chat",
    needs=("media",),
    contents=(Text, React, Edit, Recall, File),
    migrations=(*view.MIGRATIONS, *index.MIGRATIONS, *acts.MIGRATIONS),
    apply=acts.apply,
    open=Chat,
    shows={"chat.received": _show, acts.CHANGED: _show, "delivery": _show_state},
    run=service.run,
    keeping=Keeping(view.keep, view.mark_of, view.put_back),
    restored=_restored,
)
