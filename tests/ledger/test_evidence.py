"""Evidence of one payment: what it shows, what it keeps closed, and that two programs say the same of it (ledger 13).

Both examine each file: ledger/examination.py and docs/verify_payment.py. Not here: files that lie, each in one way
(test_evidence_hostile.py).
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from ledger import evidence
from ledger.evidence import Half, NoSuchPayment, NotProvable
from ledger.examination import Doubt, examine
from ledger.payment import Side, Stage
from ledger.tab import Key, Said, Tab, lock_of
from ledger.terms import Accept, Ackn, Decline, Limit, Lock, Offer, Release, Reveal, Settle, Term, Void
from protocol import wire
from protocol.entry import Entry
from protocol.log_file import Claimed, Item, Shown
from tests import depth
from tests.ledger import signed
from tests.ledger.signed import OFFER, OTHER_PAY, PAY, PREIMAGE, STATE, Person, Two, attest

LOCK = Lock(PAY, "EUR", 9, lock_of(PREIMAGE), 1)
OTHER = Offer(OTHER_PAY, "EUR", 7, 1)
SHORT_OFFER = wire.encode((Offer.KIND, PAY, "EUR", 5, 1))  # as an older version writes it


def settled(two: Two) -> None:
    two.pays(OFFER)
    two.takes(Accept(PAY, STATE))
    two.pays(Settle(PAY, STATE))


def settled_among_others(two: Two) -> None:
    two.takes(Limit("EUR", 9_999), Offer(PAY, "EUR", 3, 1))
    two.pays(Ackn(), OTHER, OFFER, Ackn())
    two.takes(Ackn(), Accept(OTHER_PAY, STATE), Accept(PAY, STATE), Ackn())
    two.pays(Settle(OTHER_PAY, STATE), Settle(PAY, STATE), Ackn())
    two.takes(Ackn())


def declined(two: Two) -> None:
    two.pays(OFFER)
    two.takes(Decline(PAY))


def refunded(two: Two) -> None:
    two.pays(OFFER, Void(PAY))
    two.takes(Ackn())


def refunded_though_accepted(two: Two) -> None:
    two.pays(OFFER)
    two.bo.say(Accept(PAY, STATE))
    two.pays(Ackn(), Void(PAY))
    two.takes(Accept(OTHER_PAY, STATE), Ackn())


def refunded_among_others(two: Two) -> None:
    two.pays(OFFER, OTHER)
    two.takes(Ackn(), Accept(OTHER_PAY, STATE))
    two.pays(Settle(OTHER_PAY, STATE), Void(PAY))
    two.takes(Ackn())


def attested(two: Two) -> None:
    two.pays(OFFER)
    accept = two.bo.say(Accept(PAY, STATE))
    two.ana.say(Void(PAY))
    two.takes(attest(accept))


def attested_and_settled(two: Two) -> None:
    two.pays(OFFER)
    two.takes(attest(two.takes(Accept(PAY, STATE))))
    two.pays(Settle(PAY, STATE))


def attested_too_late(two: Two) -> None:
    two.pays(OFFER)
    accept = two.bo.say(Accept(PAY, STATE))
    two.pays(Void(PAY))
    two.takes(attest(accept))


def accepted(two: Two) -> None:
    two.pays(OFFER)
    two.takes(Accept(PAY, STATE))


def refunding(two: Two) -> None:
    two.pays(OFFER, Void(PAY))


def revealed(two: Two) -> None:
    two.pays(LOCK)
    two.takes(Reveal(PAY, STATE), Reveal(PAY, PREIMAGE))


def released(two: Two) -> None:
    two.pays(LOCK)
    two.takes(Ackn(), Release(PAY), Reveal(PAY, PREIMAGE))


# name -> what is done, the stage, how many closed entries leave doubt
GOOD: dict[str, tuple[Callable[[Two], object], Stage, int]] = {
    "settled": (settled, Stage.SETTLED, 0),
    "settled among others": (settled_among_others, Stage.SETTLED, 2),
    "declined": (declined, Stage.DECLINED, 0),
    "refunded": (refunded, Stage.REFUNDED, 0),
    "refunded though accepted": (refunded_though_accepted, Stage.REFUNDED, 0),
    "refunded among others": (refunded_among_others, Stage.REFUNDED, 3),
    "attested against a void": (attested, Stage.SETTLED, 0),
    "attested and settled": (attested_and_settled, Stage.SETTLED, 0),
    "attested after the void was seen": (attested_too_late, Stage.REFUNDED, 0),
    "offered": (lambda two: two.pays(OFFER), Stage.OFFERED, 0),
    "offered in few words": (lambda two: two.pays(SHORT_OFFER), Stage.OFFERED, 0),
    "accepted": (accepted, Stage.ACCEPTED, 0),
    "refunding": (refunding, Stage.REFUNDING, 0),
    "locked": (lambda two: two.pays(LOCK), Stage.LOCKED, 0),
    "revealed": (revealed, Stage.SETTLED, 0),
    "released": (released, Stage.RELEASED, 0),
}


def made(case: str, two: Two | None = None) -> tuple[Two, bytes]:
    """The two of a case, and the file about the payment."""
    two = two or Two()
    GOOD[case][0](two)
    return two, evidence.make(two.ana.half, two.bo.half, PAY)


@pytest.mark.parametrize("case", GOOD)
def test_a_payment_is_shown_with_its_stage(case: str) -> None:
    two, raw = made(case)
    _, stage, doubts = GOOD[case]
    verdict = signed.agreed(raw).verdict
    assert verdict is not None
    assert (verdict.stage, len(verdict.doubts)) == (stage, doubts)
    assert verdict.begun.pay == PAY
    for party, one in ((verdict.payer, two.ana), (verdict.payee, two.bo)):
        assert party == (one.account.public, one.device.public, one.log)


@pytest.mark.parametrize("case", GOOD)
def test_the_other_way_round(case: str) -> None:
    """Whoever has the smaller account id."""
    two = Two(Person("bo"), Person("ana"))
    assert (two.ana.account.public < two.bo.account.public) != (Two().ana.account.public < Two().bo.account.public)
    _, raw = made(case, two)
    verdict = signed.agreed(raw).verdict
    assert verdict is not None
    assert verdict.stage is GOOD[case][1]


def test_nothing_else_is_opened_and_nothing_after_it_is_there() -> None:
    two, raw = made("settled among others")
    shown: dict[bytes, set[int]] = {two.ana.log: set(), two.bo.log: set()}
    there: dict[bytes, list[int]] = {two.ana.log: [], two.bo.log: []}
    for item in signed.items_of(raw):
        if isinstance(item, Claimed):
            at = item.entry.body
            there[at.log].append(at.seq)
        elif isinstance(item, Shown):
            shown[at.log].add(at.seq)
    assert there == {two.ana.log: [0, 3, 4, 5, 6], two.bo.log: [0, 2, 3, 4, 5, 6]}
    assert shown == {two.ana.log: {0, 3, 4, 6}, two.bo.log: {0, 3, 5, 6}}
    for one in (two.ana, two.bo):
        for made_entry, held in one.written:
            assert held.content is not None
            assert held.key is not None
            is_shown = made_entry.body.seq in shown[one.log]
            assert (held.content in raw, held.key in raw) == (is_shown, is_shown)
        assert one.secret not in raw


def test_doubts_are_the_closed_entries_before_the_facts() -> None:
    two, raw = made("settled among others")
    verdict = examine((raw,)).verdict
    assert verdict is not None
    ids = [{made_entry.body.seq: made_entry.id for made_entry, _ in one.written} for one in (two.ana, two.bo)]
    assert verdict.doubts == (
        *(Doubt(True, seq, ids[0][seq]) for seq in (5,)),
        *(Doubt(False, seq, ids[1][seq]) for seq in (4,)),
    )


def test_a_payment_that_is_not_there_or_not_whole_is_not_shown() -> None:
    two = Two()
    settled(two)
    with pytest.raises(NoSuchPayment):
        evidence.make(two.ana.half, two.bo.half, OTHER_PAY)
    with pytest.raises(NoSuchPayment):
        evidence.make(two.bo.half, two.ana.half, PAY)
    for short in (Half(two.bo.certificate, two.bo.half.entries[1:]), Half(two.bo.certificate, ())):
        with pytest.raises(NotProvable):
            evidence.make(two.ana.half, short, PAY)
    with pytest.raises(NotProvable):
        evidence.make(Half(two.bo.certificate, two.ana.half.entries), two.bo.half, PAY)


def test_the_middle_of_a_long_ledger_is_enough() -> None:
    """Of each half the first entry, and those from some place on."""
    two = Two()
    for _ in range(30):
        two.pays(Ackn())
        two.takes(Ackn())
    settled(two)
    whole = evidence.make(two.ana.half, two.bo.half, PAY)
    ana, bo = (Half(one.certificate, (one.half.entries[0], *one.half.entries[25:])) for one in (two.ana, two.bo))
    assert evidence.make(ana, bo, PAY) == whole
    assert signed.agreed(whole).verdict is not None
    assert len(signed.items_of(whole)) == 2 + 6 + 6


# --- what is certain stays true, whatever is behind what is closed

ANAS: tuple[Term, ...] = (Settle(PAY, STATE), Void(PAY), Ackn(), OTHER)
BOS: tuple[Term, ...] = (Accept(PAY, STATE), Decline(PAY), Ackn())
RUNS = 250 * max(1, depth.LEVEL)


def history(draw: random.Random) -> Two:
    """What two liars write, in no order that makes sense, hearing each other by chance; the offer is made once."""
    two = Two()
    is_lock = draw.random() < 0.2
    two.pays(*[Ackn()] * draw.randint(0, 1), LOCK if is_lock else OFFER)
    accepts: list[Entry] = []
    for _ in range(draw.randint(1, 9)):
        is_anas = draw.random() < 0.4
        one, other = (two.ana, two.bo) if is_anas else (two.bo, two.ana)
        term = draw.choice(ANAS if is_anas else BOS)
        if not is_anas and is_lock and draw.random() < 0.7:
            term = draw.choice((Reveal(PAY, PREIMAGE), Reveal(PAY, STATE), Release(PAY)))
        elif not is_anas and accepts and draw.random() < 0.5:
            term = attest(accepts[0])
        if draw.random() < 0.6:
            one.heard = other.newest
        wrote = one.say(term)
        if isinstance(term, Accept):
            accepts.append(wrote)
    return two


def truth(two: Two) -> Stage:
    """The stage by the fold over both whole halves, all of it open."""
    low, high = sorted((two.ana, two.bo), key=lambda one: one.account.public)
    tab, sides = Tab(), {Side.LOW: low, Side.HIGH: high}
    while any(tab.heads[side] < len(one.written) for side, one in sides.items()):
        for side, one in sides.items():
            while tab.heads[side] < len(one.written):
                wrote, term = one.written[tab.heads[side]][0], one.said[tab.heads[side]]
                ack = max((ack.seq + 1 for ack in wrote.body.acks), default=0)
                if ack > tab.heads[side.other]:
                    break
                assert not isinstance(term, bytes)
                tab.take(side, Said(ack, term, wrote.id))
    return tab.payments[Key(Side.LOW if low is two.ana else Side.HIGH, PAY)].stage


def liars_file(two: Two, draw: random.Random) -> bytes:
    """What a liar hands on: a beginning of each half, of which he opens what he likes."""
    offered = next(seq for seq, term in enumerate(two.ana.said) if isinstance(term, Offer | Lock))
    items: list[Item] = [two.ana.certificate, two.bo.certificate]
    for one in (two.ana, two.bo):
        ends = draw.randint(offered + 1 if one is two.ana else 1, len(one.written))
        opens = {0, offered} if one is two.ana else {0}
        share = draw.choice((0.5, 0.9, 1))
        opens |= {seq for seq in range(len(one.written)) if draw.random() < share}
        items += signed.half_items(one, opens, range(ends, len(one.written)))
    return signed.file_of(items)


def test_what_is_certain_is_true_whatever_is_closed() -> None:
    draw, counts = random.Random(7), Counter[tuple[bool, bool]]()
    stages = set()
    for _ in range(RUNS):
        two = history(draw)
        for _ in range(4):
            verdict = examine((liars_file(two, draw),)).verdict
            if verdict is None:
                continue
            counts[verdict.is_certain, verdict.stage is truth(two)] += 1
            if verdict.is_certain:
                stages.add((verdict.stage, type(verdict.begun)))
                assert verdict.stage is truth(two), (two.ana.said, two.bo.said)
    assert len(stages) == 5
    assert counts[True, True] > RUNS // 4, counts
    assert counts[False, False] > RUNS // 4, counts  # and the liar did lie


def test_what_is_made_has_the_stage_of_the_whole() -> None:
    draw, stages = random.Random(8), Counter[Stage]()
    for _ in range(RUNS):
        two = history(draw)
        verdict = examine((evidence.make(two.ana.half, two.bo.half, PAY),)).verdict
        assert verdict is not None
        assert verdict.stage is truth(two), (two.ana.said, two.bo.said)
        stages[verdict.stage] += 1
    assert len(stages) == 8, stages


def test_the_stand_alone_verifier_says_the_same_of_whatever_liars_write() -> None:
    draw = random.Random(9)
    raws = [liars_file(history(draw), draw) for _ in range(RUNS)]
    found = [signed.agreed(raw, answer) for raw, answer in zip(raws, signed.verified_all(raws), strict=True)]
    assert sum(one.verdict is not None for one in found) > RUNS // 2
