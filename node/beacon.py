"""The LAN beacon at work: announces this node to its contacts on the local network, hears theirs, says where they are.

    start, another network ──> 0, 0.3, 1 s ──> every 60 s ± 20 %          who hears an unconnected contact answers once
    heard ──> known id? ──> opens? ──> source listed? fresh? ──> delivery dials; only the channel proof makes `online`

Packets of another kind may go out beside it and are heard on the same sockets (`Beside`: nearby mode). Not here: the
160 bytes (protocol/beacon.py), sockets (datagrams.py), dialling (delivery.py). docs/protocol/beacon.md
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

import structlog
import trio

from node import ground, lan
from node.bell import Bell
from node.delivery import Delivery
from node.ground import Ground
from node.lan import Heard, Interface, Lan, News, Way
from node.network import Address, Network, parts_of
from protocol import beacon, ids
from protocol.beacon import Keys
from protocol.faults import PeerFault, Unavailable
from store import presence
from store.database import Database, Tx

BURST_S = (0.0, 0.3, 0.7)  # pauses before the first three packets: at 0, 0.3 and 1 s; one may be lost
STEADY_S = 60.0
JITTER = 0.2
ANSWER_GAP_S = 1.0  # at most one answer in this time, whoever is new
ANSWER_AGAIN_S = 10.0  # and one to the same device: who starts sends three packets
LEARN_GAP_S = 2.0  # an unknown id makes the ids be computed anew no more often than this: anybody can send one
RETRY_S = 60.0  # a port that another program has is tried again
COPIES_MAX = 512  # nonces of packets that came lately: each comes by multicast and by broadcast
OWN_MAX = 256  # ids and nonces of packets that we sent lately

Open = Callable[[], AbstractAsyncContextManager[Lan]]

log = structlog.get_logger("beacon")


@dataclass(frozen=True, slots=True)
class Known:
    """A device whose beacon can be recognised. offset_s: how far its clock is known to be ahead of ours, or 0."""

    contact: int
    device: int
    keys: Keys
    offset_s: int


@dataclass(slots=True)
class Tally:
    """What happened on one interface: packets the system took, by way; the last fault of each; packets that came."""

    sent: dict[Way, int] = field(default_factory=dict)
    faults: dict[Way, str] = field(default_factory=dict)
    own: int = 0
    others: int = 0


class Beside(Protocol):
    """Whoever sends packets of his own when the beacon does, and hears those that are of no contact."""

    def packet(self, here: Interface) -> bytes | None:
        """Returns the 160 bytes for an interface, None for none there."""

    def hear(self, heard: Heard, here: Interface) -> None:
        """Takes a packet that came over an interface. Raises: PeerFault for what is to be ignored."""


@dataclass
class Beacon:
    """The beacon of a node. `run` works until cancelled; `turn` and `beside` switch it at once."""

    ground: Ground
    network: Network
    database: Database
    device: ids.DeviceId
    delivery: Delivery
    listening: Callable[[], tuple[Address, ...]]
    open: Open
    news: News
    is_on: bool
    heeding: list[Bell] = field(default_factory=list)  # of who else wants to know when the network changes
    fault: str = ""  # why it does not work although it is on
    tallies: dict[str, Tally] = field(default_factory=dict)  # interface -> what happened there
    _beside: Beside | None = None
    _here: dict[str, Interface] = field(default_factory=dict)  # where we listen: what comes over others is not for us
    _table: dict[bytes, Known] = field(default_factory=dict)  # id of these quarter hours -> whose
    _quarter: int = -1
    _learnt_at: float = -LEARN_GAP_S
    _presences: dict[bytes, Keys] = field(default_factory=dict)  # presence key -> what it gives
    _copies: deque[bytes] = field(default_factory=lambda: deque(maxlen=COPIES_MAX))
    _own: deque[bytes] = field(default_factory=lambda: deque(maxlen=OWN_MAX))
    _answered_at: dict[int, float] = field(default_factory=dict)  # device -> when we answered it
    _sent_at: float = -ANSWER_GAP_S
    _is_fresh: bool = False  # another network, or switched on: begin with the burst
    _send: Bell = field(default_factory=Bell)
    _switch: Bell = field(default_factory=Bell)
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def turn(self, is_on: bool) -> None:
        """Switches the beacon on or off. Off means: nothing is sent or heard of contacts; no socket open for them."""
        self.is_on = is_on
        self._switched(is_on)

    def beside(self, other: Beside | None) -> None:
        """From now on sends and hears packets of this other kind too, or, with None, no more."""
        self._beside = other
        self._switched(other is not None)

    def announce(self) -> None:
        """Sends now, but not more often than once a second: somebody came who should know of us."""
        self._send.ring()

    def _switched(self, has_more_to_say: bool) -> None:
        if has_more_to_say:
            self._is_fresh = True
            self._send.ring()
        self._switch.ring()
        if not self._is_wanted:
            self._scope.cancel()

    @property
    def _is_wanted(self) -> bool:
        return self.is_on or self._beside is not None

    async def run(self) -> None:
        """Works until cancelled: on the local network while it is switched on, and on the news of networks always."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_news)
            while True:
                if self._is_wanted:
                    await self._work()
                with trio.move_on_after(RETRY_S if self._is_wanted else float("inf")):
                    await self._switch.wait()

    async def _work(self) -> None:
        """Announces and hears, until switched off or the sockets fail; the reason is kept in `fault`."""
        with trio.CancelScope() as self._scope:
            try:
                async with self.open() as air:
                    self.fault = ""
                    self._is_fresh = True
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._announce, air)
                        await self._hear(air)
            except* Unavailable as faults:
                self.fault = str(faults.exceptions[0])
                log.warning("no beacon", reason=self.fault)

    async def _follow_news(self) -> None:
        while True:
            await self.news.changed()
            log.info("the network changed")
            self._is_fresh = True
            self._send.ring()
            self._switch.ring()  # sockets that could not be opened may be had now
            for bell in self.heeding:
                bell.ring()
            await self.delivery.look_again()

    # --- outwards

    async def _announce(self, air: Lan) -> None:
        pauses = iter(BURST_S)
        while True:
            steady = STEADY_S * (1 - JITTER + 2 * JITTER * ground.jitter(self.ground.entropy("beacon jitter")))
            if self._is_fresh:
                pauses, self._is_fresh = iter(BURST_S), False
            with trio.move_on_after(next(pauses, steady)):
                await self._send.wait()
                if self._is_fresh:
                    continue
                await trio.sleep_until(self._sent_at + ANSWER_GAP_S)
            await self._send_all(air)

    async def _send_all(self, air: Lan) -> None:
        """One packet on each interface on which we can be dialled, with its addresses there."""
        self._sent_at = trio.current_time()
        listening = self.listening()
        if not listening:
            return
        narrowed = [lan.narrowed(whole, listening) for whole in air.interfaces()]
        self._here = {here.name: here for here in narrowed if here.addresses}
        if not self._here:
            return
        _, secret = await self.database.read(presence.own)
        keys = self._keys(secret)
        for here in self._here.values():
            if self.is_on:
                await self._send_one(air, here, self._packet(keys, here, listening))
            if self._beside is not None and (packet := self._beside.packet(here)) is not None:
                self._own.append(packet[: beacon.FRONT_BYTES])
                await self._send_one(air, here, packet)

    async def _send_one(self, air: Lan, here: Interface, packet: bytes) -> None:
        tally = self.tallies.setdefault(here.name, Tally())
        for sent in await air.send(here, packet):
            tally.sent[sent.way] = tally.sent.get(sent.way, 0) + (not sent.fault)
            tally.faults[sent.way] = sent.fault

    def _packet(self, keys: Keys, here: Interface, listening: Sequence[Address]) -> bytes:
        _, port = parts_of(listening[0])
        said = beacon.Announcement(self.ground.now_ms() // 1000, port, self.network.peer, here.addresses)
        packet = beacon.seal(keys, self.device, said, self.ground.entropy("beacon")(24))
        self._own.append(packet[: beacon.FRONT_BYTES])
        return packet

    # --- inwards

    async def _hear(self, air: Lan) -> None:
        while True:
            heard = await air.receive()
            try:
                await self._take(heard)
            except PeerFault:
                continue  # anybody can send anything; what is no beacon of a contact is nothing to us

    async def _take(self, heard: Heard) -> None:
        """Follows a packet to the device that sent it. Raises: PeerFault for what is to be ignored."""
        name = beacon.id_of(heard.packet)
        front = heard.packet[: beacon.FRONT_BYTES]
        tally = self.tallies.setdefault(heard.interface, Tally())
        if front in self._own:
            tally.own += 1
            return
        tally.others += 1
        if front in self._copies or heard.interface not in self._here:
            return
        self._copies.append(front)
        known = await self._whose(name) if self.is_on else None
        if known is None:
            if self._beside is not None:
                self._beside.hear(heard, self._here[heard.interface])
            return
        said = beacon.open_sealed(known.keys, heard.packet)
        if heard.source not in said.addresses:
            return  # somebody plays it from elsewhere
        if not await self._is_in_time(known, said):
            return
        first = [heard.source, *(ip for ip in said.addresses if ip != heard.source)]
        self.delivery.met(known.contact, tuple(lan.dialled_at(ip, said.port, heard.interface) for ip in first))
        if not self.delivery.talks.online(known.contact):
            self._answer(known.device)

    async def _is_in_time(self, known: Known, said: beacon.Announcement) -> bool:
        """Whether the packet is of now; learns how far a clock is off from a device that is connected anyway."""
        now_s = self.ground.now_ms() // 1000
        offset_s = said.time_s - now_s
        is_met = self.delivery.talks.peer_of(known.device) == said.peer
        if is_met and abs(offset_s - known.offset_s) > beacon.CLOCK_S_MAX / 2:
            await self.database.transact(presence.set_offset, known.device, offset_s)
            self._quarter = -1  # the table has the old one
        return beacon.is_fresh(said.time_s, now_s, known.offset_s)

    def _answer(self, device: int) -> None:
        now = trio.current_time()
        if now - self._answered_at.get(device, -ANSWER_AGAIN_S) >= ANSWER_AGAIN_S:
            self._answered_at[device] = now
            self._send.ring()

    async def _whose(self, name: bytes) -> Known | None:
        """The device of an id. The ids are computed anew for each quarter hour, and when an unknown one may be new."""
        here = beacon.quarter(self.ground.now_ms() // 1000)
        is_due = here != self._quarter
        if not is_due and name not in self._table:
            is_due = trio.current_time() - self._learnt_at >= LEARN_GAP_S
        if is_due:
            self._learnt_at, self._quarter = trio.current_time(), here
            self._table = await self.database.transact(self._learn, here)
        return self._table.get(name)

    def _learn(self, tx: Tx, here: int) -> dict[bytes, Known]:
        found: dict[bytes, Known] = {}
        for contact, device, key, secret, offset_s in presence.recognisable(tx):
            known = Known(contact, device, self._keys(secret), offset_s)
            for quarter in (here, here - 1, here + 1):
                found[beacon.beacon_id(known.keys, key, quarter)] = known
        return found

    def _keys(self, secret: bytes) -> Keys:
        """What a presence key gives, computed once."""
        if secret not in self._presences:
            self._presences[secret] = beacon.keys_of(secret)
        return self._presences[secret]
