"""What a file of evidence about one payment shows, to whom trusts neither side (docs/protocol/ledger.md 13).

    examine([raw])       who, what, which stage, and what might change it; or what is wrong

The stage is the fold's own (tab.py), over what is here of both halves. docs/verify_payment.py examines the same without
weft, and a test holds the two together. Not here: how such a file is made (evidence.py), its form
(protocol/log_file.py), what is wrong with single items (protocol/log_examination.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from crypto.faults import PeerFault
from ledger.payment import Payment, Side, Stage
from ledger.tab import Key, Said, Tab, Unseen
from ledger.terms import (
    RULES,
    Accept,
    Ackn,
    Attest,
    Decline,
    Limit,
    Lock,
    Offer,
    Open,
    Release,
    Reveal,
    Settle,
    Term,
    Void,
)
from protocol import entry, log_file, record
from protocol.entry import Entry, Kind
from protocol.identity import Certificate
from protocol.log_examination import Examination, Finding
from protocol.log_file import Claimed, NotEvidence, Shown

ENTRIES_MAX = 4_096  # of both halves in one file: 1 MB, and less than a second of signatures
FLAWS_MAX = 100

Begin = Offer | Lock
_OF_PAYER: tuple[type[Term], ...] = (Offer, Lock, Settle, Void)
_OF_PAYEE: tuple[type[Term], ...] = (Accept, Decline, Attest, Reveal, Release)
_TERMS: Mapping[int, type[Term]] = {one.KIND: one for one in (Open, Limit, Ackn, *_OF_PAYER, *_OF_PAYEE)}


class Flaw(Enum):
    """Why a file is no evidence of a payment."""

    ITEM = "item"  # something in it is wrong by itself (log 6.5)
    FORM = "form"  # it has other things than certificates and sealed entries
    LONG = "long"  # it has more entries than are examined
    HALVES = "halves"  # there are not two logs
    CERTIFICATE = "certificate"  # not one for the author of each
    OPEN = "open"  # the logs do not begin by naming each other's accounts and the rules that are known here
    TERM = "term"  # an entry is open that says nothing which has a place here
    OFFER = "offer"  # none is shown
    RUN = "run"  # entries are missing where one could change something
    ACKS = "acks"  # an entry acknowledges another one than is here


class Party(NamedTuple):
    """Who wrote a half. account, device: 32 bytes; log: 16."""

    account: bytes
    device: bytes
    log: bytes


class Statement(NamedTuple):
    """What one of the two has said about the payment. at_ms: by his own clock."""

    is_payers: bool
    seq: int
    at_ms: int
    term: Term


class Doubt(NamedTuple):
    """A closed entry in a place where its author could have said what makes another end of the payment."""

    is_payers: bool
    seq: int
    id: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file shows. doubts: of a final stage alone; what is not final may have gone on after this file."""

    payer: Party
    payee: Party
    begun: Begin
    stage: Stage
    said: tuple[Statement, ...]
    doubts: tuple[Doubt, ...]

    @property
    def is_certain(self) -> bool:
        """Whether nothing that the two may have in their logs beside this makes another end of it (ledger 13.4)."""
        return self.stage.is_final and not self.doubts


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of a file. verdict: None where there is a flaw; wrong: what the items by themselves are found to be."""

    verdict: Verdict | None
    flaws: tuple[Flaw, ...] = ()
    wrong: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Line:
    """An entry. term: what it says, of what is known here; None too while it is closed."""

    entry: Entry
    term: Term | None = None
    is_open: bool = False
    shown: Shown | None = None  # by whom a file is made

    @property
    def seq(self) -> int:
        return self.entry.body.seq

    def ack(self, other: bytes) -> int:
        """How many entries of the other half its author had seen."""
        return max((ack.seq + 1 for ack in self.entry.body.acks if ack.log == other), default=0)


@dataclass(slots=True)
class Part:
    """What there is of a half. run: its entries, without the first of the log where those behind that are missing."""

    party: Party
    lines: Sequence[Line]
    run: Sequence[Line]


def examine(chunks: Iterable[bytes]) -> Examined:
    """What a file shows. The payment is the one that the first offer in it begins. chunks: its bytes, in order."""
    examination = Examination()
    lines: dict[tuple[bytes, bytes], list[Line]] = {}
    flaws: list[Flaw] = []
    try:
        for placed in log_file.read(chunks):
            said = examination.take(placed)
            match placed.item:
                case Claimed(entry=one):
                    if one.body.kind is not Kind.SEALED:
                        flaws.append(Flaw.FORM)
                    line = Line(one)
                    lines.setdefault((one.body.author, one.body.log), []).append(line)
                case Shown():
                    if said is not None:
                        line.is_open, line.term = True, term(said.said)
                        flaws += [Flaw.TERM] if line.term is None else []
                case Certificate():
                    pass
                case _:
                    flaws.append(Flaw.FORM)
            if sum(map(len, lines.values())) > ENTRIES_MAX or len(lines) > 2 or len(flaws) > FLAWS_MAX:
                return Examined(None, (*flaws, Flaw.LONG if len(lines) <= 2 else Flaw.HALVES))
    except NotEvidence as fault:
        examination.stop(fault)
    if examination.wrong:
        return Examined(None, (*flaws, Flaw.ITEM), tuple(examination.findings))
    if flaws:
        return Examined(None, tuple(flaws))
    return _judge(lines, examination.certificates)


def term(said: bytes) -> Term | None:
    """What an entry says; None for what has nothing to do with payments, or is known to nobody."""
    try:
        return record.decode_one_of(_TERMS, said, entry.SAID_BYTES_MAX)
    except PeerFault:
        return None


def is_about(term: Term | None, pay: bytes, is_payers: bool) -> bool:
    """Whether this is said about the payment, by the one of the two who can."""
    return isinstance(term, _OF_PAYER if is_payers else _OF_PAYEE) and getattr(term, "pay", None) == pay


def _judge(lines: Mapping[tuple[bytes, bytes], list[Line]], certificates: Sequence[Certificate]) -> Examined:
    """The verdict on items that are all good by themselves."""
    if len(lines) != 2:
        return Examined(None, (Flaw.HALVES,))
    accounts: dict[bytes, bytes] = {one.device: one.account for one in certificates}
    if len(certificates) != 2 or accounts.keys() != {device for device, _ in lines}:
        return Examined(None, (Flaw.CERTIFICATE,))
    found = [Part(Party(accounts[device], device, name), held, _run(held)) for (device, name), held in lines.items()]
    if not all(_is_begun(one, other) for one, other in (found, found[::-1])):
        return Examined(None, (Flaw.OPEN,))
    begun = next(
        (line for half in found for line in half.lines if isinstance(line.term, Offer | Lock)),
        None,
    )
    if begun is None:
        return Examined(None, (Flaw.OFFER,))
    assert isinstance(begun.term, Offer | Lock)
    is_first = begun.entry.body.author == found[0].party.device
    halves = {True: found[not is_first], False: found[is_first]}
    if not all(_is_whole(half.run) for half in found) or (
        halves[False].run[0].seq > max(begun.ack(halves[False].party.log) - 1, 0) or begun.seq < halves[True].run[0].seq
    ):
        return Examined(None, (Flaw.RUN,))
    if not all(_is_acknowledged(one, other) for one, other in (found, found[::-1])):
        return Examined(None, (Flaw.ACKS,))
    payment = fold(halves, begun.term.pay)
    if payment is None:  # two entries that acknowledge each other: nobody can make them
        return Examined(None, (Flaw.ACKS,))
    said = tuple(
        Statement(key, line.seq, line.entry.body.at_ms, line.term)
        for key, half in halves.items()
        for line in half.lines
        if line.term is not None and is_about(line.term, begun.term.pay, key)
    )
    doubts = tuple(_doubts(halves, payment))
    return Examined(Verdict(halves[True].party, halves[False].party, begun.term, payment.stage, said, doubts))


def _run(lines: Sequence[Line]) -> Sequence[Line]:
    """A half without the first entry of its log where what was behind that is left out."""
    return lines[1:] if len(lines) > 1 and lines[0].seq == 0 and lines[1].seq != 1 else lines


def _is_begun(one: Part, other: Part) -> bool:
    """Whether a half begins by naming the account that wrote the other one, in the same generation."""
    said = one.lines[0].term if one.lines[0].seq == 0 else None
    is_other = one.party.account != other.party.account
    if not isinstance(said, Open) or not is_other:
        return False
    theirs = other.lines[0].term
    is_one = isinstance(theirs, Open) and theirs.generation == said.generation
    return (said.rules, said.peer) == (RULES, other.party.account) and is_one


def _is_whole(run: Sequence[Line]) -> bool:
    return all(later.seq == before.seq + 1 for before, later in pairwise(run))


def _is_acknowledged(one: Part, other: Part) -> bool:
    """Whether what a half acknowledges of the other is what is here, or lies before all that is here."""
    ids = {line.seq: line.entry.id for line in other.lines}
    first = other.run[0].seq
    return all(
        ids[ack.seq] == ack.id if ack.seq in ids else ack.seq < first
        for line in one.run
        for ack in line.entry.body.acks
        if ack.log == other.party.log
    )


def fold(halves: Mapping[bool, Part], pay: bytes) -> Payment | None:
    """The payment by what is here of both halves, as if nothing had been before it; None where it is not reached."""
    payer = Side.LOW if halves[True].party.account < halves[False].party.account else Side.HIGH
    sides = {payer: halves[True], payer.other: halves[False]}
    tab = Tab(heads=[sides[side].run[0].seq if sides[side].run else 0 for side in Side])
    places, is_moving = dict.fromkeys(Side, 0), True
    while is_moving:
        is_moving = False
        for side in Side:
            run, other = sides[side].run, sides[side.other].party.log
            while places[side] < len(run):
                line = run[places[side]]
                try:
                    tab.take(side, Said(line.ack(other), line.term, line.entry.id))
                except Unseen:
                    break
                places[side] += 1
                is_moving = True
    return tab.payments.get(Key(payer, pay))


def _doubts(halves: Mapping[bool, Part], one: Payment) -> Iterable[Doubt]:
    """The closed entries that could make another end of a payment that is final (ledger 13.4)."""
    if not one.stage.is_final:
        return
    payer_end, payee_end = 0, one.answer or 0
    if one.stage is Stage.REFUNDED:
        assert one.seen is not None
        payer_end, payee_end = one.ending or 0, one.seen
    elif one.lock is None and one.is_settled:
        payer_end = one.ending or 0
    acked: dict[int, int] = {}
    seen = 0
    for line in halves[False].run:
        seen = acked[line.seq] = max(seen, line.ack(halves[True].party.log))
    if one.lock is None and one.stage is not Stage.REFUNDED and not one.is_settled:
        at = one.attested if one.attested is not None else one.answer
        assert at is not None
        payer_end = acked[at]  # a void before this the payee had seen
    for line in halves[True].run:
        if not line.is_open and one.offered < line.seq < payer_end:
            yield Doubt(True, line.seq, line.entry.id)
    for line in halves[False].run:
        if not line.is_open and line.seq < payee_end and acked[line.seq] > one.offered:
            yield Doubt(False, line.seq, line.entry.id)
