"""An answer that the author of a post has hidden, and that is written again in another place: it stays hidden."""

from itertools import permutations

import pytest

from features.moments import below, hearing, view, wall, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Answered, Comment, Hide, Post, Ref, said
from features.moments.feeds import By
from features.moments.view import OURS, Moment
from features.moments.wall import Eye
from protocol.grant import Role
from store import logs, people, spaces
from store.database import Tx
from tests.features.test_moment_heirs import open_feeds
from tests.features.test_moment_notices import comment, post
from tests.store.space_kit import Sharers, stranger

NONCE, AHEAD = b"n" * 24, 2**20


def feed_of_bo(two: Sharers, epoch: int = 0) -> bytes:
    """A feed of Bo's that Ana reads."""
    anchor = people.contact(two.theirs, two.bo.contact).account
    readers, secret = (two.bo.contact,), bytes([epoch]) * 32
    own = spaces.begin(
        two.theirs, two.bo.mine.device, Role.FEED, "moments", secret, epoch, anchor, readers, 0, two.now_ms
    )
    two.hear(spaces.granted, spaces.grant(two.theirs, own.log.number), to=two.ana)
    return own.log.id


def posted(two: Sharers, by: By) -> Moment:
    """A post of Ana's."""
    one = view.moment(two.mine, writing.post(two.mine, by, Post("p", two.now_ms), Audience(Kind.ALL, words=ALL)))
    assert one is not None
    return one


def tell(two: Sharers, one: Moment, where: Ref, text: str = "rude", nonce: bytes = NONCE) -> None:
    """Bo tells Ana that he has answered."""
    answered = Answered(where, one.ref, text, None, two.now_ms, nonce)
    hearing.told(two.mine, one, people.contact(two.mine, two.ana.contact), answered, two.now_ms)


def hide(two: Sharers, by: By, one: Moment, where: Ref) -> None:
    """Ana hides it."""
    writing.answer(two.mine, by, one, Hide(one.ref, where))
    view.hide(two.mine, one.id, where)


def shown(tx: Tx, one: Moment) -> dict[str, bool]:
    """What its author sees below a post: each with whether it is hidden."""
    return {line.text: line.hidden for line in wall.show(tx, Eye(one.at_ms), one).comments}


def count(tx: Tx, one: Moment) -> int:
    """How many comments others are shown, as far as we know."""
    return wall.line(tx, Eye(one.at_ms), one).comments


def hides(tx: Tx) -> list[Ref]:
    """The places that Ana's feed says are hidden, in its order."""
    found = [said(raw) for (raw,) in tx.all("SELECT said FROM moment_entry WHERE kind = ? ORDER BY id", (Hide.KIND,))]
    return [what.answer for what in found if isinstance(what, Hide)]


async def test_a_hidden_comment_stays_so_where_it_is_written_again_and_that_is_said_once() -> None:
    async with open_feeds() as (two, by):
        one, feed, heir = posted(two, by), feed_of_bo(two), feed_of_bo(two, 1)
        before, after = Ref(feed, 5), Ref(heir, 0)
        tell(two, one, before)
        tell(two, one, Ref(feed, 6), "kind", b"k" * 24)
        hide(two, by, one, before)
        own, changed = logs.by_id(two.mine, one.ref.log), two.mine._changes
        changed.clear()
        tell(two, one, after)
        assert own is not None
        assert (logs.TOPIC, own.number) in changed  # so the clerk looks what is due
        tell(two, one, after)
        assert shown(two.mine, one) == {"rude": True, "kind": False}
        assert count(two.mine, one) == 1
        assert hides(two.mine) == [before]
        for _ in range(3):
            writing.settle(two.mine, by)
        assert hides(two.mine) == [before, after]
        tell(two, one, before)  # what others read late: that place is said already
        writing.settle(two.mine, by)
        assert shown(two.mine, one) == {"rude": True, "kind": False}
        assert hides(two.mine) == [before, after]


