"""What is read of feeds in another order than it was written, and what is kept of what cannot be read."""

from features.moments import reading, view, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Drop, Post, Ref
from features.moments.faults import UnknownMoment
from features.moments.feeds import By
from protocol import entry, moment, record
from protocol.moment import Slot, Spot
from store import authoring, entries, logs, spaces
from store.entries import Kept
from store.spaces import Space
from tests.features.test_moment_heirs import begin, hers, open_feeds, post, read
from tests.store.space_kit import Sharers
from tests.store.test_handovers import succeed


def drop(two: Sharers, of: Space, chain: bytes, ref: Ref) -> None:
    """Ana drops an entry, in this feed."""
    seq = authoring.next_seq(two.mine, of)
    spot = Spot(of.log.author, of.log.id, seq)
    key, nonce = entry.content_key(of.log.secret, of.log.id, seq), two.ana.entropy(24)
    slots = [Slot(moment.wrap_key(moment.stepped(chain, seq)), two.ana.entropy(32))]
    content = moment.seal(key, spot, record.encode(Drop((ref,))), slots, nonce, two.ana.entropy)
    authoring.append(two.mine, of, content, two.key, two.now_ms)


async def test_what_was_dropped_before_it_came_is_not_kept_when_it_comes() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        post(two, first, hers(two, first)[0][2], "dropped")
        logs.publish(two.mine, first.log.number, 0)
        second = succeed(two, first, is_handed=False)
        two.hear(spaces.granted, spaces.grant(two.mine, second.log.number))
        drop(two, second, bytes(32), Ref(first.log.id, 0))
        two.carry(second)
        assert read(two, second) == []
        two.carry(first)  # somebody has it who has not heard that it was dropped
        assert read(two, first) == []
        assert entries.kept(two.theirs, two.of(first).log.number, 0) is Kept.DELETED
        assert two.theirs.all("SELECT 1 FROM moment_dropped") == []


async def test_of_what_nothing_is_known_about_the_newest_is_kept() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        chain = hers(two, first)[0][2]
        for seq in range(5):
            spot = Spot(first.log.author, first.log.id, seq)
            slot = Slot(moment.wrap_key(moment.stepped(chain, seq)), bytes([seq]) * 32)
            said = record.encode(Post("of a post that Bo may not see", two.now_ms))
            content = moment.seal(bytes([9]) * 32, spot, said, [slot], two.ana.entropy(24), two.ana.entropy)
            authoring.append(two.mine, first, content, two.key, two.now_ms)
        two.theirs.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " INSERT INTO moment_wait (name, contact, feed, seq, wrap)"
            " SELECT x'00', ?, x'00', n, x'00' FROM n",
            (reading.WAITS_MAX, two.bo.contact),
        )
        two.carry(first)
        assert read(two, first) == []
        (count,) = two.theirs.one("SELECT COUNT(*) FROM moment_wait") or (0,)
        assert count == reading.WAITS_MAX
        names = {name for (name,) in two.theirs.all("SELECT name FROM moment_wait ORDER BY id DESC LIMIT 5")}
        assert names == {bytes([seq]) * 32 for seq in range(5)}


async def test_a_post_that_is_written_again_is_found_by_the_id_of_before() -> None:
    async with open_feeds() as (two, by):
        row = writing.post(two.mine, by, Post("hello", two.now_ms), Audience(Kind.ALL, words=ALL))
        before = view.moment(two.mine, row)
        assert before is not None
        old = view.id_of(before.ref).hex()
        own = spaces.of(two.mine, spaces.OURS)[-1]
        entries.take_back(two.mine, own.log.number, 0)
        logs.end(two.mine, own.log.number)
        assert writing.settle(two.mine, By(by.me, by.now_ms, by.entropy, by.message))
        after = view.moment(two.mine, row)
        assert after is not None
        assert after.ref != before.ref
        assert view.find(two.mine, old[:8]).id == view.find(two.mine, view.id_of(after.ref).hex()).id == row
        view.remove(two.mine, row)
        for tag in (old, view.id_of(after.ref).hex()):
            try:
                view.find(two.mine, tag)
            except UnknownMoment:
                continue
            raise AssertionError(tag)
