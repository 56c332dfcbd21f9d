"""Contacts as a file for other programs, and who of such a file is on weft. The lines of it: cli/vcard.py."""

import base64
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli import faults, files, show, vcard
from cli.client import Client
from cli.faults import Failure
from cli.options import Door

FILE_BYTES_MAX = 64 << 20
PIECE_BYTES = 8192  # of a line without end at a time: what continues it begins as a line of its own, and is dropped
AGAIN = "weft contacts export --vcard FILE"


def export(door: Door, client: Client, place: str | None, photos: bool, force: bool) -> None:
    """Writes all contacts as vCards: to a file, or to stdout."""
    count = 0

    def cards() -> Iterator[bytes]:
        nonlocal count
        for row in client.call("contacts.list"):
            if row["state"] == "active":
                count += 1
                yield _card(client, row, photos).encode()

    if place is None:
        text = b"".join(cards()).decode()
        show.outcome(door, {"vcard": text}, text.replace("\r\n", "\n").rstrip("\n"))
        return
    size = files.store(door, Path(place), cards(), force, AGAIN, f"{AGAIN} --force")
    said = f"✔ {count:,} contacts are in {show.clean(place)}, {size:,} bytes. Anybody who has it knows whom you know."
    show.outcome(door, {"file": place, "contacts": count, "bytes": size}, said)


def take(door: Door, client: Client, place: str) -> None:
    """Lists who in a file of vCards is on weft, and who of them is a contact. Nobody is added."""
    found = _read(place)
    known = {row["account"]: row for row in client.call("contacts.list")}
    own = client.call("node.status")["account"]
    rows = [_row(card, known.get(card.account), own) for card in found.cards]
    lines = [(show.clean(row["name"]) or "(no name)", row["state"], _next(door, row)) for row in rows]
    none = "No cards are in this file."
    text = show.table(door, ("Name", "Weft", ""), lines) if lines else none
    show.rows(door, "cards", rows, text)
    if found.broken:
        show.talk(door, f"! {found.broken:,} lines or cards make no sense, and were left out.")


def _card(client: Client, row: dict[str, Any], photos: bool) -> str:
    seen = client.call("profile.show", name=row["name"])
    picture = b""
    if photos and seen["photo"]:
        picture = base64.b64decode(client.call("profile.photo", name=row["name"])["webp"])
    return vcard.written(row["name"], row["account"], seen["remark"], seen["about"], seen["tags"], picture)


def _read(place: str) -> vcard.Read:
    """What a file holds, "-": stdin. Raises: Failure."""
    said = faults.quoted(place)
    try:
        if place == "-":
            return vcard.read(_lines(sys.stdin.buffer))
        if not stat.S_ISREG(os.stat(place).st_mode):
            raise _unreadable(f"{said} is no file")
        with open(place, "rb") as file:
            return vcard.read(_lines(file))
    except vcard.NotCards:
        why = f"{said} is no address book in vCards, or a larger one than weft reads; nothing was done."
        raise Failure("vcard.foreign", why, next="weft contacts import FILE", verb="Name another") from None
    except OSError as broken:
        raise _unreadable(f"The file {said} cannot be read ({broken.strerror})") from None
    except ValueError:  # a path that no file can have
        raise _unreadable(f"There is no file {said}") from None


def _lines(file: Any) -> Iterator[bytes]:
    """Line by line; what is longer than a piece goes on as a folded line. Raises: vcard.NotCards."""
    size, is_open = 0, False
    while piece := file.readline(PIECE_BYTES):
        size += len(piece)
        if size > FILE_BYTES_MAX:
            raise vcard.NotCards
        yield b" " + piece if is_open else piece
        is_open = not piece.endswith(b"\n")


def _unreadable(said: str) -> Failure:
    return Failure(
        "vcard.unreadable", f"{said}; nothing was done.", next="weft contacts import FILE", exit=faults.UNKNOWN_NAME
    )


def _row(card: vcard.Card, contact: dict[str, Any] | None, own: str) -> dict[str, str]:
    """A card, what it is to us, and what the contact is called."""
    if contact is not None:
        state = "contact" if contact["state"] == "active" else contact["state"]
    elif card.account:
        state = "you" if card.account == own else "on weft"
    else:
        state = "not on weft"
    return {
        "name": card.name,
        "account": card.account,
        "state": state,
        "contact": "" if contact is None else contact["name"],
    }


def _next(door: Door, row: dict[str, str]) -> str:
    if row["contact"]:
        return f"you call it {show.clean(row['contact'])}"
    return door.typed(f"weft add {row['account']}") if row["state"] == "on weft" else ""
