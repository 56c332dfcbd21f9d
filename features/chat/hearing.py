"""What is done with each content of the chat that arrives, in the transaction of its arrival."""

from typing import Any

from crypto.faults import Malformed
from features.chat import acts, lasting, view
from features.chat.content import Gone, Seen, Timer
from protocol import ids
from store import outbox
from store.database import Tx
from store.inbox import Arrival


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Folds an arrival into the conversation. Raises: Malformed for what nobody says."""
    match arrival.said.content:
        case Gone():
            raise Malformed
        case Seen(read):
            outbox.read(tx, arrival.device.id, tuple(map(ids.MessageId, read)), arrival.now_ms)
            return ()
        case Timer() as timer:
            lasting.fold(tx, arrival.contact.id, timer, arrival.contact.account)
            return view.apply(tx, arrival)
    lasting.arrived(tx, arrival)
    return acts.apply(tx, arrival)
