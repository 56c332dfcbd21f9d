"""What a node stands on: time, chance, where the database works. The simulated ones are in lab/world.py."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from crypto import keys
from crypto.vault import Cost
from protocol.handle_record import COST
from store.database import Worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ground:
    """The sources of everything that is not decided by the code.

    now_ms: wall time, milliseconds since 1970. entropy(purpose): one stream of random bytes a purpose, so that a
    draw more in one place moves no other place in a simulated world. encapsulate: ML-KEM-768 with its own chance.
    cost: of one guess at a handle, less in a simulated world alone.
    """

    now_ms: Callable[[], int]
    entropy: Callable[[str], keys.Entropy]
    encapsulate: keys.Encapsulate
    worker: Worker
    cost: Cost = COST


def real() -> Ground:
    """The machine's clock, the operating system's randomness, a thread for the database."""
    return Ground(
        now_ms=lambda: time.time_ns() // 1_000_000,
        entropy=lambda _: os.urandom,
        encapsulate=keys.encapsulate,
        worker=Worker.THREAD,
    )


def utc(ms: int) -> str:
    """A moment as text that sorts by time, as in the log: "2026-09-21T13:33:20"; what no year can say as "?"."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000))
    except (OverflowError, OSError, ValueError):
        return "?"


def ahead(entropy: keys.Entropy, count: int) -> keys.Entropy:
    """The same chance, drawn `count` bytes at a time: for many nonces, one call of the system instead of one for each.

    For the length of one transaction: what was drawn and not used is forgotten with it.
    """
    drawn = b""

    def draw(wanted: int) -> bytes:
        nonlocal drawn
        if wanted > len(drawn):
            drawn = entropy(max(wanted, count))
        given, drawn = drawn[:wanted], drawn[wanted:]
        return given

    return draw


def jitter(entropy: keys.Entropy) -> float:
    """A number in [0, 1) from 4 random bytes: spreads retries, decides nothing else."""
    return int.from_bytes(entropy(4), "big") / 2**32


async def aside(ground: Ground, f: Callable[..., T], *args: Any) -> T:
    """f(*args), which works or writes for long: in a thread, but in a simulated world."""
    if ground.worker is Worker.INLINE:
        return f(*args)
    done: T = await trio.to_thread.run_sync(f, *args)
    return done
