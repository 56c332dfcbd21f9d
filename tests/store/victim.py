"""A process that works on two stores until it is killed: posts, accepts, acknowledges, and says so after each commit.

python -m tests.store.victim FOLDER
"""

import os
import sys
import time
from pathlib import Path

import trio

from store import outbox
from store.database import Tx, Worker
from tests.store import kit
from tests.store.kit import Side

BATCH = 16


def tell(what: str, texts: list[str]) -> None:
    """One line for each, past all buffers: what is printed was committed."""
    os.write(1, "".join(f"{what} {text}\n" for text in texts).encode())


async def work(ana: Side, bo: Side) -> None:
    """Ana writes to Bo, without end."""
    newest = await ana.run(lambda tx: tx.one("SELECT COALESCE(MAX(seq), 0) FROM message"))
    number = int(newest[0])
    while True:
        ana.clock.ms = time.time_ns() // 1_000_000
        texts = [f"{number + n}" for n in range(BATCH)]
        number += BATCH
        await ana.post(*texts)
        tell("posted", texts)
        outgoing = await ana.seal(BATCH)
        accepted = await bo.accept(*(one.envelope for one in outgoing))
        assert accepted.held == ()
        tell("accepted", texts)
        await ana.acked(outgoing)
        tell("acked", texts)


async def main(folder: Path) -> None:
    """Opens both stores, made or as the last victim left them."""
    clock = kit.Clock(time.time_ns() // 1_000_000)
    async with (
        kit.open_side(folder / "ana.db", "Ana", clock, Worker.THREAD) as ana,
        kit.open_side(folder / "bo.db", "Bo", clock, Worker.INLINE) as bo,
    ):
        ana.entropy = bo.entropy = os.urandom
        if not ana.device:
            await kit.acquaint(ana, bo)
        await deliver_rest(ana, bo)
        await work(ana, bo)


async def deliver_rest(ana: Side, bo: Side) -> None:
    """What the last victim left unfinished goes out again, as at the start of a stream."""

    def requeue(tx: Tx) -> None:
        outbox.requeue(tx, ana.device)

    await ana.run(requeue)
    while outgoing := await ana.seal(64):
        accepted = await bo.accept(*(one.envelope for one in outgoing))
        assert accepted.held == ()
        await ana.acked(outgoing)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
