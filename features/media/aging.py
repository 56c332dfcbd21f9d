"""How long files of a conversation stay here that can be fetched again, where a person has said so.

The time runs from the last use, as for the quota. What can be fetched again, and the quota: storage.py. How long texts
stay: the room of chats.
"""

from math import inf

import trio

from crypto.faults import Malformed
from features.media import storage, view
from features.media.storage import IsKept
from node.core import Core
from protocol import wire
from store import blobs, uses
from store.database import Migration, Tx

MIGRATION = Migration(
    "media", 2, "CREATE TABLE media_keep (contact INTEGER NOT NULL PRIMARY KEY, keep_s INTEGER NOT NULL) STRICT;"
)
CHANGED = "media.keep"  # topic of a change of how long, by the contact
KEEP_S_MIN = 86_400  # longer than what was just fetched stays in any case
KEEP_S_MAX = 36_600 * 86_400
KEPT_BYTES_MAX = 16
LOOK_S = 86_400.0  # at the latest while a time is waited for: a machine that slept has another clock

_TOLD_IN = "SELECT DISTINCT contact FROM media_file WHERE blob = ?"


async def run(core: Core, is_kept: IsKept) -> None:
    """Drops what has been here long enough, whenever it has, until cancelled."""
    with core.database.watch(frozenset({CHANGED})) as changes:
        while True:
            now_ms = core.ground.now_ms()
            next_ms = await core.database.transact(drop_old, now_ms, is_kept)
            with trio.move_on_after(inf if next_ms is None else min(LOOK_S, (next_ms - now_ms) / 1000)):
                await changes.receive()


def drop_old(tx: Tx, now_ms: int, is_kept: IsKept) -> int | None:
    """Drops what can be fetched again and was not used for as long as is said of its conversations, all of them.

    Returns when more of it may go, None where nothing is said of any conversation.
    """
    said: dict[int, int] = dict(tx.all("SELECT contact, keep_s FROM media_keep"))
    if not said:
        return None
    next_ms = now_ms + min(said.values()) * 1000  # what comes from now on goes no sooner
    for one in storage.loose(tx, is_kept):
        told = [said.get(contact) for (contact,) in tx.all(_TOLD_IN, (one.number,))]
        longest = [keep_s for keep_s in told if keep_s is not None]
        if len(longest) < len(told) or uses.rooms(tx, one.number) != (view.ROOM,):
            continue  # what other rooms tell stays as long as there is room
        due_ms = one.used_ms + max(longest) * 1000
        if due_ms <= now_ms:
            blobs.drop(tx, one.number)
        else:
            next_ms = min(next_ms, due_ms)
    return next_ms


def kept(tx: Tx, contact_id: int) -> bytes | None:
    """How long files of this conversation stay, for a backup."""
    found = tx.one("SELECT keep_s FROM media_keep WHERE contact = ?", (contact_id,))
    return None if found is None else wire.encode(found)


def kept_of(raw: bytes) -> int:
    """What `kept` wrote. Raises: Malformed."""
    match wire.decode(raw, KEPT_BYTES_MAX):
        case (int(keep_s),) if KEEP_S_MIN <= keep_s <= KEEP_S_MAX:
            return int(keep_s)
        case _:
            raise Malformed


def put_back(tx: Tx, contact_id: int, raw: bytes) -> None:
    """Takes in what `kept` gave. Raises: Malformed."""
    keep(tx, contact_id, kept_of(raw))


def keep(tx: Tx, contact_id: int, keep_s: int) -> None:
    """From now on files of this conversation stay so long; 0: as long as there is room."""
    tx.execute("DELETE FROM media_keep WHERE contact = ?", (contact_id,))
    if keep_s:
        tx.execute("INSERT INTO media_keep (contact, keep_s) VALUES (?, ?)", (contact_id, keep_s))
    tx.changed(CHANGED, contact_id)
