"""The DHT, tried: a record put and got back from elsewhere; and whether another node writes as this device.

The record that is put is of nobody, and lives a day at most. Judged apart from asking, as in reach.py. Not here: how
the node is reached (reach.py), contacts (contacts.py).
"""

from dataclasses import dataclass

import trio

from crypto.keys import SigningKey
from node.core import Core
from node.doctor import findings
from node.doctor.findings import Finding, Level, several, span
from node.doctor.patient import Patient
from node.lookup import Lookup
from protocol import ids, rendezvous
from protocol.faults import PeerFault, Unavailable
from protocol.handle_record import Claim
from protocol.presence_record import Whereabouts

PROBE_S = 15.0  # for the put and the get together: among living peers both take less than one
JOIN = "weft config set dht.bootstrap ADDRESS"


@dataclass(frozen=True, slots=True)
class Probe:
    """copies: how many peers kept the record. is_back: whether it came back. fault: why it could not be tried."""

    copies: int = 0
    is_back: bool = False
    seconds: float = 0.0
    fault: str = ""


async def dht(patient: Patient) -> list[Finding]:
    """Findings on the DHT and on a second node of this device."""
    core = patient.core
    if core is None or core.bootstrap is None or core.lookup is None:
        return []
    if core.bootstrap.mode == "off":
        return [switched_off()]
    if reason := core.bootstrap.why_not():
        return [unreached(reason)]
    probe = await probed(core, core.lookup)
    return [tried(probe, core.bootstrap.dht.state().peers), *await _double(core)]


async def probed(core: Core, lookup: Lookup) -> Probe:
    """Puts a record of nobody and gets it back."""
    entropy, now_s = core.ground.entropy("doctor"), core.ground.now_ms() // 1000
    name, day = SigningKey(entropy(32)), rendezvous.epoch_of(now_s)
    key = rendezvous.dht_key(name.public)
    signer = rendezvous.appoint(name, day, entropy(32))
    said = Claim(ids.AccountId(entropy(32)), "doctor")  # sealed under a key that nobody has, so it looks like any other
    record = rendezvous.write(signer, entropy(32), said, rendezvous.next_sequence(now_s, None), entropy(24))
    began = trio.current_time()
    try:
        with trio.fail_after(PROBE_S):
            copies = await lookup.put(key, record)
            back = await lookup.get(key)
    except (Unavailable, PeerFault, trio.TooSlowError) as fault:
        return Probe(fault=str(fault) or f"no answer within {PROBE_S:.0f} s")
    return Probe(copies, back == record, trio.current_time() - began)


def switched_off() -> Finding:
    """The setting says so."""
    said = "Switched off by its setting: contacts are found where they were and on your network. To change it:"
    return Finding("dht", Level.OK, said, "weft config set dht.mode auto")


def unreached(reason: str) -> Finding:
    """There is nobody to ask."""
    said = f"Of no use now: {reason}. Contacts are found where they were and on your network. To name a peer:"
    return findings.warning("dht", said, JOIN)


def tried(probe: Probe, peers: int) -> Finding:
    """What became of the record."""
    known = several(peers, "peer")
    if probe.fault:
        return findings.warning(
            "dht", f"{known} known, and none keeps a record now: {probe.fault}. To name others:", JOIN
        )
    if not probe.is_back:
        said = f"{several(probe.copies, 'peer')} took a record, and it did not come back: contacts may not find you."
        return findings.warning("dht", f"{said} To name others:", JOIN)
    kept = several(probe.copies, "peer")
    said = f"{known} known; {kept} kept a record, and it came back, all in {probe.seconds:.1f} s."
    return findings.ok("dht", said)


def double(found: Whereabouts | None, now_ms: int, *, is_known: bool) -> Finding:
    """Whether somebody else writes as this device. is_known: whether our own line lies there to compare with."""
    if found is not None:
        ago = span(now_ms - 1000 * found.said_s)
        where = ", ".join(found.addresses) or "no address"
        said = (
            f"Another node writes as this device, last {ago} ago from {where}: a copied profile, or a contact lies."
            " Two copies break each other's sessions, so stop one of them there:"
        )
        return findings.warning("second copy", said, "weft down")
    if is_known:
        return findings.ok("second copy", "Nobody else writes as this device in the DHT.")
    return findings.unknown("second copy", "Not known: nothing of this device lies in the DHT today.")


async def _double(core: Core) -> list[Finding]:
    if core.publisher is None:
        return []
    try:
        is_known = await core.publisher.look_for_double()
    except (Unavailable, trio.TooSlowError):
        is_known = False
    return [double(core.publisher.double, core.ground.now_ms(), is_known=is_known)]
