"""The room of vouchers and gift cards, which are units of their issuers in the ledgers."""

from typing import Any

from features.vouchers.service import Vouchers
from node.feature import Feature
from store.database import Tx
from store.inbox import Arrival


def _nothing(_tx: Tx, _arrival: Arrival) -> tuple[Any, ...]:
    return ()


FEATURE = Feature(name="vouchers", contents=(), migrations=(), apply=_nothing, open=Vouchers)
