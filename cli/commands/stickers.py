"""sticker: packs of small pictures, which are sent in the place of words."""

import os
from collections.abc import Sequence
from typing import Any

import click

from cli import moving, options, pictures, show
from cli.options import Door

Row = dict[str, Any]


@options.group()
@click.pass_context
def sticker(ctx: click.Context) -> None:
    """Makes, lists, sends and keeps stickers; without a command it lists them."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(sticker)
@click.argument("pack_name", metavar="PACK")
@click.argument("paths", metavar="FILE|FOLDER…", nargs=-1, required=True, type=click.Path())
@click.pass_obj
def pack(door: Door, pack_name: str, paths: Sequence[str]) -> None:
    """Makes a pack of pictures, or adds them to it.

    weft sticker pack Cats "wave 👋.png" sleepy.webp

    Each is called as its file; an emoji in that name stands where no picture is drawn. They are made small, at most 512
    pixels a side, without what they say of place, time and camera; of what moves the first picture stays.
    """
    places = [os.path.abspath(os.path.expanduser(one)) for one in paths]
    with door.connect() as client:
        show.passing(door, "Looking at the pictures…")
        try:
            found = client.call("stickers.pack", within_s=moving.WORK_S, name=pack_name, paths=places)
        finally:
            show.passing(door, "")
    show.outcome(door, found, f"✔ {_pack(found)}")


@options.sub(sticker, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists the packs, and what is in them."""
    _list(door)


@options.sub(sticker)
@options.contact_argument
@click.argument("sticker_name", metavar="STICKER")
@click.pass_obj
def send(door: Door, name: str, sticker_name: str) -> None:
    """Sends a contact a sticker: PACK/STICKER, its name, the beginning of it, or its emoji.

    weft sticker send bo wave
    """
    with door.connect() as client:
        sent = client.call("stickers.send", to=name, sticker=sticker_name)
        message = client.call("chat.message", id=sent["id"])
    show.outcome(door, message, f"{show.clean(message['text'])}  {show.state_line(message)}")


@options.sub(sticker, name="show")
@click.argument("sticker_name", metavar="STICKER|ID")
@click.option("--picture", type=click.Choice(pictures.WAYS), default="auto", help="How it is drawn. [auto]")
@click.pass_obj
def show_one(door: Door, sticker_name: str, picture: str) -> None:
    """Draws a sticker, on a terminal: one of yours, or that of a message by the end of its id."""
    with door.connect() as client:
        found = client.call("stickers.show", sticker=sticker_name)
    facts = f"{show.size(found['bytes'])}, {found['width']}×{found['height']}"
    show.outcome(door, found, f"{_sticker(found)} of {show.clean(found['pack'])} ({facts})")
    pictures.show_preview(door, bytes.fromhex(found["webp"]), pictures.STICKER_COLUMNS, picture)


@options.sub(sticker)
@click.argument("message_id", metavar="ID")
@click.option("--in", "pack_name", metavar="PACK", help="The pack that gets it. [that which it is from]")
@click.pass_obj
def save(door: Door, message_id: str, pack_name: str | None) -> None:
    """Keeps the sticker of a message, by the end of its id, so that you can send it."""
    with door.connect() as client:
        kept = client.call("stickers.save", id=message_id, pack=pack_name)
    show.outcome(door, kept, f"✔ Kept: {show.clean(kept['pack'])}/{_sticker(kept)}")


@options.sub(sticker)
@options.contact_argument
@click.argument("pack_name", metavar="PACK")
@click.pass_obj
def share(door: Door, name: str, pack_name: str) -> None:
    """Sends a contact a whole pack, as a file that he can take in."""
    with door.connect() as client:
        file = client.call("stickers.share", within_s=moving.WORK_S, to=name, pack=pack_name)
    show.outcome(door, file, moving.sent_text(file))
    show.talk(door, f"  Over there: weft sticker add {file['short']}")


@options.sub(sticker)
@click.argument("file_id", metavar="ID")
@click.option("--as", "pack_name", metavar="NAME", help="What the pack is called here. [as it says]")
@click.pass_obj
def add(door: Door, file_id: str, pack_name: str | None) -> None:
    """Takes in a pack that a contact has shared, by the end of its message's id; each picture is looked at."""
    with door.connect() as client:
        show.passing(door, "Looking at the pictures…")
        try:
            found = client.call("stickers.add", within_s=moving.WORK_S, id=file_id, name=pack_name)
        finally:
            show.passing(door, "")
    show.outcome(door, found, f"✔ {_pack(found)}")


@options.sub(sticker)
@click.argument("sticker_name", metavar="PACK|STICKER")
@click.pass_obj
def remove(door: Door, sticker_name: str) -> None:
    """Keeps a pack, or one sticker, no more; what was sent stays."""
    with door.connect() as client:
        gone = client.call("stickers.remove", sticker=sticker_name)
    show.outcome(door, gone, f"✔ Gone from {show.clean(gone['pack'])}: {_many(gone['removed'])}")


def _list(door: Door) -> None:
    with door.connect() as client:
        found = client.call("stickers.list")
    none = f"No stickers yet. To make a pack: {door.typed('weft sticker pack NAME FOLDER')}"
    show.rows(door, "packs", found, "\n".join(map(_pack, found)) or none)


def _pack(found: Row) -> str:
    """A pack on one line: its name, how many, and what they are called."""
    names = ", ".join(map(_sticker, found["stickers"]))
    return f"{show.clean(found['name'])} ({_many(len(found['stickers']))}, {show.size(found['bytes'])}): {names}"


def _sticker(found: Row) -> str:
    return show.clean(f"{found['alt']} {found['name']}".strip())


def _many(count: int) -> str:
    return "1 sticker" if count == 1 else f"{count} stickers"
