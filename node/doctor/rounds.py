"""The doctor's rounds: every check, each on its own, so that no failure hides another finding.

A check returns findings and raises what its subject can raise; a mistake of ours in one becomes a finding too. Not
here: what is examined (patient.py) and the checks (the other files of this folder).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from node import keeper_files, supervisor
from node.doctor import contacts, dht, files, findings, keepers, life, machine, media, nearby, ports, reach, store
from node.doctor.findings import Finding
from node.doctor.patient import Patient, aside
from protocol.faults import PeerFault, Unavailable, UserFault

CHECK_S = 40.0  # one that takes longer hangs, on a dead network disk perhaps; its finding says so

Findings = Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """name: what stands before its finding when it fails. is_long: seconds; those run side by side after the others."""

    name: str
    run: Callable[[Patient], Awaitable[Findings]]
    is_long: bool = False


def _reading(look: Callable[[Patient], Findings]) -> Callable[[Patient], Awaitable[Findings]]:
    """A check that reads files, in a thread: a disk may hang."""

    async def run(patient: Patient) -> Findings:
        return await aside(look, patient)

    return run


async def _vault(patient: Patient) -> Findings:
    return [] if patient.vault is None else [patient.vault]


CHECKS = (
    Check("program", machine.installation),
    Check("profile", _reading(files.whole)),
    Check("files", _reading(files.guarded)),
    Check("vault", _vault),
    Check("identity", store.identity),
    Check("store", store.store, is_long=True),
    Check("disk", machine.disk),
    Check("media", media.media),
    Check("clock", machine.clock),
    Check("node", life.node),
    Check("socket", life.local_socket),
    Check("log", _reading(life.log)),
    Check("ports", ports.ports),
    Check("interfaces", ports.networks),
    Check("reachability", reach.reach),
    Check("keepers", keepers.keepers),
    Check("dht", dht.dht, is_long=True),
    Check("lan", nearby.nearby, is_long=True),
    Check("contacts", contacts.contacts, is_long=True),
)

OF_KEEPER = frozenset(("program", "profile", "files", "disk", "clock", "node", "socket", "log", "interfaces"))


async def examine(patient: Patient, checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """What all checks found, in their order; of a keeper's profile only those which it has something for.

    Raises nothing that a sick patient can cause.
    """
    if keeper_files.key(patient.place).exists():
        checks = [one for one in checks if one.name in OF_KEEPER]
    found: dict[str, Findings] = {}

    async def make(check: Check) -> None:
        found[check.name] = await _found(check, patient)

    for check in checks:
        if not check.is_long:
            await make(check)
    async with trio.open_nursery() as nursery:
        for check in checks:
            if check.is_long:
                nursery.start_soon(make, check)
    return tuple(finding for check in checks for finding in found[check.name])


async def _found(check: Check, patient: Patient) -> Findings:
    found: Findings | None = None
    try:
        with trio.fail_after(CHECK_S):
            found = await supervisor.attempt(f"doctor {check.name}", _told, check, patient)
    except trio.TooSlowError:
        return [findings.unknown(check.name, f"The check did not end within {CHECK_S:.0f} s: what it looks at hangs.")]
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return [findings.unknown(check.name, "What it looks at was closed meanwhile.", "weft doctor")]
    if found is None:
        log = patient.place.log if patient.core else patient.place.log.with_name("doctor.log")
        said = "The check itself crashed, which is a mistake in weft; nothing was changed. Where it was:"
        return [findings.failure(check.name, said, findings.typed("tail", log))]
    return found


async def _told(check: Check, patient: Patient) -> Findings:
    """The findings, also where the subject of a check fails as a whole."""
    try:
        return await check.run(patient)
    except UserFault as fault:
        return [findings.failure(check.name, str(fault), fault.next)]
    except (PeerFault, Unavailable) as fault:
        return [findings.failure(check.name, f"It could not be examined: {fault}.")]
    except OSError as fault:
        where = f" ({fault.filename})" if fault.filename else ""
        return [findings.failure(check.name, f"It could not be examined: {fault.strerror or fault}{where}.")]
