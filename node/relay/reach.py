"""How a node is reached, all of it: the relay it offers, those it uses, what it knows of its NAT, better ways found.

Source: docs/protocol/relay.md. Not here: each of these (the other files of this folder).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
import trio

from node import ground, supervisor
from node.bell import Bell
from node.config import Value
from node.delivery import Delivery
from node.ground import Ground
from node.identify import Offers
from node.introductions import Introductions
from node.network import CIRCUIT, Address, Circuit, PeerId, Stream, circuit_of, parts_of
from node.relay import reachability
from node.relay.carrier import Carrier, Trunk
from node.relay.dialback import DIALBACK, Dialback
from node.relay.hop import Relay, Terms
from node.relay.punching import Punching
from node.relay.reachability import Sightings
from node.relay.reservations import WANTED, Reservations, is_public
from node.relay.scouting import Candidate, Scout
from node.relay.state import Reach, Reachability
from protocol.faults import PeerFault, Unavailable
from store import devices, people
from store.database import Database, Tx

FIRST_S = 2.0  # after the start: contacts are dialled first
ROUND_S = 1800.0  # between two rounds of questions when all is well
MISSING_S_MIN, MISSING_S_MAX = 2.0, 60.0  # while a relay is missing, as soon as somebody is due
AGAIN_S_MIN, AGAIN_S_MAX = 5.0, 3600.0  # before a peer that failed is asked again: doubled each time
NAMED_S = 10.0  # before a relay that was named by its address alone is asked again who it is
REFUSED_S = 300.0  # before a relay that had no room is asked again
SERVED_S = 10.0  # a relay that was of use for so long was lost, and is dialled again soon
ROUND_PEERS_MAX = 8  # asked in one round
ASKED_AT_ONCE = 4
LATELY_MAX = 4  # relays that were of use are asked again, also when nobody names them any more
PEERS_REMEMBERED_MAX = 256  # with when they are to be asked again
LOOK_S = 3.0  # for our relay to say where it sees our port, before a hole is punched

log = structlog.get_logger("relay")


@dataclass(slots=True)
class Patience:
    """When a peer is asked again, and how long after the next failure."""

    due: float
    pause_s: float = AGAIN_S_MIN


class Reachable:
    """How this node is reached. `run` works until cancelled; `turn` takes other settings at once."""

    def __init__(
        self,
        ground: Ground,
        carrier: Carrier,
        database: Database,
        delivery: Delivery,
        values: Mapping[str, Value],
        offers: Offers,
        peers: Callable[[], Sequence[Candidate]] = tuple,
    ) -> None:
        """peers: of the DHT, asked each time."""
        self.moved = Bell()  # our addresses have changed: for who publishes them
        self.network_changed = Bell()  # rung from outside
        self._ground = ground
        self._carrier = carrier
        self._database = database
        self._offers = offers
        self._peers = peers
        self._values = values
        self._introductions = Introductions(carrier)
        self._sightings = Sightings()
        self._patience: dict[PeerId, Patience] = {}
        self._lately: dict[PeerId, Candidate] = {}  # relays that were of use and were lost, the longest ago first
        self._used: dict[PeerId, trio.CancelScope] = {}  # relays at which we have a reservation, or ask for one
        self._next_due = float("-inf")  # when the first of them is to be asked again
        self._named_all = True  # relays that were named by their address alone said who they are
        self._due = Bell()  # a round of questions is due
        dialback = Dialback(carrier, ground.entropy("dialback"), lambda: DIALBACK in offers.protocols)
        self._dialback = dialback
        self._scout = Scout(carrier, self._sightings, dialback)
        self.relay = Relay(carrier, offers, ground.now_ms, terms_of(values))
        self.reservations = Reservations(carrier, ground.now_ms)
        self.punching = Punching(carrier, delivery, self._own)

    @property
    def reachability(self) -> Reachability:
        """What is known now."""
        return reachability.judge(self._sightings.said, self._direct())

    @property
    def offered(self) -> tuple[str, ...]:
        """What others put into their relay.addresses to use our relay; none while none is offered."""
        return self._direct() if self.relay.is_on else ()

    def turn(self, values: Mapping[str, Value]) -> None:
        """Takes other settings."""
        self._values = values
        self.punching.is_on = values["relay.punch"] is True
        is_on = values["relay.offer"] is True
        was_on = self.relay.is_on
        self.relay.turn(is_on, terms_of(values))
        if is_on and not was_on:
            self._offers.offer((DIALBACK,), self._dialback.accept)
        elif was_on and not is_on:
            self._offers.withdraw((DIALBACK,))
        if is_on or values["relay.use"] is not True:
            for scope in self._used.values():
                scope.cancel()
        self._patience.clear()  # a person may have mended what stood in the way
        self._due.ring()

    async def run(self) -> None:
        """Works until cancelled."""
        self.turn(self._values)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.supervise, "hole punching", self.punching.run)
            nursery.start_soon(self._announce)
            nursery.start_soon(self._heed_network)
            await self._scout_for_ever(nursery)

    async def _announce(self) -> None:
        while True:
            await self.reservations.changed.wait()
            self._publish()
            self._due.ring()  # one was lost, perhaps

    async def _heed_network(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                await self.network_changed.wait()
                self._sightings.clear()
                self._patience.clear()
                for trunk in self._carrier.trunks.doubt():
                    nursery.start_soon(self._try, trunk)
                self._publish()
                self._due.ring()

    async def _try(self, trunk: Trunk) -> None:
        """Ends a link to a relay that does not answer: its cable may be gone, which TCP notices after 15 s."""
        try:
            with trio.fail_after(LOOK_S):
                await self._scout.look(trunk)
        except (PeerFault, Unavailable, trio.TooSlowError):
            await trunk.aclose()

    def _publish(self) -> None:
        """Says where we are reached: at which public address, through which relays."""
        public = self.reachability.public
        own = self._direct()
        found = () if public is None or public in own else (public,)
        if self._carrier.announce((*found, *self.reservations.addresses)):
            log.info("addresses changed", relays=len(self.reservations.held), public=public is not None)
            self.moved.ring()

    # --- looking for relays and witnesses

    async def _scout_for_ever(self, nursery: trio.Nursery) -> None:
        await trio.sleep(FIRST_S * (1 + ground.jitter(self._ground.entropy("relay jitter"))))
        while True:
            await self._round(nursery)
            self._publish()
            with trio.move_on_after(self._pause_s()):
                await self._due.wait()
            await trio.sleep(MISSING_S_MIN)

    def _pause_s(self) -> float:
        """How long nobody needs to be asked."""
        if not self._wants_relays() or len(self.reservations.held) >= WANTED:
            return ROUND_S
        return min(max(self._next_due - trio.current_time(), 0.0), MISSING_S_MAX)

    async def _round(self, nursery: trio.Nursery) -> None:
        """Asks whoever is due, a few at a time."""
        limit = trio.CapacityLimiter(ASKED_AT_ONCE)
        now = trio.current_time()
        candidates = await self._candidates()
        due = [one for one in candidates if self._patience_with(one.peer).due <= now]
        async with trio.open_nursery() as asking:
            for candidate in due[:ROUND_PEERS_MAX]:
                asking.start_soon(self._examine, candidate, limit, nursery)
        self._next_due = min((self._patience_with(one.peer).due for one in candidates), default=float("inf"))
        if not self._named_all:
            self._next_due = min(self._next_due, trio.current_time() + NAMED_S)

    async def _examine(self, candidate: Candidate, limit: trio.CapacityLimiter, nursery: trio.Nursery) -> None:
        patience = self._patience_with(candidate.peer)
        async with limit:
            try:
                is_relay = await self._scout.examine(candidate, self._port())
            except (PeerFault, Unavailable):
                self._wait_longer(patience)
                return
        patience.due, patience.pause_s = trio.current_time() + ROUND_S, AGAIN_S_MIN
        if is_relay:
            nursery.start_soon(self._use, candidate)

    async def _use(self, relay: Candidate) -> None:
        """Is reached through a relay as long as that lasts, if one is wanted still."""
        if relay.peer in self._used or len(self._used) >= WANTED or not self._wants_relays():
            return
        scope = self._used[relay.peer] = trio.CancelScope()
        patience = self._patience_with(relay.peer)
        began = trio.current_time()
        try:
            with scope:
                await self.reservations.hold(relay.address, relay.peer)
        except (PeerFault, Unavailable) as fault:
            log.info("no relay", reason=str(fault))
            if trio.current_time() - began < SERVED_S:
                patience.pause_s = max(patience.pause_s, REFUSED_S)
            else:
                self._remember(relay)
            self._wait_longer(patience)
            self._due.ring()
        finally:
            del self._used[relay.peer]
            if scope.cancelled_caught:  # by the settings, which may be other ones again already
                self._patience.pop(relay.peer, None)
                self._due.ring()

    def _wants_relays(self) -> bool:
        """Whether we are to be reached through relays: not where others dial us, nor where we are one."""
        if self._values["relay.use"] is not True or self.relay.is_on:
            return False
        known = self.reachability
        if known.reach is Reach.PUBLIC:
            return False
        return (
            known.reach is Reach.BEHIND_NAT
            or bool(self._values["relay.addresses"])
            or not any(map(is_public, self._direct()))
        )

    async def _candidates(self) -> list[Candidate]:
        """Relays that were named, those of lately, contacts, peers of the DHT, in this order; each peer once."""
        others = (*self._lately.values(), *await self._database.transact(_contacts), *self._peers())
        introduced = await self._introductions.of(str(self._values["relay.addresses"]))
        self._named_all = introduced.are_all
        direct = (one for one in others if CIRCUIT not in one.address and _is_public(one.address))
        found = [*(Candidate(*one) for one in introduced.peers), *direct]
        unique = {one.peer: one for one in reversed(found) if one.peer != self._carrier.peer}
        return [*reversed(unique.values())]

    def _remember(self, relay: Candidate) -> None:
        """Keeps a relay that was lost: the DHT forgets a peer that does not answer, and this one may be back soon."""
        self._lately.pop(relay.peer, None)
        self._lately[relay.peer] = relay
        if len(self._lately) > LATELY_MAX:
            del self._lately[next(iter(self._lately))]

    def _patience_with(self, peer: PeerId) -> Patience:
        patience = self._patience.setdefault(peer, Patience(float("-inf")))
        while len(self._patience) > PEERS_REMEMBERED_MAX:
            del self._patience[next(iter(self._patience))]
        return patience

    def _wait_longer(self, patience: Patience) -> None:
        patience.due = trio.current_time() + patience.pause_s
        patience.pause_s = min(patience.pause_s * 2, AGAIN_S_MAX)

    # --- our own addresses

    def _direct(self) -> tuple[Address, ...]:
        """Where we listen."""
        public = self._carrier.addresses()
        return tuple(one for one in public if CIRCUIT not in one and one not in self._carrier.announced)

    def _port(self) -> int:
        return next((parts_of(one)[1] for one in self._direct()), 0)

    async def _own(self, stream: Stream) -> tuple[Address, ...]:
        """Where one who talks with us through a relay may dial us: where that relay sees our port, where we listen."""
        circuit = None if stream.link is None else circuit_of(stream.link.address)
        seen = None if circuit is None else await self._seen_by(circuit)
        seen = seen or self._sightings.newest_port()
        return tuple(dict.fromkeys((*(() if seen is None else (seen,)), *self._direct())))

    async def _seen_by(self, circuit: Circuit) -> Address | None:
        with trio.move_on_after(LOOK_S):
            try:
                async with self._carrier.trunks.borrowed(circuit.relay, circuit.relay_peer) as trunk:
                    return await self._scout.look(trunk) if trunk.is_from_port else None
            except (PeerFault, Unavailable):
                return None
        return None


def terms_of(values: Mapping[str, Value]) -> Terms:
    """What the settings let our relay give."""
    return Terms(
        circuits=int(values["relay.circuits"]),
        minutes=int(values["relay.minutes"]),
        circuit_megabytes=int(values["relay.circuit_megabytes"]),
        day_megabytes=int(values["relay.day_megabytes"]),
    )


def _contacts(tx: Tx) -> list[Candidate]:
    """Where contacts were last, each with the PeerId that they had."""
    return [
        Candidate(Address(address), PeerId(device.peer))
        for contact in people.contacts(tx)
        for device in devices.devices_of(tx, contact.id)
        for address in device.addresses
        if device.peer and not device.revoked
    ]


def _is_public(address: Address) -> bool:
    try:
        return is_public(address)
    except PeerFault:
        return False  # a contact said it, and it is none
