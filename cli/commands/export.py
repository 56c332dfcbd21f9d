"""export: a whole conversation as a file, for a person's archive.

Not here: signed entries as evidence (cli/commands/log.py), what a file looks like (cli/archive.py).
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cli import archive, files, options, show
from cli.archive import Form, Heading
from cli.attached import Attached
from cli.beside import Beside
from cli.client import Client
from cli.options import Door

PAGE = 500  # lines in memory at a time: at most 8 MiB of text, far less in life
NAME_BYTES_MAX = 120  # of a contact in a file's name, which has at most 255


@options.command()
@click.option(
    "--chat", "name", metavar="NAME", required=True, shell_complete=options.contact_names, help="With which contact."
)
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in Form]),
    help="The form of the file. [that of --to by its name, else html]",
)
@click.option(
    "--to", "place", type=click.Path(), default=".", metavar="FILE|DIR", help="Where to write it. [this directory]"
)
@click.option("--media", is_flag=True, help="Save the files that are here too, in a folder beside it.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def export(door: Door, name: str, form: str | None, place: str, media: bool, force: bool) -> None:
    """Writes a whole conversation to a file of your own: html to look at, txt to read, json for programs.

    The file is not encrypted, and only you may read it (0600). So are the files that --media saves.
    """
    chosen = _form(form, place)
    with door.connect() as client:
        contact = client.call("contacts.show", name=name)
        heading = Heading(contact["name"], contact["account"], time.time_ns() // 1_000_000, has_files=media)
        file = _file(Path(place), heading, chosen)
        with_media = " --media" if media else ""
        again = f"weft export --chat {show.typed_name(contact['name'])} --format {chosen}{with_media} --to"
        count, attached = 0, Attached(door, client, Beside(file, "weft export --chat NAME --to FILE"))

        def counted() -> Iterator[Sequence[archive.Message]]:
            nonlocal count
            for page in _pages(client, contact["name"]):
                count += len(page)
                yield [attached.save(message) for message in page] if media else page

        parts = archive.parts(chosen, heading, counted())
        forced = f"{again} {show.typed_name(str(file))} --force"
        try:
            size = files.store(door, file, parts, force, f"{again} FILE", forced)
        except BaseException:
            attached.beside.drop()
            raise
    full = os.path.abspath(file)
    wrote: dict[str, Any] = {"file": full, "format": str(chosen), "messages": count, "bytes": size}
    if media:
        folder = None if attached.beside.folder is None else os.path.abspath(attached.beside.folder)
        wrote |= {"folder": folder, "saved": attached.saved, "left": attached.left}
    lines = "1 message" if count == 1 else f"{count:,} messages"
    said = f"✔ Written: {show.clean(full)} ({lines}, {size:,} bytes)"
    if attached.saved:
        said += f"\n✔ Saved: {show.clean(str(wrote['folder']))} ({_files(attached.saved)})"
    show.outcome(door, wrote, said)
    if attached.left:
        show.talk(door, f"! Not here, so not saved: {_files(attached.left)}. Fetch what you want: weft get ID")
    show.talk(door, "! It is not encrypted: whoever gets the file can read it.")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _form(form: str | None, place: str) -> Form:
    """The form that was asked for, or that of the file's name."""
    ending = os.path.splitext(place)[1].lower().removeprefix(".")
    return Form(form or (ending if ending in [*Form] else Form.HTML))


def _file(place: Path, heading: Heading, form: Form) -> Path:
    """The file itself; in a directory it is called after the contact and the day."""
    if not place.is_dir():
        return place
    plain = "".join(one if one.isalnum() else "-" for one in heading.name).strip("-")
    name = plain.encode()[:NAME_BYTES_MAX].decode(errors="ignore") or "chat"
    return place / f"weft-{name}-{time.strftime('%Y-%m-%d', time.localtime(heading.made_ms / 1000))}.{form}"


def _pages(client: Client, name: str) -> Iterator[list[dict[str, Any]]]:
    """All lines up to the newest of this moment, page by page."""
    newest = client.call("chat.history", to=name, limit=1)
    last = newest[0]["seq"] if newest else 0
    after = 0
    while after < last and (page := client.call("chat.history", to=name, limit=PAGE, after=after)):
        after = max(line["seq"] for line in page)
        yield [line for line in page if line["seq"] <= last]
