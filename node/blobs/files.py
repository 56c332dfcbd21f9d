"""The files of blobs: sealed pieces, each at its place, one file for each blob, in one folder of the profile.

Whoever opens such a file sees sealed bytes alone; keys and names are in the database. Everything here blocks on the
disk. Not here: which pieces are there (store/blobs.py); the plain file that a person gets takes its name once it is
whole (drafts.py).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from crypto import chunks
from crypto.keys import Entropy
from node import drafts
from protocol.blobs import Blob, Making, Opening

NAME_BYTES = 16
KEY_BYTES = 32
TRIED_BYTES = 4096  # a block: what a full disk does not have


class SourceChanged(Exception):
    """A file has become longer or shorter while it was read."""


@dataclass(frozen=True, slots=True)
class Files:
    """The folder; it is made when the first blob is written."""

    folder: Path

    def write(self, name: str, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Writes pieces at their places; they are on the disk after `sync` alone. Raises: OSError."""
        is_new = not os.path.lexists(self.folder / name)
        with self._opened(name, os.O_RDWR | os.O_CREAT) as descriptor:
            for place, sealed in pieces:
                _put(descriptor, sealed, place * chunks.SEALED_BYTES_MAX)
        if is_new:
            drafts.sync_directory(self.folder)

    def sync(self, name: str) -> None:
        """Returns when all that was written is on the disk. Raises: OSError."""
        with self._opened(name, os.O_RDWR) as descriptor:
            os.fdatasync(descriptor)

    def read(self, name: str, blob: Blob, places: Sequence[int]) -> list[bytes]:
        """The sealed pieces of these places, which are here. Raises: OSError."""
        with self._opened(name, os.O_RDONLY) as descriptor:
            return [_get(descriptor, sealed_length(blob, place), place * chunks.SEALED_BYTES_MAX) for place in places]

    def read_at(self, name: str, place: int, length: int) -> bytes:
        """The sealed piece of a place, which is here and so long. Raises: OSError."""
        with self._opened(name, os.O_RDONLY) as descriptor:
            return _get(descriptor, length, place * chunks.SEALED_BYTES_MAX)

    def make(self, name: str, length: int, source: Iterator[bytes], entropy: Entropy) -> tuple[Blob, bytes]:
        """Seals a content into a file of that name, and returns the blob and its manifest.

        source: gives `length` bytes in all, in pieces of any size. Raises: OSError, SourceChanged.
        """
        self.make_folder()
        making = Making(entropy(KEY_BYTES), length)
        draft = drafts.begin(self.folder / name, entropy)
        try:
            rest = bytearray()
            while not making.is_whole:
                while len(rest) < making.wanted:
                    more = next(source, b"")
                    if not more:
                        raise SourceChanged
                    rest += more
                taken = bytes(rest[: making.wanted])
                del rest[: len(taken)]
                draft.out.write(making.seal(taken))
            if rest or next(source, b""):
                raise SourceChanged
            draft.settle(replace=False)
        finally:
            draft.drop()
        return making.end()

    def open(self, name: str, blob: Blob, names: bytes) -> Iterator[bytes]:
        """The plain content in pieces of at most 256 KiB; it is good once the last one was given without a fault.

        Raises: Forged, Malformed (it is not what the blob says), OSError.
        """
        opening = Opening(blob, names)
        with self._opened(name, os.O_RDONLY) as descriptor:
            for place in range(blob.count):
                sealed = _get(descriptor, sealed_length(blob, place), place * chunks.SEALED_BYTES_MAX)
                if plain := opening.open(sealed):
                    yield plain
        opening.end()

    def save(self, name: str, blob: Blob, names: bytes, file: Path, entropy: Entropy) -> None:
        """Writes the plain content to a file that does not stand there yet, whole or not at all.

        Raises: FileExistsError, OSError; Forged, Malformed where it is not what the blob says.
        """
        draft = drafts.begin(file, entropy)
        try:
            for plain in self.open(name, blob, names):
                draft.out.write(plain)
            draft.settle(replace=False)
        finally:
            draft.drop()

    def stands(self, name: str, blob: Blob, bits: int) -> bool:
        """Whether the file is there and as long as these pieces, or all, make it. bits: not 0. Raises: OSError."""
        try:
            length = os.stat(self.folder / name, follow_symlinks=False).st_size
        except FileNotFoundError:
            return False
        last = bits.bit_length() - 1
        least = last * chunks.SEALED_BYTES_MAX + sealed_length(blob, last)
        return length == least if bits.bit_count() == blob.count else least <= length <= sealed_total(blob)

    def is_as_it_came(self, name: str, blob: Blob, names: bytes) -> bool:
        """Whether each piece has the name that it had when it came, or was made. Raises: OSError."""
        with self._opened(name, os.O_RDONLY) as descriptor:
            return all(
                chunks.name(_get(descriptor, sealed_length(blob, place), place * chunks.SEALED_BYTES_MAX))
                == names[place * chunks.ID_BYTES :][: chunks.ID_BYTES]
                for place in range(blob.count)
            )

    def is_taken(self, name: str) -> bool:
        """Whether the disk takes a few bytes just now; nothing of them stays."""
        try:
            self.write(name, [(0, bytes(TRIED_BYTES))])
            self.sync(name)
            self.remove(name)
        except OSError:
            with suppress(OSError):
                self.remove(name)
            return False
        return True

    def remove(self, name: str) -> None:
        """Takes a file away; it need not be there. Raises: OSError."""
        with suppress(FileNotFoundError):
            os.unlink(self.folder / name)

    def all_names(self) -> list[str]:
        """What stands in the folder. Raises: OSError."""
        return sorted(os.listdir(self.folder)) if self.folder.is_dir() else []

    def bytes_of(self, name: str) -> int:
        """How much room a file takes on the disk."""
        with suppress(FileNotFoundError):
            return os.stat(self.folder / name).st_blocks * 512
        return 0

    def plain(self, entropy: Entropy) -> Path:
        """A place where nothing lies, for a plain copy that is gone in a moment, or at the node's next start."""
        return self.folder / f"{entropy(NAME_BYTES).hex()}.plain"

    def make_folder(self) -> None:
        """Makes the folder, where there is none, and puts its name on the disk. Raises: OSError."""
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            drafts.sync_directory(self.folder.parent)

    @contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        if flags & os.O_CREAT:
            self.make_folder()
        descriptor = os.open(self.folder / name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def sealed_length(blob: Blob, place: int) -> int:
    """How long the sealed piece of a place is."""
    return chunks.chunk_length(blob.length, place) + chunks.SEALED_BYTES_MAX - chunks.CHUNK_BYTES


def sealed_total(blob: Blob) -> int:
    """How long all sealed pieces are together."""
    return (blob.count - 1) * chunks.SEALED_BYTES_MAX + sealed_length(blob, blob.count - 1)


def _put(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, at)
        view, at = view[count:], at + count


def _get(descriptor: int, length: int, at: int) -> bytes:
    """Raises: OSError, also where the file ends before."""
    data = os.pread(descriptor, length, at)
    while len(data) < length:
        more = os.pread(descriptor, length - len(data), at + len(data))
        if not more:
            raise OSError("a file of pieces is shorter than it was")
        data += more
    return data
