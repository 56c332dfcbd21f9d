"""What the node asks of a DHT: keep a sealed record, find one; say under a key that we are here, find who is.

Two things implement it: node/kad/ (libp2p's Kademlia over real links) and lab/lookup.py (a table in one process, by
which nothing is claimed about a DHT). Not here: what records say and how they are sealed (protocol/rendezvous.py), when
they are put and asked for (node/finder.py). Source: docs/protocol/dht.md.
"""

from dataclasses import dataclass
from typing import Protocol

from node.network import Address, PeerId

KEY_BYTES = 32
RECORD_BYTES_MAX = 4096
PROVIDERS_MAX = 20  # that one search gives


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody who says that he is to be found under a key: a PeerId, and at most 8 addresses."""

    peer: PeerId
    addresses: tuple[Address, ...]


class Lookup(Protocol):
    """A table of records that its peers keep for one another. Every call takes as long as the caller lets it."""

    async def put(self, key: bytes, record: bytes) -> int:
        """Gives a record to the peers nearest to its key; returns how many of them said that they keep it.

        key: 32 bytes. record: at most 4,096 bytes, of protocol/rendezvous. Raises: Unavailable when not one does.
        """

    async def get(self, key: bytes) -> bytes | None:
        """The newest living record under a key that other peers hold, never a copy of our own; None where none is.

        Raises: Unavailable when no other peer answers.
        """

    async def provide(self, key: bytes) -> int:
        """Says to the peers nearest to a key that this host is to be found under it; returns how many took it.

        Raises: Unavailable when not one does.
        """

    async def find(self, key: bytes) -> tuple[Provider, ...]:
        """Who says that he is to be found under a key, each once. Raises: Unavailable when no other peer answers."""
