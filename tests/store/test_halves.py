"""Halves of ledgers that are strange: of a later version, malformed, hostile, forked, of devices that were lost."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from ledger import terms
from ledger.payment import Stage
from ledger.terms import Ackn, Limit, Offer, Open
from protocol.entry import Ack, Kind
from protocol.grant import Role
from store import authoring, entries, halves, logs, spaces
from store.faults import TabPaused
from store.intake import Took
from store.renewals import Pause
from tests.store import tab_kit
from tests.store.tab_kit import DAY_MS, UNIT, Pair

NEW_KIND = tab_kit.said(299, b"what nobody knows yet")
MORE_FIELDS = tab_kit.said(208, 1)
NEW_RULES = tab_kit.of_term(Open(terms.RULES + 1, bytes(32)))


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with tab_kit.open_pair() as found:
        yield found


@pytest.mark.parametrize("newer", [NEW_KIND, MORE_FIELDS, NEW_RULES])
async def test_what_a_later_version_says_pauses_the_tab(pair: Pair, newer: bytes) -> None:
    before = [*pair.ana.one.tab.heads]
    pair.forge(pair.bo, newer)
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 1)))
    for _ in range(2):
        assert pair.ana.one.pause is Pause.NEWER
        assert pair.ana.one.tab.heads == before
        with pytest.raises(TabPaused, match="newer weft"):
            pair.ana.offer()
        pair.ana.restart()


async def test_after_an_update_the_tab_goes_on(pair: Pair) -> None:
    known: Any = halves._TERMS
    assert isinstance(known, Mapping)
    without = {kind: cls for kind, cls in known.items() if cls is not Offer}
    halves._TERMS = without  # an older version
    try:
        pay = _offered(pair)
        assert pair.bo.one.pause is Pause.NEWER
    finally:
        halves._TERMS = known
    assert pair.bo.one.pause is None
    assert pair.bo.stages() == {(False, pay): Stage.OFFERED}
    pair.bo.accept(pay)


def _offered(pair: Pair) -> bytes:
    pay = bytes(15) + b"\x01"
    pair.forge(pair.ana, tab_kit.of_term(Offer(pay, UNIT, 5, pair.ana.side.clock.ms + DAY_MS)))
    return pay


@pytest.mark.parametrize(
    "content",
    [
        tab_kit.said(),
        tab_kit.said(b"no kind"),
        tab_kit.said(201),
        tab_kit.said(201, UNIT, -1),
        tab_kit.said(202, b"short", UNIT, 1, 1),
        b"\xff",
        b"\x81\x18\x01",
    ],
)
async def test_a_malformed_entry_counts_and_says_nothing(pair: Pair, content: bytes) -> None:
    pair.forge(pair.bo, content)
    assert pair.ana.one.pause is None
    assert pair.ana.one.tab.heads == pair.bo.one.tab.heads
    pair.pay(pair.ana)
    pair.agree()


async def test_a_content_that_cannot_be_opened_says_nothing(pair: Pair) -> None:
    own = spaces.ledger(pair.bo.tx, 1)[0][0]
    draft = entries.Draft(Kind.SEALED, bytes(200))
    entries.append(pair.bo.tx, own.log.number, [draft], pair.bo.side.mine.device_key, 1)
    pair.pay(pair.ana)
    pair.agree()


# --- acknowledgements


async def test_an_acknowledgement_that_goes_back_is_the_one_before(pair: Pair) -> None:
    pair.pay(pair.ana)
    first = entries.entry_at(pair.ana.tx, spaces.ledger(pair.ana.tx, 1)[0][0].log.number, 0)
    assert first is not None
    acked = [*pair.ana.one.tab.acked]
    for id_ in (first.id, b"x" * 32):
        pair.forge(pair.bo, tab_kit.of_term(Ackn()), acks=(Ack(first.body.log, 0, id_),))
    assert pair.ana.one.tab.acked == acked
    pair.agree()


async def test_what_acknowledges_more_than_there_is_waits_until_it_is_there(pair: Pair) -> None:
    head = pair.head_of(pair.ana)
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 1)), acks=(Ack(head.log, head.seq + 1, b"x" * 32),))
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 10_000
    pair.ana.allow(7)
    # There is an entry in that place now, and it is another one.
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 10_000
    assert pair.ana.one.pause is None
    pair.ana.forget_images()
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 10_000


async def test_another_entry_in_a_place_of_ours_was_not_seen_by_him(pair: Pair) -> None:
    pay = pair.ana.offer()
    head = pair.head_of(pair.ana)
    pair.forge(pair.bo, tab_kit.of_term(Ackn()), acks=(Ack(head.log, head.seq, b"x" * 32),))
    assert pair.ana.one.tab.acked[pair.ana.one.side.other] == 0
    assert pair.ana.stages() == {(True, pay): Stage.OFFERED}


async def test_logs_that_nobody_knows_are_waited_for_and_his_own_are_not(pair: Pair) -> None:
    mine = pair.head_of(pair.bo)
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 2)), acks=(mine, Ack(mine.log, 10**6, bytes(32))))
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 2
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 3)), acks=(Ack(b"?" * 16, 0, bytes(32)),))
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 4)))
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 2


async def test_a_second_half_that_somebody_begins_is_not_read(pair: Pair) -> None:
    other = tab_kit.second_root(pair, pair.bo)
    pair.sharers.hear(spaces.granted, spaces.grant(pair.bo.tx, other.log.number), pair.ana.side)
    said = (tab_kit.of_term(Open(terms.RULES, bytes(32))), tab_kit.of_term(Limit(UNIT, 99)))
    authoring.write(pair.bo.tx, other, said, pair.bo.side.mine.device_key, 1, pair.bo.side.entropy)
    pair.carry(pair.bo)
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 10_000
    assert pair.ana.one.pause is None


# --- logs that go on


def _goes_on(pair: Pair, last: Ack | None, content: bytes) -> None:
    """Bo's device is lost, and another goes on with his half after this entry."""
    before, bo = spaces.ledger(pair.bo.tx, 1)[0][-1], pair.bo.side
    after = spaces.begin(
        pair.bo.tx,
        bo.mine.device,
        Role.LEDGER,
        "ledger",
        bo.entropy(32),
        1,
        pair.ana.side.mine.account,
        (1,),
        before.log.number,
        1,
    )
    logs.end(pair.bo.tx, before.log.number)
    draft = entries.Draft(Kind.SEALED, authoring._sealed(after, 0, content, bo.entropy), (last,) if last else ())
    entries.append(pair.bo.tx, after.log.number, [draft], bo.mine.device_key, 1)
    pair.carry(pair.bo)


