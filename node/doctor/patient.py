"""What is examined: a node that runs, or the files of one that does not, opened as far as they can be.

Not here: what is found in it (the other files of this folder).
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import trio

from node import config, profile, supervisor
from node.core import Core
from node.doctor import findings
from node.doctor.findings import Finding, Level
from node.ground import Ground
from node.profile import Lock, Profile
from protocol.faults import UserFault
from store import examination, settings
from store.database import Migration, Tx
from store.faults import WrongKey

GIVEN = "WEFT_PASSPHRASE_FILE=FILE weft doctor"
T = TypeVar("T")
Ask = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Patient:
    """door: the version of the command that asks, "" when it did not say. core: of a running node, else None.

    vault: whether the database's key was found, None without a vault. ask: reads the database with f(tx, *args),
    raising StoreUnreadable; None when it is not open, and then `shut` says why. settings: those in force, the defaults
    where they are not known; stored: those in the database, as text.
    """

    place: Profile
    ground: Ground
    migrations: tuple[Migration, ...]
    door: str = ""
    core: Core | None = None
    up_since_ms: int = 0
    lock: Lock = Lock.FREE
    vault: Finding | None = None
    ask: Ask | None = None
    shut: str = ""
    settings: Mapping[str, config.Value] = field(default_factory=lambda: config.effective({}))
    stored: Mapping[str, str] = field(default_factory=dict)


async def running(
    place: Profile, core: Core, migrations: tuple[Migration, ...], door: str, up_since_ms: int
) -> Patient:
    """The node that we are."""
    ask = partial(examination.asked, core.database)
    vault = await aside(_locked_how, place)
    if vault.level is Level.FAILURE:
        said = f"{vault.sentence.partition('.')[0]}: the next start needs it. Before you stop the node:"
        vault = findings.failure("vault", said, "weft backup words")
    patient = Patient(place, core.ground, migrations, door, core, up_since_ms, Lock.HELD, vault, ask)
    return await _with_settings(patient)


@asynccontextmanager
async def stopped(
    place: Profile, ground: Ground, migrations: Sequence[Migration], passphrase: str, door: str
) -> AsyncIterator[Patient]:
    """What stands in the profile, opened as far as it can be, until the block is left; nothing in it is changed.

    passphrase: "" for none, which suffices for a key file. While the block lasts no node starts for this profile.
    """
    async with AsyncExitStack() as stack:
        lock = stack.enter_context(profile.kept_still(place))
        patient = Patient(place, ground, tuple(migrations), door, lock=lock)
        opened = await supervisor.attempt("doctor vault", _open, stack, patient, passphrase)
        if opened is None:
            said = findings.failure("vault", "To open it crashed, which is a mistake in weft; nothing was changed.")
            opened = replace(patient, vault=said, shut="its vault did not open")
        yield await _with_settings(opened)


def from_environment(name: str) -> str:
    """What the environment sets instead of the setting listen.address or listen.port; "" for nothing."""
    return os.environ.get({"listen.address": "WEFT_LISTEN", "listen.port": "WEFT_PORT"}[name], "")


def put_back(place: Profile) -> str:
    """What is to be done with a damaged database."""
    return f"Keep {place.root} as it is, and put a copy of the whole directory in its place, if there is one."


def _locked_how(place: Profile) -> Finding:
    """What opens the vault, or why nothing will: its files are damaged or gone."""
    for path in (place.vault, place.key):
        if path.exists() and not os.access(path, os.R_OK):
            return findings.failure("vault", f"{path} cannot be read by you.", findings.typed("chmod 600", path))
    try:
        kind = profile.kind_of_vault(place)
    except profile.ProfileDamaged as damaged:
        return findings.failure("vault", f"{damaged} Put a copy of it back; without one, begin anew:", damaged.next)
    if kind == "passphrase":
        return findings.ok("vault", "It opens with the passphrase.")
    if not place.key.exists():
        said = f"{place.key} is gone, which alone opens the database. Put a copy of it back; without one, begin anew:"
        return findings.failure("vault", said, "weft --profile NEW init")
    return findings.ok("vault", "It opens with its key file: whoever reads this disk as you reads all.")


async def aside(f: Callable[..., T], *args: Any) -> T:
    """f(*args), which reads or writes files, in a thread; left behind when it hangs and the caller gives up."""
    given: T = await trio.to_thread.run_sync(f, *args, abandon_on_cancel=True)  # type: ignore[call-arg]  # old stubs
    return given


async def _open(stack: AsyncExitStack, patient: Patient, passphrase: str) -> Patient:
    """The patient with its vault and its database open, where they open."""
    place = patient.place
    match patient.lock:
        case Lock.HELD:
            said = findings.unknown("vault", "The node that runs has it open.")
            return replace(patient, vault=said, shut="the node that runs holds it, and does not answer")
        case Lock.UNREADABLE:
            said = findings.unknown("vault", f"{place.run} cannot be read.")
            return replace(patient, vault=said, shut="nobody knows whether a node runs")
    if not profile.exists(place):
        return patient
    vault = await aside(_locked_how, place)
    if vault.level is not Level.OK:
        return replace(patient, vault=vault, shut="its vault does not open")
    try:
        if not passphrase and profile.kind_of_vault(place) == "passphrase":
            said = findings.unknown(
                "vault", "Locked: no passphrase was given.", "WEFT_PASSPHRASE_FILE=FILE weft doctor"
            )
            return replace(patient, vault=said, shut="locked")
        key = await trio.to_thread.run_sync(profile.unlock, place, passphrase.encode(), limiter=trio.CapacityLimiter(1))
    except UserFault as fault:
        next_command = "weft doctor" if isinstance(fault, profile.WrongPassphrase) else fault.next
        said = findings.failure("vault", str(fault), next_command)
        return replace(patient, vault=said, shut="its vault did not open")
    try:
        profile.require_database(place)
        tx = stack.enter_context(examination.open_still(place.database, key))
    except WrongKey as fault:
        return replace(patient, vault=vault, shut=f"{fault} {put_back(place)}")
    except UserFault as fault:
        return replace(patient, vault=vault, shut=str(fault))
    return replace(patient, vault=vault, ask=_asked_still(tx))


async def _with_settings(patient: Patient) -> Patient:
    if patient.ask is None:
        return patient
    try:
        stored = await patient.ask(settings.all_set)
    except UserFault as fault:
        return replace(patient, shut=str(fault))
    return replace(patient, stored=stored, settings=config.effective(stored))


def _asked_still(tx: Tx) -> Ask:
    one_thread = trio.CapacityLimiter(1)

    async def ask(f: Callable[..., Any], *args: Any) -> Any:
        return await trio.to_thread.run_sync(examination.answer, tx, f, *args, limiter=one_thread)

    return ask
