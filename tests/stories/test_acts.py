"""Stories of two who answer, react, edit, recall, delete and forward: in the end both show the same conversation."""

import random

import pytest
import trio

from features.chat import acts
from features.chat.content import Recall
from lab import world
from lab.world import Person, World, befriend
from protocol import ids
from tests import depth
from tests.stories import acts_kit
from tests.stories.acts_kit import VERBS, Doings, arrived, lines_of
from tests.stories.test_backups import kept, lose_and_restore
from tests.stories.test_hostile_contacts import utter

WITH_PLACES = (*VERBS, "place", "place", "forward")
BAD_SEEDS = (504, 537)  # a text that was out of its lane for a while was taken for one that had arrived, and deleted


async def two(w: World) -> tuple[Person, Person]:
    """Two contacts."""
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    return alice, bob


@pytest.mark.parametrize(
    ("seed", "verbs"),
    [
        *((seed, VERBS) for seed in sorted({*range(500, 500 + 2 * depth.WORLDS), *BAD_SEEDS})),
        *((seed, WITH_PLACES) for seed in range(550, 550 + depth.WORLDS)),
    ],
)
def test_whatever_comes_when_both_show_the_same(seed: int, verbs: tuple[str, ...]) -> None:
    """Loss, cuts, kills, replays, and messages that come long after others that were said later."""

    async def story(w: World) -> None:
        chance = random.Random(seed)
        alice, bob = await two(w)
        w.network.loss, w.network.replay = 0.01, 0.05
        doings = Doings(chance, None if seed in BAD_SEEDS else random.Random(seed), verbs=verbs)
        held: dict[str, list[tuple[int, int]]] = {"alice": [], "bob": []}
        for _ in range(70):
            person, friend = chance.sample((alice, bob), 2)
            match chance.randrange(12):
                case 0:
                    w.network.cut("alice", "bob")
                case 1 | 2:
                    w.network.heal_all()
                case 3:
                    await person.kill()
                    await trio.sleep(chance.random() * 30)
                    await person.start()
                case 4:
                    held[person.name] += await acts_kit.hold_back(person, chance)
                case 5:
                    await acts_kit.let_go(person, held[person.name])
            await doings.attempt(person, friend.name)
            await trio.sleep(chance.random() * 5)
        w.network.heal_all()
        w.network.loss = 0.0
        for person in (alice, bob):
            await acts_kit.let_go(person, held[person.name])
        await w.until(lambda: arrived(alice, bob), patience_s=3600)
        await doings.check(alice, bob)

    world.run(story, seed)


def test_a_recall_that_comes_before_its_message_takes_it_as_it_comes() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        await bob.kill()
        said = await alice.call("chat.send", to="bob", text="secretword")
        held = await acts_kit.hold_back(alice, random.Random(0), share=1.0)
        assert len(held) == 1
        await utter(alice, "bob", Recall(ids.MessageId(ids.ulid_from(said["id"]))))  # the text is on its way already
        await bob.start()
        await w.until(lambda: arrived(alice))
        assert await lines_of(bob, "alice") == {}
        await acts_kit.let_go(alice, held)
        await w.until(lambda: arrived(alice))
        (notice,) = (await lines_of(bob, "alice")).values()
        assert (notice["recalled"], notice["text"]) == (True, "")
        assert not await acts_kit.holds(bob, "secretword")

    world.run(story, seed=520)


def test_what_is_recalled_before_it_left_and_deleted_then_is_never_heard_of() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        await bob.kill()
        said = await alice.call("chat.send", to="bob", text="oopsword")
        await alice.call("chat.recall", id=said["id"])
        await alice.call("chat.delete", id=said["id"])
        await bob.start()
        after = await alice.call("chat.send", to="bob", text="hello")
        await w.until(lambda: arrived(alice), patience_s=1200)
        assert list(await lines_of(bob, "alice")) == list(await lines_of(alice, "bob")) == [after["id"]]

    world.run(story, seed=534)


