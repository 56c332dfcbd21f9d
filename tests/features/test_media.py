"""The room of files in a simulated world: what every call answers, and every fault it names."""

import os
from functools import partial
from pathlib import Path

import pytest

from features.media import folders, names, view
from lab import world
from lab.world import Person, World, befriend
from protocol.file import Shape
from store import blobs as rows
from store.database import Tx
from tests.features.kit import Faults
from tests.stories.test_media import MORE, content, file_of, is_in, put

SAMPLES = Path(__file__).parents[1] / "samples"
LARGE = 64 * 1024**3 + 1


def sparse(w: World, name: str, length: int) -> Path:
    """A file of that length that takes no room."""
    place = w.folder / name
    with place.open("wb") as file:
        file.truncate(length)
    return place


def film(w: World) -> str:
    """A video of a second."""
    return str(put(w, "v.webm", (SAMPLES / "films" / "vp8-opus.webm").read_bytes()))


def test_every_fault_that_a_call_names_is_met() -> None:
    async def story(w: World) -> None:
        ana, bo, bob = await w.person("ana"), await w.person("bo"), await w.person("bobby")
        for other in (bo, bob):
            await befriend(ana, other)
        await ana.call("contacts.rename", name="bo", new="bobo")
        faults, path = Faults(ana), str(put(w, "a.bin", b"what is in it"))
        for to, code in (("nobody", "contact.unknown"), ("bob", "contact.ambiguous")):
            assert await faults.code("media.send", to=to, path=path) == code
            assert await faults.code("media.list", contact=to) == code
            assert await faults.code("media.storage", contact=to) == code
            assert await faults.code("media.keep", to=to) == code
        for wrong_s in (-1, 86_399, 36_601 * 86_400):
            assert await faults.code("media.keep", to="bobo", seconds=wrong_s) == "limit"
        assert await faults.code("media.send", to="bobo", path="a.bin") == "media.path"
        assert await faults.code("media.send", to="bobo", path=path, shape="folder") == "media.path"
        for wrong in ("none.bin", os.devnull):
            assert await faults.code("media.send", to="bobo", path=str(w.folder / wrong)) == "media.unreadable"
        assert await faults.code("media.send", to="bobo", path=str(sparse(w, "large.bin", LARGE))) == "limit"
        assert (
            await faults.code("media.send", to="bobo", path="/proc/self/status") == "media.changed"
        )  # is told as empty
        assert await faults.code("media.send", to="bobo", path=str(put(w, "a.jpg", b"no picture"))) == "media.strange"
        for wrong, path_of in (("a.jpg", film(w)), ("a.bin", path), ("none.jpg", film(w))):
            more = {"path": path_of, "preview": str(w.folder / wrong)}
            assert await faults.code("media.send", to="bobo", **more) == "media.preview"
        assert await faults.code("media.send", to="bobo", path=film(w), preview="a.jpg") == "media.path"
        assert list((w.folder / "ana.blobs").iterdir()) == []
        many = w.folder / "many"
        many.mkdir()
        for n in range(folders.ENTRIES_MAX):
            (many / str(n)).touch()
        assert await faults.code("media.send", to="bobo", path=str(many)) == "media.folder"
        await met_where_the_disk_is_full(ana, path, faults)
        await met_where_a_file_is_gone(w, ana, path, faults)
        await met_by_who_fetches(w, ana, bo, faults)
        mine = (await ana.call("media.send", to="bobby", path=path))["id"]
        assert await faults.code("media.leave", id=mine) == "media.no_keeper"
        await w.until(partial(is_given, ana))
        assert await faults.code("media.leave", id=mine) == "media.had"
        for to, code in (("nobody", "contact.unknown"), ("bob", "contact.ambiguous")):
            assert await faults.code("media.forward", id=mine, to=to) == code
        await ana.call("contacts.block", name="bobo")
        assert await faults.code("media.forward", id=mine, to="bobo") == "contact.blocked"
        assert await faults.code("media.send", to="bobo", path=path) == "contact.blocked"
        dora = await w.person("dora")
        link = (await dora.call("contacts.invite"))["link"]
        await ana.call("contacts.add", link=link, name="bobo", replace=True)
        await w.until(lambda: world.has_active(ana, "bobo"))
        assert await faults.code("media.send", to="bobo", path=path) == "contact.account_changed"
        assert await faults.code("media.forward", id=mine, to="bobo") == "contact.account_changed"
        assert faults.missing("media") == set()

    world.run(story, seed=2301)


async def is_given(person: Person) -> bool:
    """the contact has all of the newest file"""
    one = await file_of(person)
    return one["given"] == one["pieces"]


async def met_where_the_disk_is_full(ana: Person, path: str, faults: Faults) -> None:
    """A disk that has to keep more free than it has."""
    assert ana.node is not None
    ana.node.core.blobs.reserve_bytes = 2**60
    assert await faults.code("media.send", to="bobo", path=path) == "media.room"
    ana.node.core.blobs.reserve_bytes = 0


