"""send, inbox, read: what they write and how they end."""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cli import fake


def _delivered(message: dict[str, Any]) -> None:
    message["state"] = "delivered"


async def test_a_text_is_sent_and_its_state_shown(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("send", "bo", "hi")
        assert (ran.code, ran.out, ran.err) == (0, "• queued   (id …00000001)\n", "")
        ran = await world.weft("send", "bo", "hi", "--json")
        assert ran.code == 0
        assert ran.json == {**world.chat.lines[1], "state": "queued"}


async def test_a_text_comes_from_stdin_as_it_is(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.weft("send", "bo", "-", stdin="one\n\n  two ü\r\n")
        await world.weft("send", "bo", stdin="three\n")
        assert [line["text"] for line in world.chat.lines] == ["one\n\n  two ü", "three"]
        ran = await world.weft("send", "bo", "-", stdin=b"\xff\xfe")
        assert (ran.code, "UTF-8" in ran.err) == (2, True)
        ran = await world.weft("send", "bo", "-", stdin="\n")
        assert (ran.code, "no text" in ran.err) == (2, True)
        assert len(world.chat.lines) == 2


async def test_waiting_for_delivery_says_how_long_it_took(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.chat.fate = _delivered
        ran = await world.weft("send", "bo", "hi", "--wait", "delivered")
        assert ran.code == 0
        assert ran.out.startswith("✔ delivered 0.")
        assert ran.out.endswith("s   (id …00000001)\n")
        ran = await world.weft("--json", "send", "bo", "hi", "--wait", "delivered", "10")
        assert ran.json["state"] == "delivered"


async def test_what_is_delivered_later_is_waited_for(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        found: list[fake.Ran] = []

        async def send() -> None:
            found.append(await world.weft("send", "bo", "hi", "--wait", "read", "--json"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await world.chat.posted.wait()
            for state in ("sent", "delivered", "read"):
                await world.chat.become(1, state)
        assert (found[0].code, found[0].json["state"]) == (0, "read")


async def test_not_in_time_is_code_6_and_nothing_is_lost(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("send", "bo", "hi", "--wait", "delivered", "0.2")
        assert ran.code == 6
        assert ran.out == ""
        assert "Not delivered after 0.2 s, queued. Nothing is lost" in ran.err
        ran = await world.weft("send", "bo", "hi", "--wait", "delivered", "0.2", "--json")
        error = ran.json["error"]
        assert (ran.code, error["code"], error["next"]) == (6, "message.queued", "weft status")
        assert error["data"]["message"]["id"] == world.chat.lines[1]["id"]
        assert set(error) == {"code", "message", "next", "data"}


@pytest.mark.parametrize(("state", "code"), [("failed", 7), ("expired", 6)])
async def test_an_end_without_delivery_is_told_with_its_reason(tmp_path: Path, state: str, code: int) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.chat.fate = lambda message: message.update(state=state, reason="Bo refused")
        ran = await world.weft("send", "bo", "hi", "--wait", "delivered")
        assert (ran.code, f"{state}: Bo refused" in ran.err) == (code, True)


async def test_each_line_of_stdin_is_a_message(tmp_path: Path) -> None:
    texts = [f"line {number}" for number in range(200)]
    async with fake.node(tmp_path, "Bo") as world:
        world.chat.fate = _delivered
        ran = await world.weft("send", "bo", "--lines", stdin="\n".join(texts) + "\n\n")
        assert (ran.code, ran.out) == (0, "• 200 queued\n")
        assert [line["text"] for line in world.chat.lines] == texts
        ran = await world.weft("send", "bo", "-", "--lines", "--jsonl", stdin="a\nb")
        assert [line["seq"] for line in ran.lines] == [201, 202]
        ran = await world.weft("send", "bo", "--lines", "--wait", "delivered", "--json", stdin="a\nb\n")
        assert [message["state"] for message in ran.json["messages"]] == ["delivered", "delivered"]
        ran = await world.weft("send", "bo", "--lines", "--wait", "delivered", "10", stdin="a\nb\n")
        assert ran.out.startswith("✔ 2 delivered 0.")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("send", "bo", "hello", "world"), "put it in quotes"),
        (("send", "bo", "hi", "--wait", "delivered", "soon"), "A time is written"),
        (("send", "bo", "hi", "--lines"), "from stdin"),
        (("send", "bo", "hi", "--wait", "seen"), "seen"),
        (("send",), "NAME"),
    ],
)
async def test_a_line_that_makes_no_sense_is_code_2(tmp_path: Path, words: tuple[str, ...], part: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft(*words)
        assert (ran.code, part in ran.err, ran.out) == (2, True, "")
        ran = await world.weft(*words, "--json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "usage")
        assert world.chat.lines == []


async def test_what_the_node_refuses_is_told_with_its_code(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("send", "eve", "hi")
        assert (ran.code, ran.err) == (5, "No contact is called eve. Next: weft contacts\n")
        ran = await world.weft("send", "eve", "hi", "--json")
        assert ran.json == {
            "error": {
                "code": "contact.unknown",
                "message": "No contact is called eve.",
                "next": "weft contacts",
                "data": {"name": "eve"},
            }
        }
        assert (await world.weft("send", "bo", "x" * 20_000)).code == 2


async def test_the_inbox_shows_what_came(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        assert (await world.weft("inbox")).out == "No messages yet.\n"
        await world.chat.receive("Bo", "hi\nthere")
        await world.chat.receive("Chen", "\x1b[2J\u202eevil")
        await world.weft("send", "bo", "mine")
        ran = await world.weft("inbox")
        first, second, third = ran.out.splitlines()
        assert first.endswith(" ●  Bo: hi")
        assert second.strip() == "there  (…00000001)"
        assert third.endswith(" ●  Chen:  [2J evil  (…00000002)")  # what moves the cursor or turns a line is gone
        ran = await world.weft("inbox", "--json")
        assert ran.json == {"messages": world.chat.lines[:2]}
        assert (await world.weft("inbox", "--jsonl", "--limit", "1")).lines == [world.chat.lines[1]]
        await world.weft("read", "bo")
        assert [line["contact"] for line in (await world.weft("inbox", "--unread", "--jsonl")).lines] == ["Chen"]


async def test_read_shows_and_marks(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", "hi")
        ran = await world.weft("read", "bo", "--json")
        assert ran.json["read"] == 1
        assert [message["text"] for message in ran.json["messages"]] == ["hi"]
        ran = await world.weft("read", "bo")
        assert (ran.code, "Bo: hi" in ran.out, ran.err) == (0, True, "0 marked as read.\n")
        assert (await world.weft("read", "bo", "-q")).err == ""


async def test_what_is_read_was_shown(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for number in range(70):
            await world.chat.receive("Bo", f"number {number}.")
        assert len((await world.weft("read", "bo", "--json")).json["messages"]) == 70
        assert len((await world.weft("read", "bo", "--json")).json["messages"]) == 20
        for number in range(70, 100):
            await world.chat.receive("Bo", f"number {number}.")
        shown = (await world.weft("read", "bo", "--json")).json
        assert (shown["read"], [line["text"] for line in shown["messages"]][:1]) == (30, ["number 70."])
        assert len((await world.weft("read", "bo", "--json", "--limit", "5")).json["messages"]) == 5
