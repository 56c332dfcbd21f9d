"""What a person does to a message by himself: said to the other side and done here, in one transaction.

Who may do what, and until when, is judged here. What it does to a line is in acts.py, the same for both sides.
"""

from dataclasses import dataclass
from typing import Any

from crypto import keys
from features.chat import acts, overlay, pins, view
from features.chat.content import TURN_MAX, Edit, Pin, React, Recall, Text
from features.chat.faults import BadMark, NoText, NotYours, Recalled, TooLate, TooManyPins, Undelivered
from node import speech
from protocol import ids
from protocol.faults import OverLimit
from store import bodies
from store.database import Tx


@dataclass(frozen=True, slots=True)
class Target:
    """The message that something is done to. posted_ms: when it came or was posted, by our clock."""

    seq: int
    contact: int
    message_id: ids.MessageId
    kind: int
    mine: bool
    posted_ms: int
    said: Any


def target(tx: Tx, seq: int) -> Target:
    """The message in this row, which is a line."""
    row = tx.one("SELECT contact, message_id, kind, device = 0, arrived_ms FROM message WHERE seq = ?", (seq,))
    assert row is not None
    contact_id, message_id, kind, mine, posted_ms = row
    said = overlay.hear(tx, seq).content
    return Target(seq, contact_id, ids.MessageId(message_id), kind, bool(mine), posted_ms, said)


def react(tx: Tx, of: Target, mark: str | None, now_ms: int, entropy: keys.Entropy) -> None:
    """Puts our reaction in place of an earlier one; the same again says nothing.

    Raises: BadMark, Recalled, and what `speech.say` raises.
    """
    if mark is not None and (not mark.strip() or len(mark.splitlines()) > 1):
        raise BadMark
    try:
        what = React(of.message_id, None if mark is None else mark.strip())
    except OverLimit:
        raise BadMark from None
    if view.is_withdrawn(of.said) or what.mark != acts.reaction(tx, of.contact, of.message_id):
        _act(tx, of, what, now_ms, entropy)


def edit(tx: Tx, of: Target, text: str, now_ms: int, entropy: keys.Entropy) -> None:
    """Changes what a text of ours says; the same again says nothing.

    Raises: NotYours, NoText, Recalled, and what `speech.say` raises.
    """
    if not of.mine:
        raise NotYours
    if not isinstance(of.said, Text):
        raise NoText
    if view.is_withdrawn(of.said) or text != overlay.texts(tx, [of.seq]).get(of.seq, of.said.text):
        _act(tx, of, Edit(of.message_id, text), now_ms, entropy)


def recall(tx: Tx, of: Target, now_ms: int, entropy: keys.Entropy) -> None:
    """Takes a message of ours back. Raises: NotYours, Recalled, TooLate, and what `speech.say` raises."""
    if not of.mine:
        raise NotYours
    if now_ms - of.posted_ms > acts.RECALL_MS.get(of.kind, 0):
        raise TooLate
    _act(tx, of, Recall(of.message_id), now_ms, entropy)


def pin(tx: Tx, of: Target, is_wanted: bool, now_ms: int, entropy: keys.Entropy) -> None:
    """Pins a message for both sides, or takes the pin away; where it is so already nothing is said.

    Raises: TooManyPins, Recalled, and what `speech.say` raises.
    """
    turn, is_pinned = pins.standing(tx, of.contact, of.message_id)
    if is_pinned is is_wanted and not view.is_withdrawn(of.said):
        return
    if is_wanted and len(pins.newest(tx, of.contact)) >= pins.PINS_MAX:
        raise TooManyPins
    _act(tx, of, Pin(of.message_id, int(is_wanted), min(turn + 1, TURN_MAX)), now_ms, entropy)


def delete(tx: Tx, seq: int) -> None:
    """Deletes a message here. Raises: Undelivered, where that would take it away from who has not got it yet."""
    of = target(tx, seq)
    own = [act for act, mine, _ in acts.acts_of(tx, of.contact, of.message_id) if mine]
    is_gone = view.is_withdrawn(of.said)
    for needed in [*own, *([seq] if of.mine and not is_gone else [])]:
        if bodies.waits(tx, of.contact, needed):
            raise Undelivered
    acts.delete(tx, of.contact, seq)


def _act(tx: Tx, of: Target, what: React | Edit | Recall | Pin, now_ms: int, entropy: keys.Entropy) -> None:
    if view.is_withdrawn(of.said):
        raise Recalled
    # After our clock was set back, what we do now is still later than what we did before.
    newest_ms = max((clock for _, mine, clock in acts.acts_of(tx, of.contact, of.message_id) if mine), default=0)
    (spoken,) = speech.say(tx, of.contact, (what,), max(now_ms, newest_ms + 1), entropy)
    acts.fold(tx, of.contact, True, spoken.seq, overlay.hear(tx, spoken.seq))
