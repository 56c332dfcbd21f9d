"""The pictures of a folder on their way to be moments: asked about, posted, and what became of each.

Not here: which there are and which become one moment (cli/albums.py), what is typed (cli/commands/moment_files.py).
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import albums, faults, moving, options, show
from cli.albums import NoCaption, Picture
from cli.client import Client
from cli.faults import Failure
from cli.options import Door

ASKED_AT_ONCE = 16  # pictures in one question: 2 s, then the person sees that it goes on
NAMED_MAX = 3  # pictures in the sentence that says which were not posted
TEXT_CHARS_MAX = 80  # of a moment on one line
_OF_ONE = ("media.", "workshop.", "moment.picture")  # the next moment may go well
_OF_ALL = frozenset(("media.room",))

Row = dict[str, Any]


@dataclass
class Album:
    """The pictures of a folder on their way to be moments, and what became of each."""

    door: Door
    client: Client
    folder: str
    dry_run: bool
    others: int
    to: list[str] | None
    excepted: list[str] | None
    typed: str  # what was typed, to be typed again
    moments: list[Row] = field(default_factory=list)
    known: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    seen_by: str = ""

    def look(self, found: Sequence[Path], again: bool) -> list[Picture]:
        """The pictures that are to be posted, each once, with their dates. Raises: Failure."""
        wanted: dict[str, Picture] = {}
        now_s, asked = time.time(), [one for one in found if self._can_be_named(one)]
        for at in range(0, len(asked), ASKED_AT_ONCE):
            show.passing(self.door, f"Looking at the pictures… {at} of {len(asked)}")
            paths = [str(one) for one in asked[at : at + ASKED_AT_ONCE]]
            try:
                rows = self.client.call("moments.dates", within_s=moving.WORK_S, paths=paths)
            finally:
                show.passing(self.door, "")
            for row in rows:
                name = Path(row["path"]).name
                if row["trouble"]:
                    self.failed.append({"file": name, "reason": row["trouble"]})
                elif (row["moment"] and not again) or row["origin"] in wanted:
                    twin = wanted.get(row["origin"])
                    self.known.append({"file": name, "moment": row["moment"], "as": twin.path.name if twin else ""})
                else:
                    self._take(wanted, row, now_s)
        return [*wanted.values()]

    def post(self, made: Sequence[Sequence[Picture]]) -> None:
        """Posts them, oldest first. Raises: Failure for what the next one would end with too."""
        for number, pictures in enumerate(made, 1):
            show.passing(self.door, f"Posting {pictures[0].day}… {number} of {len(made)}")
            try:
                text = albums.caption(pictures)
                line = {"id": "", "short": ""} if self.dry_run else self._post(text, pictures)
            except NoCaption as why:
                self._fail(pictures, f"{str(why)[0].upper()}{str(why)[1:]}.")
            except Failure as refused:
                show.passing(self.door, "")
                if refused.code in _OF_ALL or not (refused.code.startswith(_OF_ONE) or refused.code == "limit"):
                    if self.moments:
                        show.talk(self.door, f"! Posted before that: {many(len(self.moments), 'moment')}.")
                    raise
                self._fail(pictures, refused.message)
            else:
                names = [one.path.name for one in pictures]
                about = {"at_ms": pictures[0].at_ms, "source": pictures[0].source, "text": text, "files": names}
                self.moments.append({"id": line["id"], "short": line["short"], **about})
            finally:
                show.passing(self.door, "")

    def say(self) -> None:
        """Says what became of them. Raises: Failure where pictures were not posted."""
        told = {
            "folder": self.folder,
            "dry_run": self.dry_run,
            "moments": self.moments,
            "known": self.known,
            "failed": self.failed,
            "others": self.others,
        }
        pictures = sum(len(one["files"]) for one in self.moments)
        count = f"{many(len(self.moments), 'moment')} with {many(pictures, 'picture')}"
        whom = f", for {show.clean(self.seen_by)}" if self.seen_by else ""
        whom = ", for you alone" if self.seen_by == "private" else whom
        said = f"Nothing was posted; there would be {count}." if self.dry_run else f"✔ Posted: {count}{whom}."
        said = said if self.moments else "Nothing was posted: there is nothing new."
        failing = bool(self.failed) and self.door.form is not options.Form.TEXT
        if not failing:
            show.outcome(self.door, told, "\n".join([*map(_line, self.moments), said]))
        twins = sum(bool(one["as"]) for one in self.known)
        if before := len(self.known) - twins:
            show.talk(self.door, f"• Imported before, so left out: {many(before, 'picture')}. All: --again")
        if twins:
            show.talk(self.door, f"• The same as another in this folder, so left out: {many(twins, 'picture')}.")
        if self.others:
            show.talk(self.door, f"• No picture that weft knows, so left out: {many(self.others, 'file')}.")
        for one in self.failed:
            show.talk(self.door, f"! {show.clean(one['file'])}: {show.clean(one['reason'])}")
        if self.failed:
            names = ", ".join(faults.quoted(one["file"]) for one in self.failed[:NAMED_MAX])
            more = f" and {len(self.failed) - NAMED_MAX} more" if len(self.failed) > NAMED_MAX else ""
            later = "Nothing was posted." if self.dry_run else "What was posted is not posted again next time."
            why = f"Not everything can be posted: not {names}{more}. {later}"
            raise Failure("moment.import", why, next=self.typed, verb="Again", data=told)

    def _can_be_named(self, path: Path) -> bool:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            name = path.name.encode(errors="replace").decode()
            self.failed.append({"file": name, "reason": "Its name is not text in UTF-8."})
            return False
        return True

    def _take(self, wanted: dict[str, Picture], row: Row, now_s: float) -> None:
        try:
            wanted[row["origin"]] = albums.dated(row, os.stat(row["path"]).st_mtime, now_s)
        except OSError:
            self.failed.append({"file": Path(row["path"]).name, "reason": "It is not there any more."})

    def _post(self, text: str, pictures: Sequence[Picture]) -> Row:
        line: Row = self.client.call(
            "moments.post",
            within_s=moving.WORK_S,
            text=text,
            images=[str(one.path) for one in pictures],
            to=self.to,
            excepted=self.excepted,
            at_ms=pictures[0].at_ms,
            origins=[one.origin for one in pictures],
        )
        self.seen_by = line["audience"]
        return line

    def _fail(self, pictures: Sequence[Picture], reason: str) -> None:
        self.failed += [{"file": one.path.name, "reason": reason} for one in pictures]


def many(count: int, what: str) -> str:
    """So many of something: "1 moment", "1,200 moments"."""
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _line(moment: Row) -> str:
    """A moment that was imported, or would be, on one line."""
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(moment["at_ms"] / 1000))
    names = ", ".join(show.clean(one) for one in moment["files"])
    of = "" if moment["source"] == "exif" else " (of the file)"
    text = f"  {show.clean(moment['text'])[:TEXT_CHARS_MAX]}" if moment["text"] else ""
    return f"{at}{of}  {names}{text}" + (f"   (id {moment['short']})" if moment["short"] else "")
