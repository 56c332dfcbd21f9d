"""How much a node does to read: nothing twice, a piece at a time, and what is read costs nothing any more."""

from features.moments import aging, hearing, heirs, reading, unread, view
from features.moments.content import Chain, Comment, Hide, Ref
from protocol import moment, record
from protocol.grant import Role
from protocol.moment import Slot, Spot
from store import authoring, handovers, logs, spaces
from store.logs import State
from store.spaces import Space
from tests.features.test_moment_heirs import TAG, begin, hand, hears, hers, his, open_feeds, post, read
from tests.store.space_kit import Sharers
from tests.store.test_handovers import handover, succeed


def answer(two: Sharers, of: Space, chain: bytes, key: bytes, what: Comment | Hide) -> None:
    """What Ana says in her feed about a post with this key, under the chain of its place."""
    seq = authoring.next_seq(two.mine, of)
    wrap = moment.wrap_key(moment.stepped(chain, seq))
    spot, slots = Spot(of.log.author, of.log.id, seq), [Slot(wrap, moment.name_of(key))]
    under = moment.answer_key(key, wrap)
    sealed = moment.seal(under, spot, record.encode(what), slots, two.ana.entropy(24), two.ana.entropy)
    authoring.append(two.mine, of, sealed, two.key, two.now_ms)


async def test_what_waited_for_a_post_and_stands_below_it_waits_no_more_until_the_post_goes() -> None:
    async with open_feeds() as (two, by):
        own = begin(two, by)
        chain, about, key = hers(two, own)[0][2], Ref(own.log.id, 3), b"late".ljust(32, b".")
        for text in ("first", "second"):
            answer(two, own, chain, key, Comment(about, text))
        answer(two, own, chain, key, Hide(about, Ref(own.log.id, 0)))
        post(two, own, chain, "late")
        two.carry(own)
        assert read(two, own) == ["late"]
        waiting = "SELECT seq FROM moment_wait ORDER BY seq"
        assert two.theirs.all(waiting) == [(2,)]  # what is hidden is kept nowhere else
        (one,) = view.of(two.theirs, two.bo.contact)
        assert two.theirs.one("SELECT COUNT(*) FROM moment_answer WHERE moment = ?", (one.id,)) == (2,)
        view.set_aside(two.theirs, one, moment.name_of(key))
        assert two.theirs.all(waiting) == [(0,), (1,), (2,)]


async def test_how_far_back_is_given_is_set_for_the_feed_that_is_read_not_for_each_of_its_author() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        aging.windowed(two.theirs, two.bo.contact, 60, two.now_ms)
        second = succeed(two, first, is_handed=False)
        two.hear(spaces.granted, spaces.grant(two.mine, second.log.number))
        two.theirs.execute("DELETE FROM log_window")
        read(two, second)
        assert two.theirs.all("SELECT log FROM log_window") == [(two.of(second).log.number,)]


async def test_a_node_that_starts_reads_no_feed_that_is_over_and_read_to_the_end() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        post(two, first, hers(two, first)[0][2], "hello")
        logs.publish(two.mine, first.log.number, 0)
        second = succeed(two, first, is_handed=False)
        two.hear(spaces.granted, spaces.grant(two.mine, second.log.number))
        before, after = two.of(first).log.number, two.of(second).log.number
        two.carry(first)
        assert unread.feeds(two.theirs) == {before, after}
        read(two, first)
        assert unread.feeds(two.theirs) == {after}
        two.theirs.execute(
            "INSERT INTO moment_key (contact, feed, seq, key) VALUES (?, ?, 0, x'00')", (two.bo.contact, first.log.id)
        )
        assert unread.feeds(two.theirs) == {before, after}


async def test_a_node_that_starts_reads_a_feed_of_which_it_has_heard_just_now_that_it_was_handed_over() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        read(two, first)
        second = succeed(two, first)
        third = succeed(two, second, is_handed=False)
        for one in (second, third):
            two.hear(spaces.granted, spaces.grant(two.mine, one.log.number))
        number = two.of(second).log.number
        assert spaces.some(two.theirs, unread.feeds(two.theirs), Role.FEED) == (two.of(third),)
        two.hear(handovers.heard, handover(two, second))
        assert number in unread.feeds(two.theirs)
        read(two, second)
        assert number not in unread.feeds(two.theirs)


