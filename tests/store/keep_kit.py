"""A keeper's database in memory: owners with permits, puts as they arrive, and whether all counts are what is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crypto.faults import Malformed
from protocol import keep, keep_proof
from store import connection, keeping, migrations, permits, shelves
from store.database import Tx
from store.keeping import KEEPING
from store.shelves import Arriving, Owner, Taken

KEY = bytes(range(32))
NONCE = b"n" * 32
GIB, MIB, KIB = 2**30, 2**20, 2**10
DAY = 20_000


@contextmanager
def open_tx(path: Path = Path(":memory:")) -> Iterator[Tx]:
    """A transaction that is never committed, of a new keeper that is no second old."""
    opened = connection.connect(path, KEY)
    try:
        migrations.run(opened, KEEPING)
        opened.execute("BEGIN IMMEDIATE")
        tx = Tx(opened)
        keeping.begin(tx, 0)
        yield tx
    finally:
        opened.close()


def owner(tx: Tx, number: int = 1, space: int = GIB, ttl_s: int = 90 * keep.DAY_S) -> Owner:
    """An owner with a permit: contact `number`, his key and secret made from it; 0 is the person himself."""
    permits.make(tx, number, space, ttl_s, bytes((number,)) * 32)
    permit = permits.named(tx, keep_proof.permit_id(bytes((number,)) * 32))
    assert permit is not None
    shelves.enrol(tx, permit.id, key_of(number))
    found = shelves.owner(tx, key_of(number))
    assert found is not None
    return found


def key_of(number: int) -> bytes:
    return bytes((number,)) * 31 + b"k"


def sender_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def put_key_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def queue(
    number: int,
    doors: tuple[int, ...] | None = None,
    items: int = 500,
    size: int = 16 * MIB,
    ttl_s: int = 30 * keep.DAY_S,
    door_items: int = 500,
    bits: int = 0,
) -> keep.Queue:
    """Queue `number` with doors of these numbers, or the one of its own number."""
    made = (
        keep.Door(sender_of(n), put_key_of(n), door_items, bits) for n in (doors if doors is not None else (number,))
    )
    return keep.Queue(sender_of(number), items, size, ttl_s, tuple(made))


def envelope(text: object, size: int = KIB) -> bytes:
    return str(text).encode().ljust(size, b".")


def arriving(
    door: int, text: object, size: int = KIB, ttl_s: int = keep.DAY_S, key: bytes | None = None, n: int = 1
) -> Arriving:
    """A good put through a door, or with another key."""
    shown = put_key_of(door) if key is None else key
    asked = keep_proof.put(shown, NONCE, n, sender_of(door), envelope(text, size), ttl_s)
    return Arriving(asked, n, NONCE, keep_proof.envelope_id(asked.envelope))


def put(tx: Tx, door: int, text: object, age_s: int = 0, size: int = KIB, ttl_s: int = keep.DAY_S) -> Taken:
    """What becomes of a good put."""
    (taken,) = shelves.put(tx, (arriving(door, text, size, ttl_s),), age_s, (DAY,))
    return taken


def texts(tx: Tx, owner_id: int, after: int = 0) -> list[str]:
    """What lies there for an owner, in the order in which it would be fetched."""
    found: list[str] = []
    while True:
        page = shelves.fetch(tx, owner_id, after, keep.FETCH_ITEMS_MAX)
        found += [item.envelope.decode().rstrip(".") for item in page.items]
        if not page.more:
            return found
        after = page.items[-1].seq


def check_counts(tx: Tx) -> None:
    """Every count that is kept says what is there."""
    wrong = tx.all(
        "SELECT 'queue', id FROM queue q WHERE (items, bytes) IS NOT"
        " (SELECT COUNT(*), COALESCE(SUM(LENGTH(envelope)), 0) FROM parcel WHERE queue = q.id)"
        " UNION ALL SELECT 'door', id FROM door d WHERE items IS NOT (SELECT COUNT(*) FROM parcel WHERE door = d.id)"
        " UNION ALL SELECT 'owner', id FROM owner o WHERE (items, bytes) IS NOT"
        " (SELECT COUNT(*), COALESCE(SUM(LENGTH(envelope)), 0) FROM parcel WHERE place >> 40 = o.id)"
        " UNION ALL SELECT 'queues', id FROM owner o WHERE permit > 0 AND"
        " queues IS NOT (SELECT COUNT(*) FROM queue WHERE owner = o.id)"
    )
    assert wrong == []


def swept(tx: Tx) -> None:
    """Sweeps until there is nothing more."""
    for _ in range(1000):
        if not shelves.sweep(tx):
            return
    raise Malformed
