"""The evidence of one payment: a file for people who trust neither side (docs/protocol/ledger.md 13, log.md 6).

    raw = make(Half(certificate, entries), Half(...), pay)      from both halves, as either side has them

It holds what both have signed about this payment, and opens nothing else. Not here: what it shows (examination.py), its
form (protocol/log_file.py), where the entries and certificates lie (store/).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crypto.faults import PeerFault
from ledger import examination
from ledger.examination import Line, Part, Party
from ledger.payment import Payment
from ledger.terms import Ackn, Lock, Offer, Open
from protocol import entry, log, log_file
from protocol.faults import UserFault
from protocol.identity import Certificate
from protocol.log_file import Shown


class NoSuchPayment(UserFault):
    """There is no such payment in the payer's half of the ledger; nothing was written."""

    code = "ledger.unknown"
    next = "weft ledger history"


class NotProvable(UserFault):
    """What this node has of the payment is not enough for others to believe it; nothing was written."""

    code = "ledger.unprovable"
    next = "weft ledger history"


class Signed(NamedTuple):
    """An entry of a half as a node has it. content, key: as they travel, 32 bytes; None where there is none."""

    raw: bytes
    content: bytes | None
    key: bytes | None


class Half(NamedTuple):
    """A half of a ledger. certificate: of the device that writes it.

    entries: the first of the log, and all from some place on, the payment among them; in order.
    """

    certificate: Certificate
    entries: Sequence[Signed]


def make(payer: Half, payee: Half, pay: bytes) -> bytes:
    """The file about this payment, 16 bytes, with the keys of what the two have said about it.

    Entries that only acknowledge are open too: that they say nothing else is worth knowing, and tells of nothing else.

    Raises: NoSuchPayment, NotProvable (entries are missing, or the file would be long).
    """
    halves = {True: _given(payer), False: _given(payee)}
    begun = next(
        (one for one in halves[True].lines if isinstance(one.term, Offer | Lock) and one.term.pay == pay), None
    )
    if begun is None:
        raise NoSuchPayment
    first = max(begun.ack(halves[False].party.log) - 1, 0)
    halves[True].run = [one for one in halves[True].lines if one.seq >= begun.seq]
    halves[False].run = [one for one in halves[False].lines if one.seq >= first]
    payment = examination.fold(halves, pay)
    if payment is None:
        raise NotProvable
    ends = _past(halves, payment)
    items = [log_file.certificate(one.certificate) for one in (payer, payee)]
    for is_payers, half in halves.items():
        run = [one for one in half.run if one.seq <= ends[is_payers]]
        for line in (half.lines[0], *(one for one in run if one is not half.lines[0])):
            items.append(log_file.entry(line.entry.raw))
            is_begin = line is half.lines[0] and isinstance(line.term, Open)
            is_told = is_begin or isinstance(line.term, Ackn) or examination.is_about(line.term, pay, is_payers)
            if line.shown is not None and is_told:
                items.append(log_file.shown(*line.shown))
    raw = b"".join(items)
    if examination.examine((raw,)).verdict is None:
        raise NotProvable
    return raw


def _given(half: Half) -> Part:
    """A half of our own disk, with all that can be opened."""
    found = []
    for one in half.entries:
        line = Line(log.recall(one.raw))
        body = line.entry.body
        if one.content is not None and one.key is not None:
            try:
                line.term = examination.term(entry.unseal(one.key, body.author, body.log, body.seq, one.content))
                line.is_open, line.shown = True, Shown(one.content, one.key)
            except PeerFault:  # whoever wrote it wrote nothing that can be read
                pass
        found.append(line)
    if not found:
        raise NotProvable
    return Part(Party(half.certificate.account, half.certificate.device, found[0].entry.body.log), found, found)


def _past(halves: Mapping[bool, Part], payment: Payment) -> Mapping[bool, int]:
    """The last entry of each half that the facts of a payment rest on, and with it all that these acknowledge."""
    told = {
        True: (payment.offered, payment.ending),
        False: (halves[False].run[0].seq if halves[False].run else 0, payment.answer, payment.attested, payment.seen),
    }
    ends = {key: max(seq for seq in seqs if seq is not None) for key, seqs in told.items()}
    walked = {True: 0, False: 0}
    while any(walked[key] < len(half.run) and half.run[walked[key]].seq <= ends[key] for key, half in halves.items()):
        for key, half in halves.items():
            while walked[key] < len(half.run) and half.run[walked[key]].seq <= ends[key]:
                other = not key
                ends[other] = max(ends[other], half.run[walked[key]].ack(halves[other].party.log) - 1)
                walked[key] += 1
    return ends
