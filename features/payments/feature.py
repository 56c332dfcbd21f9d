"""The room in which people settle what they owe each other. Its terms are entries of ledgers and no messages."""

from dataclasses import asdict
from typing import Any

from features.payments import service, view
from features.payments.content import TERMS
from features.payments.service import Payments
from node.feature import Feature
from store import payments
from store.database import Tx
from store.inbox import Arrival

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, payment_id: int) -> dict[str, object] | None:
    one = payments.payment(tx, payment_id)
    return None if one is None else asdict(view.line(tx, one, AS_STORED))


def _show_request(tx: Tx, request_id: int) -> dict[str, object] | None:
    one = payments.request(tx, request_id)
    return None if one is None else asdict(view.wish(tx, one))


def _nothing(_tx: Tx, _arrival: Arrival) -> tuple[Any, ...]:
    return ()


FEATURE = Feature(
    name="payments",
    contents=TERMS,
    migrations=(),
    apply=_nothing,
    open=Payments,
    shows={payments.CHANGED: _show, payments.ASKED: _show_request},
    run=service.run,
)
