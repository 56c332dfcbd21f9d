"""The filters of a search: a law against a list of messages that is looked through one by one, and what they refuse."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlcipher3 import dbapi2

from features.chat import findable, index, view, words
from features.chat.content import Text
from features.chat.feature import FEATURE
from features.chat.findable import Trait
from features.chat.index import Filters
from lab import world
from lab.world import Person, World, befriend
from protocol import content, ids
from store import migrations, schema
from store.conversations import SCHEMA
from store.database import Tx
from tests import depth
from tests.features.kit import Faults
from tests.features.test_chat import delivered
from tests.features.test_search import found, rows_of_index, run

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_000
WORDS = ("cinema", "tickets", "the", "theatre", "https://example.org/a")
CONTACTS = (1, 2, 12)


@dataclass(frozen=True, slots=True)
class Told:
    """A message as it is stored. gap: rows of something else before it."""

    words: tuple[str, ...]
    contact: int
    is_mine: bool
    arrived_ms: int
    late_ms: int
    gap: int

    @property
    def shown_ms(self) -> int:
        """When a person is told that it was said."""
        believed = -view.CLOCK_AHEAD_MS_MAX <= self.late_ms <= view.CLOCK_BEHIND_MS_MAX
        return self.arrived_ms - self.late_ms if believed else self.arrived_ms


times = st.integers(0, 8).map(lambda days: NOW_MS - days * DAY_MS)
tellings = st.builds(
    Told,
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(tuple),
    contact=st.sampled_from(CONTACTS),
    is_mine=st.booleans(),
    arrived_ms=times,  # in no order: our clock may have been set
    late_ms=st.sampled_from((0, 1, -1, DAY_MS, 3 * DAY_MS, 40 * DAY_MS, -60_000, -DAY_MS, view.CLOCK_BEHIND_MS_MAX)),
    gap=st.sampled_from((0, 0, 0, 1, 700, 5000)),
)
filters = st.builds(
    Filters,
    chats=st.lists(st.sampled_from(CONTACTS), max_size=2).map(tuple),
    is_mine=st.sampled_from((None, True, False)),
    has=st.sampled_from((None, None, *Trait)),
    since_ms=st.none() | times | st.sampled_from((-(2**70), 2**70)),
    until_ms=st.none() | times | st.sampled_from((-(2**70), 2**70)),
)


@contextmanager
def stored(told: list[Told]) -> Iterator[tuple[Tx, dict[int, Told]]]:
    """A database with these messages, not yet indexed, and their rows."""
    with closing(dbapi2.connect(":memory:", isolation_level=None)) as connection:
        migrations.run(connection, (*schema.CORE, *SCHEMA, *FEATURE.migrations))
        tx = Tx(connection)
        for contact_id in CONTACTS:
            tx.execute(
                "INSERT INTO contact VALUES (?, ?, ?, ?, '', 1, 0, 0, '', '', 0, 0, '')",
                (contact_id, bytes([contact_id]) * 32, f"c{contact_id}", f"c{contact_id}"),
            )
        rows: dict[int, Told] = {}
        seq = 0
        for one in told:
            seq += 1 + one.gap
            rows[seq] = one
            message_id = ids.MessageId(seq.to_bytes(16, "big"))
            text = Text(" ".join(one.words))
            at_ms = one.arrived_ms - one.late_ms
            body = content.say(message_id=message_id, hlc_ms=at_ms, device_seq=1, parents=(), content=text)
            tx.execute(
                f"INSERT INTO message VALUES (?, ?, ?, ?, {Text.KIND}, 3, ?, ?, 0, '', ?)",
                (seq, message_id, one.contact, int(not one.is_mine), at_ms, one.arrived_ms, body),
            )
        yield tx, rows


def passes(one: Told, wanted: Filters, query: str) -> bool:
    """Whether a message is one that is looked for: by looking at it."""
    said = {part for word in one.words for part in word.replace("://", " ").replace("/", " ").replace(".", " ").split()}
    *whole, last = query.split() or [""]
    return (
        set(whole) <= said
        and (not last or any(word.startswith(last) for word in said))
        and all(chat == one.contact for chat in wanted.chats)
        and wanted.is_mine in (None, one.is_mine)
        and (wanted.has is None or (wanted.has is Trait.LINK and any("https" in word for word in one.words)))
        and (wanted.since_ms is None or one.shown_ms >= wanted.since_ms)
        and (wanted.until_ms is None or one.shown_ms < wanted.until_ms)
    )


ONE = Told(("cinema",), 1, True, NOW_MS, 0, 0)
OLDER = replace(ONE, arrived_ms=NOW_MS - 2 * DAY_MS)
LATE = replace(ONE, late_ms=2 * DAY_MS)
BETWEEN_MS = NOW_MS - DAY_MS


@settings(max_examples=8 * depth.EXAMPLES, deadline=None)
@given(
    told=st.lists(tellings, max_size=30),
    wanted=filters,
    query=st.sampled_from(("", "the", "cinema", "tickets the", "example", "org cin")),
    limit=st.integers(0, 10),
    page=st.integers(1, 4),
)
@example(told=[ONE], wanted=Filters(), query="", limit=1, page=1)
@example(told=[ONE], wanted=Filters(since_ms=NOW_MS), query="", limit=1, page=1)
@example(told=[ONE], wanted=Filters(until_ms=NOW_MS), query="", limit=1, page=1)
@example(told=[OLDER, ONE], wanted=Filters(since_ms=BETWEEN_MS), query="", limit=1, page=1)
@example(told=[OLDER, ONE], wanted=Filters(until_ms=BETWEEN_MS), query="cinema", limit=1, page=1)
@example(told=[ONE, OLDER], wanted=Filters(since_ms=BETWEEN_MS), query="", limit=1, page=1)
@example(told=[OLDER, LATE], wanted=Filters(since_ms=BETWEEN_MS), query="", limit=1, page=1)
@example(told=[ONE, LATE], wanted=Filters(until_ms=BETWEEN_MS), query="", limit=1, page=1)
def test_a_search_finds_what_looking_through_all_messages_finds(
    told: list[Told], wanted: Filters, query: str, limit: int, page: int
) -> None:
    asked = words.asked(query) if query else words.ANYTHING
    with stored(told) as (tx, rows):
        for upto in sorted(rows):  # a transaction for each, as in a slow conversation
            assert not index.catch_up(tx, upto)
        expected = [seq for seq, one in sorted(rows.items(), reverse=True) if passes(one, wanted, query)]
        lines = index.find(tx, asked, wanted, None, limit, NOW_MS)
        assert [line.seq for line in lines] == expected[:limit]
        assert [line.at_ms for line in lines] == [rows[line.seq].shown_ms for line in lines]
        turned: list[int] = []
        while lines := index.find(tx, asked, wanted, turned[-1] if turned else None, page, NOW_MS):
            turned += [line.seq for line in lines]
        assert turned == expected


@pytest.mark.parametrize(
    "text", ["see https://example.org", "看https://例.org", "HTTP://x", "www.a.org", "weft:i/AAAA", "(ftp://x)"]
)
def test_a_link_is_one(text: str) -> None:
    assert findable.tokens_of(Text(text)).traits == {Trait.LINK}


@pytest.mark.parametrize("text", ["https", "http:// x", "xhttps://", "www.", "www.x", "a:b", "weft: a", "example.org"])
def test_what_is_no_link_is_none(text: str) -> None:
    assert findable.tokens_of(Text(text)).traits == set()
    assert findable.tokens_of(object()) == findable.Findable("", frozenset())


def test_filters_alone_and_with_words() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        await alice.call("chat.send", to="bob", text="mine to bob")
        await bob.call("chat.send", to="alice", text="of bob: https://example.org")
        await w.until(lambda: delivered(bob, "alice"))
        await chen.call("chat.send", to="alice", text="of chen \ue001 me")
        await w.until(lambda: delivered(chen, "alice"))
        assert await found(alice, "", contact="bob") == ["of bob: https://example.org", "mine to bob"]
        assert await found(alice, "", author="BOB") == await found(alice, "of bob", author="bob")
        assert await found(alice, "", author="me") == await found(alice, "mine", author="ME") == ["mine to bob"]
        assert await found(alice, "", author="bob", contact="chen") == []
        assert await found(alice, "", has="link") == ["of bob: https://example.org"]
        assert await found(alice, "", has="file") == []
        assert await found(alice, "", since_ms=0, limit=1) == ["of chen \ue001 me"]
        assert len(await found(alice, "", since_ms=-(2**70), until_ms=2**70)) == 3
        assert await found(alice, "", until_ms=w.now_ms() - 10**9) == []
        assert await found(alice, "\ue001") == ["of chen \ue001 me"]  # what a mark is made of is a word like others
        await alice.call("contacts.rename", name="chen", new="me")
        assert await found(alice, "", author="me") == ["mine to bob"]
        faults = Faults(alice)
        assert await faults.code("chat.search", query="") == "search.words"
        assert await faults.code("chat.search", query="🎉", contact="bob") == "search.words"
        assert await faults.code("chat.search", has="money") == "search.has"
        assert await faults.code("chat.search", author="nobody") == "contact.unknown"

    world.run(story, seed=322)


def test_a_row_that_was_something_else_is_found_by_what_it_is_now() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        sent = await alice.call("chat.send", to="bob", text="was a text")
        assert await found(alice, "text") == ["was a text"]
        row = sent["seq"]
        await run(alice, lambda tx: tx.execute("UPDATE message SET kind = 6000 WHERE seq = ?", (row,)))
        await run(alice, lambda tx: tx.execute("DELETE FROM message WHERE seq = ?", (row,)))
        assert await run(alice, rows_of_index) == []
        again = await alice.call("chat.send", to="bob", text="said anew")
        assert again["seq"] == row
        assert await found(alice, "anew") == ["said anew"]

    world.run(story, seed=323)


def test_no_filter_walks_through_the_history() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="one word https://example.org")
        every: dict[str, Any] = {"contact": "bob", "author": "me", "has": "link", "since_ms": 1, "until_ms": 2**50}
        some: list[dict[str, Any]] = [{"since_ms": 1}, {"author": "me"}, every]
        for query in ("word", ""):
            for wanted in some:
                steps = await plan_of(alice, query, wanted)
                walks = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE INDEX" not in step]
                assert {*walks} <= {"SCAN chat_indexed", "SCAN chat_span"}  # one row, and one for 1024 messages
                assert not any("TEMP B-TREE" in step for step in steps)
                (searched,) = [step for step in steps if "VIRTUAL TABLE INDEX" in step]
                assert all(mark in searched for mark in (":M", "<", ">"))  # by MATCH, within rows

    world.run(story, seed=324)


async def plan_of(person: Person, query: str, wanted: dict[str, object]) -> list[str]:
    """How SQLite does what a search asks of it."""
    statements: dict[str, None] = {}
    connection: Any = (await run(person, lambda tx: tx)).execute.__self__
    connection.set_trace_callback(lambda sql: statements.setdefault(sql))
    assert len(await found(person, query, **wanted)) == 1
    connection.set_trace_callback(None)
    looked = [sql for sql in statements if sql.startswith("SELECT") and "fts" not in sql and "chat_index_" not in sql]

    def plan(tx: Tx) -> list[str]:
        return [step for sql in looked for _, _, _, step in tx.all(f"EXPLAIN QUERY PLAN {sql}")]

    steps: list[str] = await run(person, plan)
    return steps


def test_filters_alone_find_also_what_will_disappear() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.timer", to="bob", seconds=3600)
        await alice.call("chat.send", to="bob", text="see https://example.org/a")
        await alice.call("chat.send", to="bob", text="nothing")
        for filters_of in ({"has": "link"}, {"has": "link", "author": "me"}, {"query": "see", "contact": "bob"}):
            lines = await alice.call("chat.search", **filters_of)
            assert [line["text"] for line in lines] == ["see https://example.org/a"], filters_of

    world.run(story, seed=457)