async def test_a_log_that_goes_on_where_the_one_before_ended_is_read_on(pair: Pair) -> None:
    pair.pay(pair.ana)
    _goes_on(pair, pair.head_of(pair.bo), tab_kit.of_term(Open(terms.RULES, bytes(32))))
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 77)), acks=(pair.head_of(pair.ana),))
    for _ in range(2):
        assert pair.ana.one.pause is None
        assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 77
        assert pair.ana.one.tab.heads == pair.bo.one.tab.heads
        pair.ana.restart()


@pytest.mark.parametrize("how", ["earlier", "none", "another"])
async def test_a_log_that_goes_on_from_an_earlier_place_pauses_the_tab(pair: Pair, how: str) -> None:
    pair.pay(pair.bo, 70)
    head = pair.head_of(pair.bo)
    last = {"earlier": Ack(head.log, 0, bytes(32)), "none": None, "another": Ack(head.log, head.seq, b"x" * 32)}[how]
    taken = pair.ana.one.tab.heads[pair.ana.one.side.other]
    _goes_on(pair, last, tab_kit.of_term(Limit(UNIT, 77)))
    for _ in range(2):
        assert pair.ana.one.pause is Pause.PARTED
        assert pair.ana.one.tab.heads[pair.ana.one.side.other] == taken
        assert pair.ana.owed == 70  # what he owes he does not get rid of by it
        with pytest.raises(TabPaused, match="earlier place"):
            pair.ana.offer()
        pair.ana.restart()


async def test_what_nobody_had_acknowledged_counts_only_as_the_next_log_says(pair: Pair) -> None:
    head = pair.head_of(pair.bo)
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 3)))
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 3
    _goes_on(pair, head, tab_kit.of_term(Open(terms.RULES, bytes(32))))
    for _ in range(2):
        assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 10_000
        assert pair.ana.one.pause is None
        pair.ana.restart()


async def test_a_log_that_goes_on_from_a_later_place_waits_for_what_is_missing(pair: Pair) -> None:
    pair.forge(pair.bo, tab_kit.of_term(Limit(UNIT, 3)), carry=False)
    before = spaces.ledger(pair.bo.tx, 1)[0][0]
    last = pair.head_of(pair.bo)
    missing = entries.read(pair.bo.tx, before.log.number, last.seq, 1, 1 << 20)
    logs.end(pair.bo.tx, before.log.number)
    held = spaces.ledger(pair.ana.tx, 1)[1][0].log.number
    _goes_on_without(pair, before.log.number, last)
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 10_000
    assert isinstance(pair.take(pair.ana, held, missing), Took)
    assert pair.ana.one.tab.limit(pair.ana.one.side.other, UNIT) == 77


def _goes_on_without(pair: Pair, number: int, last: Ack) -> None:
    """As _goes_on; what the lost log says last has not come."""
    gone = pair.bo.tx.all("SELECT * FROM entry WHERE key = ?", (logs.key(number, last.seq),))
    pair.bo.tx.execute("DELETE FROM entry WHERE key = ?", (logs.key(number, last.seq),))
    _goes_on(pair, last, tab_kit.of_term(Limit(UNIT, 77)))
    pair.bo.tx.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", gone)


async def test_what_acknowledges_a_log_beyond_where_it_counts_waits(pair: Pair) -> None:
    """An old log of ours has entries that the new one does not count; who acknowledges them has seen no later ones."""
    head = pair.head_of(pair.bo)
    _goes_on(pair, head, tab_kit.of_term(Open(terms.RULES, bytes(32))))
    beyond = Ack(head.log, head.seq + 1, b"x" * 32)
    assert pair.ana.one.theirs.taken == head.seq + 2
    pair.forge(pair.ana, tab_kit.of_term(Limit(UNIT, 5)), acks=(beyond,))
    assert pair.bo.one.tab.limit(pair.bo.one.side.other, UNIT) == 10_000
