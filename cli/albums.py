"""Pictures of a folder as moments: which are there, of which day each is, which of them become one moment.

A date is that of the camera where it says one that can be, else when the file was last written. Not here: who reads
dates out of pictures (the node: features/moments/importing.py), who posts (cli/commands/moment_files.py).
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cli import faults
from cli.faults import Failure

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif")
CAPTION_ENDING = ".txt"
CAPTION_BYTES_MAX = 8 * 1024  # as much as a moment says
PICTURES_MAX = 9  # of one moment
ENTRIES_MAX = 10_000  # of a folder
AHEAD_S = 24 * 3600  # a camera that travels may be ahead by a day, and no more


class NoCaption(Exception):
    """The text beside a picture cannot be read; why, in words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its date. day: as its camera's own clock called it; source: "exif" or "file"; origin: its bytes'
    name."""

    path: Path
    origin: str
    at_ms: int
    day: str
    source: str


def find(folder: Path) -> tuple[list[Path], int]:
    """The pictures of a folder by their names, without hidden ones; and how many other files stand there.

    What is in folders of this folder is not looked at. Raises: Failure.
    """
    pictures, others = list[Path](), 0
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= ENTRIES_MAX:
                    raise Failure(
                        "limit",
                        f"In one folder {ENTRIES_MAX:,} files are looked at; nothing was posted. Import it in parts.",
                        next="weft moments import FOLDER",
                        exit=faults.USAGE,
                    )
                if entry.name.startswith(".") or not _is_file(entry):
                    continue
                if os.path.splitext(entry.name)[1].lower() in ENDINGS:
                    pictures.append(folder / entry.name)
                elif not entry.name.lower().endswith(CAPTION_ENDING):
                    others += 1
    except (OSError, ValueError) as broken:
        why = broken.strerror if isinstance(broken, OSError) else "it is no path"
        said = f"The folder {faults.quoted(str(folder))} cannot be read ({why}); nothing was posted."
        raise Failure(
            "moment.folder", said, next="weft moments import FOLDER", verb="Name another", exit=faults.UNKNOWN_NAME
        ) from None
    return sorted(pictures), others


def dated(row: Mapping[str, Any], modified_s: float, now_s: float) -> Picture:
    """A picture with the date that the node found in it, else that of its file, in the zone of this machine."""
    path, origin = Path(row["path"]), str(row["origin"])
    try:
        taken = datetime.fromisoformat(row["taken"])  # without a zone it is ours
        if 0 <= taken.timestamp() <= now_s + AHEAD_S:
            return Picture(path, origin, int(taken.timestamp() * 1000), taken.date().isoformat(), "exif")
    except (ValueError, OverflowError, OSError):  # it says nothing, or 30 February
        pass
    written_s = min(max(modified_s, 0.0), now_s)
    day = datetime.fromtimestamp(written_s).date().isoformat()
    return Picture(path, origin, int(written_s * 1000), day, "file")


def moments(pictures: Iterable[Picture], size: int) -> list[tuple[Picture, ...]]:
    """Which pictures become one moment, the oldest first: of one day, and at most so many."""
    days: dict[str, list[Picture]] = {}
    for one in sorted(pictures, key=lambda one: (one.at_ms, one.path)):
        days.setdefault(one.day, []).append(one)
    made = [tuple(day[at : at + size]) for day in days.values() for at in range(0, len(day), size)]
    return sorted(made, key=lambda one: one[0].at_ms)


def caption(pictures: Sequence[Picture]) -> str:
    """What stands in NAME.txt beside these pictures, each text once. Raises: NoCaption."""
    texts = dict.fromkeys(_beside(one.path.with_suffix(CAPTION_ENDING)) for one in pictures)
    return "\n".join(one for one in texts if one)


def _beside(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            raw = file.read(CAPTION_BYTES_MAX + 1)
    except FileNotFoundError:
        return ""
    except OSError as broken:
        raise NoCaption(f"its text {path.name} cannot be read ({broken.strerror})") from None
    if len(raw) > CAPTION_BYTES_MAX:
        raise NoCaption(f"its text {path.name} is longer than 8 KiB")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").strip()
    except UnicodeDecodeError:
        raise NoCaption(f"its text {path.name} is not written in UTF-8") from None


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a link to nothing
        return False
