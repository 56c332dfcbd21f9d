"""Files on their way, as a person follows them: bars with rate and time left, from the changes that the node tells.

Not here: the commands (commands/files.py, commands/messages.py).
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cli import faults, show
from cli.client import Client
from cli.faults import Failure
from cli.options import Door

PROGRESS = "media.progress"  # topic: more of a file is here, or it stands otherwise
GIVEN = "media.given"  # topic: a contact has more of a file of ours
KEPT = "media.kept"  # topic: what of a file of ours lies at a keeper
WORK_S = 24 * 3600.0  # of one call that reads or writes a whole file: a day is enough for any disk
TICK_S = 1.0
BAR_CHARS = 24
RATE_S = 10.0  # over which a rate is taken

FileLine = dict[str, Any]


def send(
    door: Door, client: Client, name: str, paths: Iterable[tuple[str, str]], preview: str | None = None
) -> list[FileLine]:
    """Sends (path, shape) in order; what was sent before one that cannot be is sent. Raises: Failure.

    preview: a picture that is shown of the video that this is.
    """
    sent: list[FileLine] = []
    frame = None if preview is None else whole(preview)
    for path, shape in paths:
        place = whole(path)
        show.passing(door, f"Sealing {show.clean(Path(path).name)}…")
        try:
            call = partial(client.call, "media.send", within_s=WORK_S)
            sent.append(call(to=name, path=place, shape=shape, preview=frame))
        finally:
            show.passing(door, "")
    return sent


def whole(path: str) -> str:
    """A path as the node finds it, which runs elsewhere."""
    return os.path.abspath(os.path.expanduser(path))


def sent_text(file: FileLine) -> str:
    """What is said of a file of one's own that was just sent."""
    return f"• {show.file_text(file)} for {show.clean(file['contact'])}   (id …{file['short']})"


def await_here(door: Door, client: Client, first: FileLine) -> FileLine:
    """Follows a file until all of it is here. Raises: Failure where it is stopped, or found to be false."""
    rate, said, file = Rate(), "", first
    while file["state"] == "fetching":
        rate.note(file["here"] * file["bytes"] / file["pieces"])
        show.passing(door, f"{bar(file, file['here'])} {rate.text(file['bytes'])}")
        if file["reason"] and file["reason"] != said:
            said = file["reason"]
            show.talk(door, f"It waits: {show.clean(said)}.")
        for _, news in client.changes(within_s=TICK_S):
            if news["id"] == file["id"]:
                file = news
                break
        if client.lagged:
            file = client.call("media.show", id=file["id"])
            client.lagged = False
    show.passing(door, "")
    if file["state"] == "here":
        return file
    raise not_here(file, "weft files", f"weft get {file['short']}")


def not_here(file: Mapping[str, Any], listed: str, again: str) -> Failure:
    """Why a file that was waited for is not here. listed: the command that shows it; again: that goes on with it."""
    if file["state"] == "false":
        said = "This file is not what its sender said it is, so nothing of it is kept. Ask him to send it again."
        return Failure("media.false", said, next=listed, exit=faults.REFUSED, data={"file": dict(file)})
    why = f": {show.clean(file['reason'])}" if file["reason"] else ""
    said = f"It does not go on now{why}; what is here of it stays."
    return Failure("media.stopped", said, next=again, exit=faults.NOT_DELIVERED)


def keep(client: Client, file: FileLine) -> FileLine:
    """Has a file left at a keeper, whatever its size; where that cannot be, the file says why. Raises: Failure."""
    try:
        return dict(client.call("media.leave", id=file["id"]))
    except Failure as refused:
        if refused.code != "media.no_keeper":
            raise
        return {**file, "keep_reason": "nobody keeps anything for them, as far as you were told"}


def await_kept(door: Door, client: Client, files: Iterable[FileLine], until: float) -> list[FileLine]:
    """The files as they are when all lie at keepers, or with their reader, or when the time is over. until: as
    time.monotonic says it.
    """
    found = {file["id"]: file for file in files}
    while not all(map(is_kept, found.values())) and (left_s := until - time.monotonic()) > 0:
        pieces, kept = (sum(file[what] for file in found.values()) for what in ("pieces", "kept"))
        show.passing(door, f"Leaving it at a keeper… {kept * 100 // pieces} %")
        for topic, news in client.changes(within_s=min(left_s, TICK_S)):
            if topic in (KEPT, GIVEN) and news["id"] in found:  # not how its message stands, which has that id too
                found[news["id"]] = news
        if client.lagged:
            found = {one: client.call("media.show", id=one) for one in found}
            client.lagged = False
    show.passing(door, "")
    return [*found.values()]


def is_kept(file: FileLine) -> bool:
    """Whether a file of ours is where its reader gets it without us."""
    return bool(file["keeping"] == "kept" or file["given"] >= file["pieces"])


def bar(file: Mapping[str, Any], pieces: int) -> str:
    """A bar of how many of a file's pieces are there, and its name."""
    part = pieces / file["pieces"]
    full = int(part * BAR_CHARS)
    drawn = "█" * full + "░" * (BAR_CHARS - full)
    return f"{drawn} {int(part * 100):3d} %  {show.clean(file['name'])}"


@dataclass
class Rate:
    """How fast something grows, over the last seconds."""

    _seen: list[tuple[float, float]] = field(default_factory=list)  # (when, how many bytes)

    def note(self, count: float) -> None:
        """So many bytes are there now."""
        now = time.monotonic()
        self._seen = [(at, before) for at, before in self._seen if at > now - RATE_S] or self._seen[-1:]
        self._seen.append((now, count))

    def text(self, total: int) -> str:
        """The rate, and how long the rest takes: "3.2 MB/s, 12 s left"; "" while nothing is known."""
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        if last <= first or ended - began < 0.2:
            return ""
        rate = (last - first) / (ended - began)
        return f"{show.size(int(rate))}/s, {show.span(max(0.0, total - last) / rate)} left"
