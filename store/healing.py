"""When a session with a device has to be started anew: what stayed unreadable, since when, and how often we tried.

docs/protocol/store.md 5. Starting it is in sessions.py, the unreadable envelopes in quarantine.py.
"""

from dataclasses import dataclass
from enum import Enum

from store.database import Tx

UNREADABLE_MS = 60_000  # what its init or the next retry would have made readable is readable by now
BACKOFF_FIRST_MS = 600_000  # docs/protocol/store.md 5: one restart in 10 minutes for a pair of devices,
BACKOFF_MS_MAX = 86_400_000  # doubling to a day
ASK_MS = 86_400_000  # between two wishes by mail that the other side begin a session: a keeper may have lost one
CALM_MS = 2 * BACKOFF_MS_MAX  # after so long without a restart the back-off begins anew


class Healing(Enum):
    """What became of the wish to restart a session."""

    RESTARTED = "restarted"
    NO_BUNDLE = "no bundle"  # the other side must be asked for one
    READABLE = "readable"  # nothing is unreadable (any more)
    NOT_YET = "not yet"  # unreadable for less than a minute, or restarted a short time ago


@dataclass(frozen=True, slots=True)
class State:
    """How it stands between a device and us. All times ms, 0 for never.

    counter: the highest restart counter of any session, -1 before the first. garbled_ms: since when something is
    unreadable that no retry can mend. healed_ms: the last new session, of either side. must: the other side has lost
    newer sessions, and only a restart of ours can tell it how high to count.
    """

    counter: int
    garbled_ms: int
    healed_ms: int
    restarted_ms: int
    restarts: int
    must: bool


def begin(tx: Tx, device_id: int) -> None:
    """A record for a new device."""
    tx.execute(
        "INSERT INTO healing (device, counter, garbled_ms, healed_ms, restarted_ms, restarts, must)"
        " VALUES (?, -1, 0, 0, 0, 0, 0)",
        (device_id,),
    )


def state(tx: Tx, device_id: int) -> State:
    """How it stands with this device."""
    row = tx.one(
        "SELECT counter, garbled_ms, healed_ms, restarted_ms, restarts, must FROM healing WHERE device = ?",
        (device_id,),
    )
    assert row is not None
    counter, garbled_ms, healed_ms, restarted_ms, restarts, must = row
    return State(counter, garbled_ms, healed_ms, restarted_ms, restarts, bool(must))


def garbled(tx: Tx, device_id: int, now_ms: int) -> None:
    """Something came that no retry will make readable: the sender has to seal it anew, in this session or the next."""
    tx.execute("UPDATE healing SET garbled_ms = ? WHERE device = ? AND garbled_ms = 0", (now_ms, device_id))


def healed(tx: Tx, device_id: int, counter: int, now_ms: int) -> None:
    """A new session exists that the other side began."""
    tx.execute(
        "UPDATE healing SET counter = MAX(counter, ?), garbled_ms = 0, healed_ms = ? WHERE device = ?",
        (counter, now_ms, device_id),
    )


def set_must(tx: Tx, device_id: int, must: bool) -> None:
    """Whether a restart of ours is due because the other side's count is behind, or it asked for one."""
    tx.execute("UPDATE healing SET must = ? WHERE device = ?", (int(must), device_id))


def ask(tx: Tx, device_id: int, now_ms: int) -> bool:
    """Whether the other side is to be asked by mail, now, to begin a session; not again before a day is over."""
    changed = tx.execute(
        "UPDATE healing SET asked_ms = ?1 WHERE device = ?2 AND NOT (?1 >= asked_ms AND ?1 < asked_ms + ?3)",
        (now_ms, device_id, ASK_MS),
    )
    return bool(changed.rowcount)


def restarted(tx: Tx, device_id: int, counter: int, now_ms: int) -> None:
    """A new session exists that we began in place of one that did not work."""
    before = state(tx, device_id)
    restarts = 1 if now_ms - before.restarted_ms >= CALM_MS else before.restarts + 1
    tx.execute(
        "UPDATE healing SET counter = MAX(counter, ?), garbled_ms = 0, healed_ms = ?, restarted_ms = ?, restarts = ?,"
        " must = 0 WHERE device = ?",
        (counter, now_ms, now_ms, restarts, device_id),
    )


def started(tx: Tx, device_id: int, counter: int, now_ms: int) -> None:
    """A first session exists that we began."""
    tx.execute(
        "UPDATE healing SET counter = MAX(counter, ?), healed_ms = ? WHERE device = ?", (counter, now_ms, device_id)
    )


def unreadable_since(tx: Tx, device_id: int) -> int:
    """Since when something of this device is unreadable that came after the last new session; 0 when nothing is."""
    now = state(tx, device_id)
    row = tx.one("SELECT MIN(at_ms) FROM quarantine WHERE device = ? AND at_ms >= ?", (device_id, now.healed_ms))
    times = [at for at in (now.garbled_ms, row[0] if row else None) if at]
    return min(times, default=0)


def verdict(tx: Tx, device_id: int, now_ms: int) -> Healing | None:
    """Whether a session should be restarted: None when it should, else why not."""
    now = state(tx, device_id)
    if not now.must:
        since = unreadable_since(tx, device_id)
        if not since:
            return Healing.READABLE
        if now_ms - since < UNREADABLE_MS:
            return Healing.NOT_YET
    elapsed = now_ms - now.restarted_ms
    if now.restarts and 0 <= elapsed < backoff_ms(now.restarts):
        return Healing.NOT_YET
    return None


def backoff_ms(restarts: int) -> int:
    """How long after the n-th restart in a row the next one waits."""
    return min(BACKOFF_FIRST_MS << min(restarts - 1, 16), BACKOFF_MS_MAX)
