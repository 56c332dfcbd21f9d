"""The list of conversations in a simulated world: its order, its counts, and what is kept of each here alone."""

from typing import Any

import pytest
import trio

from crypto.faults import Malformed
from features.chat import conversations, lasting, view
from features.chat.content import How, Text
from lab import world
from lab.world import Person, World, befriend
from node.rpc import _read_news
from protocol import wire
from store import inbox, people
from store.database import Tx
from tests.features.test_chat import LaterText, came, delivered
from tests.features.test_search import run

HOUR_S = 3600


async def names(person: Person, archived: bool = False) -> list[str]:
    """The conversations that a person sees, in order."""
    return [row["contact"] for row in await person.call("chat.chats", archived=archived)]


async def row(person: Person, name: str) -> dict[str, Any]:
    """One conversation, wherever it is listed."""
    rows = [*await person.call("chat.chats"), *await person.call("chat.chats", archived=True)]
    (found,) = [one for one in rows if one["contact"].lower() == name]
    return dict(found)


async def says(speaker: Person, to: str, text: str) -> None:
    """Says something, and waits until it is there."""
    await speaker.call("chat.send", to=to, text=text)
    await speaker.world.until(lambda: delivered(speaker, to))


def test_pinned_conversations_come_first_and_then_the_newest() -> None:
    async def story(w: World) -> None:
        alice, bob, chen, dora = [await w.person(name) for name in ("alice", "bob", "chen", "dora")]
        for friend in (bob, chen, dora):
            await befriend(alice, friend)
        assert await names(alice) == []  # a card is no line
        await says(bob, "alice", "from bob")
        await says(alice, "chen", "to chen")
        assert await names(alice) == ["Chen", "Bob"]
        await alice.call("chat.draft", to="dora", text="not yet")
        assert await names(alice) == ["Chen", "Bob", "Dora"]
        await alice.call("chat.pin", to="bob")
        assert await names(alice) == ["Bob", "Chen", "Dora"]
        await says(chen, "alice", "long\n" * 100)
        assert await names(alice) == ["Bob", "Chen", "Dora"]
        assert (await alice.call("chat.unpin", to="bob"))["pinned"] is False
        assert await names(alice) == ["Chen", "Bob", "Dora"]
        of_chen = await row(alice, "chen")
        assert (of_chen["unread"], of_chen["last"]["text"]) == (1, "long\n" * 100)
        assert of_chen["excerpt"] == ("long " * 16)[:79] + "…"
        assert [one["contact"] for one in await alice.call("chat.chats", limit=1)] == ["Chen"]
        for limit in (0, -1):
            assert await alice.call("chat.chats", limit=limit) == []

    world.run(story, seed=331)


def test_the_count_of_unread_lines_is_right() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        for n in range(3):
            await says(bob, "alice", f"{n}")
        await says(alice, "bob", "mine do not count")
        assert (await row(alice, "bob"))["unread"] == 3
        assert await alice.call("chat.read", to="bob") == {"read": 3}
        assert (await row(alice, "bob"))["unread"] == 0
        await bob.call("chat.send_all", to="alice", texts=["4", "5"])
        await w.until(lambda: delivered(bob, "alice"))
        await alice.kill()
        await alice.start()
        assert (await row(alice, "bob"))["unread"] == 2 == len(await alice.call("chat.inbox", unread=True))
        await bob.call("payments.ask", to="alice", amount="5", unit="EUR")  # no line of the chat
        await w.until(lambda: is_asked(alice))
        assert (await row(alice, "bob"))["unread"] == 2
        assert await alice.call("chat.read", to="bob") == {"read": 2}

    world.run(story, seed=332)


async def is_asked(person: Person) -> bool:
    """Whether somebody asked a person for money."""
    return bool((await person.call("payments.requests"))["asked"])


