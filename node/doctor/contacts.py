"""Each contact: whether it is reached, and if not, whether somebody answers where it was last; what waits for it."""

import shlex
from dataclasses import dataclass

import trio

from node import dialler
from node.doctor import findings
from node.doctor.findings import Finding, Level, several, span
from node.doctor.patient import Patient
from node.feature import SAID
from node.network import Address
from node.talks import SILENT
from protocol.faults import PeerFault, Unavailable
from protocol.talk import VERSIONS
from store import devices, examination, intake, people
from store.database import Tx
from store.examination import Waiting
from store.people import Contact, ContactState
from store.whereabouts import day

SHOWN_MAX = 32  # contacts with a line of their own, those with trouble first, and so the most that are dialled
DIALS_MAX = 16  # at once
DIAL_S = 4.0  # more than a node across the world needs to answer
SLOW_MS = 60_000  # what waits so long for somebody who is connected is not just on its way
REASON_CHARS = 160
UNSAID = frozenset(one.KIND for one in SAID)  # what nodes tell each other by themselves: nobody waits for it

_STATES = {
    ContactState.ASKED: "was asked to be a contact, and was not reached yet",
    ContactState.WAITING: "has your request, and has not decided",
    ContactState.REQUEST: "asks to be your contact",
    ContactState.PENDING: "has agreed, but its card has not come yet",
    ContactState.BLOCKED: "is blocked by you, so it is not reached",
    ContactState.REFUSED: "is no contact",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A contact with what the database knows of the way to it. left_ms: until when our request lies at its keeper."""

    contact: Contact
    waiting: Waiting
    addresses: tuple[str, ...]
    left_ms: int


async def contacts(patient: Patient) -> list[Finding]:
    """A finding for each contact, those with trouble first; beyond SHOWN_MAX one for all others."""
    if patient.ask is None:
        return []
    rows: list[Row] = await patient.ask(_rows, patient.ground.now_ms())
    if not rows:
        return [Finding("contacts", Level.OK, "None yet. Invite somebody:", "weft invite --qr")]
    shown, rest = rows[:SHOWN_MAX], rows[SHOWN_MAX:]
    heard: dict[int, str] = {}
    if patient.core is not None:
        heard = dict.fromkeys(await patient.core.delivery.talks.look(), SILENT)
        heard |= await _dial_all(patient, [row for row in shown if _is_away(patient, row.contact)])
    found = [_finding(patient, row, heard.get(row.contact.id, "")) for row in shown]
    if rest:
        waiting = sum(row.waiting.count for row in rest)
        online = sum(patient.core.delivery.talks.online(row.contact.id) for row in rest) if patient.core else 0
        said = f"{len(rest)} more: {online} online, {several(waiting, 'message')} waiting; not dialled. All of them:"
        found.append(Finding("contacts", Level.OK, said, "weft status"))
    return found


def _rows(tx: Tx, now_ms: int) -> list[Row]:
    """All contacts: those with an alarm, then those for whom something waits, then the others in their order."""
    waiting, left = examination.waiting(tx, UNSAID, now_ms), examination.knocked(tx)
    none = Waiting(0, 0)
    sorted_ = sorted(people.contacts(tx), key=lambda one: (not one.alarm, one.id not in waiting))
    return [
        Row(
            one,
            waiting.get(one.id, none),
            tuple(a for device in devices.devices_of(tx, one.id) if not device.revoked for a in device.addresses)
            if place < SHOWN_MAX
            else (),
            left.get(one.id, 0),
        )
        for place, one in enumerate(sorted_)
    ]


def _is_away(patient: Patient, contact: Contact) -> bool:
    is_met = contact.state in (ContactState.ACTIVE, ContactState.PENDING)
    return is_met and patient.core is not None and not patient.core.delivery.talks.online(contact.id)


async def _dial_all(patient: Patient, away: list[Row]) -> dict[int, str]:
    """What each of these answered at its addresses just now, by contact."""
    heard: dict[int, str] = {}
    limit = trio.CapacityLimiter(DIALS_MAX)

    async def dial(row: Row) -> None:
        async with limit:
            heard[row.contact.id] = await _dial(patient, row)

    async with trio.open_nursery() as nursery:
        for row in away:
            nursery.start_soon(dial, row)
    return heard


async def _dial(patient: Patient, row: Row) -> str:
    """What happened when the contact was dialled at all its addresses. Nothing is said on the link."""
    assert patient.core is not None
    if not row.addresses:
        return "no address of it is known; it is met when it dials, or on the same network"
    count = len(row.addresses)
    tried = "its address was tried" if count == 1 else f"its {count} addresses were tried"
    try:
        with trio.fail_after(DIAL_S):
            link = await dialler.dial(patient.core.network, [Address(one) for one in row.addresses], None)
    except trio.TooSlowError:
        return f"{tried}: no answer within {DIAL_S:.0f} s, so it is off, or a firewall or another network lies between"
    except (PeerFault, Unavailable) as fault:
        return f"{tried}: {dialler.reasons(str(fault))[:REASON_CHARS]}"
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
        await link.aclose()
    patient.core.delivery.reach(row.contact.id)
    asked = patient.core.delivery.reasons.get(row.contact.id) or "it is being asked whether it is this contact"
    return f"a node answers at {link.address}: {dialler.reasons(asked)[:REASON_CHARS]}"


def _finding(patient: Patient, row: Row, heard: str) -> Finding:
    one, now_ms = row.contact, patient.ground.now_ms()
    name, typed = f"contact {one.name}", shlex.quote(one.name)
    count = row.waiting.count
    waits = f"{several(count, 'message')} wait{'s' * (count == 1)} for {span(now_ms - row.waiting.since_ms)}"
    if one.alarm == intake.ALARM:
        said = "Alarm: it has signed two histories of a log. What it signed, and the proof for others:"
        return findings.warning(name, said, "weft log proofs")
    if one.alarm:
        said = f"Alarm ({one.alarm.replace('_', ' ')}): compare before you trust what it writes."
        return findings.warning(name, said, f"weft contacts show {typed}")
    if one.state not in (ContactState.ACTIVE, ContactState.PENDING):
        return _stranger(name, row, patient)
    if patient.core is not None and patient.core.delivery.talks.online(one.id):
        is_slow = count > 0 and now_ms - row.waiting.since_ms > SLOW_MS
        return _online(name, patient.core.delivery.talks.versions(one.id), heard or (waits if is_slow else ""))
    seen = f"seen {span(now_ms - one.seen_ms)} ago" if one.seen_ms else "never met"
    queued = f"{waits}{_until(row.waiting)}" if count else "nothing waits"
    if patient.core is None:
        return findings.unknown(name, f"Last {seen}; {queued}. Only a running node can tell whether it is reached.")
    said = f"Away ({seen}): {heard}; {queued}."
    if count > row.waiting.kept or not one.seen_ms or one.state is ContactState.PENDING:
        return findings.warning(name, said, f"weft status {typed}")
    return findings.ok(name, said)


def _online(name: str, versions: tuple[int, ...], waits: str) -> Finding:
    spoken, ours = versions[0] if versions else "?", VERSIONS[0]
    if not any(one in versions for one in VERSIONS):
        said = f"Online, but it speaks version {spoken} of the protocol and you {ours}: one of you must update weft."
        return findings.failure(name, said, "weft version")
    fine = "as you" if spoken == ours else f"you {ours} (fine)"
    said = f"Online, speaks version {spoken} of the protocol, {fine}"
    if waits:
        return findings.warning(name, f"{said}; {waits}, though it is connected.")
    return findings.ok(name, f"{said}.")


def _until(one: Waiting) -> str:
    """For what that waits which is for somebody who is away: what keepers have he gets whenever he comes."""
    meets = "until you meet" + (f" or it is left with {' or '.join(one.keepers)}" if one.keepers else "")
    if not one.kept:
        return f", {meets}"
    if one.kept >= one.count:
        return f", {one.where}"
    return f": {one.kept} {'is' if one.kept == 1 else 'are'} {one.where}, and {one.count - one.kept} {meets}"


def _stranger(name: str, row: Row, patient: Patient) -> Finding:
    one = row.contact
    if one.state is ContactState.ASKED and row.left_ms > patient.ground.now_ms():
        said = (
            f"It was asked to be a contact, and is away: your request lies at a keeper of its until {day(row.left_ms)}."
        )
        return findings.ok(name, said)
    why = one.reason or ("" if patient.core is None else patient.core.delivery.reasons.get(one.id, ""))
    reason = f" ({why})" if why else ""
    said = f"It {_STATES[one.state]}{reason}."
    match one.state:
        case ContactState.REQUEST:
            return findings.warning(name, said, "weft requests")
        case ContactState.REFUSED:
            return findings.warning(name, said, "weft invite --qr")
        case ContactState.BLOCKED | ContactState.WAITING:
            return findings.ok(name, said)
        case _:
            return findings.warning(name, said, f"weft status {shlex.quote(one.name)}")
