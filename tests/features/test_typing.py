"""Who types, in a simulated world: told only by who has switched it on, only to who is there, and kept by nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

from features.chat import composing
from lab import world
from lab.world import Person, World, befriend
from node.typists import GAP_S, HEED_S
from protocol import talk
from store import settings
from store.database import Tx
from tests.features.kit import Faults
from tests.features.test_chats import says
from tests.features.test_search import run
from tests.stories import wiretap
from tests.stories.acts_kit import arrived

SECOND = 1.0
TYPES, ENDS = {"contact": "alice", "typing": True}, {"contact": "alice", "typing": False}


async def switched(value: str, *people: Person) -> None:
    """As `weft config set chat.typing` does."""

    def put(tx: Tx) -> None:
        settings.put(tx, composing.SETTING, value)

    for person in people:
        await run(person, put)


async def pair(w: World, value: str = "on") -> tuple[Person, Person]:
    """Alice and Bob, who are connected and both say so or not."""
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    await trio.sleep(30)
    await switched(value, alice, bob)
    return alice, bob


@contextmanager
def seeing(person: Person) -> Iterator[trio.MemoryReceiveChannel[dict[str, object]]]:
    """What a watcher of a person's node is told."""
    assert person.node is not None
    with person.node.core.services["chat"].typists.watch() as told:
        yield told


def taken(told: trio.MemoryReceiveChannel[dict[str, object]]) -> list[dict[str, object]]:
    """All that a watcher was told since it was asked last."""
    return [told.receive_nowait() for _ in range(told.statistics().current_buffer_used)]


async def types(person: Person, to: str) -> bool:
    """Whether he is told."""
    return bool((await person.call("chat.typing", to=to))["told"])


def notices(w: World) -> list[str]:
    """Who has sent a notice that stands on the tapped cable."""
    assert w.network.tap is not None
    raw = talk.encode(talk.Typing())
    framed = len(raw).to_bytes(4, "big") + raw
    return [sender for _, sender, _, piece in w.network.tap for _ in range(piece.count(framed))]


def test_nobody_tells_or_sees_before_it_is_switched_on_by_both_nor_after() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w, "")
        w.network.tap = []
        with seeing(bob) as told:
            assert not await types(alice, "bob")
            await switched("on", bob)  # who alone wants to see
            await trio.sleep(GAP_S)
            assert not await types(alice, "bob")
            await trio.sleep(SECOND)
            assert (notices(w), taken(told)) == ([], [])
            await switched("off", bob)
            await switched("on", alice)  # who tells, and whom nobody sees
            assert await types(alice, "bob")
            await trio.sleep(SECOND)
            assert (notices(w), taken(told)) == (["alice"], [])
            await switched("on", bob)
            await trio.sleep(GAP_S)
            assert await types(alice, "bob")
            await trio.sleep(SECOND)
            assert taken(told) == [TYPES]
            await switched("off", alice)
            await trio.sleep(composing.LASTS_S)
            assert not await types(alice, "bob")
            await trio.sleep(SECOND)
            assert (len(notices(w)), taken(told)) == (2, [ENDS])

    world.run(story, seed=380)


def test_it_ends_by_the_clock_and_goes_on_while_one_types() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        w.network.tap = []
        with seeing(bob) as told:
            for _ in range(60):  # half a minute, a key every half second
                assert await types(alice, "bob")
                await trio.sleep(0.5)
            assert taken(told) == [TYPES]
            assert len(notices(w)) == 8
            await trio.sleep(composing.LASTS_S + SECOND)
            assert taken(told) == [ENDS]
            rows = await run(bob, lambda tx: tx.all("SELECT topic FROM change WHERE topic = 'chat.typing'"))
            assert rows == []

    world.run(story, seed=381)


