"""send-location, locations: what is asked of the node and what is said."""

from pathlib import Path

import pytest

from cli import show
from tests.cli import fake
from tests.cli.profile_room import place
from tests.cli.test_escapes import EVIL, steering

WHEN = show.clock(1_790_000_000_000)


@pytest.mark.parametrize("words", [("send-location", "bo", "1", "2"), ("locations",), ("locations", "bo")])
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_a_place_is_sent_as_it_is_typed_also_south_and_west(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo") as world:
        ran = await world.weft("send-location", "bo", "52.52", "13.405", "--label", "here", "--accuracy", "30")
        assert (ran.code, ran.out) == (0, "✔ bo is sent geo:52.52,13.405  here\n")
        await world.weft("send-location", "bo", "-33.9", "-70.6")
        assert world.profile.asked == [
            ("send_location", "bo", "52.52", "13.405", 30, "here"),
            ("send_location", "bo", "−33.9", "−70.6", 0, ""),
        ]
        for words in (("52.52",), ("1", "2", "3"), ("1", "2", "--accuracy", "x"), ("1", "2", "--frobnicate")):
            assert (await world.weft("send-location", "bo", *words)).code == 2


async def test_places_are_listed(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo", "chen") as world:
        none = "No places yet. To send one: weft send-location NAME 52.52 13.405\n"
        assert (await world.weft("locations")).out == none
        world.profile.places += [place(2, "bo", label="here"), place(1, "chen", mine=True)]
        lines = [f"{WHEN}  bo: geo:52.52,13.405  here", f"{WHEN}  to chen: geo:52.52,13.405"]
        assert (await world.weft("locations")).out.splitlines() == lines
        assert (await world.weft("locations", "chen")).out.splitlines() == lines[1:]
        assert (await world.weft("locations", "--limit", "1", "--json")).json == {"locations": world.profile.places[:1]}


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize("words", [("locations",), ("send-location", "bo", "1", "2", "--label", EVIL)])
async def test_labels_steer_no_terminal(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    async with fake.node(tmp_path, "bo") as world:
        world.profile.places.append(place(1, EVIL, label=EVIL))
        ran = await world.weft(*([form] if form else []), *words)
        assert (ran.code, bool(ran.out)) == (0, True)
        assert steering(ran.out + ran.err) == []
