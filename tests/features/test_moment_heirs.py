"""Chains where a feed is handed over: author and reader find the same ones, and a reader nothing that he had not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from features.moments import feeds, hearing, heirs, reading, view
from features.moments.content import Chain, Chains, Post
from features.moments.feeds import EVERYBODY, By
from features.moments.heirs import NO_END
from protocol import content, ids, moment, record
from protocol.content import Channel
from protocol.grant import Role
from protocol.moment import Slot, Spot
from store import authoring, devices, handovers, logs, people, spaces
from store.database import Worker
from store.inbox import Arrival
from store.spaces import Space
from tests.features.wall_kit import KINDS, MIGRATIONS
from tests.store import kit
from tests.store.kit import Clock
from tests.store.space_kit import Sharers
from tests.store.test_handovers import handover, succeed

TAG, FAMILY = b"f" * 16, "family"
CHEN = 7  # a contact who was told the chain of all


@asynccontextmanager
async def open_feeds() -> AsyncIterator[tuple[Sharers, By]]:
    """Ana, who has moments, and Bo, who reads them."""
    memory, clock = Path(":memory:"), Clock()
    async with (
        kit.open_side(memory, "Ana", clock, Worker.INLINE, MIGRATIONS) as ana,
        kit.open_side(memory, "Bo", clock, Worker.INLINE, MIGRATIONS) as bo,
    ):
        await kit.acquaint(ana, bo)
        two = Sharers(ana, bo, await kit.grip(ana), await kit.grip(bo))
        yield two, By(ana.mine, clock.ms, ana.entropy, ana.entropy)


def begin(two: Sharers, by: By) -> Space:
    """A feed of Ana's with a chain for all and one for her family, each told to Bo where it stands."""
    own, _ = two.begin("moments", Role.FEED)
    assert feeds.chain(two.mine, by, own, EVERYBODY) is not None
    feeds.begin_chain(two.mine, own, FAMILY, 0, b"k" * 32, b"r" * 32)
    for tag, audience in ((EVERYBODY, bytes(16)), (FAMILY, TAG)):
        known = feeds.chain(two.mine, by, own, tag)
        assert known is not None
        tell(two, Chain(audience, own.log.id, 0, known[1], feeds.root(two.mine, known[0])))
        two.mine.execute("INSERT INTO moment_handed (chain, contact) VALUES (?, ?)", (known[0], CHEN))
    return own


def tell(two: Sharers, one: Chain) -> None:
    hearing._keep(two.theirs, two.bo.contact, one)


def hand(two: Sharers, own: Space) -> Space:
    """The successor, of which Bo has heard."""
    begun = succeed(two, own)
    two.hear(handovers.heard, handover(two, begun))
    return begun


def his(two: Sharers, of: Space) -> list[tuple[bytes, int, bytes, bytes, int]]:
    """The chains that Bo has of a feed: audience, place, chain, root, end."""
    return two.theirs.all(
        "SELECT audience, seq, chain, root, until FROM moment_chain WHERE feed = ? ORDER BY audience, id", (of.log.id,)
    )


def hers(two: Sharers, of: Space) -> list[tuple[str, int, bytes, bytes]]:
    return two.mine.all(
        "SELECT audience, seq, chain, root FROM moment_own_chain WHERE feed = ? ORDER BY audience", (of.log.id,)
    )


async def test_author_and_reader_find_the_same_chains_also_several_feeds_on() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        second = hand(two, first)
        third = hand(two, second)
        heirs.go_on(two.mine, third)
        found = heirs.inherit(two.theirs, two.of(third))
        assert [of.log.id for of, _ in found] == [second.log.id] * 2 + [third.log.id] * 2
        for of in (second, third):
            assert [one[1:4] for one in his(two, of)] == [one[1:] for one in hers(two, of)]
            assert [one[4] for one in his(two, of)] == [NO_END] * 2
        assert len({chain for of in (first, second, third) for _, _, chain, _ in hers(two, of)}) == 6
        assert feeds.chain(two.mine, by, third, FAMILY) is not None
        before = (hers(two, third), his(two, third))
        heirs.go_on(two.mine, third)
        assert heirs.inherit(two.theirs, two.of(third)) == []
        assert (hers(two, third), his(two, third)) == before


