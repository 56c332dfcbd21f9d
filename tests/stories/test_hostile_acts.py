"""What a contact can do to messages who says what no honest weft says: one story for each check."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from features.chat import acts
from features.chat.content import MARK_BYTES_MAX, Edit, How, Pin, React, Recall, Text
from features.chat.pins import PINS_MAX
from lab import world
from lab.world import Person, World
from protocol import ids, record
from protocol.content import Channel
from store.database import Tx
from tests.stories.acts_kit import arrived, lines_of, run
from tests.stories.test_acts import two
from tests.stories.test_hostile_contacts import utter


@record.record
@dataclass(frozen=True, slots=True)
class LongReact:
    """A reaction without the limit."""

    KIND: ClassVar[int] = React.KIND
    CHANNELS: ClassVar[frozenset[Channel]] = React.CHANNELS

    target: ids.Message
    mark: Annotated[str, record.Utf8(10_000)] | None


def number(line: str) -> ids.MessageId:
    """The bytes of an id."""
    return ids.MessageId(ids.ulid_from(line))


async def acts_kept(person: Person) -> list[tuple[int, int]]:
    """(kind, does it wait) of every act that a person's node keeps."""

    def look(tx: Tx) -> list[tuple[int, int]]:
        return [(kind, waits) for kind, waits in tx.all("SELECT kind, waits FROM chat_act")]

    found: list[tuple[int, int]] = await run(person, look)
    return found


async def said_by_alice(w: World) -> tuple[Person, Person, str]:
    """Alice and Bob, who is the adversary, and the id of what she has said."""
    alice, bob = await two(w)
    said = await alice.call("chat.send", to="bob", text="I will pay ten")
    await w.until(lambda: arrived(alice))
    return alice, bob, said["id"]


def test_nobody_edits_what_another_said() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        await utter(bob, "alice", Edit(number(said), "I will pay thousand"))
        await w.until(lambda: arrived(bob))
        line = (await lines_of(alice, "bob"))[said]
        assert (line["text"], line["edited"]) == ("I will pay ten", 0)
        assert await acts_kept(alice) == []

    world.run(story, seed=530)


def test_nobody_recalls_what_another_said() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        await utter(bob, "alice", Recall(number(said)))
        await w.until(lambda: arrived(bob))
        line = (await lines_of(alice, "bob"))[said]
        assert (line["text"], line["recalled"]) == ("I will pay ten", False)
        assert await acts_kept(alice) == []

    world.run(story, seed=531)


def test_a_reaction_is_short() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        await utter(bob, "alice", LongReact(number(said), "x" * MARK_BYTES_MAX))
        await utter(bob, "alice", LongReact(number(said), "y" * (MARK_BYTES_MAX + 1)))
        await w.until(lambda: arrived(bob))
        line = (await lines_of(alice, "bob"))[said]
        assert line["reactions"] == ({"mine": False, "mark": "x" * MARK_BYTES_MAX},)

    world.run(story, seed=532)


def test_a_flood_of_reactions_to_nothing_fills_no_disk() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        for start in range(0, acts.WAITS_MAX + 300, 100):
            nothing = (ids.MessageId(bytes(12) + n.to_bytes(4)) for n in range(start, start + 100))
            await utter(bob, "alice", *(React(one, "ok") for one in nothing))
        await utter(bob, "alice", React(number(said), "hm"))
        await w.until(lambda: arrived(bob))
        kept = await acts_kept(alice)
        assert kept.count((React.KIND, 1)) == acts.WAITS_MAX
        assert kept.count((React.KIND, 0)) == 1
        assert (await lines_of(alice, "bob"))[said]["reactions"] == ({"mine": False, "mark": "hm"},)

    world.run(story, seed=533)


