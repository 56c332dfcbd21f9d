"""Gathers what the evidence of one payment is made of: both halves as they lie here, and whose devices wrote them.

docs/protocol/ledger.md 13. Not here: the file itself (ledger/evidence.py), what it shows (ledger/examination.py).
"""

from collections.abc import Iterator
from itertools import islice

from crypto.faults import PeerFault
from ledger import evidence
from ledger.evidence import Half, NoSuchPayment, NotProvable, Signed
from ledger.examination import ENTRIES_MAX
from ledger.terms import Lock, Offer
from protocol import entry, ids, record
from protocol import log as chains
from protocol.identity import Certificate
from store import authoring, devices, entries, generations, identity, spaces
from store.database import Tx
from store.entries import Held
from store.spaces import Space

PAGE_BYTES = 1 << 20
TERM_BYTES_MAX = 2_048 + 40  # of a sealed content that can be about a payment: the longest offer has some 960

_BEGINS: dict[int, type[Offer | Lock]] = {one.KIND: one for one in (Offer, Lock)}


def prove(tx: Tx, contact_id: int, is_ours: bool, pay: bytes, offered: int = 0) -> bytes:
    """The file about a payment between us and a contact. is_ours: whether we pay; pay: 16 bytes.

    offered: the place of the offer in its log, or one before it: those before are not looked at. What of our own half
    was not published is left out: it may still be taken back. Raises: NoSuchPayment, NotProvable.
    """
    ours, theirs = spaces.ledger(tx, contact_id)
    payers, payees = (ours, theirs) if is_ours else (theirs, ours)
    for payer in reversed(payers):
        begun = next((held for held in _read(tx, payer, offered) if _begins(payer, held, pay)), None)
        if begun is None:
            continue
        if not payees:
            raise NotProvable
        body = chains.recall(begun.raw).body
        seen = {ack.log: ack.seq for ack in body.acks}
        first = next((one for one in payees if generations.number(one) == generations.number(payer)), payees[-1])
        payee = next((one for one in reversed(payees) if one.log.id in seen), first)
        return evidence.make(_half(tx, payer, body.seq), _half(tx, payee, seen.get(payee.log.id, 0)), pay)
    raise NoSuchPayment


def _begins(payer: Space, held: Held, pay: bytes) -> bool:
    """Whether an entry offers the payment."""
    try:
        said = authoring.read(payer, held)
        return said is not None and record.decode_one_of(_BEGINS, said, entry.SAID_BYTES_MAX).pay == pay
    except PeerFault:
        return False


def _read(tx: Tx, of: Space, first: int) -> Iterator[Held]:
    """The entries of a half from one on that others may have, without contents that are too long for a payment."""
    last = of.log.published if of.log.own else entry.SEQ_MAX
    while first <= last:
        found = entries.read(tx, of.log.number, first, last - first + 1, PAGE_BYTES)
        if not found:
            return
        for held in found:
            yield held if len(held.content or b"") <= TERM_BYTES_MAX else held._replace(content=None)
        first = found[-1].seq + 1


def _half(tx: Tx, of: Space, first: int) -> Half:
    """A half from one place on, with the first entry of its log; no more of it than fits a file."""
    found: list[Signed] = []
    for held in (
        *entries.read(tx, of.log.number, 0, 1 if first else 0, PAGE_BYTES),
        *islice(_read(tx, of, first), ENTRIES_MAX),
    ):
        key = entry.content_key(of.log.secret, of.log.id, held.seq)
        found.append(Signed(held.raw, held.content, key))
    return Half(_certificate(tx, of), found)


def _certificate(tx: Tx, of: Space) -> Certificate:
    """Whose device writes a half. Raises: NotProvable for a device that is not known here any more."""
    if of.contact == spaces.OURS:
        mine = identity.load_identity(tx)
        if mine is None or mine.device != of.log.author:
            raise NotProvable
        return mine.certificate
    known = devices.device_by_key(tx, ids.DeviceId(of.log.author))
    if known is None:
        raise NotProvable
    return known.certificate
