"""A rule or a block that comes while something is written: it is not written where he reads who shall not any more."""

from collections.abc import Callable, Iterator

import pytest
import trio

from features.moments import audience, feeds, handing, view, writing
from features.moments.audience import Audience, Kind
from features.moments.content import Post
from features.moments.faults import StillRead
from features.moments.feeds import By
from features.moments.shown import Rule
from store import authoring, logs, people
from store.database import Tx
from store.people import ContactState
from tests.features.test_moment_heirs import open_feeds
from tests.features.wall import To
from tests.features.wall_kit import Node, Rooms

ALL = To(is_all=True)
LEADS = 24  # steps of the scheduler by which a rule comes after a post has begun

Bar = Callable[[Tx, int, bool], None]


def hide(tx: Tx, contact_id: int, holds: bool) -> None:
    audience.set_rule(tx, contact_id, Rule("", chats_only=False, hide_mine=holds, hide_theirs=False))


def block(tx: Tx, contact_id: int, holds: bool) -> None:
    people.set_state(tx, contact_id, ContactState.BLOCKED if holds else ContactState.ACTIVE, "")


@pytest.fixture
def rooms() -> Iterator[Rooms]:
    made = Rooms(1)
    yield made
    made.close()


async def race(ana: Node, first: int, second: int, bar: Bar, text: str, lead: int) -> bool:
    """A post while two are barred one after the other; whether both were when it was written. Neither reads it then."""
    found = []

    def post(tx: Tx, by: By) -> None:
        writing.post(tx, by, Post(text, by.now_ms), Audience(Kind.ALL))
        assert not handing.barred(tx)
        found.append(audience.is_out(tx, people.contact(tx, second)))

    await ana.database.transact(bar, first, True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ana.moments._write, post)
        for _ in range(lead):
            await trio.lowlevel.checkpoint()
        await ana.database.transact(bar, second, True)
    return found[-1]


@pytest.mark.parametrize("bar", [hide, block])
def test_who_is_barred_while_a_feed_goes_on_without_another_does_not_read_what_is_written_next(
    rooms: Rooms, bar: Bar
) -> None:
    for one, other in (("ana", "bo"), ("ana", "cy"), ("ana", "di"), ("bo", "di")):
        rooms.befriend(one, other)
    rooms.post("ana", "first", ALL)
    rooms.settle()
    ana = rooms.nodes["ana"]
    cy, bo = (ana.known[name][0] for name in ("cy", "bo"))
    found = set()
    for lead in range(LEADS):
        text = f"after{lead}"
        is_barred_first = rooms._call(race, ana, cy, bo, bar, text, lead)
        rooms.settle()
        assert text in rooms.visible("di")
        assert not is_barred_first or text not in rooms.visible("bo")
        for contact_id in (cy, bo):
            rooms._write("ana", bar, contact_id, False)
        rooms.settle()
        found.add(is_barred_first)
    assert found == {False, True}


async def test_nothing_is_appended_to_a_feed_that_somebody_reads_who_shall_not() -> None:
    async with open_feeds() as (two, by):
        tx, bo = two.mine, two.ana.contact
        row = writing.post(tx, by, Post("before", by.now_ms), Audience(Kind.ALL))
        one, of = view.moment(tx, row), feeds.newest(tx, by.me)
        assert one is not None
        assert of is not None
        logs.publish(tx, of.log.number, authoring.next_seq(tx, of) - 1)
        hide(tx, bo, True)
        for write in (
            lambda: writing.post(tx, by, Post("after", by.now_ms), Audience(Kind.ALL)),
            lambda: writing.edit(tx, by, one, Post("other", by.now_ms)),
            lambda: writing.drop(tx, by, (one.ref,)),
        ):
            with pytest.raises(StillRead):
                write()
        assert authoring.next_seq(tx, of) == 1
        assert handing.barred(tx) == {of.log.number: frozenset({bo})}
