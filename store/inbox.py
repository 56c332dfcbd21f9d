"""What devices of contacts say: opened, heard, applied and kept, all in the transaction before the acknowledgement.

    envelope -> inner -> session -> plaintext -> content -> row in `message` -> the room's apply

docs/protocol/store.md 5 and 6. An envelope is final when it was taken in, is a known duplicate, or is nonsense. What is
authentic but cannot be read is held: its sender keeps it. Sealing is in outbox.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import outcome

from crypto import ratchet
from crypto.faults import BodyForged, Malformed, Paused, Replayed, TooFarAhead, Unreadable
from protocol import backup_records, carrying, content, envelope, ids, receipt
from protocol.content import Channel, Said
from protocol.delivery import State
from protocol.faults import PeerFault
from store import devices, healing, people, quarantine, session_rows, sessions
from store.database import Outcome, Tx
from store.devices import Device
from store.identity import Identity
from store.people import Contact, ContactState
from store.prekeys import PrekeysGone
from store.session_rows import Live
from store.sessions import ListUnknown, needs_restart

__all__ = [
    "Accepted",
    "Apply",
    "Arrival",
    "Rooms",
    "accept",
    "needs_restart",
    "put_back",
    "retry_quarantine",
    "retry_unheard",
]

# Of somebody who asks to be a contact, the invitation's dialogue keeps the card and one greeting, and nothing more.
_CLOSED = (ContactState.REQUEST, ContactState.BLOCKED, ContactState.REFUSED)
_LAST = 2**62
# The contact may have said it by another device, which is lost: store 5.2.
_SAID_BEFORE = "SELECT 1 FROM device d CROSS JOIN message m ON m.device = d.id WHERE d.contact = ? AND m.message_id = ?"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A content that has come. seq: its row in `message`."""

    contact: Contact
    device: Device
    seq: int
    said: Said
    channel: Channel
    now_ms: int


