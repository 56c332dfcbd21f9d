"""What is kept of locks beside the tab: their hashes and every preimage, in the transaction that takes the entry."""

from collections.abc import AsyncIterator

import pytest

from ledger.payment import Side, Stage
from ledger.tab import lock_of
from ledger.terms import Lock, Release, Reveal
from store import locks, tabs
from store.locks import Named
from tests.store import tab_kit
from tests.store.tab_kit import UNIT, Pair

PREIMAGE = b"x" * 32
HASH = lock_of(PREIMAGE)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with tab_kit.open_pair() as found:
        yield found


def lock(pair: Pair, number: int = 1, hash_: bytes = HASH) -> bytes:
    """Ana locks something towards Bo, who hears it."""
    pay = number.to_bytes(16, "big")
    pair.ana.say(Lock(pay, UNIT, 5, hash_, 1))
    pair.sync()
    return pay


async def test_both_sides_know_a_preimage_once_it_is_in_an_entry_that_they_have(pair: Pair) -> None:
    pay = lock(pair)
    for one, mine in ((pair.ana, True), (pair.bo, False)):
        assert locks.hash_of(one.tx, one.side.contact, mine, pay) == HASH
        assert locks.hash_of(one.tx, one.side.contact, not mine, pay) is None
        assert locks.by_hash(one.tx, HASH, mine=mine) == (Named(one.side.contact, mine, pay),)
        assert locks.preimages(one.tx, (HASH,)) == {}
        assert locks.open_with(one.tx) == (one.side.contact,)
    assert [(one.pay, hash_) for one, hash_ in locks.coming(pair.bo.tx)] == [(pay, HASH)]
    assert locks.coming(pair.ana.tx) == ()
    pair.bo.say(Reveal(pay, PREIMAGE))
    assert locks.preimages(pair.bo.tx, (HASH, bytes(32))) == {HASH: PREIMAGE}
    pair.sync()
    assert locks.preimages(pair.ana.tx, (HASH,)) == {HASH: PREIMAGE}
    assert locks.open_with(pair.ana.tx) == locks.open_with(pair.bo.tx) == ()
    assert locks.coming(pair.bo.tx) == ()


async def test_a_preimage_that_does_not_fit_or_is_of_nothing_is_not_kept(pair: Pair) -> None:
    pay = lock(pair)
    pair.bo.say(Reveal(pay, b"w" * 32))
    pair.bo.say(Reveal(bytes(16), PREIMAGE))
    pair.sync()
    for one in (pair.ana, pair.bo):
        assert one.tx.all("SELECT * FROM preimage") == []


async def test_what_was_released_first_is_known_when_it_is_shown_after_all(pair: Pair) -> None:
    pay = lock(pair)
    pair.bo.say(Release(pay))
    pair.bo.say(Reveal(pay, PREIMAGE))
    pair.sync()
    assert pair.ana.stages()[True, pay] is Stage.RELEASED
    assert locks.preimages(pair.ana.tx, (HASH,)) == {HASH: PREIMAGE}  # so it is never locked by again


async def test_a_tab_that_is_folded_anew_finds_all_of_it_again(pair: Pair) -> None:
    pay = lock(pair)
    pair.bo.say(Reveal(pay, PREIMAGE))
    pair.sync()
    for table in ("locked", "preimage"):
        pair.ana.tx.execute(f"DELETE FROM {table}")
    tabs.forget_image(pair.ana.tx, pair.ana.side.contact)
    assert pair.ana.one
    assert locks.preimages(pair.ana.tx, (HASH,)) == {HASH: PREIMAGE}
    assert locks.by_hash(pair.ana.tx, HASH, mine=True) == (Named(pair.ana.side.contact, True, pay),)


async def test_what_a_tab_has_forgotten_is_made_again_from_its_row(pair: Pair) -> None:
    open_, paid, gone = (lock(pair, n, lock_of(bytes((n,)) * 32)) for n in (1, 2, 3))
    pair.bo.say(Reveal(paid, b"\x02" * 32))
    pair.bo.say(Release(gone))
    pair.sync()
    tab = pair.ana.one
    for pay, stage in ((open_, Stage.LOCKED), (paid, Stage.SETTLED), (gone, Stage.RELEASED)):
        found = locks.as_payment(pair.ana.tx, Named(pair.ana.side.contact, True, pay), tab.side)
        assert found is not None
        kept = tab.tab.payments[tab.key(True, pay)]
        assert (found.stage, found.unit, found.amount, found.lock) == (stage, kept.unit, kept.amount, kept.lock)
    assert locks.as_payment(pair.ana.tx, Named(pair.ana.side.contact, True, bytes(16)), Side.LOW) is None


async def test_a_lock_of_a_ledger_that_was_begun_anew_holds_nobody_up(pair: Pair) -> None:
    pay = lock(pair)
    pair.ana.propose()
    pair.sync()
    pair.bo.agree()
    pair.sync()
    for one, mine in ((pair.ana, True), (pair.bo, False)):
        assert one.one.tab.payments == {}
        assert locks.coming(one.tx) == ()
        assert locks.open_with(one.tx) == ()
        found = locks.as_payment(one.tx, Named(one.side.contact, mine, pay), Side.LOW)
        assert found is not None
        assert found.stage is Stage.RELEASED


async def test_of_a_name_that_is_used_in_two_generations_the_lock_in_force_counts(pair: Pair) -> None:
    pay, other = lock(pair), b"y" * 32
    pair.ana.propose()
    pair.sync()
    pair.bo.agree()
    pair.sync()
    assert lock(pair, hash_=lock_of(other)) == pay
    for one, mine in ((pair.ana, True), (pair.bo, False)):
        assert locks.hash_of(one.tx, one.side.contact, mine, pay) == lock_of(other)
        assert locks.by_hash(one.tx, HASH, mine=mine) == ()
    pair.bo.say(Reveal(pay, other))
    pair.sync()
    assert locks.preimages(pair.ana.tx, (HASH, lock_of(other))) == {lock_of(other): other}