def test_what_is_recalled_before_it_left_never_leaves() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        await bob.kill()
        said = await alice.call("chat.send", to="bob", text="oopsword")
        await alice.call("chat.edit", id=said["id"], text="oopsagain")
        notice = await alice.call("chat.recall", id=said["id"])
        assert (notice["said"], notice["was"], notice["recalled"]) == ("oopsagain", "queued", True)
        assert not await acts_kit.holds(alice, "oops")
        assert await acts_kit.run(alice, lambda tx: tx.one("PRAGMA secure_delete")) == (1,)  # nor in a free page
        await bob.start()
        await w.until(lambda: arrived(alice), patience_s=1200)
        (there,) = (await lines_of(bob, "alice")).values()
        assert (there["id"], there["text"], there["recalled"]) == (said["id"], "", True)
        assert not await acts_kit.holds(bob, "oops")

    world.run(story, seed=521)


def test_a_recall_of_long_ago_is_not_heeded() -> None:
    """Whoever has a program of his own does not take back what he said last week."""

    async def story(w: World) -> None:
        alice, bob = await two(w)
        said = await bob.call("chat.send", to="alice", text="I owe you ten")
        await w.until(lambda: arrived(bob))
        await trio.sleep(acts.HONOURED_MS / 1000 + 60)
        await utter(bob, "alice", Recall(ids.MessageId(ids.ulid_from(said["id"]))))
        await w.until(lambda: arrived(bob))
        (there,) = (await lines_of(alice, "bob")).values()
        assert (there["text"], there["recalled"]) == ("I owe you ten", False)

    world.run(story, seed=522)


def test_a_recall_with_a_false_time_is_not_heeded_a_month_later() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        said = await bob.call("chat.send", to="alice", text="I owe you ten")
        await w.until(lambda: arrived(bob))
        await alice.stop()
        await bob.stop()
        await trio.sleep(acts.LATE_MS / 1000 + 60)
        bob.clock_off_ms = -acts.LATE_MS
        await alice.start()
        await bob.start()
        await utter(bob, "alice", Recall(ids.MessageId(ids.ulid_from(said["id"]))))
        await w.until(lambda: arrived(bob), patience_s=3600)
        (there,) = (await lines_of(alice, "bob")).values()
        assert (there["text"], there["recalled"]) == ("I owe you ten", False)

    world.run(story, seed=526)


def test_what_is_deleted_here_stays_there_and_does_not_come_back() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        said = await alice.call("chat.send", to="bob", text="keepword")
        await w.until(lambda: arrived(alice))
        await bob.call("chat.react", id=said["id"], mark="ok")
        await w.until(lambda: arrived(bob))
        await bob.call("chat.delete", id=said["id"])
        await alice.call("chat.edit", id=said["id"], text="keepword again")
        await alice.call("chat.react", id=said["id"], mark="hm")
        await w.until(lambda: arrived(alice))
        await acts_kit.let_go(alice, [(1, said["seq"])])  # the same once more, as after an acknowledgement was lost
        await w.until(lambda: arrived(alice))
        assert await lines_of(bob, "alice") == {}
        assert await bob.call("chat.inbox") == []
        assert await bob.call("chat.search", query="keepword") == []
        assert not await acts_kit.holds(bob, "keepword")
        assert [line["text"] for line in (await lines_of(alice, "bob")).values()] == ["keepword again"]

    world.run(story, seed=523)


def test_after_the_clock_was_set_back_the_last_edit_still_counts() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        said = await alice.call("chat.send", to="bob", text="one")
        await alice.call("chat.edit", id=said["id"], text="two")
        alice.clock_off_ms = -3_600_000
        for n in range(9):
            await alice.call("chat.send", to="bob", text=str(n))
        assert (await alice.call("chat.edit", id=said["id"], text="three"))["text"] == "three"
        await w.until(lambda: arrived(alice))
        assert (await lines_of(bob, "alice"))[said["id"]]["text"] == "three"

    world.run(story, seed=524)


