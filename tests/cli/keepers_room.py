"""The room of keepers of the command line's small node: it says what the test gave it."""

from dataclasses import dataclass, field
from typing import Any

from features.keepers.service import LEARNS

Names = list[str]
GIB = 1 << 30


@dataclass
class KeepersRoom:
    """keepers.*; becomes: what `use` answers as the state."""

    keepers: list[dict[str, Any]] = field(default_factory=list)
    owners: list[dict[str, Any]] = field(default_factory=list)
    wishes: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    becomes: str = "used"

    async def list(self) -> dict[str, Any]:
        """All of it."""
        rows = {"keepers": self.keepers, "owners": self.owners, "wishes": self.wishes}
        return {**rows, "learns": LEARNS, "space": GIB}

    async def offer(self, contacts: Names, space: int | None = None) -> dict[str, Any]:
        """Said."""
        self.asked.append(("offer", tuple(contacts), space))
        total = GIB if space is None else space
        return {"owners": [owner(name, space=total // 20) for name in contacts], "space": total}

    async def use(self, who: str, name: str | None = None) -> dict[str, Any]:
        """Used, or asked."""
        self.asked.append(("use", who, name))
        is_own = who.startswith("weft:k/")
        return {"name": (name or "home") if is_own else who, "own": is_own, "state": self.becomes}

    async def stop(self, who: str) -> dict[str, Any]:
        """Ended."""
        self.asked.append(("stop", who))
        return {"name": who, "own": False}

    async def stop_for(self, name: str) -> dict[str, Any]:
        """Ended, the other way round."""
        self.asked.append(("stop_for", name))
        return {"name": name}


def shown(name: str, **more: Any) -> dict[str, Any]:
    """One who keeps for us, as the node shows him."""
    plain = {
        "kind": "keeper",
        "name": name,
        "own": False,
        "state": "used",
        "since_ms": 1_790_000_000_000,
        "online": False,
        "seen_ms": 0,
        "bytes": 1_234_567,
        "items": 12,
        "space": GIB // 20,
        "ttl_s": 30 * 86_400,
        "open": 11,
        "wanted": 0,
        "fault": "",
    }
    return plain | more


def owner(name: str, **more: Any) -> dict[str, Any]:
    """One for whom we keep."""
    plain = {"kind": "owner", "name": name, "state": "said", "since_ms": 1_790_000_000_000, "online": False}
    return plain | {"seen_ms": 0, "bytes": 70_000, "items": 1, "space": GIB // 20, "files": 0, "files_bytes": 0} | more


def wish(name: str, **more: Any) -> dict[str, Any]:
    """A wish that waits."""
    return {"kind": "wish", "name": name, "mine": False, "at_ms": 0} | more
