"""What of an entry a peer is given: within the window; of a feed that goes on, only where he knows in which log."""

from node.logs import giving
from protocol.grant import Role
from store import authoring, entries, handovers, logs, mutual, spaces, windows
from store.database import Tx
from store.spaces import Space
from tests.store import log_kit
from tests.store.space_kit import Sharers, open_sharers, stranger

DAY_MS = 86_400_000
CY, DEE = "Cy", "Dee"


def is_given(tx: Tx, of: Space, contact_id: int, now_ms: int = 0) -> list[bool]:
    """Of which entries a contact is given what they say."""
    held = log_kit.held(tx, of.log.number)
    given = giving.given(tx, spaces.space(tx, of.log.number), contact_id, held, now_ms)
    assert [raw for raw, _ in given] == [one.raw for one in held]
    return [content is not None for _, content in given]


def posted(two: Sharers, role: Role = Role.FEED) -> tuple[Space, Space]:
    """A log of Ana's with two entries that Bo has: hers, and his."""
    own, his = two.begin("moments", role)
    for said in (b"one", b"two"):
        authoring.append(two.mine, own, said, two.key, two.now_ms)
    two.carry(own)
    return own, his


def goes_on(two: Sharers, own: Space) -> Space:
    """The successor of Ana's log, as Bo is granted it."""
    of = spaces.space(two.mine, own.log.number)
    begun = authoring.succeed(two.mine, of, of.anchor, two.key, two.now_ms, two.ana.entropy)
    two.hear(spaces.granted, spaces.grant(two.mine, begun.log.number))
    return two.of(begun)


def after_of(two: Sharers, his: Space) -> Space:
    """A log of Ana's, which Bo has, as she has it."""
    return next(one for one in spaces.of(two.mine, spaces.OURS) if one.log.id == his.log.id)


async def test_a_feed_that_goes_on_is_opened_to_who_has_shown_that_he_knows_where() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        own, his = posted(two)
        cy, dee = stranger(tx, CY).id, stranger(tx, DEE).id
        mutual.saw(tx, cy, [his.log.number], 1)
        assert is_given(tx, his, cy) == is_given(tx, his, dee) == [True, True]  # it goes on by itself
        after = goes_on(two, own)
        assert is_given(tx, his, cy) == is_given(tx, his, dee) == [False, False]
        assert is_given(tx, his, two.bo.contact) == [True, True]  # its author gets back what is his
        mutual.saw(tx, cy, [after.log.number], 2)
        assert is_given(tx, his, cy) == [True, True]
        assert is_given(tx, his, dee) == [False, False]
        (own,) = [one for one in spaces.of(two.mine, spaces.OURS) if one.log.id == after.log.id]
        last = goes_on(two, own)  # who knows the second knows nothing of the third
        assert is_given(tx, his, cy) == [False, False]
        mutual.saw(tx, cy, [last.log.number], 3)
        assert is_given(tx, his, cy) == [True, True]
        mutual.missed(tx, cy, [last.log.number])  # he has named all that he knows
        assert is_given(tx, his, cy) == [False, False]


async def test_a_feed_that_was_handed_over_has_let_nobody_go() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        own, his = posted(two)
        cy, dee = stranger(tx, CY).id, stranger(tx, DEE).id
        of = spaces.space(two.mine, own.log.number)
        begun = authoring.succeed(two.mine, of, of.anchor, two.key, two.now_ms, two.ana.entropy)
        handovers.make(two.mine, begun, two.key, two.ana.entropy)
        two.hear(spaces.granted, spaces.grant(two.mine, begun.log.number))
        assert is_given(tx, his, cy) == [False, False]
        two.hear(handovers.heard, handovers.of(two.mine, begun.log.number))
        assert is_given(tx, his, cy) == [True, True]
        after = goes_on(two, begun)  # and that lets somebody go
        mutual.saw(tx, cy, [after.log.number], 2)
        assert is_given(tx, his, cy) == [True, True]
        assert is_given(tx, his, dee) == [False, False]
        last = authoring.succeed(two.mine, after_of(two, after), of.anchor, two.key, two.now_ms, two.ana.entropy)
        handovers.make(two.mine, last, two.key, two.ana.entropy)
        two.hear(handovers.heard, handovers.of(two.mine, last.log.number))  # and that nobody
        assert is_given(tx, his, cy) == [True, True]
        mutual.missed(tx, cy, [after.log.number])
        assert is_given(tx, his, cy) == [False, False]
        mutual.saw(tx, cy, [two.of(last).log.number], 3)
        assert is_given(tx, his, cy) == [True, True]


