"""What of an entry a peer is given beside its signed bytes, and of which entries what they say is asked for once more.

docs/protocol/sync.md 4.7 to 4.9. Not here: which logs he may know, and how far (policy.py).
"""

from collections.abc import Sequence

from node.logs.policy import HEADERS_ALONE
from protocol.grant import Role
from store import entries, handovers, mutual, spaces, windows
from store.database import Tx
from store.entries import Held
from store.spaces import Space

AWAITED_ENTRIES = 512  # the newest of a log whose contents are asked for once more
SHOWN = frozenset({Role.SPINE, Role.FEED})  # of these it is kept which contact has named which (grant 2.5)


def given(
    tx: Tx, of: Space, contact_id: int, found: Sequence[Held], now_ms: int
) -> tuple[tuple[bytes, bytes | None], ...]:
    """Entries as a contact is given them, each with its content where he is given that; the author is given all."""
    if of.contact != contact_id:
        found = windows.given(tx, of.log.number, found, now_ms)
        if _is_let_go(tx, of, contact_id):
            return tuple((one.raw, None) for one in found)
    return tuple((one.raw, one.content) for one in found)


def wanted(tx: Tx, of: Space, contact_id: int, upto: int, now_ms: int) -> Sequence[tuple[int, int]]:
    """The first and the last of each row of places of a log whose contents are not here, and may be asked for.

    upto: so many entries are here and there; the newest of them are looked at. The author is asked; of a feed
    everybody who has it, because its author may be away.
    """
    if of.role in HEADERS_ALONE or (of.contact != contact_id and of.role is not Role.FEED):
        return ()
    first = max(0, upto - AWAITED_ENTRIES)
    awaited = entries.awaited(tx, of.log.number, first, upto - first)
    if of.contact != spaces.OURS:  # of a feed of a lost device of ours all is given to us
        awaited = windows.young(tx, of.log.number, awaited, now_ms)
    return _rows(awaited)


def _rows(seqs: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for seq in seqs:
        if found and found[-1][1] == seq - 1:
            found[-1] = (found[-1][0], seq)
        else:
            found.append((seq, seq))
    return found


def _is_let_go(tx: Tx, of: Space, contact_id: int) -> bool:
    """Whether a feed of somebody else's goes on in another of which this contact has not shown that he knows it.

    Then its author has perhaps let him go; not where it was handed over, for all its readers. Who reads a log of ours
    is known.
    """
    if of.role is not Role.FEED or of.contact == spaces.OURS:
        return False
    after = handovers.without(tx, of.log.number)
    return bool(after) and not any(mutual.has_shown(tx, contact_id, one) for one in after)
