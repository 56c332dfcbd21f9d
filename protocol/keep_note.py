"""What an owner leaves with a keeper that shall delete something: by it he learns that his own disk was put back.

    count u64 || BLAKE2b-128(key = seed of the owner key, 0x08 || count)

docs/protocol/keep.md 3.7. The frames that carry it are in keep.py, the counts in store/watches.py.
"""

from typing import Annotated

from crypto import hashing
from crypto.hashing import Label
from protocol import record

COUNT_BYTES = 8
NOTE_BYTES = COUNT_BYTES + hashing.ID_BYTES
_NOTE = b"\x08"  # 1 to 7: keep_proof.py and work.py

Note = Annotated[bytes, record.Size(0, NOTE_BYTES)]


def write(owner_seed: bytes, count: int) -> bytes:
    """The note for the so-manieth time, 24 bytes. owner_seed: 32, of the key that this keeper knows him by."""
    number = count.to_bytes(COUNT_BYTES, "big")
    return number + hashing.keyed_id(owner_seed, Label.KEEP, _NOTE + number)


def count_in(owner_seed: bytes, note: bytes) -> int:
    """The count in a note of this owner; 0 in what is none of his."""
    count = int.from_bytes(note[:COUNT_BYTES], "big")
    return count if hashing.same(note, write(owner_seed, count)) else 0
