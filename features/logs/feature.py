"""The room in which people look at logs, and write notes into logs of their own."""

from typing import Any

from features.logs import keeping, view
from features.logs.content import Note
from features.logs.service import Logs
from node.feature import Feature, Keeping
from store import logs, spaces
from store.database import Tx
from store.inbox import Arrival


def _nothing(_tx: Tx, _arrival: Arrival) -> tuple[Any, ...]:
    return ()  # a note stands in an entry and is no message


def _show(tx: Tx, number: int) -> dict[str, object] | None:
    one = spaces.space(tx, number)
    count, newest_ms = view.newest(tx, one)
    return {"log": one.log.id.hex(), "name": view.full_name(tx, one), "entries": count, "newest_ms": newest_ms}


FEATURE = Feature(
    name="logs",
    contents=(Note,),
    migrations=(),
    apply=_nothing,
    open=Logs,
    shows={logs.TOPIC: _show},
    keeping=Keeping(keeping.keep, keeping.check, keeping.put_back),
    restored=keeping.restored,
)