async def test_who_was_told_the_chain_before_counts_as_told_this_one() -> None:
    async with open_feeds() as (two, by):
        second = hand(two, begin(two, by))
        heirs.go_on(two.mine, second)
        rows = two.mine.all("SELECT id FROM moment_own_chain WHERE feed = ? ORDER BY id", (second.log.id,))
        assert two.mine.all("SELECT chain, contact FROM moment_handed ORDER BY chain") == [(n, CHEN) for (n,) in rows]


async def test_where_a_feed_was_not_handed_over_chains_begin_anew() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        second = succeed(two, first, is_handed=False)
        two.hear(spaces.granted, spaces.grant(two.mine, second.log.number))
        heirs.go_on(two.mine, second)
        assert heirs.inherit(two.theirs, two.of(second)) == []
        assert (hers(two, second), his(two, second)) == ([], [])
        known = feeds.chain(two.mine, by, second, EVERYBODY)
        assert known is not None
        assert known[1] == moment.first_chain(feeds.secret(two.mine, by.entropy), second.log.id)


async def test_a_chain_that_another_has_replaced_leads_nowhere() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        tell(two, Chain(TAG, first.log.id, 5, b"n" * 32, b"s" * 32))  # without somebody who lost the tag
        feeds.begin_chain(two.mine, first, FAMILY, 5, b"n" * 32, b"s" * 32)
        second = hand(two, first)
        heirs.inherit(two.theirs, two.of(second))
        heirs.go_on(two.mine, second)
        chain, root = moment.next_chain(b"s" * 32, second.log.id)
        assert his(two, second)[1:] == [(TAG, 0, chain, root, NO_END)]
        assert hers(two, second)[1:] == [(FAMILY, 0, chain, root)]


async def test_chains_that_come_late_go_on_too_up_to_what_was_told_since() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        two.theirs.execute("DELETE FROM moment_chain")
        second = hand(two, first)
        assert heirs.inherit(two.theirs, two.of(second)) == []
        tell(two, Chain(TAG, second.log.id, 4, b"n" * 32, b"s" * 32))
        tell(two, Chain(TAG, first.log.id, 0, b"k" * 32, b"r" * 32))
        heirs.inherit(two.theirs, two.of(second))
        chain, root = moment.next_chain(b"r" * 32, second.log.id)
        assert his(two, second) == [(TAG, 4, b"n" * 32, b"s" * 32, NO_END), (TAG, 0, chain, root, 4)]
        tell(two, Chain(TAG, second.log.id, 4, b"x" * 32, root))  # what he has by himself is no other chain
        assert len(his(two, second)) == 2


async def test_roots_of_two_feeds_back_are_gone() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        second = hand(two, first)
        heirs.inherit(two.theirs, two.of(second))
        assert {one[3] for one in his(two, first)} != {b""}
        third = hand(two, second)
        heirs.inherit(two.theirs, two.of(third))
        assert {one[3] for one in his(two, first)} == {b""}
        assert b"" not in {one[3] for one in his(two, second)}


async def test_of_chains_that_led_on_long_ago_only_so_many_are_kept() -> None:
    async with open_feeds() as (two, by):
        of = begin(two, by)
        rows = [(two.bo.contact, b"%016d" % at) for at in range(heirs.PASSED_MAX)]
        two.theirs.executemany(
            "INSERT INTO moment_chain (contact, feed, audience, seq, chain, until, root, heir, begun)"
            " VALUES (?, ?, x'', 0, x'', 1, x'', x'', 0)",
            rows,
        )
        count = "SELECT COUNT(*) FROM moment_chain WHERE root = x''"
        for _ in range(2):
            of = hand(two, of)
            heirs.inherit(two.theirs, two.of(of))
        assert two.theirs.one(count) == (heirs.PASSED_MAX,)
        of = hand(two, of)
        heirs.inherit(two.theirs, two.of(of))
        assert two.theirs.one(count) == (heirs.PASSED_MAX,)
        assert len(his(two, of)) == 2