def test_it_ends_when_the_message_comes_and_with_no_other_word_of_his() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        chen = await w.person("chen")
        await befriend(bob, chen)
        said = await bob.call("chat.send", to="alice", text="how are you")
        await trio.sleep(SECOND)
        with seeing(bob) as told:
            assert await types(alice, "bob")
            await trio.sleep(SECOND)
            await alice.call("chat.react", id=said["id"], mark="ok")
            await w.until(lambda: arrived(alice))
            await bob.call("chat.send", to="alice", text="his own")
            await says(chen, "bob", "of somebody else")
            assert taken(told) == [TYPES]
            await alice.call("chat.send", to="bob", text="fine")
            await trio.sleep(SECOND)
            assert taken(told) == [ENDS]
            await trio.sleep(GAP_S)
            assert await types(alice, "bob")
            await alice.call("chat.send", to="bob", text="both at once")
            await trio.sleep(SECOND)
            assert taken(told) in ([], [TYPES, ENDS])

    world.run(story, seed=382)


def test_who_is_away_or_blocked_is_told_nothing_then_or_later() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await bob.kill()

        async def is_away() -> bool:
            return not (await alice.call("contacts.show", name="bob"))["online"]

        await w.until(is_away)
        assert not await types(alice, "bob")
        await bob.start()
        with seeing(bob) as told:
            await w.until(lambda: _is_online(alice))
            await trio.sleep(30)
            assert taken(told) == []
            await alice.call("contacts.block", name="bob")
            assert not await types(alice, "bob")
            await trio.sleep(SECOND)
            assert taken(told) == []
            await alice.call("contacts.unblock", name="bob")
            await w.until(lambda: _is_online(alice))
            assert await types(alice, "bob")
            await run(alice, lambda tx: tx.execute("UPDATE contact SET alarm = 'account_changed'") and None)
            assert not await types(alice, "bob")
            await trio.sleep(SECOND)
            assert taken(told) == [TYPES]
        faults = Faults(alice)
        assert await faults.code("chat.typing", to="nobody") == "contact.unknown"

    world.run(story, seed=383)


async def _is_online(person: Person) -> bool:
    return bool((await person.call("contacts.show", name="bob"))["online"])


def test_a_flood_of_notices_is_one_and_costs_no_memory_and_no_talk() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        assert bob.node is not None
        core = bob.node.core
        with seeing(bob) as told:
            async with wiretap.open_impostor(w, alice, bob) as impostor:
                for _ in range(50):
                    await impostor.say(*[talk.Typing()] * 200)
                await trio.sleep(HEED_S / 2)
                assert taken(told) == [TYPES]
                assert core.delivery.talks.typists.came.statistics().current_buffer_used == 0
                assert len(core.delivery.talks.typists._heeded) == 1
                assert core.delivery.talks.online(1)
                await trio.sleep(composing.LASTS_S)
                assert taken(told) == [ENDS]

    world.run(story, seed=384)


def test_who_watches_the_line_sees_one_small_piece_and_only_where_it_is_switched_on() -> None:
    """The price of the setting: its moment and its length are seen from outside, what it says is not."""

    async def story(w: World) -> None:
        alice, _ = await pair(w, "off")

        async def pieces() -> list[tuple[str, int]]:
            tap = w.network.tap = []
            await types(alice, "bob")
            await trio.sleep(0.5)
            return [(sender, len(piece)) for _, sender, _, piece in tap]

        assert await pieces() == []
        await switched("on", alice)
        assert await pieces() == [("alice", 4 + len(talk.encode(talk.BundleWanted())))]

    world.run(story, seed=387)


def test_an_older_weft_that_does_not_know_the_word_is_never_sent_it() -> None:
    """To it a frame that it does not know ends the talk."""

    async def story(w: World) -> None:
        alice, bob = await pair(w)
        async with wiretap.open_impostor(w, alice, bob):  # whose hello names version 1 alone
            await trio.sleep(SECOND)
            w.network.tap = []
            assert not await types(bob, "alice")
            await trio.sleep(SECOND)
            assert notices(w) == []

    world.run(story, seed=385)


def test_a_watcher_who_does_not_read_costs_a_few_words() -> None:
    async def story(w: World) -> None:
        _, bob = await pair(w)
        assert bob.node is not None
        typists: Any = bob.node.core.services["chat"].typists
        with seeing(bob) as told:
            for _ in range(10 * composing.TOLD_MAX):
                typists._tell("alice", True)
            assert len(taken(told)) == composing.TOLD_MAX
        assert typists._watchers == {}

    world.run(story, seed=386)
