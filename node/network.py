"""The network as the rest of the node sees it: dial a peer, open a stream, move bytes.

Two things implement it: node/host.py (libp2p over TCP sockets) and lab/network.py (many nodes in one process). One
contract test holds them to the same promises (tests/node/test_network_contract.py). Not here: framing (frames.py),
choosing among a peer's addresses (dialler.py), who a peer *is* (protocol/ and node/delivery: a PeerId proves nothing).
Source: docs/protocol/frames.md.
"""

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, NewType, Protocol

from crypto.faults import Malformed

Address = NewType("Address", str)
"""Where a node can be dialled, as a multiaddr.

Direct: "/ip4/127.0.0.1/tcp/4001" or "/ip6/::1/tcp/4001", without /p2p. Through a relay: a `Circuit` as text.
"""

PeerId = NewType("PeerId", bytes)
"""The raw Ed25519 public key of a transport, 32 bytes. It names a host, never an account."""

PEER_ID_BYTES = 32
ADDRESS_CHARS_MAX = 64  # "/ip6/" + 39 + "/tcp/65535", with room; refused before it is parsed
CIRCUIT = "/p2p-circuit"  # what marks an address as one through a relay
CIRCUIT_CHARS_MAX = 192  # an address, "/p2p/" + 52, "/p2p-circuit", "/p2p/" + 52

STREAMS_INBOUND_MAX = 32  # streams one peer may hold open towards us; the next one is reset. A contact needs 3.
STREAMS_OUTBOUND_MAX = 64  # streams we hold open on one link; more is our own bug or a flood we must not join

# The protobuf of an Ed25519 key (field 1: type 1; field 2: 32 bytes) as an identity multihash: libp2p peer-ids spec.
_PEER_ID_PREFIX = bytes.fromhex("002408011220")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Circuit(NamedTuple):
    """A way to a peer through a relay (libp2p circuit relay v2)."""

    relay: Address
    relay_peer: PeerId
    target: PeerId


class Stream(Protocol):
    """A bounded, ordered byte stream to one peer. Every call may be cancelled; the caller sets timeouts."""

    @property
    def peer(self) -> PeerId:
        """Who is at the other end of the link."""

    @property
    def is_relayed(self) -> bool:
        """Whether the link goes through a relay."""

    @property
    def remote(self) -> Address | None:
        """Where the other end's packets come from; its port is one of many when it dialled us. None: not known."""

    @property
    def link(self) -> "Link | None":
        """The link of a stream that the peer opened, to ask it something in turn; None where that cannot be done."""

    def is_beside(self, other: "Stream") -> bool:
        """Whether both are on one link: then the same host is at the other end, and the same run of it."""

    async def send_all(self, data: bytes) -> None:
        """Sends all of data, waiting while the peer does not read. One task at a time.

        A cancelled call may have sent a part: close the stream then. The link under it stays whole.
        Raises: Unavailable when the stream or its link is gone.
        """

    async def receive_some(self, bytes_max: int) -> bytes:
        """Returns 1 to bytes_max bytes, or b"" at the end of the stream. A cancelled call loses nothing.

        Raises: Unavailable when the stream was reset or its link is gone.
        """

    def vouch(self) -> None:
        """Says that the other end has proven who it is; until then a host may bound what it says, and end its link.

        Called by whoever serves a stream for longer than a proof takes.
        """

    def welcome(self) -> None:
        """Says that this stream asks for something that we offer to strangers, of which a host may allow more.

        Called by who serves the stream and bounds what it may cost.
        """

    async def aclose(self) -> None:
        """Ends both directions. What was sent before still arrives. May be repeated; never raises a fault."""


class Link(Protocol):
    """A connection to one peer that we dialled."""

    @property
    def peer(self) -> PeerId:
        """The PeerId that the other end has proven."""

    @property
    def address(self) -> Address:
        """The address that was dialled."""

    @property
    def is_relayed(self) -> bool:
        """Whether it goes through a relay."""

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended."""

    async def open(self, protocol: str) -> Stream:
        """Returns a stream on which the peer speaks `protocol`.

        Raises: Unavailable when the link is gone, the peer does not speak it, or too many streams are open.
        """

    async def aclose(self) -> None:
        """Ends the link and every stream on it. May be repeated; never raises a fault."""

    async def closed(self) -> None:
        """Returns when the link is gone, whoever ended it."""


Accept = Callable[[str, Stream], Awaitable[None]]
"""Called with (protocol, stream) for each stream a peer opens, in a task of the network's own.

