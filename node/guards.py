"""Where weft reaches into libp2p 0.8.1's insides, each place with its reason and its test (tests/node/test_guards.py).

What libp2p does for us: multistream-select, the Noise handshake with its PeerIds, and the Swarm, a table of connections
onto which other libp2p services can be put. What is replaced, and why:

- `Upgrader` for libp2p's TransportUpgrader: that one refuses to dial whoever answers (its Noise does not); it
  offers whatever security it was built with; its record layer tears a link when a write is cancelled (records.py);
  its Yamux keeps no window (yamux.py).
- `contain`: an exception that escapes a stream handler, a muxer or an accept task ends libp2p's whole host.
- `as_faults`: libp2p fails with some forty kinds of exceptions; nothing above node/ sees one of them.
- `quiet`: libp2p logs to stderr what peers sent, in part through the root logger, which it then sets up by itself.
- `RawStream` for TrioTCPStream: that one passes a peer's length prefix on as the size of a read, 2^60 bytes too.

All that stands between a peer and the node, here and elsewhere, with the attack that shows each at work, is one table:
docs/protocol/frames.md 6. In short: exceptions end here (`contain`, supervisor.py); deadlines stand with who waits
(host.py, channel.py, talk.py); windows, streams and what they cost in yamux.py; who may hold a link in guests.py, whose
proof is looked at in gate.py; dead links in `tune` and talk.py; addresses in dialler.py; the log in `quiet`.

Only this file and host.py import libp2p: it takes 2.2 s and 80 MB.
"""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, cast

import libp2p.network.connection.swarm_connection
import trio
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.protocol_muxer.generic_selector import GenericMultistreamSelector
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.security.secure_session import SecureSession
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamEOF, MuxedStreamReset
from multiaddr import Multiaddr

from crypto.faults import Forged, Malformed
from node.network import PEER_ID_BYTES, STREAMS_INBOUND_MAX, Address, PeerId, address_of
from node.records import Records, Socket, Wire
from node.streams import MuxStream
from node.yamux import Session
from protocol.faults import PeerFault, Unavailable

YAMUX = TProtocol("/yamux/1.0.0")
HANDSHAKE_S = 10  # from the first byte of a connection to its first stream; a slot is held no longer for less
READ_BYTES_MAX = 65_535  # one read during a handshake: a Noise message
KEEPALIVE_S = (200, 5, 3)  # idle, interval, count; a talk is asked before that, so this is for links without one
USER_TIMEOUT_MS = 15_000  # unacknowledged data: the same for a link on which we write; Linux alone has it

_ED25519_PREFIX = bytes.fromhex("002408011220")  # identity multihash, 36 bytes, protobuf of an Ed25519 key
_log = logging.getLogger("weft.libp2p")


def peer_of(peer_id: ID) -> PeerId:
    """Returns the raw key of a libp2p PeerId. Raises: Malformed when it is not an Ed25519 one."""
    raw = peer_id.to_bytes()
    if not raw.startswith(_ED25519_PREFIX) or len(raw) != len(_ED25519_PREFIX) + PEER_ID_BYTES:
        raise Malformed("a peer has no Ed25519 key")
    return PeerId(raw[len(_ED25519_PREFIX) :])


def id_of(peer: PeerId) -> ID:
    """Returns the libp2p PeerId of a raw key."""
    return ID(_ED25519_PREFIX + peer)


@contextmanager
def as_faults() -> Iterator[None]:
    """Turns what libp2p raises into Unavailable; our own faults and cancellation pass. Stands around single calls."""
    try:
        yield
    except (PeerFault, Unavailable):
        raise
    except Exception as error:
        raise Unavailable(f"the connection failed ({type(error).__name__})") from error


@contextmanager
def contain(what: str) -> Iterator[None]:
    """Keeps an exception from libp2p's nurseries, where it would end the host: faults are silent, bugs are logged."""
    try:
        yield
    except* (PeerFault, Unavailable):
        pass
    except* Exception as group:
        _log.error("%s failed", what, exc_info=group)


def quiet() -> None:
    """Makes libp2p's log say where something happened and how bad, never what: it quotes peers' bytes and PeerIds.

    Sends it to the logger weft.libp2p, warnings and worse. Reason: its logger has no handler, so it all goes to stderr;
    swarm_connection logs through the root logger, whose first use installs a handler for the whole program.
    """
    logger = logging.getLogger("libp2p")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.handlers = [_Redacting()]
    module: Any = libp2p.network.connection.swarm_connection
    module.logging = logging.getLogger("libp2p.network.connection.swarm_connection")


