"""Those who keep mail for us: whether there are any, whether each was reached lately, has room, does what it should.

Judged apart from where it comes from, so that each verdict has a test. Not here: what lies here for others, and who
notices that a keeper drops something (node/keep).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.doctor import findings
from node.doctor.findings import Finding, several, size, span
from node.doctor.patient import Patient
from store import keeper_words, people
from store import keepers as known
from store.database import Tx
from store.keepers import Keeper, QueueState
from store.people import ContactState

AWAY_MS = 3 * findings.DAY_MS  # a contact's node may be off over a weekend
SETTLED_MS = 10 * 60_000  # after a start all keepers were tried once by then
NEXT = "weft keeper list"


@dataclass(frozen=True, slots=True)
class Row:
    """A keeper that is used, by its name. wanted: queues that it has not made yet; is_here: it is connected with us."""

    name: str
    keeper: Keeper
    wanted: int
    is_here: bool = False


async def keepers(patient: Patient) -> list[Finding]:
    """A finding for each keeper with trouble, and one for the others together, or that there is none."""
    if patient.ask is None:
        return []
    reached = patient.core.collector.reached() if patient.core is not None else frozenset()
    rows, has_contacts = await patient.ask(_rows, reached)
    now_ms = patient.ground.now_ms()
    is_settled = patient.core is not None and now_ms - patient.up_since_ms > SETTLED_MS
    return judged(rows, has_contacts, is_settled, now_ms)


def judged(rows: Sequence[Row], has_contacts: bool, is_settled: bool, now_ms: int) -> list[Finding]:
    """is_settled: whether each has been tried since the start, so that it says something who was not reached."""
    if not rows and has_contacts:
        said = "None: what is sent while you are away comes only once its sender and you are there together."
        return [
            findings.warning("keepers", f"{said} Ask a contact, or set up a node of your own:", "weft keeper use NAME")
        ]
    troubles = {one.name: trouble(one, is_settled, now_ms) for one in rows}
    found = [findings.warning(f"keeper {name}", said, NEXT) for name, said in troubles.items() if said]
    well = [one for one in rows if not troubles[one.name]]
    if well:
        names = ", ".join(f"{one.name} ({'connected' if one.is_here else _seen(one.keeper, now_ms)})" for one in well)
        found.append(findings.ok("keepers", f"{several(len(well), 'keeper')} for you: {names}."))
    return found


def trouble(row: Row, is_settled: bool, now_ms: int) -> str:
    """What is wrong with a keeper, as a sentence; "" for nothing."""
    one = row.keeper
    if one.wrong:
        return (
            f"It does not do what it should: {one.wrong.rstrip('.')}. Your senders have what it has; use another one."
        )
    if is_settled and not row.is_here and now_ms - max(one.seen_ms, one.since_ms) > AWAY_MS:
        return f"Not reached ({_seen(one, now_ms)}), so nothing new is left there. Use another one beside it."
    if one.full and keeper_words.NO_ROOM < one.space >= one.bytes:
        return f"Full: it has {size(one.bytes)} of {size(one.space)} for you, and takes no more until you collect it."
    if one.full:
        return f"{one.full[0].upper()}{one.full[1:]}. Your senders keep what it does not take; make room there."
    if is_settled and row.wanted and one.seen_ms:
        return f"It has not made {several(row.wanted, 'queue')}: these contacts leave nothing there."
    return ""


def _rows(tx: Tx, reached: frozenset[int]) -> tuple[list[Row], bool]:
    rows = [
        Row(known.name(tx, one), one, len(known.queues(tx, one.id, QueueState.WANTED)), one.id in reached)
        for one in known.used(tx)
    ]
    return rows, any(one.state is ContactState.ACTIVE for one in people.contacts(tx))


def _seen(one: Keeper, now_ms: int) -> str:
    return f"seen {span(now_ms - one.seen_ms)} ago" if one.seen_ms else "never reached"
