"""moments export, import: your moments as a feed that other programs read, and pictures of a folder as moments.

Put together with the other commands of the group in moments.py. Not here: what a feed looks like (cli/feeds.py), which
pictures become one moment (cli/albums.py), how they are posted (cli/importing.py).
"""

import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cli import albums, audience, days, faults, feeds, files, importing, moving, options, show
from cli.attached import GONE
from cli.beside import Beside
from cli.client import Client
from cli.faults import Failure
from cli.feeds import Form, Heading
from cli.options import Door

PAGE = 50  # moments in memory at a time
PRIVATE = "private"
_GONE = GONE | {"moment.no_picture", "moment.unknown"}

Row = dict[str, Any]


@options.command()
@click.argument("file", metavar="FILE|FOLDER", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in Form]),
    help="The form of the file. [that of its name, else atom]",
)
@click.option("--media", is_flag=True, help="Save the pictures and films that are here too, in a folder beside it.")
@click.option("--since", metavar="DATE", help='Only from then on: 2026-11-30, "2026-11-30 18:30", yesterday, 7d ago.')
@click.option("--until", metavar="DATE", help="Only up to then; a day is meant to its end.")
@click.option("--private", "with_private", is_flag=True, help="Your private moments too.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def export(
    door: Door,
    file: str,
    form: str | None,
    media: bool,
    since: str | None,
    until: str | None,
    with_private: bool,
    force: bool,
) -> None:
    """Writes your own moments to a file as a feed: Atom, RSS or JSON Feed, the newest first.

    weft moments export ~/public/moments.atom --media

    Whoever gets the file sees what is in it, whoever it was for in weft. It has no likes, comments and names of others,
    and does not say for whom a moment was. Private moments are left out.
    """
    begins = None if since is None else days.since(since)
    ends = None if until is None else days.until(until)
    chosen, now_ms = _form(form, file), time.time_ns() // 1_000_000
    place = _file(Path(file), chosen, now_ms)
    words = ["weft", "moments", "export", "--format", str(chosen)]
    for option, value in (("--media", media), ("--private", with_private), ("--since", since), ("--until", until)):
        if value:
            words += [option] if value is True else [option, show.clean(str(value))]
    again = shlex.join(words)
    with door.connect() as client:
        status = client.call("node.status")
        beside = Beside(place, "weft moments export FILE")
        taken = _Taken(door, client, beside if media else None, begins, ends, with_private)
        heading = Heading(status["name"], status["account"], now_ms)
        forced = f"{again} {show.typed_name(str(place))} --force"
        try:
            size = files.store(door, place, feeds.parts(chosen, heading, taken.pages()), force, f"{again} FILE", forced)
        except BaseException:
            beside.drop()
            raise
    _say_exported(door, taken, {"file": os.path.abspath(place), "format": str(chosen), "bytes": size})


