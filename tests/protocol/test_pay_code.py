"""Codes to pay by, as text: the vectors of text-forms.md 5, and every way in which a copy can go wrong."""

import base64

import pytest

from protocol import invite, pay_code, record
from protocol.faults import OverLimit, UserFault
from protocol.pay_code import BadPayCode, NewerPayCode, ShopOffer
from tests.protocol.circle import someone
from tests.protocol.invoices import bill, counter, link_of
from tests.protocol.test_ids import rows_of

QR_DENSE = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
SHOP_TEXT, INVOICE_TEXT = pay_code.shop_text(counter()), pay_code.invoice_text(bill())


def with_check(prefix: str, raw: bytes) -> str:
    """A text of these bytes whose check is right."""
    return pay_code._coded(prefix, raw)


def said_of(text: str) -> bytes:
    """The bytes of a text without their check."""
    coded = text.split("/")[1]
    return base64.b32decode(coded + "=" * (-len(coded) % 8))[:-4]


def test_the_vectors_of_the_law() -> None:
    rows = rows_of("Codes to pay by")
    assert len(rows) >= 3
    for raw, text in rows:
        prefix = text[:7]
        assert with_check(prefix, bytes.fromhex(raw)[:-4]) == text
        assert said_of(text) == bytes.fromhex(raw)[:-4]
        if prefix == pay_code.SHOP_PREFIX:
            assert pay_code.shop_text(pay_code.shop_of(text)) == text
        else:
            assert pay_code.invoice_text(pay_code.invoice_of(text)) == text


@pytest.mark.parametrize("offer", [counter(), counter(link=None), counter(amount=0), counter(title="字" * 21)])
def test_the_code_of_a_shop_is_read_as_it_was_written(offer: ShopOffer) -> None:
    text = pay_code.shop_text(offer)
    assert pay_code.shop_of(f" {text}\n") == offer
    assert pay_code.shop_of(text.lower()) == offer
    assert set(text) <= QR_DENSE
    assert len(text) <= 600


def test_the_code_of_an_invoice_is_read_as_it_was_written() -> None:
    longest = bill(
        unit="v" * 96, memo="x" * 500, offer=b"o" * 16, payer=bytes(32), tags=tuple(bytes((n,)) * 8 for n in range(64))
    )
    for one in (bill(), longest):
        text = pay_code.invoice_text(one)
        assert pay_code.invoice_of(text) == one
        assert set(text) <= QR_DENSE
        assert len(text) <= pay_code.TEXT_CHARACTERS_MAX
    assert len(INVOICE_TEXT) <= 700, len(INVOICE_TEXT)


@pytest.mark.parametrize("text", [SHOP_TEXT, INVOICE_TEXT], ids=["shop", "invoice"])
def test_one_wrong_character_is_noticed(text: str) -> None:
    read = pay_code.shop_of if text is SHOP_TEXT else pay_code.invoice_of
    for place in range(7, len(text)):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(BadPayCode):
            read(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "WEFT:S/",
        "WEFT:S/AA",
        SHOP_TEXT[:-1],
        SHOP_TEXT + "A",
        SHOP_TEXT + "=",
        SHOP_TEXT.replace("WEFT:S", "WEFT:P"),
        INVOICE_TEXT.replace("WEFT:P", "WEFT:S"),
        SHOP_TEXT.replace("S", "ſ"),
        SHOP_TEXT + "A" * 4000,
    ],
)
def test_what_is_no_whole_code_is_none(text: str) -> None:
    for read in (pay_code.shop_of, pay_code.invoice_of):
        with pytest.raises(BadPayCode):
            read(text)


SAID = record.encode(counter(link=None))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01",
        b"\x01" + SAID + b"\x00",
        b"\x01" + SAID[:-1],
        b"\x01" + record.encode(bill()),
        b"\x01" + record.encode(counter(link=link_of(long_term=False))),
        b"\x01" + record.encode(counter(link=link_of(someone("mallory")))),
        b"\x01" + record.encode(counter(link=b"\x00" * 86)),
    ],
)
def test_a_good_check_around_nonsense_helps_nothing(raw: bytes) -> None:
    with pytest.raises(BadPayCode):
        pay_code.shop_of(with_check(pay_code.SHOP_PREFIX, raw))


def test_newer_ones_ask_for_a_newer_weft() -> None:
    with pytest.raises(NewerPayCode):
        pay_code.shop_of(with_check(pay_code.SHOP_PREFIX, b"\x02" + SAID))
    newer = counter(link=b"\x02" + link_of()[1:])
    with pytest.raises(invite.NewerLink):
        pay_code.shop_of(with_check(pay_code.SHOP_PREFIX, b"\x01" + record.encode(newer)))
    assert issubclass(NewerPayCode, UserFault)


@pytest.mark.parametrize(
    "changed",
    [{"title": ""}, {"title": "x" * 65}, {"title": "a\nb"}, {"amount": -1}, {"amount": 2**53}, {"link": bytes(85)}],
)
def test_what_does_not_fit_a_code_is_not_made(changed: dict[str, object]) -> None:
    with pytest.raises(OverLimit):
        counter(**changed)


@pytest.mark.parametrize("link", [link_of(long_term=False), link_of(someone("mallory"))])
def test_a_shop_shows_its_own_long_term_link_alone(link: bytes) -> None:
    with pytest.raises(OverLimit):
        pay_code.shop_text(counter(link=link))
