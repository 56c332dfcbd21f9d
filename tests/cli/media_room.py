"""The room of files of the command line's small node: it says what the test gave it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.media.faults import NoFile
from protocol.faults import UserFault

Rows = list[dict[str, Any]]
WORK_BYTES = 4_000_000
WEBP = b"RIFF\x04\x00\x00\x00WEBP"  # of no picture


def content_of(path: str) -> bytes:
    """What is in a file, if it is there."""
    return Path(path).read_bytes() if Path(path).is_file() else b""


@dataclass
class MediaRoom:
    """media.*; then: what happens once a file is asked for."""

    rows: Rows = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)  # what was in the files
    shares: Rows = field(default_factory=list)
    room: dict[str, Any] = field(default_factory=dict)
    then: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    refusal: UserFault | None = None  # what is answered to who wants a file to be left at a keeper

    async def send(self, to: str, path: str, shape: str = "auto", preview: str | None = None) -> dict[str, Any]:
        """Sealed and told."""
        self.asked.append(("send", to, path, shape) if preview is None else ("send", to, path, shape, preview))
        self.sealed.append(content_of(path))
        name = path.rpartition("/")[2]
        self.rows.append(row := file(name, len(self.rows) + 1, mine=True, contact=to.title(), state="here"))
        return row

    async def get(self, id: str) -> dict[str, Any]:
        """Wanted."""
        row = self._row(id)
        self.asked.append(("get", id))
        if row["state"] in ("offered", "paused"):
            row["state"] = "fetching"
        answer = dict(row)
        if self.then is not None:
            await self.then(row)
        return answer

    async def pause(self, id: str) -> dict[str, Any]:
        """Stopped."""
        row = self._row(id)
        row["state"] = "paused"
        return row

    async def leave(self, id: str, withdraw: bool = False) -> dict[str, Any]:
        """Left, or not any more; then: what happens next."""
        row = self._row(id)
        self.asked.append(("leave", id, withdraw))
        if self.refusal is not None:
            raise self.refusal
        row["keeping"] = "ending" if withdraw else row["keeping"] or "wanted"
        answer = dict(row)
        if self.then is not None:
            await self.then(row)
        return answer

    async def drop(self, id: str) -> dict[str, Any]:
        """Gone from here."""
        row = self._row(id)
        row.update(state="offered", here=0)
        return row

    async def save(self, id: str, folder: str) -> dict[str, object]:
        """Saved."""
        row = self._row(id)
        self.asked.append(("save", id, folder))
        return {"file": f"{folder}/{row['name']}", "bytes": row["bytes"]}

    async def list(self, contact: str | None = None, limit: int = 100) -> Rows:
        """All."""
        found = [row for row in self.rows if contact is None or row["contact"].lower() == contact.lower()]
        return found[-limit:]

    async def storage(self, contact: str | None = None) -> dict[str, Any]:
        """What takes room."""
        found = [one for one in self.shares if contact is None or one["contact"].lower() == contact.lower()]
        return {**room(), **self.room, "conversations": found}

    async def keep(self, to: str, seconds: int | None = None) -> dict[str, Any]:
        """So long."""
        self.asked.append(("keep", to, seconds))
        (found,) = [one for one in self.shares if one["contact"].lower() == to.lower()]
        if seconds is not None:
            found["keep_s"] = seconds
        return found

    async def preview(self, id: str) -> dict[str, object]:
        """What is seen of it."""
        self._row(id)
        return {"webp": WEBP.hex()}

    async def show(self, id: str) -> dict[str, Any]:
        """One."""
        return self._row(id)

    def _row(self, id: str) -> dict[str, Any]:
        for row in self.rows:
            if row["id"].endswith(id.upper()):
                return row
        raise NoFile


def room() -> dict[str, Any]:
    """A node without a quota."""
    plain: dict[str, Any] = {"conversations": [], "files": 2, "files_bytes": 2 * WORK_BYTES, "again_bytes": WORK_BYTES}
    return plain | {"database_bytes": 800_000, "free_bytes": 40_000_000_000, "quota_bytes": 0, "over": 0, "rooms": []}


def share(contact: str, **said: Any) -> dict[str, Any]:
    """What a conversation takes."""
    plain: dict[str, Any] = {"contact": contact, "messages": 12, "text_bytes": 2500, "files": 2}
    return plain | {"files_bytes": 2 * WORK_BYTES, "again_bytes": WORK_BYTES, "keep_s": 0} | said


def file(name: str, number: int, **said: Any) -> dict[str, Any]:
    """A file that bo has sent and nobody asked for."""
    ident = f"01J00000000000000000000F{number:02}"
    plain: dict[str, Any] = {"id": ident, "short": ident[-8:], "seq": number, "contact": "Bo", "mine": False}
    plain |= {"at_ms": 1_790_000_000_000, "name": name, "mime": "image/jpeg", "shape": "file", "bytes": WORK_BYTES}
    plain |= {"state": "offered", "pieces": 16, "here": 0, "given": 0, "reason": "", "width": 0, "height": 0}
    plain |= {"length_ms": 0, "blurhash": "", "wave": (), "has_preview": False}
    plain |= {"keeping": "", "keeper": "", "kept": 0, "kept_until_ms": 0, "keep_reason": ""}
    return plain | said
