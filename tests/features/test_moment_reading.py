"""What is read of feeds in another order than it was written, and what is kept of what cannot be read."""

from typing import Any

from features.moments import aging, handing, hearing, heirs, reading, view, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Chain, Chains, Comment, Drop, Forget, Key, Keys, Post, Ref, Replace
from features.moments.faults import UnknownMoment
from features.moments.feeds import By
from features.moments.heirs import NO_END
from protocol import content, entry, ids, moment, record
from protocol.content import Channel
from protocol.grant import Role
from protocol.moment import Slot, Spot
from store import authoring, devices, entries, logs, people, spaces
from store.entries import Kept
from store.inbox import Arrival
from store.spaces import Space
from tests.features.test_moment_heirs import TAG, begin, hand, hers, open_feeds, post, read
from tests.features.wall_kit import KINDS
from tests.store.space_kit import Sharers
from tests.store.test_handovers import succeed


def drop(two: Sharers, of: Space, chain: bytes, ref: Ref) -> None:
    """Ana drops an entry, in this feed."""
    seq = authoring.next_seq(two.mine, of)
    spot = Spot(of.log.author, of.log.id, seq)
    key, nonce = entry.content_key(of.log.secret, of.log.id, seq), two.ana.entropy(24)
    slots = [Slot(moment.wrap_key(moment.stepped(chain, seq)), two.ana.entropy(32))]
    sealed = moment.seal(key, spot, record.encode(Drop((ref,))), slots, nonce, two.ana.entropy)
    authoring.append(two.mine, of, sealed, two.key, two.now_ms)


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
            sealed = moment.seal(bytes([9]) * 32, spot, said, [slot], two.ana.entropy(24), two.ana.entropy)
            authoring.append(two.mine, first, sealed, two.key, two.now_ms)
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


def entered(two: Sharers, of: Space, chain: bytes, key: bytes, what: Post | Replace) -> None:
    """An entry of Ana's that says this under a key of her choice."""
    seq = authoring.next_seq(two.mine, of)
    spot, nonce = Spot(of.log.author, of.log.id, seq), two.ana.entropy(24)
    slot = Slot(moment.wrap_key(moment.stepped(chain, seq)), key)
    sealed = moment.seal(key, spot, record.encode(what), [slot], nonce, two.ana.entropy)
    authoring.append(two.mine, of, sealed, two.key, two.now_ms)


async def test_a_post_that_comes_where_another_was_said_to_stand_stops_nothing() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        entered(two, first, hers(two, first)[0][2], b"x" * 32, Post("first", two.now_ms))
        logs.publish(two.mine, first.log.number, 0)
        second = hand(two, first)
        heirs.go_on(two.mine, second)
        chain = hers(two, second)[0][2]
        entered(two, second, chain, b"y" * 32, Replace(Ref(second.log.id, 1), Post("of what is to come", two.now_ms)))
        entered(two, second, chain, b"x" * 32, Post("first again", two.now_ms))
        two.carry(first)
        assert read(two, first) == ["first"]
        two.carry(second)
        assert read(two, second) == ["first", "of what is to come"]


async def test_a_chain_that_comes_late_ends_none_that_was_told_after_it() -> None:
    def told(*fields: Any) -> Chains:
        return Chains((Chain(*fields),), 0)

    async with open_feeds() as (two, by):
        first = begin(two, by)
        two.theirs.execute("DELETE FROM moment_chain")
        for text in ("zero", "one", "two", "three"):
            post(two, first, b"new" + bytes(29) if text in ("two", "three") else b"old" + bytes(29), text)
        two.carry(first)
        assert read(two, first) == []
        new = moment.stepped(b"new" + bytes(29), 2)
        assert hears_at(two, two.now_ms, told(TAG, first.log.id, 2, new, b"2" * 32)) == ["three", "two"]
        late = hears_at(two, two.now_ms, told(TAG, first.log.id, 0, b"old" + bytes(29), b"1" * 32))
        assert late == ["one", "three", "two", "zero"]
        ends = two.theirs.all("SELECT begun, until FROM moment_chain ORDER BY begun")
        assert ends == [(2, NO_END)]  # the older one is read to its end, and gone
        post(two, first, b"new" + bytes(29), "four")
        two.carry(first)
        assert "four" in read(two, first)


