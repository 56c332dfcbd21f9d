"""The replaying attacker of a simulated network: he records what a stream carried and plays it to the same host."""

from typing import TYPE_CHECKING

import trio

from protocol.faults import Unavailable

if TYPE_CHECKING:
    from lab.network import SimNetwork

AFTER_S = 5.0  # at most, until he comes with what he recorded
BYTES_MAX = 64 * 1024  # what he records of one stream
LISTENING_S = 10.0  # how long he then listens for an answer
NAME = "(replay)"  # so that his address is none of a test's


async def play(sim: "SimNetwork", receiver: str, seed: bytes, protocol: str, recorded: bytes, after_s: float) -> None:
    """Plays what was recorded to the same host as a stranger, and reads what comes back. seed: 32 bytes, his key's."""
    await trio.sleep(after_s)
    async with sim.open_host(NAME, seed) as stranger:
        with trio.move_on_after(LISTENING_S):
            try:
                link = await stranger.dial(sim.address(receiver), None)
                stream = await link.open(protocol)
                await stream.send_all(recorded)
                while await stream.receive_some(BYTES_MAX):
                    pass
            except Unavailable:
                pass
