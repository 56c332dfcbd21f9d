"""Invoices and codes of shops from seeds, whole and with a good signature."""

from typing import Any

from protocol import invite, invoice, probe
from protocol.invoice import Invoice
from protocol.pay_code import ShopOffer
from tests.crypto.pairs import entropy_of
from tests.protocol.circle import NOW_MS, NOW_S, Someone, someone

SHOP = someone("shop")
FRIENDS = tuple(someone(f"friend {n}").account for n in range(3))
KEY, LOCK = b"k" * 16, b"h" * 32
DAY_MS = 86_400_000


def bill(of: Someone = SHOP, **changed: Any) -> Invoice:
    """An invoice of somebody's; what is named is another."""
    said: dict[str, Any] = {
        "invoice": b"i" * 16,
        "unit": "EUR",
        "amount": 280,
        "memo": "coffee",
        "expires_ms": NOW_MS + DAY_MS,
        "lock": LOCK,
        "key": KEY,
        "tags": probe.tags(KEY, FRIENDS, entropy_of("tags")),
    }
    return invoice.sign(of.device_key, of.certificate, **{**said, **changed})


def link_of(of: Someone = SHOP, *, long_term: bool = True) -> bytes:
    """A link of somebody's as bytes."""
    return invite.link_bytes(invite.Link(long_term, NOW_S, of.account, b"s" * 16, b"p" * 32, ()))


def counter(**changed: Any) -> ShopOffer:
    """The code of a shop; what is named is another."""
    said: dict[str, Any] = {
        "account": SHOP.account,
        "offer": b"o" * 16,
        "title": "Coffee",
        "unit": "EUR",
        "amount": 280,
        "link": link_of(),
    }
    return ShopOffer(**{**said, **changed})
