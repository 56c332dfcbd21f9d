"""Who is told that somebody liked or answered, and of moments that are another: nothing that the wall hides."""

from features.moments import audience, below, view, wall
from features.moments.content import Comment, Like, Post, Ref
from features.moments.feature import FEATURE
from features.moments.shown import Rule
from features.moments.view import OURS, Moment
from features.moments.wall import Eye
from protocol import moment
from store import people
from store.database import Tx
from store.people import Contact, ContactState
from tests.features.test_moment_heirs import open_feeds
from tests.store.space_kit import stranger

DAY_S = 86_400
NOW_MS = 1_800_000_000_000


def post(tx: Tx, contact: int, text: str, at_ms: int = NOW_MS) -> Moment:
    key, ref = text.encode().ljust(32, b"."), Ref(text.encode().ljust(16, b"."), 0)
    row = view.put(tx, contact, ref, key, moment.name_of(key), Post(text, at_ms), at_ms, ref)
    assert row is not None
    found = view.moment(tx, row)
    assert found is not None
    return found


def comment(tx: Tx, one: Moment, contact: int, about: Ref | None = None, at_ms: int = NOW_MS) -> Ref:
    where = Ref(b"%016d" % contact, one.id)
    nonce = where.log + bytes([one.id]) * 8
    below.answered(tx, one, contact, where, Comment(one.ref, "words", about), at_ms, b"", nonce, at_ms)
    return where


def told(tx: Tx, now_ms: int = NOW_MS) -> set[tuple[str, str, str]]:
    """Of what she is told, now and by events."""
    found = wall.notices(tx, Eye(now_ms), 50)
    (newest,) = tx.one("SELECT MAX(number) FROM moment_notice") or (0,)
    events = [FEATURE.shows[view.NOTICED](tx, number) for number in range(newest + 1)]
    assert {one.number for one in found} == {one["number"] for one in events if one is not None}
    return {(one.kind, one.who, one.of) for one in found}


def set_rule(tx: Tx, contact: Contact, chats_only: bool = False, hide_theirs: bool = False) -> None:
    audience.set_rule(tx, contact.id, Rule(contact.name, chats_only, False, hide_theirs))


async def test_notices_and_events_tell_of_nothing_that_the_wall_hides() -> None:
    async with open_feeds() as (two, _):
        tx = two.mine
        bo, cy = people.contact(tx, two.ana.contact), stranger(tx, "Cy")
        ours, his = post(tx, OURS, "ours"), post(tx, bo.id, "his")
        comment(tx, his, OURS)
        own, also = ("comment", "Cy", "ours"), ("also", "Cy", "his")
        other = post(tx, bo.id, "his other")
        about = comment(tx, other, OURS)
        comment(tx, ours, cy.id)
        place = comment(tx, his, cy.id)
        comment(tx, other, cy.id, about)
        everything = {own, also, ("reply", "Cy", "his other")}
        assert told(tx) == everything

        set_rule(tx, cy, chats_only=True)  # he is not shown below the posts of others
        assert told(tx) == {own}
        set_rule(tx, cy)
        set_rule(tx, bo, chats_only=True)
        assert told(tx) == {own}
        set_rule(tx, bo)
        people.set_state(tx, bo.id, ContactState.BLOCKED, "blocked")
        assert told(tx) == {own}
        people.set_state(tx, bo.id, ContactState.ACTIVE, "")

        view.hide(tx, his.id, place)  # by Bo
        assert told(tx) == everything - {also}
        view.hide(tx, ours.id, Ref(b"%016d" % cy.id, ours.id))  # by ourselves: we go on to see it
        assert told(tx) == everything - {also}
        people.set_state(tx, cy.id, ContactState.BLOCKED, "blocked")
        assert told(tx) == set()


async def test_notices_and_events_tell_of_nothing_older_than_its_author_shows() -> None:
    async with open_feeds() as (two, _):
        tx, later_ms = two.mine, NOW_MS + 4 * DAY_S * 1000
        bo, cy = people.contact(tx, two.ana.contact), stranger(tx, "Cy")
        his, new = post(tx, bo.id, "his"), post(tx, bo.id, "his newest", later_ms)
        for one in (his, new):
            comment(tx, one, OURS)
            comment(tx, one, cy.id, at_ms=later_ms)
        assert told(tx, later_ms) == {("also", "Cy", "his"), ("also", "Cy", "his newest")}
        tx.execute(
            "INSERT INTO moment_author (contact, window_s, at_ms, feed, seq) VALUES (?, ?, 0, x'', -1)",
            (bo.id, 3 * DAY_S),
        )
        assert told(tx, later_ms) == {("also", "Cy", "his newest")}


async def test_watchers_are_told_of_what_is_on_the_wall() -> None:
    async with open_feeds() as (two, _):
        tx, later_ms = two.mine, NOW_MS + 4 * DAY_S * 1000
        bo = people.contact(tx, two.ana.contact)
        his, ours = post(tx, bo.id, "his"), post(tx, OURS, "ours", later_ms)
        below.answered(tx, ours, bo.id, Ref(bytes(16), 1), Like(ours.ref), later_ms, b"", bytes(24), later_ms)

        def shown() -> list[bool]:
            return [FEATURE.shows[view.CHANGED](tx, one.id) is not None for one in (his, ours)]

        assert shown() == [True, True]
        for chats_only in (True, False):
            set_rule(tx, bo, chats_only, not chats_only)
            assert shown() == [False, True]
        set_rule(tx, bo)
        tx.execute(
            "INSERT INTO moment_author (contact, window_s, at_ms, feed, seq) VALUES (?, ?, 0, x'', -1)",
            (bo.id, 3 * DAY_S),
        )
        assert shown() == [False, True]
