"""Two who begin their ledger anew: what counts then, what of the old one stays, and what nobody can make of it.

docs/protocol/ledger.md 15.
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from crypto import hashing
from features.logs import keeping
from ledger.payment import Stage
from ledger.terms import AMOUNT_MAX, Ackn, Offer, Open, Request
from protocol import entry, record, wire
from protocol.entry import Ack
from protocol.faults import OverLimit
from protocol.grant import Role
from protocol.log import Fork
from store import authoring, entries, generations, logs, payments, reissuing, renewals, spaces
from store.faults import TabPaused
from store.payments import Asking
from store.renewals import Pause
from store.spaces import Space
from tests.store import tab_kit
from tests.store.tab_kit import UNIT, Holder, Pair
from tests.store.test_tabs_restored import give_back, restore


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with tab_kit.open_pair() as found:
        yield found


def booked(one: Holder) -> dict[str, int]:
    """What all bookings of one come to, by unit: as an export sums them."""
    sums: dict[str, int] = {}
    for paid in payments.settled(one.tx, None, 0, 2**60):
        sums[paid.unit] = sums.get(paid.unit, 0) + (-paid.amount if paid.mine else paid.amount)
    for row in renewals.renewals(one.tx, None, 2**60):
        sums[row.unit] = sums.get(row.unit, 0) + row.amount
    return {unit: amount for unit, amount in sums.items() if amount}


def check(pair: Pair, generation: int, **owed: int) -> None:
    """Both count the same in this generation; owed: to Ana."""
    for one, sign in ((pair.ana, 1), (pair.bo, -1)):
        assert one.one.generation == generation
        rows = {row.unit: row.owed for row in payments.balances(one.tx) if row.owed}
        assert rows == {unit: sign * debt for unit, debt in owed.items()} == booked(one)
    assert pair.ana.one.tab.state() == pair.bo.one.tab.state()


def freeze(pair: Pair, forker: Holder) -> None:
    """One has signed another entry in the place of his newest, and both have the proof."""
    own = pair.head_of(forker)
    number = logs.by_id(forker.tx, own.log)
    assert number is not None
    held = entries.entry_at(forker.tx, number.number, own.seq)
    assert held is not None
    other = replace(held.body, content_length=3, content_hash=hashing.digest(b"two"))
    proof = Fork.of(held.raw, entry.write(other, forker.side.mine.device_key).raw)
    for one in (pair.ana, pair.bo):
        assert logs.freeze(one.tx, proof, 1)


def check_balances(pair: Pair, **owed: int) -> None:
    """Both count this; a new device has no bookings of what it did not see."""
    for one, sign in ((pair.ana, 1), (pair.bo, -1)):
        assert one.one.pause is None
        rows = {row.unit: row.owed for row in payments.balances(one.tx) if row.owed}
        assert rows == {unit: sign * debt for unit, debt in owed.items()} == booked(one)


async def test_a_frozen_ledger_is_begun_anew_and_pays_again(pair: Pair) -> None:
    settled = pair.pay(pair.ana, 500)
    dropped = pair.ana.offer(3)
    pair.bo.say(Request(b"r" * 16, UNIT, 5, memo="lunch"))
    pair.sync()
    freeze(pair, pair.bo)
    assert pair.ana.one.pause is Pause.FROZEN
    pair.ana.propose("a fork", EUR=-480, h=100)
    pair.sync()
    assert pair.ana.one.pause is Pause.FROZEN is pair.bo.one.pause
    assert pair.bo.agree()
    assert not pair.bo.agree()
    pair.sync()
    check(pair, 1, EUR=-480, h=100)
    assert pair.ana.one.pause is None is pair.bo.one.pause
    rows = {paid.pay: paid for paid in payments.history(pair.ana.tx, None, None, 10)}
    assert (rows[settled].stage, rows[dropped].lapsed) == (Stage.SETTLED, True)
    assert dropped not in {paid.pay for paid in payments.open_payments(pair.ana.tx)}
    for one in (pair.ana, pair.bo):  # limits were given again
        assert one.one.tab.limit(one.one.side, UNIT) == 10_000
        found = payments.asked(one.tx, 1, one is pair.bo, b"r" * 16)
        assert found is None or found.state is Asking.LAPSED
    pair.pay(pair.bo, 80)
    check(pair, 1, EUR=-400, h=100)
    for one in (pair.ana, pair.bo):
        one.forget_images()
    check(pair, 1, EUR=-400, h=100)


async def test_a_proposal_stands_beside_a_ledger_that_goes_on_and_is_confirmed_only_as_it_was(pair: Pair) -> None:
    pair.pay(pair.ana, 40)
    pair.ana.propose(EUR=-40)
    pair.sync()
    pair.pay(pair.ana, 7)  # which the proposal knows nothing of
    assert pair.bo.agree()
    pair.sync()
    assert (pair.ana.one.generation, pair.ana.one.pause) == (0, None)
    assert pair.bo.one.pause is Pause.AGREED
    with pytest.raises(TabPaused, match="confirm"):
        pair.bo.allow(5)
    assert [one.is_answered for one in renewals.standing(pair.ana.tx)] == [True]
    assert pair.ana.agree()  # she stands by it
    pair.sync()
    check(pair, 1, EUR=-40)


async def test_who_does_not_answer_changes_nothing(pair: Pair) -> None:
    pair.ana.propose(EUR=9_000)
    pair.sync()
    for _ in range(3):
        pair.pay(pair.bo, 10)
    check(pair, 0, EUR=30)


async def test_another_answer_is_another_proposal_and_crossing_ones_meet(pair: Pair) -> None:
    pair.ana.propose(EUR=10)
    pair.bo.propose(EUR=-12)
    pair.sync()
    check(pair, 0)
    assert pair.bo.agree()  # to hers; his own generation 1 is another, so it is the second
    pair.sync()
    check(pair, 2, EUR=10)
    pair.ana.propose(EUR=5)
    pair.bo.propose(EUR=-5)  # the same, and neither has seen the other's
    pair.sync()
    check(pair, 3, EUR=5)
    pair.ana.propose()
    pair.sync()
    assert pair.bo.agree()
    pair.sync()
    check(pair, 4)


@pytest.mark.parametrize("order", sorted(itertools.permutations("abAB", 4))[::4])
async def test_in_whatever_order_it_comes_both_come_to_the_same(pair: Pair, order: tuple[str, ...]) -> None:
    pair.pay(pair.ana, 40)
    pair.ana.propose(EUR=3)
    pair.bo.propose(EUR=-2)
    for step in (*order, *order):
        match step:
            case "a":
                pair.carry(pair.ana, 1)
            case "b":
                pair.carry(pair.bo, 1)
            case "A":
                pair.ana.go_on()
                pair.ana.agree()
            case _:
                pair.bo.go_on()
                pair.bo.forget_images()
    pair.sync()
    for one in (pair.bo, pair.ana, pair.bo):
        one.agree()
        pair.sync()
    number = pair.ana.one.generation
    assert number > 0
    check(pair, number, EUR=pair.ana.owed)


# --- who is hostile


def root(pair: Pair, one: Holder, name: str, said: bytes, acks: tuple[Ack, ...] = (), more: bytes = b"") -> Space:
    """A hostile side begins a log of a ledger, and it goes over."""
    side, account = one.side, pair.other(one).side.mine.account
    draw = (side.mine.device, Role.LEDGER, name, side.entropy(32), 0, account, (side.contact,), 0, side.clock.ms)
    made = spaces.begin(one.tx, *draw)
    said_all = (said, more) if more else (said,)
    authoring.write(one.tx, made, said_all, side.mine.device_key, side.clock.ms, side.entropy, acks)
    pair.carry(one)
    return made


def of_hers(pair: Pair) -> Ack:
    """What Ana proposes, as it is acknowledged."""
    ledger = generations.of(pair.ana.tx, 1, pair.ana.tabs.account)
    assert ledger.proposed is not None
    return Ack(ledger.proposed.root.log.id, 0, ledger.proposed.id)


def opening(
    peer: bytes, generation: int = 1, units: tuple[str, ...] = (UNIT,), owed: tuple[int, ...] = (-10,)
) -> bytes:
    return record.encode(Open(1, peer, generation, units, owed))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ledger 1", {"owed": (-11,)}),
        ("ledger 1", {"owed": (10,)}),
        ("ledger 2", {"generation": 1}),
        ("ledger", {}),
        ("ledger 01", {}),
        ("ledger 1", {"generation": 2}),
        ("ledger 1", {"units": ("EUR", "EUR"), "owed": (-5, -10)}),
        ("ledger 1", {"units": ("EUR", "h"), "owed": (-10, 0)}),
        ("ledger 1", {"units": ("EUR", "h"), "owed": (-10,)}),
        ("ledger 1", {"peer": bytes(32)}),
    ],
)
async def test_what_does_not_say_the_same_is_no_agreement(pair: Pair, name: str, change: dict[str, object]) -> None:
    pair.ana.propose(EUR=10)
    pair.sync()
    said = opening(**({"peer": pair.ana.side.mine.account} | change))  # type: ignore[arg-type]
    root(pair, pair.bo, name, said, (of_hers(pair),))
    pair.ana.go_on()
    assert generations.of(pair.ana.tx, 1, pair.ana.tabs.account).answered is None
    assert pair.ana.one.generation == 0
    pair.pay(pair.bo, 3)


async def test_more_than_fits_begins_nothing(pair: Pair) -> None:
    with pytest.raises(OverLimit):
        pair.ana.propose(EUR=AMOUNT_MAX + 1)
    pair.ana.propose(EUR=AMOUNT_MAX)
    pair.sync()
    said = wire.encode((200, 1, pair.ana.side.mine.account, 1, (UNIT,), (-AMOUNT_MAX - 1,), ""))
    root(pair, pair.bo, "ledger 1", said, (of_hers(pair),))
    pair.ana.go_on()
    assert pair.ana.one.generation == 0
    pair.bo.agree()
    pair.sync()
    assert pair.ana.one.generation == 1
    assert pair.ana.owed == AMOUNT_MAX == -pair.bo.owed
    pair.pay(pair.ana, 5)
    assert pair.ana.owed == AMOUNT_MAX - 5 == -pair.bo.owed


async def test_nobody_confirms_in_the_others_place(pair: Pair) -> None:
    pair.ana.propose(EUR=10)
    pair.sync()
    pair.pay(pair.bo, 5)
    seen = of_hers(pair)
    root(pair, pair.bo, "ledger 1", opening(pair.ana.side.mine.account), (seen,), record.encode(Ackn()))
    pair.ana.go_on()
    assert pair.ana.one.generation == 0  # it stands otherwise than when she proposed it
    assert pair.ana.owed == 5


async def test_of_two_answers_the_one_counts_that_was_confirmed(pair: Pair) -> None:
    pair.ana.propose(EUR=10)
    pair.sync()
    pair.bo.agree()
    said, seen = opening(pair.ana.side.mine.account), of_hers(pair)
    root(pair, pair.bo, "ledger 1", said, (seen,))
    pair.ana.go_on()
    root(pair, pair.bo, "ledger 1", said, (seen,))
    pair.sync()
    assert (pair.ana.one.generation, pair.ana.owed) == (1, 10)
    pair.ana.restart()
    assert (pair.ana.one.generation, pair.ana.owed) == (1, 10)


async def test_a_generation_may_be_left_out_and_nobody_uses_them_up(pair: Pair) -> None:
    account = pair.ana.side.mine.account
    root(pair, pair.bo, "ledger 7", opening(account, 7))
    root(pair, pair.bo, f"ledger {2**53 - 1}", opening(account, 2**53 - 1))
    assert pair.ana.agree()
    pair.sync()
    assert pair.bo.agree()
    pair.sync()
    check(pair, 7, EUR=10)
    pair.ana.propose(EUR=1)
    assert generations.of(pair.ana.tx, 1, account).newest == 8
    pair.sync()
    pair.bo.agree()
    pair.sync()
    check(pair, 8, EUR=1)


async def test_a_name_of_a_payment_is_of_its_generation(pair: Pair) -> None:
    old = pair.pay(pair.bo, 10)
    pair.ana.propose(EUR=10)
    pair.sync()
    pair.bo.agree()
    pair.sync()
    again = payments.found(pair.ana.tx, 1, False, old)
    assert again is not None
    pair.bo.say(Offer(old, UNIT, 77, again.expires_ms))
    pair.sync()
    rows = payments.history(pair.ana.tx, 1, None, 10)
    assert sorted((row.generation, row.amount, row.stage) for row in rows) == [
        (0, 10, Stage.SETTLED),
        (1, 77, Stage.OFFERED),
    ]
    check(pair, 1, EUR=10)


async def test_what_waits_to_be_said_again_is_given_up_with_its_ledger(pair: Pair) -> None:
    own = spaces.ledger(pair.ana.tx, 1)[0][-1]
    pair.ana.offer(3)
    pair.ana.say(Request(b"r" * 16, UNIT, 5))
    taken = entries.read(pair.ana.tx, own.log.number, own.log.published + 1, 1000, 1 << 30)
    freeze(pair, pair.bo)  # so it cannot be said now
    side = pair.ana.side
    reissuing.again(pair.ana.tx, own, taken[-2:], side.mine, side.clock.ms, side.entropy)
    pair.ana.propose()
    pair.sync()
    pair.bo.agree()
    pair.sync()
    pair.ana.say_again()
    pair.sync()
    assert (pair.ana.stages(), pair.bo.stages()) == ({}, {})
    reissuing.again(pair.ana.tx, own, taken[-2:], side.mine, side.clock.ms, side.entropy)  # nor is it said afterwards
    assert pair.ana.stages() == {}
    check(pair, 1)


# --- devices and disks


async def test_a_device_that_knows_nothing_of_the_ledger_says_so_and_begins_it_anew(pair: Pair) -> None:
    pair.pay(pair.bo, 10)
    pair.pay(pair.bo, 20)
    bo = pair.bo
    for table in tab_kit.KEPT:
        bo.tx.execute(f"DELETE FROM {table}")
    bo.restart()
    bo.tx.execute("INSERT INTO tab_mark VALUES (99, x'')")  # nothing else stands there
    hers = spaces.ledger(pair.ana.tx, 1)[0][0].log.number
    pair.sharers.hear(spaces.granted, spaces.grant(pair.ana.tx, hers), bo.side)
    pair.carry(pair.ana)
    assert bo.one.pause is Pause.LOST
    with pytest.raises(TabPaused, match="does not have"):
        bo.allow(5)
    pair.ana.propose(EUR=30)
    pair.sync()
    assert bo.agree()
    pair.sync()
    check(pair, 1, EUR=30)
    pair.bo.allow(100)
    pair.pay(pair.bo, 5)
    check(pair, 1, EUR=35)


async def test_a_disk_that_was_set_back_comes_to_the_same(pair: Pair) -> None:
    pair.pay(pair.bo, 10)
    pair.ana.propose(EUR=12)
    pair.sync()
    old = pair.ana.copy()
    pair.bo.agree()
    pair.sync()
    pair.pay(pair.bo, 5)
    check(pair, 1, EUR=17)
    pair.ana.put_back(old)
    assert pair.ana.one.generation == 0
    pair.ask(pair.ana)
    pair.sync()
    check(pair, 1, EUR=17)
    pair.pay(pair.bo, 5)
    check(pair, 1, EUR=22)


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_device_from_a_backup_goes_on_in_the_generation_or_says_that_it_lacks_it(
    pair: Pair, is_known: bool
) -> None:
    pair.pay(pair.bo, 10)
    if not is_known:
        old = keeping.keep(pair.ana.tx, 1)
    pair.ana.propose(EUR=12)
    pair.sync()
    pair.bo.agree()
    pair.sync()
    pair.pay(pair.bo, 5)
    if is_known:
        old = keeping.keep(pair.ana.tx, 1)
    assert old is not None
    restore(pair.ana, old)
    pair.carry(pair.bo)
    for own in spaces.ledger(pair.ana.tx, 1)[0]:
        if not own.log.own:
            assert pair.ana.one.pause is Pause.WAITS
            give_back(pair, pair.ana, own)
    if is_known:
        check_balances(pair, EUR=17)
        pair.sync()
        pair.pay(pair.bo, 1)
        check_balances(pair, EUR=18)
        return
    assert pair.ana.refusal is Pause.LOST
    pair.bo.propose(EUR=-17)
    pair.sync()
    pair.ana.agree()
    pair.sync()
    check(pair, 2, EUR=17)


async def test_what_a_lost_device_has_proposed_its_successor_proposes_again(pair: Pair) -> None:
    pair.pay(pair.bo, 10)
    pair.ana.propose(EUR=12)
    pair.sync()
    old = keeping.keep(pair.ana.tx, 1)
    assert old is not None
    restore(pair.ana, old)
    for own in spaces.ledger(pair.ana.tx, 1)[0]:
        if not own.log.own:
            give_back(pair, pair.ana, own)
    pair.bo.agree()
    pair.sync()
    assert (pair.ana.one.generation, pair.bo.one.pause) == (0, Pause.AGREED)
    assert pair.ana.agree()
    pair.sync()
    check_balances(pair, EUR=12)
    assert pair.ana.one.generation == 2


async def test_why_a_ledger_stands_still_is_in_a_row(pair: Pair) -> None:
    assert pair.ana.one.pause is None
    assert [one.pause for one in renewals.standing(pair.ana.tx)] == [""]
    freeze(pair, pair.bo)
    assert pair.ana.one.pause is Pause.FROZEN
    assert [one.pause for one in renewals.standing(pair.ana.tx)] == ["FROZEN"]
    pair.ana.propose("x", EUR=3)
    (row,) = renewals.standing(pair.ana.tx)
    assert row.mine is not None
    assert (row.mine.reason, row.his, row.is_answered) == ("x", None, False)
