"""Blobs: large content, sealed once under a key of its own and cut into chunks (docs/protocol/blobs.md 1). Pure.

    making = Making(key, length)
    making.seal(plain) -> the next sealed chunk          making.end() -> (Blob, manifest)
    opening = Opening(blob, manifest)
    opening.check(index, sealed)                         opening.open(sealed) -> the next plain piece; opening.end()

Whoever is told a blob in a sealed message can take its chunks from anybody: each is checked by itself against the
manifest, and that against the root. Not here: where chunks lie, and how they travel.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from crypto import chunks
from crypto.faults import Forged, Malformed
from protocol import record
from protocol.record import Bytes32

BYTES_MAX = 64 * 1024**3  # 64 GiB: its manifest has 8 MiB


@record.record
@dataclass(frozen=True, slots=True)
class Blob:
    """A content that is fetched. root: of its manifest; length, hash: of the content without padding (BLAKE3)."""

    KIND: ClassVar[int] = 21

    root: Bytes32
    key: Bytes32
    length: Annotated[int, record.Range(0, BYTES_MAX)]
    hash: Bytes32

    @property
    def count(self) -> int:
        """How many chunks it has, 1 at least."""
        return chunks.count(self.length)


@dataclass
class Making:
    """Seals a content whose length is known. key: 32 random bytes, of this content alone."""

    key: bytes
    length: int
    _ids: list[bytes] = field(default_factory=list)
    _given: int = 0
    _hash: Any = field(default_factory=chunks.running_hash)

    @property
    def wanted(self) -> int:
        """How many bytes of the content the next chunk takes; 0 where only padding is left."""
        return min(chunks.CHUNK_BYTES, self.length - self._given)

    @property
    def is_whole(self) -> bool:
        """Whether all chunks were made."""
        return len(self._ids) == chunks.count(self.length)

    def seal(self, plain: bytes) -> bytes:
        """The next chunk. plain: `wanted` bytes of the content; it is the caller's fault when there are others."""
        assert len(plain) == self.wanted
        index = len(self._ids)
        self._hash.update(plain)
        self._given += len(plain)
        padded = plain.ljust(chunks.chunk_length(self.length, index), b"\x00")
        sealed = chunks.seal(self.key, index, chunks.count(self.length), padded)
        self._ids.append(chunks.name(sealed))
        return sealed

    def end(self) -> tuple[Blob, bytes]:
        """The blob, and its manifest: 32 bytes for each chunk."""
        assert self.is_whole
        manifest = b"".join(self._ids)
        return Blob(chunks.name(manifest), self.key, self.length, self._hash.digest()), manifest


@dataclass
class Opening:
    """Checks and opens the chunks of a blob. Raises: Forged, where the manifest is not that of the blob."""

    blob: Blob
    manifest: bytes
    _next: int = 0
    _hash: Any = field(default_factory=chunks.running_hash)

    def __post_init__(self) -> None:
        if len(self.manifest) != self.blob.count * chunks.ID_BYTES or chunks.name(self.manifest) != self.blob.root:
            raise Forged

    def check(self, index: int, sealed: bytes) -> None:
        """Returns if this is the sealed chunk in this place, from 0 on. Raises: Malformed (no such place), Forged."""
        if not 0 <= index < self.blob.count:
            raise Malformed
        at = index * chunks.ID_BYTES
        if chunks.name(sealed) != self.manifest[at : at + chunks.ID_BYTES]:
            raise Forged

    def open(self, sealed: bytes) -> bytes:
        """The next piece of the content, from the next chunk. Raises: Malformed, Forged."""
        index, length = self._next, self.blob.length
        self.check(index, sealed)
        padded = chunks.open_sealed(self.blob.key, index, self.blob.count, sealed)
        if len(padded) != chunks.chunk_length(length, index):
            raise Malformed
        plain = padded[: max(0, length - index * chunks.CHUNK_BYTES)]
        if any(padded[len(plain) :]):
            raise Malformed
        self._next += 1
        self._hash.update(plain)
        return plain

    def end(self) -> None:
        """Returns where all was opened and is what the blob says. Raises: Forged.

        The cipher does not commit to its key: another key may open the same chunks to something else. The hash tells.
        """
        if self._next != self.blob.count or self._hash.digest() != self.blob.hash:
            raise Forged