async def test_chains_of_feeds_that_are_over_make_room_for_those_that_go_on() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        second = succeed(two, first, is_handed=False)
        third = succeed(two, second)
        for one in (second, third):
            two.hear(spaces.granted, spaces.grant(two.mine, one.log.number))
        two.hear(handovers.heard, handover(two, third))
        hears(two, Chain(bytes(16), second.log.id, 0, b"k" * 32, b"r" * 32))
        read(two, third)
        two.theirs.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " INSERT INTO moment_chain (contact, feed, audience, seq, chain, until, root, heir, begun)"
            " SELECT ?, x'00', x'00', 0, x'00', 1, x'00', x'', 0 FROM n",
            (hearing.CHAINS_OF_MAX - 4, two.bo.contact),
        )
        assert [len(his(two, of)) for of in (first, second, third)] == [2, 1, 1]
        hears(two, Chain(TAG, third.log.id, 0, b"l" * 32, b"s" * 32))
        assert [len(his(two, of)) for of in (first, second, third)] == [1, 1, 2]
        hears(two, *(Chain(bytes([n]) * 16, third.log.id, 0, b"m" * 32, bytes([n]) * 32) for n in range(1, 3)))
        assert [len(his(two, of)) for of in (first, second, third)] == [0, 1, 3]  # what was handed over leads on


async def test_a_feed_that_goes_on_in_two_has_its_chains_in_each_and_is_read_once() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        second, third = hand(two, first), succeed(two, first)
        two.hear(handovers.heard, handover(two, third))  # of a copy of her disk
        two.hear(spaces.granted, spaces.grant(two.mine, third.log.number))
        two.hear(handovers.heard, handover(two, third))
        assert two.of(third).previous == two.of(first).log.number
        for one in (second, third):
            assert [of.log.id for of, _ in heirs.inherit(two.theirs, two.of(one))] == [one.log.id] * 2
        two.theirs.execute("DELETE FROM moment_chain WHERE feed = ? AND audience = ?", (second.log.id, TAG))
        for one in (second, third):
            assert heirs.inherit(two.theirs, two.of(one)) == []


async def test_chains_that_come_late_are_read_a_piece_at_a_time_and_not_as_they_come() -> None:
    async with open_feeds() as (two, by):
        own = begin(two, by)
        chain, count = hers(two, own)[0][2], reading.READ_MAX + 9
        two.theirs.execute("DELETE FROM moment_chain")
        for number in range(count):
            post(two, own, chain, f"{number:03}")
        two.carry(own)
        of = two.of(own)
        assert reading.read(two.theirs, of, two.now_ms)
        assert two.theirs.one("SELECT next FROM moment_read") == (reading.READ_MAX,)
        assert not reading.read(two.theirs, of, two.now_ms)
        assert two.theirs.one("SELECT next FROM moment_read") == (count,)
        assert unread.feeds(two.theirs) == {of.log.number}
        two.theirs.execute("UPDATE log SET state = ? WHERE number = ?", (int(State.OVER), of.log.number))
        assert unread.feeds(two.theirs) == set()
        others = [Chain(bytes([n]) * 16, own.log.id, 0, bytes([n]) * 32, bytes([n]) * 32) for n in range(1, 32)]
        hears(two, Chain(bytes(16), own.log.id, 0, chain, b"r" * 32), *others)
        assert (view.of(two.theirs, two.bo.contact), unread.feeds(two.theirs)) == ((), {of.log.number})
        size = reading.TRIED_MAX // 32
        for turn in (1, 2):
            assert reading.read(two.theirs, of, two.now_ms)
            assert len(view.of(two.theirs, two.bo.contact)) == turn * size
        assert not reading.read(two.theirs, of, two.now_ms)
        assert len(view.of(two.theirs, two.bo.contact)) == count
        assert unread.feeds(two.theirs) == set()


async def test_a_chain_that_ends_before_what_is_here_is_not_read_for_ever() -> None:
    async with open_feeds() as (two, by):
        own = begin(two, by)
        for number in range(reading.READ_MAX + 3):
            post(two, own, hers(two, own)[0][2], f"{number}")
        two.carry(own)
        of = two.of(own)
        read(two, own)
        two.theirs.execute("DELETE FROM entry WHERE key < ?", (logs.key(of.log.number, 3),))
        rows = [(seq, until) for seq in range(5) for until in range(5)]
        two.theirs.executemany(
            "INSERT INTO moment_chain (contact, feed, audience, seq, chain, until, root, heir, begun)"
            " VALUES (?, ?, x'01', ?, zeroblob(32), ?, x'', x'', 0)",
            [(two.bo.contact, own.log.id, *row) for row in rows],
        )
        assert not reading.read(two.theirs, of, two.now_ms)
        assert two.theirs.one("SELECT COUNT(*) FROM moment_chain WHERE due = 1") == (0,)
