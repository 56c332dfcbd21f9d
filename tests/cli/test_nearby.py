"""nearby: what the commands ask of the node and write."""

from pathlib import Path

import pytest

from tests.cli import fake, strangers

SEEN = {
    "id": "k3f9qa2b",
    "name": "Chen",
    "distance": "same network",
    "seen_ms": 1_790_000_000_000,
    "greeting": "waiting",
}


async def test_being_visible_is_said_with_what_others_see(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("nearby", "on")
        assert ran.out == "✔ Visible as Bo on this network and in the area u33db (about 5 km), 25 min left.\n"
        assert "Next: weft nearby list" in ran.err
        ran = await world.weft("nearby", "on", "--for", "2h", "--name", "Bo, red", "--place", "52.52,13.40", "--json")
        assert ran.json["on"] is True
        assert world.nearby.asked == [("on", 1800, "", ""), ("on", 7200, "Bo, red", "52.52,13.40")]
        assert (await world.weft("nearby", "on", "--place", "-33.86,151.20")).code == 0, "south is no option"
        assert world.nearby.asked[-1] == ("on", 1800, "", "-33.86,151.20")
        world.nearby.trouble = "this node uses no DHT"
        assert "! Not everything works: this node uses no DHT." in (await world.weft("nearby", "status")).err
        assert (await world.weft("nearby", "off")).out == "✔ Nobody sees you any more.\n"
        world.nearby.trouble = ""
        assert (await world.weft("nearby", "status")).out == "Nobody sees you. Be visible: weft nearby on\n"


async def test_who_is_there_is_listed(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("nearby", "list")).out == "Nobody else is visible here now.\n"
        world.nearby.rows += [SEEN, {**SEEN, "id": "zzzzzzzz", "name": "", "greeting": ""}]
        ran = await world.weft("nearby")
        assert ran.out == (await world.weft("nearby", "list")).out
        head, first, second = ran.out.splitlines()
        assert head.split()[0] == "Id"
        assert first.startswith("k3f9qa2b  Chen")
        assert "not answered" in first
        assert "(no name)" in second
        assert [row["id"] for row in (await world.weft("nearby", "list", "--json")).json["nearby"]] == [
            "k3f9qa2b",
            "zzzzzzzz",
        ]


async def test_a_greeting_goes_and_comes(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("nearby", "greet", "k3f9", "hello you")
        assert (ran.code, ran.out.startswith("✔ Chen has your greeting.")) == (0, True)
        assert world.nearby.asked == [("greet", "k3f9", "hello you")]
        assert (await world.weft("nearby", "greetings")).out == "Nobody has greeted.\n"
        world.nearby.said += [
            strangers.stranger("k3f9qa2b", text="is this seat free?"),
            strangers.stranger("aaaabbbb", mine=True, state="failed", reason="it was spent"),
        ]
        ran = await world.weft("nearby", "greetings")
        assert "From    Chen          is this seat free?" in ran.out
        assert "accepted, but it was spent" in ran.out
        assert "weft nearby accept ID" in ran.err
        assert "is accepted" in (await world.weft("nearby", "accept", "k3f9")).out
        assert (await world.weft("nearby", "accept", "k3f9", "--json")).json["state"] == "accepted"


async def test_who_is_blocked_or_reported_is_said_to_be_and_that_nobody_was_told(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("nearby", "block", "k3f9")).out == "✔ k3f9 is blocked, and is not told.\n"
        ran = await world.weft("nearby", "report", "k3f9", "--reason", "he shouted")
        assert "what was said is kept" in ran.out
        assert "weft has no operator" in ran.err
        assert world.nearby.asked == [("report", "k3f9", "he shouted")]
        assert (await world.weft("nearby", "reports")).out == "You reported nobody.\n"


@pytest.mark.parametrize("words", [("greet", "k3f9"), ("accept",), ("on", "--for", "soon"), ("wave",)])
async def test_a_line_that_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("nearby", *words)).code == 2
        assert world.nearby.asked == []
