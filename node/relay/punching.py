"""Hole punching (libp2p's DCUtR): a talk through a relay becomes a direct one, where the networks between allow it.

    caller A ═══ relay ═══ holder B      B, who was dialled, begins; both dial at once, port to port; A begins Noise
    A <──CONNECT, addresses── B
    A ──CONNECT, addresses──> B          time of the round trip: rtt
    A <──SYNC──────────────── B          A dials now, B after rtt / 2; up to three times

Only between contacts, after the channel proof: no stranger learns our addresses or makes us dial. Source:
docs/protocol/relay.md 5. Not here: sockets (node/sockets.py), which talk stays (node/delivery.py).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_network

import structlog
import trio

from crypto.faults import Malformed
from node import delimited, dialler, sockets
from node.delivery import Delivery
from node.network import Address, Link, PeerId, Stream, circuit_of, parts_of
from node.relay import circuits, messages
from node.relay.carrier import Carrier
from node.relay.messages import DCUTR, Meeting, Now
from node.relay.state import Punches
from protocol.faults import PeerFault, Unavailable

ATTEMPTS_MAX = 3  # as the specification says
ATTEMPT_S = 4.0  # for one: two repetitions of a lost SYN
AGAIN_S = 0.3  # between two dials of one attempt, where the first was refused
SETTLE_S = 1.0  # what waits goes through the relay first
MESSAGE_S = 10.0  # for a message through the relay
DIRECT_S = 3.0  # for a plain dial to a public address, before anything is punched
ADDRESSES_MAX = 8
RTT_S_MAX = 5.0  # a slower relay is no clock
SESSIONS_MAX = 8  # at once
REASONS_MAX = 5000  # as many as contacts

REFUSED = "his or our network answers unsolicited packets with a refusal (RST)"
SILENT = "no answer: his or our network lets nothing in, or gives another port to each peer"
NOWHERE = "neither network told an address that the other may dial"
UNSPOKEN = "his node does not punch holes"

log = structlog.get_logger("relay")


class Punching:
    """Better ways for talks through relays. `run` works until cancelled; `accept` serves /libp2p/dcutr."""

    def __init__(
        self, carrier: Carrier, delivery: Delivery, own: Callable[[Stream], Awaitable[Sequence[Address]]]
    ) -> None:
        """own: our addresses for who is at the other end of a stream: where we listen, where others see our port."""
        self.is_on = True
        self.reasons: dict[int, str] = {}  # contact -> why there is no direct way, for a person
        self._carrier = carrier
        self._delivery = delivery
        self._own = own
        self._counts: Counter[bool] = Counter()
        self._last = ""
        self._limit = trio.CapacityLimiter(SESSIONS_MAX)
        self._found, self._links = trio.open_memory_channel[tuple[int, Link]](0)

    @property
    def punches(self) -> Punches:
        """How it went since the start."""
        return Punches(self._counts[True], self._counts[False], self._last)

    async def run(self) -> None:
        """Looks for a direct way for each proven talk that came through a relay, until cancelled."""
        self._carrier.serve((DCUTR,), self.accept)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._join_found)
            async for contact_id, stream in self._delivery.through_relays:
                if self.is_on:
                    nursery.start_soon(self._improve, contact_id, stream)

    async def accept(self, _protocol: str, stream: Stream) -> None:
        """Serves the caller's side of hole punching. Raises: PeerFault, Unavailable."""
        contact_id = self._delivery.talks.relayed_with(stream.peer) if stream.is_relayed and self.is_on else None
        if contact_id is None or self._limit.available_tokens < 1:
            raise PeerFault("hole punching is for contacts who talk with us through a relay")
        why = ""
        async with self._limit:
            for attempt in range(ATTEMPTS_MAX):
                try:
                    link, why = await self._follow(stream)
                except (PeerFault, Unavailable):
                    if not attempt:
                        raise
                    break  # he has what he wanted, or gave up
                if link is not None:
                    await self._found.send((contact_id, link))
                    return
        if not self._is_direct(contact_id):
            self._note(contact_id, why)

    async def _follow(self, stream: Stream) -> tuple[Link | None, str]:
        """One attempt of the caller's side."""
        theirs = await _hear(stream)
        if not isinstance(theirs, Meeting):
            raise Malformed("hole punching begins with addresses")
        mine = await self._own(stream)
        await _say(stream, Meeting(tuple(mine)))
        if not isinstance(await _hear(stream), Now):
            raise Malformed("hole punching goes on with a sign to dial")
        wanted = allowed(theirs.addresses, mine)
        with self._carrier.awaiting(wanted, stream.peer) as awaited:
            link, why = await self._race(wanted, stream.peer, self._carrier.meet_first, awaited.came)
            return link or awaited.link, why

    async def _improve(self, contact_id: int, stream: Stream) -> None:
        """The holder's side: a plain dial where that may do, then up to three attempts."""
        await trio.sleep(SETTLE_S)
        try:
            async with self._limit:
                link = await self._dial_plainly(contact_id, stream)
                if link is not None:
                    await self._found.send((contact_id, link))
                else:
                    await self._punch(contact_id, stream)
        except* (PeerFault, Unavailable, trio.TooSlowError):
            if not self._is_direct(contact_id):
                self._note(contact_id, UNSPOKEN)

    async def _join_found(self) -> None:
        """Begins a talk on each link that was found; it ends the one through the relay."""
        async with trio.open_nursery() as nursery:
            async for contact_id, link in self._links:
                self._note(contact_id, "")
                nursery.start_soon(self._delivery.join, contact_id, link)

    async def _dial_plainly(self, contact_id: int, stream: Stream) -> Link | None:
        """A link to an address of the whole network that he told, None without one."""
        with trio.move_on_after(DIRECT_S):
            try:
                public = allowed(self._delivery.talks.addresses_of(contact_id), ())
                return await dialler.dial(self._carrier, public, stream.peer)
            except (PeerFault, Unavailable):
                return None
        return None

    async def _punch(self, contact_id: int, talk: Stream) -> None:
        assert talk.link is not None
        with trio.fail_after(MESSAGE_S):
            stream = await talk.link.open(DCUTR)
        try:
            for _ in range(ATTEMPTS_MAX):
                why = await self._lead(stream)
                if not why or self._is_direct(contact_id):
                    self._note(contact_id, "")
                    return  # the caller begins a talk on it
            self._note(contact_id, why)
        finally:
            with trio.CancelScope(shield=True):  # closing a stream does not wait
                await stream.aclose()

    async def _lead(self, stream: Stream) -> str:
        """One attempt of the holder's side. Returns "" when a link stands, else why none does."""
        mine = await self._own(stream)
        began = trio.current_time()
        await _say(stream, Meeting(tuple(mine)))
        theirs = await _hear(stream)
        rtt_s = min(trio.current_time() - began, RTT_S_MAX)
        if not isinstance(theirs, Meeting):
            raise Malformed("hole punching is answered with addresses")
        await _say(stream, Now())
        await trio.sleep(rtt_s / 2)
        _, why = await self._race(allowed(theirs.addresses, mine), stream.peer, self._carrier.meet_second)
        return why

    async def _race(
        self,
        wanted: Sequence[Address],
        peer: PeerId,
        meet: Callable[[Address, PeerId], Awaitable[Link]],
        came: trio.Event | None = None,
    ) -> tuple[Link | None, str]:
        """The first link to stand of one attempt, else why none did. came: he got through to our port first."""
        if not wanted:
            return None, NOWHERE
        links: list[Link] = []
        faults: list[Unavailable] = []

        async def dial(address: Address) -> None:
            while True:
                try:
                    links.append(await meet(address, peer))
                except PeerFault as fault:
                    faults.append(Unavailable(str(fault)))
                except Unavailable as fault:
                    faults.append(fault)
                else:
                    nursery.cancel_scope.cancel()
                    return
                await trio.sleep(AGAIN_S)

        with trio.move_on_after(ATTEMPT_S):
            async with trio.open_nursery() as nursery:
                for address in wanted:
                    nursery.start_soon(dial, address)
                if came is not None:
                    await came.wait()
                    nursery.cancel_scope.cancel()
        for late in links[1:]:
            await late.aclose()
        if links:
            return links[0], ""
        return None, REFUSED if any(isinstance(fault, sockets.Refused) for fault in faults) else SILENT

    def _is_direct(self, contact_id: int) -> bool:
        return self._delivery.talks.path(contact_id) == "direct"

    def _note(self, contact_id: int, why: str) -> None:
        self._counts[not why] += 1
        self._last = why
        self.reasons.pop(contact_id, None)
        if why:
            self.reasons[contact_id] = why
        while len(self.reasons) > REASONS_MAX:
            del self.reasons[next(iter(self.reasons))]
        log.info("hole punching", contact=contact_id, outcome=why or "direct")


