"""One question to a throw-away host and its answer: the dialling side of /weft/nearby/1 (docs/protocol/nearby.md 4)."""

from collections.abc import Sequence
from typing import TypeVar

import trio

from crypto.faults import Malformed
from node import dialler, frames
from node.guests import place_of
from node.network import Address, Link, Network, PeerId, parts_of
from protocol import nearby, record
from protocol.faults import Unavailable

ANSWER_S = 6.0  # dialling, asking and hearing the answer, over a slow link
GOODBYE_S = 1.0

R = TypeVar("R")


async def ask(
    network: Network, addresses: Sequence[Address], peer: PeerId, question: nearby.Question, answer: type[R]
) -> tuple[R, Address]:
    """Returns the answer of this peer, and where it was met. It takes 6 s at most.

    Raises: Unavailable (nobody answers there, another peer does, or it took too long), PeerFault.
    """
    try:
        with trio.fail_after(ANSWER_S):
            link = await dialler.dial(network, addresses, peer)
            try:
                return await _ask(link, question, answer), link.address
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + GOODBYE_S):
                    await link.aclose()
    except trio.TooSlowError:
        raise Unavailable("no answer in time") from None


async def _ask(link: Link, question: nearby.Question, answer: type[R]) -> R:
    stream = await link.open(nearby.PROTOCOL)
    await frames.write(stream, record.encode(question))
    raw = await frames.FrameReader(stream, nearby.FRAME_BYTES_MAX).read()
    if raw is None:
        raise Unavailable("it ended the dialogue")
    return record.decode(answer, raw, nearby.FRAME_BYTES_MAX)


def place_at(address: Address) -> str:
    """Returns whose links are counted together with those to this address."""
    try:
        return place_of(str(parts_of(address)[0]))
    except Malformed:  # through a relay: whoever comes that way is counted together
        return address.partition("/p2p-circuit")[0]
