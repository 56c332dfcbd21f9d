"""A mask: the throw-away host and box of one slot, worn while one is visible (docs/protocol/nearby.md 1)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from crypto import keys
from features.nearby.view import Keys
from node.core import OpenNetwork
from node.lookup import Lookup
from node.network import Address, Network, Stream, address_of, parts_of
from protocol import nearby
from protocol.faults import Unavailable


@dataclass
class Mask:
    """An open throw-away host. bound: where it listens. lookup: the DHT as it sees it, None without one."""

    slot: int
    network: Network
    box: keys.DhKey
    bound: tuple[Address, ...] = ()
    lookup: Lookup | None = field(default=None)

    @property
    def port(self) -> int:
        """The port at which it is dialled."""
        return parts_of(self.bound[0])[1]


@asynccontextmanager
async def worn(
    open_network: OpenNetwork,
    made: Keys,
    where: Sequence[Address],
    serve: Callable[[Mask, Stream], Awaitable[None]],
) -> AsyncIterator[Mask]:
    """Yields the mask of these keys, which listens at the addresses of the node, on a port of its own.

    Raises: Unavailable when it cannot listen.
    """
    async with open_network(made.seed) as network:
        mask = Mask(made.slot, network, keys.DhKey(made.box))

        async def accept(_: str, stream: Stream) -> None:
            await serve(mask, stream)

        network.serve((nearby.PROTOCOL,), accept)
        mask.bound = await _listen(network, where, made.port)
        yield mask


async def _listen(network: Network, where: Sequence[Address], port: int) -> tuple[Address, ...]:
    """The same addresses under the same port on all: this one, or any when it is taken or 0. Raises: Unavailable."""
    first, *others = [ip for ip, _ in map(parts_of, where)]
    bound: tuple[Address, ...] = ()
    if port:
        with suppress(Unavailable):
            bound = await network.listen((address_of(first, port),))
    bound = bound or await network.listen((address_of(first, 0),))
    for ip in others:
        with suppress(Unavailable):
            bound += await network.listen((address_of(ip, parts_of(bound[0])[1]),))
    return bound
