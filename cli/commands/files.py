"""get, files: what contacts have sent beyond texts: fetch it, save it, follow it, stop it."""

import os
from collections.abc import Sequence
from typing import Any

import click

from cli import client as connection
from cli import faults, moving, options, pictures, show
from cli.options import Door, Form

PREVIEW_COLUMNS = 60
TOPICS = (moving.PROGRESS, moving.GIVEN, moving.KEPT)


@options.command()
@click.argument("file_id", metavar="ID")
@click.option("--to", "folder", type=click.Path(), metavar="FOLDER", help="Where to save it. [here]")
@click.option("--no-wait", is_flag=True, help="Only begin: it is fetched meanwhile, and saved by another weft get.")
@click.option("--no-save", is_flag=True, help="Fetch it, and write no file: it stays in your profile, sealed.")
@click.pass_obj
def get(door: Door, file_id: str, folder: str | None, no_wait: bool, no_save: bool) -> None:
    """Fetches a file that a contact has sent, and saves it.

    weft get 7K2Q --to ~/Pictures

    ID is the end of the message's id. What was fetched is never fetched again: Ctrl-C, a restart or a crash costs
    nothing, and the same command goes on. It comes from whoever has it and is there.
    """
    place = os.path.abspath(os.path.expanduser(folder or "."))
    if not no_save and not no_wait and not os.path.isdir(place):
        raise faults.usage(f"There is no folder {faults.quoted(place)}, so nothing was fetched.")
    with door.connect() as client:
        client.watch(moving.PROGRESS)
        file = client.call("media.get", id=file_id)
        if no_wait:
            show.outcome(door, file, f"• {show.file_text(file)}   (id …{file['short']})")
            return
        file = moving.await_here(door, client, file)
        if no_save:
            show.outcome(door, file, f"✔ {show.clean(file['name'])} is here, sealed.")
            return
        show.passing(door, "Opening…")
        try:
            saved = client.call("media.save", within_s=moving.WORK_S, id=file["id"], folder=place)
        finally:
            show.passing(door, "")
    show.outcome(door, saved, f"✔ {show.clean(str(saved['file']))} ({show.size(int(saved['bytes']))})")


