"""What we say, until it has arrived: posted with its audience, sealed when a device is reached, acknowledged.

docs/protocol/store.md 4. The content is kept, never an envelope: a new stream or session seals it anew under the same
message-id. The order of deliveries is in lanes.py, the sessions in sessions.py, when to send in node/delivery.py.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from crypto import ratchet
from crypto.faults import Malformed
from crypto.keys import Encapsulate, Entropy
from protocol import backup_records, delivery, envelope, ids
from protocol.delivery import State
from store import devices, healing, lanes, session_rows, sessions, whereabouts
from store.database import Tx
from store.faults import AccountChanged, Blocked
from store.identity import Identity
from store.people import ContactState
from store.session_rows import Live

CHANGED = "delivery"
PAIR_KINDS = range(100, 120)  # of the room contacts: what makes two accounts contacts is said even under an alarm
ACCOUNT_CHANGED = "account_changed"
_OPEN = (ContactState.ASKED, ContactState.WAITING, ContactState.PENDING, ContactState.ACTIVE)
_UNFINISHED = (int(State.QUEUED), int(State.SENT), int(State.HELD), int(State.KEPT))


@dataclass(frozen=True, slots=True)
class Posted:
    """A message to be sent. body: the bytes of its content; at_ms: its place in the conversation."""

    message_id: ids.MessageId
    kind: int
    at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A sealed message for one device. seq: the ticket of this sealing (lanes.py); ascends in the order to send."""

    seq: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class NeedBundle:
    """Nothing can be sealed: there is no session with the device, and no bundle to begin one with. Ask for one."""

    device: int


def post(tx: Tx, contact_id: int, messages: Sequence[Posted], now_ms: int) -> int:
    """Stores messages, in order, for a contact's devices of this moment, QUEUED; returns the row of the first.

    The others have the rows after it. Raises: Blocked (blocked, refused, or not agreed yet), AccountChanged (case 34:
    until the person has decided).
    """
    audience = tx.all(
        "SELECT c.state, c.alarm, c.name, d.id FROM contact c LEFT JOIN device d ON d.contact = c.id AND d.revoked = 0"
        " WHERE c.id = ?",
        (contact_id,),
    )
    state, alarm, name, _ = audience[0]
    if state not in _OPEN:
        _refuse(ContactState(state), name)
    if alarm == ACCOUNT_CHANGED and any(one.kind not in PAIR_KINDS for one in messages):
        raise AccountChanged(
            f"{name} has another account than before; nothing was sent.",
            next=f"weft contacts verify {shlex.quote(name)}",
        )
    newest = tx.one("SELECT MAX(seq) FROM message")
    first = 1 + (newest[0] or 0 if newest else 0)
    tx.executemany(
        "INSERT INTO message (seq, message_id, contact, device, kind, state, at_ms, arrived_ms, state_ms, reason, body)"
        " VALUES (?, ?, ?, 0, ?, 0, ?, ?, ?, '', ?)",
        [
            (first + place, one.message_id, contact_id, one.kind, one.at_ms, now_ms, now_ms, one.body)
            for place, one in enumerate(messages)
        ],
    )
    rows = range(first, first + len(messages))
    for _, _, _, device_id in audience:
        if device_id is None:
            lanes.add_for_first_device(tx, contact_id, rows)
        else:
            lanes.add(tx, device_id, rows)
    return first


def put_back(tx: Tx, kept: backup_records.Message) -> None:
    """A message of ours as a backup has it; what was not delivered waits again, under the same id.

    Nobody knows what the lost device delivered afterwards, but who reads a message twice shows it once.
    Raises: Malformed when there is one of this id.
    """
    unfinished = kept.state in _UNFINISHED
    state = State.QUEUED if unfinished else kept.state
    row = tx.execute(
        "INSERT INTO message (seq, message_id, contact, device, kind, state, at_ms, arrived_ms, state_ms, reason, body)"
        " VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *(kept.number, kept.message_id, kept.contact, kept.kind, int(state), kept.at_ms, kept.arrived_ms),
            *(kept.state_ms, kept.reason, kept.body),
        ),
    )
    if row.rowcount == 0:
        raise Malformed
    rows = tx.all("SELECT id FROM device WHERE contact = ? AND revoked = 0 ORDER BY id", (kept.contact,))
    living = [device_id for (device_id,) in rows]
    waits = [device_id for device_id in living if device_id in kept.waits] or (living if unfinished else [])
    for device_id in waits:
        lanes.add(tx, device_id, (kept.number,))
    if unfinished and not living:
        lanes.add_for_first_device(tx, kept.contact, (kept.number,))


