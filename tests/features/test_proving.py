"""Evidence of a payment from what lies on a disk: both sides make the same file, and a stranger can check it."""

import pytest

from features.books import proving
from ledger.evidence import NoSuchPayment, NotProvable
from ledger.examination import examine
from ledger.payment import Stage
from ledger.terms import Accept, Ackn, Offer, Open, Settle, Term
from protocol import entry, record
from protocol.entry import Ack, Kind
from protocol.grant import Role
from store import entries, intake, logs, people, spaces
from store.database import Tx
from store.entries import Draft
from store.intake import Piece
from store.spaces import Space
from tests.ledger import signed
from tests.store.kit import Side
from tests.store.space_kit import Sharers, open_sharers

PAY, STATE = b"p" * 16, bytes(32)


class Tab:
    """Both halves of what Ana and Bo owe each other, hers and his, as each has them."""

    def __init__(self, two: Sharers) -> None:
        self.two = two
        self.hers, _ = two.begin("ledger", Role.LEDGER, b"h" * 32)
        anchor = people.contact(two.theirs, two.bo.contact).account
        about = (Role.LEDGER, "ledger", b"b" * 32, 0, anchor, (two.bo.contact,), 0, two.now_ms)
        self.his = spaces.begin(two.theirs, two.bo.mine.device, *about)
        two.hear(spaces.granted, spaces.grant(two.theirs, self.his.log.number), two.ana)
        self.say(two.ana, Open(1, two.bo.mine.account))
        self.say(two.bo, Open(1, two.ana.mine.account))

    def say(self, side: Side, term: Term, carried: bool = True) -> None:
        """One of the two writes, acknowledging all of the other, and the other hears it at once."""
        two, is_hers = self.two, side is self.two.ana
        tx, other_tx = (two.mine, two.theirs) if is_hers else (two.theirs, two.mine)
        own, other = (self.hers, self.his) if is_hers else (self.his, self.hers)
        head = entries.head(tx, own.log.number)
        seq = 0 if head is None else head.seq + 1
        key = entry.content_key(own.log.secret, own.log.id, seq)
        said = entry.seal(key, own.log.author, own.log.id, seq, record.encode(term), side.entropy(24))
        theirs = entries.head(tx, copy_of(tx, other).log.number)
        acks = () if theirs is None else (Ack(other.log.id, *theirs),)
        entries.append(tx, own.log.number, [Draft(Kind.SEALED, said, acks)], side.mine.device_key, two.now_ms)
        if carried:
            held = entries.read(tx, own.log.number, seq, 1, 1 << 20)
            piece = Piece(copy_of(other_tx, own).log.number, (held[0].raw,), (held[0].content,))
            intake.take(other_tx, [piece], side.mine.device_key, two.now_ms, side.entropy)
            logs.publish(tx, own.log.number, seq)


def copy_of(tx: Tx, own: Space) -> Space:
    return next(one for one in spaces.every(tx) if one.log.id == own.log.id)


async def test_both_make_the_same_file_and_a_stranger_can_check_it() -> None:
    async with open_sharers() as two:
        tab = Tab(two)
        for side, term in (
            (two.bo, Ackn()),
            (two.ana, Offer(PAY, "EUR", 5, 1)),
            (two.bo, Accept(PAY, STATE)),
            (two.ana, Settle(PAY, STATE)),
        ):
            tab.say(side, term)
        raw = proving.prove(two.mine, two.ana.contact, True, PAY)
        assert proving.prove(two.theirs, two.bo.contact, False, PAY) == raw
        assert proving.prove(two.mine, two.ana.contact, True, PAY, offered=1) == raw
        verdict = signed.agreed(raw).verdict
        assert verdict is not None
        assert (verdict.stage, verdict.is_certain) == (Stage.SETTLED, True)
        assert (verdict.payer.account, verdict.payee.account) == (two.ana.mine.account, two.bo.mine.account)
        for of, is_ours, offered in ((PAY, False, 0), (bytes(16), True, 0), (PAY, True, 2)):
            with pytest.raises(NoSuchPayment):
                proving.prove(two.mine, two.ana.contact, is_ours, of, offered)
        with pytest.raises(NoSuchPayment):
            proving.prove(two.mine, two.ana.contact + 1, True, PAY)


async def test_what_may_still_be_taken_back_is_not_handed_on() -> None:
    async with open_sharers() as two:
        tab = Tab(two)
        tab.say(two.ana, Offer(PAY, "EUR", 5, 1))
        tab.say(two.bo, Accept(PAY, STATE))
        tab.say(two.ana, Settle(PAY, STATE), carried=False)
        verdict = examine((proving.prove(two.mine, two.ana.contact, True, PAY),)).verdict
        assert verdict is not None
        assert verdict.stage is Stage.ACCEPTED


async def test_a_payment_in_a_log_of_a_device_that_is_not_known_is_not_provable() -> None:
    async with open_sharers() as two:
        tab = Tab(two)
        tab.say(two.ana, Offer(PAY, "EUR", 5, 1))
        two.theirs.execute("DELETE FROM device")
        with pytest.raises(NotProvable):
            proving.prove(two.theirs, two.bo.contact, False, PAY)
