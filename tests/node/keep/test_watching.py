"""What is judged of a keeper by who was away, or does not know that anything had come."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from node.keep import watching
from node.keep.watching import Watching
from protocol import keep, keep_note
from protocol.parcel import Head, Parcel
from store import keepers, watches
from store.database import Tx
from store.keepers import QueueState
from tests.store import kit

DAY_MS = 86_400_000
SEED = b"o" * 32


class Watched(NamedTuple):
    """A keeper with one open queue, by which nothing has come."""

    tx: Tx
    keeper: int
    contact: int
    now_ms: int

    def judge_the_seventh(self) -> str:
        """What is said of the keeper once the seventh parcel came, which says that six before it were kept."""
        queue = keepers.queue_of(self.tx, self.keeper, self.contact)
        assert queue is not None
        page = Watching(self.tx, self.now_ms)
        page.came(queue, Parcel(b"r" * 8, 7, self.now_ms, (Head(queue.sender, 6),), b"inner"))
        page.save()
        watching.judge(self.tx, self.keeper, self.now_ms + DAY_MS, self.now_ms + DAY_MS)
        return keepers.keeper(self.tx, self.keeper).wrong


@asynccontextmanager
async def open_watched() -> AsyncIterator[Watched]:
    async with kit.open_memory_pair() as (ana, _):
        tx, now_ms = await kit.grip(ana), ana.clock.ms
        one = keepers.offered(tx, 9, bytes(32), bytes(32), 1 << 30, keep.FRIEND.ttl_s, 1, now_ms)
        assert one is not None
        keepers.use(tx, one.id, SEED)
        keepers.want_queues(tx, one.id, [ana.contact], ana.entropy)
        keepers.set_queues(tx, [queue.id for queue in keepers.queues(tx, one.id)], QueueState.OPEN)
        keepers.met(tx, one.id, b"p" * 32, (), now_ms)
        yield Watched(tx, one.id, ana.contact, now_ms)


async def test_who_was_not_away_misses_what_did_not_come() -> None:
    async with open_watched() as one:
        assert one.judge_the_seventh().startswith("it lost 6 of what")


@pytest.mark.parametrize("days", [22, 23])
async def test_who_was_away_does_not_miss_what_came_and_expired_while_nothing_had_come_before(days: int) -> None:
    async with open_watched() as one:
        watching.absent(one.tx, keepers.keeper(one.tx, one.keeper), one.now_ms + days * DAY_MS)
        assert bool(one.judge_the_seventh()) == (days == 22)


async def test_whose_disk_forgot_that_anything_came_misses_nothing() -> None:
    async with open_watched() as one:
        watches.reminded(one.tx, one.keeper, keep_note.write(SEED, 1))
        assert one.judge_the_seventh() == ""


async def test_a_note_that_is_known_or_made_up_changes_nothing() -> None:
    async with open_watched() as one:
        watches.reminded(one.tx, one.keeper, watches.next_note(one.tx, one.keeper))
        watches.reminded(one.tx, one.keeper, keep_note.write(b"x" * 32, 99))
        assert one.judge_the_seventh() != ""


async def test_a_note_of_a_keeper_that_is_used_no_more_is_none() -> None:
    """It has no key then, and whoever keeps there could make a note of any count."""
    async with open_watched() as one:
        keepers.ended(one.tx, one.keeper)
        assert not watches.reminded(one.tx, one.keeper, keep_note.write(b"", 2**64 - 1))
        assert watches.next_note(one.tx, one.keeper) == b""


async def test_whoever_learns_that_his_disk_was_put_back_misses_nothing_where_nothing_had_come() -> None:
    async with open_watched() as one:
        watches.begin_anew(one.tx, one.contact)
        assert one.judge_the_seventh() == ""
