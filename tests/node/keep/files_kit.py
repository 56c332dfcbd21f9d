"""A file for a door, as somebody leaves it at a keeper."""

import random
from dataclasses import dataclass

from crypto import chunks
from node.keep.deposit_client import DepositStream, Left, Parting
from protocol import deposit, keep
from protocol.blobs import Blob, Making
from protocol.keep import Status
from tests.store import keep_kit


@dataclass(frozen=True)
class Sealed:
    """A content as it travels."""

    blob: Blob
    manifest: bytes
    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    def name(self, door: int) -> bytes:
        """How it is called behind a door of keep_kit."""
        return deposit.name_of(self.blob.key, self.blob.root, keep_kit.sender_of(door))

    def parting(self, door: int, ttl_s: int = 30 * keep.DAY_S) -> Parting:
        """It, left through a door of keep_kit."""
        sender, key = keep_kit.sender_of(door), keep_kit.put_key_of(door)
        return Parting(sender, key, self.name(door), self.size, ttl_s, self.manifest)


def sealed(seed: object, length: int = 600_000) -> Sealed:
    """A content of so many bytes, three pieces where nothing is said."""
    chance = random.Random(str(seed))
    making, pieces = Making(chance.randbytes(32), length), []
    while not making.is_whole:
        pieces.append(making.seal(chance.randbytes(making.wanted)))
    blob, manifest = making.end()
    assert len(pieces) == chunks.count(length)
    return Sealed(blob, manifest, tuple(pieces))


async def leave(stream: DepositStream, one: Sealed, door: int = 1, places: tuple[int, ...] | None = None) -> Left:
    """Leaves it, or these pieces of it; what the keeper said first."""
    left = await stream.leave(one.parting(door))
    for place in range(len(one.pieces)) if places is None else places:
        await stream.give(place, one.pieces[place])
        assert await stream.answer() is Status.OK
    return left


async def fetched(stream: DepositStream, one: Sealed, door: int = 1) -> dict[int, bytes]:
    """The pieces of it that the keeper gives to the owner whose stream this is."""
    found = await stream.seek(one.name(door))
    assert isinstance(found, deposit.Found)
    assert found.manifest in (one.manifest, b"")
    places = [place for place in range(len(one.pieces)) if int.from_bytes(found.bits, "little") >> place & 1]
    if places:
        await stream.want(places)
    return dict([await stream.piece() for _ in places])
