"""What a session remembers of messages that have not come: old header keys and skipped message keys.

docs/protocol/ratchet.md 5. Keys wait in the order in which they were skipped, so the oldest go first. Beside them
stand the numbers whose keys were dropped, so that such a message is never mistaken for a duplicate. All are
dicts of packed bytes, which makes copying cheap and freezing a join. Not here: deriving the keys (ratchet.py).
"""

import struct
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, NoReturn

from crypto.faults import Replayed, Unreadable

KEYS_MAX = 2000  # skipped message keys per session: 80 kB, and more than any chain may skip at once
LOST_MAX = 2000  # numbers of dropped keys per session
OLD_TURNS_MAX = 64  # header keys of earlier turns: each costs one trial for a message that nothing opens
KEEP_MS = 90 * 86_400_000  # the longest that a keeper holds an envelope

_SLOT = struct.Struct(">II").pack  # turn, number
_AT = struct.Struct(">Q")  # ms
_CLOSED = struct.Struct(">II8s")  # turn, end, mark
_SLOT_BYTES = 8
_KEY_BYTES = 40  # message key 32, skipped at 8
_HEADER_KEY_BYTES = 32


class Closed(NamedTuple):
    """A turn of the peer that is over. turn: its ordinal; end: how many messages it had; mark: 8 bytes of its key."""

    turn: int
    end: int
    mark: bytes


class Skipped:
    """The memory of one session; empty in most, and then it costs nothing to copy or to freeze."""

    __slots__ = ("keys", "lost", "old")

    def __init__(self) -> None:
        self.keys: dict[bytes, bytes] = {}
        self.lost: dict[bytes, None] = {}
        self.old: dict[bytes, bytes] = {}

    def clone(self) -> "Skipped":
        """A copy that shares nothing that changes."""
        twin = Skipped()
        twin.keys = self.keys.copy()
        twin.lost = self.lost.copy()
        twin.old = self.old.copy()
        return twin

    def __reduce__(self) -> NoReturn:
        raise TypeError("message keys are not pickled")


def find(memory: Skipped, turn: int, number: int, now_ms: int) -> bytes:
    """The 32-byte key of a message below the end of its chain.

    Raises: Replayed when it was received already, Unreadable when its key was dropped.
    """
    slot = _SLOT(turn, number)
    kept = memory.keys.get(slot)
    if kept is None:
        raise Unreadable if slot in memory.lost else Replayed
    if _AT.unpack_from(kept, 32)[0] + KEEP_MS <= now_ms:
        raise Unreadable
    return kept[:32]


def keep(memory: Skipped, turn: int, first: int, keys: Sequence[bytes], now_ms: int) -> None:
    """Keeps the keys of consecutive numbers from `first` on; drops the oldest beyond the limit."""
    at = _AT.pack(now_ms)
    for number, key in enumerate(keys, first):
        memory.keys[_SLOT(turn, number)] = key + at
    while len(memory.keys) > KEYS_MAX:
        _lose_oldest(memory)


def forget(memory: Skipped, turn: int, number: int) -> None:
    """Erases the key of a message that has come."""
    del memory.keys[_SLOT(turn, number)]


def expire(memory: Skipped, now_ms: int) -> None:
    """Drops the keys that have waited for 90 days."""
    while memory.keys:
        if _AT.unpack_from(next(iter(memory.keys.values())), 32)[0] + KEEP_MS > now_ms:
            return
        _lose_oldest(memory)


def close(memory: Skipped, header_key: bytes, closed: Closed) -> None:
    """Keeps the header key of a turn that is over.

    Beyond the limit the oldest turn goes from which nothing is awaited, else the oldest, with its message keys.
    """
    memory.old[header_key] = _CLOSED.pack(*closed)
    if len(memory.old) <= OLD_TURNS_MAX:
        return
    awaited = {slot[:4] for slot in memory.keys}
    for key, packed in memory.old.items():
        if packed[:4] not in awaited:
            del memory.old[key]
            return
    oldest = next(iter(memory.old))
    turn = memory.old.pop(oldest)[:4]
    for slot in [slot for slot in memory.keys if slot[:4] == turn]:
        del memory.keys[slot]


def closed(packed: bytes) -> Closed:
    """What a value of `Skipped.old` says."""
    return Closed(*_CLOSED.unpack(packed))


def freeze(memory: Skipped) -> tuple[bytes, bytes, bytes]:
    """Three byte strings: keys, lost numbers, old header keys; empty ones for an empty memory."""
    return (
        b"".join(chain.from_iterable(memory.keys.items())),
        b"".join(memory.lost),
        b"".join(chain.from_iterable(memory.old.items())),
    )


def thaw(frozen: Sequence[bytes]) -> Skipped:
    """The memory that was frozen."""
    keys, lost, old = frozen
    memory = Skipped()
    memory.keys = _pairs(keys, _SLOT_BYTES, _KEY_BYTES)
    memory.lost = {lost[at : at + _SLOT_BYTES]: None for at in range(0, len(lost), _SLOT_BYTES)}
    memory.old = _pairs(old, _HEADER_KEY_BYTES, _CLOSED.size)
    return memory


def _pairs(joined: bytes, key_bytes: int, value_bytes: int) -> dict[bytes, bytes]:
    step = key_bytes + value_bytes
    assert len(joined) % step == 0
    starts = range(0, len(joined), step)
    return {joined[at : at + key_bytes]: joined[at + key_bytes : at + step] for at in starts}


def _lose_oldest(memory: Skipped) -> None:
    oldest = next(iter(memory.keys))
    del memory.keys[oldest]
    memory.lost[oldest] = None
    if len(memory.lost) > LOST_MAX:
        del memory.lost[next(iter(memory.lost))]
