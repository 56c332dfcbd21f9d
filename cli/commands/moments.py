"""moments: what you and your contacts share, to look at: the list, one of them, its pictures, who liked or answered.

Not here: what is posted, liked and said (moment_acts.py), who sees what (moment_rules.py), moments as files
(moment_files.py), how it is drawn (cli/walls.py).
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from cli import client as connection
from cli import faults, moving, options, pictures, show, walls
from cli.client import Client
from cli.commands import moment_acts, moment_files, moment_rules
from cli.commands.moment_acts import moment_argument
from cli.faults import Failure
from cli.options import Door, Form

CHANGED = "moments.changed"  # topic: a moment is new, or it stands otherwise
NOTICED = "moments.noticed"  # topic: somebody liked or answered
LISTED = 20
DRAWN_MAX = 12  # pictures in a list: each takes a tenth of a second
IN_A_ROW = 3
ROW_COLUMNS = 18  # of one of several pictures
ALONE_COLUMNS = 56
FOLLOWED_MAX = 1000  # moments whose changes are compared with what was shown
PICTURES_MAX = 9
POST = 'weft moments post "…"'

Row = dict[str, Any]


def _listing(function: Callable[..., None]) -> Callable[..., None]:
    """The options of a list of moments."""
    for option in (
        click.option("--picture", type=click.Choice(pictures.WAYS), default="auto", help="How it is drawn. [auto]"),
        click.option("--follow", is_flag=True, help="Stay, and show moments, likes and comments as they come."),
        click.option("--before", metavar="ID", help="Only what is older than this moment: the page before it."),
        click.option(
            "--limit",
            type=click.IntRange(1, 1000),
            default=LISTED,
            metavar="N",
            help=f"How many of the newest. [{LISTED}]",
        ),
        click.option(
            "--by", "author", metavar="NAME", shell_complete=_authors, help='Only of this contact; "me": yours.'
        ),
    ):
        function = option(function)
    return function


_authors = options.completed("contacts.list", lambda rows: ["me", *options.rows_named(rows)])


@options.group()
@_listing
@click.pass_context
def moments(ctx: click.Context, author: str | None, limit: int, before: str | None, follow: bool, picture: str) -> None:
    """Shows what you and your contacts share: posts, pictures, likes, comments.

    Without a command: the list, the newest last. The id behind each is what the other commands take.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, author, limit, before, follow, picture)


for _one in (moment_acts.post, moment_acts.like, moment_acts.unlike, moment_acts.comment, moment_acts.hide):
    moments.add_command(_one)
for _one in (moment_acts.edit, moment_acts.delete, moment_rules.rule, moment_rules.window):
    moments.add_command(_one)
for _one in (moment_files.export, moment_files.import_folder):
    moments.add_command(_one)


@options.sub(moments, name="list")
@_listing
@click.pass_obj
def list_all(door: Door, author: str | None, limit: int, before: str | None, follow: bool, picture: str) -> None:
    """Lists moments in the order of time, the newest last, with previews of their pictures."""
    _list(door, author, limit, before, follow, picture)


@options.sub(moments, name="show")
@moment_argument
@click.option("--picture", type=click.Choice(pictures.WAYS), default="auto", help="How it is drawn. [auto]")
@click.pass_obj
def show_one(door: Door, moment_id: str, picture: str) -> None:
    """Shows a moment with its comments and previews."""
    with door.connect() as client:
        found = client.call("moments.show", id=moment_id)
        show.outcome(door, found, walls.moment(found["moment"]))
        if door.form is Form.TEXT:
            _show_pictures(door, client, found["moment"], PICTURES_MAX, picture)
            show.outcome(door, None, walls.comments(found["comments"]))


@options.sub(moments)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many of the newest. [50]")
@click.option("--follow", is_flag=True, help="Stay, and say it as it happens.")
@click.pass_obj
def notify(door: Door, limit: int, follow: bool) -> None:
    """Lists who liked your moments and answered you; ● marks what is new since the last time.

    Nobody is told who looked at a moment.
    """
    with door.connect() as client:
        if follow:
            client.watch(NOTICED)
        found = client.call("moments.notices", limit=limit)
        cursor = client.cursor
    if not follow:
        none = f"Nobody has liked or answered yet. Post something: {door.typed(POST)}"
        show.rows(door, "notices", found, "\n".join(map(walls.notice, found)) or none)
        return
    _stream(door)
    for one in found:
        show.outcome(door, one, walls.notice(one))
    last = max((one["number"] for one in found), default=0)
    show.talk(door, "Waiting for likes and answers… (Ctrl-C ends it)")
    for _, one in connection.follow(
        door.directory, (NOTICED,), cursor, partial(show.talk, door), "weft moments notify"
    ):
        if one["number"] > last:  # those that came between the two looks were shown
            last = one["number"]
            show.outcome(door, one, walls.notice(one))


