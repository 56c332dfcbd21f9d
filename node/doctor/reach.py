"""How the node is reached from elsewhere: whether it can be dialled, what a NAT does, its relays, hole punching.

Only a running node knows; what it tells was learnt from peers before, nobody is asked now. Judged apart from where it
comes from, so that each verdict has a test. Not here: the ports of this machine (ports.py), contacts (contacts.py).
"""

from collections.abc import Sequence

from node.doctor import findings
from node.doctor.findings import Finding, Level, several, size, span
from node.doctor.patient import Patient
from node.network import peer_text
from node.relay.state import Load, Mapping, Punches, Reach, Reachability, Reserved

USE = "weft config set relay.addresses ADDRESS"
PEER_CHARS = 8  # of a PeerId's end: enough to tell relays apart


async def reach(patient: Patient) -> list[Finding]:
    """A finding for each of: reachability, NAT, relay, the relay that is offered, hole punching."""
    if patient.core is None or patient.core.reachable is None:
        return []
    known = patient.core.reachable
    found = known.reachability
    wants = patient.settings["relay.use"] is True
    return [
        reachability(found, known.reservations.held),
        nat(found.mapping),
        relay(found, known.reservations.held, wants, known.relay.is_on, patient.ground.now_ms()),
        *offered(known.relay.load),
        punching(known.punching.punches),
    ]


def reachability(found: Reachability, held: Sequence[Reserved]) -> Finding:
    """Whether others dial us."""
    match found.reach:
        case Reach.PUBLIC:
            return findings.ok("reachability", f"Others dial you: {found.reason} ({found.public}).")
        case Reach.BEHIND_NAT if held:
            return findings.ok("reachability", f"Behind a NAT ({found.reason}); contacts get through relays to you.")
        case Reach.BEHIND_NAT:
            said = (
                f"Nobody outside your network dials you ({found.reason}), so contacts there wait until you dial them."
            )
            return findings.warning("reachability", f"{said} Forward the port in your router, or name a relay:", USE)
        case _:
            return findings.unknown("reachability", f"Not known: {found.reason}.")


def nat(mapping: Mapping) -> Finding:
    """What a NAT makes of our port."""
    match mapping:
        case Mapping.UNKNOWN:
            return findings.unknown("nat", "Not known: it takes two peers outside that say where they see your port.")
        case Mapping.NONE:
            return findings.ok("nat", "None: others see you at an address of this machine.")
        case Mapping.MANY:
            said = "It gives another port to each peer, so no hole can be punched: contacts stay behind relays."
            return findings.warning("nat", f"{said} In the router, switch on port forwarding for this node, or UPnP.")
        case _:
            return findings.ok("nat", f"It gives {mapping.value}, so holes can be punched.")


def relay(found: Reachability, held: Sequence[Reserved], wants: bool, offers: bool, now_ms: int) -> Finding:
    """The relays through which we are reached."""
    if held:
        said = ", ".join(
            f"…{peer_text(one.relay)[-PEER_CHARS:]} for {span(one.until_s * 1000 - now_ms)}" for one in held
        )
        return findings.ok("relay", f"You are reached through {several(len(held), 'relay')}: {said}, then renewed.")
    if found.reach is Reach.PUBLIC or offers:
        return findings.ok("relay", "You need none.")
    if not wants:
        said = "Switched off by its setting, so who cannot dial you does not reach you. To change it:"
        return Finding("relay", Level.OK, said, "weft config set relay.use yes")
    if found.reach is Reach.BEHIND_NAT:
        return findings.warning("relay", "None was found that takes you. Ask somebody with a public address, or:", USE)
    return findings.unknown("relay", "None is used; whether one is needed is not known yet.")


def offered(load: Load) -> list[Finding]:
    """What is made of the relay that we offer; nothing where none is."""
    if not load.is_on:
        return []
    used = (
        f"{load.reservations} of {load.reservations_max} reservations, {load.circuits} of {load.circuits_max} circuits"
    )
    said = f"{used}, {size(load.bytes_today)} of {size(load.day_bytes_max)} today"
    if load.bytes_today >= load.day_bytes_max:
        return [
            findings.warning(
                "offered relay", f"Its day is used up: {said}.", "weft config set relay.day_megabytes 4096"
            )
        ]
    return [findings.ok("offered relay", f"On: {said}.")]


def punching(punches: Punches) -> Finding:
    """How hole punching went."""
    if not punches.succeeded and not punches.failed:
        return findings.ok("hole punching", "Not needed since the start.")
    said = f"{punches.succeeded} of {punches.succeeded + punches.failed} got through since the start"
    if punches.succeeded or not punches.last:
        return findings.ok("hole punching", f"{said}.")
    return findings.warning("hole punching", f"{said}; last: {punches.last}. Messages go through relays meanwhile.")
