"""What contacts tell us of moments: in another order than they said it, by clocks that were set, of old places."""

import itertools
from typing import Any

import pytest

from features.moments import audience, feeds, handing, hearing, view, wall, withdrawn, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Answered, Post, Ref, Withdrawn
from features.moments.feature import FEATURE
from features.moments.feeds import By
from features.moments.shown import Rule
from features.moments.view import OURS, Moment
from features.moments.wall import Eye
from protocol import content, ids, moment
from protocol.content import Channel
from protocol.grant import Grant, Handover
from store import authoring, entries, handovers, lanes, logs, outbox, people, spaces
from store.inbox import Arrival
from store.spaces import Space
from tests.features.test_moment_heirs import begin, hers, open_feeds, post, read
from tests.features.test_moment_reading import drop
from tests.features.wall_kit import KINDS
from tests.store.space_kit import Sharers

DAY_MS = 86_400_000
EVERYBODY = Audience(Kind.ALL, words=ALL)
WHERE, NONCE = Ref(b"f" * 16, 5), b"n" * 24


def at(by: By, now_ms: int) -> By:
    """The same with the clock set so."""
    return By(by.me, now_ms, by.entropy, by.message)


def told(two: Sharers) -> list[bytes]:
    """What Ana has told Bo and he has not heard; it is on its way from now on."""
    waiting = list(lanes.waiting(two.mine, two.ana.device, lanes.CARRIER, 1000))
    for message, _ in waiting:
        outbox.left(two.mine, two.ana.device, message, two.now_ms)
    return [body for _, body in waiting if body is not None]


def hear(two: Sharers, *bodies: bytes) -> list[str]:
    """What Bo sees of Ana's once these have come, in this order."""
    contact, device = people.contact(two.theirs, two.bo.contact), people.device(two.theirs, two.bo.device)
    room = {Grant: spaces.granted, Handover: handovers.heard}
    for body in bodies:
        heard = KINDS.hear(body, Channel.RATCHET)
        apply = room.get(type(heard.content), FEATURE.apply)
        apply(two.theirs, Arrival(contact, device, 1, heard, Channel.RATCHET, two.now_ms))
    return sorted(one.said.text for one in view.of(two.theirs, two.bo.contact))


def shows(two: Sharers, by: By, text: str) -> Space:
    """Ana posts, and Bo sees it."""
    writing.post(two.mine, by, Post(text, two.now_ms), EVERYBODY)
    own = feeds.every(two.mine)[-1]
    logs.publish(two.mine, own.log.number, authoring.next_seq(two.mine, own) - 1)
    writing.settle(two.mine, by)
    two.hear(spaces.granted, spaces.grant(two.mine, own.log.number))
    hear(two, *told(two))
    two.carry(own)
    assert text in read(two, own)
    return own


def hide(two: Sharers, by: By, is_hidden: bool) -> None:
    audience.set_rule(two.mine, two.ana.contact, Rule("Bo", False, is_hidden, False))
    handing.hand(two.mine, by)


def chains(two: Sharers) -> int:
    return len(two.theirs.all("SELECT 1 FROM moment_chain"))


async def test_who_hides_after_a_clock_was_set_back_is_heard() -> None:
    async with open_feeds() as (two, by):
        shows(two, at(by, two.now_ms + 2 * DAY_MS), "of a clock that is ahead")
        hide(two, by, True)
        assert hear(two, *told(two)) == []
        assert chains(two) == 0


async def test_who_shows_again_after_a_clock_was_set_back_is_heard_also_where_that_comes_first() -> None:
    async with open_feeds() as (two, by):
        own = shows(two, by, "hello")
        hide(two, at(by, two.now_ms + 2 * DAY_MS), True)
        hidden = told(two)
        hide(two, by, False)
        shown = told(two)
        assert hear(two, *shown) == ["hello"]
        assert hear(two, *hidden) == ["hello"]  # it comes late
        assert chains(two) > 0
        hide(two, at(by, two.now_ms + 2 * DAY_MS), True)
        assert hear(two, *told(two)) == []
        hide(two, by, False)
        hear(two, *told(two))
        assert chains(two) > 0
        two.carry(own)
        assert read(two, own) == ["hello"]


async def test_who_restores_is_heard_after_what_the_lost_device_said() -> None:
    async with open_feeds() as (two, by):
        own = shows(two, by, "hello")
        hide(two, at(by, two.now_ms + 2 * DAY_MS), True)
        assert hear(two, *told(two)) == []
        two.mine.execute("DELETE FROM conversation")  # of it a backup has nothing but the messages
        hide(two, by, False)
        hear(two, *told(two))
        two.carry(own)
        assert read(two, own) == ["hello"]


# --- answers


def ours(two: Sharers, by: By) -> Moment:
    row = writing.post(two.mine, by, Post("ours", two.now_ms), EVERYBODY)
    one = view.moment(two.mine, row)
    assert one is not None
    return one


