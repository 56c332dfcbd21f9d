"""Ledgers of devices that were lost, set back or forked: what counts then (docs/protocol/ledger.md 2 and 3.6)."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from crypto import hashing, keys
from features.logs import keeping
from ledger import commands
from ledger.payment import Stage
from ledger.terms import Ackn, Decline, Offer, Request, Void
from protocol import entry, record, spine
from protocol.log import Fork
from store import beheld, entries, logs, recovered, reissuing, spaces, testimony
from store.faults import TabPaused
from store.renewals import Pause
from store.spaces import Space
from tests.store import tab_kit
from tests.store.tab_kit import UNIT, Holder, Pair


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with tab_kit.open_pair() as found:
        yield found


def memos(one: Holder) -> list[str]:
    """What one's payments and requests say."""
    assert one.one
    rows = one.tx.all("SELECT memo FROM payment UNION ALL SELECT memo FROM request ORDER BY 1")
    return [memo for (memo,) in rows]


# --- an old disk


async def test_a_disk_that_was_set_back_says_again_what_it_had_said_and_says_it_once(pair: Pair) -> None:
    old = pair.ana.copy()
    forgotten = pair.pay(pair.ana, 40)
    pair.ana.put_back(old)
    pair.ana.memos = 10
    pair.ana.offer(3)
    pair.ana.say(Request(b"r" * 16, UNIT, 5, memo="lunch"))
    pair.ana.allow(900)
    (took,) = pair.ask(pair.ana)
    assert took.taken_back == 3
    pair.agree()
    assert memos(pair.ana) == ["Ana 1", "Ana 11", "lunch"] == memos(pair.bo)
    assert pair.ana.stages()[True, forgotten] is Stage.SETTLED
    assert pair.bo.one.tab.limit(pair.bo.one.side.other, UNIT) == 900


async def _renamed(pair: Pair, amount: int) -> bytes:
    """Ana's disk is set back, and she offers under a name that is lower than one that it has forgotten."""
    old = pair.ana.copy()
    pair.ana.side.clock.pass_s(60)
    known = pair.ana.offer(2)
    pair.sync()
    pair.ana.put_back(old)
    pair.ana.side.clock.pass_s(-60)
    pair.ana.memos = 999
    low = pair.ana.offer(amount)
    assert low < known
    return low


async def test_an_offer_that_was_taken_back_after_an_image_gets_another_name(pair: Pair) -> None:
    for _ in range(170):
        pair.pay(pair.ana, 1)
    pair.bo.say(Ackn())
    pair.sync()
    assert pair.ana.one.since_image == 0
    low = await _renamed(pair, 3)
    pair.ask(pair.ana)
    pair.agree()
    assert (True, low) not in pair.ana.stages()
    assert memos(pair.bo).count("Ana 1000") == memos(pair.ana).count("Ana 1000") == 1


async def test_an_offer_that_got_another_name_is_withdrawn_by_that(pair: Pair) -> None:
    low = await _renamed(pair, 3)
    pair.ana.say(Void(low))
    pair.ask(pair.ana)
    pair.agree()
    pair.bo.say(Ackn())
    pair.agree()
    assert sorted(pair.bo.stages().values()) == [Stage.OFFERED, Stage.REFUNDED]


async def test_an_acceptance_that_was_taken_back_is_given_where_it_still_can_be(pair: Pair) -> None:
    first, second = pair.bo.offer(4), pair.bo.offer(5)
    pair.sync()
    assert pair.ana.one
    old = pair.ana.copy()
    pair.ana.say(Decline(first))
    pair.sync()
    pair.ana.put_back(old)
    pair.ana.accept(first)
    pair.ana.accept(second)
    pair.ask(pair.ana)
    pair.agree()
    assert pair.bo.stages() == {(True, first): Stage.DECLINED, (True, second): Stage.ACCEPTED}
    pair.bo.settle(second)
    pair.agree()
    assert pair.ana.owed == 5


