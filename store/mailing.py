"""Decides what is left at which keeper for a device that is away, seals it, and takes in what the keepers answer.

docs/protocol/mailbox.md 3. Rows of parcels are in parcels.py, lines in inboxes.py; who speaks with keepers is
node/keep/courier.py.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from crypto import sealing
from crypto.keys import Encapsulate, Entropy
from protocol import mailbox, parcel, receipt, record
from store import devices, healing, inboxes, lanes, outbox, parcels, sessions
from store.database import Tx
from store.identity import Identity
from store.inboxes import Mailbox
from store.outbox import NeedBundle

MESSAGES_MAX = 64  # planned in one transaction
BYTES_MAX = 4 * 1024 * 1024  # of their bodies
UNANSWERED_MAX = 128  # parcels of one line that its keeper has not answered
EVERYWHERE_MS = 86_400_000  # without a receipt for so long: to all keepers, one or two may have lost it
RENEW_MS = 10 * 86_400_000  # without one for so long: sealed anew, since it, or the receipt, may be lost everywhere
DUE_MAX = 1000  # messages that are looked at together, 20 ms
LATE = "late"  # the words in which it is noted how a message lies
UNANSWERED = "?"


class Answer(Enum):
    """What a keeper makes of a parcel."""

    KEPT = "kept"
    GONE = "gone"  # whoever answers there has no such queue
    USELESS = "useless"  # its queue is too small for it


@dataclass(frozen=True, slots=True)
class Planned:
    """count: parcels that were made now. is_more: whether messages are left for which there was no room."""

    count: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: int
    body: bytes
    lines: tuple[int, ...]


def plan(
    tx: Tx,
    identity: Identity,
    device_id: int,
    reached: Sequence[int],
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
) -> Planned | NeedBundle:
    """Makes parcels of what has too few copies, the oldest message first, all copies of one sealing.

    reached: the lines (ids) whose keepers can be put to now.
    """
    boxes = {box.id: box for box in inboxes.of(tx, device_id)}
    open_ = [box_id for box_id in boxes if box_id in reached and _unanswered(tx, box_id) < UNANSWERED_MAX]
    if not open_ or not outbox.is_open(tx, device_id):
        return Planned(0, False)
    asked = _ask_anew(tx, identity, device_id, boxes, open_, now_ms, entropy)
    waiting = _choose(tx, device_id, len(boxes), open_, now_ms)
    if not waiting:
        return Planned(asked, False)
    sealed = outbox.seal_apart(
        tx, identity, device_id, [(one.message, one.body) for one in waiting], now_ms, entropy, encapsulate
    )
    if isinstance(sealed, NeedBundle):
        return sealed
    count = asked
    for one, inner in zip(waiting, map(record.encode, sealed), strict=True):
        count += _wrap(tx, device_id, one.message, one.lines, inner, boxes, now_ms, entropy)
    return Planned(count, len(waiting) == MESSAGES_MAX)


def answered(tx: Tx, box: Mailbox, number: int, answer: Answer, kept_s: int, now_ms: int) -> None:
    """Takes in what a keeper answered to a parcel. kept_s: for how long it has it."""
    match answer:
        case Answer.GONE:
            parcels.doubt(tx, box.id)
        case Answer.USELESS:
            inboxes.useless(tx, box.id)
        case Answer.KEPT:
            inboxes.kept(tx, box.id, number)
            message = parcels.answered(tx, box.id, number, now_ms + 1000 * kept_s, now_ms)
            if _is_unacknowledged(tx, message) and all(end for _, _, end in parcels.copies(tx, box.device, message)):
                outbox.left(tx, box.device, message, now_ms)


def _wrap(
    tx: Tx,
    device_id: int,
    message: int,
    lines: Sequence[int],
    inner: bytes,
    boxes: Mapping[int, Mailbox],
    now_ms: int,
    entropy: Entropy,
) -> int:
    """Makes a parcel of one sealing for each of these lines; returns how many."""
    run, sealing_ms = inboxes.next_sealing(tx, device_id, now_ms)
    for box_id in lines:
        heads = tuple(parcel.Head(box.line.sender, box.kept) for box in boxes.values() if box.kept)
        number = inboxes.next_numbers(tx, box_id, 1)
        line = boxes[box_id].line
        said = parcel.Parcel(run, number, sealing_ms, heads, inner)
        wrapped = parcel.wrap(line.wrap_key, line.sender, said, entropy(sealing.NONCE_BYTES))
        parcels.add(tx, box_id, number, device_id, message, now_ms, wrapped)
    return len(lines)


def _ask_anew(
    tx: Tx,
    identity: Identity,
    device_id: int,
    boxes: Mapping[int, Mailbox],
    open_: Sequence[int],
    now_ms: int,
    entropy: Entropy,
) -> int:
    """Asks a device that cannot be read, and of which there is no bundle, to begin a session; returns the parcels."""
    is_due = sessions.needs_restart(tx, device_id, now_ms) or sessions.sending(tx, device_id) is None
    if not is_due or sessions.usable_bundle(devices.device(tx, device_id), now_ms) is not None:
        return 0
    if not healing.ask(tx, device_id, now_ms):
        return 0
    inner = record.encode(mailbox.Anew(sessions.give_bundle(tx, identity, device_id, now_ms, entropy)))
    lines = open_[: mailbox.COPIES]
    return _wrap(tx, device_id, parcels.SETTLED, lines, inner, boxes, now_ms, entropy)


def _choose(tx: Tx, device_id: int, count: int, open_: Sequence[int], now_ms: int) -> list[_Waiting]:
    """The messages that have too few copies, each with the lines that get one. count: the lines that the device has.

    A lane may be long: looked at are those whose copies are others than they were, and the oldest of each way to lie.
    """
    while True:
        due = lanes.due(tx, device_id, DUE_MAX, now_ms)
        for message in due:
            copies, until_ms = _noted(parcels.copies(tx, device_id, message), now_ms)
            lanes.lie(tx, device_id, message, copies, until_ms)
        chosen = _oldest(tx, device_id, count, open_, now_ms)
        if len(due) < DUE_MAX or len(chosen) == MESSAGES_MAX:
            return chosen


def _oldest(tx: Tx, device_id: int, count: int, open_: Sequence[int], now_ms: int) -> list[_Waiting]:
    """The oldest messages that have too few copies, of those of which it is noted how they lie."""
    wanted = {copies: _wanted(copies, count, open_) for copies in lanes.lying(tx, device_id)}
    found = [
        [(message, lines) for message in lanes.lying_so(tx, device_id, copies, MESSAGES_MAX, now_ms)]
        for copies, lines in wanted.items()
        if lines
    ]
    chosen: list[_Waiting] = []
    size = 0
    for message, lines in heapq.merge(*found):
        row = tx.one("SELECT body FROM message WHERE seq = ?", (message,))
        body = b"" if row is None else row[0]  # it only carries a session
        chosen.append(_Waiting(message, body, lines))
        size += len(body)
        if len(chosen) == MESSAGES_MAX or size > BYTES_MAX:
            break
    return chosen


def _noted(copies: Sequence[tuple[int, int, int]], now_ms: int) -> tuple[str, int]:
    """How a message lies, as text, and when that changes if nothing happens, 0 for never. copies: the oldest first.

    "late 3 5?": it has waited for a day, lies at line 3, and is to be put on line 5; copies that are old do not count.
    """
    if not copies:
        return "", 0
    late_ms = copies[0][1] + EVERYWHERE_MS
    good = [(line, sealed_ms, until_ms) for line, sealed_ms, until_ms in copies if sealed_ms > now_ms - RENEW_MS]
    words = [LATE] if late_ms <= now_ms else []
    words += sorted(f"{line}" if until_ms else f"{line}{UNANSWERED}" for line, _, until_ms in good)
    changes = [sealed_ms + RENEW_MS for _, sealed_ms, _ in good]
    return " ".join(words), min(changes if late_ms <= now_ms else [*changes, late_ms], default=0)


def _wanted(noted: str, count: int, open_: Sequence[int]) -> tuple[int, ...]:
    """The lines that get a copy of what lies so."""
    words = noted.split()
    copies = {int(word.rstrip(UNANSWERED)): word.endswith(UNANSWERED) for word in words if word != LATE}
    # one that is to be put where nobody is reached now is none
    there = sum(line in open_ or not is_unanswered for line, is_unanswered in copies.items())
    most = count if LATE in words else min(count, mailbox.COPIES)
    return tuple(line for line in open_ if line not in copies)[: max(0, most - there)]


def _unanswered(tx: Tx, box_id: int) -> int:
    row = tx.one("SELECT COUNT(*) FROM parcel WHERE line = ? AND until_ms = 0", (box_id,))
    assert row is not None
    return int(row[0])


def _is_unacknowledged(tx: Tx, message: int) -> bool:
    if message == lanes.CARRIER:
        return True
    row = tx.one("SELECT kind FROM message WHERE seq = ?", (message,))
    return row is not None and row[0] == receipt.Receipt.KIND
