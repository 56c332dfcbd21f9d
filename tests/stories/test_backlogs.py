"""Much that waits for somebody: more than one window takes, in messages or in bytes, on streams that break."""

import pytest
import trio

from features.chat.content import Text
from lab import world
from lab.world import Person, World, befriend
from node import speech
from store.database import Tx
from tests.stories.test_conversations import settled

SENDS = 6
TEXTS = 100  # in one call


async def pile_up(speaker: Person, to: str, text: str) -> list[str]:
    """More than a window of texts that begin alike; returns them."""
    said = [f"{number} {text}" for number in range(SENDS * TEXTS)]
    for start in range(0, len(said), TEXTS):
        await speaker.call("chat.send_all", to=to, texts=said[start : start + TEXTS])
    return said


async def everything(person: Person, of: str) -> list[str]:
    """The whole conversation as a person sees it."""
    found: list[str] = []
    before = None
    while page := await person.call("chat.history", to=of, limit=1000, before=before):
        found = [line["text"] for line in page] + found
        before = page[0]["seq"]
    return found


async def has_written(person: Person, to: str) -> bool:
    """Whether something was handed to a stream a second ago and is not acknowledged."""
    return any(line["state"] == "sent" for line in await person.call("chat.history", to=to, limit=1000))


async def waits(person: Person, for_: str) -> bool:
    """Whether everything waits in the outbox again: the end of the stream was noticed."""
    lines = await person.call("chat.history", to=for_, limit=1000)
    return {line["state"] for line in lines} == {"queued"}


@pytest.mark.depth
def test_a_backlog_of_more_bytes_than_a_window_takes_is_delivered() -> None:
    """Found by case 20 with real nodes: the bytes of the window ended a sealing, and nothing asked for the rest."""

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await bob.kill()
        said = await pile_up(alice, "bob", "long " * 400)
        await bob.start()
        await w.until(lambda: settled(alice, bob), patience_s=30)
        assert await everything(bob, "alice") == said

    world.run(story, seed=60)


def test_nothing_is_sealed_from_the_outbox_while_somebody_else_seals_and_the_other_way_round() -> None:
    """Of two who sealed at once the later one could hand over first: two messages of 167,000 were overtaken."""

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="hello")
        await w.until(lambda: settled(alice, bob))
        await trio.sleep(5)  # both have dialled at once: by then one stream is left
        assert alice.node is not None
        core = alice.node.core
        (live,) = core.delivery.talks
        room = live.reserve(1)
        assert room.envelopes == 1

        def post(tx: Tx) -> None:
            speech.say(tx, live.contact, (Text("waits"),), core.ground.now_ms(), core.ground.entropy("message"))

        await core.database.transact(post)
        live.wake()
        await trio.sleep(5)
        assert [line["state"] for line in await alice.call("chat.history", to="bob")][1:] == ["queued"]
        live._refilling = True
        assert live.reserve(1).envelopes == 0
        live._refilling = False
        live.release(room)
        await w.until(lambda: settled(alice, bob), patience_s=5)

    world.run(story, seed=62)


@pytest.mark.depth
def test_streams_that_break_before_anything_arrives_cost_the_ratchet_little() -> None:
    """Each such stream lost a full window of 512 to the ratchet, which skips 1,000: then nothing went for a minute."""

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await bob.kill()
        said = await pile_up(alice, "bob", "short")
        w.network.delay = (2.0, 2.0)
        for _ in range(3):
            await bob.start()

            await w.until(lambda: has_written(alice, "bob"))  # a second after it left; it arrives in one more
            await bob.kill()
            await w.until(lambda: waits(alice, "bob"))
        w.network.delay = (0.001, 0.003)
        await bob.start()
        await w.until(lambda: settled(alice, bob), patience_s=30)
        assert await everything(bob, "alice") == said

    world.run(story, seed=61)
