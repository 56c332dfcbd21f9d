"""Pictures of a folder that become moments: when each was taken, and which were taken in before.

What was taken in is known by a hash of the file's bytes, which is noted with the moment itself: who imports a folder
twice, or goes on after a kill, posts nothing twice. Not here: posting (service.py), which pictures of which day become
one moment (cli/albums.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from crypto import hashing
from crypto.hashing import Label
from node import ground
from node.core import Core
from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from protocol.faults import UserFault
from store.database import Migration, Tx

PATHS_MAX = 64  # of one question, so that who asks can say how far it is
ORIGINS_MAX = 9  # as many as a moment has pictures
SHORT_BYTES = 4
IMPORTS_SCHEMA = Migration(
    "moments",
    3,
    "CREATE TABLE moment_import (origin BLOB PRIMARY KEY, moment BLOB NOT NULL) STRICT, WITHOUT ROWID;",
)


class TooManyAsked(UserFault):
    """At most 64 pictures are looked at in one question."""

    code = "limit"
    next = "weft moments import FOLDER"
    exit = 2


class BadOrigin(UserFault):
    """Pictures that are imported are named by at most 9 hashes of 64 digits each; nothing was posted."""

    code = "moment.origin"
    next = "weft moments import FOLDER"
    exit = 2


@dataclass(frozen=True, slots=True)
class Dated:
    """A picture that could be imported. taken: by its camera's clock, 2026-05-04T12:30:00 and +02:00 behind it where it
    names its zone, "" where it does not say. origin: names its bytes, 64 hexadecimal digits.

    moment: short id of that in which they were taken in, "" for none. trouble: why it cannot be imported, "" where it
    can; else the others are "".
    """

    path: str
    taken: str
    origin: str
    moment: str
    trouble: str


async def dates(core: Core, paths: Sequence[str]) -> list[Dated]:
    """When each of these pictures was taken, in their order; a file that is none has a trouble.

    paths: whole. Raises: TooManyAsked.
    """
    if len(paths) > PATHS_MAX:
        raise TooManyAsked
    found: dict[int, tuple[str, bytes]] = {}
    troubles: dict[int, str] = {}

    async def look(number: int, path: Path) -> None:
        try:
            found[number] = await core.workshop.taken(path), await ground.aside(core.ground, _origin, path)
        except (CannotOpen, Broken, Strange, TooMuch, NoRoom, Ended) as why:
            troubles[number] = f"{str(why).partition(';')[0].rstrip('.')}."

    async with trio.open_nursery() as nursery:  # the workshop says how many at once
        for number, path in enumerate(map(Path, paths)):
            if path.is_absolute():
                nursery.start_soon(look, number, path)
            else:
                troubles[number] = "Its path is not whole."
    moments = await core.database.read(known, [origin for _, origin in found.values()])
    rows = []
    for number, path_said in enumerate(paths):
        if number in troubles:
            rows.append(Dated(path_said, "", "", "", troubles[number]))
            continue
        taken, origin = found[number]
        rows.append(Dated(path_said, taken, origin.hex(), moments.get(origin, b"")[:SHORT_BYTES].hex(), ""))
    return rows


def checked(origins: Iterable[str]) -> tuple[bytes, ...]:
    """The origins of a moment's pictures, as somebody names them. Raises: BadOrigin."""
    try:
        raw = tuple(bytes.fromhex(one) for one in origins)
    except ValueError:
        raise BadOrigin from None
    if len(raw) > ORIGINS_MAX or any(len(one) != hashing.HASH_BYTES for one in raw):
        raise BadOrigin
    return raw


def known(tx: Tx, origins: Iterable[bytes]) -> dict[bytes, bytes]:
    """Of these the ones that were taken in, each with the id of its moment; also where that is deleted by now."""
    found = {}
    for origin in origins:
        row = tx.one("SELECT moment FROM moment_import WHERE origin = ?", (origin,))
        if row is not None:
            found[origin] = bytes(row[0])
    return found


def note(tx: Tx, origins: Iterable[bytes], moment: bytes) -> None:
    """From now on these were taken in, in the moment of this id. For the transaction that posts it."""
    for origin in origins:
        tx.execute("INSERT OR REPLACE INTO moment_import (origin, moment) VALUES (?, ?)", (origin, moment))


def _origin(path: Path) -> bytes:
    """What names the bytes of a file that the workshop has just read. Blocks on the disk. Raises: CannotOpen."""
    try:
        return hashing.hash_of(Label.MOMENT, b"picture" + path.read_bytes())
    except OSError:
        raise CannotOpen from None
