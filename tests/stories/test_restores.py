"""Cases 19 and 21 in whole nodes: databases that are set back, sessions that broke, floods that nobody can read."""

import shutil
from itertools import pairwise

import pytest
import trio

from lab import world
from lab.world import Person, World, befriend, texts
from store import sessions
from store.database import Tx
from tests.features.kit import only
from tests.stories import wiretap
from tests.stories.test_conversations import settled

HOUR_S = 3600.0


def copy_database(w: World, name: str, source: str, target: str) -> None:
    """Copies a database with its log from one folder of the world to another; the node is stopped."""
    (w.folder / target).mkdir(exist_ok=True)
    for stale in (w.folder / target).glob(f"{name}.db*"):
        stale.unlink()
    for file in (w.folder / source).glob(f"{name}.db*"):
        shutil.copy(file, w.folder / target / file.name)


async def say_both_ways(w: World, one: Person, other: Person, what: str, rounds: int = 3) -> None:
    for n in range(rounds):
        await one.call("chat.send", to=other.name, text=f"{what} {n} of {one.name}")
        await w.until(lambda: settled(one, other))
        await other.call("chat.send", to=one.name, text=f"{what} {n} of {other.name}")
        await w.until(lambda: settled(one, other))


async def count_restarts(person: Person) -> int:
    """How often a session of this person was replaced."""
    assert person.node is not None
    count = f"SELECT COUNT(*) FROM change WHERE topic = '{sessions.RESTARTED}'"
    row = await person.node.core.database.transact(lambda tx: tx.one(count))
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(("restored", "seed"), [("alice", 19), ("bob", 1901), ("alice", 1902)])
def test_case_19_yesterdays_database_heals_loses_nothing_after_and_tells(restored: str, seed: int) -> None:
    async def story(w: World) -> None:
        w.network.tap = []
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await say_both_ways(w, alice, bob, "day one")
        victim = w.people[restored]
        await victim.stop()
        copy_database(w, restored, ".", "yesterday")
        await victim.start()
        await trio.sleep(HOUR_S)
        await say_both_ways(w, alice, bob, "day two")
        await victim.stop()
        copy_database(w, restored, "yesterday", ".")
        await victim.start()
        after: list[str] = []
        for n in range(5):
            for person, to in ((alice, "bob"), (bob, "alice")):
                after.append(f"day three {n} of {person.name}")
                await person.call("chat.send", to=to, text=after[-1])
            await trio.sleep(20)
        await w.until(lambda: settled(alice, bob), patience_s=HOUR_S)
        for person, of in ((alice, "bob"), (bob, "alice")):
            got = await texts(person, of)
            assert len(got) == len(set(got))
            assert set(after) <= set(got)
            assert (await only(person))["alarm"] == "restarted"  # both are told
        await say_both_ways(w, alice, bob, "healed")
        used = wiretap.nonces(w.network.tap)
        assert len(used) == len(set(used)) > 60

    world.run(story, seed)


@pytest.mark.depth
def test_case_21_a_flood_that_nobody_can_read_makes_few_restarts_and_disturbs_nobody() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        await say_both_ways(w, alice, bob, "before")
        counts: list[int] = []
        async with wiretap.open_impostor(w, bob, alice) as impostor, trio.open_nursery() as nursery:
            nursery.start_soon(impostor.listen)
            for minute in range(120):
                await impostor.flood(20)
                await trio.sleep(60)
                counts.append(len(impostor.restarts))
                if minute == 60:
                    await say_both_ways(w, alice, chen, "meanwhile", 1)
            nursery.cancel_scope.cancel()
        times = [minute for minute, (before, now) in enumerate(pairwise([0, *counts])) if now > before]
        assert 2 <= len(times) <= 4  # in 120 minutes: 1, then not before 10, 20, 40, 80 minutes more
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps[0] >= 9  # the minutes are counted by the flood, not by the node
        assert all(later >= 2 * earlier - 2 for earlier, later in pairwise(gaps))
        await bob.start()
        await say_both_ways(w, alice, bob, "after", 1)

    world.run(story, seed=21)


def test_case_21_two_who_both_lost_their_sessions_do_not_storm() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await say_both_ways(w, alice, bob, "before")

        def lose(tx: Tx) -> None:
            tx.execute("DELETE FROM session")

        for _ in range(3):
            for person in (alice, bob):
                assert person.node is not None
                await person.node.core.database.transact(lose)
            before = [await count_restarts(person) for person in (alice, bob)]
            for person, to in ((alice, "bob"), (bob, "alice")):
                await person.call("chat.send", to=to, text=f"at {w.now_ms()} of {person.name}")
            await trio.sleep(HOUR_S / 2)
            await w.until(lambda: settled(alice, bob), patience_s=6 * HOUR_S)
            after = [await count_restarts(person) for person in (alice, bob)]
            assert sum(after) - sum(before) <= 6
        assert sorted(await texts(alice, "bob")) == sorted(await texts(bob, "alice"))

    world.run(story, seed=2101)
