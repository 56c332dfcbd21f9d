"""Files about a payment that lie, each in one way: nothing of them is believed (ledger 13).

Each is examined by the ledger and by the stand-alone verifier, which have to agree. Not here: honest files, and what
liars may leave closed (test_evidence.py), chance (test_evidence_damaged.py).
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.keys import SigningKey
from ledger import evidence
from ledger.evidence import NotProvable
from ledger.examination import ENTRIES_MAX, Flaw
from ledger.payment import Stage
from ledger.terms import Accept, Ackn, Attest, Decline, Limit, Lock, Offer, Open, Request, Reveal, Settle, Term, Void
from protocol import entry, identity, ids, record, wire
from protocol.entry import Ack, Kind
from protocol.identity import Certificate
from protocol.log import Fork
from protocol.log_file import Claimed, Item, Shown
from tests.ledger import signed
from tests.ledger.signed import EXPIRES_MS, OFFER, OTHER_PAY, PAY, STATE, Person, Two, attest
from tests.ledger.test_evidence import made
from tests.protocol import chains

STRANGER = SigningKey(b"stranger".ljust(32, b"."))


def settled() -> Two:
    return made("settled")[0]


def file_about(two: Two, *more: Item, ana: Certificate | None = None, bo: Certificate | None = None) -> bytes:
    """Both halves, all of it open."""
    halves = [item for one in (two.ana, two.bo) for item in signed.half_items(one, range(99))]
    return signed.file_of((ana or two.ana.certificate, bo or two.bo.certificate, *halves, *more))


def edited(edit: Callable[[list[Item]], object]) -> bytes:
    """The good file with its items edited: ana, bo; 2-7 entries and contents of Ana, 8-11 of Bo."""
    items = signed.items_of(file_about(settled()))
    edit(items)
    return signed.file_of(items)


def certified(account: SigningKey, device: bytes, begins: int = 0, ends: int = 2**33) -> Certificate:
    return identity.certify(account, ids.DeviceId(device), bytes(32), 1, begins, ends)


def put(items: list[Item], at: int, item: Item) -> None:
    items[at] = item


def again(items: list[Item], at: int) -> None:
    """One entry in two places."""
    items.append(items[at])


def unsigned(items: list[Item], at: int) -> None:
    item = items[at]
    assert isinstance(item, Claimed)
    items[at] = Claimed(chains.unsigned(item.entry))


def shown(items: list[Item], at: int, content: bytes | None = None, key: bytes | None = None) -> None:
    item = items[at]
    assert isinstance(item, Shown)
    items[at] = Shown(item.content if content is None else content, item.key if key is None else key)


def begun(ana: Term | bytes, bo: Term | bytes | None = None) -> bytes:
    """A payment whose halves begin otherwise."""
    two = Two()
    for one, term in ((two.ana, ana), (two.bo, bo)):
        one.written.clear()
        one.said.clear()
        one.heard = None
        one.say(Open(1, (two.bo if one is two.ana else two.ana).account.public) if term is None else term)
    two.hear()
    two.pays(OFFER)
    return file_about(two)


def opening(other: Person, *more: wire.Value) -> bytes:
    """How a half begins, with so many of its last fields as these."""
    return wire.encode((200, 1, other.account.public, *more))


def with_entry(term: Term | bytes) -> bytes:
    two = settled()
    two.ana.say(term)
    return file_about(two)


def in_the_clear() -> bytes:
    two = settled()
    two.ana.say(Ackn(), kind=Kind.PUBLIC)
    halves = [item for one in (two.ana, two.bo) for item in signed.half_items(one, range(3))]
    return signed.file_of((two.ana.certificate, two.bo.certificate, *halves))


def acknowledging(*acks: Ack) -> bytes:
    two = settled()
    two.ana.say(Ackn(), acks=acks)
    return file_about(two)


def with_gap(of_payee: bool, leaves_out: set[int], opens: range = range(99)) -> bytes:
    two = Two()
    two.takes(Ackn(), Ackn())
    two.pays(Ackn(), OFFER, Ackn())
    two.takes(Ackn(), Accept(PAY, STATE))
    two.pays(Settle(PAY, STATE))
    halves = [(two.ana, set() if of_payee else leaves_out), (two.bo, leaves_out if of_payee else set())]
    items = [item for one, out in halves for item in signed.half_items(one, opens, out)]
    return signed.file_of((two.ana.certificate, two.bo.certificate, *items))


def same_account() -> bytes:
    """Somebody who owes himself: two devices of one account."""
    two = Two(Person("ana"), Person("bo"))
    two.bo.account = two.ana.account
    for one in (two.ana, two.bo):
        one.written.clear()
        one.heard = None
        one.say(Open(1, two.ana.account.public))
    two.hear()
    two.pays(OFFER)
    return file_about(two)


def forked() -> Fork:
    one, other = Two().ana, Two().ana
    return Fork.of(one.say(Ackn()).raw, other.say(Void(PAY)).raw)


def late_open() -> bytes:
    """A half that begins with something else, which is left out."""
    two = Two()
    two.ana.written.clear()
    two.ana.heard = None
    two.ana.say(Ackn())
    two.ana.say(Open(1, two.bo.account.public))
    two.hear()
    two.pays(OFFER)
    halves = (*signed.half_items(two.ana, range(9), {0}), *signed.half_items(two.bo, range(9)))
    return signed.file_of((two.ana.certificate, two.bo.certificate, *halves))


def third_log() -> tuple[Item, ...]:
    eve = Person("eve")
    eve.say(Open(1, eve.account.public))
    return tuple(signed.half_items(eve, range(1)))


TWO = settled()
ANA, BO = TWO.ana, TWO.bo
UNKNOWN = wire.encode((250, PAY))
BAD: dict[str, tuple[Callable[[], bytes], Flaw]] = {
    # of the items
    "an entry that was not signed": (lambda: edited(lambda items: unsigned(items, 6)), Flaw.ITEM),
    "an entry twice": (lambda: edited(lambda items: again(items, 6)), Flaw.ITEM),
    "entries in another order": (lambda: edited(lambda i: i.insert(2, i.pop(6))), Flaw.ITEM),
    "an entry of another branch": (lambda: edited(lambda i: put(i, 6, Claimed(branch()))), Flaw.ITEM),
    "another content": (lambda: edited(lambda i: shown(i, 5, content=b"x" * 168)), Flaw.ITEM),
    "another content, which stays closed": (lambda: edited(lambda i: put(i, 5, Shown(b"x" * 168, None))), Flaw.ITEM),
    "another content under the same key": (lambda: edited(lambda i: shown(i, 5, content=other_offer())), Flaw.ITEM),
    "a content without padding": (lambda: padded(record.encode(Ackn())), Flaw.ITEM),
    "a content with another mark": (lambda: padded((record.encode(Ackn()) + b"\x81").ljust(128, b"\0")), Flaw.ITEM),
    "a content of another length": (lambda: padded((record.encode(Ackn()) + b"\x80").ljust(127, b"\0")), Flaw.ITEM),
    "the content of another entry": (lambda: edited(lambda i: put(i, 7, i[3])), Flaw.ITEM),
    "the key of another entry": (lambda: edited(lambda i: shown(i, 5, key=b"k" * 32)), Flaw.ITEM),
    "a content twice": (lambda: edited(lambda i: i.insert(5, i[5])), Flaw.ITEM),
    "a content behind a certificate": (lambda: edited(lambda i: i.insert(2, i.pop(0))), Flaw.ITEM),
    "the end of an item is missing": (lambda: file_about(settled())[:-1], Flaw.ITEM),
    "something behind it": (lambda: file_about(settled()) + b"\xa0", Flaw.ITEM),
    "a float behind it": (lambda: file_about(settled()) + b"\xfb" + bytes(8), Flaw.ITEM),
    "a long form of a number": (lambda: file_about(settled()).replace(b"\x88\x0a", b"\x88\x18\x0a", 1), Flaw.ITEM),
    "a list that is no certificate": (lambda: file_about(settled()) + wire.encode((10, 1)), Flaw.ITEM),
    # certificates
    "a certificate by another account": (lambda: forged_certificate(account=STRANGER.public), Flaw.ITEM),
    "a certificate with another device": (lambda: forged_certificate(device=STRANGER.public), Flaw.ITEM),
    "a certificate with another time": (lambda: forged_certificate(not_after_s=1), Flaw.ITEM),
    "a certificate that ends before it begins": (
        lambda: file_about(TWO, ana=certified(ANA.account, ANA.device.public, 2, 1)),
        Flaw.ITEM,
    ),
    "a certificate of another device": (
        lambda: file_about(TWO, ana=certified(ANA.account, STRANGER.public)),
        Flaw.CERTIFICATE,
    ),
    "a certificate is missing": (lambda: edited(lambda items: items.pop(0)), Flaw.CERTIFICATE),
    "a certificate twice": (lambda: file_about(TWO, ANA.certificate), Flaw.CERTIFICATE),
    "a third certificate": (lambda: file_about(TWO, certified(STRANGER, STRANGER.public)), Flaw.CERTIFICATE),
    "two accounts have one device": (lambda: file_about(TWO, certified(STRANGER, ANA.device.public)), Flaw.CERTIFICATE),
    # who the two are
    "another account claims the device of the payer": (
        lambda: file_about(TWO, ana=certified(STRANGER, ANA.device.public)),
        Flaw.OPEN,
    ),
    "another account claims the device of the payee": (
        lambda: file_about(TWO, bo=certified(STRANGER, BO.device.public)),
        Flaw.OPEN,
    ),
    "one account": (same_account, Flaw.OPEN),
    "a half with somebody else": (lambda: begun(Open(1, STRANGER.public)), Flaw.OPEN),
    "the other half with somebody else": (
        lambda: begun(Open(1, BO.account.public), Open(1, STRANGER.public)),
        Flaw.OPEN,
    ),
    "other rules": (lambda: begun(Open(2, BO.account.public)), Flaw.OPEN),
    "halves of two generations": (lambda: begun(Open(1, BO.account.public, 1)), Flaw.OPEN),
    "a sum that is too large": (lambda: begun(opening(BO, 0, ("EUR",), (2**53,), "")), Flaw.TERM),
    "a half that begins with something else": (lambda: begun(Limit("EUR", 1)), Flaw.OPEN),
    "the first entry is closed": (lambda: edited(lambda items: items.pop(3)), Flaw.OPEN),
    "the first entry is missing": (lambda: edited(lambda items: (items.pop(2), items.pop(2))), Flaw.OPEN),
    "the first entry names the other, and is not the first": (late_open, Flaw.OPEN),
    "one half": (lambda: edited(lambda items: items.__delitem__(slice(8, 12))), Flaw.HALVES),
    "three halves": (lambda: file_about(TWO, *third_log()), Flaw.HALVES),
    "nothing": (lambda: b"", Flaw.HALVES),
    # what is in it
    "an entry in the clear": (in_the_clear, Flaw.FORM),
    "a proof against one of them": (lambda: file_about(TWO, forked()), Flaw.FORM),
    "an open request": (lambda: with_entry(Request(PAY, "EUR", 1)), Flaw.TERM),
    "an open term that is not known": (lambda: with_entry(UNKNOWN), Flaw.TERM),
    "an open content that is no array": (lambda: with_entry(b"\xa0"), Flaw.TERM),
    "an open content with something behind it": (lambda: with_entry(record.encode(Ackn()) + b"\x00"), Flaw.TERM),
    "an open content with an empty array": (lambda: with_entry(b"\x80"), Flaw.TERM),
    "no offer": (lambda: no_offer(), Flaw.OFFER),
    "the offer is closed": (lambda: edited(lambda items: items.pop(5)), Flaw.OFFER),
    # what is left out
    "an entry of the payer in between": (lambda: with_gap(False, {3}), Flaw.RUN),
    "an entry of the payee in between": (lambda: with_gap(True, {3}), Flaw.RUN),
    "the payee's entries behind the one that the offer names": (lambda: with_gap(True, {1, 2}), Flaw.RUN),
    "the end of the payee's": (lambda: with_gap(True, {4}), Flaw.ACKS),
    "the payer's, as far as the payee has seen": (lambda: with_gap(False, {3, 4}), Flaw.ACKS),
    "an entry that is not there": (lambda: acknowledging(Ack(BO.log, 2, bytes(32))), Flaw.ACKS),
    "another entry than is there": (lambda: acknowledging(Ack(BO.log, 1, bytes(32))), Flaw.ACKS),
    "another first entry than is there": (lambda: acknowledging(Ack(BO.log, 0, bytes(32))), Flaw.ACKS),
}


def other_offer() -> bytes:
    """What Ana could say in the place of her offer, had she not signed that."""
    other = record.encode(replace(OFFER, amount=1))
    key = entry.content_key(ANA.secret, ANA.log, 1)
    return entry.seal(key, ANA.device.public, ANA.log, 1, other, bytes(24))


def padded(content: bytes) -> bytes:
    two = settled()
    two.ana.say(Ackn(), padded=content)
    return file_about(two)


def branch() -> entry.Entry:
    """Another entry of Ana's in the place of her last, which follows another one."""
    two = Two()
    two.pays(Void(PAY), Settle(PAY, STATE))
    return two.ana.written[2][0]


