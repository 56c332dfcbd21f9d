"""The room of bills of the command line's small node: it says what the test gave it."""

from dataclasses import dataclass, field
from typing import Any

from ledger import units

Names = list[str]
Numbers = list[int]
Rows = list[dict[str, Any]]


@dataclass
class BillsRoom:
    """bills.*; bill: what is answered of one."""

    bill: dict[str, Any] = field(default_factory=lambda: shown())
    rows: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def split(
        self,
        amount: str,
        unit: str,
        names: Names,
        weights: Numbers | None = None,
        with_me: bool = True,
        receipt: str = "",
    ) -> dict[str, Any]:
        """Asked, where the amount is one."""
        units.parse(amount, units.of(unit))
        given = None if weights is None else tuple(weights)
        self.asked.append(("split", amount, unit, tuple(names), given, with_me, receipt))
        return self.bill

    async def list(self, limit: int = 20, before: int | None = None) -> Rows:
        """All."""
        self.asked.append(("list", limit, before))
        return self.rows[:limit]

    async def show(self, id: str) -> dict[str, Any]:
        """One."""
        self.asked.append(("show", id))
        return self.bill

    async def stop(self, id: str) -> dict[str, Any]:
        """Ended."""
        self.asked.append(("stop", id))
        return self.bill

    async def remind(self, id: str) -> dict[str, Any]:
        """Said."""
        self.asked.append(("remind", id))
        return {"id": id, "contact": "Bo", "reminded_ms": 1}


def share(contact: str, **more: Any) -> dict[str, Any]:
    """A share as the node shows it."""
    plain = {"id": "01M7Q2ZCN0" + "A" * 12 + "BOSH", "contact": contact, "amount": "30.00", "minor": 3000}
    return plain | {"state": "open", "reminded_ms": 0, "paid_by": "", "allow": ""} | more


def shown(**more: Any) -> dict[str, Any]:
    """A bill as the node shows it."""
    plain = {
        "id": "01M7Q2ZCN0" + "A" * 12 + "DINE",
        "kind": "bill",
        "amount": "90.00",
        "unit": "EUR",
        "minor": 9000,
        "own": "30.00",
        "own_minor": 3000,
        "people": 3,
        "receipt": "dinner",
        "at_ms": 1_790_000_000_000,
        "state": "open",
        "asked": "60.00",
        "paid": "0.00",
        "paid_minor": 0,
        "missing": "60.00",
        "missing_minor": 6000,
        "shares": [share("Bo"), share("Chen Li")],
    }
    return plain | more
