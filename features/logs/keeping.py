"""What a backup keeps of logs: for each contact, the secrets of those that he shares with us.

docs/protocol/backup.md 3. The entries are not in it: whoever shares a log has them, and gives them back. A device that
came back writes none of the lost one's logs; it begins their successors.
"""

from collections.abc import Iterator
from typing import Any

from crypto import keys
from crypto.faults import Malformed
from node.logs.desks import other_anchor
from protocol import log as chains
from protocol import record, wire
from protocol.grant import Grant, Role
from store import authoring, logs, spaces
from store.database import Tx
from store.identity import Identity
from store.logs import State
from store.spaces import Space

LOGS_MAX = 20  # of a contact: the newest, of 150 bytes each, in the 4 KiB that a room has for one
KEPT_BYTES_MAX = 4096
_OURS, _THEIRS = 0, 1
_LINES = frozenset({Role.LEDGER, Role.FEED})  # of these also those that are over are kept, and what goes on which


def keep(tx: Tx, contact_id: int) -> bytes | None:
    """The logs that a contact's devices write for us, and ours that he reads, each as its grant and its author."""
    found = [*_kept(tx, contact_id)]
    found.sort(key=lambda one: one[0])  # what is over goes first where it is too much; else in order
    return wire.encode(tuple(row for _, row in found[-LOGS_MAX:])) if found else None


def check(kept: bytes) -> tuple[tuple[int, bytes, Grant], ...]:
    """What `keep` gave. Raises: Malformed."""
    rows: Any = wire.decode(kept, KEPT_BYTES_MAX)
    if type(rows) is not tuple or len(rows) > LOGS_MAX:
        raise Malformed
    return tuple(map(_row, rows))


def put_back(tx: Tx, contact_id: int, kept: bytes) -> None:
    """Takes in what `keep` gave, into empty tables: logs without entries. Raises: Malformed."""
    for whose, author, said in check(kept):
        number = logs.begin(tx, chains.log_id(said.secret, author, said.epoch), author, said.secret, own=False).number
        spaces.put_back(tx, number, spaces.OURS if whose == _OURS else contact_id, said)
        if whose == _OURS:
            spaces.add_reader(tx, number, contact_id)
            spaces.told(tx, number, contact_id)


def restored(tx: Tx, me: Identity, now_ms: int, entropy: keys.Entropy) -> None:
    """Begins the successors of the lost device's logs; their readers are told when they are met."""
    for one in spaces.of(tx, spaces.OURS):
        anchor = other_anchor(tx, one)
        if not one.log.own and one.log.state is State.OK and anchor is not None:
            authoring.succeed(tx, one, anchor, me.device_key, now_ms, entropy)


def _kept(tx: Tx, contact_id: int) -> Iterator[tuple[bool, tuple[int, bytes, bytes]]]:
    """Whether it is kept after all others, and what is kept: of the logs that he writes, and of ours that he reads."""
    for one in spaces.of(tx, contact_id):
        if _is_read(one):
            yield _goes_on(one), (_THEIRS, one.log.author, record.encode(_grant(tx, one)))
    for one in spaces.of(tx, spaces.OURS):
        if _is_read(one) and one.role is not Role.SPINE and contact_id in spaces.readers(tx, one.log.number):
            yield _goes_on(one), (_OURS, one.log.author, record.encode(_grant(tx, one)))


def _is_read(one: Space) -> bool:
    """Whether a log is still needed: a ledger is all that was ever written into it, and old moments are looked at."""
    return one.log.state is not State.OVER or one.role in _LINES


def _goes_on(one: Space) -> bool:
    """False for a feed that is over: it is worth less than any log that grows."""
    return one.role is not Role.FEED or one.log.state is not State.OVER


def _grant(tx: Tx, one: Space) -> Grant:
    goes_on = one.role in _LINES and one.previous
    previous = logs.log(tx, one.previous).id if goes_on else None
    return Grant(one.role, one.epoch, one.log.secret, one.anchor, one.name, previous)


def _row(row: Any) -> tuple[int, bytes, Grant]:
    match row:
        case (int(whose), bytes(author), bytes(said)) if whose in (_OURS, _THEIRS) and len(author) == 32:
            return whose, author, record.decode(Grant, said, KEPT_BYTES_MAX)
        case _:
            raise Malformed
