"""A folder as one archive, in a stream: its length is known before its first byte is read; it is sealed as it comes.

POSIX tar (pax), so that any system opens it. Owners, permissions beyond "can be run" and places above the folder are
not told. Links and devices are left out. Everything here blocks on the disk.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protocol.faults import UserFault

ENTRIES_MAX = 20_000
READ_BYTES = 256 * 1024
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)


class TooManyFiles(UserFault):
    """A folder with more than 20,000 files is not sent; nothing was. Pack it yourself, and send what you packed."""

    code = "media.folder"
    next = "weft send NAME --file ARCHIVE"
    exit = 2


@dataclass(frozen=True, slots=True)
class Packed:
    """What will be in an archive: (header, file or None for a folder, its length) for each entry."""

    entries: tuple[tuple[bytes, Path | None, int], ...]

    @property
    def length(self) -> int:
        """How long the archive will be."""
        return len(_END) + sum(len(header) + _padded(length) for header, _, length in self.entries)

    def read(self) -> Iterator[bytes]:
        """The archive in pieces. One of the files has another length by now: it ends before `length`, or after it.

        Raises: OSError.
        """
        for header, path, length in self.entries:
            yield header
            if path is not None:
                yield from read(path)
                yield bytes(_padded(length) - length)
        yield _END


def pack(folder: Path) -> Packed:
    """What an archive of this folder will have: the folder itself, and all under it, sorted. Raises: OSError."""
    found: list[tuple[bytes, Path | None, int]] = [(_header(folder, folder.name, is_folder=True), None, 0)]
    for place, folders, files in os.walk(folder, onerror=_fail):
        folders.sort()
        inside = Path(place)
        within = Path(folder.name) / inside.relative_to(folder)
        real = [name for name in folders if not (inside / name).is_symlink()]
        found += [(_header(inside / name, str(within / name), is_folder=True), None, 0) for name in real]
        for path in (inside / name for name in sorted(files)):
            if path.is_file() and not path.is_symlink():
                header = _header(path, str(within / path.name), is_folder=False)
                found.append((header, path, path.stat().st_size))
        if len(found) > ENTRIES_MAX:
            raise TooManyFiles
    return Packed(tuple(found))


def read(path: Path) -> Iterator[bytes]:
    """A file in pieces. Raises: OSError."""
    with path.open("rb", buffering=0) as file:
        while some := file.read(READ_BYTES):
            yield some


def read_open(descriptor: int) -> Iterator[bytes]:
    """A file that is open, from its beginning, in pieces. Raises: OSError."""
    at = 0
    while some := os.pread(descriptor, READ_BYTES, at):
        yield some
        at += len(some)


def _header(path: Path, name: str, is_folder: bool) -> bytes:
    state = path.stat()
    info = tarfile.TarInfo(name.encode(errors="replace").decode())
    info.mtime = int(state.st_mtime)
    if is_folder:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    else:
        info.size, info.mode = state.st_size, 0o755 if state.st_mode & 0o100 else 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padded(length: int) -> int:
    return -(-length // _BLOCK) * _BLOCK


def _fail(broken: OSError) -> None:
    raise broken