@options.group()
@click.option("--in", "contact", metavar="CONTACT", shell_complete=options.contact_names, help="Only of one contact.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, metavar="N", help="How many of the newest. [20]")
@click.option("--follow", is_flag=True, help="Stay, and show how far those are that are on their way.")
@click.pass_context
def files(ctx: click.Context, contact: str | None, limit: int, follow: bool) -> None:
    """Lists files that you sent and that came: what they are, and how much of each is here or there."""
    if ctx.invoked_subcommand is not None:
        return
    door: Door = ctx.obj
    with door.connect() as client:
        if follow:
            client.watch(*TOPICS)
        found = client.call("media.list", contact=contact, limit=limit)
        cursor = client.cursor
    if not follow:
        show.rows(door, "files", found, _table(door, found) if found else "No files yet.")
        return
    _follow(door, found, cursor)


@options.sub(files, name="show")
@click.argument("file_id", metavar="ID")
@click.option("--picture", type=click.Choice(pictures.WAYS), default="auto", help="How it is drawn. [auto]")
@click.pass_obj
def show_one(door: Door, file_id: str, picture: str) -> None:
    """Shows what is known of a file, and the preview of a picture, on a terminal."""
    with door.connect() as client:
        file = client.call("media.show", id=file_id)
        webp = bytes.fromhex(client.call("media.preview", id=file_id)["webp"]) if file["has_preview"] else b""
    said = f"{show.file_text(file)}   (id …{file['short']})"
    lies = show.keeping_text(file)
    show.outcome(door, file, f"{said}\n  {lies}" if lies else said)
    if webp:
        pictures.show_preview(door, webp, PREVIEW_COLUMNS, picture)


@options.sub(files)
@click.argument("file_id", metavar="ID")
@click.pass_obj
def pause(door: Door, file_id: str) -> None:
    """Stops fetching a file; weft get goes on with it."""
    with door.connect() as client:
        file = client.call("media.pause", id=file_id)
    show.outcome(door, file, f"✔ {show.file_text(file)}")


@options.sub(files)
@click.argument("file_id", metavar="ID")
@click.pass_obj
def drop(door: Door, file_id: str) -> None:
    """Keeps a file here no more, to make room; what was saved elsewhere stays there."""
    with door.connect() as client:
        file = client.call("media.drop", id=file_id)
    show.outcome(door, file, f"✔ {show.clean(file['name'])} is not kept here any more; weft get fetches it again.")


@options.sub(files)
@click.argument("file_id", metavar="ID")
@click.option("--stop", is_flag=True, help="Take back what lies there, and leave it nowhere.")
@click.pass_obj
def keep(door: Door, file_id: str, stop: bool) -> None:
    """Leaves a file of yours at a keeper of its reader while he is away, however large.

    Small ones go there by themselves (media.keep, in MB). You may switch off once weft files says that it is kept.
    """
    with door.connect() as client:
        file = client.call("media.leave", id=file_id, withdraw=stop)
    name, reader = show.clean(file["name"]), show.clean(file["contact"])
    if stop:
        show.outcome(door, file, f"✔ {name} is left at no keeper of {reader}'s any more.")
        return
    if file["keeping"] == "kept":
        show.outcome(door, file, f"✔ {name} is {show.keeping_text(file)}.")
        return
    show.outcome(
        door, file, f"• {name} is left at a keeper of {reader}'s while {reader} is away: weft files says how far."
    )


def _follow(door: Door, found: Sequence[dict[str, Any]], cursor: int) -> None:
    """Shows the bars of what moves, anew at each change, until somebody ends it."""
    if door.form is Form.JSON:
        door.form = Form.JSONL
    known = {file["id"]: file for file in found}
    rates: dict[str, moving.Rate] = {}
    if door.form is Form.TEXT:
        show.redrawn(door, None, _bars(known, rates) or "Nothing is on its way.")
    show.talk(door, "Waiting for changes… (Ctrl-C ends it)")
    for _, file in connection.follow(door.directory, TOPICS, cursor, lambda said: show.talk(door, said)):
        known[file["id"]] = file
        if door.form is Form.TEXT:
            show.redrawn(door, None, _bars(known, rates) or "Nothing is on its way.")
        else:
            show.outcome(door, file, "")


def _bars(known: dict[str, dict[str, Any]], rates: dict[str, moving.Rate]) -> str:
    """A line for each file that moves or waits."""
    lines = []
    for file in known.values():
        count = file["given"] if file["mine"] else file["here"]
        if file["state"] != "fetching" and not (file["mine"] and 0 < count < file["pieces"]):
            continue
        rate = rates.setdefault(file["id"], moving.Rate())
        rate.note(count * file["bytes"] / file["pieces"])
        way = f"to {show.clean(file['contact'])}" if file["mine"] else f"from {show.clean(file['contact'])}"
        lines.append(f"{moving.bar(file, count)}  {way}  {rate.text(file['bytes'])}".rstrip())
    return "\n".join(lines)


def _table(door: Door, found: Sequence[dict[str, Any]]) -> str:
    heads = ("when", "who", "file", "size", "", "id")
    return show.table(door, heads, [_row(file) for file in found])


def _row(file: dict[str, Any]) -> tuple[str, ...]:
    name = show.clean(file["contact"])
    if file["mine"]:
        who, part = f"to {name}", file["given"] * 100 // file["pieces"]
        state = "he has it" if part == 100 else f"he has {part} %" if part else "not fetched yet"
    else:
        who, part = f"from {name}", file["here"] * 100 // file["pieces"]
        state = show.FILE_STATES[file["state"]]
        if 0 < part < 100:
            state += f", {part} %"
    if file["reason"] and not (file["mine"] and part == 100):
        state += f": {show.clean(file['reason'])}"
    if (lies := show.keeping_text(file)) and (not file["mine"] or part < 100):
        state += f"; {lies}"
    return (
        show.clock(file["at_ms"]),
        who,
        show.clean(file["name"]),
        show.size(file["bytes"]),
        state,
        f"…{file['short']}",
    )
