"""moments import: pictures of a folder become moments of their days, once; what cannot be is named."""

import os
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli import albums
from cli.albums import Picture
from features.media.faults import BadFile
from features.moments.faults import FeedStopped
from node.blobs.blobs import NoRoomForBlob
from protocol.faults import UserFault
from tests.cli import fake
from tests.cli.moment_files_room import dated
from tests.cli.test_escapes import EVIL, steering

MAY = datetime(2026, 5, 4, 10, 0, tzinfo=UTC).timestamp()  # noon in Berlin


@pytest.fixture(autouse=True)
def _in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def album(tmp_path: Path, *names: str, at_s: float = MAY) -> Path:
    """A folder of these pictures, all written at that time."""
    folder = tmp_path / "lake"
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(f"picture {name}".encode())
        os.utime(folder / name, (at_s, at_s))
    return folder


def picture(name: str, taken: str, modified_s: float = MAY, now_s: float = 2 * MAY) -> Picture:
    return albums.dated(dated(f"/lake/{name}", taken=taken, origin=name), modified_s, now_s)


async def test_pictures_of_a_day_become_a_moment_of_that_day(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        folder = album(tmp_path, "b.jpg", "a.PNG", "c.webp", "old.gif", ".hidden.jpg", "film.mp4", "d.heic")
        (folder / "deeper.jpg").mkdir()
        (folder / "a.txt").write_text("At the lake\n")
        world.moments.taken = {
            "b.jpg": "2026-05-04T09:00:00",
            "a.PNG": "2026-05-04T23:30:00-10:00",
            "c.webp": "2026-05-05T00:10:00",
        }
        ran = await world.weft("moments", "import", str(folder), "--json")
        assert ran.code == 0
        assert [(one["files"], one["source"], one["text"]) for one in ran.json["moments"]] == [
            (["b.jpg", "old.gif", "a.PNG"], "exif", "At the lake"),  # a day in Hawaii is one there
            (["c.webp"], "exif", ""),
        ]
        assert (ran.json["folder"], ran.json["known"], ran.json["failed"]) == (str(folder), [], [])
        assert (ran.json["others"], ran.json["dry_run"]) == (2, False)
        assert [row["at_ms"] for row in world.moments.rows] == [
            int(datetime.fromisoformat(at).timestamp() * 1000)
            for at in ("2026-05-04T09:00:00+02:00", "2026-05-05T00:10:00+02:00")
        ]
        assert world.moments.posted == {"images": [f"{folder}/c.webp"], "text": ""} | world.moments.posted
        assert world.moments.dated == [["a.PNG", "b.jpg", "c.webp", "old.gif"]]


async def test_a_folder_is_imported_once_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        folder = album(tmp_path, "a.jpg", "b.jpg")
        first = await world.weft("moments", "import", str(folder))
        assert first.out == (
            f"2026-05-04 12:00 (of the file)  a.jpg, b.jpg   (id {world.moments.rows[0]['short']})\n"
            "✔ Posted: 1 moment with 2 pictures, for all.\n"
        )
        (folder / "the same.jpg").write_bytes((folder / "a.jpg").read_bytes())
        album(tmp_path, "c.jpg", "c again.jpg")
        (folder / "c again.jpg").write_bytes((folder / "c.jpg").read_bytes())
        dry = await world.weft("moments", "import", str(folder), "--dry-run")
        assert "left out: 3 pictures. All: --again\n• The same as another in this folder, so left out: 1 pic" in dry.err
        again = await world.weft("moments", "import", str(folder), "--json")
        assert [one["files"] for one in again.json["moments"]] in (["c.jpg"], [["c again.jpg"]])
        assert sorted(one["file"] for one in again.json["known"]) == ["a.jpg", "b.jpg", "c.jpg", "the same.jpg"]
        assert len(world.moments.rows) == 2
        last = await world.weft("moments", "import", str(folder))
        assert (last.code, last.out) == (0, "Nothing was posted: there is nothing new.\n")
        assert last.err == "• Imported before, so left out: 5 pictures. All: --again\n"
        once_more = await world.weft("moments", "import", str(folder), "--again", "--json")
        assert sum(len(one["files"]) for one in once_more.json["moments"]) == 3  # of one picture one


async def test_many_of_a_day_are_several_moments_and_each_may_be_one(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        names = [f"{number:02}.jpg" for number in range(20)]
        folder = album(tmp_path, *names)
        dry = await world.weft("moments", "import", str(folder), "--dry-run")
        assert dry.out.splitlines()[-1] == "Nothing was posted; there would be 3 moments with 20 pictures."
        assert world.moments.rows == []
        ran = await world.weft("moments", "import", str(folder), "--to", "family,bo", "--json")
        assert [one["files"] for one in ran.json["moments"]] == [names[:9], names[9:18], names[18:]]
        assert world.moments.posted["to"] == ["family", "bo"]
        assert [len(one) for one in world.moments.dated] == [16, 4] * 2
        ran = await world.weft("moments", "import", str(folder), "--each", "--again", "--except", "bo", "--json")
        assert [one["files"] for one in ran.json["moments"]] == [[one] for one in names]
        assert world.moments.posted["excepted"] == ["bo"]
        ran = await world.weft("moments", "import", str(folder), "--again", "--to", "private")
        assert ran.out.endswith("✔ Posted: 3 moments with 20 pictures, for you alone.\n")
        ran = await world.weft("moments", "import", str(folder), "--to", "private,bo")
        assert (ran.code, "stands alone" in ran.err) == (2, True)


async def test_what_cannot_be_posted_is_named_and_the_others_are(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        folder = album(tmp_path, "a.jpg", "cut.jpg", "bad.jpg", f"e{EVIL.replace('/', '').replace(chr(0), '')}.jpg")
        (folder / "cut.jpg").write_bytes(b"no picture")
        (folder / "b.jpg").write_bytes(b"b")
        (folder / "b.txt").write_bytes(b"\xff\xfe")
        (folder / "c.jpg").write_bytes(b"c")
        (folder / "c.txt").write_text("x" * 9000)
        (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"d")
        world.moments.refuses = {"bad.jpg": BadFile("This file is none.")}
        ran = await world.weft("moments", "import", str(folder), "--dry-run", "--to", "family,bo")
        assert ran.err.endswith(" --to family,bo --dry-run\n")
        assert (ran.code, "Nothing was posted. Again" in ran.err, world.moments.rows) == (1, True, [])
        ran = await world.weft("moments", "import", str(folder), "--each", "--json")
        error = ran.json["error"]
        assert (ran.code, error["code"]) == (1, "moment.import")
        assert {one["file"]: one["reason"] for one in error["data"]["failed"]} == {
            "cut.jpg": "This file is broken: it cannot be read.",
            "bad.jpg": "This file is none.",
            "b.jpg": "Its text b.txt is not written in UTF-8.",
            "c.jpg": "Its text c.txt is longer than 8 KiB.",
            "?.jpg": "Its name is not text in UTF-8.",
        }
        assert len(error["data"]["moments"]) == len(world.moments.rows) == 2
        ran = await world.weft("moments", "import", str(folder), "--each")
        assert (ran.code, steering(ran.out + ran.err)) == (1, [])
        assert "! bad.jpg: This file is none.\n" in ran.err
        assert ran.err.endswith(
            f"is not posted again next time. Again: weft moments import {shlex.quote(str(folder))} --each\n"
        )
        assert len(world.moments.rows) == 2


@pytest.mark.parametrize("fault", [FeedStopped(), NoRoomForBlob()])
async def test_what_the_next_one_would_end_with_too_ends_it(tmp_path: Path, fault: UserFault) -> None:
    async with fake.node(tmp_path) as world:
        folder = album(tmp_path, "a.jpg", "b.jpg", "c.jpg")
        world.moments.refuses = {"b.jpg": fault}
        ran = await world.weft("moments", "import", str(folder), "--each")
        assert (ran.code, len(world.moments.rows)) == (1, 1)
        assert ran.err.startswith(f"! Posted before that: 1 moment.\n{fault}")
        world.moments.refuses = {}
        assert len((await world.weft("moments", "import", str(folder), "--each", "--json")).json["moments"]) == 2


@pytest.mark.parametrize("place", ["/no/such/folder", "", "a.jpg", "empty"])
async def test_a_folder_without_pictures_is_none(tmp_path: Path, place: str) -> None:
    async with fake.node(tmp_path) as world:
        (tmp_path / "empty").mkdir()
        (tmp_path / "a.jpg").write_bytes(b"a")
        ran = await world.weft("moments", "import", str(tmp_path / place) if place else "", "--json")
        assert (ran.code, ran.json["error"]["code"]) in ((5, "moment.folder"), (2, "moment.folder"), (2, "usage"))
        assert ran.json["error"]["message"].endswith("nothing was posted.")
        assert world.moments.dated == []


@pytest.mark.parametrize(
    "taken",
    ["", "2024-02-30T00:00:00", "2024-13-01T00:00:00", "1969-12-31T00:00:00+00:00", "2999-01-01T00:00:00", "nonsense"],
)
def test_a_date_that_cannot_be_is_that_of_the_file(taken: str) -> None:
    assert picture("a", taken) == Picture(Path("/lake/a"), "a", int(MAY * 1000), "2026-05-04", "file")


def test_a_date_is_of_the_cameras_zone_or_of_ours() -> None:
    assert picture("a", "2026-05-04T12:00:00").at_ms == int(MAY * 1000)
    assert picture("a", "2026-05-04T10:00:00+00:00").at_ms == int(MAY * 1000)
    assert picture("a", "2026-05-04T10:00:00+00:00").day == "2026-05-04"
    ahead = picture("a", datetime.fromtimestamp(MAY + 3600).isoformat(), now_s=MAY)
    assert (ahead.source, ahead.at_ms) == ("exif", int(MAY + 3600) * 1000)  # of somebody who travels
    assert picture("a", "", modified_s=3e12, now_s=MAY).at_ms == int(MAY * 1000)
    assert picture("a", "", modified_s=-5.0).at_ms == 0


def test_moments_are_in_the_order_of_time(tmp_path: Path) -> None:
    found = [picture(name, f"2026-05-0{day}T1{name}:00:00") for name, day in (("3", 5), ("1", 4), ("2", 5), ("0", 4))]
    made = albums.moments(found, 9)
    assert [[one.path.name for one in moment] for moment in made] == [["0", "1"], ["2", "3"]]
    for name, text in (("a", "one\r\ntwo "), ("b", ""), ("c", "one\ntwo")):
        (tmp_path / f"{name}.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "d.txt").mkdir()
    beside = [Picture(tmp_path / f"{name}.jpg", name, 1, "", "file") for name in "abcde"]
    assert albums.caption(beside) == "one\ntwo"
