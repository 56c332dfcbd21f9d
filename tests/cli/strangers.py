"""The room nearby of the command line's small node: it says what the test gave it."""

from dataclasses import dataclass, field
from typing import Any

Rows = list[dict[str, Any]]


@dataclass
class NearbyRoom:
    """nearby.*"""

    rows: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    trouble: str = ""
    is_on: bool = False

    async def on(self, for_s: int = 1800, name: str = "", place: str = "") -> dict[str, Any]:
        """Visible."""
        self.asked.append(("on", for_s, name, place))
        self.is_on = True
        return await self.status()

    async def off(self) -> dict[str, Any]:
        """No more."""
        self.is_on = False
        return await self.status()

    async def status(self) -> dict[str, Any]:
        """Whether."""
        left_s, cell = (1500, "u33db") if self.is_on else (0, "")
        known = {"on": self.is_on, "left_s": left_s, "until_ms": left_s * 1000, "name": "Bo", "cell": cell}
        return {**known, "trouble": self.trouble}

    async def list(self) -> Rows:
        """Who is."""
        return self.rows

    async def greet(self, id: str, text: str) -> dict[str, Any]:
        """Says it."""
        self.asked.append(("greet", id, text))
        return {**stranger(id), "mine": True, "text": text}

    async def greetings(self) -> Rows:
        """What was said."""
        return self.said

    async def accept(self, id: str) -> dict[str, Any]:
        """Yes."""
        return {**stranger(id), "state": "accepted"}

    async def block(self, id: str) -> dict[str, Any]:
        """No."""
        return {"id": id, "contact": ""}

    async def report(self, id: str, reason: str = "") -> dict[str, Any]:
        """No, and kept."""
        self.asked.append(("report", id, reason))
        return {"id": id, "contact": "", "kept": 1}

    async def reports(self) -> Rows:
        """What was kept."""
        return self.kept


def stranger(id: str, **changes: object) -> dict[str, Any]:
    """A greeting as the API shows it."""
    row = {"id": id, "mine": False, "name": "Chen", "text": "hello", "at_ms": 1_790_000_000_000, "state": "waiting"}
    return {**row, "reason": "", **changes}
