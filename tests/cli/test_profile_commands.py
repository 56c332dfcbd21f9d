"""profile, remark, tag, tags: what is asked of the node, what is said, and what is refused."""

import os
from pathlib import Path

import pytest

from tests.cli import fake
from tests.cli.profile_room import marked, presented
from tests.cli.test_escapes import EVIL, steering

PHOTO = os.path.abspath("me.webp")
COMMANDS = (
    ("profile",),
    ("profile", "bo"),
    ("profile", "show", "bo"),
    ("profile", "set", "--about", "x"),
    ("remark", "bo", "x"),
    ("tag", "bo", "x"),
    ("tags",),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_a_profile_is_shown_and_a_word_that_is_no_command_is_a_name(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo") as world:
        ran = await world.weft("profile")
        assert (ran.code, ran.out.splitlines()[0], ran.out.splitlines()[-1]) == (0, "Ana", "No profile was set yet.")
        row = presented("bo", announced="Robert", like="chen", about="I row.", photo=31_000, remark="Bo from work")
        world.profile.rows["bo"] = row | {"tags": ["friends", "boats"], "version": 3, "at_ms": 1}
        for words in (("profile", "bo"), ("profile", "show", "bo")):
            ran = await world.weft(*words)
            assert ran.out.splitlines()[:6] == [
                "bo (calls itself Robert)",
                "! That is the name of another contact of yours: chen.",
                "about      I row.",
                "photo      31,000 bytes",
                "remark     Bo from work",
                "tags       #friends #boats",
            ]
        ran = await world.weft("profile", "bo", "--json")
        assert ran.json == world.profile.rows["bo"]


async def test_a_profile_is_set_by_what_is_named_alone(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("profile", "set", "--about", "I sew.", "--name", "Ana B")
        assert (ran.code, ran.out.splitlines()[0]) == (0, "Ana B")
        assert ran.out.splitlines()[-1] == "✔ All contacts are told, now or when they are reached."
        await world.weft("profile", "set", "--no-photo")
        await world.weft("profile", "set", "--photo", "me.webp")
        assert world.profile.asked == [
            ("set", "Ana B", "I sew.", None),
            ("set", None, None, ""),
            ("set", None, None, PHOTO),
        ]
        for words in ((), ("--photo", "x", "--no-photo")):
            assert (await world.weft("profile", "set", *words)).code == 2


async def test_a_photo_is_saved_whole_and_over_nothing(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo") as world:
        place = tmp_path / "bo.webp"
        words = ("profile", "bo", "--save-photo", str(place))
        ran = await world.weft(*words)
        assert (ran.code, "There is no photo" in ran.err, place.exists()) == (5, True, False)
        world.profile.picture = b"RIFF".ljust(40)
        ran = await world.weft(*words)
        assert (ran.code, place.read_bytes()) == (0, world.profile.picture)
        ran = await world.weft(*words)
        assert (ran.code, ran.err.rstrip().endswith("--force")) == (1, True)
        ran = await world.weft(*words, "--force", "--json")
        assert (ran.code, ran.json["file"]) == (0, str(place))


async def test_remarks_and_tags_are_written_listed_and_taken_away(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo", "chen") as world:
        assert (await world.weft("tags")).out == "No tags yet. Next: weft tag NAME friends\n"
        assert (await world.weft("remark", "bo", "Bo from work")).out == "✔ bo is also “Bo from work”.\n"
        assert (await world.weft("tag", "bo", "friends")).out == "✔ bo: #friends\n"
        await world.weft("tag", "chen", "friends")
        assert (await world.weft("tags")).out.splitlines()[1] == "#friends  bo, chen"
        assert (await world.weft("tags", "friends", "--json")).json["tags"][0]["contacts"] == ["bo", "chen"]
        assert (await world.weft("tags", "foes")).code == 5
        ran = await world.weft("contacts")
        assert ran.out.splitlines()[1].startswith("bo “Bo from work” #friends  active")
        rows = (await world.weft("contacts", "--json")).json["contacts"]
        assert [(row["remark"], row["tags"]) for row in rows] == [("Bo from work", ["friends"]), ("", ["friends"])]
        assert (await world.weft("tag", "bo", "friends", "--remove")).out == "✔ bo: no tag\n"
        assert (await world.weft("remark", "bo", "")).out == "✔ bo has no remark any more.\n"


async def test_who_goes_by_the_name_of_another_is_marked_in_the_list(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo", "chen", "dee") as world:
        for row, announced in zip(world.contacts.rows, ("CHEN", "Boss", "Dee Dee"), strict=True):
            row["announced"] = announced
        world.profile.written["dee"] = marked("dee", remark="boss")
        lines = (await world.weft("contacts")).out.splitlines()[1:]
        assert [line.partition("  ")[0] for line in lines] == [
            "bo (! calls itself CHEN)",
            "chen (! calls itself Boss)",
            "dee “boss” (calls itself Dee Dee)",
        ]


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize(
    "words", [("profile",), ("profile", "bo"), ("contacts",), ("tags",), ("remark", "bo", EVIL), ("tag", "bo", EVIL)]
)
async def test_what_others_say_of_themselves_steers_no_terminal(
    tmp_path: Path, words: tuple[str, ...], form: str
) -> None:
    async with fake.node(tmp_path, "bo") as world:
        row = presented("bo", announced=EVIL, like=EVIL, about=EVIL, remark=EVIL, tags=[EVIL], version=1, at_ms=1)
        world.profile.rows |= {"": row, "bo": row}
        world.profile.written["bo"] = marked("bo", remark=EVIL, tags=[EVIL])
        world.contacts.rows[0]["announced"] = EVIL
        ran = await world.weft(*([form] if form else []), *words)
        assert (ran.code, bool(ran.out)) == (0, True)
        assert steering(ran.out + ran.err) == []
