"""Envelopes that are authentic but cannot be read yet: a cache, tried again after each new session.

docs/protocol/store.md 6. A full one never delays an acknowledgement: the sender keeps what is held anyway.
"""

from collections.abc import Sequence

from store.database import Row, Tx

CONTACT_COUNT_MAX = 500
CONTACT_BYTES_MAX = 8 * 1024 * 1024
NODE_BYTES_MAX = 256 * 1024 * 1024
RETRY_MAX = 50  # envelopes tried at a time: each may cost 65 trials of a header key


def put(tx: Tx, contact_id: int, device_id: int, envelopes: Sequence[bytes], now_ms: int) -> None:
    """Keeps envelopes; the oldest go when the contact or the node has too many."""
    rows = [(contact_id, device_id, now_ms, len(e), e) for e in envelopes[-CONTACT_COUNT_MAX:]]
    tx.executemany("INSERT INTO quarantine (contact, device, at_ms, bytes, envelope) VALUES (?, ?, ?, ?, ?)", rows)
    _grow(tx, sum(row[3] for row in rows))
    row = tx.one("SELECT COUNT(*), TOTAL(bytes) FROM quarantine WHERE contact = ?", (contact_id,))
    assert row is not None
    _shrink(
        tx,
        "SELECT seq, bytes FROM quarantine WHERE contact = ? ORDER BY seq",
        (contact_id,),
        row[0] - CONTACT_COUNT_MAX,
        int(row[1]) - CONTACT_BYTES_MAX,
    )
    _shrink(tx, "SELECT seq, bytes FROM quarantine ORDER BY seq", (), 0, total(tx) - NODE_BYTES_MAX)


def newest(tx: Tx, device_id: int, before: int) -> list[Row]:
    """(row, envelope) of the newest 50 of a device before this row, newest first."""
    return tx.all(
        "SELECT seq, envelope FROM quarantine WHERE device = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        (device_id, before, RETRY_MAX),
    )


def drop(tx: Tx, seq: int) -> None:
    """Takes one out: it was read, or never will be."""
    row = tx.one("SELECT bytes FROM quarantine WHERE seq = ?", (seq,))
    if row is not None:
        tx.execute("DELETE FROM quarantine WHERE seq = ?", (seq,))
        _grow(tx, -row[0])


def total(tx: Tx) -> int:
    """Bytes of all envelopes kept."""
    row = tx.one("SELECT bytes FROM quarantine_total WHERE id = 1")
    return 0 if row is None else int(row[0])


def forget_before(tx: Tx, device_id: int, at_ms: int) -> None:
    """Takes out what a device sent before this time: its sender has sealed it anew in a newer session since."""
    row = tx.one("SELECT TOTAL(bytes) FROM quarantine WHERE device = ? AND at_ms < ?", (device_id, at_ms))
    assert row is not None
    if row[0]:
        tx.execute("DELETE FROM quarantine WHERE device = ? AND at_ms < ?", (device_id, at_ms))
        _grow(tx, -int(row[0]))


def _grow(tx: Tx, count: int) -> None:
    tx.execute(
        "INSERT INTO quarantine_total (id, bytes) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET bytes = bytes + excluded.bytes",
        (count,),
    )


def _shrink(tx: Tx, oldest_first: str, params: tuple[int, ...], count: int, size: int) -> None:
    """Takes out the oldest until so many rows and so many bytes are gone."""
    gone: list[tuple[int]] = []
    freed = 0
    if count > 0 or size > 0:
        for seq, bytes_ in tx.execute(oldest_first, params):
            if len(gone) >= count and freed >= size:
                break
            gone.append((seq,))
            freed += bytes_
    if gone:
        tx.executemany("DELETE FROM quarantine WHERE seq = ?", gone)
        _grow(tx, -freed)
