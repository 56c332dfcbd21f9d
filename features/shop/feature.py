"""The room in which shops are paid: codes, orders, invoices, receipts."""

from dataclasses import asdict

from features.shop import arriving, purchases, sales, service, slips
from features.shop.content import Billed, NoInvoice, Order
from features.shop.service import Shop
from node.feature import Feature
from store.database import Tx


def _show_sale(tx: Tx, sale_id: int) -> dict[str, object] | None:
    one = sales.sale(tx, sale_id)
    return None if one is None else asdict(slips.sale_line(tx, one))


def _show_purchase(tx: Tx, purchase_id: int) -> dict[str, object] | None:
    one = purchases.purchase(tx, purchase_id)
    return None if one is None else asdict(slips.purchase_line(tx, one))


FEATURE = Feature(
    name="shop",
    contents=(Order, Billed, NoInvoice),
    migrations=(*sales.MIGRATIONS, *purchases.MIGRATIONS),
    apply=arriving.apply,
    open=Shop,
    shows={sales.CHANGED: _show_sale, purchases.CHANGED: _show_purchase},
    run=service.run,
)
