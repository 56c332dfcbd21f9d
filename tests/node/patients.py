"""Profiles for the doctor's tests: made for real, with an identity in them, and then made sick."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from crypto import vault
from node import ground, profile
from node.doctor import patient, rounds
from node.doctor.findings import Finding, Level
from node.doctor.patient import Patient
from node.ground import Ground
from node.node import migrations
from node.profile import Profile
from store import identity
from store.database import Database, Migration, Worker, open_database

TABLES = migrations(())
LONG = ("lan",)  # what waits for packets, and has tests of its own


@dataclass
class Made:
    """A profile of Ana's, with its database key."""

    place: Profile
    key: bytes
    ground: Ground = field(default_factory=ground.real)
    tables: tuple[Migration, ...] = TABLES

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Its database, opened as a node does."""
        async with open_database(self.place.database, self.key, TABLES, Worker.INLINE) as database:
            yield database

    async def findings(self, passphrase: str = "", names: Sequence[str] = ()) -> tuple[Finding, ...]:
        """What the doctor finds; names: of the checks, () for all but the long ones."""
        checks = [one for one in rounds.CHECKS if (one.name in names if names else one.name not in LONG)]
        async with self.patient(passphrase) as subject:
            return await rounds.examine(subject, checks)

    @asynccontextmanager
    async def patient(self, passphrase: str = "") -> AsyncIterator[Patient]:
        """As the doctor sees it."""
        async with patient.stopped(self.place, self.ground, self.tables, passphrase, "") as subject:
            yield subject

    def at(self, now_ms: int) -> "Made":
        """The same under a clock that stands at this time."""
        return replace(self, ground=replace(self.ground, now_ms=lambda: now_ms))


def absent(folder: Path) -> Made:
    """A profile that was never made."""
    return Made(profile.named("ana", {"WEFT_HOME": str(folder / "home")}), b"")


async def make(folder: Path, passphrase: bytes = b"") -> Made:
    """A healthy one."""
    made = absent(folder)
    made.key = profile.create(made.place, passphrase, os.urandom, vault.FLOOR)
    async with made.database() as database:
        await database.transact(identity.create_identity, os.urandom(32), "Ana", made.ground.now_ms(), os.urandom)
    profile.finish(made.place)
    for path in made.place.root.glob("weft.db*"):
        path.chmod(0o600)  # as the umask of the node's program has it
    (made.place.root / "log").mkdir(mode=0o700)
    (made.place.root / "run").mkdir(mode=0o700)
    return made


def of(found: Sequence[Finding], name: str) -> list[Finding]:
    """The findings of a check."""
    return [one for one in found if one.name == name]


def worst(found: Sequence[Finding], name: str) -> Finding:
    """The gravest finding of a check."""
    order = (Level.FAILURE, Level.WARNING, Level.UNKNOWN, Level.OK)
    return min(of(found, name), key=lambda one: order.index(one.level))


def snapshot(root: Path) -> Mapping[str, tuple[int, bytes]]:
    """Every file under a folder with its time and content."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