async def test_what_nobody_had_of_a_log_that_is_given_up_is_said_in_the_next(pair: Pair) -> None:
    pair.pay(pair.ana, 9)
    pair.ana.offer(8)
    pair.ana.allow(123)
    own = spaces.ledger(pair.ana.tx, 1)[0][0]
    me, side = pair.ana.side.mine, pair.ana.side
    reissuing.succeed(pair.ana.tx, own, pair.bo.side.mine.account, me, side.clock.ms, side.entropy)
    pair.sync()
    assert memos(pair.bo) == ["Ana 1", "Ana 2"] == memos(pair.ana)
    assert pair.bo.one.tab.limit(pair.bo.one.side.other, UNIT) == 123
    assert pair.bo.one.tab.state() == pair.ana.one.tab.state()
    assert pair.bo.one.pause is pair.ana.one.pause is None
    pair.pay(pair.bo, 2)
    assert pair.ana.owed == -7 == -pair.bo.owed


def _witnessed(pair: Pair, witness: bytes) -> tuple[bytes, int]:
    """Ana offers, with this device as a witness, and Bo accepts; which payment, and when its time is over."""
    ana = pair.ana
    pay = commands.new_pay(ana.one.tab, ana.one.side, ana.side.clock.ms, ana.side.entropy)
    expires_ms = ana.side.clock.ms + tab_kit.DAY_MS
    ana.say(Offer(pay, UNIT, 5, expires_ms, (witness,)))
    pair.sync()
    pair.bo.accept(pay)
    return pay, expires_ms


async def test_what_a_witness_lets_one_say_is_said_before_a_next_log_begins(pair: Pair) -> None:
    ana, bo, key = pair.ana, pair.bo, keys.SigningKey(b"w" * 32)
    pay, expires_ms = _witnessed(pair, key.public)
    accept = bo.one.tab.accepts[bo.one.key(False, pay)]
    hidden = testimony.note(bo.tx, 1, pay, accept, bytes(32))
    beheld.asked(bo.tx, hidden, key.public)
    pair.sync()
    ana.say(Void(pay))
    pair.sync()
    own, side = spaces.ledger(bo.tx, 1)[0][0], bo.side
    reissuing.succeed(bo.tx, own, ana.side.mine.account, side.mine, side.clock.ms, side.entropy)
    word = spine.cosign(key.public, expires_ms, spine.hidden_subject(hidden), key)
    bo.tx.execute("UPDATE asked_word SET raw = ?", (record.encode(word),))
    assert bo.stages()[False, pay] is Stage.REFUNDING
    bo.say(Ackn())
    assert bo.stages()[False, pay] is Stage.SETTLED
    pair.sync()
    assert ana.stages()[True, pay] is Stage.SETTLED
    assert ana.one.tab.state() == bo.one.tab.state()


async def test_a_word_about_an_acceptance_that_was_taken_back_says_nothing_of_the_one_that_stands(pair: Pair) -> None:
    bo, key = pair.bo, keys.SigningKey(b"w" * 32)
    pay, expires_ms = _witnessed(pair, key.public)
    hidden = testimony.note(bo.tx, 1, pay, b"another acceptance, taken back  ", bytes(32))
    beheld.asked(bo.tx, hidden, key.public)
    word = spine.cosign(key.public, expires_ms, spine.hidden_subject(hidden), key)
    bo.tx.execute("UPDATE asked_word SET raw = ?", (record.encode(word),))
    assert testimony.due(bo.tx, 1, [bo.one.key(False, pay)], bo.one.tab) == ()
    before = bo.one.tab.heads[bo.one.side]
    bo.say(Ackn())
    assert bo.one.tab.heads[bo.one.side] == before + 1


# --- a lost device


def restore(one: Holder, backup: bytes | None = None) -> None:
    """One's device is lost; another has what a backup keeps of logs, and nothing of them. backup: an older one."""
    kept = backup or keeping.keep(one.tx, 1)
    assert kept is not None
    for name in tab_kit.KEPT:
        one.tx.execute(f"DELETE FROM {name}")
    keeping.put_back(one.tx, 1, kept)
    keeping.restored(one.tx, one.side.mine, one.side.clock.ms, one.side.entropy)
    one.restart()


