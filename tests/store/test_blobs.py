"""Blobs in the store: what somebody still does for one that was dropped or forgotten meanwhile harms no other."""

from collections.abc import Callable
from pathlib import Path

import pytest

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


def found_by_an_index(tx: Tx) -> None:
    """Whoever asks what a tag stands for does not make the node read all that was ever told."""
    (plan,) = tx.all("EXPLAIN QUERY PLAN SELECT number, key, root FROM blob WHERE here > 0 ORDER BY number")
    assert "COVERING INDEX blob_held" in plan[3]


@pytest.mark.parametrize("step", [forgotten, told_again, dropped, found_by_an_index], ids=lambda step: step.__name__)
async def test_blobs(step: Step, tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", bytes(32), (*schema.CORE, *blobs.SCHEMA), Worker.INLINE) as database:
        await database.transact(step)
