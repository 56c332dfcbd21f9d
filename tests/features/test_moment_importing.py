"""Pictures that are to be imported: when each was taken, which were taken in before, and what is none."""

import os
from dataclasses import astuple
from pathlib import Path

import pytest

from crypto import hashing
from crypto.hashing import Label
from features.moments import importing
from features.moments.importing import BadOrigin, Dated, TooManyAsked
from lab import world
from lab.world import Person, World
from node.core import Core
from store.database import Tx, Worker, open_database
from store.schema import CORE
from tests.features.sticker_kit import left
from tests.features.test_profile import run
from tests.node.workshop import made
from tests.node.workshop.test_exif import dated

MOMENT = bytes(range(32))


def picture(at: str = "", zone: str = "") -> bytes:
    return made.encoded(made.halves(), "JPEG", exif=dated(at, zone)) if at else made.png()


def put(w: World, name: str, raw: bytes) -> str:
    place = w.folder / name
    place.write_bytes(raw)
    return str(place)


def half(path: str) -> str:
    """The same place by a path that depends on where one is."""
    return os.path.relpath(path)


def origin(raw: bytes) -> bytes:
    return hashing.hash_of(Label.MOMENT, b"picture" + raw)


def core_of(person: Person) -> Core:
    assert person.node is not None
    return person.node.core


def has_table(tx: Tx) -> None:
    """The room's own table, where its room has not made it."""
    if tx.one("SELECT 1 FROM sqlite_master WHERE name = 'moment_import'") is None:
        tx.execute(importing.IMPORTS_SCHEMA.sql)


def test_each_picture_says_when_it_was_taken_and_whether_it_is_known() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        await run(ana, has_table)
        raws = [picture("2026:05:04 12:30:00", "+02:00"), picture("2024:02:30 00:00:00"), picture()]
        paths = [put(w, f"{number}.jpg", raw) for number, raw in enumerate(raws)]
        rows = await importing.dates(core_of(ana), paths)
        assert rows == [
            Dated(path, taken, origin(raw).hex(), "", "")
            for path, taken, raw in zip(
                paths, ("2026-05-04T12:30:00+02:00", "2024-02-30T00:00:00", ""), raws, strict=True
            )
        ]
        await run(ana, importing.note, [origin(raws[2])], MOMENT)
        copied = put(w, "another name.png", raws[2])
        rows = await importing.dates(core_of(ana), [*paths, copied])
        assert [one.moment for one in rows] == ["", "", "00010203", "00010203"]
        assert left(w) == []

    world.run(story, seed=901)


def test_what_is_no_picture_says_why_and_the_others_are_looked_at() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        await run(ana, has_table)
        (w.folder / "folder.jpg").mkdir()
        paths = [
            put(w, "text.jpg", b"no picture"),
            str(w.folder / "gone.jpg"),
            half(put(w, "half.jpg", picture())),
            str(w.folder / "folder.jpg"),
            str(w.folder / "a\x00b.jpg"),
            put(w, "cut.jpg", made.jpeg()[:100]),
            put(w, "good.jpg", picture("2026:05:04 12:30:00")),
        ]
        rows = await importing.dates(core_of(ana), paths)
        assert [one.path for one in rows] == paths
        assert all(one.trouble.endswith(".") for one in rows[:-1])
        assert [astuple(one)[1:4] for one in rows[:-1]] == [("", "", "")] * 6
        assert (rows[-1].taken, rows[-1].trouble) == ("2026-05-04T12:30:00", "")
        with pytest.raises(TooManyAsked):
            await importing.dates(core_of(ana), paths[-1:] * (importing.PATHS_MAX + 1))
        assert await importing.dates(core_of(ana), []) == []

    world.run(story, seed=902)


async def test_what_was_noted_is_known_and_found_by_its_key(tmp_path: Path) -> None:
    tables = (*CORE, importing.IMPORTS_SCHEMA)
    one, other, third = (bytes((number,)) * 32 for number in (1, 2, 3))
    async with open_database(tmp_path / "a.db", os.urandom(32), tables, Worker.INLINE) as database:
        await database.transact(importing.note, [one, other], MOMENT)
        assert await database.read(importing.known, [one, third, other]) == {one: MOMENT, other: MOMENT}
        await database.transact(importing.note, [one], bytes(32))  # the person wanted it once more
        assert await database.read(importing.known, [one]) == {one: bytes(32)}

        def halfway(tx: Tx) -> None:
            importing.note(tx, [third], MOMENT)
            raise TooManyAsked

        with pytest.raises(TooManyAsked):  # what is not posted is not noted
            await database.transact(halfway)
        assert await database.read(importing.known, [third]) == {}

        def plan(tx: Tx) -> str:
            return str(tx.all("EXPLAIN QUERY PLAN SELECT moment FROM moment_import WHERE origin = ?", (one,)))

        assert "PRIMARY KEY" in await database.read(plan)


@pytest.mark.parametrize("origins", [["00"], ["x" * 64], ["00" * 32] * 10, ["00" * 33], ["é" * 64]])
def test_an_origin_that_is_none_is_refused(origins: list[str]) -> None:
    with pytest.raises(BadOrigin):
        importing.checked(origins)
    assert importing.checked(["00" * 32]) == (bytes(32),)
