"""Peers by which the DHT is joined at the next start: those that answered, and the devices of contacts.

A peer proves nothing about anybody. Not here: which of them are asked (node/kad/), what else there is to begin with
(node/bootstrap.py).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from protocol import wire
from store.database import Tx
from store.people import ContactState

PEERS_MAX = 64
ADDRESSES_MAX = 8
ADDRESSES_BYTES_MAX = 4 * 1024


class Peer(NamedTuple):
    """A host of the DHT, perhaps. peer: its PeerId, 32 bytes; addresses: as multiaddrs, at most 8."""

    peer: bytes
    addresses: tuple[str, ...]


def remember(tx: Tx, answered: Sequence[Peer], now_ms: int) -> None:
    """Keeps peers that answered lately, the best first; of all the 64 that did so last stay."""
    for place, one in enumerate(answered[:PEERS_MAX]):
        addresses = wire.encode(tuple(one.addresses[:ADDRESSES_MAX]))
        tx.execute(
            "INSERT OR REPLACE INTO peer (peer, addresses, seen_ms) VALUES (?, ?, ?)",
            (one.peer, addresses, now_ms - place),
        )
    tx.execute(
        "DELETE FROM peer WHERE peer NOT IN (SELECT peer FROM peer ORDER BY seen_ms DESC, peer LIMIT ?)", (PEERS_MAX,)
    )


def remembered(tx: Tx) -> tuple[Peer, ...]:
    """The peers that answered last, the newest first."""
    return tuple(map(_peer, tx.all("SELECT peer, addresses FROM peer ORDER BY seen_ms DESC, peer")))


def of_contacts(tx: Tx, count_max: int) -> tuple[Peer, ...]:
    """Where the devices of contacts were last, those seen last first; any of them may serve the DHT."""
    rows = tx.all(
        "SELECT d.peer, d.addresses FROM device d JOIN contact c ON c.id = d.contact"
        " WHERE c.state = ? AND d.revoked = 0 AND d.peer != x'' ORDER BY c.seen_ms DESC, d.id LIMIT ?",
        (int(ContactState.ACTIVE), count_max),
    )
    return tuple(map(_peer, rows))


def _peer(row: tuple[Any, ...]) -> Peer:
    texts: Any = wire.decode(row[1], ADDRESSES_BYTES_MAX)
    return Peer(row[0], texts)
