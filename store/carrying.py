"""How far each reader of our logs was carried them by mail, and what he has said that he holds of them.

    shown ──carry──> on its way, a window at a time ──he holds it──> held
                          └──lost, never granted, its life over──> carried again

docs/protocol/carrying.md 2. What may be carried to whom is said by the desks (node/logs/desks.py); when, and whether he
is away, in node/logs/carrier.py. Not here: what others carry to us (carried.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from crypto.keys import Entropy
from protocol import carrying, delivery
from protocol.carrying import Carried, Holding
from protocol.grant import Role
from store import doubts, entries, logs, spaces, windows
from store.database import Row, Tx
from store.entries import Held
from store.inbox import Arrival
from store.people import STOPS, ContactState
from store.witnessing import NotShared

CHANGED = "carrying"  # a topic: a reader has said what he holds; its key is the number of the log
HEADERS_ALONE = frozenset({Role.SPINE})  # as on streams (spine 1.4)
WINDOW_ENTRIES = 256  # on their way to one reader of one log: what a gap lets wait there (log 5.3)
WINDOW_BYTES = 1 << 20
FAR_ENTRIES = 1024  # who lacks more gets the newest by mail, and the rest on a stream
NEWEST_ENTRIES = 128
LACK_MS = 3_600_000  # before it is carried again to somebody who has said that he did not get it
SPINE_MS = 6 * 3_600_000  # between two contents with a spine for one reader: each of our contacts gets it
ASK_MS = 86_400_000  # before an anchor is asked again for what he holds and we do not
NONCE_BYTES = 16


class Standing(IntEnum):
    """What a reader's last word means."""

    WELL = 0
    LACKS = 1  # something was lost on its way
    OTHER = 2  # the anchor holds something else, or more, or is to be asked: nothing is offered before that is known


@dataclass(frozen=True, slots=True)
class Way:
    """A reader of a log of ours. number: of the log; account: 32 bytes, his. held, sent: so many entries.

    held: that he is known to have; sent: that he has, or that are on their way since `sent_ms`.
    """

    number: int
    role: Role
    is_anchor: bool
    contact: int
    account: bytes
    held: int
    sent: int
    sent_ms: int
    standing: Standing


def ways(tx: Tx) -> tuple[Way, ...]:
    """The readers who were granted logs of ours, log by log; of frozen logs nobody."""
    rows = tx.all(
        "SELECT r.log, s.role, s.anchor = c.account, r.contact, c.account, COALESCE(w.held, 0), COALESCE(w.sent, 0),"
        " COALESCE(w.sent_ms, 0), COALESCE(w.standing, 0) FROM reader r JOIN contact c ON c.id = r.contact"
        " JOIN log l ON l.number = r.log JOIN space s ON s.log = r.log"
        " LEFT JOIN carrying w ON w.log = r.log AND w.contact = r.contact"
        " WHERE r.told = 1 AND c.state = ? AND c.alarm != ? AND l.own = 1 AND l.state != ? ORDER BY r.log, r.contact",
        (int(ContactState.ACTIVE), STOPS, logs.State.FROZEN),
    )
    return tuple(map(_way, rows))


def due(tx: Tx, way: Way, upto: int, now_ms: int) -> tuple[Held, ...] | None:
    """What is to be carried to a reader now, oldest first; nothing where he is only to be asked; None for not now.

    upto: so many entries may he be sent.
    """
    passed_ms = abs(now_ms - way.sent_ms)  # a clock that was ahead does not stop it for a year
    if way.standing is Standing.OTHER:
        return () if passed_ms >= ASK_MS else None
    sent = way.sent
    if way.held < sent and passed_ms >= delivery.EXPIRE_MS:  # no keeper and no outbox has it any more
        sent = way.held
    if sent >= upto or (way.standing is Standing.LACKS and passed_ms < LACK_MS):
        return None
    if way.role is Role.SPINE and passed_ms < SPINE_MS:
        return None
    if not way.is_anchor and upto - way.held > FAR_ENTRIES:
        newest = entries.read(tx, way.number, upto - NEWEST_ENTRIES, NEWEST_ENTRIES, WINDOW_BYTES)
        return newest if sent == way.held else None
    count = min(WINDOW_ENTRIES - (sent - way.held), upto - sent)
    room = WINDOW_BYTES - entries.size(tx, way.number, way.held, sent)
    return (entries.read(tx, way.number, sent, count, room) or None) if count > 0 and room > 0 else None


def carry(tx: Tx, way: Way, found: Sequence[Held], entropy: Entropy, now_ms: int) -> tuple[Carried, ...]:
    """What is said to a reader, in order; to be put into the outbox in this transaction. found: as `due` gave it."""
    of = spaces.space(tx, way.number)
    bare, given = of.role in HEADERS_ALONE, windows.given(tx, way.number, found, now_ms)
    parts = tuple(carrying.packed([(one.raw, None if bare else one.content) for one in given])) or ((),)
    said = tuple(carrying.carried(of.log.id, entropy(NONCE_BYTES), of.log.published + 1, part) for part in parts)
    sent = found[-1].seq + 1 if found else way.sent
    standing = Standing.WELL if found else way.standing
    _row(tx, way.number, way.contact)
    tx.execute(
        "UPDATE carrying SET sent = ?, sent_ms = ?, nonce = ?, standing = ? WHERE log = ? AND contact = ?",
        (sent, now_ms, said[-1].nonce, int(standing), way.number, way.contact),
    )
    if way.is_anchor:
        doubts.asked(tx, way.number, said[-1].nonce)
    return said


