"""react, edit, recall, delete, forward, message, and an answer: what they write and how they end."""

from pathlib import Path

import pytest

from tests.cli import fake

ID = "00000001"


async def test_an_answer_shows_what_it_answers(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        first = await world.chat.receive("Bo", "dinner?")
        ran = await world.weft("send", "bo", "yes", "--reply", ID, "--json")
        assert ran.json["reply_to"]["excerpt"] == "dinner?"
        world.chat.lines[1] |= {"reply_to": ran.json["reply_to"]}
        ran = await world.weft("read", "bo")
        assert ran.out.splitlines()[-1] == "       > Bo: “dinner?”  (…00000001)"
        world.chat.lines[1]["reply_to"] |= {"excerpt": ""}
        assert "> Bo: a recalled message  (…" in (await world.weft("read", "bo")).out
        world.chat.lines[1]["reply_to"] |= {"is_here": False}
        assert "> a message that is not here  (…" in (await world.weft("read", "bo")).out
        assert first["id"].endswith(ID)
        ran = await world.weft("send", "bo", "--lines", "--reply", ID, stdin="a\nb\n")
        assert (ran.code, "does not go with --lines" in ran.err) == (2, True)


async def test_a_reaction_is_shown_below_its_message(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", "we won")
        ran = await world.weft("react", ID, "👍")
        assert (ran.code, ran.out.splitlines()[-1]) == (0, "       👍 You")
        ran = await world.weft("react", ID, "--remove", "--json")
        assert ran.json["reactions"] == []
        for words in ((), ("👍", "--remove")):
            ran = await world.weft("react", ID, *words)
            assert (ran.code, "--remove" in ran.err) == (2, True)


async def test_an_edited_message_says_so_and_what_it_said(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.weft("send", "bo", "at nien")
        ran = await world.weft("edit", ID, "at nine")
        assert (ran.code, "You (edited): at nine  (…" in ran.out) == (0, True)
        ran = await world.weft("message", ID, "--history", "--json")
        assert [one["text"] for one in ran.json["versions"]] == ["at nien", "at nine"]
        assert [line[-7:] for line in (await world.weft("message", ID, "--history")).out.splitlines()] == [
            "at nien",
            "at nine",
        ]
        assert (await world.weft("message", ID)).out == (await world.weft("read", "bo")).out
        assert (await world.weft("edit", ID, "")).code == 2


@pytest.mark.parametrize(
    ("state", "part"),
    [
        ("queued", "had not left this node: Bo only learns"),
        ("sent", "was on its way"),
        ("kept", "was on its way"),
        ("delivered", "Bo may have read or copied it"),
        ("read", "use a program that keeps it"),
        ("expired", "never arrived"),
    ],
)
async def test_who_recalls_hears_what_the_other_side_may_have(tmp_path: Path, state: str, part: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.weft("send", "bo", "oops")
        world.chat.lines[0]["state"] = state
        ran = await world.weft("recall", ID)
        assert (ran.code, part in ran.out) == (0, True)
        assert "It said: oops" in ran.err
        assert (await world.weft("read", "bo")).out.endswith("  You recalled a message.  (…00000001)\n")


async def test_delete_says_that_the_other_side_has_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", "hi")
        ran = await world.weft("delete", ID)
        assert (ran.code, "The other side still has it" in ran.out) == (0, True)
        assert (await world.weft("read", "bo")).out == "No messages yet.\n"
        ran = await world.weft("delete", "9999", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (5, "message.unknown")


async def test_a_forwarded_text_names_nobody(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        await world.chat.receive("Bo", "look")
        ran = await world.weft("forward", ID, "chen", "--json")
        assert (ran.json["contact"], ran.json["text"], ran.json["forwarded"]) == ("Chen", "look", True)
        world.chat.lines[1] |= {"forwarded": True}
        assert "You (forwarded): look" in (await world.weft("read", "chen")).out
        assert (await world.weft("forward", ID, "eve")).code == 5


async def test_what_somebody_does_to_a_message_is_clean_on_the_screen(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        line = await world.chat.receive("Bo", "hi")
        evil = "\x1b[2J\nYou: yes\u202e"
        answered = {"id": line["id"], "short": "A" * 8, "mine": False, "is_here": True, "excerpt": evil}
        line |= {"reactions": [{"mine": False, "mark": evil}], "reply_to": answered}
        ran = await world.weft("read", "bo")
        assert len(ran.out.splitlines()) == 3
        assert not {"\x1b", "\u202e"} & set(ran.out)


async def test_a_pin_is_set_shown_listed_and_taken_away(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        assert (await world.weft("pins", "bo")).out == "No message is pinned. Pin one: weft pin ID\n"
        await world.chat.receive("Bo", "the code is 1234")
        await world.weft("send", "bo", "thanks")
        ran = await world.weft("pin", ID)
        assert (ran.code, ran.out.startswith("✔ Pinned for both of you: ")) == (0, True)
        assert ran.out.endswith("  Bo (pinned): the code is 1234  (…00000001)\n")
        assert "Bo (pinned): the code" in (await world.weft("read", "bo")).out
        assert (await world.weft("pin", "00000002", "--json")).json["pinned"] is True
        assert [line["text"] for line in (await world.weft("pins", "bo", "--json")).json["messages"]] == [
            "thanks",
            "the code is 1234",
        ]
        ran = await world.weft("unpin", ID)
        assert (ran.code, ran.out.startswith("✔ Not pinned any more: ")) == (0, True)
        assert [line["text"] for line in (await world.weft("pins", "bo", "--jsonl")).lines] == ["thanks"]
        assert (await world.weft("pins", "chen")).out.startswith("No message is pinned.")
        assert ((await world.weft("pins", "eve")).code, (await world.weft("pin", "99999")).code) == (5, 5)
