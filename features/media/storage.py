"""What takes room, by conversation, and the quota: what can be fetched again is kept here no more, and nothing else.

A file can be fetched again where a contact told it and we told it nobody: what we made, or said on to others, may lie
nowhere else. Whether that contact still has it, nobody knows. Not here: the tables of blobs (store/blobs.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import trio

from crypto import chunks
from features.media import view
from node.core import Core
from store import blobs, examination, people, settings, uses
from store.blobs import Row
from store.database import Tx

QUOTA = "media.quota"  # the setting: how much all sealed files may take, in MB; 0: as much as there is
GRACE_MS = 3_600_000  # what came or was used so shortly ago stays: somebody may be about to save it
CALM_S = 10.0  # between two looks while files come: each piece is a change
LOOK_S = 600.0  # at the latest while a time is waited for: a machine that slept has another clock
SLICE = 20_000  # messages that are counted in one transaction

IsKept = Callable[[Tx, int], bool]
"""Whether the file of the message of this row stays here, because a person has marked it."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one conversation takes. messages, text_bytes: all that was said in it; files: those of which any is here.

    files_bytes: of the disk; again_bytes: what of that can be fetched again; keep_s: how long that stays, 0: as long
    as there is room.
    """

    contact: str
    messages: int
    text_bytes: int
    files: int
    files_bytes: int
    again_bytes: int
    keep_s: int


@dataclass(frozen=True, slots=True)
class RoomShare:
    """What another room takes, as "moments". files, files_bytes, again_bytes: as in a Share."""

    room: str
    files: int
    files_bytes: int
    again_bytes: int


@dataclass(frozen=True, slots=True)
class Storage:
    """What takes room. files, files_bytes, again_bytes: of all conversations and rooms, each file once.

    rooms: what is told in no conversation, or not only there; those that have nothing here are not in it.
    quota_bytes: 0 for none; over: how many bytes the files take beyond it.
    """

    conversations: list[Share]
    files: int
    files_bytes: int
    again_bytes: int
    database_bytes: int
    free_bytes: int
    quota_bytes: int
    over: int
    rooms: list[RoomShare] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loose:
    """A blob that can be fetched again, and may go."""

    number: int
    bytes: int
    used_ms: int


async def look(core: Core, contact_id: int | None, is_kept: IsKept) -> Storage:
    """What takes room: in the conversation with this contact, or in each, the largest first."""
    said: dict[int, tuple[int, int]] = {}
    newest = await core.database.transact(_newest)
    for after in range(0, newest, SLICE):
        for contact, count, length in await core.database.transact(_said, after):
            before = said.get(contact, (0, 0))
            said[contact] = before[0] + count, before[1] + length
    free_bytes = core.blobs.free_bytes()
    return await core.database.transact(_storage, said, contact_id, free_bytes, is_kept)


async def run(core: Core, is_kept: IsKept) -> None:
    """Keeps the files below the quota as far as that costs nothing, until cancelled."""
    database = core.database
    while True:
        with database.watch(frozenset({settings.CHANGED})) as changes:
            while not await database.read(quota):
                await changes.receive()
        with database.watch(frozenset({settings.CHANGED, blobs.CHANGED})) as changes:
            while await database.read(quota):
                now_ms = core.ground.now_ms()
                next_ms = await database.transact(make_room, now_ms, is_kept)
                with trio.move_on_after(inf if next_ms is None else min(LOOK_S, (next_ms - now_ms) / 1000)):
                    await changes.receive()
                await trio.sleep(CALM_S)


def make_room(tx: Tx, now_ms: int, is_kept: IsKept) -> int | None:
    """Drops what can be fetched again, the longest unused first, until the files are below the quota.

    Returns when more of it may go, None where there is no need, or nothing that may.
    """
    most = quota(tx)
    over = sum(_taking(tx).values()) - most if most else 0
    if over <= 0:
        return None
    for one in loose(tx, is_kept):
        if one.used_ms + GRACE_MS > now_ms:
            return min(one.used_ms, now_ms) + GRACE_MS
        blobs.drop(tx, one.number)
        over -= one.bytes
        if over <= 0:
            return None
    return None


def loose(tx: Tx, is_kept: IsKept) -> tuple[Loose, ...]:
    """What can be fetched again and is not marked, the longest unused first."""
    return tuple(
        Loose(row.number, _bytes(row.blob.length, row.here), row.used_ms)
        for row in blobs.fetchable(tx)
        if _is_of_others(tx, row) and not any(is_kept(tx, seq) for seq in view.telling(tx, row.number))
    )


def quota(tx: Tx) -> int:
    """How many bytes the files may take, 0 for no limit."""
    return int(settings.get(tx, QUOTA) or 0) * view.MB


def _is_of_others(tx: Tx, row: Row) -> bool:
    """Whether others tell us a blob, and we tell it nobody; the file of one made here is called otherwise."""
    return uses.is_of_others(tx, row.number) and row.file.partition("-")[0] == view.file_of(row.blob)


def _taking(tx: Tx) -> dict[int, int]:
    """How many bytes the pieces of each blob take that are here."""
    return {number: _bytes(length, here) for number, length, here in blobs.taking(tx)}


def _bytes(length: int, here: int) -> int:
    """What so many sealed pieces of a blob take; where the last one, which is shorter, is not here, a little less."""
    total = chunks.padded_length(length) + chunks.count(length) * (chunks.SEALED_BYTES_MAX - chunks.CHUNK_BYTES)
    return min(total, here * chunks.SEALED_BYTES_MAX)


def _newest(tx: Tx) -> int:
    found = tx.one("SELECT MAX(seq) FROM message")
    return 0 if found is None or found[0] is None else int(found[0])


def _said(tx: Tx, after: int) -> tuple[tuple[int, int, int], ...]:
    """(contact, messages, their bytes) of one slice of all messages."""
    return tuple(
        tx.all(
            "SELECT contact, COUNT(*), SUM(LENGTH(body)) FROM message WHERE seq > ? AND seq <= ? GROUP BY contact",
            (after, after + SLICE),
        )
    )


def _storage(
    tx: Tx, said: dict[int, tuple[int, int]], contact_id: int | None, free_bytes: int, is_kept: IsKept
) -> Storage:
    taking = _taking(tx)
    again = {one.number: one.bytes for one in loose(tx, is_kept)}
    keep: dict[int, int] = dict(tx.all("SELECT contact, keep_s FROM media_keep"))
    told: dict[int, list[int]] = {}
    for contact, number in tx.all("SELECT DISTINCT contact, blob FROM media_file"):
        if number in taking:
            told.setdefault(contact, []).append(number)
    shares = [
        Share(
            one.name,
            *said.get(one.id, (0, 0)),
            len(told.get(one.id, ())),
            sum(taking[number] for number in told.get(one.id, ())),
            sum(again.get(number, 0) for number in told.get(one.id, ())),
            keep.get(one.id, 0),
        )
        for one in people.contacts(tx)
        if contact_id in (None, one.id) and (one.id in said or one.id in told or one.id == contact_id)
    ]
    total, most = sum(taking.values()), quota(tx)
    return Storage(
        conversations=sorted(shares, key=lambda one: (-one.text_bytes - one.files_bytes, one.contact)),
        files=len(taking),
        files_bytes=total,
        again_bytes=sum(again.values()),
        database_bytes=examination.sizes(tx)[0],
        free_bytes=free_bytes,
        quota_bytes=most,
        over=max(0, total - most) if most else 0,
        rooms=_rooms(tx, taking, again),
    )


def _rooms(tx: Tx, taking: dict[int, int], again: dict[int, int]) -> list[RoomShare]:
    """What other rooms take, by their names."""
    held: dict[str, list[int]] = {}
    for room, number in uses.here(tx):
        if room != view.ROOM:
            held.setdefault(room, []).append(number)
    return [
        RoomShare(
            room,
            len(numbers),
            sum(taking.get(one, 0) for one in numbers),
            sum(again.get(one, 0) for one in numbers),
        )
        for room, numbers in held.items()
    ]
