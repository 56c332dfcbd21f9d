"""Searching all chats in a simulated world: what is found, when, and what of it lies on the disk."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import trio

from features.chat import index
from features.chat.service import BUSY_ROUNDS_MAX, QUIET_S, SEND_MAX
from lab import world
from lab.world import Person, World, befriend
from store import migrations
from store.database import Tx
from tests.features.kit import Faults
from tests.features.test_chat import delivered

CANARY = "xyzzy7f3a"


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def found(person: Person, query: str, **more: object) -> list[str]:
    """The texts that a search finds, in its order."""
    return [row["text"] for row in await person.call("chat.search", query=query, **more)]


def behind(tx: Tx) -> int:
    """How many rows of messages the index has not seen."""
    row = tx.one("SELECT (SELECT COALESCE(MAX(seq), 0) FROM message) - (SELECT seq FROM chat_indexed)")
    assert row is not None
    return int(row[0])


def rows_of_index(tx: Tx) -> list[int]:
    """The messages that the index knows."""
    return [row for (row,) in tx.all("SELECT rowid FROM chat_index ORDER BY rowid")]


def test_what_i_wrote_and_what_came_is_found_newest_first() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        sent = await alice.call("chat.send", to="bob", text="Two cinema tickets, please")
        assert await found(alice, "cinema") == [sent["text"]]  # at once: not only when somebody has time for it
        await w.until(lambda: delivered(alice, "bob"))
        assert await found(bob, "cinema") == [sent["text"]]
        await chen.call("chat.send", to="alice", text="明天在北京看電影")
        await w.until(lambda: delivered(chen, "alice"))
        await bob.call("chat.send", to="alice", text="Which cinema?")
        await w.until(lambda: delivered(bob, "alice"))
        assert await found(alice, "cinema") == ["Which cinema?", "Two cinema tickets, please"]
        assert await found(alice, "TICKETS cin") == ["Two cinema tickets, please"]
        assert await found(alice, "北京") == await found(alice, "电影 OR 電影") + ["明天在北京看電影"]
        (row,) = await alice.call("chat.search", query="看電影")
        assert row == {**await alice.call("chat.message", id=row["id"]), "excerpt": ("明天在北京", "看電影", "")}
        assert (row["contact"], row["mine"], row["unread"]) == ("Chen", False, True)
        assert await found(alice, "theatre") == []

    world.run(story, seed=310)


def test_a_search_can_stay_with_one_contact_and_goes_on_in_pages() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        for n in range(4):
            await alice.call("chat.send", to="bob", text=f"bob {n} word")
            await alice.call("chat.send", to="chen", text=f"chen {n} word")
        assert await found(alice, "word", contact="CHEN") == [f"chen {n} word" for n in (3, 2, 1, 0)]
        assert await found(alice, "bob word", contact="chen") == []
        everything = await alice.call("chat.search", query="word")
        assert [row["seq"] for row in everything] == sorted((row["seq"] for row in everything), reverse=True)
        first = await alice.call("chat.search", query="word", limit=3)
        then = await alice.call("chat.search", query="word", limit=5, before=first[-1]["seq"])
        assert first + then == everything
        for limit in (0, -1, -(2**70)):
            assert await found(alice, "word", limit=limit) == []
        assert len(await found(alice, "word", limit=2**70, before=2**70)) == 8
        assert await found(alice, "word", before=-(2**70)) == []
        await alice.call("contacts.block", name="bob")  # what was said stays said
        assert len(await found(alice, "word", contact="bob")) == 4
        await alice.call("contacts.rename", name="chen", new="Chen Li")
        assert (await alice.call("chat.search", query="word", contact="chen li"))[0]["contact"] == "Chen Li"

    world.run(story, seed=311)


def test_every_message_before_the_search_is_found_however_many() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="the first of all")
        for _ in range(4):
            await alice.call("chat.send_all", to="bob", texts=["between"] * SEND_MAX)
        await alice.call("chat.send_all", to="bob", texts=["x" * 16_000] * 20)
        await alice.call("chat.send", to="bob", text="the last of all")
        waiting = await run(alice, behind)
        assert waiting > 4 * index.SLICE_ROWS
        assert await found(alice, "of all") == ["the last of all", "the first of all"]
        assert await run(alice, behind) == 0
        assert len(await found(alice, "between", limit=1000)) == 1000

    world.run(story, seed=312)


def test_a_slice_ends_by_rows_or_by_bytes() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send_all", to="bob", texts=["x" * 16_000] * 20)
        await alice.call("chat.send_all", to="bob", texts=["short"] * SEND_MAX)
        upto = await run(alice, index.newest)
        slices = [await run(alice, behind)]
        while not await run(alice, index.catch_up, upto):
            slices.append(await run(alice, behind))
        steps = [before - after for before, after in pairwise(slices)]
        assert max(steps) == index.SLICE_ROWS
        assert steps[0] <= 20 > index.SLICE_BYTES // 16_000
        assert sum(steps) == slices[0]

    world.run(story, seed=313)


def test_a_node_at_rest_catches_up_by_itself_and_a_busy_one_within_a_minute() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="one")
        assert await run(alice, behind) > 0
        await trio.sleep(3 * QUIET_S)
        assert await run(alice, behind) == await run(bob, behind) == 0
        lagged = []
        for n in range(int(BUSY_ROUNDS_MAX * QUIET_S) + 2):
            await alice.call("chat.send", to="bob", text=f"{n}")
            lagged.append(await run(alice, behind))
            await trio.sleep(1)
        assert lagged[-3] > lagged[-1]
        assert max(lagged) > BUSY_ROUNDS_MAX

    world.run(story, seed=314)


def test_no_row_of_the_index_outlives_its_message() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        for text in ("keep this", "forget this", "and forget that"):
            await alice.call("chat.send", to="bob", text=text)
        rows = [row["seq"] for row in await alice.call("chat.search", query="this")]
        (last,) = [row["seq"] for row in await alice.call("chat.search", query="that")]
        await run(alice, lambda tx: tx.execute("DELETE FROM message WHERE seq IN (?, ?)", (rows[0], last)))
        assert await found(alice, "forget") == []
        assert await run(alice, rows_of_index) == [rows[1]]
        again = await alice.call("chat.send", to="bob", text="said anew")  # SQLite gives the row anew
        assert again["seq"] == rows[0]
        assert await found(alice, "that") == []
        assert await found(alice, "anew") == ["said anew"]
        await run(alice, lambda tx: tx.execute("INSERT INTO chat_index (chat_index) VALUES ('integrity-check')"))

    world.run(story, seed=315)


class Undone(Exception):
    """What a job of this test ends with."""


def test_what_is_undone_in_a_group_is_indexed_by_the_next_search() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send_all", to="bob", texts=["word"] * SEND_MAX)
        upto = await run(alice, index.newest)

        def undone(tx: Tx) -> None:
            index.catch_up(tx, upto)
            raise Undone

        async def fail() -> None:
            with pytest.raises(Undone):
                await run(alice, undone)

        async with trio.open_nursery() as nursery:  # they wait together, so they are one transaction
            nursery.start_soon(fail)
            nursery.start_soon(run, alice, index.catch_up, upto)
            nursery.start_soon(fail)
        assert 0 < await run(alice, behind) < SEND_MAX
        assert len(await found(alice, "word", limit=1000)) == SEND_MAX
        assert len(await run(alice, rows_of_index)) == SEND_MAX
        await run(alice, lambda tx: tx.execute("INSERT INTO chat_index (chat_index) VALUES ('integrity-check')"))

    world.run(story, seed=321)


def test_a_text_that_is_heard_late_is_found_from_then_on() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await bob.call("chat.send", to="alice", text="heard late")
        await w.until(lambda: delivered(bob, "alice"))
        await run(alice, lambda tx: tx.execute("INSERT INTO unheard SELECT MAX(seq), 120, 'unknown' FROM message"))
        await alice.call("chat.send", to="bob", text="not late")
        assert await found(alice, "late") == ["not late"]
        await alice.stop()
        await alice.start()
        assert await found(alice, "late") == ["not late", "heard late"]

    world.run(story, seed=316)


def before_there_was_a_search(tx: Tx) -> None:
    """The database of a version before."""
    tables = ("chat_index", "chat_indexed", "chat_span")
    for thing in ("TRIGGER chat_index_forgets", "TRIGGER chat_index_learns", *(f"TABLE {table}" for table in tables)):
        tx.execute(f"DROP {thing}")
    numbers = ", ".join(str(one.number) for one in index.MIGRATIONS)
    tx.execute(f"DELETE FROM migration WHERE room = 'chat' AND number IN ({numbers})")


def before_there_were_filters(tx: Tx) -> None:
    """The same of the version that only knew words."""
    before_there_was_a_search(tx)
    first, _ = index.MIGRATIONS
    for statement in migrations.statements(first.sql):
        tx.execute(statement)
    tx.execute("INSERT INTO migration (room, number) VALUES ('chat', ?)", (first.number,))
    tx.execute("UPDATE chat_indexed SET seq = (SELECT MAX(seq) FROM message)")


@pytest.mark.parametrize("become_older", [before_there_was_a_search, before_there_were_filters])
def test_messages_of_an_older_version_are_found_after_the_upgrade(become_older: Callable[[Tx], None]) -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await bob.call("chat.send", to="alice", text="an old letter")
        await w.until(lambda: delivered(bob, "alice"))
        await alice.call("chat.send", to="bob", text="an old answer")
        await run(alice, become_older)
        await alice.stop()
        await alice.start()
        assert await found(alice, "old") == ["an old answer", "an old letter"]
        assert await found(alice, "old", author="bob", since_ms=1) == ["an old letter"]

    world.run(story, seed=317)


def test_what_is_refused_finds_nothing_and_harms_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="one word")
        faults = Faults(alice)
        for query in ("", "  ", '"', "***", "\x00", "🎉"):
            empty = await faults.of("chat.search", query=query)
            assert (empty.code, empty.exit) == ("search.words", 2)
        assert await faults.code("chat.search", query="x" * 257) == "limit"
        assert await faults.code("chat.search", query="word", contact="nobody") == "contact.unknown"
        for query in ('word"', "word*", "NEAR(word)", "text:word", "-word", "word\x00", "a AND word"):
            await alice.call("chat.search", query=query)
        assert await found(alice, '"word*') == ["one word"]

    world.run(story, seed=318)


def test_no_search_walks_through_the_history() -> None:
    """The plan of every statement of a search, and of catching up: the index by the words, messages by their rows."""

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="one word")
        statements: dict[str, None] = {}
        connection: Any = (await run(alice, lambda tx: tx)).execute.__self__
        connection.set_trace_callback(lambda sql: statements.setdefault(sql))
        assert await found(alice, "word", contact="bob", before=2**40) == ["one word"]
        connection.set_trace_callback(None)
        looked = [
            sql for sql in statements if sql.startswith("SELECT") and "fts" not in sql and "chat_index_" not in sql
        ]
        assert len(looked) >= 5

        def plan(tx: Tx) -> list[str]:
            return [step for sql in looked for _, _, _, step in tx.all(f"EXPLAIN QUERY PLAN {sql}")]

        steps = await run(alice, plan)
        walks = [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]
        assert [step for step in walks if "VIRTUAL TABLE INDEX" not in step and step != "SCAN chat_indexed"] == []
        (searched,) = [step for step in steps if "VIRTUAL TABLE INDEX" in step]
        assert ":M" in searched  # by MATCH
        assert "<" in searched  # from the row `before` on
        assert "SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in steps

    world.run(story, seed=319)


def files_of(w: World) -> dict[str, bytes]:
    """Every file of everybody: the databases and their logs."""
    return {file.name: file.read_bytes() for file in sorted(w.folder.iterdir())}


def test_no_word_of_the_index_lies_on_the_disk() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        secrets = (CANARY.encode(), CANARY.upper().encode(), "北 京".encode(), "北京".encode(), b"chat_index")
        for n in range(60):
            await alice.call("chat.send", to="bob", text=f"{CANARY} 北京{n} {n}{CANARY}")
            if n % 10 == 0:
                await found(alice, CANARY)
        await w.until(lambda: delivered(alice, "bob"))
        assert len(await found(alice, CANARY, limit=100)) == len(await found(bob, "北京", limit=100)) == 60
        assert {"alice.db", "alice.db-wal", "bob.db", "bob.db-wal"} <= set(files_of(w))
        assert [name for name, raw in files_of(w).items() if any(secret in raw for secret in secrets)] == []
        await alice.stop()
        assert [name for name, raw in files_of(w).items() if any(secret in raw for secret in secrets)] == []

    world.run(story, seed=320)
