"""What was taken back before anybody had it, and what is told later than it was decided."""

from features.moments import acting, clerk, feeds, handing, view, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Answered, Chain, Comment, Like, Post, Ref, Withdrawn
from features.moments.feeds import By
from protocol import moment
from protocol.moment import Spot
from store import authoring, entries, logs, remarks, spaces
from store.entries import Kept
from store.logs import State
from tests.features.test_moment_heirs import open_feeds, read, tell
from tests.store.space_kit import Sharers


def edit(two: Sharers, by: By, row: int, text: str) -> None:
    one = view.moment(two.mine, row)
    assert one is not None
    writing.edit(two.mine, by, one, Post(text, one.said.at_ms))


def go_on_without(two: Sharers, seq: int) -> None:
    """Ana's feed goes on in another; what stands from this place on nobody had."""
    own = spaces.of(two.mine, spaces.OURS)[-1]
    entries.take_back(two.mine, own.log.number, seq)
    logs.end(two.mine, own.log.number)


def hear_all(two: Sharers, by: By) -> list[str]:
    """What Bo finds when he has the newest feed of Ana's, and was told its chains."""
    assert writing.settle(two.mine, by)
    own = spaces.of(two.mine, spaces.OURS)[-1]
    logs.publish(two.mine, own.log.number, authoring.next_seq(two.mine, own) - 1)
    writing.settle(two.mine, by)
    two.hear(spaces.granted, spaces.grant(two.mine, own.log.number))
    rows = two.mine.all("SELECT audience, seq, chain, root FROM moment_own_chain WHERE feed = ?", (own.log.id,))
    for audience, _, _, root in rows:
        assert audience == feeds.EVERYBODY
        first = moment.first_chain(feeds.secret(two.mine, by.entropy), own.log.id)
        tell(two, Chain(bytes(16), own.log.id, 0, first, root))
    two.carry(own)
    return read(two, own)


def stored(two: Sharers) -> bytes:
    """All that Ana has written, as far as it is kept here; what nobody has yet is kept to be written again."""
    rows = two.mine.all("SELECT said FROM moment_entry UNION ALL SELECT said FROM moment")
    return b"".join(raw for (raw,) in rows)


def said_to_bo(two: Sharers, kind: int) -> int:
    """How often Ana has said something of this kind to Bo."""
    return len(two.mine.all("SELECT 1 FROM message WHERE kind = ?", (kind,)))


async def test_what_was_changed_before_anybody_had_it_is_written_as_it_reads_now() -> None:
    async with open_feeds() as (two, by):
        row = writing.post(two.mine, by, Post("WRONG TEXT", two.now_ms), Audience(Kind.ALL, words=ALL))
        one = view.moment(two.mine, row)
        assert one is not None
        acting.answer(two.mine, by, one, Like(one.ref))
        edit(two, by, row, "WRONG AGAIN")
        edit(two, by, row, "right")
        other = writing.post(two.mine, by, Post("WRONG, and gone", two.now_ms), Audience(Kind.ALL, words=ALL))
        gone = view.moment(two.mine, other)
        assert gone is not None
        writing.delete(two.mine, by, gone)
        writing.post(two.mine, by, Post("after", two.now_ms), Audience(Kind.ALL, words=ALL))
        go_on_without(two, 0)
        assert writing.settle(two.mine, by)
        edit(two, by, row, "right now")  # and nobody has the one that was written again either
        go_on_without(two, 0)
        assert hear_all(two, by) == ["after", "right now"]
        assert b"WRONG" not in stored(two)
        now = view.moment(two.mine, row)
        assert now is not None
        (his,) = [one for one in view.of(two.theirs, two.bo.contact) if one.said.text == "right now"]
        assert (his.ref, his.text, his.key) == (now.ref, now.text, now.key)
        assert now.ref == now.text
        assert len(two.theirs.all("SELECT 1 FROM moment_answer WHERE moment = ?", (his.id,))) == 1
        edit(two, by, row, "and on")
        own = spaces.of(two.mine, spaces.OURS)[-1]
        two.carry(own)
        assert read(two, own) == ["after", "and on"]


async def test_of_a_post_that_others_have_only_the_last_words_are_written_again() -> None:
    async with open_feeds() as (two, by):
        row = writing.post(two.mine, by, Post("first", two.now_ms), Audience(Kind.ALL, words=ALL))
        own = spaces.of(two.mine, spaces.OURS)[-1]
        logs.publish(two.mine, own.log.number, 0)
        writing.settle(two.mine, by)
        edit(two, by, row, "WRONG")
        edit(two, by, row, "right")
        go_on_without(two, 1)
        two.mine.execute("UPDATE entry SET kept = ? WHERE key = ?", (Kept.HERE, logs.key(own.log.number, 0)))
        assert hear_all(two, by) == ["right"]
        assert b"WRONG" not in stored(two)
        assert entries.kept(two.mine, own.log.number, 0) is Kept.DELETED


