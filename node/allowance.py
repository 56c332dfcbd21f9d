"""What one link's other end may cost before it has proven itself (docs/protocol/frames.md 3.4, 4.2).

A stream of the peer is a stranger's until somebody vouches for it, or says that strangers are welcome to it: what is
offered to them (a DHT, a relay) has an account of its own, so that asking there takes nothing from a proof. What each
question there may cost is bounded by who offers it. Not here: counting links (guests.py), windows (yamux.py).
"""

import trio

from crypto.faults import Malformed

STREAMS_WASTED_MAX = 32  # streams of the peer that came to nothing: then its link ends; an honest one has two or three
UNPROVEN_BYTES_MAX = 128 * 1024  # that a peer sends on one link before it has proven itself; 70 KB suffice
WELCOME_BYTES_MAX = 1024 * 1024  # that it sends on streams to which strangers are welcome: 250 records of a DHT
WELCOME_STREAMS_MAX = 512  # such streams on one link: libp2p's own programs open one for each question


class Allowance:
    """The account of one link."""

    def __init__(self) -> None:
        self.welcomed_at = float("-inf")  # trio's time when it last asked for what is offered to strangers
        self._wasted = 0  # streams that were refused, or ended with nobody vouching for them
        self._unproven = 0
        self._welcomes = 0
        self._welcomed = 0

    def begin(self) -> None:
        """Lets the peer open one more stream. Raises: Malformed."""
        if self._wasted >= STREAMS_WASTED_MAX or self._welcomes >= WELCOME_STREAMS_MAX:
            raise Malformed("a peer opens streams again and again that nobody needs")

    def waste(self) -> None:
        """Counts a stream that came to nothing."""
        self._wasted += 1

    def hear(self, count: int, is_welcome: bool) -> int:
        """Counts bytes of a stream for which nobody vouches; returns how many of them were not welcome.

        Raises: Malformed when they are too many.
        """
        unproven = 0 if is_welcome else count
        self._unproven += unproven
        if is_welcome:
            self._welcomed += count
            self.welcomed_at = trio.current_time()
        if self._unproven > UNPROVEN_BYTES_MAX or self._welcomed > WELCOME_BYTES_MAX:
            raise Malformed("a stranger says more than it takes to prove who he is")
        return unproven

    def vouch(self, unproven: int) -> int:
        """Forgets what a stream cost before its peer had proven itself; returns what it still owes, nothing."""
        self._unproven -= unproven
        return 0

    def welcome(self, unproven: int) -> int:
        """Takes a stream, with what it cost already, for one to which strangers are welcome; returns as vouch()."""
        self._unproven -= unproven
        self._welcomed += unproven
        self._welcomes += 1
        self.welcomed_at = trio.current_time()
        return 0
