"""The room of red packets of the command line's small node: it says what the test gave it."""

from dataclasses import dataclass, field
from typing import Any

from protocol.faults import UserFault

Names = list[str]
ID = "01J00000000000000000ABCDEF"


class UnknownPacket(UserFault):
    """There is no such packet here."""

    code = "packet.unknown"
    next = "weft packet"
    exit = 5


@dataclass
class PacketsRoom:
    """packets.*"""

    rows: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def send(
        self, to: Names, amount: str, unit: str, shares: int | None = None, equal: bool = False, note: str = ""
    ) -> dict[str, Any]:
        """Sent."""
        self.asked.append(("send", tuple(to), amount, unit, shares, equal, note))
        return line(mine=True, contact="", amount=amount, unit=unit, shares=shares or len(to), state="open")

    async def open(self, id: str) -> dict[str, Any]:
        """Claimed."""
        self.asked.append(("open", id))
        return line(state="claimed", reason="waits for bo's node to grant a share")

    async def list(self, limit: int = 50) -> list[dict[str, Any]]:
        """All."""
        return self.rows[:limit]

    async def show(self, id: str) -> dict[str, Any]:
        """One."""
        for row in self.rows:
            if row["id"].endswith(id):
                return {"grants": [], "remainder": "", "fair": None, **row}
        raise UnknownPacket


def line(**more: Any) -> dict[str, Any]:
    """A packet, as the node shows it."""
    plain = {
        "id": ID,
        "contact": "bo",
        "mine": False,
        "amount": "20.00",
        "unit": "EUR",
        "minor": 2000,
        "kind": "random",
        "shares": 3,
        "taken": 0,
        "note": "",
        "sent_ms": 1_790_000_000_000,
        "until_ms": 1_790_086_400_000,
        "state": "waiting",
        "share": "",
        "largest": "19.98",
        "reason": "waits for you",
        "fault": "",
    }
    return plain | more


def got(place: int, who: str, amount: str, **more: Any) -> dict[str, Any]:
    """Who got a share."""
    plain = {"place": place, "who": who, "account": "wf1qqqqqqqqq", "amount": amount, "minor": 1, "luckiest": False}
    return plain | {"state": ""} | more