def test_what_was_done_to_messages_is_in_a_backup() -> None:
    """And what is done after a restore is later than all that the lost disk has done."""

    async def story(w: World) -> None:
        alice, bob = await two(w)
        said = [(await alice.call("chat.send", to="bob", text=f"word{n}"))["id"] for n in range(4)]
        await w.until(lambda: arrived(alice))
        await alice.call("chat.edit", id=said[0], text="edited")
        await bob.call("chat.react", id=said[0], mark="ok")
        await alice.call("chat.recall", id=said[1])
        await w.until(lambda: arrived(alice, bob))
        await alice.call("chat.delete", id=said[2])
        before = await alice.call("chat.history", to="bob")
        assert [line["text"] for line in before] == ["edited", "", "word3"]
        file = w.folder / "alice.weft"
        await kept(alice, file)
        await alice.call("chat.edit", id=said[3], text="after the backup")
        await w.until(lambda: arrived(alice))
        await alice.stop()
        await lose_and_restore(alice, file)
        await alice.start()
        after = await alice.call("chat.history", to="bob")
        shown = [(line["id"], line["text"], line["edited"], line["recalled"], line["reactions"]) for line in after]
        assert shown == [
            (line["id"], line["text"], line["edited"], line["recalled"], line["reactions"]) for line in before
        ]
        assert await alice.call("chat.search", query="word2") == []
        await alice.call("chat.edit", id=said[3], text="again")
        await w.until(lambda: arrived(alice), patience_s=3600)
        assert (await lines_of(bob, "alice"))[said[3]]["text"] == "again"

    world.run(story, seed=525)


def test_a_pin_is_both_sides_and_ends_with_its_message() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        ids_of = [(await alice.call("chat.send", to="bob", text=f"word{n}"))["id"] for n in range(3)]
        await alice.call("chat.timer", to="bob", seconds=60)
        passing = (await alice.call("chat.send", to="bob", text="passing"))["id"]
        await w.until(lambda: arrived(alice))
        for one in (*ids_of[:2], passing):
            assert (await alice.call("chat.pin_message", id=one))["pinned"]
        await trio.sleep(1)
        await bob.call("chat.pin_message", id=ids_of[2])
        await w.until(lambda: arrived(alice, bob))

        async def both() -> list[str]:
            there = await acts_kit.pinned(bob, "alice", set())
            assert there == await acts_kit.pinned(alice, "bob", set())
            return there

        assert await both() == [ids_of[2], passing, ids_of[1], ids_of[0]]
        assert not (await bob.call("chat.unpin_message", id=ids_of[0]))["pinned"]  # whoever has pinned it
        await w.until(lambda: arrived(bob))
        assert await both() == [ids_of[2], passing, ids_of[1]]
        await alice.call("chat.recall", id=ids_of[1])
        await bob.call("chat.read", to="alice")
        await w.until(lambda: arrived(alice))
        await trio.sleep(120)
        assert await both() == [ids_of[2]]
        before = await run_count(alice)
        await alice.call("chat.pin_message", id=ids_of[2])  # it is
        await alice.call("chat.unpin_message", id=ids_of[0])  # it is not
        assert await run_count(alice) == before
        await bob.call("chat.delete", id=ids_of[2])
        assert await acts_kit.pinned(bob, "alice", set()) == []
        assert await acts_kit.pinned(alice, "bob", set()) == [ids_of[2]]

    world.run(story, seed=527)


async def run_count(person: Person) -> int:
    """How many messages there are, of any kind."""
    (count,) = await acts_kit.run(person, lambda tx: tx.one("SELECT COUNT(*) FROM message"))
    return int(count)


def test_the_last_turn_counts_whatever_the_clocks_say() -> None:
    async def story(w: World) -> None:
        alice, bob = await two(w)
        said = (await alice.call("chat.send", to="bob", text="word"))["id"]
        await w.until(lambda: arrived(alice))
        bob.clock_off_ms = 86_400_000 * 400
        await bob.call("chat.pin_message", id=said)
        await w.until(lambda: arrived(bob))
        await alice.call("chat.unpin_message", id=said)
        await w.until(lambda: arrived(alice))
        for person, of in ((alice, "bob"), (bob, "alice")):
            assert await acts_kit.pinned(person, of, set()) == []
            assert not (await lines_of(person, of))[said]["pinned"]

    world.run(story, seed=528)
