"""The room of people nearby who are no contacts yet. All that it says is said between throw-away hosts."""

from dataclasses import asdict
from typing import Any

from features.nearby import service, view
from features.nearby.service import Nearby
from node.feature import Feature
from store.database import Tx
from store.inbox import Arrival


def _show(tx: Tx, greeting_id: int) -> dict[str, object] | None:
    one = view.greeting(tx, greeting_id)
    return None if one is None else asdict(view.shown(one))


def _nothing(_tx: Tx, _arrival: Arrival) -> tuple[Any, ...]:
    return ()


FEATURE = Feature(
    name="nearby",
    contents=(),
    migrations=view.MIGRATIONS,
    apply=_nothing,
    open=Nearby,
    shows={view.CHANGED: _show},
    run=service.run,
)
