"""Being reached through relays: reservations at one or two of them, and the circuits that they bring.

    found ──RESERVE──> held ──refresh at half of its time──> held ──link lost, refused──> gone, looked for again

Source: docs/protocol/relay.md 4. Not here: who may be a relay (scouting.py), whether one is needed (reachability.py),
dialling through relays (circuits.py).
"""

from collections.abc import Callable, Sequence

import structlog
import trio

from node import delimited
from node.bell import Bell
from node.network import CIRCUIT, Address, Circuit, PeerId, Stream, circuit_text, parts_of
from node.relay import circuits, messages
from node.relay.carrier import Carrier, Trunk
from node.relay.messages import HOP, STOP, Answer, Connect, Reserve, Status
from node.relay.state import Reserved
from protocol.faults import Unavailable

WANTED = 2  # relays at a time: one may go at any moment
REFRESH_S_MIN, REFRESH_S_MAX = 60.0, 150.0  # a relay's clock may be wrong, its answer a lie, and its link dead
REQUEST_S = 10.0  # for a relay to say who calls

log = structlog.get_logger("relay")


class Reservations:
    """The reservations of this node. `hold` keeps one as long as it lasts."""

    def __init__(self, carrier: Carrier, now_ms: Callable[[], int]) -> None:
        self.changed = Bell()  # where we are reached is another than before
        self._carrier = carrier
        self._now_ms = now_ms
        self._held: dict[PeerId, Reserved] = {}
        self._ways: dict[PeerId, tuple[Address, ...]] = {}  # where each relay is dialled

    @property
    def held(self) -> tuple[Reserved, ...]:
        """Where we are reached through relays, the oldest first."""
        return tuple(self._held.values())

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Our addresses there: each relay at the best of its own first."""
        ways = [(peer, way) for peer, ways in self._ways.items() for way in ways]
        ways.sort(key=lambda one: self._ways[one[0]].index(one[1]))
        return tuple(circuit_text(Circuit(way, peer, self._carrier.peer)) for peer, way in ways)

    async def hold(self, relay: Address, peer: PeerId) -> None:
        """Reserves at a relay and stays until it ends. Raises: Unavailable, PeerFault (always, at last)."""
        async with self._carrier.trunks.borrowed(relay, peer) as trunk:
            try:
                while True:
                    answer = await _reserve(trunk)
                    self._keep(peer, relay, answer)
                    left_s = (answer.expires_s - self._now_ms() / 1000) / 2
                    with trio.move_on_after(min(max(left_s, REFRESH_S_MIN), REFRESH_S_MAX)):
                        await trunk.closed()
                        raise Unavailable("the link to the relay is gone")
            finally:
                self._drop(peer)

    async def accept(self, _protocol: str, stream: Stream) -> None:
        """Takes a circuit that a relay brings, and serves it to its end. Raises: PeerFault, Unavailable."""
        ways = self._ways.get(stream.peer)
        if ways is None or stream.is_relayed:
            await _say(stream, Status.PERMISSION_DENIED)
            return
        try:
            with trio.fail_after(REQUEST_S):
                request = messages.decode_stop(await circuits.read(stream))
        except trio.TooSlowError as slow:
            raise Unavailable("a relay does not say who calls") from slow
        if not isinstance(request, Connect):
            await _say(stream, Status.UNEXPECTED_MESSAGE)
            return
        await _say(stream, Status.OK)
        stream.vouch()  # what the caller may cost before his proof is bounded on his own link
        self._carrier.narrow(stream)
        await self._carrier.host_through(stream, ways[0])  # who calls, his Noise proves; what the relay says does not

    def _keep(self, peer: PeerId, relay: Address, answer: Answer) -> None:
        is_new = peer not in self._held
        if is_new and not self._held:
            self._carrier.serve((STOP,), self.accept)
        self._ways[peer] = ways_to(relay, answer.addresses)
        until_s = min(answer.expires_s, self._now_ms() // 1000 + 86_400)
        own = circuit_text(Circuit(self._ways[peer][0], peer, self._carrier.peer))
        self._held[peer] = Reserved(peer, own, until_s)
        if is_new:
            log.info("reached through a relay")
            self.changed.ring()

    def _drop(self, peer: PeerId) -> None:
        if self._held.pop(peer, None) is None:
            return
        del self._ways[peer]
        if not self._held:
            self._carrier.unserve((STOP,))
        log.info("no longer reached through a relay")
        self.changed.ring()


def ways_to(dialled: Address, told: Sequence[Address]) -> tuple[Address, ...]:
    """Where others dial a relay that we dial at one address and that tells its own: at most 2, the more public first.

    Where we got through stands; what it tells comes before only if that is public and ours is not.
    """
    direct = [one for one in told if CIRCUIT not in one and is_public(one)]
    if is_public(dialled) or not direct:
        return (dialled,)
    return (direct[0], dialled)


def is_public(address: Address) -> bool:
    """Whether a direct address is one of the whole network."""
    ip = parts_of(address)[0]
    return ip.is_global and not ip.is_multicast


async def _reserve(trunk: Trunk) -> Answer:
    stream = await trunk.open(HOP)
    try:
        answer = await circuits.ask(stream, Reserve())
    finally:
        with trio.CancelScope(shield=True):  # closing a stream does not wait
            await stream.aclose()
    if answer.status != Status.OK:
        raise Unavailable(messages.reason(answer.status))
    return answer


async def _say(stream: Stream, status: Status) -> None:
    try:
        with trio.fail_after(REQUEST_S):
            await delimited.write(stream, messages.encode_stop(Answer(status)))
    except trio.TooSlowError as slow:
        raise Unavailable("a relay does not take our answer") from slow
