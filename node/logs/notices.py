"""What `node.status` says of our own logs: what happened to them lately, and which wait for an anchor who is long away.

Not here: how a person reads it (cli/commands/node.py), all of what happened (features/logs/service.py).
"""

from dataclasses import dataclass

from protocol.grant import Role
from protocol.ids import AccountId
from protocol.publishing import NONE
from store import carrying, entries, logs, passing, people, spaces, troubles
from store.database import Tx
from store.people import ContactState

DAY_MS = 86_400_000
LATELY_MS = 7 * DAY_MS  # what happened before is told by `weft log proofs` alone
AWAY_MS = DAY_MS  # an anchor who was seen since comes again by himself


@dataclass(frozen=True, slots=True)
class Befell:
    """Something that happened to a log of ours. trouble: "old_copy", "two_machines" or "forked"."""

    log: str
    id: str
    trouble: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Entries of a log of ours that wait for its anchor. others: readers who could be the anchor of another log.

    kept: how many of them lie at keepers for him; kept_by: whose, and until when.
    """

    log: str
    id: str
    entries: int
    anchor: str
    seen_ms: int
    others: int
    kept: int
    kept_by: str


def befell(tx: Tx, now_ms: int) -> tuple[Befell, ...]:
    """What happened to logs of our own lately, the newest first."""
    lately = (one for one in troubles.every(tx) if abs(now_ms - one.at_ms) <= LATELY_MS)
    named = ((spaces.space(tx, one.log), one) for one in lately)
    return tuple(Befell(of.name, of.log.id.hex(), one.what.name.lower(), one.at_ms) for of, one in named)


def waiting(tx: Tx, now_ms: int, online: frozenset[int]) -> tuple[Waiting, ...]:
    """Logs of ours with entries for an anchor who was not here for a day. online: the contacts who are here now.

    Spines and feeds are not among them: they go on with another anchor by themselves.
    """
    found, lying = [], passing.Lying(tx, now_ms)
    for own in spaces.of(tx, spaces.OURS):
        count = _unpublished(tx, own.log) if own.log.own and own.log.state is logs.State.OK else 0
        anchor = people.by_account(tx, AccountId(own.anchor))
        if not count or own.role in (Role.SPINE, Role.FEED) or anchor is None or anchor.id in online:
            continue
        heard_ms = max(anchor.seen_ms, carrying.heard_ms(tx, own.log.number, anchor.id))
        if now_ms - heard_ms > AWAY_MS:
            readers = (people.contact(tx, one) for one in spaces.readers(tx, own.log.number) if one != anchor.id)
            others = sum(one.state is ContactState.ACTIVE for one in readers)
            kept, kept_by = lying.kept(anchor.id, own.log.id, own.log.published + 1)
            found.append(Waiting(own.name, own.log.id.hex(), count, anchor.name, heard_ms, others, kept, kept_by))
    return tuple(found)


def _unpublished(tx: Tx, own: logs.Log) -> int:
    newest = entries.head(tx, own.number)
    return (NONE if newest is None else newest.seq) - own.published
