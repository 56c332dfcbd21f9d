"""search: what it asks of the node, what it shows, and how it ends."""

import re
from pathlib import Path

import pytest

from cli import days
from tests.cli import fake


async def test_what_is_found_is_shown_newest_first(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await world.chat.receive("Bo", "to the cinema\nat eight")
        await world.weft("send", "chen", "no cinema tickets left")
        ran = await world.weft("search", "cinema")
        first, second = ran.out.splitlines()
        assert re.fullmatch(r"\S+ \S+  You to Chen: no cinema tickets left  \(…00000002\)", first)
        assert re.fullmatch(r"\S+ \S+  Bo: to the cinema at eight  \(…00000001\)", second)
        assert (ran.code, ran.err) == (0, "")
        ran = await world.weft("search", "cinema", "tickets")  # several words need no quotes
        assert ran.out == first + "\n"


async def test_what_is_found_is_what_the_node_says(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for n in range(3):
            await world.chat.receive("Bo", f"{n} cinema")
        found = [{**line, "excerpt": [f"{n} ", "cinema", ""]} for n, line in enumerate(world.chat.lines)][::-1]
        assert (await world.weft("search", "cinema", "--json")).json == {"messages": found}
        ran = await world.weft("search", "cinema", "--jsonl", "--limit", "2")
        assert (ran.lines, ran.err) == (found[:2], "These are the newest 2; there may be more: --limit N.\n")
        assert (await world.weft("search", "cinema", "--limit", "2", "-q")).err == ""


async def test_a_search_stays_with_one_contact(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await world.chat.receive("Bo", "cinema")
        await world.chat.receive("Chen", "cinema")
        ran = await world.weft("search", "--in", "chen", "cinema", "--json")
        assert [message["contact"] for message in ran.json["messages"]] == ["Chen"]
        ran = await world.weft("search", "cinema", "--in", "eve")
        assert (ran.code, ran.err) == (5, "No contact is called eve. Next: weft contacts\n")


async def test_filters_stand_alone_or_beside_words(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await world.chat.receive("Bo", "cinema https://example.org")
        await world.weft("send", "chen", "cinema tickets")
        ran = await world.weft("search", "--from", "me")
        assert re.fullmatch(r"\S+ \S+  You to Chen: cinema tickets  \(…00000002\)\n", ran.out)
        for line, texts in (
            ("cinema --from bo", ["cinema https://example.org"]),
            ("--has link", ["cinema https://example.org"]),
            ("--in chen --since 2000-01-01 --until 2100-01-01", ["cinema tickets"]),
            ("cinema --until 2000-01-01", []),
        ):
            ran = await world.weft("search", *line.split(), "--json")
            assert [message["text"] for message in ran.json["messages"]] == texts
        assert world.chat.asked["until_ms"] == days.until("2000-01-01")
        ran = await world.weft("search", "--has", "voice")
        assert (ran.code, ran.out) == (0, "No message was found.\n")
        ran = await world.weft("search", "--from", "eve")
        assert (ran.code, ran.err) == (5, "No contact is called eve. Next: weft contacts\n")


async def test_nothing_found_is_said_and_no_failure(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("search", "cinema", "\x1b[2Jtickets")
        assert (ran.code, ran.out, ran.err) == (0, "No message was found for “cinema  [2Jtickets”.\n", "")
        ran = await world.weft("search", "cinema", "--json")
        assert (ran.code, ran.json) == (0, {"messages": []})
        assert (await world.weft("search", "cinema", "--jsonl")).out == ""


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "no word to search for"),
        (("",), "no word to search for"),
        ((" ", "\t"), "no word to search for"),
        (("cinema", "--limit", "0"), "1<=x<=1000"),
        (("cinema", "--limit", "many"), "not a valid integer"),
        (("-cinema",), "No such option '-c'"),
        (("cinema", "--in"), "requires an argument"),
        (("cinema", "--has", "money"), "is not one of"),
        (("cinema", "--since", "soon"), "is written 2026-11-30"),
        (("--until", "2026-02-30"), "not '2026-02-30'"),
        (("--since", "2026-11-30", "--until", "2026-11-29"), "nothing between them"),
        (("--since", "1h", "--until", "2h"), "nothing between them"),
    ],
)
async def test_a_line_that_makes_no_sense_is_code_2(tmp_path: Path, words: tuple[str, ...], part: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("search", *words)
        assert (ran.code, part in ran.err, ran.out, ran.err.count("\n")) == (2, True, "", 1)
        ran = await world.weft("--json", "search", *words)
        assert (ran.code, ran.json["error"]["code"]) == (2, "usage")


async def test_words_after_two_dashes_are_words(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", "use --with care")
        assert "use --with care" in (await world.weft("search", "--", "--with", "care")).out


async def test_what_was_written_cannot_touch_the_terminal(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo\x1b[2J") as world:
        await world.chat.receive("Bo\x1b[2J", "\x1b]0;evil\x07 cine\u202ema \x9b31m\r\nYou: yes")
        ran = await world.weft("search", "cine\u202ema")
        assert re.fullmatch(r"\S+ \S+  Bo \[2J:  \]0;evil  cine ma  31m  You: yes  \(…00000001\)\n", ran.out)


async def test_without_a_node_it_is_code_3(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now("search", "cinema")
    assert (ran.code, ran.err) == (3, "Node is not running. Start it: weft up\n")