def known(tx: Tx, number: int, contact_id: int, count: int) -> None:
    """A session has shown that a reader has so many entries of a log: they are not carried to him."""
    _row(tx, number, contact_id)
    tx.execute(
        "UPDATE carrying SET held = MAX(held, ?), sent = MAX(sent, ?) WHERE log = ? AND contact = ?",
        (count, count, number, contact_id),
    )


def heard(tx: Tx, arrival: Arrival) -> None:
    """A reader has said what he holds of a log of ours; of its anchor it is published. Raises: PeerFault."""
    said = arrival.said.content
    assert isinstance(said, Holding)
    said.check()
    log, contact_id = logs.by_id(tx, said.log), arrival.contact.id
    if log is None or not log.own or contact_id not in spaces.readers(tx, log.number):
        raise NotShared
    _row(tx, log.number, contact_id)
    row = tx.one("SELECT sent, nonce FROM carrying WHERE log = ? AND contact = ?", (log.number, contact_id))
    assert row is not None
    sent, nonce = row
    is_newest, is_anchor = nonce == said.nonce, spaces.space(tx, log.number).anchor == arrival.contact.account
    if not _is_here(tx, log.number, said):
        if is_newest:
            _parted(tx, log.number, contact_id, said.count, is_anchor)
        return
    tx.execute(
        "UPDATE carrying SET heard_ms = ? WHERE log = ? AND contact = ?", (arrival.now_ms, log.number, contact_id)
    )
    if is_anchor and said.count:
        logs.publish(tx, log.number, said.count - 1)
        tx.changed(logs.TOPIC, log.number)
    if not is_newest:  # what came later to him is still to be answered
        known(tx, log.number, contact_id, said.count)
        return
    if is_anchor:
        doubts.answered(tx, log.number, said.nonce)
    if said.count >= sent or (not is_anchor and sent - said.count > FAR_ENTRIES):
        _stand(tx, log.number, contact_id, said.count, max(sent, said.count), Standing.WELL)
        return
    _stand(tx, log.number, contact_id, said.count, said.count, Standing.LACKS)
    if not said.count:
        spaces.forgotten(tx, log.number, contact_id)


def held(tx: Tx, number: int) -> Mapping[int, int]:
    """Contact -> how many entries of a log of ours he is known to have, as far as that is written down."""
    return dict(tx.all("SELECT contact, held FROM carrying WHERE log = ? AND held > 0", (number,)))


def heard_ms(tx: Tx, number: int, contact_id: int) -> int:
    """When a reader has last said by mail what he holds of a log of ours; 0 for never."""
    row = tx.one("SELECT heard_ms FROM carrying WHERE log = ? AND contact = ?", (number, contact_id))
    return 0 if row is None else int(row[0])


def regained(tx: Tx, number: int, contact_id: int, theirs: int) -> None:
    """What the anchor gave back is here: so many entries from the start. He is asked again where he holds more."""
    _row(tx, number, contact_id)
    row = tx.one("SELECT told FROM carrying WHERE log = ? AND contact = ?", (number, contact_id))
    assert row is not None
    is_more = row[0] > theirs
    _stand(tx, number, contact_id, theirs, theirs, Standing.OTHER if is_more else Standing.WELL)
    tx.execute("UPDATE carrying SET sent_ms = 0 WHERE log = ? AND contact = ?", (number, contact_id))


def _way(row: Row) -> Way:
    number, role, is_anchor, contact_id, account, held, sent, sent_ms, standing = row
    return Way(number, Role(role), bool(is_anchor), contact_id, account, held, sent, sent_ms, Standing(standing))


def _parted(tx: Tx, number: int, contact_id: int, count: int, is_anchor: bool) -> None:
    """A reader holds entries of our log that are not here: its anchor has them, and is asked, or gives them back."""
    if is_anchor:
        tx.execute(
            "UPDATE carrying SET standing = ?, told = ? WHERE log = ? AND contact = ?",
            (int(Standing.OTHER), count, number, contact_id),
        )
        return
    newest = entries.head(tx, number)
    here = 0 if newest is None else newest.seq + 1
    if count > here:
        _stand(tx, number, contact_id, here, here, Standing.WELL)
    row = tx.one(
        "SELECT r.contact FROM reader r JOIN space s ON s.log = r.log JOIN contact c ON c.id = r.contact"
        " WHERE r.log = ? AND c.account = s.anchor",
        (number,),
    )
    if row is not None:
        _row(tx, number, row[0])
        tx.execute(
            "UPDATE carrying SET standing = ?, sent_ms = 0 WHERE log = ? AND contact = ?",
            (int(Standing.OTHER), number, row[0]),
        )
        tx.changed(CHANGED, number)


def _is_here(tx: Tx, number: int, said: Holding) -> bool:
    if said.head is None:
        return True
    one = entries.entry_at(tx, number, said.count - 1)
    return one is not None and one.id == said.head


def _stand(tx: Tx, number: int, contact_id: int, held: int, sent: int, standing: Standing) -> None:
    tx.execute(
        "UPDATE carrying SET held = ?, sent = ?, standing = ? WHERE log = ? AND contact = ?",
        (held, sent, int(standing), number, contact_id),
    )
    tx.changed(CHANGED, number)


def _row(tx: Tx, number: int, contact_id: int) -> None:
    tx.execute(
        "INSERT INTO carrying (log, contact, held, sent, sent_ms, nonce, standing, told, heard_ms)"
        " VALUES (?, ?, 0, 0, 0, x'', 0, 0, 0) ON CONFLICT DO NOTHING",
        (number, contact_id),
    )
