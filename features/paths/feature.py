"""The room in which people pay over friends of friends, by invoices, and clear rings of debts."""

from features.paths import service, view
from features.paths.content import CONTENTS
from features.paths.service import Paths
from node.feature import Feature
from protocol import ids
from store.database import Tx


def _show(tx: Tx, row_id: int) -> dict[str, object] | None:
    one = view.payment(tx, row_id)
    return None if one is None else {"id": ids.ulid(one.name[:16]), "state": one.state.name.lower()}


def _show_invoice(tx: Tx, row_id: int) -> dict[str, object] | None:
    one = view.invoice(tx, row_id)
    return None if one is None else {"id": ids.ulid(one.name[:16])}


FEATURE = Feature(
    name="paths",
    contents=CONTENTS,
    migrations=view.MIGRATIONS,
    apply=view.apply,
    open=Paths,
    shows={view.CHANGED: _show, view.INVOICED: _show_invoice},
    run=service.run,
)
