"""Packets as rows: ours with their seed, named people, claims and grants; and those that contacts have sent.

    ours  : sent ──claims, each granted or refused──> closed
    theirs: WAITING ──opened──> CLAIMED ──> GRANTED, or REFUSED, from where one may open it again

Not here: which share somebody gets and whether that was fair (judging.py), payments (store/payments.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from features.packets.faults import AmbiguousPacket, UnknownPacket
from ledger.packet import Grant, Promise
from protocol import ids
from protocol.faults import quoted
from store.database import Migration, Row, Tx

CHANGED = "packet"  # a topic: its key is the row of a packet
OURS = 0  # in place of a contact
NEVER = 0  # closed_ms
NOBODY = 0  # the contact of a grant in somebody else's packet

MIGRATIONS = (
    Migration(
        "packets",
        1,
        """
        CREATE TABLE packet (
          id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL, packet BLOB NOT NULL, unit TEXT NOT NULL,
          total INTEGER NOT NULL, count INTEGER NOT NULL, is_random INTEGER NOT NULL, root BLOB NOT NULL,
          seed_hash BLOB NOT NULL, seed BLOB NOT NULL, note TEXT NOT NULL, sent_ms INTEGER NOT NULL,
          expires_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL, fault TEXT NOT NULL, UNIQUE (contact, packet)
        ) STRICT;
        CREATE INDEX packet_of ON packet (contact, sent_ms);
        CREATE INDEX packet_due ON packet (expires_ms) WHERE contact = 0 AND closed_ms = 0;
        CREATE TABLE packet_named (
          packet INTEGER NOT NULL, contact INTEGER NOT NULL, PRIMARY KEY (packet, contact)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE packet_claim (
          id INTEGER PRIMARY KEY AUTOINCREMENT, packet INTEGER NOT NULL, contact INTEGER NOT NULL, nonce BLOB NOT NULL,
          at_ms INTEGER NOT NULL, UNIQUE (packet, contact)
        ) STRICT;
        CREATE TABLE packet_grant (
          packet INTEGER NOT NULL, place INTEGER NOT NULL, contact INTEGER NOT NULL, account BLOB NOT NULL,
          nonce BLOB NOT NULL, share INTEGER NOT NULL, amount INTEGER NOT NULL, pay BLOB NOT NULL,
          PRIMARY KEY (packet, place)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE packet_opening (
          packet INTEGER NOT NULL PRIMARY KEY, nonce BLOB NOT NULL, state INTEGER NOT NULL, place INTEGER NOT NULL,
          share INTEGER NOT NULL, amount INTEGER NOT NULL, pay BLOB NOT NULL, reason INTEGER NOT NULL
        ) STRICT;
        """,
    ),
)
_PACKET = (
    "id, contact, packet, unit, total, count, is_random, root, seed_hash, seed, note, sent_ms, expires_ms, closed_ms,"
    " fault"
)
_OPENING = "nonce, state, place, share, amount, pay, reason"


class State(IntEnum):
    """How far somebody else's packet is with us. The numbers are stored."""

    WAITING = 0
    CLAIMED = 1
    GRANTED = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """A packet. contact: its sender, OURS for our own. seed: empty where it is not known. fault: "" where all is fair.

    closed_ms: since when all was told, NEVER as long as it was not.
    """

    id: int
    contact: int
    packet: bytes
    unit: str
    promised: Promise
    seed: bytes = field(repr=False)
    note: str
    sent_ms: int
    expires_ms: int
    closed_ms: int
    fault: str

    @property
    def mine(self) -> bool:
        return self.contact == OURS

    @property
    def is_closed(self) -> bool:
        return self.closed_ms != NEVER


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim on a packet of ours that waits to be answered. at_ms: when it was taken."""

    id: int
    packet: int
    contact: int
    nonce: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share that somebody got. contact, pay: in a packet of ours; NOBODY and b"" in another's."""

    place: int
    contact: int
    account: bytes
    nonce: bytes
    share: int
    amount: int
    pay: bytes

    @property
    def grant(self) -> Grant:
        return Grant(self.account, self.nonce, self.share)


@dataclass(frozen=True, slots=True)
class Opening:
    """How far a packet of somebody else is with us. share, amount, pay: once granted. reason: once refused."""

    nonce: bytes = b""
    state: State = State.WAITING
    place: int = 0
    share: int = 0
    amount: int = 0
    pay: bytes = b""
    reason: int = 0


def put(tx: Tx, one: Kept) -> int | None:
    """Keeps a packet, whose id is not looked at; returns its row, None where this one is here already."""
    promised = one.promised
    row = tx.one(
        f"INSERT INTO packet ({_PACKET.removeprefix('id, ')}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING id",
        (
            *(one.contact, one.packet, one.unit, promised.total, promised.count, int(promised.is_random)),
            *(promised.root, promised.seed_hash, one.seed, one.note, one.sent_ms, one.expires_ms, one.closed_ms),
            one.fault,
        ),
    )
    if row is None:
        return None
    tx.changed(CHANGED, row[0])
    return int(row[0])


def packet(tx: Tx, packet_id: int) -> Kept | None:
    """The packet in this row."""
    row = tx.one(f"SELECT {_PACKET} FROM packet WHERE id = ?", (packet_id,))
    return None if row is None else _kept(row)


def of(tx: Tx, contact: int, name: bytes) -> Kept | None:
    """A packet by its sender and its name."""
    row = tx.one(f"SELECT {_PACKET} FROM packet WHERE contact = ? AND packet = ?", (contact, name))
    return None if row is None else _kept(row)


def newest(tx: Tx, limit: int) -> tuple[Kept, ...]:
    """Packets, the newest first."""
    return tuple(map(_kept, tx.all(f"SELECT {_PACKET} FROM packet ORDER BY id DESC LIMIT ?", (limit,))))


def find(tx: Tx, text: str) -> Kept:
    """The packet whose id ends so. Raises: BadId, UnknownPacket, AmbiguousPacket."""
    wanted = ids.matches(text)
    rows = tx.all("SELECT id, packet FROM packet ORDER BY id DESC")
    found = [row for row, name in rows if ids.ulid(name).endswith(wanted)]
    if not found:
        raise UnknownPacket(f"There is no packet {quoted(text)} here.")
    if len(found) > 1:
        raise AmbiguousPacket(f"{len(found)} packets end in {quoted(text)}; give more of the id.")
    one = packet(tx, found[0])
    assert one is not None
    return one


def close(tx: Tx, one: Kept, seed: bytes, now_ms: int, fault: str) -> None:
    """All was told: the seed, and what is wrong with it, if anything is."""
    tx.execute(
        "UPDATE packet SET seed = ?, closed_ms = ?, fault = ? WHERE id = ?",
        (seed, now_ms, one.fault or fault, one.id),
    )
    tx.changed(CHANGED, one.id)


def blame(tx: Tx, one: Kept, fault: str) -> None:
    """Notes what its sender did wrong; the first such thing stays."""
    tx.execute("UPDATE packet SET fault = ? WHERE id = ? AND fault = ''", (fault, one.id))
    tx.changed(CHANGED, one.id)


def count_open(tx: Tx, contact: int, since_ms: int) -> int:
    """How many packets of a contact are not over, of those that have come since then."""
    row = tx.one(
        "SELECT COUNT(*) FROM packet WHERE contact = ? AND closed_ms = 0 AND sent_ms >= ?", (contact, since_ms)
    )
    assert row is not None
    return int(row[0])


def count(tx: Tx, contact: int, since_ms: int) -> int:
    """How many packets of a contact have come since then."""
    row = tx.one("SELECT COUNT(*) FROM packet WHERE contact = ? AND sent_ms >= ?", (contact, since_ms))
    assert row is not None
    return int(row[0])


# --- ours


def name(tx: Tx, packet_id: int, contacts: Sequence[int]) -> None:
    """Notes who may open a packet of ours."""
    tx.executemany("INSERT INTO packet_named (packet, contact) VALUES (?, ?)", [(packet_id, one) for one in contacts])


def named(tx: Tx, packet_id: int) -> tuple[int, ...]:
    """Who may open a packet of ours."""
    return tuple(row[0] for row in tx.all("SELECT contact FROM packet_named WHERE packet = ? ORDER BY 1", (packet_id,)))


def claim(tx: Tx, one: Kept, contact: int, nonce: bytes, now_ms: int) -> bool:
    """Takes a claim behind all before it; returns whether it was, False where one of this contact waits already."""
    made = tx.execute(
        "INSERT INTO packet_claim (packet, contact, nonce, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (one.id, contact, nonce, now_ms),
    )
    tx.changed(CHANGED, one.id)
    return bool(made.rowcount)


def next_claim(tx: Tx) -> Claimed | None:
    """The oldest claim that was not answered."""
    row = tx.one("SELECT id, packet, contact, nonce, at_ms FROM packet_claim ORDER BY id LIMIT 1")
    return None if row is None else Claimed(*row)


def answered(tx: Tx, one: Claimed) -> None:
    """A claim waits no more."""
    tx.execute("DELETE FROM packet_claim WHERE id = ?", (one.id,))
    tx.changed(CHANGED, one.packet)


def grant(tx: Tx, packet_id: int, shares: Sequence[Share]) -> None:
    """Keeps who got what."""
    tx.executemany(
        "INSERT INTO packet_grant (packet, place, contact, account, nonce, share, amount, pay)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(packet_id, one.place, one.contact, one.account, one.nonce, one.share, one.amount, one.pay) for one in shares],
    )
    tx.changed(CHANGED, packet_id)


def shares(tx: Tx, packet_id: int) -> tuple[Share, ...]:
    """Who got what, in order; of another's packet once it is over."""
    rows = tx.all(
        "SELECT place, contact, account, nonce, share, amount, pay FROM packet_grant WHERE packet = ? ORDER BY place",
        (packet_id,),
    )
    return tuple(Share(*row) for row in rows)


def due(tx: Tx, now_ms: int) -> Kept | None:
    """A packet of ours that is to be closed: all shares are taken or its time is over, and every claim is answered."""
    row = tx.one(
        f"SELECT {_PACKET} FROM packet p INDEXED BY packet_due WHERE contact = {OURS} AND closed_ms = 0"
        " AND (expires_ms <= ? OR count <= (SELECT COUNT(*) FROM packet_grant g WHERE g.packet = p.id))"
        " AND NOT EXISTS (SELECT 1 FROM packet_claim c WHERE c.packet = p.id) ORDER BY expires_ms, id LIMIT 1",
        (now_ms,),
    )
    return None if row is None else _kept(row)


def next_expiry(tx: Tx) -> int | None:
    """When the next packet of ours is over, ms since 1970."""
    row = tx.one(f"SELECT MIN(expires_ms) FROM packet INDEXED BY packet_due WHERE contact = {OURS} AND closed_ms = 0")
    return None if row is None or row[0] is None else int(row[0])


# --- theirs


def opening(tx: Tx, packet_id: int) -> Opening:
    """How far a packet of somebody else is with us."""
    row = tx.one(f"SELECT {_OPENING} FROM packet_opening WHERE packet = ?", (packet_id,))
    if row is None:
        return Opening()
    nonce, state, *rest = row
    return Opening(nonce, State(state), *rest)


def move(tx: Tx, packet_id: int, one: Opening) -> None:
    """Notes how far it is."""
    tx.execute(
        f"INSERT OR REPLACE INTO packet_opening (packet, {_OPENING}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (packet_id, one.nonce, int(one.state), one.place, one.share, one.amount, one.pay, one.reason),
    )
    tx.changed(CHANGED, packet_id)


def underway(tx: Tx, contact: int, since_ms: int) -> tuple[tuple[Kept, Opening], ...]:
    """The packets of a contact, of those that came since then, of which we have claimed or got a share."""
    rows = tx.all(f"SELECT {_PACKET} FROM packet WHERE contact = ? AND sent_ms >= ?", (contact, since_ms))
    found = ((one, opening(tx, one.id)) for one in map(_kept, rows))
    return tuple(each for each in found if each[1].state in (State.CLAIMED, State.GRANTED))


def _kept(row: Row) -> Kept:
    packet_id, contact, packet_, unit, total, count, is_random, root, seed_hash, *rest = row
    promised = Promise(total, count, bool(is_random), root, seed_hash)
    return Kept(packet_id, contact, packet_, unit, promised, *rest)