class _Redacting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _log.debug("%s %s at %s:%d", record.name, record.levelname.lower(), record.filename, record.lineno)


def tune(stream: trio.SocketStream) -> None:
    """Makes the kernel notice a dead peer: libp2p sets no keepalive, a pulled cable would look alive for hours."""
    idle_s, interval_s, count = KEEPALIVE_S
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", idle_s),
        ("TCP_KEEPALIVE", idle_s),  # its name on macOS
        ("TCP_KEEPINTVL", interval_s),
        ("TCP_KEEPCNT", count),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            stream.setsockopt(socket.IPPROTO_TCP, option, value)


class RawStream:
    """A wire as libp2p's handshake wants it (ReadWriteCloser); a read never asks for more than 65,535 bytes."""

    def __init__(self, wire: Wire, remote: tuple[str, int] | None) -> None:
        """remote: (ip, port) of the other end, None when a relay is between."""
        self.wire = wire
        self.remote = remote

    async def read(self, n: int | None = None) -> bytes:
        """Returns at most n bytes, b"" at the end."""
        return await self.wire.receive_some(READ_BYTES_MAX if n is None else min(n, READ_BYTES_MAX))

    async def write(self, data: bytes) -> None:
        """Sends all of data."""
        rest = memoryview(data)
        while rest:
            rest = rest[await self.wire.send_some(rest) :]

    async def close(self) -> None:
        """Closes the wire at once."""
        await self.wire.aclose()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Returns (ip, port) of the other end, None when a relay is between."""
        return self.remote


def raw_connection(stream: trio.SocketStream, is_initiator: bool) -> IRawConnection:
    """Returns a fresh TCP connection as the Upgrader takes it. Raises: Unavailable when it is gone already."""
    try:
        tune(stream)
        host, port, *_ = stream.socket.getpeername()
    except OSError as error:
        raise Unavailable("the connection broke") from error
    return RawConnection(cast("Any", RawStream(Socket(stream), (str(host), int(port)))), is_initiator)


def raw_circuit(stream: MuxStream, is_initiator: bool) -> IRawConnection:
    """Returns a fresh stream through a relay as the Upgrader takes it."""
    return RawConnection(cast("Any", RawStream(stream, None)), is_initiator)


class Sealed:
    """A connection after the Noise handshake, on our record layer (stands for libp2p's ISecureConn)."""

    def __init__(self, raw: RawConnection, session: SecureSession) -> None:
        self.is_initiator = session.is_initiator
        self.peer = peer_of(session.get_remote_peer())
        noise = cast("Any", session.conn).noise_state  # the handshake's result: two ciphers with their nonces
        wire: Wire = cast("Any", raw.stream).wire
        self.is_relayed = isinstance(wire, MuxStream)
        self.records = Records(wire, noise.encrypt, _unsealing(noise))
        self.early = b""  # received, not yet read
        self._raw = raw
        self._session = session

    async def read(self, n: int | None = None) -> bytes:
        """Returns at most n bytes, b"" at the end."""
        if not self.early:
            self.early = await self.records.receive()
        count = len(self.early) if n is None else min(n, len(self.early))
        data, self.early = self.early[:count], self.early[count:]
        return data

    async def write(self, data: bytes) -> None:
        """Sends all of data."""
        self.records.put(data)
        await self.records.flush()

    async def close(self) -> None:
        """Closes the socket."""
        await self.records.aclose()

    def get_remote_peer(self) -> ID:
        """Returns the PeerId the other end has proven."""
        return self._session.get_remote_peer()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Returns (ip, port) of the other end."""
        return self._raw.get_remote_address()

    def get_transport_addresses(self) -> list[Multiaddr]:
        """Returns the address of the other end."""
        return self._raw.get_transport_addresses()


def _unsealing(noise: Any) -> Any:
    decrypt = noise.decrypt

    def unseal(record: bytes) -> bytes:
        try:
            return cast("bytes", decrypt(record))
        except Exception as error:  # NoiseInvalidMessage, and what the cipher raises for a record without a tag
            raise Forged("a record does not open") from error

    return unseal


class MuxedStream:
    """A stream as the Swarm and multistream-select see it (IMuxedStream); `stream` is the one the node uses."""

    def __init__(self, muxed_conn: "MuxedConn | None", stream: MuxStream) -> None:
        self.muxed_conn = muxed_conn
        self.stream = stream

    async def read(self, n: int | None = None) -> bytes:
        """Returns at most n bytes."""
        try:
            data = await self.stream.receive_some(READ_BYTES_MAX if n is None else min(n, READ_BYTES_MAX))
        except Unavailable as fault:
            raise MuxedStreamReset from fault
        if not data:
            raise MuxedStreamEOF
        return data

    async def write(self, data: bytes) -> None:
        """Sends all of data."""
        try:
            await self.stream.send_all(data)
        except Unavailable as fault:
            raise MuxedStreamReset from fault

    async def close(self) -> None:
        """Ends the stream."""
        await self.stream.aclose()

    async def reset(self) -> None:
        """Breaks the stream off."""
        self.stream.reset()


class MuxedConn:
    """A session as the Swarm sees it (IMuxedConn)."""

    def __init__(self, sealed: Sealed) -> None:
        self.session = Session(sealed.records, sealed.peer, sealed.is_initiator, STREAMS_INBOUND_MAX, sealed.early)
        self.session.remote = _address_of(sealed.get_remote_address())
        self.session.is_relayed = sealed.is_relayed
        self.peer_id = sealed.get_remote_peer()
        self.is_initiator = sealed.is_initiator
        self.event_started = trio.Event()
        self._sealed = sealed

    async def start(self) -> None:
        """Runs the session; the Swarm calls it in a task whose failure would end the host."""
        self.event_started.set()
        with contain("a connection"):
            await self.session.run()

    @property
    def is_closed(self) -> bool:
        """Whether the link is gone."""
        return self.session.is_gone

    @property
    def is_established(self) -> bool:
        """Whether streams can be opened."""
        return self.event_started.is_set() and not self.session.is_gone

    async def close(self) -> None:
        """Ends the link."""
        await self.session.aclose()

    async def open_stream(self) -> MuxedStream:
        """Returns a new stream."""
        return MuxedStream(self, await self.session.open())

    async def accept_stream(self) -> MuxedStream:
        """Returns the next stream the peer opens."""
        try:
            return MuxedStream(self, await self.session.accept())
        except Unavailable as fault:
            raise MuxedConnUnavailable from fault

    def get_transport_addresses(self) -> list[Multiaddr]:
        """Returns the address of the other end."""
        return self._sealed.get_transport_addresses()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Returns (ip, port) of the other end."""
        return self._sealed.get_remote_address()

    def get_connection_type(self) -> ConnectionType:
        """Says whether a relay is between."""
        return ConnectionType.RELAYED if self.session.is_relayed else ConnectionType.DIRECT


def _address_of(remote: tuple[str, int] | None) -> Address | None:
    return None if remote is None else address_of(ip_address(remote[0].partition("%")[0]), remote[1])


class Upgrader:
    """Noise and Yamux, nothing else, on any raw connection; stands for libp2p's TransportUpgrader in the Swarm."""

    def __init__(self, seed: bytes) -> None:
        """seed: 32 bytes of the Ed25519 transport key; the Noise key is fresh and signed by it."""
        self.keys = create_new_key_pair(seed)
        self.own = ID.from_pubkey(self.keys.public_key)
        self._security: GenericMultistreamSelector[Noise] = GenericMultistreamSelector()
        self._security.add_handler(NOISE, Noise(self.keys, create_noise_key_pair().private_key))
        self._muxers: GenericMultistreamSelector[type[Session]] = GenericMultistreamSelector()
        self._muxers.add_handler(YAMUX, Session)

    async def upgrade_security(self, raw: IRawConnection, is_initiator: bool, peer_id: ID | None = None) -> ISecureConn:
        """Returns the connection after the Noise handshake. peer_id None takes whoever answers.

        Raises: Unavailable when we answer ourselves, or another than peer_id does; else what libp2p raises.
        """
        _, noise = await self._security.select(cast("Any", raw), is_initiator, HANDSHAKE_S)
        if is_initiator:
            session = await noise.secure_outbound(raw, cast("ID", None))  # compared here: libp2p logs both PeerIds
        else:
            session = await noise.secure_inbound(raw)
        theirs = session.get_remote_peer()
        if theirs == self.own:
            raise Unavailable("that address is our own")
        if peer_id is not None and theirs != peer_id:
            raise Unavailable("another peer answers there")
        return cast("ISecureConn", Sealed(cast("RawConnection", raw), cast("SecureSession", session)))

    async def upgrade_connection(self, conn: ISecureConn, _peer_id: ID | None) -> MuxedConn:
        """Returns the connection with streams on it; whose it is, the handshake said."""
        sealed = cast("Sealed", conn)
        await self._muxers.select(cast("Any", sealed), sealed.is_initiator, HANDSHAKE_S)
        return MuxedConn(sealed)
