"""The room of shops of the command line's small node: it says what the test gave it."""

from dataclasses import dataclass, field
from typing import Any

from features.shop.faults import NoReceipt, StrangeShop

Rows = list[dict[str, Any]]
CODE = "WEFT:S/" + "A" * 60


@dataclass
class ShopRoom:
    """shop.*; becomes: how an order stands when it is looked at again. stranger: whether the shop is none of ours."""

    wares: Rows = field(default_factory=list)
    sold: Rows = field(default_factory=list)
    orders: Rows = field(default_factory=list)
    papers: Rows = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    becomes: dict[str, Any] = field(default_factory=dict)
    known_link: str = ""
    stranger: bool = False

    async def offer(self, title: str, amount: str = "", unit: str = "", link: str = "") -> dict[str, Any]:
        """Made."""
        self.asked.append(("offer", title, amount, unit, link))
        self.wares.append(row := ware(title, amount="" if amount in ("", "0") else amount, unit=unit))
        return row

    async def link(self) -> dict[str, str]:
        """One that is known."""
        return {"link": self.known_link}

    async def list(self) -> Rows:
        """All."""
        return self.wares

    async def close(self, id: str) -> dict[str, Any]:
        """Ended."""
        self.asked.append(("close", id))
        return ware("coffee", closed=True)

    async def sales(self, limit: int = 50) -> Rows:
        """To whom."""
        return self.sold[:limit]

    async def buy(
        self,
        code: str,
        quantity: int = 1,
        tip: str = "",
        amount: str = "",
        unit: str = "",
        note: str = "",
        key: str = "",
    ) -> dict[str, Any]:
        """Ordered."""
        self.asked.append(("buy", code, quantity, tip, amount, unit, note, key))
        if self.stranger:
            raise StrangeShop(next="weft add weft:i/AAAA")
        row = order("coffee", quantity=quantity)
        self.orders.append(row | self.becomes)
        return row

    async def bought(self, limit: int = 50) -> Rows:
        """Where."""
        return self.orders[:limit]

    async def cancel(self, id: str) -> dict[str, Any]:
        """Taken back."""
        self.asked.append(("cancel", id))
        return order("coffee", state="cancelled", reason="you took it back")

    async def receipt(self, id: str) -> dict[str, Any]:
        """The paper."""
        for row in self.papers:
            if row["payment"].endswith(id):
                return row
        raise NoReceipt


def ware(title: str, **more: Any) -> dict[str, Any]:
    """Something that is sold, as the node shows it."""
    plain = {"id": "01J0000000000000000000AAAA", "title": title, "amount": "2.80", "unit": "EUR", "sold": 0}
    return plain | {"taken": "0.00", "closed": False, "made_ms": 1_790_000_000_000, "code": CODE} | more


def sale(contact: str, **more: Any) -> dict[str, Any]:
    """A sale."""
    row = order("coffee", state="paid", reason="", payment="01J0000000000000000000PPPP") | {"contact": contact} | more
    return {name: value for name, value in row.items() if name not in ("shop", "until_ms")}


def order(title: str, **more: Any) -> dict[str, Any]:
    """A purchase."""
    plain: dict[str, Any] = {"id": "01J0000000000000000000CCCC", "shop": "Cafe", "title": title, "quantity": 1}
    plain |= {"tip": "0.00", "amount": "2.80", "unit": "EUR", "note": "", "at_ms": 1_790_000_000_000}
    plain |= {"until_ms": 1_790_086_400_000, "state": "ordered", "reason": "waits for Cafe's node to answer"}
    return plain | {"payment": "", "refunded": "0.00"} | more


def paper(**more: Any) -> dict[str, Any]:
    """A receipt."""
    plain = {"payment": "01J0000000000000000000PPPP", "contact": "Cafe", "mine": True, "amount": "6.10", "unit": "EUR"}
    plain |= {"refunded": "0.00", "lines": "2 × coffee  5.60 EUR\ntip  0.50 EUR", "at_ms": 1_790_000_000_000}
    return plain | {"invoice": "ab" * 32, "code": "WEFT:P/AAAA"} | more
