"""The room in which a bill is split among contacts, and requests are reminded of."""

from features.bills import service, view
from features.bills.content import Progress, Reminder
from features.bills.service import Bills
from node.feature import Feature
from protocol import ids
from store.database import Tx


def _show(tx: Tx, bill_id: int) -> dict[str, object] | None:
    """How far a bill is; the shares are asked for."""
    one = view.bill(tx, bill_id)
    if one is None:
        return None
    paid, count = view.paid(tx, bill_id)
    return {"id": ids.ulid(one.bill), "receipt": one.receipt, "paid": paid, "asked": count}


FEATURE = Feature(
    name="bills",
    contents=(Reminder, Progress),
    migrations=view.MIGRATIONS,
    apply=view.apply,
    open=Bills,
    shows={view.CHANGED: _show},
    run=service.run,
)