def test_what_is_readable_only_later_is_unread_then() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert bob.node is not None
        core = bob.node.core
        of = await core.database.transact(people.find_contact, "alice")
        await core.delivery.say(of.id, (LaterText("from the future", None, How.SAID, None, "glad"),))
        await bob.call("chat.send", to="alice", text="from today")
        await w.until(lambda: came(alice, "from today"))
        assert await alice.call("chat.read", to="bob") == {"read": 1}
        await run(alice, understood)
        assert alice.node is not None
        assert await run(alice, lambda tx: inbox.retry_unheard(tx, *rooms(alice))) == 1
        assert (await row(alice, "bob"))["unread"] == 1
        assert [line["text"] for line in await alice.call("chat.inbox", unread=True)] == ["from the future"]
        await bob.call("chat.send", to="alice", text="and more")
        await w.until(lambda: came(alice, "and more"))
        assert (await row(alice, "bob"))["unread"] == 2
        unread = await alice.call("chat.inbox", unread=True)
        assert [line["text"] for line in unread] == ["from the future", "and more"]
        assert [line["text"] for line in await alice.call("chat.inbox", unread=True, limit=1)] == ["from the future"]
        assert await alice.call("chat.read", to="bob") == {"read": 2}
        assert (await row(alice, "bob"))["unread"] == 0 == len(await alice.call("chat.inbox", unread=True))

    world.run(story, seed=333)


def understood(tx: Tx) -> None:
    """The later text as one of this version: as if weft had learned what it says."""
    ((seq, body),) = tx.all("SELECT m.seq, m.body FROM unheard u JOIN message m ON m.seq = u.message")
    value: Any = wire.decode(body, len(body))
    *head, (text, *_), expiry = value
    tx.execute("UPDATE message SET body = ? WHERE seq = ?", (wire.encode((*head, (text,), expiry)), seq))


def rooms(person: Person) -> tuple[inbox.Rooms, int]:
    """What a person's node does with arrivals of the chat."""
    assert person.node is not None
    return inbox.Rooms(person.node.core.delivery.inward.kinds, {Text.KIND: view.apply}), person.now_ms()


def test_an_archived_conversation_comes_back_with_something_new_unless_it_is_muted() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await says(bob, "alice", "one")
        assert (await alice.call("chat.archive", to="bob"))["archived"] is True
        assert (await names(alice), await names(alice, archived=True)) == ([], ["Bob"])
        await alice.kill()
        await alice.start()
        assert await names(alice, archived=True) == ["Bob"]
        await says(bob, "alice", "two")
        assert (await names(alice), await names(alice, archived=True)) == (["Bob"], [])
        await alice.call("chat.archive", to="bob")
        await alice.call("chat.mute", to="bob")
        await says(bob, "alice", "three")
        assert await names(alice, archived=True) == ["Bob"]
        assert (await row(alice, "bob"))["unread"] == 3
        assert (await alice.call("chat.unarchive", to="bob"))["archived"] is False
        assert await names(alice) == ["Bob"]
        await alice.call("chat.unmute", to="bob")
        await alice.call("chat.archive", to="bob")
        await alice.call("chat.send", to="bob", text="I say something myself")
        assert await names(alice) == ["Bob"]

    world.run(story, seed=334)


def test_a_muted_conversation_is_told_as_such_until_its_time_is_over() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        muted = await alice.call("chat.mute", to="bob", for_s=8 * HOUR_S)
        assert (muted["muted"], muted["muted_until_ms"]) == (True, w.now_ms() + 8 * HOUR_S * 1000)
        await says(bob, "alice", "silent")
        await trio.sleep(8 * HOUR_S)
        assert (await row(alice, "bob"))["muted"] is False
        await says(bob, "alice", "loud")
        assert await told_as_muted(alice) == [True, False]
        forever = await alice.call("chat.mute", to="bob")
        assert (forever["muted"], forever["muted_until_ms"]) == (True, 0)
        await says(bob, "alice", "silent again")
        assert await told_as_muted(alice) == [True, True, True]  # who asks late is told as it is now
        await alice.call("chat.unmute", to="bob")
        assert await told_as_muted(alice) == [False, False, False]
        assert await run(alice, conversations.was_muted, 10**6) is False

    world.run(story, seed=335)


