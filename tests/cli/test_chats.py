"""chats, draft, star, starred: what they write and how they end."""

from pathlib import Path

from tests.cli import fake


async def test_the_list_shows_what_a_messenger_shows(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen", "Dora") as world:
        ran = await world.weft("chats")
        assert (ran.code, ran.out) == (0, "There is no conversation yet. Begin one: weft chat NAME\n")
        await world.chat.receive("Bo", "one\ntwo \x1b[2J")
        await world.chat.receive("Bo", "three")
        await world.weft("send", "chen", "hi")
        await world.weft("draft", "dora", "not yet")
        await world.weft("chats", "pin", "bo")
        ran = await world.weft("chats")
        head, bo, chen, dora = ran.out.splitlines()
        assert head.split() == ["Name", "New", "When", "Last"]
        assert (bo.split()[:3], bo.endswith("  three")) == (["P", "Bo", "2"], True)
        assert chen.endswith("  You: hi")
        assert dora.split() == ["Dora", "Draft:", "not", "yet"]
        ran = await world.weft("chats", "--json")
        assert [row["contact"] for row in ran.json["chats"]] == ["Bo", "Chen", "Dora"]
        assert (await world.weft("chats", "list", "--jsonl")).lines == ran.json["chats"]


async def test_what_is_decided_is_said(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        await world.weft("send", "bo", "hi")
        for words, said, kept in (
            (("pin", "bo"), "✔ Bo stays above all others.", {"pinned": True}),
            (("unpin", "bo"), "✔ Bo stands among the others again.", {"pinned": False}),
            (("mute", "bo"), "✔ Bo does not ring until you unmute it.", {"muted": True, "muted_until_ms": 0}),
            (("unmute", "bo"), "✔ Bo rings again.", {"muted": False}),
            (("archive", "bo"), "✔ Bo is put away.", {"archived": True}),
        ):
            ran = await world.weft("chats", *words)
            assert (ran.code, ran.out) == (0, f"{said}\n")
            assert kept.items() <= world.chat.kept["Bo"].items()
        assert (await world.weft("chats", "--archived")).out.splitlines()[1].split()[:2] == ["A", "Bo"]
        assert (await world.weft("chats")).out == "All conversations are put away: weft chats --archived\n"
        assert (await world.weft("chats", "unarchive", "bo")).out == "✔ Bo is back among the others.\n"
        assert (await world.weft("chats", "--archived")).out == "Nothing is put away.\n"
        ran = await world.weft("chats", "mute", "bo", "--for", "8h", "--json")
        assert (ran.json["muted"], ran.json["muted_until_ms"]) == (True, 1_790_000_000_000 + 8 * 3_600_000)
        assert (await world.weft("chats", "pin", "eve")).code == 5


async def test_a_recalled_message_is_said_to_be_one(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        line = await world.chat.receive("Bo", "")
        line["recalled"] = True
        await world.weft("send", "chen", "oops")
        await world.weft("recall", "00000002")
        bo, chen = (await world.weft("chats")).out.splitlines()[1:]
        assert (bo.endswith("  Bo recalled a message."), chen.endswith("  You recalled a message.")) == (True, True)
        assert (await world.weft("inbox")).out.endswith(" ●  Bo recalled a message.  (…00000001)\n")


async def test_a_draft_is_kept_shown_and_forgotten(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        assert (await world.weft("draft", "bo")).out == "There is no draft.\n"
        assert (await world.weft("draft", "bo", "two\nlines")).out == "✔ The draft is kept here; nobody is sent it.\n"
        assert (await world.weft("draft", "bo")).out == "two\nlines\n"
        assert (await world.weft("draft", "bo", "--json")).json["draft"] == "two\nlines"
        assert (await world.weft("draft", "bo", "--remove")).out == "✔ There is no draft.\n"
        assert world.chat.lines == []


async def test_a_star_is_set_listed_and_taken_away(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        assert (await world.weft("starred")).out == "No message has a star.\n"
        await world.weft("send", "bo", "first")
        await world.chat.receive("Chen", "second")
        ran = await world.weft("star", "00000001")
        assert (ran.out.startswith("✔ Starred: "), "You ★: first" in ran.out) == (True, True)
        assert "You ★: first" in (await world.weft("read", "bo")).out
        await world.weft("star", "00000002")
        assert [line["text"] for line in (await world.weft("starred", "--jsonl")).lines] == ["second", "first"]
        assert "Chen ★: second" in (await world.weft("starred", "chen")).out
        assert (await world.weft("star", "00000002", "--remove")).out.startswith("✔ Without a star: ")
        assert [line["text"] for line in (await world.weft("starred", "--json")).json["messages"]] == ["first"]


async def test_the_bell_rings_while_one_waits(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        assert (await world.weft("inbox", "--bell")).code == 2  # who rings: tests/cli/test_streams.py


async def test_the_timer_is_set_shown_and_ended(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        assert (await world.weft("chats", "timer", "bo")).out == "What you and Bo say stays.\n"
        ran = await world.weft("chats", "timer", "bo", "1d")
        assert ran.out == "✔ What you and Bo say from now on disappears 24 h after it was read.\n"
        assert "keeping a copy" in ran.err
        assert (await world.weft("chats", "timer", "bo", "--json")).json["timer_s"] == 86_400
        ran = await world.weft("chats", "timer", "bo", "OFF")
        assert (ran.out, ran.err) == ("✔ What you and Bo say from now on stays.\n", "")
        assert (await world.weft("chats", "timer", "bo", "soon")).code == 2


async def test_a_notice_is_no_text_of_a_person_and_what_goes_says_so(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        line = await world.chat.receive("Bo", "What is said from now on stays.")
        line["notice"] = "timer"
        line = await world.chat.receive("Bo", "secret")
        line["lasts_s"] = 3600
        first, second = (await world.weft("inbox")).out.splitlines()
        assert first.endswith(" ●  * Bo: What is said from now on stays.  (…00000001)")
        assert second.endswith(" ●  Bo: secret  (…00000002, goes 1 h after it was read)")
