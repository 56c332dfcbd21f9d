"""The limits that the workshop's program puts on itself before it touches a file: it may be owned by that file.

What each is good for, and what is not there (no filter of system calls): docs/features/media.md.
"""

import ctypes
import resource
import signal
import sys
from contextlib import suppress

MEMORY_BYTES_MAX = 1 << 30  # addresses, of which Python and its libraries take 160 MB
CPU_S = 20  # a picture of 64 million pixels takes 3 to 5
LIFE_S = 60  # by itself, so that it also ends where whoever started it was killed
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_NEW_USER, _NEW_IPC, _NEW_NETWORK = 0x10000000, 0x08000000, 0x40000000


def enter(file_bytes_max: int) -> None:
    """Limits memory, CPU time, life, written bytes and core dumps of this process, and takes the network away."""
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_AS", MEMORY_BYTES_MAX)
    _limit("RLIMIT_CPU", CPU_S)
    _limit("RLIMIT_FSIZE", file_bytes_max)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LIFE_S)
    if sys.platform == "linux":
        _leave_the_network()


def close(descriptors: int) -> None:
    """From now on this process opens nothing more. descriptors: how many it has, counted from 0."""
    _limit("RLIMIT_NOFILE", descriptors)
    _limit("RLIMIT_NPROC", 0)


def _limit(name: str, most: int) -> None:
    with suppress(ValueError, OSError):  # a system without it, or a lower limit that already stands
        resource.setrlimit(getattr(resource, name, -1), (most, most))


def _leave_the_network() -> None:
    # Both may be forbidden here (no user namespaces for strangers): then the other limits have to do.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.unshare(_NEW_USER | _NEW_IPC | _NEW_NETWORK)
