"""Work that a door may ask of whoever puts something through it: hashcash over BLAKE2b (docs/protocol/keep.md 3.4).

It slows a flood down and stops nobody who is determined: tokens do that. Pure and in slices, so that the caller may
search on a thread, say how far it is, and be cancelled. Not here: which doors ask for how much (keep.Door).
"""

from collections.abc import Iterable

from crypto import hashing
from crypto.hashing import Label
from protocol import keep, keep_proof, rendezvous

SLICE = 50_000  # numbers tried in one call, about 50 ms: so long a thread may go on after its caller has given up

_MARK = b"\x04"
_U32_MAX = 2**32 - 1


def find(sender: bytes, day: int, envelope_id: bytes, bits: int, start: int, count: int = SLICE) -> int | None:
    """The first of `count` numbers from `start` on that is enough work for this door, None when none of them is.

    sender: 16 bytes. day: rendezvous.epoch_of the sender's clock. envelope_id: keep_proof's. bits: 0 to 32; about
    2^bits numbers have to be tried, a million take a second.
    """
    front = _MARK + sender + day.to_bytes(4, "big") + envelope_id
    most = (_U32_MAX >> bits).to_bytes(4, "big") + b"\xff" * (hashing.HASH_BYTES - 4)
    for number in range(start, start + count):
        if hashing.hash_of(Label.KEEP, front + number.to_bytes(8, "big")) <= most:
            return number
    return None


def is_enough(put: keep.Put, bits: int, days: Iterable[int]) -> bool:
    """Whether a Put carries so many bits of work, done on one of these days."""
    if bits == 0:
        return True
    if put.work is None:
        return False
    named = keep_proof.envelope_id(put.envelope)
    return any(find(put.sender, day, named, bits, put.work, 1) is not None for day in days)


def days(now_s: int) -> tuple[int, ...]:
    """The days on which work may have been done that is shown now: today, and one to either side."""
    today = rendezvous.epoch_of(now_s)
    return (today, today - 1, today + 1) if today else (today, today + 1)
