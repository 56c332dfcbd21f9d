"""The room of payments over others of the command line's small node: it says what the test gave it."""

from dataclasses import dataclass, field
from typing import Any

from protocol.faults import UserFault
from protocol.pay_code import BadPayCode

CODE = "WEFT:P/AEBAG"
ACCOUNT = "wf1" + "q" * 57 + "f3"
PREIMAGE = "78" * 32
Rows = list[dict[str, Any]]


class UnknownPath(UserFault):
    """There is no such payment here."""

    code = "path.unknown"
    next = "weft ledger history"
    exit = 5


@dataclass
class PathsRoom:
    """paths.*; becomes: the states that a payment has when it is looked at, one after another, the last for ever."""

    rows: Rows = field(default_factory=list)
    caps: Rows = field(default_factory=list)
    mine: Rows = field(default_factory=list)
    rings: list[Rows] = field(default_factory=list)
    becomes: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def forward(self, to: str, each: str, total: str, unit: str) -> dict[str, Any]:
        """Passed on."""
        self.asked.append(("forward", to, each, total, unit))
        self.caps.append({"contact": to, "unit": unit, "each": each, "total": total})
        return self.caps[-1]

    async def unforward(self, to: str) -> dict[str, Any]:
        """Not any more."""
        self.asked.append(("unforward", to))
        return {"contact": to}

    async def forwards(self, to: str | None = None) -> Rows:
        """All of it."""
        return [one for one in self.caps if to in (None, one["contact"])]

    async def invoice(self, amount: str, unit: str, note: str = "", valid_s: int = 86_400) -> dict[str, Any]:
        """Made."""
        self.asked.append(("invoice", amount, unit, note, valid_s))
        return asking(amount=amount, unit=unit, memo=note)

    async def invoices(self, limit: int = 50) -> Rows:
        """Ours."""
        return self.mine[:limit]

    async def look(self, code: str) -> dict[str, Any]:
        """What it says."""
        if "?" in code:
            raise BadPayCode
        return seen(**self.seen)

    async def pay(self, code: str) -> dict[str, Any]:
        """Begun."""
        self.asked.append(("pay", code))
        self.rows.append(path())
        return self.rows[-1]

    async def simplify(self, unit: str | None = None) -> Rows:
        """The next rings."""
        self.asked.append(("simplify", unit))
        return self.rings.pop(0) if self.rings else []

    async def show(self, id: str) -> dict[str, Any]:
        """One of them, as it has become."""
        found = next((one for one in (*self.rows, *self.mine) if one["id"].endswith(id)), None)
        if found is None:
            raise UnknownPath
        if self.becomes and "preimage" in found:
            found.update(self.becomes.pop(0) if len(self.becomes) > 1 else self.becomes[0])
        return found


def path(**changes: object) -> dict[str, Any]:
    """A payment as the API shows it."""
    return {
        "id": "01J00000000000000000PATH01",
        "kind": "invoice",
        "payee": ACCOUNT,
        "known": False,
        "contact": "",
        "amount": "20.00",
        "unit": "EUR",
        "minor": 2000,
        "memo": "tickets",
        "state": "searching",
        "reason": "asking your contacts for a way",
        "made_ms": 1_790_000_000_000,
        "payment": "",
        "invoice": "",
        "preimage": "",
        **changes,
    }


def asking(**changes: object) -> dict[str, Any]:
    """An invoice of ours as the API shows it."""
    return {
        "id": "01J00000000000000000ASK001",
        "amount": "8.00",
        "unit": "EUR",
        "minor": 800,
        "memo": "",
        "made_ms": 1_790_000_000_000,
        "until_ms": 1_790_000_000_000,
        "state": "open",
        "payer": "",
        "direct": False,
        "code": CODE,
        **changes,
    }


def seen(**changes: object) -> dict[str, Any]:
    """What an invoice says, as the API shows it."""
    return {
        "payee": ACCOUNT,
        "known": False,
        "amount": "20.00",
        "unit": "EUR",
        "minor": 2000,
        "memo": "tickets",
        "until_ms": 1_790_000_000_000,
        "state": "",
        **changes,
    }