@options.command(name="import")
@click.argument("folder", metavar="FOLDER", type=click.Path())
@audience.asked("them")
@click.option(
    "--each/--per-day", "alone", help="A moment of each picture, or of the pictures of a day, up to 9. [--per-day]"
)
@click.option("--again", is_flag=True, help="Also what was imported before.")
@click.option("--dry-run", is_flag=True, help="Only say what would be posted.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.pass_obj
def import_folder(
    door: Door,
    folder: str,
    to: Sequence[str],
    excepted: Sequence[str],
    alone: bool,
    again: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Posts the pictures of a folder as moments of the days on which they were taken.

    weft moments import ~/Pictures/lake --to family

    The date is that of the camera, else when the file was last written. What stands in NAME.txt beside NAME.jpg is what
    the moment says. What was imported is not posted a second time, so you can go on where it stopped. Pictures go
    without what they say of place, time and camera.
    """
    if not folder:
        raise faults.usage("There is no folder without a name; nothing was posted.")
    readers = audience.read(to, excepted)
    place = Path(os.path.abspath(os.path.expanduser(folder)))
    found, others = albums.find(place)
    if not found:
        said = f"There is no picture in {faults.quoted(str(place))}: JPEG, PNG, WebP or GIF; nothing was posted."
        raise Failure("moment.folder", said, next="weft moments import FOLDER", verb="Name another", exit=faults.USAGE)
    words = ["weft", "moments", "import", show.clean(folder)]
    for option, values in (("--to", to), ("--except", excepted)):
        words += [word for value in values for word in (option, show.clean(value))]
    words += [option for option, is_said in (("--each", alone), ("--dry-run", dry_run), ("--yes", yes)) if is_said]
    with door.connect() as client:
        album = importing.Album(door, client, str(place), dry_run, others, *readers, shlex.join(words))
        made = albums.moments(album.look(found, again), 1 if alone else albums.PICTURES_MAX)
        if made and door.asks and not dry_run and not to and not excepted:
            asked = f"{importing.many(len(made), 'moment')} for all your contacts to see: post them?"
            if not yes and not click.confirm(asked, default=True, err=True):
                show.talk(door, "Nothing was posted.")
                return
        album.post(made)
    album.say()


@dataclass
class _Taken:
    """The moments that go into a feed, counted as they go. beside: where their pictures are saved, None for nowhere."""

    door: Door
    client: Client
    beside: Beside | None
    begins: int | None
    ends: int | None
    with_private: bool
    audiences: Counter[str] = field(default_factory=Counter)
    kept_back: int = 0  # private ones
    saved: int = 0
    left: int = 0  # pictures that are not here

    def pages(self) -> Iterator[list[Row]]:
        """All moments of ours that are wanted, newest first. Raises: Failure."""
        before: str | None = None
        while page := self.client.call("moments.list", by="me", limit=PAGE, before=before):
            before = page[0]["id"]
            yield [self._saved(one) for one in reversed(page) if self._is_wanted(one)]

    def _is_wanted(self, moment: Row) -> bool:
        if self.begins is not None and moment["at_ms"] < self.begins:
            return False
        if self.ends is not None and moment["at_ms"] >= self.ends:
            return False
        if moment["audience"] == PRIVATE and not self.with_private:
            self.kept_back += 1
            return False
        self.audiences[moment["audience"]] += 1
        return True

    def _saved(self, moment: Row) -> Row:
        if self.beside is None or not moment["pictures"]:
            return moment
        saved = []
        for one in moment["pictures"]:
            place = self._save(moment["id"], one) if one["state"] == "here" else None
            if place is None:
                self.left += 1
            else:
                saved.append({"place": place[0], "bytes": place[1], "name": one["name"], "mime": one["mime"]})
        self.saved += len(saved)
        return {**moment, "saved": saved}

    def _save(self, ident: str, picture: Row) -> tuple[str, int] | None:
        assert self.beside is not None
        folder = self.beside.place()
        show.passing(self.door, f"Saving {show.clean(picture['name'])}…")
        try:
            (told,) = self.client.call(
                "moments.save",
                within_s=moving.WORK_S,
                id=ident,
                folder=os.path.abspath(folder),
                number=picture["number"],
            )
        except Failure as refused:
            if refused.code not in _GONE:
                raise
            return None
        return f"{folder.name}/{Path(told['file']).name}", int(told["bytes"])


def _form(form: str | None, file: str) -> Form:
    """The form that was asked for, or that of the file's name."""
    ending = os.path.splitext(file)[1].lower().removeprefix(".")
    return Form(form or (ending if ending in [*Form] else Form.ATOM))


def _file(place: Path, form: Form, now_ms: int) -> Path:
    """The file itself; in a directory it is called after the day."""
    day = time.strftime("%Y-%m-%d", time.localtime(now_ms / 1000))
    return place / f"weft-moments-{day}.{form}" if os.path.isdir(place) else place


def _say_exported(door: Door, taken: _Taken, wrote: Row) -> None:
    audiences = dict(taken.audiences.most_common())
    count = sum(audiences.values())
    wrote |= {"moments": count, "audiences": audiences, "private_left": taken.kept_back}
    said = f"✔ Written: {show.clean(wrote['file'])} ({importing.many(count, 'moment')}, {wrote['bytes']:,} bytes)"
    if taken.beside is not None:
        folder = None if taken.beside.folder is None else os.path.abspath(taken.beside.folder)
        wrote |= {"folder": folder, "saved": taken.saved, "left": taken.left}
        if taken.saved:
            said += f"\n✔ Saved: {show.clean(str(folder))} ({importing.many(taken.saved, 'file')})"
    show.outcome(door, wrote, said)
    if taken.left:
        show.talk(
            door,
            f"! Not here, so not saved: {importing.many(taken.left, 'file')}. Fetch what you want: weft moments get ID",
        )
    if taken.kept_back:
        them = "it" if taken.kept_back == 1 else "them"
        show.talk(
            door, f"• Left out: {importing.many(taken.kept_back, 'private moment')}. To take {them} in: --private"
        )
    whom = "; ".join(
        f"{number} for {'you alone' if who == PRIVATE else show.clean(who)}" for who, number in audiences.items()
    )
    if whom:
        show.talk(door, f"! In weft they are: {whom}. Whoever gets the file sees them all: it is not encrypted.")
