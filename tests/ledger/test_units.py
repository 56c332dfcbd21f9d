"""Units and amounts: one text for each unit, integers only, one sentence for what is no amount (ledger 1.4 to 1.9)."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import terms, units
from ledger.units import BadAmount, BadUnit, NoAmount, TooFine, TooMuch, Unit
from protocol import ids
from protocol.faults import UserFault
from protocol.ids import AccountId
from tests import depth
from tests.sources import ROOT

ISSUER, OTHER = AccountId(b"\x07" * 32), AccountId(b"\x08" * 32)
ACCOUNT = ids.account_text(ISSUER)
EUR, JPY, KWD, HOURS = (units.of(text) for text in ("EUR", "JPY", "KWD", "h"))
COFFEE = units.voucher(ISSUER, "coffee")
GIFT = units.voucher(ISSUER, "gift", 2)
ALL = (EUR, JPY, KWD, HOURS, COFFEE, GIFT)
AMOUNTS = st.integers(1, units.AMOUNT_MAX)

# Each currency that weft has ever known, by its decimals. One that the tables drop is still owed, and one whose
# decimals they change would change every debt: where this test fails, units.py keeps the old row beside the table.
CURRENCIES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
}


def test_the_tables_have_every_currency_that_was_ever_known() -> None:
    known = {code: decimals for decimals, codes in CURRENCIES.items() for code in codes.split()}
    assert len(known) > 150
    assert {code: one.decimals for code in known if (one := units.read(code)) is not None} == known


@pytest.mark.parametrize("typed", ["EUR", "eur", "Eur", " eur\n", "€"])
def test_a_currency_is_meant_however_it_is_typed(typed: str) -> None:
    assert units.of(typed) == Unit("EUR", 2)


def test_hours_are_one_letter() -> None:
    assert units.of("H") == units.of("h") == Unit("h", 2)


def test_a_voucher_says_issuer_name_and_decimals() -> None:
    assert Unit(f"v:{ACCOUNT}/coffee", 0, ISSUER, "coffee") == COFFEE
    assert Unit(f"v:{ACCOUNT}/gift:2", 2, ISSUER, "gift") == GIFT
    for one in (COFFEE, GIFT, units.voucher(ISSUER, "咖啡"), units.voucher(ISSUER, "قهوة-2")):
        assert units.of(one.text) == units.read(one.text) == one
    assert units.of(f"v:{ACCOUNT.upper()}/coffee") == COFFEE


def test_a_name_in_two_spellings_is_one_voucher() -> None:
    apart, whole = "cafe\u0301", "caf\u00e9"
    assert units.voucher(ISSUER, apart) == units.of(f"v:{ACCOUNT}/{apart}") == units.voucher(ISSUER, whole)
    assert units.read(f"v:{ACCOUNT}/{apart}") is None


def test_the_longest_voucher_fits_an_entry() -> None:
    longest = units.voucher(ISSUER, "n" * units.NAME_BYTES_MAX, units.DECIMALS_MAX)
    assert len(longest.text.encode()) == terms.UNIT_BYTES_MAX
    assert units.AMOUNT_MAX == terms.AMOUNT_MAX
    offer = terms.Offer(b"p" * 16, longest.text, units.AMOUNT_MAX, 1)
    assert units.read(offer.unit) == longest


@pytest.mark.parametrize(
    "text",
    [
        "eur",
        "€",
        "XAU",
        "XXX",
        "H",
        "",
        "EURO",
        " EUR",
        "ЕUR",  # a Cyrillic letter
        "v:coffee",
        f"V:{ACCOUNT}/coffee",
        f"v:{ACCOUNT.upper()}/coffee",
        f"v: {ACCOUNT}/coffee",
        f"v:{ACCOUNT[:-1]}x/coffee",
        f"v:{ACCOUNT}/",
        f"v:{ACCOUNT}/coffee:0",
        f"v:{ACCOUNT}/coffee:02",
        f"v:{ACCOUNT}/coffee:5",
        f"v:{ACCOUNT}/coffee:2:2",
        f"v:{ACCOUNT}/a b",
        f"v:{ACCOUNT}/a/b",
        f'v:{ACCOUNT}/a"b',
        f"v:{ACCOUNT}/-a",
        f"v:{ACCOUNT}/a\u202eb",
        f"v:{ACCOUNT}/{'n' * 31}",
        f"v:{ACCOUNT}/{'咖' * 11}",
        f"v:{ACCOUNT}/coffee\n",
        f"v:{ACCOUNT}/\ud800",
    ],
)
def test_what_is_no_unit_is_none(text: str) -> None:
    assert units.read(text) is None


@pytest.mark.parametrize(
    "typed", ["", "euro", "XAU", "XXX", "12", "v:coffee", f"v:{ACCOUNT[:-1]}x/coffee", f"v:{ACCOUNT}/a b", "x" * 10_000]
)
def test_an_unknown_unit_is_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(BadUnit) as refused:
        units.of(typed)
    assert_told(refused.value)


def test_a_voucher_is_called_by_its_label_where_one_alone_has_it() -> None:
    known = ("EUR", COFFEE.text, GIFT.text, "of a later version")
    assert units.of("v:coffee", known) == COFFEE
    with pytest.raises(BadUnit, match="Several have issued v:coffee"):
        units.of("v:coffee", (*known, units.voucher(OTHER, "coffee").text))


def test_no_voucher_is_shown_as_money() -> None:
    assert units.shown(1250, units.voucher(ISSUER, "EUR", 2)) == "12.50 v:EUR"


@pytest.mark.parametrize(
    ("typed", "unit", "amount"),
    [
        ("12.50", EUR, 1250),
        ("12.5", EUR, 1250),
        (" 12 ", EUR, 1200),
        ("0.01", EUR, 1),
        ("007", JPY, 7),
        ("1.005", KWD, 1005),
        ("1.25", HOURS, 125),
        ("3", COFFEE, 3),
        ("90071992547409.91", EUR, units.AMOUNT_MAX),
        ("9007199254740991", JPY, units.AMOUNT_MAX),
    ],
)
def test_an_amount_is_whole_numbers_of_the_smallest_unit(typed: str, unit: Unit, amount: int) -> None:
    assert units.parse(typed, unit) == amount


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        *((typed, BadAmount) for typed in ("", " ", ".", "-", "1e3", "NaN", "inf", "0x10", "1_000", "1 000")),
        *(
            (typed, BadAmount)
            for typed in ("1,50", "1,234.50", "1.", ".5", "+5", "1.2.3", "--1", "12.50 EUR", "١٢", "²")
        ),
        *((typed, BadAmount) for typed in ("１２", "1\u00a0000", "1\n2", "x" * 10_000)),
        *((typed, NoAmount) for typed in ("0", "0.00", "00", "-1", "-12.50", "−1")),
        *((typed, TooFine) for typed in ("1.005", "1.000", "0.001")),
        *((typed, TooMuch) for typed in ("90071992547409.92", "9" * 40, "9" * 100_000, "1" + "0" * 50 + ".00")),
    ],
)
def test_what_is_no_amount_is_refused_in_a_sentence(typed: str, fault: type[UserFault]) -> None:
    with pytest.raises(fault) as refused:
        units.parse(typed, EUR)
    assert_told(refused.value)


def test_what_cannot_be_parted_has_no_decimals() -> None:
    with pytest.raises(TooFine, match="it has no decimals"):
        units.parse("1.5", JPY)
    with pytest.raises(TooFine, match="v:x: it has 1 decimal"):
        units.parse("1.55", units.voucher(ISSUER, "x", 1))


def test_a_limit_may_be_nothing() -> None:
    assert units.parse("0", EUR, least=0) == 0
    with pytest.raises(NoAmount):
        units.parse("-1", EUR, least=0)


@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(AMOUNTS, st.sampled_from(ALL))
def test_what_is_shown_is_read_back(amount: int, unit: Unit) -> None:
    number, _, label = units.shown(amount, unit).partition(" ")
    assert units.parse(number, units.of(label, [unit.text])) == amount
    assert units.shown(-amount, unit) == f"-{number} {label}"


@settings(max_examples=depth.EXAMPLES, deadline=None)
@given(st.text(max_size=60), st.sampled_from(ALL))
def test_nothing_that_can_be_typed_is_more_than_refused(typed: str, unit: Unit) -> None:
    for ask in (lambda: units.of(typed), lambda: units.of(f"v:{ACCOUNT}/{typed}"), lambda: units.parse(typed, unit)):
        try:
            found = ask()
        except UserFault as refused:
            assert_told(refused)
        else:
            assert (units.read(found.text) == found) if isinstance(found, Unit) else (found >= 1)


def test_a_balance_of_nothing_and_one_of_little() -> None:
    assert [units.shown(amount, EUR) for amount in (0, 5, -5, -100)] == [
        "0.00 EUR",
        "0.05 EUR",
        "-0.05 EUR",
        "-1.00 EUR",
    ]
    assert units.shown(0, JPY) == "0 JPY"
    assert units.shown(7, units.foreign("of a later version")) == "7 of a later version"


def test_the_tables_are_read_when_somebody_speaks_of_a_currency() -> None:
    light = ("iso4217", "nacl", "cryptography", "xml.etree.ElementTree")
    script = (
        "import sys; from ledger import units; units.of('h'); units.read('of a later version'); "
        f"print([one for one in {light!r} if one in sys.modules]); units.of('eur'); print('iso4217' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[:2] == ["[]", "True"]


def test_what_no_amount_moves_is_said() -> None:
    assert units.IOU == "This records what people owe each other; it moves no bank money."


def assert_told(fault: UserFault) -> None:
    said = str(fault)
    assert said[0].isupper()
    assert said.endswith(".")
    assert len(said) < 260
    assert fault.exit == 2
    assert fault.code.startswith("amount.")