def tells(two: Sharers, number: int, what: Answered | Withdrawn) -> None:
    """Bo tells Ana this in a message of such a number."""
    contact, device = people.contact(two.mine, two.ana.contact), people.device(two.mine, two.ana.device)
    message_id = ids.new_message_id(two.now_ms, two.ana.entropy)
    raw = content.say(message_id=message_id, hlc_ms=two.now_ms, device_seq=number, parents=(), content=what)
    heard = KINDS.hear(raw, Channel.RATCHET)
    hearing.apply(two.mine, Arrival(contact, device, 1, heard, Channel.RATCHET, two.now_ms))


def below(two: Sharers, one: Moment) -> tuple[int, int]:
    """How many answers of Bo's stand below a post of Ana's, and how many notices tell of any."""
    answers = two.mine.all("SELECT 1 FROM moment_answer WHERE moment = ? AND contact != ?", (one.id, OURS))
    return len(answers), len(two.mine.all("SELECT 1 FROM moment_notice"))


def liked(two: Sharers, one: Moment, where: Ref = WHERE, nonce: bytes = NONCE) -> Answered:
    return Answered(where, one.ref, None, None, two.now_ms, nonce)


async def test_an_answer_that_was_taken_back_before_it_was_told_is_not_there() -> None:
    async with open_feeds() as (two, by):
        one = ours(two, by)
        tells(two, 2, Withdrawn(WHERE))
        tells(two, 1, liked(two, one))
        assert below(two, one) == (0, 0)
        tells(two, 3, liked(two, one, nonce=b"o" * 24))  # what was taken back had never stood there for anybody
        assert below(two, one) == (1, 1)


async def test_an_answer_that_was_told_in_two_places_is_taken_back_in_both_in_whatever_order_that_comes() -> None:
    first, second = WHERE, Ref(b"g" * 16, 0)
    said: list[tuple[int, Any]] = [(1, first), (2, second), (3, None)]
    for order in itertools.permutations(range(3)):
        async with open_feeds() as (two, by):
            one = ours(two, by)
            for place in order:
                number, where = said[place]
                tells(two, number, Withdrawn(second) if where is None else liked(two, one, where))
            assert below(two, one) == (0, 0), order


async def test_of_what_a_contact_takes_back_the_newest_is_kept() -> None:
    async with open_feeds() as (two, _):
        for seq in range(withdrawn.KEPT_MAX + 2):
            tells(two, seq, Withdrawn(Ref(b"f" * 16, seq)))
        assert two.mine.one("SELECT COUNT(*), MIN(seq) FROM moment_withdrawn") == (withdrawn.KEPT_MAX, 2)


@pytest.mark.parametrize("is_here", [True, False])
async def test_an_answer_that_its_feed_has_dropped_is_not_there_when_it_is_told(is_here: bool) -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        if is_here:
            post(two, first, hers(two, first)[0][2], "of what was said here the kind does not count")
            drop(two, first, hers(two, first)[0][2], Ref(first.log.id, 0))
            two.carry(first)
            read(two, first)
        else:
            where = (two.bo.contact, first.log.id, 0)
            two.theirs.execute("INSERT INTO moment_dropped (contact, feed, seq) VALUES (?, ?, ?)", where)
        key, ref = b"k" * 32, Ref(b"o" * 16, 0)
        row = view.put(two.theirs, OURS, ref, key, moment.name_of(key), Post("of bo", 1), 1, ref)
        assert row is not None
        audience.keep(two.theirs, row, EVERYBODY)
        one, ana = view.moment(two.theirs, row), people.contact(two.theirs, two.bo.contact)
        assert one is not None
        for seq in (0, 5):
            what = Answered(Ref(first.log.id, seq), ref, None, None, two.now_ms, bytes([seq]) * 24)
            hearing.told(two.theirs, one, ana, what, two.now_ms)
        assert two.theirs.all("SELECT seq FROM moment_answer") == [(5,)]


async def test_an_answer_that_names_where_a_post_stood_before_stands_below_it() -> None:
    async with open_feeds() as (two, by):
        before = ours(two, by)
        own = feeds.every(two.mine)[-1]
        entries.take_back(two.mine, own.log.number, before.ref.seq)  # an anchor had it, and we did not hear so
        logs.end(two.mine, own.log.number)
        assert writing.settle(two.mine, by)
        now = view.moment(two.mine, before.id)
        assert now is not None
        assert now.ref != before.ref
        tells(two, 1, Answered(WHERE, before.ref, "hello", None, two.now_ms, NONCE))
        assert below(two, now) == (1, 1)
        (shown,) = wall.show(two.mine, Eye(two.now_ms), now).comments
        assert (shown.author, shown.text) == ("Bo", "hello")