def test_of_many_acts_on_one_message_few_are_kept() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        own = await bob.call("chat.send", to="alice", text="0")
        for start in range(0, 200, 100):
            await utter(bob, "alice", *(React(number(said), str(n)) for n in range(start, start + 100)))
            await utter(bob, "alice", *(Edit(number(own["id"]), str(n)) for n in range(start, start + 100)))
        await w.until(lambda: arrived(bob))
        kept = await acts_kept(alice)
        assert sorted(kept) == [(React.KIND, 0), *[(Edit.KIND, 0)] * acts.EDITS_MAX]
        lines = await lines_of(alice, "bob")
        assert lines[said]["reactions"] == ({"mine": False, "mark": "199"},)
        assert (lines[own["id"]]["text"], lines[own["id"]]["edited"]) == ("199", acts.EDITS_MAX)

    world.run(story, seed=534)


def test_no_text_arrives_that_is_marked_as_deleted_here() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        await utter(bob, "alice", Text("unseen", None, How.DELETED))
        await utter(bob, "alice", Text("with words", None, How.WITHDRAWN))
        await w.until(lambda: arrived(bob))
        lines = [*(await lines_of(alice, "bob")).values()]
        assert [(line["text"], line["recalled"]) for line in lines[1:]] == [("", True)]
        assert lines[0]["id"] == said
        bodies = await run(alice, lambda tx: tx.all("SELECT body FROM message WHERE device != 0"))
        assert [body for (body,) in bodies if b"unseen" in body or b"words" in body] == []

    world.run(story, seed=535)


def test_an_act_on_what_was_recalled_keeps_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob, _ = await said_by_alice(w)
        own = await bob.call("chat.send", to="alice", text="first")
        await bob.call("chat.recall", id=own["id"])
        await utter(bob, "alice", Edit(number(own["id"]), "words"), React(number(own["id"]), "ok"))
        await w.until(lambda: arrived(bob))
        line = (await lines_of(alice, "bob"))[own["id"]]
        assert (line["text"], line["recalled"], line["reactions"]) == ("", True, ())
        assert await acts_kept(alice) == []

    world.run(story, seed=536)


def test_an_edit_that_waits_for_an_id_is_not_heeded_for_what_somebody_else_says_under_it() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        guessed = ids.MessageId(bytes(15) + b"g")
        await utter(bob, "alice", Edit(guessed, "I will pay thousand"), Recall(guessed))
        await w.until(lambda: arrived(bob))
        await run(
            alice, lambda tx: tx.execute("UPDATE message SET message_id = ? WHERE kind = 120", (guessed,)) and None
        )
        (line,) = (await lines_of(alice, "bob")).values()
        assert line["id"] == ids.ulid(guessed) != said
        assert (line["text"], line["edited"], line["recalled"]) == ("I will pay ten", 0, False)

    world.run(story, seed=537)


def test_a_flood_of_pins_shows_fifty_and_keeps_one_of_each_message() -> None:
    async def story(w: World) -> None:
        alice, bob, said = await said_by_alice(w)
        for turn in range(1, 60):
            await utter(bob, "alice", Pin(number(said), turn % 2, turn))
        mine = await bob.call("chat.send_all", to="alice", texts=["x"] * (PINS_MAX + 10))
        await utter(bob, "alice", *(Pin(number(one["id"]), 1, 1) for one in mine))
        nothing = (ids.MessageId(bytes(12) + n.to_bytes(4)) for n in range(100))
        await utter(bob, "alice", *(Pin(one, 1, 1) for one in nothing))
        await w.until(lambda: arrived(bob))
        assert (await acts_kept(alice)).count((Pin.KIND, 0)) == 1 + len(mine)
        shown = [line["id"] for line in await alice.call("chat.pins", to="bob")]
        assert shown == [one["id"] for one in reversed(mine)][:PINS_MAX]
        await alice.call("chat.unpin_message", id=mine[-1]["id"])
        assert len(await alice.call("chat.pins", to="bob")) == PINS_MAX
        assert mine[-1]["id"] not in [line["id"] for line in await alice.call("chat.pins", to="bob")]

    world.run(story, seed=538)
