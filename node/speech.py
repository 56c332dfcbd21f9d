"""From what a room wants to say to rows of the outbox: header, encoding, one delivery for each device of the contact.

Sealing is in store/outbox.py; when it happens is decided in delivery.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from crypto import keys
from node import ground
from protocol import content, ids
from store import conversations, outbox
from store.database import Tx


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message that is now in the outbox: its id, its row, and its place in the conversation (ms)."""

    message_id: ids.MessageId
    seq: int
    at_ms: int


Follow = Callable[[Tx, tuple[Spoken, ...]], None]
"""What a room writes in the transaction in which something was said."""


class Lives(Protocol):
    """How long what is said in a conversation stays: the room of chats says it to the others."""

    def lasts_s(self, tx: Tx, contact_id: int) -> int | None:
        """Seconds after it was read; None: for ever."""

    def said(self, tx: Tx, contact_id: int, seq: int, lasts_s: int | None) -> None:
        """It was just posted, in this row."""


def nothing_follows(_tx: Tx, _spoken: tuple[Spoken, ...]) -> None:
    """What most rooms write with what they say."""


def say(
    tx: Tx,
    contact_id: int,
    contents: tuple[Any, ...],
    now_ms: int,
    entropy: keys.Entropy,
    expire_s: int | None = None,
) -> tuple[Spoken, ...]:
    """Posts room contents to a contact in this transaction, in order.

    expire_s: how long they live once they were read; None: they stay.
    Raises: OverLimit (too large), UserFault (blocked, or the contact's account changed and nobody decided yet).
    """
    posted: list[outbox.Posted] = []
    entropy = ground.ahead(entropy, ids.CHANCE_BYTES * len(contents))
    previous: ids.MessageId | None = None
    for position, what in zip(conversations.advance(tx, contact_id, len(contents), now_ms), contents, strict=True):
        message_id = ids.new_message_id(now_ms, entropy)
        raw = content.say(
            message_id=message_id,
            hlc_ms=position.hlc_ms,
            device_seq=position.device_seq,
            parents=position.parents if previous is None else (previous,),
            content=what,
            expire_s=expire_s,
        )
        posted.append(outbox.Posted(message_id=message_id, kind=what.KIND, at_ms=position.hlc_ms, body=raw))
        previous = message_id
    first = outbox.post(tx, contact_id, posted, now_ms)
    return tuple(Spoken(one.message_id, first + place, one.at_ms) for place, one in enumerate(posted))


def say_as_lasting(
    tx: Tx, lives: Lives | None, contact_id: int, what: Any, now_ms: int, entropy: keys.Entropy
) -> Spoken:
    """Posts one content that lives as long as is set in its conversation; without `lives`: for ever.

    Raises: as `say`.
    """
    lasts_s = None if lives is None else lives.lasts_s(tx, contact_id)
    (spoken,) = say(tx, contact_id, (what,), now_ms, entropy, lasts_s)
    if lives is not None:
        lives.said(tx, contact_id, spoken.seq, lasts_s)
    return spoken
