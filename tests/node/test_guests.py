"""Whose inbound links stay: the known ones, and so many strangers; the oldest of the fullest place goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.testing

from node import guests
from node.guests import Guest, Guests


@dataclass
class Link:
    """A link that says what the test wants."""

    is_vouched: bool


@dataclass
class House:
    """The guests of one host, each in a task of its own."""

    guests: Guests
    nursery: trio.Nursery

    async def come(self, ip: str, *, spoken: bool = False, known: bool = False) -> Guest:
        """A new guest, who has spoken or proven himself already."""
        guest: Guest = await self.nursery.start(self._stay, ip, spoken, known)
        return guest

    async def _stay(self, ip: str, spoken: bool, known: bool, task_status: Any) -> None:
        with self.guests.admit(guests.place_of(ip)) as guest:
            guest.has_spoken = spoken or known
            guest.link = Link(known)
            self.guests.make_room()
            task_status.started(guest)
            await trio.sleep_forever()


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    async with trio.open_nursery() as nursery:
        yield House(Guests(), nursery)
        nursery.cancel_scope.cancel()


def leaving(them: list[Guest]) -> list[int]:
    return [place for place, guest in enumerate(them) if guest.is_leaving]


async def test_the_oldest_silent_one_goes_and_who_has_spoken_stays() -> None:
    async with house() as h:
        speaker = await h.come("10.0.0.1", spoken=True)
        silent = [await h.come("10.0.0.1") for _ in range(guests.SILENT_MAX + 2)]
        assert leaving(silent) == [0, 1]
        assert not speaker.is_leaving


async def test_the_fullest_place_loses_its_oldest_and_the_others_nothing() -> None:
    async with house() as h:
        neighbour = [await h.come("10.0.0.2", spoken=True) for _ in range(3)]
        many = [await h.come("10.0.0.1", spoken=True) for _ in range(guests.STRANGERS_PER_PLACE_MAX + 5)]
        assert leaving(many) == [0, 1, 2, 3, 4]
        assert leaving(neighbour) == []


async def test_many_places_share_what_there_is() -> None:
    async with house() as h:
        lone = await h.come("10.0.0.9", spoken=True)
        crowd = [await h.come(f"10.0.1.{n % 8}", spoken=True) for n in range(guests.STRANGERS_MAX + 20)]
        assert not lone.is_leaving
        assert len(crowd) - len(leaving(crowd)) == guests.STRANGERS_MAX - 1


async def test_the_known_stay_and_make_the_room_of_strangers_smaller_at_last() -> None:
    async with house() as h:
        known = [await h.come("10.0.0.1", known=True) for _ in range(guests.INBOUND_MAX - 2)]
        strangers = [await h.come(f"10.0.0.{n}", spoken=True) for n in range(2, 6)]
        assert leaving(known) == []
        assert len(leaving(strangers)) == 2
        known[0].link = Link(False)  # his talk has ended: he is a stranger again, and the oldest
        await h.come("10.0.0.1", spoken=True)
        assert known[0].is_leaving


async def test_a_guest_who_has_gone_takes_no_room() -> None:
    async with house() as h:
        first = [await h.come("10.0.0.1") for _ in range(guests.SILENT_MAX)]
        for guest in first:
            guest.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        second = [await h.come("10.0.0.1") for _ in range(guests.SILENT_MAX)]
        assert leaving(second) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_a_place_is_an_ipv4_address_or_the_network_of_an_ipv6_one(one: str, other: str, same: bool) -> None:
    assert (guests.place_of(one) == guests.place_of(other)) is same