async def test_who_moves_a_hidden_comment_over_and_over_has_little_written_and_then_tells_of_another() -> None:
    async with open_feeds() as (two, by):
        one, feed = posted(two, by), feed_of_bo(two)
        tell(two, one, Ref(feed, 0))
        hide(two, by, one, Ref(feed, 0))
        for seq in range(1, 1000):  # between two rounds: said once
            tell(two, one, Ref(feed, seq))
        writing.settle(two.mine, by)
        assert hides(two.mine) == [Ref(feed, 0), Ref(feed, 999)]
        for seq in range(1000, 1000 + below.AGAIN_MAX - 1):
            tell(two, one, Ref(feed, seq))
            writing.settle(two.mine, by)
            assert shown(two.mine, one) == {"rude": True}
        assert len(hides(two.mine)) == 1 + below.AGAIN_MAX
        two.mine.execute("UPDATE moment_notice SET seen = 1")
        for seq in range(2000, 2010):
            tell(two, one, Ref(feed, seq))
            writing.settle(two.mine, by)
        assert shown(two.mine, one) == {"rude": False}
        assert len(hides(two.mine)) == 1 + below.AGAIN_MAX
        (notice,) = wall.notices(two.mine, Eye(two.now_ms), 10)
        assert (notice.kind, notice.is_new) == ("comment", True)
        hide(two, by, one, Ref(feed, 2009))
        tell(two, one, Ref(feed, 2010))
        assert shown(two.mine, one) == {"rude": True}


async def test_nothing_is_hidden_again_in_a_feed_that_may_be_somebody_elses() -> None:
    async with open_feeds() as (two, by):
        one, feed = posted(two, by), feed_of_bo(two)
        tell(two, one, Ref(feed, 0))
        hide(two, by, one, Ref(feed, 0))
        tell(two, one, Ref(b"?" * 16, 7))
        writing.settle(two.mine, by)
        assert shown(two.mine, one) == {"rude": True}
        assert hides(two.mine) == [Ref(feed, 0)]
        heir = feed_of_bo(two, 1)
        tell(two, one, Ref(heir, 0))
        writing.settle(two.mine, by)
        assert hides(two.mine) == [Ref(feed, 0), Ref(heir, 0)]


async def test_of_who_has_said_all_that_he_may_what_is_hidden_is_found_in_another_place_all_the_same() -> None:
    async with open_feeds() as (two, by):
        one, feed = posted(two, by), feed_of_bo(two)
        for seq in range(below.ANSWERS_MAX + 1):
            tell(two, one, Ref(feed, seq), f"no. {seq}", seq.to_bytes(24, "big"))
        hide(two, by, one, Ref(feed, 3))
        tell(two, one, Ref(feed, AHEAD), "no. 3", (3).to_bytes(24, "big"))
        writing.settle(two.mine, by)
        assert hides(two.mine)[-1] == Ref(feed, AHEAD)
        assert view.answer_at(two.mine, two.ana.contact, Ref(feed, AHEAD)) is not None
        assert count(two.mine, one) == below.ANSWERS_MAX - 1


@pytest.mark.parametrize("order", list(permutations(("old", "hide old", "new", "hide new"))))
async def test_who_reads_both_does_not_see_it_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    async with open_feeds() as (two, _):
        tx = two.mine
        his, cy = post(tx, two.ana.contact, "his"), stranger(tx, "Cy")
        comment(tx, his, OURS)
        places = {"old": Ref(b"f" * 16, 5), "new": Ref(b"g" * 16, 0)}
        for step in order:
            where = places[step.removeprefix("hide ")]
            if step.startswith("hide"):
                view.hide(tx, his.id, where)
            else:
                below.answered(tx, his, cy.id, where, Comment(his.ref, "rude"), his.at_ms, b"", NONCE, his.at_ms)
        assert list(shown(tx, his)) == ["words"]
        assert count(tx, his) == 1
        assert wall.notices(tx, Eye(his.at_ms), 10) == []


async def test_who_has_read_that_it_is_hidden_does_not_see_it_where_it_moves_before_that_is_said_again() -> None:
    async with open_feeds() as (two, _):
        tx = two.mine
        his, cy = post(tx, two.ana.contact, "his"), stranger(tx, "Cy")
        for seq in range(3):
            where = Ref(b"f" * 16, seq)
            below.answered(tx, his, cy.id, where, Comment(his.ref, "rude"), his.at_ms, b"", NONCE, his.at_ms)
            view.hide(tx, his.id, Ref(b"f" * 16, 0))
            assert shown(tx, his) == {}


async def test_what_we_write_again_stays_hidden_below_the_post_of_another() -> None:
    async with open_feeds() as (two, by):
        tx = two.mine
        his = post(tx, two.ana.contact, "his")
        where = comment(tx, his, OURS)
        view.hide(tx, his.id, where)
        writing._move(tx, where, Ref(b"g" * 16, 0))
        assert shown(tx, his) == {}
        writing.settle(tx, by)
        assert hides(tx) == []
