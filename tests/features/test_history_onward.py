"""The history read onward, page by page: all of it, once, in order, and without a walk through other chats."""

from typing import Any

from lab import world
from lab.world import World, befriend
from tests.features.test_chat import delivered
from tests.features.test_search import run


def test_pages_onward_are_the_whole_conversation() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        for n in range(12):
            await alice.call("chat.send", to="bob", text=f"mine {n}")
            await alice.call("chat.send", to="chen", text="to somebody else")
            await bob.call("chat.send", to="alice", text=f"his {n}")
        await w.until(lambda: delivered(bob, "alice"))
        await w.until(lambda: delivered(alice, "bob"))
        whole = await alice.call("chat.history", to="bob", limit=1000)
        assert len(whole) == 24
        assert await alice.call("chat.history", to="bob", limit=1000, after=0) == whole
        for limit in (1, 5, 24):
            turned: list[Any] = []
            after = 0
            while page := await alice.call("chat.history", to="bob", limit=limit, after=after):
                assert len(page) <= limit
                assert min(line["seq"] for line in page) > after
                turned += page
                after = max(line["seq"] for line in page)
            assert sorted(turned, key=lambda line: line["seq"]) == sorted(whole, key=lambda line: line["seq"])
        for after in (whole[-1]["seq"] + 100, 2**70):
            assert await alice.call("chat.history", to="bob", after=after) == []
        assert len(await alice.call("chat.history", to="bob", after=-(2**70))) == 24
        assert await alice.call("chat.history", to="bob", after=0, limit=-1) == []

    world.run(story, seed=325)


def test_a_page_onward_walks_through_no_other_chat() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="one")
        statements: dict[str, None] = {}
        connection: Any = (await run(alice, lambda tx: tx)).execute.__self__
        connection.set_trace_callback(lambda sql: statements.setdefault(sql))
        assert len(await alice.call("chat.history", to="bob", after=1)) == 1
        connection.set_trace_callback(None)
        (looked,) = [sql for sql in statements if "ORDER BY m.seq LIMIT" in sql]
        steps = await run(alice, lambda tx: [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {looked}")])
        assert "SEARCH m USING INDEX message_contact (contact=? AND rowid>?)" in steps
        assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps)

    world.run(story, seed=326)
