"""How often one peer, and one network, may ask: buckets of tokens, each refilled at its rate. Pure: the caller waits.

Who asks a little too often waits a moment; who floods is refused, which ends his stream. Source: docs/protocol/dht.md
6. Not here: what is asked (server.py), how much may be kept (rack.py).
"""

from dataclasses import dataclass

from protocol.faults import PeerFault

PAYERS_MAX = 1024  # counted at a time; the one that asked longest ago is forgotten, with what it owes


class TooOften(PeerFault):
    """A peer asks the DHT more often than anybody needs."""


@dataclass(frozen=True, slots=True)
class Rate:
    """per_s: tokens a second. burst: how many may be taken at once. wait_s_max: who would wait longer is refused."""

    per_s: float
    burst: int
    wait_s_max: float = 2.0


PER_PEER = Rate(20, 100)  # a walk asks each peer once, a node that publishes a dozen records about forty times
PER_PLACE = Rate(200, 1000)  # a carrier's NAT, a house full of nodes; an answer takes about 0.3 ms of a core
GIFTS_PER_PEER = Rate(2, 64)  # records and providers: checking two signatures takes 0.2 ms, and room is scarce
GIFTS_PER_PLACE = Rate(20, 640)


class Meter:
    """One rate, for each payer by himself."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at: dict[object, float] = {}  # when each payer's bucket is full again; the longest unused first

    def take(self, payer: object, now: float) -> float:
        """Takes one token; returns how long to wait for it, 0 mostly. Raises: TooOften."""
        full_at = max(now, self._full_at.pop(payer, now)) + 1 / self._rate.per_s
        wait_s = full_at - now - self._rate.burst / self._rate.per_s
        if wait_s > self._rate.wait_s_max:
            self._full_at[payer] = full_at - 1 / self._rate.per_s
            raise TooOften
        self._full_at[payer] = full_at
        if len(self._full_at) > PAYERS_MAX:
            del self._full_at[next(iter(self._full_at))]
        return max(0.0, wait_s)
