"""Plays the eavesdropper: keeps what he can see of people over several epochs, and tries to link one with the next.

He sits in the local network and hears every beacon. He has no key; he compares bytes. What he can link without any
bytes, an address that stays and the PeerId of who lets himself be dialled, stands in docs/threats.md. Not here: what
the wire of a chat tells (test_captures.py).
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

import pytest
import trio

from lab import world
from lab.lan import Spread
from lab.world import World, befriend
from protocol import beacon
from tests.stories.test_captures import forms, secrets

LINK_BYTES = 8  # equal bytes of this length are no chance: in this much traffic 2 ** -64 times its square
QUARTER_S = 900
QUARTERS = 4
AFTER_ID = 1 + beacon.ID_BYTES


def runs(pieces: Iterable[bytes], length: int = LINK_BYTES) -> Iterator[bytes]:
    """Every run of bytes of that length in any place of any piece."""
    return (piece[at : at + length] for piece in pieces for at in range(len(piece) - length + 1))


def linked(epochs: Iterable[Iterable[bytes]]) -> list[bytes]:
    """The runs of bytes that stand in two of the epochs."""
    return sorted(
        run for one, other in combinations([frozenset(runs(epoch)) for epoch in epochs], 2) for run in one & other
    )


def by_quarter(heard: list[Spread], began_s: int) -> dict[int, list[Spread]]:
    """What was heard, by the quarter of an hour in which it was sent."""
    quarters: dict[int, list[Spread]] = {}
    for one in heard:
        quarters.setdefault(int(began_s + one.at) // QUARTER_S, []).append(one)
    return quarters


@pytest.mark.depth
def test_the_beacons_of_an_hour_share_no_bytes_from_one_quarter_to_the_next() -> None:
    """Of three people who are contacts, one of whom restarts; and within a quarter only the id repeats."""

    async def story(w: World) -> None:
        people = [await w.person(name) for name in ("alice", "bob", "chen")]
        for one, other in combinations(people, 2):
            await befriend(one, other)
        await trio.sleep(QUARTER_S - w.now_ms() / 1000 % QUARTER_S)
        w.places.tap = []
        for person in people:
            w.places.move(person.name, "café")
        for quarter in range(QUARTERS):
            await trio.sleep(QUARTER_S / 2)
            if quarter == 1:
                await people[0].kill()
                await people[0].start()
            await trio.sleep(QUARTER_S / 2)
        quarters = by_quarter(w.places.tap, w.now_ms() // 1000 - int(trio.current_time()))
        assert len(quarters) >= QUARTERS
        assert {len(one.packet) for one in w.places.tap} == {beacon.PACKET_BYTES}
        assert linked([one.packet for one in quarter] for quarter in quarters.values()) == []
        for heard in quarters.values():
            ids = {beacon.id_of(one.packet): one.name for one in heard}
            assert len(ids) == len(set(ids.values())) == len(people)
            assert linked([one.packet[AFTER_ID:]] for one in heard) == []
        hidden: dict[str, bytes] = {}
        for person in people:
            assert person.node is not None
            for name, raw in (await person.node.core.database.transact(secrets)).items():
                hidden[f"{person.name}: {name}"] = raw
        everything = b"".join(one.packet for one in w.places.tap)
        assert [name for name, raw in forms(hidden).items() if len(raw) >= LINK_BYTES and raw in everything] == []

    world.run(story, seed=90)


def test_the_eavesdropper_sees_what_there_is_to_see() -> None:
    assert linked([[b"a--12345678"], [b"--12345678b", b"x"]]) == [b"--123456", b"-1234567", b"12345678"]
    assert linked([[b"1234567", b"8"], [b"12345678"]]) == []
