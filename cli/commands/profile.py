"""profile, remark, tag, tags: how people present themselves, and what only you see of them."""

import base64
import shlex
from pathlib import Path
from typing import Any

import click

from cli import files, options, show
from cli.faults import Failure
from cli.options import Door


@click.command(cls=options.Named, invoke_without_command=True, subcommand_metavar="NAME | COMMAND …")
@click.pass_context
def profile(ctx: click.Context) -> None:
    """Shows how you and your contacts present themselves: yours, or with NAME a contact's."""
    if ctx.invoked_subcommand is None:
        _show(ctx.obj, None, None, force=False)


profile.params.extend(options.shared())


@options.sub(profile, name="show")
@click.argument("name", metavar="NAME", required=False, shell_complete=options.contact_names)
@click.option("--save-photo", metavar="FILE", help="Write the photo to FILE, a WebP picture.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def show_one(door: Door, name: str | None, save_photo: str | None, force: bool) -> None:
    """Shows a profile: yours, or a contact's."""
    _show(door, name, save_photo, force)


@options.sub(profile, name="set")
@click.option("--name", "called", metavar="NAME", help="What you call yourself.")
@click.option("--about", metavar="TEXT", help="A few words about yourself, at most 280 characters.")
@click.option("--photo", metavar="FILE", help="A picture of yourself.")
@click.option("--no-photo", is_flag=True, help="Take the photo away.")
@click.pass_obj
def set_one(door: Door, called: str | None, about: str | None, photo: str | None, no_photo: bool) -> None:
    """Changes your profile, and tells all contacts, now or when they are reached.

    What is not named stays as it is. Each contact keeps calling you as before, and sees your name beside it.
    """
    if called is about is photo is None and not no_photo:
        raise click.UsageError("Say what to change: --name, --about, --photo or --no-photo")
    if photo is not None and no_photo:
        raise click.UsageError("Either --photo or --no-photo")
    place = "" if no_photo else None if photo is None else _path(photo)
    with door.connect() as client:
        row = client.call("profile.set", name=called, about=about, photo=place)
    show.outcome(door, row, f"{_text(row)}\n✔ All contacts are told, now or when they are reached.")


@options.command()
@options.contact_argument
@click.argument("text")
@click.pass_obj
def remark(door: Door, name: str, text: str) -> None:
    """Writes on a contact what only you see: TEXT is a further name for it; "" takes it away."""
    with door.connect() as client:
        row = client.call("profile.remark", name=name, text=text)
    who = show.clean(row["name"])
    said = f"✔ {who} is also “{show.clean(row['remark'])}”." if row["remark"] else f"✔ {who} has no remark any more."
    show.outcome(door, row, said)


@options.command()
@options.contact_argument
@click.argument("tag", metavar="TAG")
@click.option("--remove", is_flag=True, help="Take the tag away.")
@click.pass_obj
def tag(door: Door, name: str, tag: str, remove: bool) -> None:
    """Puts a contact under a tag that only you see, or takes it away."""
    with door.connect() as client:
        row = client.call("profile.untag" if remove else "profile.tag", name=name, tag=tag)
    tags = " ".join(f"#{show.clean(one)}" for one in row["tags"]) or "no tag"
    show.outcome(door, row, f"✔ {show.clean(row['name'])}: {tags}")


@options.command()
@click.argument("tag", metavar="TAG", required=False)
@click.pass_obj
def tags(door: Door, tag: str | None) -> None:
    """Lists your tags, and who is under each."""
    with door.connect() as client:
        rows = client.call("profile.tags", tag=tag)
    lines = [(f"#{show.clean(row['tag'])}", show.clean(", ".join(row["contacts"]))) for row in rows]
    none = f"No tags yet. Next: {door.typed('weft tag NAME friends')}"
    show.rows(door, "tags", rows, show.table(door, ("Tag", "Contacts"), lines) if lines else none)


def _show(door: Door, name: str | None, save_photo: str | None, force: bool) -> None:
    with door.connect() as client:
        row = client.call("profile.show", name=name)
        picture = b"" if save_photo is None else base64.b64decode(client.call("profile.photo", name=name)["webp"])
    if save_photo is None:
        show.outcome(door, row, _text(row))
        return
    again = shlex.join(("weft", "profile", "show", *([] if name is None else [name]), "--save-photo", save_photo))
    size = files.store(door, Path(save_photo), iter((picture,)), force, again)
    show.outcome(door, {**row, "file": save_photo}, f"✔ {size:,} bytes are in {show.clean(save_photo)}.")


def _path(file: str) -> str:
    """A file as the node finds it, which runs elsewhere. Raises: Failure."""
    try:
        return str(Path(file).absolute())
    except (OSError, ValueError):
        raise Failure("profile.unreadable", "There is no such file.", next="weft profile set --photo FILE") from None


def _text(row: dict[str, Any]) -> str:
    name = show.clean(row["name"])
    lines = [name if row["announced"] in ("", row["name"]) else f"{name} (calls itself {show.clean(row['announced'])})"]
    if row["like"]:
        lines.append(f"! That is the name of another contact of yours: {show.clean(row['like'])}.")
    lines += [f"about      {show.clean(row['about'])}"] if row["about"] else []
    lines += [f"photo      {row['photo']:,} bytes"] if row["photo"] else []
    lines += [f"remark     {show.clean(row['remark'])}"] if row["remark"] else []
    lines += [f"tags       {show.clean(' '.join(f'#{one}' for one in row['tags']))}"] if row["tags"] else []
    lines.append(f"account    {row['account']}")
    lines.append(f"set        {show.ago(row['at_ms'])}" if row["version"] else "No profile was set yet.")
    return "\n".join(lines)