Apply = Callable[[Tx, Arrival], object]
"""Folds an arrival into a room's tables; runs in a savepoint. Raises: PeerFault for a content that is to be dropped."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the rooms understand, and what they do with it, by kind."""

    kinds: content.Kinds
    apply: Mapping[int, Apply]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The outcome of a batch. held: indexes of envelopes that cannot be read yet; all others are final.

    read: messages that were held earlier and are readable now; the sender is owed a receipt. unreadable: a restart may
    be due (needs_restart). renewed: a session began, so what is not acknowledged may wait to be sealed anew. heard: all
    that was opened and is kept, also what was known already; the sender is owed a receipt where no stream tells him.
    """

    held: tuple[int, ...]
    read: tuple[ids.MessageId, ...]
    unreadable: bool
    renewed: bool = False
    heard: tuple[ids.MessageId, ...] = ()


class _Fate(Enum):
    """What becomes of an envelope."""

    FINAL = "final"
    WAITS = "waits"  # held, and tried again from the quarantine
    GARBLED = "garbled"  # held, and only another sealing helps


_FATES: tuple[tuple[tuple[type[PeerFault], ...], _Fate], ...] = (
    ((TooFarAhead, Paused, ListUnknown), _Fate.WAITS),
    ((BodyForged, Replayed, PrekeysGone), _Fate.GARBLED),
)


_Fold = Callable[[Tx, Rooms, Arrival], Outcome[object]]


class _RoomFailed(Exception):
    """A room raised something while no savepoint was set: the whole batch is done again, with one for each arrival."""


@dataclass(slots=True)
class _Batch:
    """One call of `accept`: what it has in memory until it is saved."""

    tx: Tx
    rooms: Rooms
    device: Device
    contact: Contact
    now_ms: int
    lives: list[Live]
    fold: _Fold
    touched: dict[int, Live] = field(default_factory=dict)
    taken: list[ids.MessageId] = field(default_factory=list)
    read: list[ids.MessageId] = field(default_factory=list)
    heard: list[ids.MessageId] = field(default_factory=list)
    is_new_session: bool = False


def accept(
    tx: Tx,
    rooms: Rooms,
    identity: Identity,
    device_id: int,
    envelopes: Sequence[bytes],
    now_ms: int,
) -> Accepted:
    """Takes in envelopes of a device whose channel is proven, in order. Never raises for what is in them."""
    # A savepoint for each arrival costs a tenth of all; hardly any room ever fails.
    bold = tx.attempt(_accept, tx, rooms, identity, device_id, envelopes, now_ms, _apply_boldly)
    if isinstance(bold, outcome.Error) and isinstance(bold.error, _RoomFailed):
        return _accept(tx, rooms, identity, device_id, envelopes, now_ms, _apply)
    return bold.unwrap()


def retry_quarantine(
    tx: Tx, rooms: Rooms, identity: Identity, device_id: int, now_ms: int
) -> tuple[ids.MessageId, ...]:
    """Tries what is kept of a device again, newest first, 50 at a time as long as some become readable.

    Returns the messages that did; the sender is owed a receipt for them.
    """
    batch = _begin(tx, rooms, device_id, now_ms, _apply)
    _retry(batch, identity)
    _save(batch)
    return tuple(batch.read)


def retry_unheard(tx: Tx, rooms: Rooms, now_ms: int) -> int:
    """Hears contents again that this version may understand by now, oldest first; returns how many are applied."""
    rows = tx.all("SELECT u.message, m.device, m.body FROM unheard u JOIN message m ON m.seq = u.message ORDER BY 1")
    count = 0
    for seq, device_id, body in rows:
        device = devices.device(tx, device_id)
        said = _heard(rooms.kinds, body)
        if said is None or said.content is None:
            continue
        arrival = Arrival(people.contact(tx, device.contact), device, seq, said, Channel.RATCHET, now_ms)
        if not isinstance(_apply(tx, rooms, arrival), outcome.Error):
            tx.execute("DELETE FROM unheard WHERE message = ?", (seq,))
            count += 1
    return count


def put_back(tx: Tx, kinds: content.Kinds, kept: backup_records.Message) -> None:
    """A message of a contact as a backup has it. Raises: Malformed when the device said it before."""
    row = tx.execute(
        "INSERT INTO message (seq, message_id, contact, device, kind, state, at_ms, arrived_ms, state_ms, reason, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?) ON CONFLICT DO NOTHING",
        (
            *(kept.number, kept.message_id, kept.contact, kept.device, kept.kind, int(State.DELIVERED), kept.at_ms),
            *(kept.arrived_ms, kept.state_ms, kept.body),
        ),
    )
    if row.rowcount == 0:
        raise Malformed
    said = _heard(kinds, kept.body)
    if said is None or said.content is None:
        tx.execute("INSERT INTO unheard (message, kind, reason) VALUES (?, ?, 'unknown')", (kept.number, kept.kind))


def _heard(kinds: content.Kinds, body: bytes) -> content.Said | None:
    """What a kept message says; None where it came before this version knew its kind, and is not of its shape."""
    try:
        return kinds.hear(body, Channel.RATCHET)
    except PeerFault:
        return None


def _accept(
    tx: Tx,
    rooms: Rooms,
    identity: Identity,
    device_id: int,
    envelopes: Sequence[bytes],
    now_ms: int,
    fold: _Fold,
) -> Accepted:
    batch = _begin(tx, rooms, device_id, now_ms, fold)
    if batch.contact.state in _CLOSED or batch.device.revoked:
        return Accepted(tuple(range(len(envelopes))), (), False)
    held: list[int] = []
    waits: list[bytes] = []
    garbled = False
    for index, raw in enumerate(envelopes):
        try:
            fate = _take(batch, identity, envelope.disclose(raw))
        except PeerFault as fault:
            fate = _fate(fault)
        if fate is _Fate.FINAL:
            continue
        held.append(index)
        if fate is _Fate.WAITS:
            waits.append(raw)
        else:
            garbled = True
    if waits:
        quarantine.put(tx, batch.contact.id, device_id, waits, now_ms)
    if garbled:
        healing.garbled(tx, device_id, now_ms)
    if batch.is_new_session:
        _retry(batch, identity)
    _save(batch)
    unreadable = bool(held) or (batch.is_new_session and healing.state(tx, device_id).must)
    return Accepted(tuple(held), tuple(batch.read), unreadable, batch.is_new_session, tuple(batch.heard))


def _begin(tx: Tx, rooms: Rooms, device_id: int, now_ms: int, fold: _Fold) -> _Batch:
    device = devices.device(tx, device_id)
    contact = people.contact(tx, device.contact)
    return _Batch(tx, rooms, device, contact, now_ms, session_rows.load(tx, device_id), fold)


def _take(batch: _Batch, identity: Identity, inner: envelope.Inner) -> _Fate:
    """Opens one envelope and hears it. Raises: PeerFault where it cannot be opened."""
    match inner:
        case envelope.Message():
            live, plaintext = _open(batch, inner)
        case envelope.Init():
            live, plaintext = _open_init(batch, identity, inner, None)
        case envelope.Restart():
            live, plaintext = _open_init(batch, identity, inner.init, inner.failed)
    message = inner.init.message if isinstance(inner, envelope.Restart) else inner
    header = message.message.header if isinstance(message, envelope.Init) else message.header
    _note(batch, live, header)
    if plaintext:  # an empty one is a carrier: it brought the session, and says nothing
        _hear(batch, plaintext)
    return _Fate.FINAL


def _open(batch: _Batch, message: envelope.Message) -> tuple[Live, bytes]:
    """The session that opens a message, and its plaintext. Raises: the faults of ratchet.decrypt."""
    for live in batch.lives:
        try:
            plaintext, _ = ratchet.decrypt(live.r, message.header, message.body, batch.now_ms)
        except Unreadable:
            continue
        except Replayed:
            raise (_Known if live.had(message.header) else Replayed) from None
        except BodyForged:
            batch.touched[live.id] = live  # its failure budget has changed
            raise
        return live, plaintext
    raise Unreadable


def _open_init(
    batch: _Batch, identity: Identity, init: envelope.Init, failed: ids.SessionId | None
) -> tuple[Live, bytes]:
    """The session of an init, stored if it is new and its message opens, and the plaintext."""
    answered = sessions.answer(batch.tx, identity, batch.device, init, failed, batch.now_ms)
    if isinstance(answered, bytes):  # store 5.3: a known ephemeral key skips the agreement
        if all(live.sid != answered for live in batch.lives):
            raise _Known
        return _open(batch, init.message)
    plaintext = sessions.open_first(answered, init.message, batch.now_ms)
    sessions.keep(batch.tx, batch.device, answered, batch.now_ms)
    batch.touched[answered.id] = answered
    _save(batch)
    batch.lives = session_rows.load(batch.tx, batch.device.id)
    batch.is_new_session = True
    return next(live for live in batch.lives if live.id == answered.id), plaintext


class _Known(PeerFault):
    """A byte-for-byte copy of a message that was taken in already."""


def _note(batch: _Batch, live: Live, header: bytes) -> None:
    live.note(header, batch.now_ms)
    batch.touched[live.id] = live


def _hear(batch: _Batch, plaintext: bytes) -> None:
    """Keeps one content and lets its room apply it; what the room cannot apply is kept to be heard again."""
    try:
        # What begins a session is in its ratchet too: only the dialogue of an invitation is the channel INIT.
        said = batch.rooms.kinds.hear(plaintext, Channel.RATCHET)
    except PeerFault:
        return  # the ratchet has moved on; the same content would be refused again
    if said.kind != receipt.Receipt.KIND:
        batch.heard.append(said.message_id)
    tx = batch.tx
    row = tx.execute(
        "INSERT INTO message (message_id, contact, device, kind, state, at_ms, arrived_ms, state_ms, reason, body)"
        f" SELECT ?, ?, ?, ?, ?, ?, ?, ?, '', ? WHERE NOT EXISTS ({_SAID_BEFORE})"
        " ON CONFLICT (device, message_id) DO NOTHING",
        (
            said.message_id,
            batch.contact.id,
            batch.device.id,
            said.kind,
            int(State.DELIVERED),
            said.hlc_ms,
            batch.now_ms,
            batch.now_ms,
            b"" if said.content is not None and said.kind in carrying.PASSING else said.raw,
            batch.contact.id,
            said.message_id,
        ),
    )
    if row.rowcount == 0:
        return  # sealed anew by its sender, and known already
    batch.taken.append(said.message_id)
    seq = row.lastrowid
    if said.content is None:
        tx.execute("INSERT INTO unheard (message, kind, reason) VALUES (?, ?, 'unknown')", (seq, said.kind))
        return
    result = batch.fold(tx, batch.rooms, Arrival(batch.contact, batch.device, seq, said, Channel.RATCHET, batch.now_ms))
    if isinstance(result, outcome.Error):
        if isinstance(result.error, PeerFault):
            tx.execute("DELETE FROM message WHERE seq = ?", (seq,))
        else:
            why = type(result.error).__name__
            tx.execute("INSERT INTO unheard (message, kind, reason) VALUES (?, ?, ?)", (seq, said.kind, why))
    if batch.contact.state is not ContactState.ACTIVE:
        batch.contact = people.contact(tx, batch.contact.id)


def _apply(tx: Tx, rooms: Rooms, arrival: Arrival) -> Outcome[object]:
    apply = rooms.apply.get(arrival.said.kind)
    return outcome.Value(None) if apply is None else tx.attempt(apply, tx, arrival)


def _apply_boldly(tx: Tx, rooms: Rooms, arrival: Arrival) -> Outcome[object]:
    apply = rooms.apply.get(arrival.said.kind)
    if apply is None:
        return outcome.Value(None)
    result: Outcome[object] = outcome.capture(apply, tx, arrival)
    if isinstance(result, outcome.Error):
        raise _RoomFailed if isinstance(result.error, Exception) else result.error
    return result


def _retry(batch: _Batch, identity: Identity) -> None:
    before = _LAST
    while page := quarantine.newest(batch.tx, batch.device.id, before):
        before = page[-1][0]
        mended = 0
        for seq, raw in reversed(page):
            taken = len(batch.taken)
            if _retry_one(batch, identity, raw):
                mended += 1
                quarantine.drop(batch.tx, seq)
                batch.read += batch.taken[taken:]
        if not mended:
            return


def _retry_one(batch: _Batch, identity: Identity, raw: bytes) -> bool:
    """Whether an envelope is done with. Ratchets are tried as copies, so that a failure costs their budget nothing."""
    kept = [(live, live.r.clone()) for live in batch.lives]
    try:
        return _take(batch, identity, envelope.disclose(raw)) is _Fate.FINAL
    except PeerFault as fault:
        for live, r in kept:
            live.thawed = r
        return _fate(fault) is not _Fate.WAITS


def _fate(fault: PeerFault) -> _Fate:
    if type(fault) is Unreadable:
        return _Fate.WAITS
    return next((fate for faults, fate in _FATES if isinstance(fault, faults)), _Fate.FINAL)


def _save(batch: _Batch) -> None:
    for live in batch.touched.values():
        session_rows.save(batch.tx, live)
    batch.touched.clear()
