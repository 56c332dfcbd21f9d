"""The room of logs of the command line's small node: it says what the test gave it."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from features.logs.faults import NoEntries

Rows = list[dict[str, Any]]
Names = list[str]


@dataclass
class LogsRoom:
    """logs.*; fails_at: the part of a file that is not to be had, has_keys: whether there are keys in one (of no feed).

    waits_for: whom a note waits for.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=lambda: {"proofs": [], "troubles": [], "doubts": []})
    pages: list[bytes] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    fails_at: int | None = None
    has_keys: bool = True
    waits_for: str = "Bo"

    async def list(self) -> Rows:
        """All."""
        return self.rows

    async def show(self, log: str, limit: int = 20, after: int | None = None) -> dict[str, Any]:
        """One."""
        self.asked.append(("show", log, limit, after))
        return {"log": next(one for one in self.rows if one["name"] == log), "entries": self.entries}

    async def begin(self, name: str, readers: Names, anchor: str | None = None) -> dict[str, Any]:
        """A new one."""
        self.asked.append(("begin", name, tuple(readers), anchor))
        return shown(name, anchor=anchor or readers[-1], readers=[[reader, 0] for reader in readers])

    async def write(self, log: str, text: str) -> dict[str, Any]:
        """Signed."""
        self.asked.append(("write", log, text))
        return {"id": "ab" * 32, "seq": 7, "log": "cd" * 16, "waits_for": self.waits_for}

    async def write_all(self, log: str, texts: Names) -> dict[str, Any]:
        """All signed."""
        self.asked.append(("write_all", log, tuple(texts)))
        return {"first": 0, "last": len(texts) - 1, "log": "cd" * 16}

    async def share(self, log: str, name: str) -> dict[str, Any]:
        """One more."""
        self.asked.append(("share", log, name))
        return shown(log, readers=[["Bo", 3], [name, 0]])

    async def unshare(self, log: str, name: str) -> dict[str, Any]:
        """One less."""
        self.asked.append(("unshare", log, name))
        return shown(log)

    async def reopen(self, log: str, anchor: str | None = None) -> dict[str, Any]:
        """Another."""
        self.asked.append(("reopen", log, anchor))
        return shown(log, anchor=anchor or "Cy")

    async def export(self, log: str, first: int = 0, last: int | None = None, opened: bool = True) -> dict[str, Any]:
        """A part."""
        self.asked.append(("export", log, first, last, opened))
        if first == self.fails_at:
            raise NoEntries
        after = first + 1 if first + 1 < len(self.pages) else None
        return {"items": b64encode(self.pages[first]).decode(), "next": after, "opened": opened and self.has_keys}

    async def trust(self, name: str) -> dict[str, Any]:
        """Yes."""
        self.asked.append(("trust", name))
        return {"name": name, "log": "cd" * 16}

    async def proofs(self) -> dict[str, Any]:
        """What is proven."""
        return self.told


def shown(name: str, **more: Any) -> dict[str, Any]:
    """A log of ours as the node shows it."""
    plain = {
        "id": "2c23cf8558d7d8b8caa34ddfdbed6a35",
        "name": name,
        "role": "notes",
        "author": "",
        "device": "ee" * 32,
        "state": "ok",
        "entries": 3,
        "newest_ms": 1_790_000_000_000,
        "published": 3,
        "anchor": "Bo",
        "is_open": True,
        "waits_for": "",
        "kept": 0,
        "kept_by": "",
        "readers": [["Bo", 3]],
        "progress": None,
        "previous": "",
    }
    return plain | more


def line(seq: int, text: str = "", **more: Any) -> dict[str, Any]:
    """An entry as the node shows it."""
    plain = {"seq": seq, "id": "ab" * 32, "at_ms": 1_790_000_000_000, "kind": "note", "text": text, "size": None}
    return plain | {"content": "here", "acks": 0, "cosigned": []} | more