def seal(
    tx: Tx,
    identity: Identity,
    device_id: int,
    count_max: int,
    bytes_max: int,
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
) -> tuple[Outgoing, ...] | NeedBundle:
    """Envelopes of what waits for a device, oldest first, each sealed once a round.

    count_max, bytes_max: when to stop; the last envelope may exceed the bytes. A session is begun if there is none. The
    state stays QUEUED until `sent`. Empty where nothing waits or the device is closed to us.
    """
    if count_max <= 0 or bytes_max <= 0 or not is_open(tx, device_id):
        return ()
    round_, sealed = lanes.position(tx, device_id)
    waiting = list(lanes.waiting(tx, device_id, sealed, min(count_max, bytes_max // 1024 + 1)))
    if not waiting:
        return ()
    live = session_rows.load_sending(tx, device_id) or _begin(tx, identity, device_id, now_ms, entropy, encapsulate)
    if live is None:
        return NeedBundle(device_id)
    # A session that has just replaced another one has begun a new round.
    if (position := lanes.position(tx, device_id)) != (round_, sealed):
        round_, sealed = position
        waiting = list(lanes.waiting(tx, device_id, sealed, count_max))
    outgoing: list[Outgoing] = []
    size = 0
    for message, body in waiting:
        if size >= bytes_max:
            break
        ticket = lanes.ticket(device_id, round_, message)
        sealed_envelope = _seal_one(live, body or b"", lanes.stamp(ticket), now_ms, entropy, encapsulate)
        outgoing.append(Outgoing(ticket, sealed_envelope))
        size += len(sealed_envelope)
    session_rows.save(tx, live)
    lanes.seal_up_to(tx, device_id, lanes.message_of(outgoing[-1].seq))
    return tuple(outgoing)


def seal_apart(
    tx: Tx,
    identity: Identity,
    device_id: int,
    messages: Sequence[tuple[int, bytes]],
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
) -> tuple[envelope.Inner, ...] | NeedBundle:
    """What is to lie at keepers of these (message, body) of a device's lane, sealed beside the round of its streams."""
    live = session_rows.load_sending(tx, device_id) or _begin(tx, identity, device_id, now_ms, entropy, encapsulate)
    if live is None:
        return NeedBundle(device_id)
    round_, _ = lanes.position(tx, device_id)
    stamps = [lanes.stamp(lanes.ticket(device_id, round_, message)) for message, _ in messages]
    sealed = tuple(
        _seal_inner(live, body, stamp, now_ms, entropy, encapsulate)
        for stamp, (_, body) in zip(stamps, messages, strict=True)
    )
    session_rows.save(tx, live)
    return sealed


def left(tx: Tx, device_id: int, message: int, now_ms: int) -> None:
    """What nobody acknowledges is finished where keepers have it: a receipt, or a carrier."""
    _arrived(tx, device_id, (message,), now_ms)


def sent(tx: Tx, tickets: Sequence[int], now_ms: int) -> None:
    """Shows as sent what was handed to a stream and not acknowledged yet."""
    for device_id in sorted({lanes.device_of(ticket) for ticket in tickets}):
        round_, _ = lanes.position(tx, device_id)
        for ticket in tickets:
            message = lanes.message_of(ticket)
            if lanes.ticket(device_id, round_, message) != ticket:
                continue  # sealed in an earlier round: it waits again since
            row = tx.one("SELECT state FROM delivery WHERE device = ? AND message = ?", (device_id, message))
            if row is not None and row[0] == State.QUEUED:
                lanes.mark(tx, device_id, (message,), State.SENT)
                _move(tx, (message,), (State.QUEUED,), State.SENT, now_ms)


def acked(tx: Tx, device_id: int, tickets: Sequence[int], held: Sequence[int], now_ms: int) -> None:
    """Takes in an acknowledgement: delivered, but for those that the other side holds and cannot read."""
    if held:
        messages = tuple(map(lanes.message_of, held))
        lanes.mark(tx, device_id, messages, State.HELD)
        _move(tx, messages, (State.QUEUED, State.SENT, State.KEPT), State.HELD, now_ms)
    if tickets:
        _arrived(tx, device_id, tuple(map(lanes.message_of, tickets)), now_ms)
        _confirm(tx, device_id, max(map(lanes.stamp, tickets)))


def received_receipt(tx: Tx, device_id: int, message_ids: Sequence[ids.MessageId], now_ms: int) -> None:
    """Takes in an in-ratchet receipt; names that this device is not waited for are ignored (case 36b).

    It is waited for until it comes, also after we have given up: what lay at a keeper for weeks may have been read.
    """
    messages = []
    for message_id in message_ids:
        row = tx.one(
            "SELECT seq, state = ? AND contact = (SELECT contact FROM device WHERE id = ?) FROM message"
            " WHERE device = 0 AND message_id = ?",
            (int(State.EXPIRED), device_id, message_id),
        )
        if row is None:
            continue
        seq, was_given_up = row
        if was_given_up or tx.one("SELECT 1 FROM delivery WHERE device = ? AND message = ?", (device_id, seq)):
            messages.append(seq)
    _arrived(tx, device_id, messages, now_ms)


def read(tx: Tx, device_id: int, message_ids: Sequence[ids.MessageId], now_ms: int) -> None:
    """Takes in a read receipt for messages of the device's own conversation."""
    for message_id in message_ids:
        row = tx.one(
            "SELECT seq FROM message WHERE device = 0 AND message_id = ?"
            " AND contact = (SELECT contact FROM device WHERE id = ?)",
            (message_id, device_id),
        )
        if row is not None:
            lanes.finish(tx, device_id, (row[0],))
            _move(tx, (row[0],), (*State,), State.READ, now_ms)
            tx.execute("UPDATE message SET reason = '' WHERE seq = ? AND reason != ''", row)


def seal_init(tx: Tx, session: ids.SessionId, body: bytes, entropy: Entropy, now_ms: int) -> envelope.Init:
    """The init of a session that nobody has answered (sessions.asking), with this content: it is not in the outbox."""
    row = tx.one("SELECT device FROM session WHERE sid = ?", (session,))
    assert row is not None
    live = next(live for live in session_rows.load(tx, row[0]) if live.sid == session)
    init = sessions.seal_init(live, body, entropy, now_ms)
    session_rows.save(tx, live)
    return init


def requeue(tx: Tx, device_id: int) -> None:
    """Everything unfinished goes out again, sealed anew: at the start of each stream, and after a new session."""
    messages = lanes.new_round(tx, device_id)
    rows = [(int(State.QUEUED), message, int(State.SENT), int(State.HELD)) for message in messages]
    tx.executemany("UPDATE message SET state = ? WHERE seq = ? AND state IN (?, ?)", rows)
    _tell(tx, messages)


def requeue_held(tx: Tx, device_id: int, _now_ms: int) -> bool:
    """Starts a new round when the other side holds something that it cannot read; returns whether it did."""
    if not lanes.has_held(tx, device_id):
        return False
    requeue(tx, device_id)
    return True


def expire(tx: Tx, now_ms: int) -> None:
    """Gives up what was not delivered within 30 days."""
    for device_id, message in lanes.oldest(tx, now_ms - delivery.EXPIRE_MS):
        reason = whereabouts.why_expired(tx, message, now_ms)  # before it is forgotten who has it
        lanes.finish(tx, device_id, (message,))
        _move(tx, (message,), (State.QUEUED, State.SENT, State.HELD, State.KEPT), State.EXPIRED, now_ms)
        expired = (reason, message, int(State.EXPIRED))
        tx.execute("UPDATE message SET reason = ? WHERE seq = ? AND state = ? AND reason = ''", expired)


def waiting(tx: Tx, device_id: int) -> int:
    """How many messages a device has not acknowledged yet."""
    return lanes.count(tx, device_id)


def _refuse(state: ContactState, name: str) -> None:
    match state:
        case ContactState.REQUEST:
            raise Blocked(
                f"{name} asks to be a contact; accept the request first.",
                next=f"weft requests accept {shlex.quote(name)}",
            )
        case ContactState.REFUSED:
            raise Blocked(f"{name} is not a contact; nothing was sent.", next="weft invite")
        case _:
            raise Blocked(f"{name} is blocked; nothing was sent.", next=f"weft contacts unblock {shlex.quote(name)}")


def is_open(tx: Tx, device_id: int) -> bool:
    """Whether anything is sealed for a device: it is not revoked, and its contact is none whom we have turned away."""
    row = tx.one(
        "SELECT c.state FROM device d JOIN contact c ON c.id = d.contact WHERE d.id = ? AND d.revoked = 0", (device_id,)
    )
    return row is not None and row[0] in _OPEN


def _begin(
    tx: Tx, identity: Identity, device_id: int, now_ms: int, entropy: Entropy, encapsulate: Encapsulate
) -> Live | None:
    """A new session to send in, or None without a bundle. The first is plain, a later one a restart."""
    device = devices.device(tx, device_id)
    bundle = sessions.usable_bundle(device, now_ms)
    if bundle is None:
        return None
    if device.counter == 0 and healing.state(tx, device_id).counter < 0:
        sessions.start(tx, identity, device, bundle, now_ms, entropy, encapsulate)
    else:
        sessions.replace(tx, identity, device, bundle, now_ms, entropy, encapsulate)
    return session_rows.load_sending(tx, device_id)


def _seal_one(
    live: Live, plaintext: bytes, stamp: int, now_ms: int, entropy: Entropy, encapsulate: Encapsulate
) -> bytes:
    return envelope.enclose(_seal_inner(live, plaintext, stamp, now_ms, entropy, encapsulate))


def _seal_inner(
    live: Live, plaintext: bytes, stamp: int, now_ms: int, entropy: Entropy, encapsulate: Encapsulate
) -> envelope.Inner:
    r = live.r
    starts = not r.send_chain
    message = envelope.Message(*ratchet.encrypt(r, plaintext, entropy, encapsulate, now_ms))
    if starts:
        live.turn_seal = stamp if r.fields else 0
    if not live.first_seal:
        live.first_seal = stamp
    return sessions.wrapped(live, message) if live.init else message


def _confirm(tx: Tx, device_id: int, newest_stamp: int) -> None:
    """An acknowledgement proves that the other side keeps the session, and has read the KEM fields of our turn."""
    row = tx.one(
        "SELECT init != x'' AND first_seal BETWEEN 1 AND ?1, turn_seal BETWEEN 1 AND ?1 FROM session"
        " WHERE device = ?2 AND receive_only = 0 ORDER BY counter DESC, sid LIMIT 1",
        (newest_stamp, device_id),
    )
    if row is None or not any(row):
        return
    live = session_rows.load_sending(tx, device_id)
    assert live is not None
    is_answered, is_confirmed = row
    if is_answered:
        live.init = b""
    if is_confirmed:
        live.turn_seal = 0
        if live.r.fields:
            ratchet.confirm(live.r, ratchet.last_sent(live.r).turn)
    session_rows.save(tx, live)


def _arrived(tx: Tx, device_id: int, messages: Sequence[int], now_ms: int) -> None:
    lanes.finish(tx, device_id, messages)
    before = (State.QUEUED, State.SENT, State.HELD, State.EXPIRED, State.KEPT)
    _move(tx, messages, before, State.DELIVERED, now_ms)
    arrived = [(message, int(State.DELIVERED)) for message in messages]  # not true any more: why it was given up
    tx.executemany("UPDATE message SET reason = '' WHERE seq = ? AND state = ? AND reason != ''", arrived)


def _move(tx: Tx, messages: Sequence[int], before: Sequence[State], after: State, now_ms: int) -> None:
    """Moves messages on that are in one of these states (docs/protocol/delivery.md 2). A message with several
    deliveries is as far as the furthest of them."""
    allowed = ",".join(str(int(state)) for state in before)
    rows = [(int(after), now_ms, message) for message in messages]
    tx.executemany(f"UPDATE message SET state = ?, state_ms = ? WHERE seq = ? AND state IN ({allowed})", rows)
    _tell(tx, messages)


def _tell(tx: Tx, messages: Sequence[int]) -> None:
    for message in messages:
        if message != lanes.CARRIER:
            tx.changed(CHANGED, message)
