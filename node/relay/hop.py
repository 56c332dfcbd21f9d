"""Being a relay: who may be reached through us, circuits between two peers, and what all of it may cost.

    holder ──RESERVE──> relay                    holder: its link stays as long as its reservation
    caller ──CONNECT──> relay ──CONNECT──> holder          two streams, copied into each other

The relay learns two PeerIds, the times and the volume. Source: docs/protocol/relay.md 3. Not here: using a relay
(circuits.py, reservations.py), the messages (messages.py).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import structlog
import trio

from node import delimited
from node.guests import place_of
from node.identify import Offers
from node.network import CIRCUIT, PeerId, Stream, parts_of
from node.relay import circuits, messages
from node.relay.carrier import Carrier, Trunk
from node.relay.messages import HOP, STOP, Answer, Connect, Limits, Reserve, Status
from node.relay.state import Load
from protocol.faults import PeerFault, Unavailable

RESERVATION_S = 3600  # refreshed well before; a link that ends ends it at once
RESERVATIONS_MAX = 64  # each holds one of the 256 inbound links
RESERVATIONS_PER_PLACE_MAX = 8  # from one address: a household
CIRCUITS_PER_HOLDER_MAX = 16  # half of the streams that the holder lets one peer have open
CIRCUITS_PER_PLACE_MAX = 16  # of callers from one address
REQUEST_S = 10.0  # for a request to come
STOP_S = 10.0  # for the holder to take a circuit: a caller waits 15 s
COPY_BYTES = 65_536
DAY_S = 86_400.0
MB = 1_000_000

log = structlog.get_logger("relay")


@dataclass(frozen=True, slots=True)
class Terms:
    """What we give: circuits at a time, how long one lasts, megabytes of one and of a day, both ways together."""

    circuits: int
    minutes: int
    circuit_megabytes: int
    day_megabytes: int

    @property
    def limits(self) -> Limits:
        """As said to both ends of a circuit."""
        return Limits(self.minutes * 60, self.circuit_megabytes * MB)


@dataclass(eq=False, slots=True)
class Held:
    """A reservation. until: trio's time."""

    link: Trunk
    place: str
    until: float


@dataclass(eq=False, slots=True)
class Crossing:
    """A circuit. place: of who asked for it."""

    place: str
    holder: PeerId
    carried_bytes: int = 0
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class Spent(Unavailable):
    """A circuit has carried what it may, or all have."""