@options.sub(moments)
@moment_argument
@click.argument("number", type=click.IntRange(1, PICTURES_MAX), required=False)
@click.option("--to", "folder", type=click.Path(), metavar="FOLDER", help="Where to save them. [here]")
@click.option("--no-wait", is_flag=True, help="Only begin: they are fetched meanwhile, and saved by another get.")
@click.option("--no-save", is_flag=True, help="Fetch them, and write no file: they stay in your profile, sealed.")
@click.pass_obj
def get(door: Door, moment_id: str, number: int | None, folder: str | None, no_wait: bool, no_save: bool) -> None:
    """Fetches the pictures or the film of a moment, or picture NUMBER alone, and saves them.

    weft moments get 3f2a 2 --to ~/Pictures

    They come from whoever has them and is there, also when the author is not. Ctrl-C costs nothing: the same command
    goes on.
    """
    place = os.path.abspath(os.path.expanduser(folder or "."))
    if not no_save and not no_wait and not os.path.isdir(place):
        raise faults.usage(f"There is no folder {faults.quoted(place)}, so nothing was fetched.")
    with door.connect() as client:
        client.watch(CHANGED, moving.PROGRESS)
        found = client.call("moments.get", id=moment_id, number=number)
        if no_wait:
            show.rows(door, "pictures", found, "\n".join(f"• {walls.picture(one, mine=False)}" for one in found))
            return
        found = _await_here(door, client, moment_id, found)
        here = [one for one in found if one["state"] == "here"]
        saved = [] if no_save else _saved(door, client, moment_id, place, here)
    missing = [one for one in found if one["state"] != "here"]
    if no_save:
        said = "\n".join(f"✔ {show.clean(one['name'])} is here, sealed." for one in here)
    else:
        said = "\n".join(f"✔ {show.clean(str(one['file']))} ({show.size(int(one['bytes']))})" for one in saved)
    if missing:
        if door.form is Form.TEXT:
            show.outcome(door, None, said)
        typed = show.typed_name(moment_id)
        failure = moving.not_here(missing[0], f"weft moments show {typed}", f"weft moments get {typed}")
        failure.data = {"files": saved, "missing": missing}
        raise failure
    show.rows(door, "pictures" if no_save else "files", here if no_save else saved, said)


def _list(door: Door, author: str | None, limit: int, before: str | None, follow: bool, picture: str) -> None:
    if follow and before is not None:
        raise faults.usage("--before goes back page by page and --follow waits for what comes: either one.")
    with door.connect() as client:
        if follow:
            client.watch(CHANGED)
        found = client.call("moments.list", by=author, limit=limit, before=before)
        whose = _whose(client, author) if follow else None
        cursor = client.cursor
        if follow:
            _stream(door)
        if door.form is not Form.TEXT:
            show.rows(door, "moments", found, "")
        elif found:
            _draw(door, client, found, picture)
        elif not follow:
            show.outcome(door, None, _none(door, author, before))
    if follow:
        _follow(door, found, cursor, whose, picture)


def _none(door: Door, author: str | None, before: str | None) -> str:
    if before is not None:
        return "Nothing is older."
    if author not in (None, "me"):
        rule = door.typed(f"weft moments rule {show.typed_name(str(author))}")
        return f"Nothing of {show.clean(str(author))} is shown to you. What holds between you: {rule}"
    return f"No moments yet. Post one: {door.typed(POST)}"


