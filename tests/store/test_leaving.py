"""What is to be left at keepers, lies there, or is taken back; and what keepers are to be told of ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.blobs import Blob
from store import blobs, connection, leaving, migrations, schema
from store.database import Tx
from store.leaving import Found, State

DAY_MS = 86_400_000
BLOB = Blob(b"r" * 32, b"k" * 32, 600_000, b"h" * 32)  # of three pieces
LINE, NAME = b"s" * 16, b"n" * 16


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    """A transaction in which everything happens."""
    opened = connection.connect(tmp_path / "x.db", bytes(32))
    try:
        migrations.run(opened, (*schema.CORE, *blobs.SCHEMA, *leaving.SCHEMA))
        opened.execute("BEGIN IMMEDIATE")
        yield Tx(opened)
    finally:
        opened.close()


def made(tx: Tx) -> int:
    return blobs.made(tx, BLOB, b"m" * 96, "file", 0)


def stands(tx: Tx, number: int, contact: int = 1) -> tuple[State, int] | None:
    one = leaving.of(tx, number, contact)
    return None if one is None else (one.state, one.pieces)


def test_a_file_is_wanted_lies_there_and_is_over(tx: Tx) -> None:
    number = made(tx)
    leaving.want(tx, number, 1, 0)
    (one,) = leaving.due(tx, 1)
    assert leaving.review(tx, 0) == ((1, one.id, State.WANTED),)
    assert leaving.lies(tx, one.id, LINE, NAME, 2)
    assert stands(tx, number) == (State.WANTED, 2)
    leaving.kept(tx, one.id, 30 * DAY_MS)
    assert (leaving.due(tx, 1), leaving.review(tx, DAY_MS)) == ((), ())
    leaving.want(tx, number, 1, DAY_MS)  # said once more: it lies there
    assert stands(tx, number) == (State.KEPT, 2)
    leaving.review(tx, 30 * DAY_MS)
    assert stands(tx, number) is None


def test_what_the_reader_has_or_nobody_says_any_more_is_taken_back(tx: Tx) -> None:
    number = made(tx)
    for contact in (1, 2, 3):
        leaving.want(tx, number, contact, 0)
    first, second, _ = (leaving.due(tx, contact)[0].id for contact in (1, 2, 3))
    for one in (first, second):
        leaving.lies(tx, one, LINE, NAME, 3)
    leaving.kept(tx, second, 30 * DAY_MS)
    blobs.gave(tx, [(number, 1, 2)])
    leaving.review(tx, 0)
    assert stands(tx, number, 1) == (State.WANTED, 3)
    blobs.gave(tx, [(number, 1, 3)])
    leaving.review(tx, 0)
    assert stands(tx, number, 1) == (State.UNWANTED, 3)
    assert not leaving.lies(tx, first, LINE, NAME, 3)  # whoever leaves it learns that it is not wanted
    blobs.forget(tx, number)
    leaving.review(tx, 0)
    assert [stands(tx, number, contact) for contact in (1, 2, 3)] == [(State.UNWANTED, 3), (State.UNWANTED, 3), None]
    leaving.ended(tx, first)
    assert stands(tx, number, 1) is None


def test_a_file_that_nobody_takes_is_given_up_and_so_is_taking_it_back(tx: Tx) -> None:
    number = made(tx)
    leaving.want(tx, number, 1, 0)
    leaving.lies(tx, leaving.due(tx, 1)[0].id, LINE, NAME, 1)
    leaving.review(tx, leaving.DAYS_MAX * DAY_MS - 1)
    assert stands(tx, number) == (State.WANTED, 1)
    leaving.review(tx, leaving.DAYS_MAX * DAY_MS)
    assert stands(tx, number) == (State.UNWANTED, 1)
    leaving.want(tx, number, 1, 40 * DAY_MS)  # a person wants it again
    assert stands(tx, number) == (State.WANTED, 1)
    leaving.review(tx, 80 * DAY_MS)
    leaving.review(tx, (40 + leaving.TAKEN_BACK_DAYS_MAX) * DAY_MS)
    assert stands(tx, number) is None


def test_keepers_are_told_of_what_is_here_false_or_forgotten(tx: Tx) -> None:
    whole, false, wanted = (
        blobs.told(tx, Blob(root * 32, b"k" * 32, 600_000, b"h" * 32), None, root.hex(), 0)
        for root in (b"1", b"2", b"3")
    )
    for n, number in enumerate((whole, false, wanted, 999)):
        leaving.found(tx, 1, bytes((n,)) * 16, number, n)
    blobs.want(tx, whole)
    for number, state in ((whole, 0b111), (wanted, 0b1)):
        row = blobs.row(tx, number)
        assert row is not None
        blobs.came(tx, number, row.file, state, 0)
    row = blobs.row(tx, false)
    assert row is not None
    blobs.false(tx, false, row.file)
    assert [one.blob for one in leaving.to_thank(tx)] == [whole, false, 999]
    leaving.thanked(tx, leaving.to_thank(tx))
    assert leaving.to_thank(tx) == ()
    assert leaving.lying(tx, wanted) == (Found(1, b"\x02" * 16, wanted, 2),)
