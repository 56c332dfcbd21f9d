"""Blobs in the store: what somebody still does for one that was dropped or forgotten meanwhile harms no other."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto import chunks
from node.blobs.tags import CONTACTS_MAX, NEWS_MAX, Tags
from protocol.blob_stream import NAMES_MAX
from protocol.blobs import Blob
from store import blobs, schema
from store.blobs import State
from store.database import Tx, Worker, open_database

ONE, OTHER = (Blob(bytes([n]) * 32, bytes([n]) * 32, 1_000_000, bytes(32)) for n in (1, 2))
ALL = 0b1111
Step = Callable[[Tx], None]


def wanted(tx: Tx, blob: Blob = ONE) -> blobs.Row:
    """A blob that was told, and is being fetched."""
    number = blobs.told(tx, blob, 1, blob.root.hex(), 0)
    blobs.want(tx, number)
    return now(tx, number)


def now(tx: Tx, number: int) -> blobs.Row:
    row = blobs.row(tx, number)
    assert row is not None
    return row


def forgotten(tx: Tx) -> None:
    """A number is not given again: who works on a blob that is gone does not work on another."""
    one = wanted(tx)
    blobs.forget(tx, one.number)
    other = wanted(tx, OTHER)
    blobs.came(tx, one.number, one.file, ALL, 0)
    blobs.false(tx, one.number, one.file)
    blobs.stuck(tx, one.number, one.file, "full")
    blobs.gave(tx, [(one.number, 1, 4)])
    assert now(tx, other.number) == other
    assert blobs.given(tx, one.number, 1) == blobs.given(tx, other.number, 1) == 0


def told_again(tx: Tx) -> None:
    """The file of one that was forgotten is about to be removed: the same blob, told again, has another."""
    one = wanted(tx)
    blobs.drop(tx, one.number)
    blobs.forget(tx, one.number)
    again = wanted(tx)
    assert again.file not in blobs.waste(tx)
    blobs.drop(tx, again.number)
    assert now(tx, again.number).file not in blobs.waste(tx)
    assert len({*blobs.waste(tx)}) == 3


def dropped(tx: Tx) -> None:
    """Pieces that were still written into the file of before are not here."""
    one = wanted(tx)
    blobs.came(tx, one.number, one.file, 0b1, 0)
    blobs.drop(tx, one.number)
    blobs.want(tx, one.number)
    blobs.came(tx, one.number, one.file, ALL, 0)
    blobs.stuck(tx, one.number, one.file, "full")
    blobs.false(tx, one.number, one.file)
    after = now(tx, one.number)
    assert (after.state, after.bits, after.reason) == (State.WANTED, 0, "")
    blobs.came(tx, one.number, after.file, ALL, 0)
    assert now(tx, one.number).state is State.WHOLE


def named(tx: Tx) -> None:
    """Whoever asks for a part of a manifest does not make the node read all of it: a row has no more than a frame."""
    large = Blob(bytes([3]) * 32, bytes([3]) * 32, 5000 * chunks.CHUNK_BYTES, bytes(32))
    names = random.Random(3).randbytes(large.count * chunks.ID_BYTES)
    number = blobs.made(tx, large, names, "large", 0)
    assert large.count > 2 * NAMES_MAX
    assert tx.one("SELECT MAX(LENGTH(names)) FROM blob_names") == (blobs.PART_BYTES,)
    assert blobs.names(tx, number) == names
    for first in (0, 1, NAMES_MAX - 1, NAMES_MAX, NAMES_MAX + 1, 2 * NAMES_MAX, large.count - 1, large.count):
        start = first * chunks.ID_BYTES
        assert blobs.some_names(tx, number, first) == names[start : start + blobs.PART_BYTES]
    blobs.forget(tx, number)
    assert blobs.names(tx, number) == blobs.some_names(tx, number, 0) == b""


def asked_for(tx: Tx) -> None:
    """A question costs what has come since the one before: each blob is read and hashed once for each asker."""
    tags = Tags()

    def question(tag: bytes) -> tuple[int, int]:
        """What it finds, and how many blobs were hashed for it."""
        hashed = 0
        while news := blobs.held_after(tx, after := tags.seen(7), NEWS_MAX):
            tags.add(7, after, [(turn, number, key) for turn, number, key, _ in news])
            hashed += len(news)
        return tags.find(7, tag), hashed

    many = [Blob(n.to_bytes(32, "big"), n.to_bytes(32, "little"), 1, bytes(32)) for n in range(1, 1001)]
    numbers = [blobs.made(tx, one, bytes(32), one.key.hex(), 0) for one in many]
    assert question(many[500].key) == (numbers[500], 1000)
    assert question(many[999].key) == (numbers[999], 0)
    assert question(bytes(32)) == (0, 0)
    one = wanted(tx)
    assert question(ONE.key) == (0, 0)  # nothing of it is here
    blobs.came(tx, one.number, one.file, 0b1, 0)
    assert question(ONE.key) == (one.number, 1)
    blobs.came(tx, one.number, one.file, 0b10, 0)
    assert question(ONE.key) == (one.number, 0)
    blobs.drop(tx, numbers[999])  # the newest turn but one; its number stays known and finds nothing that is here
    blobs.drop(tx, one.number)
    blobs.want(tx, one.number)
    blobs.came(tx, one.number, now(tx, one.number).file, 0b1, 0)
    assert question(ONE.key) == (one.number, 1)
    for contact in range(100, 100 + CONTACTS_MAX):
        tags.seen(contact)
    assert question(many[0].key) == (numbers[0], 1000)  # too many others have asked meanwhile
    tags.add(7, 10**9, [(10**9, 1, bytes(32))])  # those between were given up while they were hashed
    tags.add(99, 0, [(1, 1, bytes(32))])
    assert (question(bytes(32)), tags.find(99, bytes(32))) == ((0, 0), 0)
    plans = [
        *tx.all(
            "EXPLAIN QUERY PLAN SELECT h.turn, b.number, b.key, b.root FROM blob_held h JOIN blob b"
            " ON b.number = h.blob WHERE h.turn > 5 ORDER BY h.turn LIMIT 3"
        ),
        *tx.all("EXPLAIN QUERY PLAN SELECT turn, blob, contact FROM blob_source WHERE turn > 5 ORDER BY turn"),
        *tx.all(
            "EXPLAIN QUERY PLAN SELECT names FROM blob_names WHERE blob = 1 AND part BETWEEN 1 AND 2 ORDER BY part"
        ),
    ]
    assert len(plans) == 4
    assert all(plan[3].startswith("SEARCH") for plan in plans)


def told_by_turns(tx: Tx) -> None:
    """Who tells again comes after all who told before."""
    one = wanted(tx)
    blobs.told(tx, ONE, 2, "", 0)
    last = blobs.last_told(tx)
    assert blobs.told_after(tx, last) == ()
    blobs.told(tx, ONE, 1, "", 0)
    assert [row[1:] for row in blobs.told_after(tx, last)] == [(one.number, 1)]
    assert blobs.sources(tx, one.number) == (1, 2)
    blobs.forget(tx, one.number)
    last = blobs.last_told(tx)
    wanted(tx, OTHER)
    assert len(blobs.told_after(tx, last)) == 1


STEPS = (forgotten, told_again, dropped, named, asked_for, told_by_turns)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
async def test_blobs(step: Step, tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", bytes(32), (*schema.CORE, *blobs.SCHEMA), Worker.INLINE) as database:
        await database.transact(step)
