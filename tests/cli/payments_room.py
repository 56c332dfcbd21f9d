"""The rooms of debts of the command line's small node: they say what the test gave them."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from protocol.faults import UserFault

AT_MS = 1_790_000_000_000
UNTIL_MS = AT_MS + 86_400_000
Rows = list[dict[str, Any]]


class PartGone(UserFault):
    """What was being read is not kept so long; begin again."""

    code = "books.part"
    next = "weft ledger export --format hledger"


@dataclass
class PaymentsRoom:
    """payments.*; becomes: what accept, decline and recall answer, None for a payment that was settled."""

    waiting: dict[str, Rows] = field(default_factory=lambda: {"offers": [], "open": [], "asked": [], "asking": []})
    standing: dict[str, Rows] = field(
        default_factory=lambda: {key: [] for key in ("balances", "reserved", "paused", "proposals")}
    )
    past: Rows = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    becomes: dict[str, Any] | None = None
    comes_to: dict[str, Any] | None = None

    async def limit(self, to: str, amount: str, unit: str) -> dict[str, Any]:
        """Allowed."""
        self.asked.append(("limit", to, amount, unit))
        return balance(to, allowed=amount, unit=unit)

    async def pay(self, to: str, amount: str, unit: str, note: str = "", expires_s: int = 86_400) -> dict[str, Any]:
        """Offered."""
        self.asked.append(("pay", to, amount, unit, note, expires_s))
        return payment(to, amount=amount, unit=unit, note=note, reason=f"waits for {to} to accept it")

    async def accept(self, id: str) -> dict[str, Any]:
        """Taken."""
        return self._ended("accept", id)

    async def decline(self, id: str) -> dict[str, Any]:
        """Not taken."""
        return self._ended("decline", id)

    async def recall(self, id: str) -> dict[str, Any]:
        """Taken back."""
        return self._ended("recall", id)

    async def show(self, id: str) -> dict[str, Any]:
        """One of them."""
        return payment("Bo")

    async def refund(self, id: str, amount: str | None = None) -> dict[str, Any]:
        """Given back."""
        self.asked.append(("refund", id, amount))
        return payment("Bo", kind="refund", amount=amount or "12.50", reason="waits for Bo's node to take it")

    async def ask(self, to: str, amount: str, unit: str, note: str = "", due_ms: int | None = None) -> dict[str, Any]:
        """Asked for."""
        self.asked.append(("ask", to, amount, unit, note, due_ms))
        return request(to, amount=amount, unit=unit, note=note, due_ms=due_ms or 0)

    async def settle(self, to: str, amount: str, unit: str, how: str = "cash") -> dict[str, Any]:
        """Noted."""
        self.asked.append(("settle", to, amount, unit, how))
        return self.becomes or request(to, kind="settlement", amount=amount, unit=unit, note=how)

    async def requests(self) -> dict[str, Rows]:
        """What waits."""
        return self.waiting

    async def balances(self) -> dict[str, Rows]:
        """How it stands."""
        return self.standing

    async def reset(self, to: str, owed: list[dict[str, object]], reason: str = "") -> dict[str, Any]:
        """Proposed."""
        self.asked.append(("reset", to, owed, reason))
        return answered(to)

    async def agree(self, to: str) -> dict[str, Any]:
        """Agreed."""
        self.asked.append(("agree", to))
        return self.comes_to or answered(to, state="agreed")

    async def history(self, to: str | None = None, limit: int = 50, before: int | None = None) -> Rows:
        """What was."""
        self.asked.append(("history", to, limit, before))
        return [row for row in self.past if before is None or row["row"] < before][:limit]

    def _ended(self, how: str, id: str) -> dict[str, Any]:
        self.asked.append((how, id))
        return self.becomes or payment("Bo", mine=False, state="settled")


@dataclass
class BooksRoom:
    """books.*; made: what is handed out, cut into `pieces`. kept: how many parts it gives before it forgets."""

    made: bytes = "; bücher\n".encode()
    pieces: int = 1
    kept: int = 1000
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def export(self, form: str, to: str | None = None, east_min: int = 0) -> dict[str, Any]:
        """Books."""
        self.asked.append(("export", form, to, east_min))
        return self.first()

    async def statement(
        self, month: str, form: str = "text", to: str | None = None, east_min: int = 0
    ) -> dict[str, Any]:
        """A statement."""
        self.asked.append(("statement", month, form, to, east_min))
        return self.first()

    async def evidence(self, id: str) -> dict[str, Any]:
        """A file for anybody."""
        self.asked.append(("evidence", id))
        return self.first()

    async def part(self, token: str, offset: int) -> dict[str, Any]:
        """A further part."""
        self.asked.append(("part", token, offset))
        if len(self.asked) > self.kept:
            raise PartGone
        return self._part(offset)

    def first(self) -> dict[str, Any]:
        """The first part."""
        return self._part(0)

    def _part(self, offset: int) -> dict[str, Any]:
        step = -(-len(self.made) // self.pieces)
        end = offset + step
        part = b64encode(self.made[offset:end]).decode()
        return {
            "token": "t0",
            "part": part,
            "next": end if end < len(self.made) else None,
            "bytes": len(self.made),
        }


@dataclass
class VouchersRoom:
    """vouchers.*"""

    rows: Rows = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def issue(self, name: str, decimals: int = 0) -> dict[str, Any]:
        """Made."""
        self.asked.append(("issue", name, decimals))
        return held(name, mine=True, contact="", amount="0")

    async def give(self, to: str, amount: str, name: str, note: str = "") -> dict[str, Any]:
        """Offered."""
        self.asked.append(("give", to, amount, name, note))
        return moved(to, amount=amount, name=name)

    async def redeem(self, amount: str, name: str, at: str | None = None, note: str = "") -> dict[str, Any]:
        """Offered back."""
        self.asked.append(("redeem", amount, name, at, note))
        return moved(at or "Bo", amount=amount, name=name)

    async def list(self) -> Rows:
        """All."""
        return self.rows


@dataclass
class Debts:
    """The three rooms together."""

    payments: PaymentsRoom = field(default_factory=PaymentsRoom)
    books: BooksRoom = field(default_factory=BooksRoom)
    vouchers: VouchersRoom = field(default_factory=VouchersRoom)

    def services(self) -> dict[str, object]:
        return {"payments": self.payments, "books": self.books, "vouchers": self.vouchers}


def payment(name: str, **more: Any) -> dict[str, Any]:
    """A payment of ours that is offered, as the node shows it."""
    plain = {
        "id": "01J0000000000000PAYMENT001",
        "contact": name,
        "mine": True,
        "kind": "payment",
        "amount": "12.50",
        "unit": "EUR",
        "minor": 1250,
        "state": "offered",
        "note": "",
        "offered_ms": AT_MS,
        "at_ms": AT_MS,
        "until_ms": UNTIL_MS,
        "reason": "",
        "witness": "",
    }
    return plain | more


def request(name: str, **more: Any) -> dict[str, Any]:
    """A request of ours."""
    plain = {
        "id": "01J0000000000000REQUEST001",
        "contact": name,
        "mine": True,
        "kind": "request",
        "amount": "8.00",
        "unit": "EUR",
        "minor": 800,
        "due_ms": 0,
        "note": "",
        "at_ms": AT_MS,
        "state": "open",
        "paid_by": "",
        "reminded_ms": 0,
        "bill_paid": 0,
        "bill_people": 0,
    }
    return plain | more


def answered(name: str, **more: Any) -> dict[str, Any]:
    """What came of proposing to begin a ledger anew."""
    owed = [{"unit": "EUR", "owed": "-12.50", "minor": -1250}]
    return {"contact": name, "state": "proposed", "balances": owed, "gives_up": []} | more


def proposal(name: str, **more: Any) -> dict[str, Any]:
    """That a contact would begin a ledger anew."""
    return {k: v for k, v in answered(name).items() if k != "gives_up"} | {"mine": False, "reason": ""} | more


def balance(name: str, **more: Any) -> dict[str, Any]:
    """Nothing is owed."""
    plain = {"contact": name, "unit": "EUR", "owed": "0.00", "minor": 0, "allowed": "100.00", "credit": "0.00"}
    return plain | more


def held(name: str, **more: Any) -> dict[str, Any]:
    """Five vouchers of Bo's that we hold."""
    return {"name": name, "unit": f"v:wf1q/{name}", "mine": False, "contact": "Bo", "amount": "5"} | more


def moved(contact: str, **more: Any) -> dict[str, Any]:
    """Vouchers on their way."""
    return {"payment": "01J0000000000000V0VCHER001", "contact": contact, "name": "coffee", "amount": "5"} | more