def give_back(pair: Pair, one: Holder, own: Space) -> None:
    """The other shows what he has of a log of a lost device."""
    theirs, other = pair.copy_of(own, one), pair.other(one)
    assert theirs is not None
    held = entries.read(other.tx, theirs.log.number, 0, 1024, 1 << 30)
    assert not isinstance(pair.take(one, own.log.number, held), Exception)
    recovered.note(one.tx, own.log.number)


async def test_a_restored_device_waits_for_what_it_had_written_and_goes_on(pair: Pair) -> None:
    pair.pay(pair.ana, 40)
    for count in range(3):  # what was set up is lost again
        waiting = pair.ana.offer(2)
        pair.sync()
        restore(pair.ana)
        lost = [own for own in spaces.ledger(pair.ana.tx, 1)[0] if not own.log.own]
        assert len(lost) == count + 1
        for own in lost:
            assert pair.ana.one.pause is Pause.WAITS
            with pytest.raises(TabPaused, match="before this device was set up"):
                pair.ana.allow(5)
            give_back(pair, pair.ana, own)
        pair.carry(pair.bo)
        assert pair.ana.one.pause is None
        assert pair.ana.owed == -40 - 2 * count
        pair.bo.accept(waiting)
        pair.sync()
        pair.ana.settle(waiting)
        pair.sync()
        assert pair.ana.owed == -42 - 2 * count == -pair.bo.owed
        assert pair.bo.one.pause is None
        assert pair.ana.one.tab.state() == pair.bo.one.tab.state()
        assert pair.ana.one.book.differences == pair.bo.one.book.differences == []


# --- a fork


def _fork(one: Holder) -> Fork:
    """One has signed another entry in the place of his newest: the proof of it."""
    own = spaces.ledger(one.tx, 1)[0][0]
    newest = entries.head(one.tx, own.log.number)
    held = None if newest is None else entries.entry_at(one.tx, own.log.number, newest.seq)
    assert held is not None
    other = replace(held.body, content_length=3, content_hash=hashing.digest(b"two"))
    return Fork.of(held.raw, entry.write(other, one.side.mine.device_key).raw)


@pytest.mark.parametrize("whose", ["ana", "bo"])
async def test_of_a_forked_half_counts_what_the_other_has_acknowledged(pair: Pair, whose: str) -> None:
    forker = pair.ana if whose == "ana" else pair.bo
    honest = pair.other(forker)
    pair.pay(forker, 500)
    honest.say(Ackn())
    pair.sync()
    dropped = forker.offer(3)
    pair.sync()
    assert honest.stages()[False, dropped] is Stage.OFFERED
    proof = _fork(forker)
    for one in (pair.ana, pair.bo):
        assert logs.freeze(one.tx, proof, 1)
    for _ in range(2):
        for one in (pair.ana, pair.bo):
            assert one.one.pause is Pause.FROZEN
            with pytest.raises(TabPaused, match="forked"):
                one.allow(1)
        assert forker.owed == -500 == -honest.owed
        assert [*honest.stages().values()] == [*forker.stages().values()] == [Stage.SETTLED]
        assert pair.ana.one.tab.state() == pair.bo.one.tab.state()
        pair.ana.restart()
        pair.bo.restart()


async def test_two_forked_halves_count_as_far_as_each_was_acknowledged(pair: Pair) -> None:
    pair.pay(pair.ana, 500)
    pair.pay(pair.bo, 20)
    for one in (pair.ana, pair.bo):
        one.allow(1)
    pair.sync()
    proofs = [_fork(one) for one in (pair.ana, pair.bo)]
    for proof in proofs:
        for one in (pair.ana, pair.bo):
            assert logs.freeze(one.tx, proof, 1)
    assert pair.ana.owed == -480 == -pair.bo.owed
    assert pair.ana.one.tab.state() == pair.bo.one.tab.state()
    assert pair.ana.one.tab.limit(pair.ana.one.side, UNIT) == 10_000