When it returns, or raises PeerFault or Unavailable, the stream is closed. What else it raises is our bug: node/host.py
logs it and lives on, lab/network.py lets it fly.
"""


class Network(Protocol):
    """One host: its own PeerId, what it serves, where it listens, whom it dials."""

    @property
    def peer(self) -> PeerId:
        """Our own PeerId."""

    def serve(self, protocols: Sequence[str], accept: Accept) -> None:
        """From now on hands streams of these protocols to `accept`: before `listen`, or when an offer begins."""

    def unserve(self, protocols: Sequence[str]) -> None:
        """From now on refuses streams of these protocols; those that are open go on to their end."""

    async def listen(self, addresses: Sequence[Address]) -> tuple[Address, ...]:
        """Returns the addresses that were bound, with port 0 resolved.

        Raises: Unavailable when not one of them can be bound.
        """

    async def dial(self, address: Address, expected: PeerId | None) -> Link:
        """Returns a link to the peer at `address`, each time a new one. `expected` None takes whoever answers.

        Raises: Unavailable when nobody answers, another PeerId answers than the expected one, or we do ourselves.
        """

    def addresses(self) -> tuple[Address, ...]:
        """Returns where others can dial us now; 0.0.0.0 and :: stand expanded to the addresses of the interfaces."""


def address_of(ip: IPv4Address | IPv6Address, port: int) -> Address:
    """Returns the text of an address. An IPv4 address mapped into IPv6 becomes the IPv4 one."""
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return Address(f"/ip{ip.version}/{ip}/tcp/{port}")


def parts_of(address: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Returns the IP address and the port (0 to 65535) of an address.

    Raises: Malformed when it is not exactly /ip4/IP/tcp/PORT or /ip6/IP/tcp/PORT in its shortest form.
    """
    if len(address) > ADDRESS_CHARS_MAX:
        raise Malformed("an address is too long")
    fields = address.split("/")
    if len(fields) != 5 or fields[0] or fields[3] != "tcp":
        raise Malformed("an address is not /ip4/IP/tcp/PORT or /ip6/IP/tcp/PORT")
    try:
        ip: IPv4Address | IPv6Address = IPv4Address(fields[2]) if fields[1] == "ip4" else IPv6Address(fields[2])
        port = int(fields[4])
    except ValueError as error:
        raise Malformed("an address has no valid IP or port") from error
    if not 0 <= port <= 65535:
        raise Malformed("a port is out of range")
    if f"/ip{ip.version}/{ip}/tcp/{port}" != address:
        raise Malformed("an address is not in its shortest form")
    return ip, port


def circuit_text(circuit: Circuit) -> Address:
    """Returns a circuit as the multiaddr that libp2p programs dial."""
    relay, target = peer_text(circuit.relay_peer), peer_text(circuit.target)
    return Address(f"{circuit.relay}/p2p/{relay}/p2p-circuit/p2p/{target}")


def circuit_of(address: str) -> Circuit | None:
    """Returns the circuit that an address is, None for a direct one.

    Raises: Malformed when it is neither exactly a direct address (parts_of) nor RELAY/p2p/ID/p2p-circuit/p2p/ID.
    """
    front, mark, target = address.partition("/p2p-circuit/p2p/")
    if not mark:
        parts_of(address)
        return None
    if len(address) > CIRCUIT_CHARS_MAX:
        raise Malformed("an address is too long")
    relay, mark, relay_peer = front.partition("/p2p/")
    if not mark:
        raise Malformed("a circuit names no relay")
    parts_of(relay)
    return Circuit(Address(relay), peer_of_text(relay_peer), peer_of_text(target))


def peer_multihash(peer: PeerId) -> bytes:
    """Returns a PeerId as libp2p's protocols carry it: the identity multihash of its key, 38 bytes."""
    return _PEER_ID_PREFIX + peer


def peer_key_of(multihash: bytes) -> PeerId:
    """Returns the PeerId of its multihash. Raises: Malformed when it is not that of an Ed25519 key."""
    peer = PeerId(multihash.removeprefix(_PEER_ID_PREFIX))
    if len(multihash) != len(_PEER_ID_PREFIX) + PEER_ID_BYTES or len(peer) != PEER_ID_BYTES:
        raise Malformed("a PeerId is not that of an Ed25519 key")
    return peer


def peer_text(peer: PeerId) -> str:
    """Returns a PeerId as libp2p programs print it: base58 of the identity multihash, "12D3Koo…", 52 characters."""
    number = int.from_bytes(_PEER_ID_PREFIX + peer)
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    return "1" + "".join(reversed(digits))  # the multihash begins with one zero byte, written as "1"


def peer_of_text(text: str) -> PeerId:
    """Returns the PeerId of its libp2p text.

    Raises: Malformed when it is not the base58 text of an Ed25519 PeerId.
    """
    if len(text) > ADDRESS_CHARS_MAX or not text.startswith("1"):
        raise Malformed("a PeerId is not base58 text of an Ed25519 key")
    number = 0
    for char in text[1:]:
        digit = _BASE58.find(char)
        if digit < 0:
            raise Malformed("a PeerId is not base58")
        number = number * 58 + digit
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    peer = PeerId((b"\x00" + raw)[len(_PEER_ID_PREFIX) :])
    if len(peer) != PEER_ID_BYTES or peer_text(peer) != text:
        raise Malformed("a PeerId is not an Ed25519 key")
    return peer