def forged_certificate(**fields: object) -> bytes:
    return file_about(TWO, ana=replace(ANA.certificate, **fields))  # type: ignore[arg-type]


def no_offer() -> bytes:
    two = Two()
    two.pays(Settle(PAY, STATE))
    return file_about(two)


def term_with(term: Term, index: int, value: wire.Value) -> bytes:
    fields = record.fields(term)
    return wire.encode((term.KIND, *fields[:index], value, *fields[index + 1 :]))


ACCEPT, SETTLE = Accept(PAY, STATE), Settle(PAY, STATE)
BAD_TERMS = {
    "an offer of nothing": term_with(OFFER, 2, 0),
    "an offer of too much": term_with(OFFER, 2, 2**53),
    "an offer of less than nothing": term_with(OFFER, 2, -1),
    "an offer in no unit": term_with(OFFER, 1, ""),
    "an offer in a unit with a line feed": term_with(OFFER, 1, "E\nR"),
    "an offer in a unit with a space before it": term_with(OFFER, 1, " EUR"),
    "an offer in a long unit": term_with(OFFER, 1, "ä" * 49),
    "an offer in a unit that is bytes": term_with(OFFER, 1, b"EUR"),
    "an offer with a late end": term_with(OFFER, 3, 2**48),
    "an offer with nine witnesses": term_with(OFFER, 4, (bytes(32),) * 9),
    "an offer with a short witness": term_with(OFFER, 4, (bytes(31),)),
    "an offer with a long memo": term_with(OFFER, 5, "ä" * 251),
    "an offer with a cause that is no byte": term_with(OFFER, 6, 256),
    "an offer with a long cause": term_with(OFFER, 7, bytes(34)),
    "an offer with a field too many": wire.encode((*(202, *record.fields(OFFER)), 0)),
    "an offer with a field too few": wire.encode((202, *record.fields(OFFER)[:3])),
    "an accept with a short state": term_with(ACCEPT, 1, bytes(31)),
    "a settle without a state": wire.encode((204, PAY)),
    "a void with a short name": wire.encode((206, PAY[:15])),
    "an attest with a cosignature of another kind": term_with(attest(BO.written[1][0]), 2, (3, *(bytes(32), 0) * 2)),
    "a lock with four hops": wire.encode((209, PAY, "EUR", 1, bytes(32), 4)),
    "a limit below nothing": wire.encode((201, "EUR", -1)),
    "an ackn with something": wire.encode((208, 0)),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_lies_is_not_believed(case: str) -> None:
    make, flaw = BAD[case]
    found = signed.agreed(make())
    assert found.verdict is None
    assert found.flaws[-1] is flaw, found


@pytest.mark.parametrize("case", BAD_TERMS)
def test_a_term_beyond_its_limits_is_none(case: str) -> None:
    assert signed.agreed(with_entry(BAD_TERMS[case])).flaws == (Flaw.TERM,)


def test_too_long_a_file_is_not_examined() -> None:
    two = Two()
    two.pays(OFFER, *[Ackn()] * (ENTRIES_MAX - 4), Void(PAY))
    assert signed.verified(evidence.make(two.ana.half, two.bo.half, PAY))[0] == 3
    two.takes(Ackn())
    assert signed.agreed(file_about(two)).flaws == (Flaw.LONG,)
    with pytest.raises(NotProvable):
        evidence.make(two.ana.half, two.bo.half, PAY)


# --- what is said out of turn changes nothing


def accept_unseen(two: Two) -> None:
    two.bo.heard = None
    two.ana.say(OFFER)
    two.takes(Accept(PAY, STATE))
    two.pays(SETTLE)


def settle_unseen(two: Two) -> None:
    two.pays(OFFER)
    two.bo.say(ACCEPT)
    two.pays(SETTLE)


def settle_after_void(two: Two) -> None:
    two.pays(OFFER)
    two.takes(ACCEPT)
    two.pays(Void(PAY), SETTLE)


def accept_after_decline(two: Two) -> None:
    two.pays(OFFER)
    two.takes(Decline(PAY), ACCEPT)
    two.pays(SETTLE)


def accept_after_void(two: Two) -> None:
    two.pays(OFFER, Void(PAY))
    two.takes(ACCEPT)
    two.pays(SETTLE)


def decline_after_void(two: Two) -> None:
    two.pays(OFFER, Void(PAY))
    two.takes(Decline(PAY))


def accept_of_another(two: Two) -> None:
    two.pays(OFFER)
    two.takes(Accept(OTHER_PAY, STATE))
    two.pays(SETTLE)


def settle_by_the_payee(two: Two) -> None:
    two.pays(OFFER)
    two.takes(ACCEPT, SETTLE)


def accept_by_the_payer(two: Two) -> None:
    two.pays(OFFER, ACCEPT, SETTLE)


def void_by_the_payee(two: Two) -> None:
    two.pays(OFFER)
    two.takes(Void(PAY), ACCEPT)
    two.pays(SETTLE)


def second_offer(two: Two) -> None:
    two.pays(OFFER, Offer(PAY, "EUR", 9_999, 1))
    two.takes(ACCEPT)
    two.pays(SETTLE)


def wrong_preimage(two: Two) -> None:
    two.pays(Lock(PAY, "EUR", 1, bytes(32), 1))
    two.takes(Reveal(PAY, STATE))


def attests(
    key: SigningKey = signed.WITNESS,
    time_ms: int = EXPIRES_MS,
    change: Callable[[Attest], Attest] = lambda said: said,
) -> Callable[[Two], None]:
    """An attest against a void that crosses it; afterwards the payee sees the void."""

    def write(two: Two) -> None:
        two.pays(OFFER)
        accept = two.bo.say(ACCEPT)
        two.ana.say(Void(PAY))
        two.bo.say(change(attest(accept, key, time_ms)))
        two.hear()
        two.takes(Ackn())

    return write


def other_subject(said: Attest) -> Attest:
    return replace(said, nonce=bytes(32))


def forged_witness(said: Attest) -> Attest:
    return replace(said, seen=replace(said.seen, signature=bytes(64)))


OUT_OF_TURN: dict[str, tuple[Callable[[Two], object], Stage]] = {
    "an accept that has not seen the offer": (accept_unseen, Stage.OFFERED),
    "a settle that has not seen the accept": (settle_unseen, Stage.ACCEPTED),
    "a settle behind a void": (settle_after_void, Stage.REFUNDING),
    "an accept behind a decline": (accept_after_decline, Stage.DECLINED),
    "an accept that has seen the void": (accept_after_void, Stage.REFUNDED),
    "a decline that has seen the void": (decline_after_void, Stage.REFUNDED),
    "an accept of another payment": (accept_of_another, Stage.OFFERED),
    "a settle by the payee": (settle_by_the_payee, Stage.ACCEPTED),
    "an accept by the payer": (accept_by_the_payer, Stage.OFFERED),
    "a void by the payee": (void_by_the_payee, Stage.SETTLED),
    "a second offer of the same name": (second_offer, Stage.SETTLED),
    "a preimage of something else": (wrong_preimage, Stage.LOCKED),
    "an attest that is good": (attests(), Stage.SETTLED),
    "an attest that is late": (attests(time_ms=EXPIRES_MS + 1), Stage.REFUNDED),
    "an attest by whom the payer has not named": (attests(key=STRANGER), Stage.REFUNDED),
    "an attest of something else": (attests(change=other_subject), Stage.REFUNDED),
    "an attest that the witness has not signed": (attests(change=forged_witness), Stage.REFUNDED),
}


@pytest.mark.parametrize("case", OUT_OF_TURN)
def test_what_is_said_out_of_turn_makes_no_stage(case: str) -> None:
    two = Two()
    OUT_OF_TURN[case][0](two)
    verdict = signed.agreed(file_about(two)).verdict
    assert verdict is not None
    assert verdict.stage is OUT_OF_TURN[case][1]
    assert verdict.begun in (OFFER, two.ana.said[1])
    assert verdict.doubts == ()


SUM: tuple[wire.Value, ...] = (("EUR", "h"), (-1250, 2**53 - 1), "a copied disk")


@pytest.mark.parametrize(
    ("ana", "bo"),
    [((), (0, (), (), "")), ((0,), ()), ((3, *SUM), (3,)), ((3, *SUM[:2]), (3, *SUM)), ((2**53 - 1,), (2**53 - 1, ()))],
)
def test_a_payment_of_any_generation_is_shown(ana: tuple[wire.Value, ...], bo: tuple[wire.Value, ...]) -> None:
    verdict = signed.agreed(begun(opening(BO, *ana), opening(ANA, *bo))).verdict
    assert verdict is not None
    assert verdict.stage is Stage.OFFERED


@pytest.mark.parametrize(
    "more",
    [(-1,), (2**53,), (3, ("EUR",) * 33), (3, (), (-(2**53),)), (3, (), (), "x" * 501), (3, (), (), "", 0), (3, ("",))],
)
def test_an_opening_that_is_none_shows_nothing(more: tuple[wire.Value, ...]) -> None:
    assert signed.agreed(begun(opening(BO, *more), opening(ANA, *more))).flaws == (Flaw.TERM, Flaw.TERM)
