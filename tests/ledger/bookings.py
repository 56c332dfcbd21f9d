"""Bookings for the tests of books and statements: of friendly people, and of people who put anything into a name.

Not here: tests.
"""

from hypothesis import strategies as st

from ledger import units
from ledger.journal import Booking
from protocol import ids
from protocol.ids import AccountId

NOVEMBER_MS = 1_793_491_200_000  # 2026-11-01 in UTC
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ACCOUNTS = tuple(ids.account_text(AccountId(bytes([n]) * 32)) for n in range(1, 7))
COFFEE, GIFT, ACCENT, KAFFEE, OTHERS = (
    units.voucher(AccountId(bytes([issuer]) * 32), name, decimals).text
    for issuer, name, decimals in ((1, "coffee", 0), (1, "gift", 2), (1, "café", 1), (1, "咖啡", 0), (2, "coffee", 0))
)
UNITS = ("EUR", "JPY", "KWD", "h", COFFEE, GIFT, ACCENT, KAFFEE, OTHERS, "of a later; version", 'x"y', "v:coffee")

NAMES = (
    "bo",
    "Bo",
    "bo ",
    "Łukasz Dąbrowski",
    "陈",
    "Иван",
    "أحمد",
    "🍕",
    "",
    "a:b",
    "a  b; c:d | e",
    "(x)",
    "[x]",
    '"\\',
    "=1+1",
    "\u202eevil",
    "two\nlines",
    ACCOUNTS[0],
)
MEMOS = (
    "lunch",
    "",
    "\n    assets:weft:bo:EUR  1000000 EUR",
    "\r\n2020-01-01 * forged\n  a  1 EUR\n  b\n",
    "; date:2001-01-01, x",
    "[2001-01-01=2001-01-02]",
    '"\n2020-01-01 open Assets:Forged\n"',
    "\\",
    '\\"',
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@x",
    "'quoted'",
    "\t=1",
    "＝1",
    "a,b",
    "\x00\x1b[2J\ud800",
    "comment",
    "12.50 EUR @ 3 USD",
)


def booking(
    amount: int,
    at_ms: int = NOVEMBER_MS,
    contact: str = "bo",
    account: str = ACCOUNTS[0],
    unit: str = "EUR",
    kind: str = "payment",
    memo: str = "",
    id: str = "01KB0000000000000000000000",
) -> Booking:
    """A booking of bo's in euro."""
    return Booking(id, at_ms, contact, account, unit, amount, kind, memo)


_ANY = st.text(max_size=20)
ANY = st.lists(
    st.builds(
        Booking,
        id=st.sampled_from(("01KB0000000000000000000000", "", "a)b", "x\ny")) | _ANY,
        at_ms=st.integers(0, 2**53 - 1) | st.integers(NOVEMBER_MS - 40 * DAY_MS, NOVEMBER_MS + 40 * DAY_MS),
        contact=st.sampled_from(NAMES) | _ANY,
        account=st.sampled_from(ACCOUNTS),
        unit=st.sampled_from(UNITS),
        amount=st.integers(-units.AMOUNT_MAX, units.AMOUNT_MAX) | st.integers(-10, 10),
        kind=st.sampled_from(("payment", "refund", "settlement", "", "in kind", "支付")),
        memo=st.sampled_from(MEMOS) | _ANY,
    ),
    max_size=12,
)
