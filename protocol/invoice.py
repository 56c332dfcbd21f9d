"""An invoice: what somebody wants to be paid, signed by a device of his (docs/protocol/ledger.md 9).

It names the hash of a lock, so that somebody who is no contact can pay it over others: the preimage and the invoice
together are his receipt. Not here: its text (pay_code.py), how it is paid (ledger/path.py).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from crypto import hashing, keys
from crypto.faults import Malformed
from crypto.hashing import Label
from protocol import identity, ids, probe, record, wire
from protocol.faults import UserFault
from protocol.identity import Certificate, DeviceList
from protocol.probe import Tag, Unit
from protocol.record import Bytes16, Bytes32, TimeMs

MEMO_BYTES_MAX = 500
BYTES_MAX = 2_048  # of the longest one, 1,700


class InvoiceOver(UserFault):
    """By the clock of this machine the time of this invoice is over; nothing was paid. Ask for a new one."""

    code = "invoice.over"
    next = "weft pay CODE"
    exit = 1


@record.record
@dataclass(frozen=True, slots=True)
class Invoice:
    """Please pay me this, by this time. certificate: of the device that has signed, and so of the payee.

    invoice: 16 bytes, random where it stands in a public code. offer: of the shop's code that it answers, if any.
    payer: for whom it is, None for whoever pays first. lock: whose preimage only the payee has. key: blinds the tags.
    tags: of contacts of the payee who pass on, among dummies.
    """

    KIND: ClassVar[int] = 19

    certificate: Certificate
    invoice: Bytes16
    offer: Bytes16 | None
    payer: Bytes32 | None
    unit: Unit
    amount: Annotated[int, record.Range(1, probe.AMOUNT_MAX)]
    memo: Annotated[str, record.Utf8(MEMO_BYTES_MAX)]
    expires_ms: TimeMs
    lock: Bytes32
    key: Bytes16
    tags: Annotated[tuple[Tag, ...], record.Count(probe.TAGS_MAX)]
    signature: identity.Signature

    @property
    def payee(self) -> ids.AccountId:
        """The account that is to be paid."""
        return self.certificate.account


def sign(
    device_key: keys.SigningKey,
    certificate: Certificate,
    *,
    invoice: bytes,
    unit: str,
    amount: int,
    memo: str,
    expires_ms: int,
    lock: bytes,
    key: bytes,
    tags: tuple[bytes, ...],
    offer: bytes | None = None,
    payer: bytes | None = None,
) -> Invoice:
    """A signed invoice; its fields are those of Invoice. tags: of `probe.tags`. Raises: OverLimit."""
    said = (certificate, invoice, offer, payer, unit, amount, memo, expires_ms, lock, key, tags)
    unsigned = Invoice(*said, bytes(keys.SIGNATURE_BYTES))
    return Invoice(*said, device_key.sign(Label.INVOICE, _signed(unsigned)))


def check(invoice: Invoice, now_s: int, newest: DeviceList | None) -> None:
    """Returns when a device of the payee has signed this. Whether its time is over is `check_alive`'s to say.

    newest: the pinned list of the payee, None where he is nobody we know.
    Raises: Malformed, Forged, OtherTime, Revoked, NotListed.
    """
    if not probe.are_tags(invoice.tags):
        raise Malformed
    if newest is None:
        identity.check_certificate(invoice.certificate, invoice.payee, now_s)
    else:
        identity.check_listed(invoice.certificate, newest, now_s)
    keys.verify(invoice.certificate.device, Label.INVOICE, _signed(invoice), invoice.signature)


def check_alive(invoice: Invoice, now_ms: int) -> None:
    """Returns when its time is not over by our clock. Raises: InvoiceOver."""
    if now_ms > invoice.expires_ms:
        raise InvoiceOver


def name(invoice: Invoice) -> bytes:
    """The 32-byte hash over all of an invoice, its signature too: what payments and receipts name it by."""
    return hashing.hash_of(Label.INVOICE, record.encode(invoice))


def _signed(invoice: Invoice) -> bytes:
    return wire.encode((Invoice.KIND, *record.fields(invoice)[:-1]))
