"""Tells readers of feeds of others where these go on, while the authors are away (docs/protocol/grant.md 8).

Everybody who holds the successor of a feed sees in a session that another reader has the log before and not this one.
So that not all tell each other what the author is telling them, it is waited a little, and longer while he is here.
"""

from store import handovers
from store.database import Tx
from store.handovers import Debt

WAIT_MS = 20_000
WITH_AUTHOR_MS = 15 * 60_000  # while the author is here, and so perhaps there too
LOOK_S = 20.0  # while somebody is to be told


def due(tx: Tx, now_ms: int, online: frozenset[int]) -> tuple[tuple[Debt, ...], bool]:
    """Who is to be told what now, and whether somebody is to be told later. online: the contacts who are here now."""
    found = handovers.debts(tx)
    now = tuple(one for one in found if abs(now_ms - one.since_ms) >= _wait_ms(one, online))
    return now, len(now) < len(found)


def _wait_ms(one: Debt, online: frozenset[int]) -> int:
    return WITH_AUTHOR_MS if one.author in online else WAIT_MS
