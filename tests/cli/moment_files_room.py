"""What the room of moments of the command line's small node says of pictures that are imported."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Names = list[str]


@dataclass
class MomentFilesRoom:
    """moments.dates. taken: when a picture was, by its name; imported: the moments of what was taken in."""

    taken: dict[str, str] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    dated: list[Names] = field(default_factory=list)  # what was asked

    async def dates(self, paths: Names) -> list[dict[str, str]]:
        """When each was taken."""
        self.dated.append([Path(one).name for one in paths])
        return [self._dated(Path(one)) for one in paths]

    def note(self, origins: Names | None, short: str) -> None:
        """These were taken in."""
        self.imported |= dict.fromkeys(origins or (), short)

    def _dated(self, path: Path) -> dict[str, str]:
        raw = path.read_bytes()
        if raw.startswith(b"no picture"):
            return dated(str(path), trouble="This file is broken: it cannot be read.")
        origin = hashlib.sha256(raw).hexdigest()
        return dated(
            str(path), taken=self.taken.get(path.name, ""), origin=origin, moment=self.imported.get(origin, "")
        )


def dated(path: str, **said: Any) -> dict[str, Any]:
    """A picture that could be imported."""
    return {"path": path, "taken": "", "origin": "", "moment": "", "trouble": ""} | said