async def test_an_answer_that_was_taken_back_before_anybody_had_it_is_not_told_again() -> None:
    async with open_feeds() as (two, by):
        key, ref, said = bytes(32), Ref(b"f" * 16, 0), Post("of bo", two.now_ms)
        row = view.put(two.mine, two.ana.contact, ref, key, moment.name_of(key), said, two.now_ms, ref)
        assert row is not None
        one = view.moment(two.mine, row)
        assert one is not None
        answer = view.answer(two.mine, acting.answer(two.mine, by, one, Comment(ref, "WRONG", None)))
        assert answer is not None
        acting.take_back(two.mine, by, one, answer)
        acting.answer(two.mine, by, one, Comment(ref, "right", None))
        go_on_without(two, 0)
        assert writing.settle(two.mine, by)
        assert b"WRONG" not in stored(two)
        assert (said_to_bo(two, Answered.KIND), said_to_bo(two, Withdrawn.KIND)) == (3, 1)


async def test_in_a_feed_that_was_set_back_each_comes_to_a_place_that_is_free() -> None:
    async with open_feeds() as (two, by):
        posts = [Post(text, two.now_ms) for text in ("dropped", "one", "two")]
        rows = [writing.post(two.mine, by, one, Audience(Kind.ALL, words=ALL)) for one in posts]
        dropped = view.moment(two.mine, rows[0])
        assert dropped is not None
        writing.delete(two.mine, by, dropped)
        own = spaces.of(two.mine, spaces.OURS)[-1]
        entries.take_back(two.mine, own.log.number, 0)
        assert writing.settle(two.mine, by)
        found = [view.moment(two.mine, row) for row in rows[1:]]
        assert [one and (one.ref, one.text) for one in found] == [(Ref(own.log.id, seq),) * 2 for seq in range(2)]


async def test_the_chain_of_a_tag_that_began_behind_what_was_taken_back_begins_anew() -> None:
    async with open_feeds() as (two, by):
        bo = two.ana.contact
        remarks.add_tag(two.mine, bo, "family")
        family = Audience(Kind.THESE, frozenset([bo]), ("family",), "family")
        for whom in (Audience(Kind.ALL, words=ALL), Audience(Kind.ALL, words=ALL), family):
            writing.post(two.mine, by, Post("of before", two.now_ms), whom)
        own = spaces.of(two.mine, spaces.OURS)[-1]
        logs.publish(two.mine, own.log.number, 0)
        entries.take_back(two.mine, own.log.number, 1)
        two.mine.execute("DELETE FROM moment_entry WHERE seq > 0")  # of a later database: it was put back
        two.mine.execute("DELETE FROM moment WHERE seq > 0")
        handing.hand(two.mine, by)
        row = writing.post(two.mine, by, Post("to family", two.now_ms), family)
        one = view.moment(two.mine, row)
        assert one is not None
        assert one.ref.seq == 1
        rows = two.mine.all("SELECT seq, chain FROM moment_own_chain WHERE audience = 'family' ORDER BY id")
        assert [seq for seq, _ in rows] == [2, 1]
        (held,) = entries.read(two.mine, own.log.number, 1, 1, 1 << 20)
        spot = Spot(own.log.author, own.log.id, 1)
        opened = [moment.held(moment.wrap_key(chain), spot, held.content or b"") for _, chain in rows]
        assert opened == [None, one.key]


async def test_what_cannot_be_written_again_now_is_later() -> None:
    async with open_feeds() as (two, by):
        row = writing.post(two.mine, by, Post("hello", two.now_ms), Audience(Kind.ALL, words=ALL))
        own = spaces.of(two.mine, spaces.OURS)[-1]
        entries.take_back(two.mine, own.log.number, 0)
        for state in (State.FROZEN, State.OVER):
            two.mine.execute("UPDATE log SET state = ? WHERE number = ?", (state, own.log.number))
            clerk._settle(two.mine, by)
            assert len(two.mine.all("SELECT 1 FROM moment_entry WHERE moment = ? AND open = 1", (row,))) == 1
        one = view.moment(two.mine, row)
        assert one is not None
        assert one.ref.log == spaces.of(two.mine, spaces.OURS)[-1].log.id != own.log.id
