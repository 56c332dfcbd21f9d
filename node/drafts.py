"""A file that takes its name once it is whole and on the disk; until then it stands beside its place under another one.

Who writes it holds a lock on it, which the system lets go of when he dies, however he dies. So what a killed run left
is told from what somebody writes just now, and the next one in that directory removes it. Where a file system knows no
locks, nothing is removed. Everything here blocks on the disk.
"""

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crypto.keys import Entropy

NAME_BYTES_MAX = 100  # of the file's own name in that of its draft: a name has at most 255
DRAFT = re.compile(r"\..*-[0-9a-f]{16}\.weft-draft", re.DOTALL)
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EMLINK)  # FAT and its like
_NO_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EBADF)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is written for a file. out: where to; place: where it stands meanwhile."""

    file: Path
    place: Path
    out: BinaryIO

    def settle(self, replace: bool) -> int:
        """Gives it its name, once it is on the disk; returns its size.

        replace: also where a file stands there. Raises: FileExistsError, OSError; then `drop` is still to be called.
        """
        self.out.flush()
        os.fsync(self.out.fileno())
        if replace:
            os.replace(self.place, self.file)
        else:
            _take_name(self.place, self.file)
        sync_directory(self.file.parent)
        return self.out.tell()

    def drop(self) -> None:
        """Lets go of it; what was not settled is removed."""
        with suppress(OSError):
            os.unlink(self.place)
        with suppress(OSError):  # what was not written yet cannot be, and is not wanted any more
            self.out.close()


def begin(file: Path, entropy: Entropy) -> Draft:
    """A draft of this file, which its owner alone may read; what killed runs left in the directory is removed.

    Raises: OSError.
    """
    _sweep(file.parent)
    name = os.fsencode(file.name)[:NAME_BYTES_MAX].decode(errors="ignore")
    while True:
        place = file.parent / f".{name}-{entropy(8).hex()}.weft-draft"
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        with suppress(OSError):  # no locks here: then nobody removes it but we
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _stands(place, descriptor):
            return Draft(file, place, open(descriptor, "wb"))
        os.close(descriptor)  # somebody swept it away between the two


def _take_name(place: Path, file: Path) -> None:
    """Moves a file to a name that is free; of two that want it one gets it. Raises: FileExistsError, OSError."""
    try:
        os.link(place, file, follow_symlinks=False)
    except OSError as refused:
        if refused.errno not in _NO_LINKS:
            raise
    else:
        os.unlink(place)
        return
    if os.path.lexists(file):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
    os.replace(place, file)


def _sweep(folder: Path) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if DRAFT.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path))


def _remove_if_left(place: Path) -> None:
    """Removes a draft of ours that nobody writes any more. Raises: OSError, also where somebody holds its lock."""
    descriptor = os.open(place, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _stands(place, descriptor):
            os.unlink(place)
    finally:
        os.close(descriptor)


def _stands(place: Path, descriptor: int) -> bool:
    """Whether this is still the file of that name."""
    try:
        return os.path.samestat(os.lstat(place), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def sync_directory(folder: Path) -> None:
    """Puts a name on the disk, where the file system can. Raises: OSError where the disk fails."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as refused:
        if refused.errno not in _NO_SYNC:
            raise
