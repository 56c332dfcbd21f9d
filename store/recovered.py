"""Which logs of a lost device of ours are here whole: whoever reads them has said what he holds, and we have it.

A device that was restored from a backup knows the keys of these logs and none of their entries; before it goes on where
they end, it has to know where that is (docs/protocol/ledger.md 2.4). Not here: how entries come (node/logs/sitting.py).
"""

from store import logs
from store.database import Tx


def note(tx: Tx, number: int) -> None:
    """A log is here as far as its reader has it."""
    if tx.execute("INSERT INTO recovered (log) VALUES (?) ON CONFLICT DO NOTHING", (number,)).rowcount:
        tx.changed(logs.TOPIC, number)


def is_recovered(tx: Tx, number: int) -> bool:
    """Whether it is."""
    return tx.one("SELECT 1 FROM recovered WHERE log = ?", (number,)) is not None
