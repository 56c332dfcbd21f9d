"""What can be said and asked nearby, and its limits. The arrays on the wire are in protocol/nearby.py."""

import base64
import hashlib
from enum import IntEnum

FOR_S_DEFAULT = 1800  # one is visible half an hour unless one says otherwise,
FOR_S_MIN, FOR_S_MAX = 60, 4 * 3600  # and not for longer than an afternoon
REASON_BYTES_MAX = 500  # of a report
MINE_MAX = 32  # greetings of ours that nobody has answered
WAITING_MAX = 64  # greetings of others that wait for a decision,
WAITING_PER_PLACE_MAX = 4  # of one address: several people behind one, or one who pretends to be many
WAITING_UNSEEN_MAX = 16  # and of all those whom we have not seen ourselves, who may be one and the same
REPORTS_MAX = 100  # kept as evidence; the oldest goes
LINK_S = 3600  # how long the invitation lives that an acceptance hands over
SHORT_CHARS_MIN = 4  # of an id that is typed


class State(IntEnum):
    """Where a greeting stands. Ours: unsent, waiting, accepted, failed. Theirs: waiting, accepted, handed, hidden."""

    UNSENT = 0  # not at the other's node yet
    WAITING = 1
    ACCEPTED = 2  # ours: we follow the invitation; theirs: it lies ready for their node
    HANDED = 3  # their node has the invitation
    HIDDEN = 4  # its sender is blocked: he is told that it waits
    FAILED = 5  # it was accepted, and no contact came of it


def short(peer: bytes) -> str:
    """The id of a throw-away host as it is shown and typed: 8 letters and digits, the same on every screen."""
    return base64.b32encode(hashlib.blake2b(peer, digest_size=5).digest()).decode().lower()
