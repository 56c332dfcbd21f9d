"""Files that a command writes for a person: whole or not at all, and never over another one without being told."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cli import faults, show
from cli.faults import Failure
from cli.options import Door

SUFFIX_BYTES = 4  # of the name under which a file is written before it is whole


def store(door: Door, place: Path, parts: Iterator[bytes], force: bool, again: str, forced: str = "") -> int:
    """Writes a file that only its owner reads, whole or not at all; returns its size. Raises: Failure.

    again: the command that names another; forced: the one that writes over it, where that is not `again --force`.
    """
    said = faults.quoted(str(place))
    if os.path.lexists(place) and not force and not os.path.isdir(place):
        taken = f"There is a file {said} already; it was left as it is."
        raise Failure("file.exists", taken, next=forced or f"{again} --force", verb="Write over it", exit=faults.FAILED)
    beside = place.parent / f".{place.name}-{os.urandom(SUFFIX_BYTES).hex()}"
    size = 0
    try:
        with open(beside, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            try:
                for part in parts:
                    out.write(part)
                    size += len(part)
                    show.passing(door, f"Writing… {size:,} bytes")
                out.flush()
                os.fsync(out.fileno())
                os.replace(beside, place)
            except BaseException:
                os.unlink(beside)
                raise
    except OSError as broken:
        why = f"The file {said} cannot be written ({broken.strerror}); nothing was changed."
        raise Failure("file.unwritable", why, next=again, verb="Name another", exit=faults.FAILED) from None
    finally:
        show.passing(door, "")
    return size


def json_of_many(about: Mapping[str, Any], name: str, pages: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A JSON object in a part a page: what is said of the whole, and below this name a list with a line for each."""
    yield f"{show.as_json(about)[:-1]},{show.as_json(name)}:["
    between = "\n"
    for page in pages:
        lines = []
        for value in page:
            lines.append(between + show.as_json(value))
            between = ",\n"
        yield "".join(lines)
    yield "\n]}\n"
