"""What we say of ourselves to strangers, and only while something is offered to them: libp2p's identify and ping.

A node without a DHT and without a relay answers neither, so a scanner learns no list of its protocols or addresses.
While there is an offer the list names the offers, identify and ping: never /weft/talk/1, nothing of the account.
Source: https://github.com/libp2p/specs (identify, ping), docs/protocol/dht.md 6. Not here: what is offered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio
from google.protobuf.message import DecodeError
from libp2p.identity.identify.pb.identify_pb2 import Identify

from crypto.faults import Forged, Malformed
from node import delimited, multiaddrs
from node.delimited import DelimitedReader
from node.network import PEER_ID_BYTES, Accept, Address, Link, Network, PeerId, Stream
from protocol.faults import PeerFault

IDENTIFY, PING = "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"
AGENT = "weft"  # without a version: it would tell who has not updated
PROTOCOL_VERSION = "ipfs/0.1.0"  # what libp2p's programs say; they refuse nobody for another
MESSAGE_BYTES_MAX = 8 * 1024  # of identify: libp2p's own limit
PROTOCOLS_MAX = 64  # that are read of a peer's
PROTOCOL_CHARS_MAX = 128
ADDRESSES_MAX = 8  # said and read, as in a hello
PING_BYTES = 32
PINGS_MAX = 64  # on one stream: a keepalive of libp2p's opens a new one each time
PATIENCE_S = 10.0  # for one ping to come, and for identify to be taken

_KEY_PREFIX = bytes.fromhex("08011220")  # protobuf PublicKey: type Ed25519, 32 bytes


@dataclass(frozen=True, slots=True)
class Identified:
    """What a peer says of itself. The PeerId is proven by its link; nothing else is."""

    peer: PeerId
    protocols: tuple[str, ...]
    addresses: tuple[Address, ...]  # where it says that it listens
    observed: Address | None  # where it sees us come from: behind a NAT, with the port of the NAT


class Offers:
    """What this host offers to strangers now. identify and ping are served as long as there is anything."""

    def __init__(self, network: Network, addresses: Callable[[], Sequence[Address]]) -> None:
        """addresses: where strangers can reach us, asked each time; circuits may be among them."""
        self._network = network
        self._addresses = addresses
        self._offered: dict[str, None] = {}

    @property
    def protocols(self) -> tuple[str, ...]:
        """What identify names."""
        return (*self._offered, IDENTIFY, PING) if self._offered else ()

    def offer(self, protocols: Sequence[str], accept: Accept) -> None:
        """From now on serves these protocols, and names them to whoever asks."""
        self._network.serve(protocols, accept)
        if not self._offered:
            self._network.serve((IDENTIFY, PING), self._accept)
        self._offered |= dict.fromkeys(protocols)

    def withdraw(self, protocols: Sequence[str]) -> None:
        """From now on refuses these protocols; with the last offer identify and ping end as well."""
        self._network.unserve(protocols)
        for protocol in protocols:
            self._offered.pop(protocol, None)
        if not self._offered:
            self._network.unserve((IDENTIFY, PING))

    async def _accept(self, protocol: str, stream: Stream) -> None:
        stream.welcome()
        if protocol == PING:
            await _pong(stream)
            return
        said = Identified(self._network.peer, self.protocols, tuple(self._addresses()), stream.remote)
        with trio.move_on_after(PATIENCE_S):
            await delimited.write(stream, encode(said))


async def identify(link: Link) -> Identified:
    """Returns what the peer at the other end of a link says of itself. The caller sets the deadline.

    Raises: Unavailable when it does not speak identify; PeerFault when it does not speak it well.
    """
    stream = await link.open(IDENTIFY)
    try:
        return decode(await DelimitedReader(stream, MESSAGE_BYTES_MAX).demand(), link.peer)
    finally:
        with trio.CancelScope(shield=True):  # closing a stream does not wait
            await stream.aclose()


def encode(said: Identified) -> bytes:
    """Returns the identify message of a host, with its first 8 addresses."""
    observed = b"" if said.observed is None else multiaddrs.pack(said.observed)
    return Identify(
        protocol_version=PROTOCOL_VERSION,
        agent_version=AGENT,
        public_key=_KEY_PREFIX + said.peer,
        listen_addrs=[multiaddrs.pack(address) for address in said.addresses[:ADDRESSES_MAX]],
        observed_addr=observed,
        protocols=said.protocols,
    ).SerializeToString()


def decode(raw: bytes, peer: PeerId) -> Identified:
    """Returns what a message says of `peer`, whom the link has proven. Addresses that we cannot dial are left out.

    Raises: Malformed when it is no identify message; Forged when it names another key than the link's.
    """
    message = Identify()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise Malformed("a peer's identify is no protobuf") from error
    if message.public_key and message.public_key != _KEY_PREFIX + peer:
        raise Forged("a peer says that it has another key than its link has proven")
    assert len(peer) == PEER_ID_BYTES
    found = (multiaddrs.unpack(one, peer) for one in message.listen_addrs[: 4 * ADDRESSES_MAX])
    addresses = dict.fromkeys(address for address in found if address is not None)
    protocols = tuple(one for one in message.protocols[:PROTOCOLS_MAX] if len(one) <= PROTOCOL_CHARS_MAX)
    observed = multiaddrs.unpack_observed(message.observed_addr)
    return Identified(peer, protocols, tuple(addresses)[:ADDRESSES_MAX], observed)


async def _pong(stream: Stream) -> None:
    """Gives pings back. Raises: PeerFault for half a ping, or too many."""
    for _ in range(PINGS_MAX):
        ping = b""
        with trio.move_on_after(PATIENCE_S) as patience:
            while len(ping) < PING_BYTES:
                received = await stream.receive_some(PING_BYTES - len(ping))
                if not received:
                    return
                ping += received
            await stream.send_all(ping)
        if patience.cancelled_caught:
            return
    raise PeerFault("a peer pings for longer than anybody needs")