async def told_as_muted(person: Person) -> list[bool]:
    """Of all lines that came, what a watcher is told who begins at the beginning."""
    assert person.node is not None
    shows = {topic: one for feature in person.node.core.features for topic, one in feature.shows.items()}
    news = await run(person, _read_news, 0, frozenset({"chat.received"}), shows, 10_000)
    return [data["muted"] for _, _, data in news.changes]


def test_a_draft_is_over_when_it_was_sent_as_it_stands() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert (await alice.call("chat.draft", to="bob"))["draft"] == ""
        await alice.call("chat.draft", to="bob", text="see you at")
        await alice.kill()
        await alice.start()
        await alice.call("chat.send", to="bob", text="hi")
        assert (await row(alice, "bob"))["draft"] == "see you at"
        await alice.call("chat.draft", to="bob", text="see you at eight")
        await alice.call("chat.send_all", to="bob", texts=["one", "see you at eight"])
        assert (await row(alice, "bob"))["draft"] == ""
        await alice.call("chat.draft", to="bob", text="x")
        assert (await alice.call("chat.draft", to="bob", text=""))["draft"] == ""
        await w.until(lambda: delivered(alice, "bob"))
        assert await run(bob, lambda tx: tx.all("SELECT draft FROM chat_kept")) == []

    world.run(story, seed=336)


def test_starred_lines_are_listed_newest_first() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        for n in range(3):
            await says(bob, "alice", f"bob {n}")
            await alice.call("chat.send", to="chen", text=f"chen {n}")
        for line in [*await alice.call("chat.history", to="bob"), *await alice.call("chat.history", to="chen")]:
            if not line["text"].endswith("1"):
                assert (await alice.call("chat.star", id=line["short"]))["id"] == line["id"]
        found = await alice.call("chat.starred")
        assert [line["text"] for line in found] == ["chen 2", "bob 2", "chen 0", "bob 0"]
        assert [line["text"] for line in await alice.call("chat.starred", contact="bob")] == ["bob 2", "bob 0"]
        older = await alice.call("chat.starred", limit=2, before=found[0]["seq"])
        assert [line["text"] for line in older] == ["bob 2", "chen 0"]
        await alice.call("chat.unstar", id=found[0]["id"])
        assert len(await alice.call("chat.starred")) == 3

    world.run(story, seed=337)


def test_the_list_does_not_walk_through_the_history() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert alice.node is not None
        asked: list[str] = []

        def plans(tx: Tx) -> list[str]:
            asked.clear()
            (connection,) = [tx._connection]
            connection.set_trace_callback(asked.append)
            conversations.listed(tx, False, 10, 0)
            conversations.starred(tx, 1, None, 10, 0)
            connection.set_trace_callback(None)
            found = []
            for sql in asked:
                found += [step[3] for step in tx.all(f"EXPLAIN QUERY PLAN {sql}")]
            return found

        await alice.call("chat.send", to="bob", text="hi")
        steps = await run(alice, plans)
        assert len(asked) >= 4
        assert {step for step in steps if step.startswith("SCAN")} == {
            "SCAN c",
            "SCAN (subquery-3)",
            "SCAN CONSTANT ROW",
        }

    world.run(story, seed=338)


def test_a_backup_has_what_was_decided_and_is_read_strictly() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        await says(bob, "alice", "one")
        (line,) = await alice.call("chat.history", to="bob")
        await alice.call("chat.draft", to="bob", text="not yet")
        bob_id, chen_id = [(await run(alice, people.find_contact, name)).id for name in ("bob", "chen")]
        assert conversations.check(await run(alice, conversations.keep, bob_id))[1].draft == "not yet"
        assert await run(alice, conversations.keep, chen_id) is None
        for method, said in (("read", {}), ("pin", {}), ("mute", {"for_s": 60}), ("archive", {})):
            await alice.call(f"chat.{method}", to="bob", **said)
        await alice.call("chat.star", id=line["id"])
        kept = await run(alice, conversations.keep, bob_id)
        mark, decided, stars, timer = conversations.check(kept)
        assert (mark >= line["seq"], stars, timer) == (True, (line["seq"],), lasting.Setting())
        assert decided == await run(alice, conversations.of, bob_id)
        await run(
            alice, lambda tx: [tx.execute(f"DELETE FROM {name}") for name in ("chat_kept", "chat_star", "chat_mark")]
        )
        await run(alice, conversations.put_back, bob_id, kept)
        assert await run(alice, conversations.keep, bob_id) == kept
        assert conversations.check(wire.encode((7,))) == (
            7,
            conversations.Kept(),
            (),
            lasting.Setting(),
        )  # of an earlier version

    world.run(story, seed=339)


