"""Where strangers stand until they have proven themselves: few of each PeerId, and looked at one after another.

A proof costs its maker 32 bytes and us a look at every contact or invitation. With the pauses all looking together
takes a fifth of a core at most, however many ask. Not here: the proofs (channel.py, the room of contacts), links
(guests.py).
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from node.network import PeerId
from protocol.faults import PeerFault

PAUSES = 4.0  # for each second of looking
PAUSE_S_MIN = 0.02  # so that looking at few contacts, many times a second, costs little too
VISITS_PER_PEER_MAX = 3  # a node has one proof to show, and dials again before an old stream of its is given up


class TooMany(PeerFault):
    """The other end shows more proofs at once than anybody needs."""


class Gate:
    """One door: who stands before it, and whose turn it is."""

    def __init__(self) -> None:
        self._visits: Counter[PeerId] = Counter()
        self._turn = trio.Lock()
        self._opens_at = 0.0

    @contextmanager
    def visit(self, peer: PeerId) -> Iterator[None]:
        """Counts this peer in for as long as it proves itself. Raises: TooMany."""
        if self._visits[peer] >= VISITS_PER_PEER_MAX:
            raise TooMany
        self._visits[peer] += 1
        try:
            yield
        finally:
            self._visits[peer] -= 1
            if not self._visits[peer]:
                del self._visits[peer]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Yields when it is the caller's turn, in the order of asking. The block may not wait for peers."""
        async with self._turn:
            await trio.sleep_until(self._opens_at)
            began = trio.current_time()
            try:
                yield
            finally:
                ended = trio.current_time()
                self._opens_at = ended + max(PAUSE_S_MIN, PAUSES * (ended - began))
