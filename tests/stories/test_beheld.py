"""A payee whose payer is away asks a mutual contact when he has seen something, and is told, whoever is away when."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from lab import world
from lab.world import Person, World, befriend
from node import speech
from protocol import spine
from protocol.spine import Cosignature
from store import beheld, people
from store.beheld import ANSWERS_MAX
from store.database import Tx
from tests.stories.crowd_kit import HOUR_S, appoint, has_lines

ACCEPTANCE, NONCE = b"a" * 32, b"n" * 32
HIDDEN, SUBJECT = spine.hide(ACCEPTANCE, NONCE), spine.blinded_subject(ACCEPTANCE, NONCE)
AHEAD_MS = 5_000_000  # chen's clock


async def ask(one: Person, witness: str, *hidden: bytes) -> None:
    """Asks the device of a contact for its word, as a room does: in one transaction."""
    assert one.node is not None

    def both(tx: Tx) -> int:
        contact_id = people.find_contact(tx, witness).id
        (device,) = people.devices_of(tx, contact_id)
        asks = tuple(beheld.asked(tx, each, device.device) for each in hidden)
        speech.say(tx, contact_id, asks, one.now_ms(), one.entropy("asks"))
        return contact_id

    one.node.core.delivery.stir(await one.node.core.database.transact(both))


async def word(one: Person, subject: bytes = SUBJECT) -> Cosignature | None:
    assert one.node is not None
    return await one.node.core.database.transact(beheld.word, subject)


def has_word(one: Person, subject: bytes = SUBJECT) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        """the word has come"""
        return await word(one, subject) is not None

    return has


async def again(one: Person) -> None:
    """Forgets what was said, so that an answer is taken once more."""
    assert one.node is not None
    await one.node.core.database.transact(beheld.forget, SUBJECT)


async def three(w: World) -> tuple[Person, Person, Person]:
    """Ana, who pays and is away, Bo, whom she pays, and Chen, a contact of both whose clock is ahead."""
    ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen", AHEAD_MS)
    for one, other in ((ana, bo), (ana, chen), (bo, chen)):
        await befriend(one, other)
    await ana.stop()
    return ana, bo, chen


def device_of(one: Person) -> bytes:
    assert one.node is not None
    return one.node.core.identity.device


def test_a_witness_says_when_he_saw_and_never_says_another_time_of_the_same() -> None:
    async def story(w: World) -> None:
        _, bo, chen = await three(w)
        asked_ms = chen.now_ms()
        await ask(bo, "chen", HIDDEN)
        await w.until(has_word(bo))
        first = await word(bo)
        assert first is not None
        assert first.witness == device_of(chen)
        spine.check_cosignature(first, SUBJECT, (device_of(chen),))
        assert asked_ms <= first.time_ms <= chen.now_ms()  # his clock counts, not hers
        await trio.sleep(HOUR_S)
        await chen.stop()
        await chen.start()
        await again(bo)
        await ask(bo, "chen", HIDDEN)
        await w.until(has_word(bo))
        assert await word(bo) == first

    world.run(story, seed=1)


def test_a_witness_who_was_away_says_when_he_came() -> None:
    async def story(w: World) -> None:
        _, bo, chen = await three(w)
        await chen.stop()
        await ask(bo, "chen", HIDDEN)
        await trio.sleep(HOUR_S)
        assert await word(bo) is None
        came_ms = chen.now_ms()
        await chen.start()
        await w.until(has_word(bo))
        first = await word(bo)
        assert first is not None
        assert first.time_ms >= came_ms

    world.run(story, seed=2)


def test_a_word_comes_by_mail_where_the_two_are_never_there_together() -> None:
    async def story(w: World) -> None:
        _, bo, chen = await three(w)
        dee = await w.person("dee")
        for one in (bo, chen):
            await befriend(dee, one)
            await appoint(dee, one)
        for sender, owner in ((bo, chen), (chen, bo)):
            await w.until(partial(has_lines, sender, owner, 1))
        await chen.stop()
        await ask(bo, "chen", HIDDEN)
        await trio.sleep(HOUR_S)
        await bo.stop()
        came_ms = chen.now_ms()
        await chen.start()
        await trio.sleep(HOUR_S)
        await chen.stop()
        await bo.start()
        await w.until(has_word(bo))
        first = await word(bo)
        assert first is not None
        assert came_ms <= first.time_ms <= came_ms + 1000 * HOUR_S

    world.run(story, seed=3)


def test_who_floods_a_witness_gets_200_words_and_takes_nobody_elses() -> None:
    async def story(w: World) -> None:
        _, bo, chen = await three(w)
        mal = await w.person("mal")
        await befriend(mal, chen)
        await w.pass_for(chen, seconds=86_400.0 - (w.now_ms() + AHEAD_MS) / 1000 % 86_400.0)  # chen's day begins
        many = [number.to_bytes(32, "big") for number in range(ANSWERS_MAX + 50)]
        await ask(mal, "chen", *many)
        await w.until(has_word(mal, spine.hidden_subject(many[ANSWERS_MAX - 1])))
        await ask(bo, "chen", HIDDEN)
        await w.until(has_word(bo))
        await trio.sleep(HOUR_S)
        found = [await word(mal, spine.hidden_subject(one)) is not None for one in many]
        assert found == [True] * ANSWERS_MAX + [False] * 50
        await w.pass_for(chen, seconds=86_400.0)
        await ask(mal, "chen", many[-1])
        await w.until(has_word(mal, spine.hidden_subject(many[-1])))

    world.run(story, seed=4)
