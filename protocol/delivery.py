"""The life of one message on its way to one device: states, events and one table (docs/protocol/delivery.md).

Also how long a contact who cannot be reached is left alone. Not here: streams and windows (node/delivery.py), rows
(store/outbox.py).
"""

from collections.abc import Mapping
from enum import Enum, IntEnum

from crypto.faults import PeerFault

EXPIRE_MS = 30 * 24 * 3600 * 1000  # a message that reached nobody for so long is given up and shown as expired

REDIAL_FIRST_S = 0.5
REDIAL_S = 60.0  # about one contact a minute is dialled: each of few often, each of many seldom
REDIAL_S_MAX = 600.0
REDIAL_DAY_FAILURES = 1440  # a day of tries, one a minute: then he is dialled as seldom as each of many
JITTER = 0.2  # so that nodes which lost each other together do not dial together


class ImpossibleAck(PeerFault):
    """A peer acknowledged a message that never left this node."""


class State(IntEnum):
    """Where a message is. The numbers are stored."""

    QUEUED = 0  # here, to be sealed when the device is reached
    SENT = 1  # handed to a stream, not acknowledged
    HELD = 2  # on the other device's disk, but not readable there yet
    DELIVERED = 3
    READ = 4
    EXPIRED = 5  # not delivered within 30 days
    FAILED = 6  # refused here before it ever left; the reason is stored with it
    KEPT = 7  # at a keeper of his, until he collects it


class Event(Enum):
    """What happens to a message. The last four come from the peer, those of keepers from one he has named."""

    SEND = "send"
    REQUEUE = "requeue"  # the stream ended or the session was started anew
    EXPIRE = "expire"
    FAIL = "fail"
    KEEP = "keep"  # a keeper answered that it has it
    LOSE = "lose"  # no keeper has it any more
    HOLD = "hold"  # acknowledged as held
    ACK = "ack"  # acknowledged
    RECEIPT = "receipt"  # an in-ratchet receipt names it
    READ = "read"  # a read receipt names it


FROM_PEER = frozenset({Event.HOLD, Event.ACK, Event.RECEIPT, Event.READ})

# delivery 2.2: an acknowledgement can overtake the note that the message was sent, and can come late from an older
# stream or after a requeue or an expiry. It is true all the same, so it counts, and nothing ever moves back from it.
_REACHED = {Event.ACK: State.DELIVERED, Event.RECEIPT: State.DELIVERED, Event.READ: State.READ}

TABLE: Mapping[State, Mapping[Event, State]] = {
    State.QUEUED: {
        Event.SEND: State.SENT,
        Event.REQUEUE: State.QUEUED,
        Event.EXPIRE: State.EXPIRED,
        Event.FAIL: State.FAILED,
        Event.KEEP: State.KEPT,
        Event.LOSE: State.QUEUED,
        Event.HOLD: State.HELD,
        **_REACHED,
    },
    State.SENT: {
        Event.SEND: State.SENT,
        Event.REQUEUE: State.QUEUED,
        Event.EXPIRE: State.EXPIRED,
        Event.KEEP: State.KEPT,
        Event.LOSE: State.SENT,
        Event.HOLD: State.HELD,
        **_REACHED,
    },
    # delivery 5: a stream that also has it says nothing new before it is acknowledged
    State.KEPT: {
        Event.SEND: State.KEPT,
        Event.REQUEUE: State.KEPT,
        Event.EXPIRE: State.EXPIRED,
        Event.KEEP: State.KEPT,
        Event.LOSE: State.QUEUED,
        Event.HOLD: State.HELD,
        **_REACHED,
    },
    State.HELD: {
        Event.SEND: State.HELD,
        Event.REQUEUE: State.QUEUED,
        Event.EXPIRE: State.EXPIRED,
        Event.KEEP: State.HELD,
        Event.LOSE: State.HELD,
        Event.HOLD: State.HELD,
        **_REACHED,
    },
    State.DELIVERED: {
        Event.SEND: State.DELIVERED,
        Event.REQUEUE: State.DELIVERED,
        Event.EXPIRE: State.DELIVERED,
        Event.KEEP: State.DELIVERED,
        Event.LOSE: State.DELIVERED,
        Event.HOLD: State.DELIVERED,
        **_REACHED,
    },
    State.READ: {event: State.READ for event in Event if event is not Event.FAIL},
    State.EXPIRED: {
        Event.SEND: State.EXPIRED,
        Event.REQUEUE: State.EXPIRED,
        Event.EXPIRE: State.EXPIRED,
        Event.KEEP: State.EXPIRED,
        Event.LOSE: State.EXPIRED,
        Event.HOLD: State.EXPIRED,
        **_REACHED,
    },
    State.FAILED: {Event.REQUEUE: State.FAILED, Event.EXPIRE: State.FAILED, Event.FAIL: State.FAILED},
}


def step(state: State, event: Event) -> State:
    """The state after an event.

    Raises: ImpossibleAck for an event from the peer that cannot be. An own event that cannot be is a bug of ours.
    """
    after = TABLE[state].get(event)
    if after is None and event in FROM_PEER:
        raise ImpossibleAck
    assert after is not None, f"{event} in {state}"
    return after


def redial_after_s(failures: int, contacts: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row (from 1) to reach a contact; 0 after none.

    0.5 s, doubling to as many minutes as there are contacts to be reached (contacts, from 1), ten at most; to ten after
    a day. jitter: 0 to 1, exclusive, random: spreads the result by 20 % to both sides.
    """
    if failures <= 0:
        return 0.0
    most_s = REDIAL_S_MAX if failures > REDIAL_DAY_FAILURES else min(REDIAL_S * contacts, REDIAL_S_MAX)
    # The exponent is cut off: two to the number of failures is no number for a float.
    wait_s: float = min(REDIAL_FIRST_S * 2.0 ** min(failures - 1, 11), most_s)
    return wait_s * (1 - JITTER + 2 * JITTER * jitter)


def drawing() -> str:
    """The table as lines of text, for docs/protocol/delivery.md: state, event, state after; events that move."""
    lines: list[str] = []
    for state in State:
        moves: dict[State, list[str]] = {}
        for event, after in TABLE[state].items():
            if after is not state:
                moves.setdefault(after, []).append(event.value)
        for after, events in sorted(moves.items()):
            lines.append(f"{state.name.lower():<10}--{', '.join(events):-<24}--> {after.name.lower()}")
    return "\n".join(lines)
