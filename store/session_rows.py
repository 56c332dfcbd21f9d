"""Sessions as rows and in memory: loaded in their rank, saved once for a batch, deleted when they are of no more use.

How a session begins and is replaced: sessions.py.
"""

from dataclasses import dataclass, field
from typing import Any

from crypto import ratchet
from crypto.faults import PeerFault, Replayed, Unreadable
from crypto.handshake import Agreed
from crypto.ratchet import Ratchet
from protocol import ids, wire
from store import pairs
from store.database import Tx
from store.devices import Device

RECEIVING_MAX = 4  # sessions that only receive, beside the one that sends
RECEIVING_MS = 30 * 86_400_000  # how long they do
RECENT_MAX = 128  # messages whose copies are recognised byte by byte: a quarter of a talk's window
STATE_BYTES_MAX = 512 * 1024  # 2,000 skipped keys, 2,000 lost numbers, 64 header keys: about 130 KiB
_MARK_BYTES = 8


@dataclass(slots=True, repr=False)
class Live:
    """A session in memory, for one transaction. id: 0 until it is kept.

    init: the pending init (sessions.wrapped), empty once the other side has answered. failed: the session that a
    restart replaces, empty for a plain init. first_seal, turn_seal: stamps of the first sealing in this session, and of
    the first in a turn whose header repeats KEM fields; 0 when there was none. prekey: the number of our
    prekeys that it began with, 0 when we began it. recent: marks of messages received, 8 bytes each.
    """

    id: int
    sid: ids.SessionId
    counter: int
    receive_only: bool
    created_ms: int
    boot: bytes
    init: bytes
    failed: bytes
    first_seal: int
    turn_seal: int
    prekey: int
    recent: bytes
    frozen: bytes
    heard_ms: int = 0
    ephemeral: bytes = b""
    thawed: Ratchet | None = None
    heard: list[bytes] = field(default_factory=list)

    @property
    def r(self) -> Ratchet:
        """The ratchet; what is done to it is not stored before `save`."""
        if self.thawed is None:
            frozen: Any = wire.decode(self.frozen, STATE_BYTES_MAX)
            self.thawed = ratchet.thaw(frozen)
        return self.thawed

    def note(self, header: bytes, now_ms: int) -> None:
        """A message with this sealed header was opened: the other side has the session, and so its init."""
        self.heard.append(header[:_MARK_BYTES])
        self.heard_ms = now_ms
        self.init = b""

    def had(self, header: bytes) -> bool:
        """Whether a message with this sealed header came lately: then its copy is nothing new."""
        mark = header[:_MARK_BYTES]
        return mark in self.heard or mark in (
            self.recent[at : at + _MARK_BYTES] for at in range(0, len(self.recent), _MARK_BYTES)
        )


_COLUMNS = (
    "id, sid, counter, receive_only, created_ms, boot, init, failed, first_seal, turn_seal, prekey, recent, state,"
    " heard_ms"
)
_RANKED = f"SELECT {_COLUMNS} FROM session WHERE device = ? ORDER BY receive_only, counter DESC, sid"


def load(tx: Tx, device_id: int) -> list[Live]:
    """The sessions with a device; the first is the one that sends, unless all only receive."""
    return [_live(row) for row in tx.execute(_RANKED, (device_id,))]


def load_sending(tx: Tx, device_id: int) -> Live | None:
    """The session that sends to a device."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM session WHERE device = ? AND receive_only = 0 ORDER BY counter DESC, sid LIMIT 1",
        (device_id,),
    )
    return None if row is None else _live(row)


def sending(tx: Tx, device_id: int) -> ids.SessionId | None:
    """The id of the session that sends to a device."""
    live = load_sending(tx, device_id)
    return None if live is None else live.sid


def knows(tx: Tx, device_id: int, header: bytes, body: bytes, now_ms: int) -> bool:
    """Whether a message belongs to a session with this device; nothing is changed."""
    for live in load(tx, device_id):
        try:
            ratchet.decrypt(live.r, header, body, now_ms)
        except Unreadable:
            continue
        except PeerFault:
            return True  # it does, and is a copy, or damaged
        return True
    return False


def save(tx: Tx, live: Live) -> None:
    """Writes what sealing and opening have changed, once for a batch."""
    if live.heard:
        live.recent = (live.recent + b"".join(live.heard))[-RECENT_MAX * _MARK_BYTES :]
        live.heard = []
    tx.execute(
        "UPDATE session SET init = ?, first_seal = ?, turn_seal = ?, recent = ?, heard_ms = ?, state = ? WHERE id = ?",
        (live.init, live.first_seal, live.turn_seal, live.recent, live.heard_ms, _frozen(live.r), live.id),
    )


def new(agreed: Agreed, counter: int, now_ms: int, r: Ratchet) -> Live:
    """A session that is not stored yet."""
    return Live(
        id=0,
        sid=ids.SessionId(agreed.session),
        counter=counter,
        receive_only=False,
        created_ms=now_ms,
        boot=agreed.boot,
        init=b"",
        failed=b"",
        first_seal=0,
        turn_seal=0,
        prekey=0,
        recent=b"",
        frozen=b"",
        thawed=r,
    )


def insert(tx: Tx, device: Device, live: Live) -> None:
    """Stores a new session. Raises: Replayed when it exists: the same ephemeral key and prekeys."""
    if tx.one("SELECT 1 FROM session WHERE sid = ?", (live.sid,)) is not None:
        raise Replayed
    boot = b"" if pairs.has_secret(tx, device.contact) else live.boot
    live.id = tx.insert(
        "INSERT INTO session (sid, device, counter, receive_only, created_ms, heard_ms, boot, init, failed, first_seal,"
        " turn_seal, prekey, recent, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            live.sid,
            device.id,
            live.counter,
            int(live.receive_only),
            live.created_ms,
            live.heard_ms,
            boot,
            live.init,
            live.failed,
            live.first_seal,
            live.turn_seal,
            live.prekey,
            live.recent,
            _frozen(live.r),
        ),
    )


def keep_boot(tx: Tx, live: Live) -> None:
    """Keeps what the first channel is proven with, also where the pair has a secret: the other may have lost it."""
    tx.execute("UPDATE session SET boot = ? WHERE id = ?", (live.boot, live.id))


def prune(tx: Tx, device_id: int, now_ms: int) -> None:
    """Deletes receiving sessions beyond the newest 4 and those older than 30 days."""
    live = load_sending(tx, device_id)
    rows = tx.all(
        "SELECT id, MAX(created_ms, heard_ms) AS at FROM session WHERE device = ? ORDER BY at DESC, id",
        (device_id,),
    )
    others = [(session, at) for session, at in rows if live is None or session != live.id]
    gone = [(session,) for n, (session, at) in enumerate(others) if n >= RECEIVING_MAX or now_ms - at > RECEIVING_MS]
    tx.executemany("DELETE FROM session WHERE id = ?", gone)


def _frozen(r: Ratchet) -> bytes:
    return wire.encode(ratchet.freeze(r))


def _live(row: tuple[Any, ...]) -> Live:
    return Live(*row)
