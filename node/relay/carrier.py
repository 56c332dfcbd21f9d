"""What relays and hole punching need of a host, beyond what every protocol does (node/network.py). host.py has it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

import trio

from node.network import Address, Link, Network, PeerId, Stream


class Trunk(Link, Protocol):
    """A link on which circuits go."""

    @property
    def is_inbound(self) -> bool:
        """Whether the other end dialled us."""

    @property
    def is_from_port(self) -> bool:
        """Whether we dialled it from the port on which we listen."""

    def hold(self, until: float) -> None:
        """Answers for who is at the other end until then (trio's time), as if he had proven himself."""


class Trunks(Protocol):
    """Links to relays, shared by what goes through them."""

    def borrowed(self, relay: Address, peer: PeerId) -> AbstractAsyncContextManager[Trunk]:
        """Yields a link to this relay, new or shared; afterwards it is given back. Raises: Unavailable."""

    def doubt(self) -> tuple[Trunk, ...]:
        """The network has changed: who comes next dials anew. Returns the links that are still used, to be tried."""


class Awaited(Protocol):
    """Somebody whom we dial from our port, and who may get through to it first."""

    @property
    def came(self) -> trio.Event:
        """Set when he did."""

    @property
    def link(self) -> Link | None:
        """The link to him then."""


class Carrier(Network, Protocol):
    """A host over which relays work."""

    @property
    def trunks(self) -> Trunks:
        """Its links to relays."""

    @property
    def announced(self) -> tuple[Address, ...]:
        """Those of its addresses that were announced, not listened on."""

    def announce(self, addresses: Sequence[Address]) -> bool:
        """Sets which addresses stand beside those where we listen, at most 4; returns whether that changes anything."""

    def sign(self, message: bytes) -> bytes:
        """Returns the transport key's signature."""

    def narrow(self, stream: Stream) -> None:
        """Lets the peer be at most 256 KiB ahead of who reads this stream, not 1 MiB: who relays has many of them."""

    async def host_through(self, stream: Stream, relay: Address) -> None:
        """Serves who reached us on a stream of a relay, as an inbound link, until it is gone. Raises: Unavailable."""

    async def dial_from_port(self, address: Address, expected: PeerId | None) -> Trunk:
        """As dial(), from the port on which we listen where that is possible."""

    async def meet_first(self, address: Address, peer: PeerId) -> Link:
        """Returns a link to a peer who dials us at the same moment and waits for us to begin. Raises: Unavailable."""

    async def meet_second(self, address: Address, peer: PeerId) -> Link:
        """Returns a link to a peer who dials us at the same moment and begins. Raises: Unavailable."""

    def awaiting(self, addresses: Sequence[Address], peer: PeerId) -> AbstractContextManager[Awaited]:
        """Expects, for the block, a peer who waits for us to begin also when he gets through to our port."""