async def test_logs_that_are_no_feeds_and_our_own_are_opened_to_who_may_know_them() -> None:
    async with open_sharers() as two:
        own, his = posted(two, Role.NOTES)
        cy = stranger(two.theirs, CY).id
        goes_on(two, own)
        assert is_given(two.theirs, his, cy) == [True, True]
        feed, _ = two.begin("moments", Role.FEED, b"another secret of 32 bytes long.")
        authoring.append(two.mine, feed, b"one", two.key, two.now_ms)
        logs.publish(two.mine, feed.log.number, 0)
        goes_on(two, feed)
        assert is_given(two.mine, feed, two.ana.contact) == [True]  # whom she lets go is no reader of it either


async def test_a_window_holds_for_all_but_the_author() -> None:
    async with open_sharers() as two:
        own, his = posted(two)
        cy = stranger(two.theirs, CY).id
        windows.limit(two.theirs, his.log.number, DAY_MS)
        windows.limit(two.mine, own.log.number, DAY_MS)
        late_ms = two.now_ms + DAY_MS + 1
        assert is_given(two.theirs, his, cy, late_ms - 1) == [True, True]
        assert is_given(two.theirs, his, cy, late_ms) == [False, False]
        assert is_given(two.mine, own, two.ana.contact, late_ms) == [False, False]  # his anchor too
        assert is_given(two.theirs, his, two.bo.contact, late_ms) == [True, True]


async def test_what_is_not_here_is_asked_of_the_author_and_of_a_feed_of_everybody_within_its_window() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        cy = stranger(tx, CY).id
        secrets = (
            b"another secret of 32 bytes long.",
            b"a third one, also of 32 bytes...",
            b"and a fourth, of 32 bytes too...",
        )
        for role, secret, by_cy in zip((Role.NOTES, Role.SPINE, Role.FEED), secrets, (False, False, True), strict=True):
            own, his = two.begin(role.name, role, secret)
            made = [authoring.append(two.mine, own, b"%d" % at, two.key, two.now_ms + at * DAY_MS) for at in range(6)]
            filled = [b"2" if at == 2 else None for at in range(6)]
            entries.take_in(tx, his.log.number, [one.raw for one in made], filled, two.now_ms)
            now_ms = two.now_ms + 5 * DAY_MS

            def asked(contact_id: int, upto: int = 6, his: Space = his, now_ms: int = now_ms) -> list[tuple[int, int]]:
                return [*giving.wanted(tx, his, contact_id, upto, now_ms)]

            assert asked(two.bo.contact) == ([] if role is Role.SPINE else [(0, 1), (3, 5)])
            assert asked(cy) == ([(0, 1), (3, 5)] if by_cy else [])
            if role is Role.FEED:
                assert asked(cy, 5) == [(0, 1), (3, 4)]  # he has not more
                assert asked(cy, 0) == []
                windows.limit(tx, his.log.number, 4 * DAY_MS)
                assert asked(cy) == [(1, 1), (3, 5)]
                windows.limit(tx, his.log.number, DAY_MS)
                assert asked(cy) == [(4, 5)]
                entries.detach(tx, his.log.number, [4])
                assert asked(cy) == [(5, 5)]
                logs.end(tx, his.log.number)
                assert asked(cy) == [(5, 5)]


async def test_only_the_newest_contents_of_a_long_feed_are_asked_for() -> None:
    async with open_sharers() as two:
        own, his = two.begin("moments", Role.FEED)
        count = giving.AWAITED_ENTRIES + 10
        made = [authoring.append(two.mine, own, b"x", two.key, two.now_ms) for _ in range(count)]
        entries.take_in(two.theirs, his.log.number, [one.raw for one in made], [None] * count, two.now_ms)
        assert [*giving.wanted(two.theirs, his, two.bo.contact, count, two.now_ms)] == [(10, count - 1)]
