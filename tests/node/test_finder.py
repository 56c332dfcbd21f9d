"""When contacts who are away are looked for, by the virtual clock: soon at first, seldom later, at once when wanted."""

from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lab import world
from lab.lookup import Table
from lab.world import Person, World
from node import finder
from node.finder import Sought
from node.network import Address
from node.ways import FOUND_MAX, Missed, Ways
from protocol.presence_record import Presence, Whereabouts
from tests.stories.test_found import acquainted, key_of, lies_at, published

JITTER = finder.JITTER


@given(st.integers(1, 10_000), st.floats(0, 1e7), st.floats(0, 0.999999))
def test_pauses_grow_and_stay_in_their_bounds(looks: int, spent_s: float, jitter: float) -> None:
    pause_s = finder.pause_s(looks, spent_s, jitter)
    assert finder.FIRST_S[0] * (1 - JITTER) <= pause_s <= finder.RARELY_S * (1 + JITTER)
    assert finder.pause_s(looks + 1, spent_s, jitter) >= min(pause_s, finder.OFTEN_S * (1 - JITTER))
    if spent_s < finder.OFTEN_FOR_S:
        assert pause_s <= finder.OFTEN_S * (1 + JITTER)


def test_a_day_away_costs_no_more_than_seventy_looks() -> None:
    spent_s, looks = finder.HEAD_START_S, 0
    while spent_s < 86_400:
        looks += 1
        spent_s += finder.pause_s(looks, spent_s, 0.0)
    assert looks <= 70


async def test_who_is_wanted_is_looked_for_once_and_not_at_each_message() -> None:
    one = Sought(0.0, looked_at=100.0, next_at=2000.0, pause_s=1800.0)
    one.hurry()
    assert one.next_at == 280.0
    one.pause_s = 30.0
    one.hurry()
    assert one.next_at == 130.0
    one.looked_at = 125.0
    one.hurry()
    assert one.next_at == 130.0
    one.begin(126.0)
    assert one.next_at == 127.0


async def lonely(w: World) -> tuple[Person, Person, Table, bytes]:
    """Alice, whose contact Bob is away without a record; the key at which she looks."""
    alice, bob, table = await acquainted(w)
    await w.until(lambda: published(bob, table))
    key = lies_at(await key_of(bob))
    await bob.stop()
    table.plant(key, b"")
    table.asked.clear()
    return alice, bob, table, key


def looks_of(table: Table, key: bytes) -> list[float]:
    return [at for at, name, asked in table.asked if name == "alice" and asked == key]


def test_the_looks_of_an_hour() -> None:
    async def story(w: World) -> None:
        _, _, table, key = await lonely(w)
        await trio.sleep(3600)
        at = looks_of(table, key)
        gaps = [later - earlier for earlier, later in pairwise(at)]
        assert max(gaps[:10]) <= finder.OFTEN_S * (1 + JITTER) + 1
        assert max(gaps) <= finder.SOMETIMES_S * (1 + JITTER) + 1
        assert 20 <= len(at) <= 50

    world.run(story, 440)


@pytest.mark.depth
def test_a_message_makes_one_look_at_once_and_many_make_few() -> None:
    async def story(w: World) -> None:
        alice, _, table, key = await lonely(w)
        await trio.sleep(3 * 3600)
        table.asked.clear()
        began = trio.current_time()
        for _ in range(300):
            await alice.call("chat.send", to="bob", text="are you there?")
            await trio.sleep(1)
        at = looks_of(table, key)
        assert at[0] - began <= finder.SELDOM_S / finder.HURRY_PART * (1 + JITTER)
        assert len(at) <= 4

    world.run(story, 441)


def test_another_network_makes_it_look_at_once() -> None:
    async def story(w: World) -> None:
        _, _, table, key = await lonely(w)
        await trio.sleep(3 * 3600)
        table.asked.clear()
        began = trio.current_time()
        w.places.move("alice", "train")
        await trio.sleep(60)
        at = looks_of(table, key)
        assert at[0] - began <= finder.NEW_GAP_S
        assert len(at) >= 3

    world.run(story, 442)


def test_few_look_at_once() -> None:
    async def story(w: World) -> None:
        alice, _, _, _ = await lonely(w)
        assert alice.node is not None
        found = alice.node.core.finder
        assert found is not None
        assert found._limit.total_tokens == finder.LOOKS_MAX

    world.run(story, 443)


def test_the_addresses_of_a_record_are_taken_in_turns_and_only_those_that_are_some() -> None:
    async def story(w: World) -> None:
        alice = (await acquainted(w))[0]
        assert alice.node is not None
        found = alice.node.core.finder
        assert found is not None
        own = alice.node.core.network.addresses()[0]
        many = tuple(f"/ip4/192.0.2.{host}/tcp/1" for host in range(1, 7))
        other = ("/ip4/198.51.100.1/tcp/1", own, "/dns4/x/tcp/1", "/ip4/198.51.100.2/tcp/1")
        lines = tuple(Whereabouts(bytes([n]) * 32, b"t" * 32, said, 1) for n, said in enumerate((many, other)))  # type: ignore[arg-type]
        dialable = found._dialable(Presence(lines))
        assert dialable[:3] == (many[0], other[0], many[1])
        assert set(dialable) == {*many, other[0], other[3]}
        assert len(dialable) <= FOUND_MAX

    world.run(story, 444)


async def test_who_began_to_be_dialled_is_told_once() -> None:
    missed = Missed()
    missed.note(1, is_new=True)
    missed.note(2)
    missed.note(1, has_failed=True)
    told = [(one.contact, one.is_new, one.has_failed) for one in await missed.take()]
    assert told == [(1, True, True), (2, False, False)]
    with trio.move_on_after(0.01) as waiting:
        await missed.take()
    assert waiting.cancelled_caught


def test_what_a_beacon_said_is_forgotten_with_its_network_and_what_a_record_said_is_not() -> None:
    near, far, told = Address("/ip4/10.0.0.1/tcp/1"), Address("/ip4/192.0.2.1/tcp/1"), Address("/ip4/192.0.2.2/tcp/1")
    ways = Ways()
    ways.meet(1, (near,))
    ways.find(1, [far] * 20)
    assert ways.of(1, (told,)) == (near, *[far] * FOUND_MAX, told)
    assert ways.is_near(1, near)
    ways.leave()
    assert ways.of(1, (told,))[0] == far
