"""What a talk may have in flight: an envelope takes a place, its acknowledgement frees it (docs/protocol/talk.md 5).

    enter ──> number ──> settle          takes: envelopes and bytes, both limited
    sealed    written    acknowledged

The window begins small and grows by what arrives, as TCP's does (RFC 5681, slow start). What is in flight when a stream
breaks is lost for the ratchet: its receiver skips those numbers, at most 1,000 of them (docs/protocol/ratchet.md 5.1).
So a stream that breaks before anything has arrived costs few. Not here: writing and waiting (talk.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocol import talk
from protocol.faults import PeerFault
from store.outbox import Outgoing

ENVELOPES_FIRST = 16  # thirty streams in a row that bring nothing cost as much as one full window


class Room(NamedTuple):
    """What a window takes now; nothing when either is 0. The last envelope may exceed the bytes."""

    envelopes: int
    bytes: int


@dataclass
class Window:
    """The places of one stream. limit: envelopes that the other end takes before it acknowledges."""

    limit: int = talk.WINDOW_ENVELOPES
    _opened: int = ENVELOPES_FIRST
    _taken: int = 0
    _taken_bytes: int = 0
    _reserved: int = 0
    _number: int = 0
    _flight: dict[int, Outgoing] = field(default_factory=dict)

    @property
    def next_number(self) -> int:
        """The number that the next envelope gets."""
        return self._number + 1

    @property
    def is_reserved(self) -> bool:
        """Whether envelopes are being sealed that have not entered yet."""
        return self._reserved > 0

    @property
    def is_waiting(self) -> bool:
        """Whether something was written that is not acknowledged."""
        return bool(self._flight)

    def room(self) -> Room:
        """How much more may be sealed."""
        free = max(0, min(self.limit, self._opened) - self._taken - self._reserved)
        free_bytes = max(0, talk.WINDOW_BYTES - self._taken_bytes)
        return Room(free, free_bytes) if free and free_bytes else Room(0, 0)

    def reserve(self, count: int) -> None:
        """Keeps places for envelopes that are being sealed, until `release`."""
        self._reserved += count

    def release(self, count: int) -> None:
        """Gives back places that were reserved; what was sealed has entered, or enters before anybody waits."""
        self._reserved -= count

    def enter(self, sealed: Sequence[Outgoing]) -> None:
        """Takes places for envelopes that were sealed in a committed transaction."""
        self._taken += len(sealed)
        self._taken_bytes += sum(len(one.envelope) for one in sealed)

    def number(self, outgoing: Outgoing) -> int:
        """The number under which an envelope that has entered is written now, from 1."""
        self._number += 1
        self._flight[self._number] = outgoing
        return self._number

    def in_flight(self, number: int) -> Outgoing | None:
        """The envelope that was written under this number and is not acknowledged."""
        return self._flight.get(number)

    def settle(self, ack: talk.Ack) -> tuple[list[int], list[int]]:
        """Frees places; returns the tickets that were acknowledged, and those that the other end holds.

        Raises: PeerFault for a number that was never written.
        """
        if ack.up_to > self._number:
            raise PeerFault("an acknowledgement of something that was never sent")
        named = frozenset(ack.held)
        acked: list[int] = []
        held: list[int] = []
        for number in list(self._flight):  # numbers ascend, and dicts keep their order
            if number > ack.up_to:
                break
            outgoing = self._flight.pop(number)
            self._taken -= 1
            self._taken_bytes -= len(outgoing.envelope)
            (held if number in named else acked).append(outgoing.seq)
        self._opened = min(talk.WINDOW_ENVELOPES, self._opened + len(acked))
        return acked, held
