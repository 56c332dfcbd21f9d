"""A tab as bytes, from which it goes on: all of it but the payments that are over (docs/protocol/ledger.md 5.4).

For our own disk alone: who has these bytes can leave the entries before them unread. Not here: when they are made, and
whether the entries behind them are still the same (store/tabs.py).
"""

from typing import Any

from ledger.payment import Payment, Side, Stage
from ledger.tab import DEBT_BYTES, Key, Tab
from protocol import wire

BYTES_MAX = 1 << 26  # 100,000 open payments with eight witnesses each


def of(tab: Tab) -> bytes:
    """The bytes of a tab."""
    debts = tuple((unit, debt.to_bytes(DEBT_BYTES, "big", signed=True)) for unit, debt in sorted(tab.debts.items()))
    limits = tuple((int(side), unit, most) for (side, unit), most in sorted(tab.limits.items()))
    open_ones = tuple(_packed(one, tab.accepts.get(Key(one.payer, one.pay))) for one in tab.open())
    return wire.encode((tuple(tab.heads), tuple(tab.acked), tuple(tab.newest), debts, limits, open_ones))


def tab(raw: bytes) -> Tab:
    """The tab in bytes that `of` has made."""
    heads, acked, newest, debts, limits, open_ones = _items(raw)
    made = Tab(heads=[*heads], acked=[*acked], newest=[*newest])
    made.debts.update((unit, int.from_bytes(debt, "big", signed=True)) for unit, debt in debts)
    made.limits.update(((Side(side), unit), most) for side, unit, most in limits)
    made.resume((_unpacked(row), accept) for *row, accept in open_ones)
    return made


def _items(raw: bytes) -> Any:
    return wire.decode(raw, BYTES_MAX)


def _packed(one: Payment, accept: bytes | None) -> tuple[wire.Value, ...]:
    return (
        int(one.payer),
        one.pay,
        one.unit,
        one.amount,
        one.offered,
        one.expires_ms,
        one.witnesses,
        one.lock,
        one.cause,
        one.of,
        one.answer,
        int(one.is_taken),
        one.ending,
        int(one.is_settled),
        one.attested,
        one.seen,
        accept,
    )


def _unpacked(row: list[Any]) -> Payment:
    payer, pay, unit, amount, offered, expires_ms, witnesses, lock, cause, of_, answer, is_taken, *rest = row
    ending, is_settled, attested, seen = rest
    one = Payment(
        Side(payer),
        pay,
        unit,
        amount,
        offered,
        expires_ms,
        witnesses,
        lock,
        cause,
        of_,
        answer,
        bool(is_taken),
        ending,
        bool(is_settled),
        attested,
        seen,
    )
    assert not one.stage.is_final
    assert one.stage is not Stage.REFUNDING or one.ending is not None
    return one
