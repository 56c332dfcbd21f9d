"""What is in the database: whether it is whole and of this version, and whose identity it holds."""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from crypto.faults import Expired, PeerFault
from node import claim
from node.doctor import findings
from node.doctor.findings import Finding, size, span
from node.doctor.patient import Patient, put_back
from protocol import identity as documents
from protocol import ids
from store import examination
from store.database import synchronous
from store.faults import StoreUnreadable
from store.identity import Identity, load_identity

LOOK_S = 20.0  # at most so long the pages are looked through
TABLE_S = 1.0  # of it for one table of a node that runs: its messages wait as long
SEALS_BYTES_MAX = 2 * 10**9  # of a stopped node: about 5 s
SOON_MS = 30 * findings.DAY_MS  # a certificate that ends so soon is said


async def identity(patient: Patient) -> list[Finding]:
    """Who this is, and whether the certificate of this device is good now."""
    if patient.ask is None:
        return (
            [findings.unknown("identity", f"Whose it is was not read: {_why(patient)}")] if is_locked(patient) else []
        )
    try:
        me: Identity | None = await patient.ask(load_identity)
    except PeerFault:
        said = "What the database holds of it is damaged. Put a copy of the whole directory back."
        return [findings.failure("identity", said)]
    if me is None:
        return [findings.failure("identity", "The database holds none: `weft init` did not end.", "weft init")]
    if patient.core is None and (other := claim.holder(patient.place, me.device)):
        said = f"{me.name}. This profile is a copy of the profile {other}, which runs on this machine: use that one."
        return [findings.failure("identity", said, shlex.join(("weft", "--profile", other, "status")))]
    now_ms = patient.ground.now_ms()
    text = ids.account_text(me.account)
    who = f"{me.name} ({text[:5]}…{text[-2:]})"
    left_ms = me.certificate.not_after_s * 1000 - now_ms
    try:
        documents.check_listed(me.certificate, me.lists[-1], now_ms // 1000)
    except Expired:
        clock = "The certificate of this device is not valid now: contacts refuse it. Is the clock right?"
        return [findings.failure("identity", f"{who}. {clock}", "date -u")]
    except PeerFault as fault:
        said = f"{who}. The certificate of this device is void ({fault}). Put a copy of the whole directory back."
        return [findings.failure("identity", said)]
    said = f"{who}; this device is certified for another {span(left_ms)}"
    if left_ms < SOON_MS:
        return [findings.warning("identity", f"{said} only: contacts refuse it then.", "weft backup words")]
    return [findings.ok("identity", f"{said}.")]


async def store(patient: Patient) -> list[Finding]:
    """Whether every page of the database is whole, and whether its tables are of this version."""
    if patient.ask is None:
        if is_locked(patient):
            return [findings.unknown("store", f"Not examined: {_why(patient)}")]
        is_there = patient.place.database.is_file() and patient.place.database.stat().st_size > 0  # else the profile's
        if not is_there or not patient.shut:
            return []
        return [findings.failure("store", _why(patient))]
    found = []
    if patient.core is not None and (trouble := patient.core.database.trouble) is not None:
        found.append(findings.failure("store", trouble.lasting, trouble.next))
    try:
        tables = await patient.ask(examination.schema, patient.migrations)
        whole, free = await patient.ask(examination.sizes)
        began = trio.current_time()
        faults, unread = await (_faults_running(patient) if patient.core else _faults_stopped(patient, whole))
        took_s = trio.current_time() - began
        durable = await patient.ask(synchronous) if patient.core else "full"  # not of the file, but of who opens it
    except StoreUnreadable as fault:
        return [*found, findings.failure("store", f"{fault} {put_back(patient.place)}")]
    if tables.newer:
        said = f"It was used by a newer weft ({', '.join(tables.newer)}), so this one does not open it. Update weft."
        found.append(findings.failure("store", said))
    if tables.pending:
        said = f"It is of an older weft: the next start adds {', '.join(tables.pending)}. A copy before does no harm."
        found.append(findings.warning("store", said, "weft up"))
    if faults:
        said = f"Damaged: {'; '.join(faults)}. Nothing more should be written into it. {put_back(patient.place)}"
        found.append(findings.failure("store", said, "weft down" if patient.core else ""))
    if durable not in ("full", "extra"):
        said = f"What is accepted is not on the disk at once (synchronous {durable})."
        found.append(findings.failure("store", said))
    if found:
        return found
    said = f"Schema {tables.ran}, {size(whole)} ({size(free)} free in it), integrity ok ({took_s:.2f} s)"
    if unread:
        said += f", but {', '.join(unread)} too large to be read to the end"
        said += " while the node works: to look at all, weft down" if patient.core else ""
    return [findings.ok("store", f"{said}{', each commit on the disk' if patient.core and not unread else ''}.")]


async def _faults_running(patient: Patient) -> tuple[list[str], list[str]]:
    """What is wrong, and which tables were not looked at to the end: one after another, so that mail gets between."""
    assert patient.ask is not None
    found: list[str] = []
    unread: list[str] = []
    began = trio.current_time()
    for table in await patient.ask(examination.tables):
        if trio.current_time() - began > LOOK_S:
            unread.append(table)
            continue
        async with _until(TABLE_S) as over:
            wrong = await patient.ask(examination.faults, lambda over=over: not over.is_set(), table)
        if wrong is None:
            unread.append(table)
        found += wrong or ()
    return found[: examination.FAULTS_SHOWN], unread


async def _faults_stopped(patient: Patient, size_bytes: int) -> tuple[list[str], list[str]]:
    """What is wrong with the pages, then with what is in them."""
    assert patient.ask is not None
    seals = await patient.ask(examination.broken_seals) if size_bytes <= SEALS_BYTES_MAX else ()
    if seals:
        return [*seals], []
    async with _until(LOOK_S) as over:
        wrong = await patient.ask(examination.faults, lambda: not over.is_set())
    return [*(wrong or ())], [] if wrong is not None else ["the database"]


@asynccontextmanager
async def _until(seconds: float) -> AsyncIterator[trio.Event]:
    """An event that is set after this time, for a thread that cannot be cancelled."""
    over = trio.Event()

    async def ring() -> None:
        await trio.sleep(seconds)
        over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring)
        yield over
        nursery.cancel_scope.cancel()


def is_locked(patient: Patient) -> bool:
    """Whether nothing is wrong with the database as far as anybody knows: it was not opened."""
    return patient.vault is not None and patient.vault.level is not findings.Level.OK


def _why(patient: Patient) -> str:
    said = patient.shut or "it did not open"
    return said if said.endswith(".") else f"{said}."