@pytest.mark.parametrize(
    "values",
    [
        (),
        (-1,),
        (None,),
        (0, 2, 0, 0, (), (), ""),
        (0, 0, -1, 0, (), (), ""),
        (0, 0, 0, 2**39 + 1, (), (), ""),
        (0, 0, 0, 0, (-1,), (), ""),
        (0, 0, 0, 0, (None,), (), ""),
        (0, 0, 0, 0, 0, (), ""),
        (0, 0, 0, 0, tuple(range(513)), (), ""),
        (0, 0, 0, 0, ()),
        (0, 0, 0, 0, (), 0, ""),
        (0, 0, 0, 0, (), (1,), ""),
        (0, 0, 0, 0, (), (-1, 1, bytes(32)), ""),
        (0, 0, 0, 0, (), (366 * 86_400 + 1, 1, bytes(32)), ""),
        (0, 0, 0, 0, (), (1, 0, bytes(32)), ""),
        (0, 0, 0, 0, (), (1, 2**32, bytes(32)), ""),
        (0, 0, 0, 0, (), (1, 1, bytes(31)), ""),
        (0, 0, 0, 0, (), (), 0, ""),
        (0, 0, 0, 0, (), (), b"x"),
        (0, 0, 0, 0, (), (), "x" * 16385),
        (0, 0, 0, 0, (), ()),
    ],
)
def test_a_note_of_a_backup_that_makes_no_sense_is_refused(values: tuple[Any, ...]) -> None:
    with pytest.raises(Malformed):
        conversations.check(wire.encode(values))


def test_a_star_and_the_list_show_what_a_message_says_now() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        line = await alice.call("chat.send", to="bob", text="first")
        await alice.call("chat.edit", id=line["id"], text="second")
        assert (await alice.call("chat.star", id=line["id"]))["text"] == "second"
        assert [one["text"] for one in await alice.call("chat.starred")] == ["second"]
        assert [one["excerpt"] for one in await alice.call("chat.chats")] == ["second"]
        assert (await alice.call("chat.unstar", id=line["id"]))["text"] == "second"

    world.run(story, seed=343)


def test_what_has_come_back_from_the_archive_is_not_put_away_by_muting_it() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await says(bob, "alice", "one")
        await alice.call("chat.archive", to="bob")
        await says(bob, "alice", "two")
        assert await names(alice) == ["Bob"]
        assert (await alice.call("chat.mute", to="bob"))["archived"] is False
        await says(bob, "alice", "three")
        assert await names(alice) == ["Bob"]
        await alice.call("chat.archive", to="bob")
        await says(bob, "alice", "four")
        assert await names(alice) == []  # muted, it stays where it is
        assert (await alice.call("chat.mute", to="bob", for_s=HOUR_S))["archived"] is True
        await trio.sleep(HOUR_S + 1)
        assert await names(alice) == ["Bob"]
        assert (await alice.call("chat.mute", to="bob"))["archived"] is False

    world.run(story, seed=345)


def test_a_line_shows_its_star() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await says(bob, "alice", "one")
        await says(bob, "alice", "two")
        (line, _) = await alice.call("chat.history", to="bob")
        assert (await alice.call("chat.star", id=line["id"]))["starred"] is True
        assert [one["starred"] for one in await alice.call("chat.history", to="bob")] == [True, False]
        assert [one["starred"] for one in await bob.call("chat.history", to="alice")] == [False, False]
        assert (await alice.call("chat.unstar", id=line["id"]))["starred"] is False

    world.run(story, seed=346)