async def met_where_a_file_is_gone(w: World, ana: Person, path: str, faults: Faults) -> None:
    """Somebody has emptied the folder of pieces, each time."""
    more = {"forward": {"to": "bobby"}, "save": {"folder": str(w.folder)}, "get": {}}
    for method, params in more.items():
        one = await ana.call("media.send", to="bobo", path=path)
        for place in (w.folder / "ana.blobs").iterdir():
            place.unlink()
        assert await faults.code(f"media.{method}", id=one["id"], **params) == "media.gone"


async def met_by_who_fetches(w: World, ana: Person, bo: Person, faults: Faults) -> None:
    """The faults of what came: ana is sent a large file, and then two whose ids end alike."""
    await bo.call("media.send", to="ana", path=str(put(w, "large.bin", content(1, MORE))))

    async def is_there() -> bool:
        return (await file_of(ana))["name"] == "large.bin"

    await w.until(is_there)
    one = await file_of(ana)
    folder, methods = str(w.folder), ("get", "pause", "drop", "show", "preview", "save", "forward", "leave")
    more: dict[str, dict[str, object]] = {"save": {"folder": folder}, "forward": {"to": "bobby"}}
    assert await faults.code("media.save", id=one["id"], folder=str(w.folder / "none")) == "media.place"
    assert await faults.code("media.save", id=one["id"], folder=folder) == "media.incomplete"
    assert await faults.code("media.leave", id=one["id"]) == "media.theirs"
    assert ana.node is not None
    ana.node.core.blobs.reserve_bytes = 2**60
    assert await faults.code("media.get", id=one["id"]) == "media.room"
    ana.node.core.blobs.reserve_bytes = 0
    database = ana.node.core.database
    row = (await database.transact(view.find, str(one["id"]))).row
    await database.transact(rows.false, row.number, row.file)
    assert await faults.code("media.save", id=one["id"], folder=folder) == "media.false"
    await bo.call("media.send", to="ana", path=str(put(w, "small.bin", b"small")))
    await w.until(partial(is_in, ana, "here"))

    def alike(tx: Tx) -> None:
        for (seq,) in tx.all("SELECT seq FROM media_file"):
            tx.execute("UPDATE message SET message_id = ? WHERE seq = ?", (bytes([seq]) * 8 + bytes(8), seq))

    await database.transact(alike)
    for method in methods:
        for text, code in (("ZZZZ", "media.none"), ("0000", "message.ambiguous"), ("!", "id.malformed")):
            assert await faults.code(f"media.{method}", id=text, **more.get(method, {})) == code


def test_a_file_is_found_by_the_end_of_its_id_through_an_index() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        assert ana.node is not None
        plan = await ana.node.core.database.transact(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {view.ENDING}", (b"ab",)))
        assert "chat_line_end" in plan[0][3]
        assert not [step for *_, step in plan if step.startswith("SCAN")]

    world.run(story, seed=2302)


@pytest.mark.parametrize("name", ["a.MKV", "a.m4v", "a.webm", "a.mov", "a.3gp", "a.jfif", "a.dng", "a.jpg", "a.heic"])
def test_what_a_camera_makes_is_known_by_its_name_on_every_system(name: str) -> None:
    assert names.shape_of(names.mime_of(Path(name))) is not Shape.FILE


def test_a_sound_is_a_recording_only_where_its_sender_says_so() -> None:
    assert {names.shape_of(names.mime_of(Path(f"a.{end}"))) for end in ("weba", "mka", "m4a", "mp3")} == {Shape.FILE}


def test_what_has_no_name_to_be_known_by_is_known_by_its_first_bytes() -> None:
    found = {}
    for place in sorted(path for path in SAMPLES.rglob("*.*") if path.suffix != ".md"):
        shape = names.shape_of(names.mime_of(Path("IMG_0001"), place.read_bytes()[: names.BEGINNING_BYTES]))
        found[place.suffix] = shape.name
    films = dict.fromkeys((".mkv", ".mov", ".mp4", ".weba", ".webm"), "VIDEO")
    assert found == dict.fromkeys((".jpg", ".png", ".webp"), "PICTURE") | films | {".m4a": "FILE"}
    assert names.mime_of(Path("a.txt"), b"\xff\xd8\xff") == "text/plain"
    assert names.mime_of(Path("nothing"), b"") == names.UNKNOWN


@pytest.mark.parametrize(
    ("told", "saved"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("a\\b:c", "a_b_c"),
        ("CON.txt", "file-CON.txt"),
        ("trailing. . .", "trailing"),
        ("x" * 255, "x" * 200),
        ("ü" * 127 + ".jpeg", "ü" * 97 + ".jpeg"),
        ("e\u0301.txt", "é.txt"),
        ("gpj.\u202eexe", "gpj._exe"),
        ("~root", "~root"),
        ("-rf", "-rf"),
    ],
)
def test_what_a_told_name_becomes_on_this_disk(told: str, saved: str) -> None:
    assert names.saved(told) == saved
    assert names.saved(saved) == saved


def test_the_second_file_of_a_name_has_a_number() -> None:
    assert names.numbered("a.tar.gz", 2) == "a.tar (2).gz"
    assert names.numbered("readme", 3) == "readme (3)"
