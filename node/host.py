"""The Network over libp2p: TCP, Noise, Yamux, one PeerId (docs/protocol/frames.md; libp2p's insides are in guards.py).

What others learn from the port: whoever connects sees our PeerId, at most for the seven days it lives, and that we
speak Noise and Yamux. There is no identify: no list of addresses, protocols or versions leaves this host. A stream is
only opened for a protocol that is served here, so a scanner can ask for one by its name and learn whether it is.

Reads and writes of a Stream go straight to yamux.py, not through libp2p. Not here: framing (frames.py), trying several
addresses (dialler.py), whose inbound links stay (guests.py), limits per contact (node/delivery).
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any, cast

import trio
from libp2p.abc import IRawConnection
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig
from libp2p.network.swarm import Swarm
from libp2p.peer.peerstore import PeerStore
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr
from multiaddr.utils import get_network_addrs

from node import guards, sockets
from node.guests import SILENT_S, STRANGER_S, WELCOME_S, Guest, Guests, place_of
from node.links import NEGOTIATION_S, Awaited, HostLink
from node.network import (
    STREAMS_INBOUND_MAX,
    Accept,
    Address,
    Circuit,
    Network,
    PeerId,
    Stream,
    address_of,
    circuit_of,
    circuit_text,
    parts_of,
    peer_text,
)
from node.relay import circuits
from node.relay.carrier import Trunk
from node.relay.circuits import Trunks
from node.streams import WINDOW_BYTES, MuxStream
from node.yamux import Session
from protocol.faults import PeerFault, Unavailable

LINKS_MAX = 512  # in both directions; a link costs about 0.1 MB of memory
LINKS_PER_PEER_MAX = 32
CLOSING_S = 2.0  # for saying goodbye on all links at the end
ADDRESSES_MAX = 8  # that are announced: what a hello holds


@asynccontextmanager
async def open_host(seed: bytes) -> AsyncIterator[Network]:
    """Yields a Network with the PeerId of this transport key (seed: 32 bytes). At the end all links are closed.

    Cancelling the body (Ctrl-C, SIGTERM) ends it at once; no exception of a stream or a peer does.
    """
    guards.quiet()
    upgrader = guards.Upgrader(seed)
    store = PeerStore()
    store.add_key_pair(upgrader.own, upgrader.keys)
    config = ConnectionConfig(
        max_connections=LINKS_MAX,
        min_connections=0,  # no dials of the Swarm's own
        low_watermark=0,
        high_watermark=LINKS_MAX,  # no pruning by the Swarm
        max_connections_per_peer=LINKS_PER_PEER_MAX,
        inbound_upgrade_timeout=guards.HANDSHAKE_S,
        outbound_upgrade_timeout=guards.HANDSHAKE_S,
    )
    swarm = Swarm(upgrader.own, store, cast("Any", upgrader), [], connection_config=config)
    async with background_trio_service(swarm), trio.open_nursery() as nursery:
        host = Host(swarm, upgrader, nursery)
        try:
            yield host
        finally:
            nursery.cancel_scope.cancel()
            await host.aclose()


class Host:
    """One libp2p host: implements node.network.Network. Made by open_host."""

    def __init__(self, swarm: Swarm, upgrader: guards.Upgrader, nursery: trio.Nursery) -> None:
        self.peer = guards.peer_of(upgrader.own)
        self._swarm = swarm
        self._upgrader = upgrader
        self._nursery = nursery
        self._accepts: dict[str, Accept] = {}
        self._served = Multiselect()
        self._listening: list[tuple[str, int]] = []
        self.announced: tuple[Address, ...] = ()
        self._awaited: dict[Address, Awaited] = {}
        self.trunks = Trunks(self.dial_from_port)
        self._sessions: dict[Session, None] = {}  # of every link that lives
        self._guests = Guests()
        self._streams: Counter[PeerId] = Counter()  # streams a peer holds open towards us
        swarm.set_stream_handler(cast("Any", self._stream))

    def serve(self, protocols: Sequence[str], accept: Accept) -> None:
        """From now on hands streams of these protocols to `accept`."""
        for protocol in protocols:
            self._accepts[protocol] = accept
            self._served.add_handler(TProtocol(protocol), None)

    def unserve(self, protocols: Sequence[str]) -> None:
        """From now on refuses streams of these protocols."""
        for protocol in protocols:
            self._accepts.pop(protocol, None)
            self._served.handlers.pop(TProtocol(protocol), None)

    async def listen(self, addresses: Sequence[Address]) -> tuple[Address, ...]:
        """Returns the bound addresses. A port that another program has is not shared with it. Raises: Unavailable."""
        bound: list[Address] = []
        for address in addresses:
            ip, port = parts_of(address)
            try:
                listeners = await sockets.listen(ip, port)
            except OSError:
                continue
            port = listeners[0].socket.getsockname()[1]
            self._listening.append((str(ip), port))
            bound.append(address_of(ip, port))
            self._nursery.start_soon(trio.serve_listeners, self._inbound_link, listeners)
        if not bound:
            raise Unavailable("not one of the addresses can be listened on")
        return tuple(bound)

    async def dial(self, address: Address, expected: PeerId | None) -> HostLink:
        """Returns a new link to the peer at `address`; it takes as long as the caller lets it. Raises: Unavailable."""
        circuit = circuit_of(address)
        if circuit is not None:
            return await self._dial_through(circuit, expected)
        ip, port = parts_of(address)
        try:
            stream = await trio.open_tcp_stream(str(ip), port)
        except OSError as error:
            raise Unavailable("nobody answers there") from error
        return await self._begin(stream, address, expected)

    async def dial_from_port(self, address: Address, expected: PeerId | None) -> HostLink:
        """As dial(), from the port on which we listen where that is possible: the peer sees where we can be dialled."""
        ip, port = parts_of(address)
        try:
            stream = await sockets.dial_from(ip, port, self._listening)
        except sockets.Refused:
            raise
        except Unavailable:  # no port of ours, or a link between these two ports already
            return await self.dial(address, expected)
        link = await self._begin(stream, address, expected)
        link.is_from_port = True
        return link

    async def meet_first(self, address: Address, peer: PeerId) -> HostLink:
        """Returns a link to a peer who dials us at the same moment and waits for us to begin, port to port.

        Raises: Refused, Unavailable.
        """
        ip, port = parts_of(address)
        return await self._begin(await sockets.dial_from(ip, port, self._listening), address, peer)

    async def meet_second(self, address: Address, peer: PeerId) -> HostLink:
        """Returns a link to a peer who dials us at the same moment and begins: in all else an inbound link.

        Raises: Refused, Unavailable.
        """
        ip, port = parts_of(address)
        stream = await sockets.dial_from(ip, port, self._listening)
        try:
            session = await self._respond(guards.raw_connection(stream, is_initiator=False))
            if session.peer != peer:
                raise Unavailable("another peer answers there")
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        self._nursery.start_soon(self._watch, session, str(ip))
        return HostLink(session, address)

    @contextmanager
    def awaiting(self, addresses: Sequence[Address], peer: PeerId) -> Iterator[Awaited]:
        """Expects, for the block, a peer who waits for us to be the initiator also when he gets through to our port."""
        awaited = Awaited(peer)
        self._awaited |= dict.fromkeys(addresses, awaited)
        try:
            yield awaited
        finally:
            for address in addresses:
                self._awaited.pop(address, None)

    def addresses(self) -> tuple[Address, ...]:
        """Returns where others can dial us now, 8 with what was announced; loopback only when there is nothing else."""
        found: dict[Address, None] = {}
        for host, port in self._listening:
            ip = ip_address(host)
            for text in get_network_addrs(ip.version) if ip.is_unspecified else (host,):
                found[address_of(ip_address(text.partition("%")[0]), port)] = None
        far = tuple(address for address in found if not parts_of(address)[0].is_loopback)
        own = far or tuple(found)
        if not self.announced:
            return own
        return tuple(dict.fromkeys((*own[: ADDRESSES_MAX - len(self.announced)], *self.announced)))

    def announce(self, addresses: Sequence[Address]) -> bool:
        """Sets which addresses stand beside those where we listen, at most 4; returns whether that changes anything."""
        before, self.announced = self.announced, tuple(addresses)[: ADDRESSES_MAX // 2]
        return before != self.announced

    def sign(self, message: bytes) -> bytes:
        """Returns the transport key's signature, as libp2p's signed envelopes want it."""
        return bytes(self._upgrader.keys.private_key.sign(message))

    def narrow(self, stream: Stream) -> None:
        """Lets the peer be at most 256 KiB ahead of who reads this stream, not 1 MiB: who relays has many of them."""
        assert isinstance(stream, MuxStream)
        stream.window_bytes_max = WINDOW_BYTES

    async def host_through(self, stream: Stream, relay: Address) -> None:
        """Serves who reached us on a stream of a relay (at this address), as an inbound link, until it is gone."""
        assert isinstance(stream, MuxStream)
        with self._guests.admit(f"relay {peer_text(stream.peer)}") as guest:
            guest.has_spoken = True
            self._guests.make_room()
            session = await self._respond(guards.raw_circuit(stream, is_initiator=False))
            session.via = circuit_text(Circuit(relay, stream.peer, session.peer))
            await self._host(session, guest)

    async def aclose(self) -> None:
        """Says goodbye on all links at once, bounded by 2 s; also when cancelled."""
        with trio.CancelScope(deadline=trio.current_time() + CLOSING_S, shield=True):
            async with trio.open_nursery() as nursery:
                for session in self._sessions:
                    nursery.start_soon(session.aclose)

    def _keep(self, session: Session) -> None:
        for old in [old for old in self._sessions if old.is_gone]:
            del self._sessions[old]
        self._sessions[session] = None

    async def _dial_through(self, circuit: Circuit, expected: PeerId | None) -> HostLink:
        """Returns a link through a relay, for as long as which the link to the relay is held."""
        if expected not in (None, circuit.target):
            raise Unavailable("another peer is named in that address")
        if self.peer in (circuit.target, circuit.relay_peer):
            raise Unavailable("that address is our own")
        async with self.trunks.borrowed(circuit.relay, circuit.relay_peer) as trunk:
            stream = await circuits.connect(trunk, circuit.target)
            assert isinstance(stream, MuxStream)
            try:
                link = await self._upgrade(guards.raw_circuit(stream, True), circuit_text(circuit), circuit.target)
            except BaseException:
                stream.reset()
                raise
            self.trunks.keep(trunk)
        self._nursery.start_soon(self._release, link, trunk)
        return link

    async def _release(self, link: HostLink, trunk: Trunk) -> None:
        await link.closed()
        await self.trunks.give_back(trunk)

    async def _begin(self, stream: trio.SocketStream, address: Address, expected: PeerId | None) -> HostLink:
        try:
            return await self._upgrade(guards.raw_connection(stream, is_initiator=True), address, expected)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def _upgrade(self, raw: IRawConnection, address: Address, expected: PeerId | None) -> HostLink:
        """Returns the link of whom we dialled. Raises: Unavailable, also when it is another than the expected."""
        with guards.as_faults():
            wanted = None if expected is None else guards.id_of(expected)
            conn = await self._swarm.upgrade_outbound_raw_conn(raw, cast("Any", wanted))
        session = cast("guards.MuxedConn", conn.muxed_conn).session
        session.via = address
        self._keep(session)
        return HostLink(session, address)

    async def _respond(self, raw: IRawConnection) -> Session:
        """Returns the link of who dialled us. Raises: Unavailable."""
        with guards.as_faults():
            muxed: Any = await self._swarm.upgrade_inbound_raw_conn(raw, Multiaddr("/ip4/0.0.0.0/tcp/0"))
        session: Session = muxed.session
        self._keep(session)
        return session

    async def _inbound_link(self, stream: trio.SocketStream) -> None:
        """Runs one accepted connection to its end; serve_listeners closes the socket then."""
        with guards.contain("an inbound connection"):
            try:
                ip, port = stream.socket.getpeername()[:2]
            except OSError:
                return  # it left before it was looked at
            remote = address_of(ip_address(str(ip).partition("%")[0]), port)
            if (awaited := self._awaited.pop(remote, None)) is not None:
                awaited.link = await self._upgrade(guards.raw_connection(stream, True), remote, awaited.peer)
                awaited.came.set()
                await awaited.link.closed()
                return
            with self._guests.admit(place_of(str(ip))) as guest:
                with trio.move_on_after(SILENT_S) as silence:
                    await trio.lowlevel.wait_readable(stream.socket.fileno())
                if silence.cancelled_caught:
                    return
                guest.has_spoken = True
                self._guests.make_room()
                await self._host(await self._respond(guards.raw_connection(stream, is_initiator=False)), guest)

    async def _watch(self, session: Session, ip: str) -> None:
        """Holds a link that we dialled, and in which the other end is the guest, to the rules of guests."""
        try:
            with guards.contain("a punched connection"), self._guests.admit(place_of(ip)) as guest:
                guest.has_spoken = True
                self._guests.make_room()
                await self._host(session, guest)
        finally:
            await session.aclose()

    async def _host(self, session: Session, guest: Guest) -> None:
        """Keeps the link of one who has spoken, for 30 s at a time as long as he is known at its end.

        A stranger who asks for what is offered to strangers has 30 s more after each time, ten minutes in all.
        """
        guest.link = session
        leaves_at = trio.current_time() + WELCOME_S
        while not session.is_gone:
            with trio.move_on_after(STRANGER_S):
                await session.closed()
            stays_until = min(leaves_at, session.allowance.welcomed_at + STRANGER_S)
            if not guest.is_known and trio.current_time() >= stays_until:
                await session.aclose()

    async def _stream(self, net_stream: Any) -> None:
        """Serves one stream that a peer opened: names its protocol, hands it over, closes it."""
        stream: MuxStream = net_stream.muxed_stream.stream
        if self._streams[stream.peer] >= STREAMS_INBOUND_MAX:
            stream.reset()
            return
        try:
            with _counted(self._streams, stream.peer), guards.contain("a stream"):
                with guards.as_faults():
                    communicator = MultiselectCommunicator(net_stream.muxed_stream)
                    protocol, _ = await self._served.negotiate(communicator, NEGOTIATION_S)
                accept = self._accepts.get(str(protocol))
                if accept is None:
                    return  # its offer ended while the protocol was named
                session: Session = net_stream.muxed_stream.muxed_conn.session
                stream.link = HostLink(session, session.remote or session.via)
                try:
                    with trio.CancelScope() as stream.serving:  # what a stranger's stream holds goes with it
                        await accept(str(protocol), stream)
                except* (PeerFault, Unavailable):
                    pass
                stream.close()
        finally:
            stream.reset()  # after a bug, or a protocol that we do not speak; a closed stream stays closed


@contextmanager
def _counted(counts: "Counter[Any]", key: object) -> Iterator[None]:
    """Counts the body in, and out again."""
    counts[key] += 1
    try:
        yield
    finally:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
