"""What is kept of the last round of sync with a device that both ended (docs/protocol/sync.md 3.5).

It is worth nothing to the logs: when it is lost, or old, more is compared.
"""

from typing import Any

from protocol import entry, sync, wire
from protocol.log import Head
from protocol.sync import Memory, Standing
from store.database import Tx

ROUND_BYTES_MAX = sync.LOGS_MAX * 80


def last(tx: Tx, device_id: int) -> Memory | None:
    """The last round with a device."""
    row = tx.one("SELECT raw FROM sync_round WHERE device = ?", (device_id,))
    if row is None:
        return None
    said: Any = wire.decode(row[0], ROUND_BYTES_MAX)
    name, theirs, heads = said
    return Memory(name, theirs, tuple(_standing(heads[at : at + _LINE]) for at in range(0, len(heads), _LINE)))


def keep(tx: Tx, device_id: int, memory: Memory) -> None:
    """Keeps a round in place of the one before."""
    flat: list[wire.Value] = []
    for one in memory.mine:
        head = one.head or _NO_HEAD
        flat += (one.log, head.seq + 1, head.id, int(one.is_frozen))
    tx.execute(
        "INSERT OR REPLACE INTO sync_round (device, raw) VALUES (?, ?)",
        (device_id, wire.encode((memory.round, memory.theirs, tuple(flat)))),
    )


def forget(tx: Tx, device_id: int) -> None:
    """The next session with a device compares everything."""
    tx.execute("DELETE FROM sync_round WHERE device = ?", (device_id,))


_LINE = 4  # values of a log
_NO_HEAD = Head(-1, bytes(entry.ID_BYTES))


def _standing(line: Any) -> Standing:
    log, count, head_id, is_frozen = line
    return Standing(log, Head(count - 1, head_id) if count else None, bool(is_frozen))
