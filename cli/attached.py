"""The files of a conversation, saved beside the page that shows it.

The node writes them, each under the name that `weft get` would give it, into a folder that is made for this page
(cli/beside.py). Not here: how the page shows them (cli/archive.py).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import faults, show
from cli.beside import Beside
from cli.client import Client
from cli.faults import Failure
from cli.moving import WORK_S
from cli.options import Door

GONE = frozenset(("media.incomplete", "media.false", "media.none", "media.gone"))  # it went while the page was written


@dataclass
class Attached:
    """Saves what a page's messages carry. saved, left: how many files are in the folder, and how many were not here."""

    door: Door
    client: Client
    beside: Beside
    saved: int = 0
    left: int = 0

    def save(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """The message, with what became of its file: saved is its place from the page, None where it is not here.

        Raises: Failure.
        """
        file = message.get("file")
        if message.get("sticker"):
            place = self._save_sticker(message)
            self.saved += place is not None
            return {**message, "saved": place}
        if not file:
            return message
        saved = self._save(message["id"], file["name"]) if file["state"] == "here" else None
        if saved is None:
            self.left += 1
            return {**message, "saved": None}
        self.saved += 1
        return {**message, "saved": saved}

    def _save(self, ident: str, name: str) -> str | None:
        folder = self.beside.place()
        show.passing(self.door, f"Saving {show.clean(name)}…")
        try:
            told = self.client.call("media.save", within_s=WORK_S, id=ident, folder=os.path.abspath(folder))
        except Failure as refused:
            if refused.code not in GONE:
                raise
            return None
        return f"{folder.name}/{Path(told['file']).name}"

    def _save_sticker(self, message: Mapping[str, Any]) -> str | None:
        """Its picture, under a name of ours: nothing of it is theirs; None where it is gone. Raises: Failure."""
        try:
            picture = bytes.fromhex(self.client.call("stickers.show", sticker=message["id"])["webp"])
        except Failure as refused:
            if refused.code != "sticker.unknown":
                raise
            return None
        folder = self.beside.place()
        file = folder / f"sticker-{message['short']}.webp"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(picture)
        except OSError as broken:
            why = f"The sticker {faults.quoted(str(file))} cannot be written ({broken.strerror}); nothing was written."
            raise Failure("file.unwritable", why, next=self.beside.again) from None
        return f"{folder.name}/{file.name}"
