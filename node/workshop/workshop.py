"""The workshop: each picture and sound is opened in a process of its own, with limits, and never in the node's.

    shop = Workshop()
    pictured = await shop.picture(path, clean)      # the copy without metadata lies at `clean`

A file that is broken, hostile or too much ends with a UserFault. The program gets the file and an empty one for the
copy as open descriptors, almost no environment, and answers with one small record that is read like bytes from a peer.
Not here: what it does (program.py), how it limits itself (bounds.py), what it may answer (protocol/workshop.py).
"""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, assert_never

import trio

from node.workshop.faults import Broken, CannotOpen, Ended, NoRoom, Strange, TooMuch
from protocol import workshop
from protocol.faults import PeerFault, quoted
from protocol.workshop import PREVIEW_BYTES_MAX, Avatar, Failed, Heard, Moving, Page, Pictured, Stamp, Taken, Why

AT_ONCE = 2  # each may take a gigabyte
WALL_S = 45.0  # a picture of 64 million pixels takes 5 s on a small machine that does nothing else
REAP_S = 5.0  # what was killed is gone at once; a disk that hangs is not waited for
_READ_BYTES = 64 << 10
_TIME_SIGNALS = frozenset((signal.SIGXCPU, signal.SIGALRM))

A = TypeVar("A")


def launcher() -> tuple[str, ...]:
    """The command that starts the programs of this installation, before the hidden word."""
    here = Path(__file__).resolve().parents[2]  # the checkout, or _weft/ in an installed wheel
    beside = here / "weft.py"
    return (sys.executable, str(beside if beside.is_file() else here.parent / "weft.py"))


@dataclass(frozen=True, slots=True)
class Workshop:
    """Starts a process for each file. program: its command before the hidden word; wall_s: how long one may take."""

    program: tuple[str, ...] = field(default_factory=launcher)
    wall_s: float = WALL_S
    _room: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(AT_ONCE))

    async def picture(self, path: Path, clean: Path, preview_bytes: int = PREVIEW_BYTES_MAX) -> Pictured:
        """What is to be said of a picture; its copy without metadata, and upright, is written to `clean`.

        clean: must not exist; after a fault or a cancellation it does not. Not fsynced.
        preview_bytes: what its preview may have; it is left out where it cannot be made so small.
        Raises: CannotOpen, Broken, Strange, TooMuch, NoRoom, Ended.
        """
        async with _opened(path) as source:
            with _made(clean) as copy:
                words = ("picture", str(copy), str(preview_bytes))
                found = await self._asked(words, source, (copy,), Pictured)
                if len(found.preview) > preview_bytes:  # the program was taken over
                    raise Ended
                return found

    async def sound(self, path: Path, clean: Path) -> Heard:
        """Length and waveform of a sound; its copy without titles, names and pictures is written to `clean`.

        As `picture`, in all.
        """
        return await self._copied("sound", path, clean, Heard)

    async def moving(self, path: Path, clean: Path) -> Moving:
        """Length and size of a film; its copy without places and names is written to `clean`.

        As `picture`, in all.
        """
        return await self._copied("moving", path, clean, Moving)

    async def avatar(self, path: Path) -> bytes:
        """The middle of a picture as a square WebP, 256 px a side and at most 32 KiB. Raises: as `picture`."""
        async with _opened(path) as source:
            return (await self._asked(("avatar",), source, (), Avatar)).webp

    async def sticker(self, path: Path) -> bytes:
        """A picture as a still WebP of at most 512 px a side and 48 KiB; of what moves the first frame.

        Raises: as `picture`.
        """
        async with _opened(path) as source:
            return (await self._asked(("sticker",), source, (), Stamp)).webp

    async def taken(self, path: Path) -> str:
        """When a picture was taken, as it says itself and as Taken is written; "" where it does not. Raises: as
        `picture`."""
        async with _opened(path) as source:
            return (await self._asked(("taken",), source, (), Taken)).at

    async def page(self, path: Path, charset: str) -> Page:
        """What a page of the web says of itself. charset: as its server names it, "" for none. Raises: as `picture`."""
        async with _opened(path) as source:
            return await self._asked(("page", charset), source, (), Page)

    async def _copied(self, verb: str, path: Path, clean: Path, wanted: type[A]) -> A:
        async with _opened(path) as source:
            with _made(clean) as copy:
                return await self._asked((verb, str(copy)), source, (copy,), wanted)

    async def _asked(self, words: tuple[str, ...], source: int, given: tuple[int, ...], wanted: type[A]) -> A:
        command = [*self.program, workshop.WORD, *words]
        async with self._room:
            with trio.move_on_after(self.wall_s) as clock:
                code, raw = await _ran(command, source, given, workshop.ANSWER_BYTES_MAX[wanted])
        if clock.cancelled_caught or -code in _TIME_SIGNALS:
            raise TooMuch("This file takes longer to look into than weft waits; it can still travel as a file.")
        try:
            answer = workshop.read(wanted, raw) if code == 0 else None
        except PeerFault:
            answer = None
        if answer is None:
            raise Ended
        return _answered(answer)


def _answered(answer: A | Failed) -> A:
    if not isinstance(answer, Failed):
        return answer
    match answer.why:
        case Why.BROKEN:
            raise Broken
        case Why.STRANGE:
            raise Strange
        case Why.LARGE:
            raise TooMuch
        case Why.MEMORY:
            raise TooMuch("This file needs more memory than weft gives it; it can still travel as a file.")
        case Why.UNWRITTEN:
            raise NoRoom
        case _:
            assert_never(answer.why)


async def _ran(command: list[str], source: int, given: tuple[int, ...], bytes_max: int) -> tuple[int, bytes]:
    """The exit code of the program and what it wrote, cut one byte after `bytes_max`; it is gone in any case."""
    try:
        running = await trio.lowlevel.open_process(
            command,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a file makes its decoder say is no log of ours
            env=workshop.surroundings(os.environ),
            pass_fds=given,
            start_new_session=True,
        )
    except OSError:  # this machine starts no more programs
        raise Ended from None
    assert running.stdout is not None
    raw = b""
    try:
        while len(raw) <= bytes_max and (part := await running.stdout.receive_some(_READ_BYTES)):
            raw += part
        code = await running.wait() if len(raw) <= bytes_max else 1
    finally:
        with trio.move_on_after(REAP_S) as last:
            last.shield = True
            with suppress(ProcessLookupError, PermissionError):  # it has ended, and so has its group
                os.killpg(running.pid, signal.SIGKILL) if running.returncode is None else None
            await running.wait()
            await running.stdout.aclose()
    return code, raw


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[int]:
    """A plain file, open for reading; a pipe or a device is not even opened. Raises: CannotOpen."""
    try:
        descriptor = await trio.to_thread.run_sync(_open, path)
    except OSError as broken:
        said = f"{quoted(str(path))} cannot be opened ({broken.strerror or 'it is no file'})."
        raise CannotOpen(said) from None
    except ValueError:  # a name with a zero in it
        raise CannotOpen from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "it is no plain file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it was exchanged meanwhile
        os.close(descriptor)
        raise OSError(0, "it is no plain file")
    return descriptor


@contextmanager
def _made(clean: Path) -> Iterator[int]:
    """A new file, open for the program; gone again if the work fails. Raises: CannotOpen."""
    try:
        descriptor = os.open(clean, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as broken:
        raise CannotOpen(f"{quoted(str(clean))} cannot be written ({broken.strerror}).") from None
    try:
        yield descriptor
    except BaseException:
        clean.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
