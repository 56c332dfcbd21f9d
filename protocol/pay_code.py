"""Codes to pay by, as text for a small QR code: what a shop puts on its counter, and one invoice.

    WEFT:S/ base32( version 1 || [20, account, offer, title, unit, amount, link] || check 4 )
    WEFT:P/ base32( version 1 || [19, ...]                                       || check 4 )

All in the characters of the dense mode of QR codes; read in either case. docs/protocol/text-forms.md 5. Not here: what
an invoice is (invoice.py).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

from crypto import hashing
from crypto.faults import Malformed
from crypto.hashing import Label
from protocol import ids, invite, probe, record
from protocol.faults import OverLimit, UserFault
from protocol.invoice import BYTES_MAX as INVOICE_BYTES_MAX
from protocol.invoice import Invoice
from protocol.probe import Unit
from protocol.record import Bytes16

SHOP_PREFIX = "WEFT:S/"
INVOICE_PREFIX = "WEFT:P/"
VERSION = 1
CHECK_BYTES = 4
TITLE_BYTES_MAX = 64
TEXT_CHARACTERS_MAX = 3_300  # 2 KiB in base 32; the largest QR code has 4,296 of these characters
_CHECK = b"code"

R = TypeVar("R")


class BadPayCode(UserFault):
    """This is no whole code to pay by, so nothing was paid. Scan it again: it begins with WEFT:S/ or WEFT:P/."""

    code = "pay.code"
    next = "weft pay CODE"
    exit = 2


class NewerPayCode(UserFault):
    """This code was made by a newer weft; nothing was paid. Update weft and try again."""

    code = "pay.newer"
    next = "weft version"
    exit = 1


@record.record
@dataclass(frozen=True, slots=True)
class ShopOffer:
    """What a shop sells at its counter: its node makes an invoice for whoever asks. Nobody has signed it.

    offer: 16 random bytes. amount: 0 where the customer says how much. link: the bytes of a long-term invitation of
    this account, so that a stranger can ask; None where only contacts can.
    """

    KIND: ClassVar[int] = 20

    account: ids.Account
    offer: Bytes16
    title: Annotated[str, record.Line(TITLE_BYTES_MAX)]
    unit: Unit
    amount: Annotated[int, record.Range(0, probe.AMOUNT_MAX)]
    link: Annotated[bytes, record.Size(invite.LINK_BYTES_MIN, invite.LINK_BYTES_MAX)] | None

    @property
    def invitation(self) -> invite.Link | None:
        """The link by which a stranger becomes a contact first. Raises: BadLink, NewerLink where it was not checked."""
        return None if self.link is None else invite.link_of(self.link)


def shop_text(offer: ShopOffer) -> str:
    """The code of a shop as text: at most 600 characters. Raises: OverLimit for another's or a one-time link."""
    try:
        _check_link(offer)
    except invite.BadLink:
        raise OverLimit("The link in the code of a shop is a long-term invitation of its own.") from None
    return _text(SHOP_PREFIX, record.encode(offer))


def shop_of(text: str) -> ShopOffer:
    """The code of a shop in a text, with white space around it. Raises: BadPayCode, NewerPayCode, NewerLink."""
    offer = _read(ShopOffer, SHOP_PREFIX, text)
    try:
        _check_link(offer)
    except invite.BadLink:
        raise BadPayCode from None
    return offer


def invoice_text(invoice: Invoice) -> str:
    """The code of an invoice as text: some 700 characters, at most 3,300."""
    return _text(INVOICE_PREFIX, record.encode(invoice))


def invoice_of(text: str) -> Invoice:
    """The invoice in a text, with white space around it; `invoice.check` is still due.

    Raises: BadPayCode, NewerPayCode.
    """
    return _read(Invoice, INVOICE_PREFIX, text)


def _check_link(offer: ShopOffer) -> None:
    """Raises: BadLink, NewerLink."""
    link = offer.invitation
    if link is not None and not (link.long_term and link.account == offer.account):
        raise invite.BadLink


def _text(prefix: str, said: bytes) -> str:
    return _coded(prefix, bytes((VERSION,)) + said)


def _coded(prefix: str, raw: bytes) -> str:
    coded = base64.b32encode(raw + _check(prefix, raw)).decode("ascii").rstrip("=")
    assert len(prefix + coded) <= TEXT_CHARACTERS_MAX
    return prefix + coded


def _read(cls: type[R], prefix: str, text: str) -> R:
    stripped = text.strip()
    if not stripped.isascii() or len(stripped) > TEXT_CHARACTERS_MAX:
        raise BadPayCode
    upper = stripped.upper()
    if not upper.startswith(prefix):
        raise BadPayCode
    coded = upper.removeprefix(prefix)
    try:
        raw = base64.b32decode(coded + "=" * (-len(coded) % 8))
    except (binascii.Error, ValueError):
        raise BadPayCode from None
    said, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
    # Unused bits of the last character would give one code several texts.
    if len(said) < 2 or _check(prefix, said) != check or _coded(prefix, said) != upper:
        raise BadPayCode
    if said[0] != VERSION:
        raise NewerPayCode
    try:
        return record.decode(cls, said[1:], INVOICE_BYTES_MAX)
    except Malformed:
        raise BadPayCode from None


def _check(prefix: str, raw: bytes) -> bytes:
    return hashing.keyed_id(_CHECK, Label.INVOICE, prefix.encode("ascii") + raw)[:CHECK_BYTES]
