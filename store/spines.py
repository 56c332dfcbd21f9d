"""Our spine on the disk: what it was last written over, and who was shown that it commits to what he has.

docs/protocol/spine.md 2 and 3. What a spine says: protocol/spine.py; spines of others: witnessing.py.
"""

from collections.abc import Sequence
from typing import Any

from crypto.keys import SigningKey
from protocol import evidence, record, spine, wire
from protocol.grant import Committed
from protocol.log import Head
from protocol.spine import Line
from store import authoring, entries, logs
from store.database import Tx
from store.spaces import Space

LINES_BYTES_MAX = 1 << 24  # 100,000 logs of one device


def commit(tx: Tx, own: Space, lines: Sequence[Line], key: SigningKey, now_ms: int) -> bool:
    """Appends an entry over these heads when one of them is newer than the last one had it; returns whether it did."""
    _, before = _written(tx, own)
    known = {line.log: line.head.seq for line in before}
    if all(line.head.seq <= known.get(line.log, logs.NEVER) for line in lines):
        return False
    made = authoring.commit(tx, own, spine.encode(spine.commit(lines)), key, now_ms)
    _keep(tx, own.log.number, made.body.seq, wire.encode(tuple((*line[:2], *line.head) for line in lines)))
    return True


def unshown(tx: Tx, own: Space) -> tuple[tuple[int, Committed], ...]:
    """(number of a log of ours, what its readers are to be told): heads that the spine commits to and they do not know.

    Only once the spine's entry is published: what was shown is never taken back.
    """
    seq, lines = _written(tx, own)
    header = entries.entry_at(tx, own.log.number, seq) if lines and seq <= own.log.published else None
    if header is None:
        return ()
    (held,) = entries.read(tx, own.log.number, seq, 1, entries.MEMORY_BYTES_MAX)
    if held.content is None or spine.decode(held.content) != spine.commit(lines):
        return ()  # it was taken back, and the next one says what is true then
    found = []
    for line in lines:
        log = logs.by_id(tx, line.log)
        if log is None or line.head.seq <= _shown_to(tx, log.number):
            continue
        told = evidence.committed(header, held.content, line, spine.prove(lines, line.log))
        found.append((log.number, Committed(line.log, told)))
    return tuple(found)


def shown(tx: Tx, number: int, said: Committed) -> None:
    """The readers of a log of ours are told, in this transaction."""
    _keep(tx, number, said.committed.seq, record.encode(said.committed))


def _shown_to(tx: Tx, number: int) -> int:
    row = tx.one("SELECT seq FROM commitment WHERE log = ?", (number,))
    return logs.NEVER if row is None else int(row[0])


def _written(tx: Tx, own: Space) -> tuple[int, tuple[Line, ...]]:
    """The seq of the newest entry of our spine, and the heads that it is over."""
    row = tx.one("SELECT seq, raw FROM commitment WHERE log = ?", (own.log.number,))
    if row is None:
        return logs.NEVER, ()
    said: Any = wire.decode(row[1], LINES_BYTES_MAX)
    return row[0], tuple(Line(key, log, Head(seq, head)) for key, log, seq, head in said)


def _keep(tx: Tx, number: int, seq: int, raw: bytes) -> None:
    tx.execute("INSERT OR REPLACE INTO commitment (log, seq, raw) VALUES (?, ?, ?)", (number, seq, raw))