def _follow(door: Door, found: Sequence[Row], cursor: int, whose: str | None, picture: str) -> None:
    """Shows what comes and what changes until somebody ends it. whose: only of this author, "" for ours."""
    known = {one["id"]: one for one in found}
    show.talk(door, "Waiting for moments… (Ctrl-C ends it)")
    for _, one in connection.follow(door.directory, (CHANGED,), cursor, partial(show.talk, door), "weft moments list"):
        if whose is not None and one["author"] != whose:
            continue
        before = known.pop(one["id"], None)
        known[one["id"]] = one
        if len(known) > FOLLOWED_MAX:
            del known[next(iter(known))]
        if door.form is not Form.TEXT:
            show.outcome(door, one, "")
            continue
        said = walls.news(before, one)
        show.outcome(door, None, f"\n{said}" if said else "")
        if said and before is None:
            with door.connect() as client:
                _show_pictures(door, client, one, IN_A_ROW, picture)


def _draw(door: Door, client: Client, found: Sequence[Row], picture: str) -> None:
    """Writes moments one by one, with previews of the newest ones where somebody sees them."""
    left, counts = DRAWN_MAX, []
    for one in reversed(found):
        counts.append(min(left, IN_A_ROW, len(one["pictures"])))
        left -= counts[-1]
    for number, (one, count) in enumerate(zip(found, reversed(counts), strict=True)):
        show.outcome(door, None, ("\n" if number else "") + walls.moment(one))
        _show_pictures(door, client, one, count, picture)


def _show_pictures(door: Door, client: Client, moment: Row, count: int, picture: str) -> None:
    """Draws the first pictures of a moment: one as it is, several in rows."""
    if not count or pictures.seen_by(door, picture) is pictures.Way.NONE:
        return
    seen = [(_preview(client, moment, one), one) for one in moment["pictures"][:count]]
    webps = [(webp, one["width"], one["height"]) for webp, one in seen if webp]
    if len(webps) == 1:
        pictures.show_preview(door, webps[0][0], ALONE_COLUMNS, picture)
        return
    for at in range(0, len(webps), IN_A_ROW):
        click.echo(pictures.row(door, webps[at : at + IN_A_ROW], ROW_COLUMNS, picture), nl=False)


def _preview(client: Client, moment: Row, one: Row) -> bytes:
    """The preview of a picture; empty where it has none, or is gone meanwhile."""
    if not one["has_preview"]:
        return b""
    try:
        return bytes.fromhex(client.call("moments.preview", id=moment["id"], number=one["number"])["webp"])
    except Failure as gone:
        if gone.code not in ("moment.unknown", "moment.no_picture"):
            raise
        return b""


def _await_here(door: Door, client: Client, moment_id: str, first: Sequence[Row]) -> list[Row]:
    """The pictures as they are when none is on its way any more."""
    rate, said, found = moving.Rate(), "", [*first]
    wanted = {one["number"] for one in first}
    while any(one["state"] == "fetching" for one in found):
        whole = _together(found)
        rate.note(whole["here"] * whole["bytes"] / whole["pieces"])
        show.passing(door, f"{moving.bar(whole, whole['here'])} {rate.text(whole['bytes'])}")
        reason = next((one["reason"] for one in found if one["state"] == "fetching" and one["reason"]), "")
        if reason and reason != said:
            said = reason
            show.talk(door, f"It waits: {show.clean(said)}.")
        for _ in client.changes(within_s=moving.TICK_S):
            break
        client.lagged = False  # all of it is read anew
        moment = client.call("moments.show", id=moment_id)["moment"]
        found = [one for one in moment["pictures"] if one["number"] in wanted]
    show.passing(door, "")
    return found


def _together(found: Sequence[Row]) -> Row:
    """Several pictures as if they were one file."""
    name = found[0]["name"] if len(found) == 1 else f"{len(found)} pictures"
    sums = {what: sum(one[what] for one in found) for what in ("bytes", "pieces", "here")}
    return {"name": name, **sums, "pieces": max(1, sums["pieces"])}


def _saved(door: Door, client: Client, moment_id: str, place: str, here: Sequence[Row]) -> list[Row]:
    show.passing(door, "Opening…")
    try:
        return [
            row
            for one in here
            for row in client.call(
                "moments.save", within_s=moving.WORK_S, id=moment_id, folder=place, number=one["number"]
            )
        ]
    finally:
        show.passing(door, "")


def _whose(client: Client, author: str | None) -> str | None:
    """The author whose moments are followed: his name, "" for ours, None for all. Raises: Failure."""
    if author in (None, "me"):
        return None if author is None else ""
    return str(client.call("contacts.show", name=author)["name"])


def _stream(door: Door) -> None:
    if door.form is Form.JSON:
        door.form = Form.JSONL  # a stream has no end, so it cannot be one object