def post(two: Sharers, of: Space, chain: bytes, text: str) -> None:
    """A post of Ana's in her feed, under the chain of its place; Bo carries it."""
    key, seq = text.encode().ljust(32, b"."), authoring.next_seq(two.mine, of)
    said = record.encode(Post(text, two.now_ms))
    slots = [Slot(moment.wrap_key(moment.stepped(chain, seq)), key)]
    sealed = moment.seal(key, Spot(of.log.author, of.log.id, seq), said, slots, bytes(24), two.ana.entropy)
    authoring.append(two.mine, of, sealed, two.key, two.now_ms)


def read(two: Sharers, of: Space) -> list[str]:
    """What Bo finds of Ana's when he has read this."""
    while reading.read(two.theirs, two.of(of), two.now_ms):
        pass
    return sorted(one.said.text for one in view.of(two.theirs, two.bo.contact))


def hears(two: Sharers, *chains: Chain) -> None:
    """Ana tells Bo chains."""
    contact, device = people.contact(two.theirs, two.bo.contact), devices.device(two.theirs, two.bo.device)
    message_id = ids.new_message_id(two.now_ms, two.bo.entropy)
    raw = content.say(message_id=message_id, hlc_ms=two.now_ms, device_seq=1, parents=(), content=Chains(chains, 0))
    heard = KINDS.hear(raw, Channel.RATCHET)
    hearing.apply(two.theirs, Arrival(contact, device, 1, heard, Channel.RATCHET, two.now_ms))


async def test_what_was_carried_before_it_could_be_opened_is_read_when_the_chain_is_known() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        two.theirs.execute("DELETE FROM moment_chain")
        before, made = first, []
        for text in ("in the second", "in the third"):
            made.append(before := succeed(two, before))
            heirs.go_on(two.mine, before)
            post(two, before, hers(two, before)[0][2], text)
            logs.publish(two.mine, before.log.number, 0)
            two.hear(spaces.granted, spaces.grant(two.mine, before.log.number))
            two.carry(before)
            assert read(two, before) == []
        for of in made:
            two.hear(handovers.heard, handover(two, of))
            assert read(two, of) == []
        _, seq, chain, root = hers(two, first)[0]
        two.theirs._changes.clear()
        hears(two, Chain(bytes(16), first.log.id, seq, chain, root))
        changed = {key for topic, key in two.theirs._changes if topic == logs.TOPIC}
        assert changed == {two.of(one).log.number for one in (first, *made)}
        for of in (first, *made):
            heard = read(two, of)
        assert heard == ["in the second", "in the third"]  # of one millisecond, each the first of its feed


async def test_what_was_carried_before_it_was_handed_over_is_read_then() -> None:
    async with open_feeds() as (two, by):
        second = succeed(two, begin(two, by))
        heirs.go_on(two.mine, second)
        post(two, second, hers(two, second)[0][2], "in the second")
        two.hear(spaces.granted, spaces.grant(two.mine, second.log.number))
        two.carry(second)
        assert read(two, second) == []
        two.hear(handovers.heard, handover(two, second))
        assert read(two, second) == ["in the second"]


async def test_who_restores_finds_the_chain_of_a_feed_that_was_handed_over_or_not() -> None:
    async with open_feeds() as (two, by):
        of, secret = begin(two, by), feeds.secret(two.mine, by.entropy)
        for is_handed in (True, True, False, True):
            of = succeed(two, of, is_handed)
            heirs.go_on(two.mine, of)
            known = feeds.chain(two.mine, by, of, EVERYBODY)
            assert known is not None
            expected = known[1], feeds.root(two.mine, known[0])
            assert heirs.regained(two.mine, of, secret) is None  # nothing to see it by
            post(two, of, known[1], "of before")
            assert heirs.regained(two.mine, of, secret) == expected
            rows = two.mine.all("SELECT feed, audience, seq, chain, root FROM moment_own_chain ORDER BY id")
            two.mine.execute("DELETE FROM moment_own_chain")  # also where those before are lost
            assert heirs.regained(two.mine, of, secret) == expected
            two.mine.executemany(
                "INSERT INTO moment_own_chain (feed, audience, seq, chain, root) VALUES (?, ?, ?, ?, ?)", rows
            )
            logs.publish(two.mine, of.log.number, 0)