async def test_a_forget_that_comes_late_takes_nothing_that_was_told_since_and_what_is_older_tells_nothing() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        two.theirs.execute("DELETE FROM moment_chain")
        chain = hers(two, first)[0][2]
        post(two, first, chain, "shown again")
        two.carry(first)
        assert read(two, first) == []
        said = Chain(bytes(16), first.log.id, 0, chain, b"r" * 32)
        assert hears_at(two, two.now_ms, Chains((said,), 0)) == ["shown again"]
        assert hears_at(two, two.now_ms - 1, Forget()) == ["shown again"]
        assert hears_at(two, two.now_ms + 2, Forget()) == []
        assert hears_at(two, two.now_ms + 1, Chains((said,), 0)) == []
        assert two.theirs.all("SELECT 1 FROM moment_chain") == []
        assert hears_at(two, two.now_ms + 3, Chains((said,), 0)) == []  # the content is asked for again first
        two.carry(first)
        assert read(two, first) == ["shown again"]


def hears_at(two: Sharers, number: int, what: Chains | Forget | Keys) -> list[str]:
    """What Bo finds when Ana has told him this in a message of such a number; her clock runs backwards."""
    contact, device = people.contact(two.theirs, two.bo.contact), devices.device(two.theirs, two.bo.device)
    message_id = ids.new_message_id(two.now_ms, two.bo.entropy)
    hlc_ms = 2 * two.now_ms - number
    raw = content.say(message_id=message_id, hlc_ms=hlc_ms, device_seq=number, parents=(), content=what)
    heard = KINDS.hear(raw, Channel.RATCHET)
    hearing.apply(two.theirs, Arrival(contact, device, 1, heard, Channel.RATCHET, two.now_ms))
    for of in spaces.of_role(two.theirs, two.bo.contact, Role.FEED):
        while reading.read(two.theirs, of, two.now_ms):
            pass
    return sorted(one.said.text for one in view.of(two.theirs, two.bo.contact))


async def test_a_window_of_before_takes_the_place_of_none_that_was_said_since() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        his = two.bo.contact

        def window_s() -> list[tuple[int]]:
            return two.theirs.all("SELECT window_s FROM moment_author")

        aging.windowed(two.theirs, his, 3, 1000, Ref(first.log.id, 5))
        for seconds, at_ms, where in ((0, 999, None), (30, 2000, Ref(first.log.id, 4)), (30, 900, Ref(bytes(16), 9))):
            aging.windowed(two.theirs, his, seconds, at_ms, where)
            assert window_s() == [(3,)]
        aging.windowed(two.theirs, his, 7, 500, Ref(first.log.id, 6))  # her clock was set back
        assert window_s() == [(7,)]
        aging.windowed(two.theirs, his, 0, 1500)
        assert window_s() == [(0,)]


async def test_who_joins_cannot_tell_by_what_he_is_told_which_entries_are_posts_not_for_him() -> None:
    async with open_feeds() as (two, by):
        for whom in (Audience(Kind.PRIVATE, words="private"), Audience(Kind.ALL, words=ALL)):
            row = writing.post(two.mine, by, Post("a post", two.now_ms), whom)
            one = view.moment(two.mine, row)
            assert one is not None
            writing.answer(two.mine, by, one, Comment(one.ref, "a comment"))
        told = handing._keys(two.mine, two.ana.contact, 0)
        assert {one.seq for one in told} == {0, 1, 2, 3}


async def test_of_keys_for_what_is_not_here_the_newest_are_kept() -> None:
    async with open_feeds() as (two, by):
        first = begin(two, by)
        two.theirs.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " INSERT INTO moment_key (contact, feed, seq, key) SELECT ?, x'00', n, x'00' FROM n",
            (reading.KEYS_MAX, two.bo.contact),
        )
        post(two, first, hers(two, first)[0][2], "here")
        for count in (1, 2):
            hears_at(two, two.now_ms + count, Keys((Key(first.log.id, 100 + count, bytes(32)),)))
        kept = two.theirs.all("SELECT seq FROM moment_key WHERE feed = ? ORDER BY seq", (first.log.id,))
        assert kept == [(101,), (102,)]
        assert two.theirs.one("SELECT COUNT(*) FROM moment_key") == (reading.KEYS_MAX,)
