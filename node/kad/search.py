"""Walks a walk over real links: asks whom it names, hears what comes, never waits for one peer alone.

Not here: whom to ask next (walk.py), the links (links.py), what the lookups want (dht.py).
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from node.kad.messages import Peer
from node.kad.walk import OUT_MAX, Walk
from node.network import PeerId
from protocol.faults import PeerFault, Unavailable

WIDENED_BY = 4  # peers at a time, when the nearest did not say enough

Ask = Callable[[Peer], Awaitable[tuple[Peer, ...]]]
"""Asks one peer; returns the closer peers that it named. Raises: PeerFault, Unavailable."""


async def search(walk: Walk, ask: Ask, is_enough: Callable[[], bool], wanted_max: int) -> tuple[Peer, ...]:
    """Asks the nearest, then ever more of them until it is enough or `wanted_max` have answered.

    Returns who was slow and has not answered yet; those questions are given up.
    Raises: Unavailable when nobody answered.
    """
    answers, answered = trio.open_memory_channel[tuple[PeerId, tuple[Peer, ...] | None]](OUT_MAX)
    out = 0
    was_asked = False

    async def question(peer: Peer) -> None:
        closer = None
        with suppress(PeerFault, Unavailable):  # a peer that does not answer: the walk goes round it
            closer = await ask(peer)
        answers.send_nowait((peer.id, closer))  # there is room for every question that is out

    async with trio.open_nursery() as nursery:
        while True:
            now = trio.current_time()
            while walk.is_settled(now) and walk.wanted < wanted_max and not is_enough():
                walk.wanted = min(wanted_max, walk.wanted + WIDENED_BY)
            for peer in walk.begin(now):
                out += 1
                was_asked = True
                nursery.start_soon(question, peer)
            if walk.is_settled(now) or not out or (is_enough() and walk.is_content(now)):
                break
            with trio.move_on_at(walk.next_at(now)):
                peer_id, closer = await answered.receive()
                out -= 1
                if closer is None:
                    walk.fail(peer_id)
                else:
                    walk.hear(peer_id, closer)
        late = walk.slow(now)
        nursery.cancel_scope.cancel()
    if not walk.heard():
        raise Unavailable("no peer of the DHT answers" if was_asked else "no peer of the DHT is known yet")
    return late