class Relay:
    """A relay that is offered or not: `turn` switches it at once."""

    def __init__(self, carrier: Carrier, offers: Offers, now_ms: Callable[[], int], terms: Terms) -> None:
        self.is_on = False
        self._carrier = carrier
        self._offers = offers
        self._now_ms = now_ms
        self._terms = terms
        self._held: dict[PeerId, Held] = {}
        self._crossings: dict[Crossing, None] = {}
        self._day_began = float("-inf")
        self._day_bytes = 0

    def turn(self, is_on: bool, terms: Terms) -> None:
        """Offers the relay from now on, or not; other terms are for circuits that come. Off ends all circuits."""
        self._terms = terms
        if is_on == self.is_on:
            return
        self.is_on = is_on
        if is_on:
            self._offers.offer((HOP,), self.accept)
            return
        self._offers.withdraw((HOP,))
        for held in self._held.values():
            held.link.hold(float("-inf"))
        self._held.clear()
        for crossing in self._crossings:
            crossing.scope.cancel()

    @property
    def load(self) -> Load:
        """How much of it is used."""
        self._forget()
        return Load(
            self.is_on,
            len(self._held),
            RESERVATIONS_MAX,
            len(self._crossings),
            self._terms.circuits,
            self._day_bytes,
            self._terms.day_megabytes * MB,
        )

    async def accept(self, _protocol: str, stream: Stream) -> None:
        """Serves one request. Raises: PeerFault, Unavailable."""
        stream.welcome()
        if stream.is_relayed or stream.remote is None or stream.link is None:
            await self._answer(stream, Status.PERMISSION_DENIED)  # no circuit through two relays
            return
        try:
            with trio.fail_after(REQUEST_S):
                request = messages.decode_request(await circuits.read(stream))
        except trio.TooSlowError as slow:
            raise Unavailable("a peer asked a relay for nothing") from slow
        except PeerFault:
            await self._answer(stream, Status.MALFORMED_MESSAGE)
            return
        place = place_of(str(parts_of(stream.remote)[0]))
        self._forget()
        match request:
            case Reserve():
                await self._reserve(stream, place)
            case Connect(peer):
                await self._connect(stream, place, peer)

    async def _reserve(self, stream: Stream, place: str) -> None:
        others = Counter(held.place for peer, held in self._held.items() if peer != stream.peer)
        if others.total() >= RESERVATIONS_MAX or others[place] >= RESERVATIONS_PER_PLACE_MAX:
            await self._answer(stream, Status.RESERVATION_REFUSED)
            return
        link = cast("Trunk", stream.link)
        before = self._held.get(stream.peer)
        if before is not None:
            before.link.hold(float("-inf"))
        until = trio.current_time() + RESERVATION_S
        self._held[stream.peer] = Held(link, place, until)
        link.hold(until)
        expires_s = self._now_ms() // 1000 + int(RESERVATION_S)
        voucher = messages.seal_voucher(self._carrier.peer, stream.peer, expires_s, self._carrier.sign)
        direct = tuple(one for one in self._carrier.addresses() if CIRCUIT not in one)
        await _say(stream, Answer(Status.OK, self._terms.limits, expires_s, direct, voucher), self._carrier.peer)

    async def _connect(self, stream: Stream, place: str, holder: PeerId) -> None:
        held = self._held.get(holder)
        if held is None:
            await self._answer(stream, Status.NO_RESERVATION)
            return
        if holder == stream.peer:
            await self._answer(stream, Status.PERMISSION_DENIED)
            return
        if self._is_full(place, holder):
            await self._answer(stream, Status.RESOURCE_LIMIT_EXCEEDED)
            return
        crossing = Crossing(place, holder)
        self._crossings[crossing] = None
        try:
            with crossing.scope:
                await self._cross(stream, held.link, crossing)
        finally:
            del self._crossings[crossing]

    def _is_full(self, place: str, holder: PeerId) -> bool:
        there = sum(one.place == place for one in self._crossings)
        towards = sum(one.holder == holder for one in self._crossings)
        return (
            len(self._crossings) >= self._terms.circuits
            or there >= CIRCUITS_PER_PLACE_MAX
            or towards >= CIRCUITS_PER_HOLDER_MAX
            or self._day_bytes >= self._terms.day_megabytes * MB
        )

    async def _cross(self, stream: Stream, link: Trunk, crossing: Crossing) -> None:
        """Runs a circuit to its end, which comes with its time, its volume, or either stream."""
        limits = self._terms.limits
        try:
            with trio.fail_after(STOP_S):
                onward = await _stop(link, Connect(stream.peer, limits))
        except (trio.TooSlowError, PeerFault, Unavailable):
            await self._answer(stream, Status.CONNECTION_FAILED)
            return
        try:
            stream.vouch()  # from here on the limits of the circuit stand, not those of a stranger
            onward.vouch()
            self._carrier.narrow(stream)
            self._carrier.narrow(onward)
            await _say(stream, Answer(Status.OK, limits), self._carrier.peer)
            with trio.move_on_after(limits.duration_s):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._copy, stream, onward, crossing, limits, nursery.cancel_scope)
                    nursery.start_soon(self._copy, onward, stream, crossing, limits, nursery.cancel_scope)
        except* (PeerFault, Unavailable):
            pass  # one of the two is gone, or the limit is reached
        finally:
            with trio.CancelScope(shield=True):  # closing a stream does not wait
                await onward.aclose()
            log.info("circuit ends", bytes=crossing.carried_bytes)

    async def _copy(
        self, source: Stream, onward: Stream, crossing: Crossing, limits: Limits, both: trio.CancelScope
    ) -> None:
        """Moves bytes one way as fast as they are taken; its end ends the other way too. Raises: Unavailable."""
        while data := await source.receive_some(COPY_BYTES):
            self._charge(crossing, len(data), limits)
            await onward.send_all(data)
        both.cancel()

    def _charge(self, crossing: Crossing, count: int, limits: Limits) -> None:
        """Counts what is carried. Raises: Spent."""
        now = trio.current_time()
        if now - self._day_began >= DAY_S:
            self._day_began, self._day_bytes = now, 0
        crossing.carried_bytes += count
        self._day_bytes += count
        if crossing.carried_bytes > limits.circuit_bytes or self._day_bytes > self._terms.day_megabytes * MB:
            raise Spent("a circuit has carried what it may")

    def _forget(self) -> None:
        """Drops reservations whose time or link has ended, and yesterday's volume."""
        now = trio.current_time()
        for peer in [peer for peer, held in self._held.items() if held.link.is_gone or held.until <= now]:
            del self._held[peer]
        if now - self._day_began >= DAY_S:
            self._day_bytes = 0

    async def _answer(self, stream: Stream, status: Status) -> None:
        await _say(stream, Answer(status), self._carrier.peer)


async def _say(stream: Stream, answer: Answer, own: PeerId) -> None:
    try:
        with trio.fail_after(REQUEST_S):
            await delimited.write(stream, messages.encode_answer(answer, own))
    except trio.TooSlowError as slow:
        raise Unavailable("a peer does not take the answer of a relay") from slow


async def _stop(link: Trunk, request: Connect) -> Stream:
    """Returns the stream on which a holder takes a circuit. Raises: Unavailable, PeerFault."""
    stream = await link.open(STOP)
    try:
        await delimited.write(stream, messages.encode_stop(request))
        answer = messages.decode_stop(await circuits.read(stream))
        if not isinstance(answer, Answer) or answer.status != Status.OK:
            raise Unavailable("the other end takes no circuit")
    except BaseException:
        with trio.CancelScope(shield=True):  # closing a stream does not wait
            await stream.aclose()
        raise
    return stream