def allowed(theirs: Sequence[Address], own: Sequence[Address]) -> tuple[Address, ...]:
    """Which of a contact's addresses we dial: those of the whole network or of one in which we are, at most 8."""
    nets = [ip_network((ip, 24 if ip.version == 4 else 64), strict=False) for ip, _ in map(parts_of, _direct(own))]
    found = []
    for address in _direct(theirs):
        ip = parts_of(address)[0]
        near = any(ip.version == net.version and ip in net for net in nets)
        if near or (ip.is_global and not ip.is_multicast):
            found.append(address)
    return tuple(dict.fromkeys(found))[:ADDRESSES_MAX]


def _direct(addresses: Sequence[Address]) -> list[Address]:
    """Those that are no circuits. Raises: Malformed for what is no address."""
    return [address for address in addresses if circuit_of(address) is None]


async def _say(stream: Stream, message: Meeting | Now) -> None:
    with trio.move_on_after(MESSAGE_S):
        await delimited.write(stream, messages.encode_punch(message))
        return
    raise Unavailable("the other end takes no message")


async def _hear(stream: Stream) -> Meeting | Now:
    with trio.move_on_after(MESSAGE_S):
        return messages.decode_punch(await circuits.read(stream), stream.peer)
    raise Unavailable("the other end says nothing")
