"""The kinds of voucher that this account issues, as rows. Not here: who holds how many (payments.py)."""

from store import payments
from store.database import Tx


def keep(tx: Tx, unit: str, now_ms: int) -> None:
    """From now on this is a kind of voucher of ours. unit: its whole text."""
    tx.execute("INSERT INTO voucher (unit, made_ms) VALUES (?, ?)", (unit, now_ms))


def units(tx: Tx) -> tuple[str, ...]:
    """The whole texts of the kinds that are ours, the oldest first."""
    return tuple(text for (text,) in tx.all("SELECT unit FROM voucher ORDER BY made_ms, unit"))


def known(tx: Tx) -> set[str]:
    """The units that stand in any ledger of ours, and the vouchers that we issue: these have short names here."""
    return {one.unit for one in payments.balances(tx)} | set(units(tx))
