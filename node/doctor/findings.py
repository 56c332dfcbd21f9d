"""What a check found: a frozen record with a sentence for a person and, where there is one, the command that helps."""

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

DAY_MS = 86_400_000


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # weft works, but not as well as it could, or not for long
    FAILURE = "failure"  # something does not work
    UNKNOWN = "unknown"  # it could not be examined


@dataclass(frozen=True, slots=True)
class Finding:
    """name: what was examined, with the one that is meant where there are several: "lan eth0". next: a command.

    short: the sentence for a person, where the whole one may be too long to read.
    """

    name: str
    level: Level
    sentence: str
    next: str = ""
    short: str = ""


def ok(name: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, sentence)


def warning(name: str, sentence: str, next: str = "") -> Finding:
    """It works, but."""
    return Finding(name, Level.WARNING, sentence, next)


def failure(name: str, sentence: str, next: str = "") -> Finding:
    """It does not work."""
    return Finding(name, Level.FAILURE, sentence, next)


def unknown(name: str, sentence: str, next: str = "") -> Finding:
    """It could not be examined."""
    return Finding(name, Level.UNKNOWN, sentence, next)


def report(findings: Iterable[Finding]) -> dict[str, object]:
    """What a door shows: the findings, and whether none of them is a failure."""
    rows = [asdict(one) for one in findings]
    return {"findings": rows, "ok": all(row["level"] != Level.FAILURE for row in rows)}


def span(ms: int) -> str:
    """A length of time in its largest unit: "4 s", "5 min", "2 h", "3 days", "9 years"."""
    seconds = max(0, ms) // 1000
    for unit_s, unit, limit in ((1, "s", 60), (60, "min", 60), (3600, "h", 48), (86_400, "days", 730)):
        if seconds < unit_s * limit:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds // (365 * 86_400)} years"


def size(count: int) -> str:
    """A number of bytes in its largest unit: "312 B", "1.2 MB", "14 GB"."""
    for unit_bytes, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit_bytes:
            return f"{count / unit_bytes:.{int(count < 10 * unit_bytes)}f} {unit}"
    return f"{count} B"


def several(count: int, noun: str) -> str:
    """A number with its noun: "1 message", "3 messages"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def typed(command: str, path: Path) -> str:
    """A command with a path behind it, as a shell takes it."""
    return f"{command} {shlex.quote(str(path))}"
