"""People of a world who share logs: what each holds, whether all hold the same, what a liar does to his disk."""

import shutil
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from features.logs import view
from features.logs.view import UnknownLog
from lab.world import Person, World, befriend
from protocol import entry
from protocol.entry import Body, Entry, Kind
from store import entries, logs, people, spaces
from store.database import Tx
from store.identity import Identity
from store.spaces import Space
from tests import depth

NIGHT_S = (7200.0, 8 * 3600.0, 8 * 3600.0)[depth.LEVEL]
AWAY_S = (NIGHT_S, 86_400.0, 7 * 86_400.0)[depth.LEVEL]  # a day of five nodes costs some five seconds


async def circle(w: World, *names: str) -> list[Person]:
    """So many people, each a contact of each; the first contact of each is the anchor of his spine."""
    found = [await w.person(name) for name in names]
    for at, one in enumerate(found):
        for other in found[at + 1 :]:
            await befriend(one, other)
            await w.until(partial(has, one, "spine"))
    return found


async def notes(person: Person, log: str) -> list[str]:
    """The notes of a log as a person sees them, in order; [] where he has no such log. log: its name or id."""
    if person.node is None:
        return []
    try:
        found = await person.node.core.services["logs"].show(log=log, limit=1000)
    except UnknownLog:
        return []
    return [line["text"] for line in found["entries"]]


async def has(person: Person, log: str) -> bool:
    """Whether a person has a log of this name."""
    assert person.node is not None
    return await person.node.core.database.transact(_has, log)


def _has(tx: Tx, log: str) -> bool:
    return any(view.full_name(tx, one).casefold() == log.casefold() for one in spaces.every(tx))


async def row(person: Person, log: str) -> dict[str, Any]:
    """A log as a person sees it in the list."""
    assert person.node is not None
    found: dict[str, Any] = (await person.node.core.services["logs"].show(log=log, limit=0))["log"]
    return found


async def proofs(person: Person) -> dict[str, Any]:
    """What a person is told was proven, and what happened to his own logs."""
    assert person.node is not None
    found: dict[str, Any] = await person.node.core.services["logs"].proofs()
    return found


async def raws(person: Person, log: str) -> tuple[bytes, ...]:
    """The signed bytes of a log as a person holds them."""
    assert person.node is not None

    def look(tx: Tx) -> tuple[bytes, ...]:
        one = view.find(tx, log)
        return tuple(held.raw for held in entries.read(tx, one.log.number, 0, 1 << 20, 1 << 30))

    return await person.node.core.database.transact(look)


def all_hold(log_of: dict[Person, str] | Iterable[tuple[Person, str]], count: int) -> Callable[[], Awaitable[bool]]:
    """The question whether each of them holds so many entries of the log that he calls so, all the same bytes."""
    wanted = list(log_of.items() if isinstance(log_of, dict) else log_of)

    async def same() -> bool:
        """all hold the same entries"""
        held = []
        for person, log in wanted:
            if person.node is None or not await has(person, log):
                return False
            held.append(await raws(person, log))
        return len({*held}) == 1 and len(held[0]) == count

    return same


async def seen_by(author: Person, log: str, seq: int) -> Sequence[str]:
    """Who has cosigned an entry of the author's spine, by name."""
    assert author.node is not None
    found = await author.node.core.services["logs"].show(log=log, limit=1000)
    return next((line["cosigned"] for line in found["entries"] if line["seq"] == seq), ())


# --- disks


def keep_disk(person: Person, folder: str) -> None:
    """Keeps what is on the disk of a stopped node in a folder of that name."""
    _copy(person.world.folder, person.world.folder / folder, person.name)


def put_disk_back(person: Person, folder: str) -> None:
    """Puts back what was kept."""
    _copy(person.world.folder / folder, person.world.folder, person.name)


def _copy(source: Path, target: Path, name: str) -> None:
    target.mkdir(exist_ok=True)
    for stale in target.glob(f"{name}.db*"):
        stale.unlink()
    for file in source.glob(f"{name}.db*"):
        shutil.copy(file, target / file.name)


# --- a liar's own hand


def cut_own_log(tx: Tx, log: Space, seq: int, anchor: str) -> None:
    """What no honest node does: entries of one's own log from this seq on are gone, as if nobody had them."""
    number = log.log.number
    tx.execute("DELETE FROM entry WHERE key BETWEEN ? AND ?", logs.span(number, seq))
    tx.execute("UPDATE log SET published = ? WHERE number = ?", (seq - 1, number))
    account = people.find_contact(tx, anchor).account
    tx.execute("UPDATE space SET anchor = ? WHERE log = ?", (account, number))


def own(tx: Tx, name: str) -> Space:
    """One's own log of this name that goes on."""
    return [one for one in spaces.of(tx, spaces.OURS) if one.name == name][-1]


def sign(tx: Tx, me: Identity, log: Space, said: bytes, seq: int, prev: bytes | None, at_ms: int) -> Entry:
    """An entry that is only signed, and stands nowhere."""
    kind = Kind.SPINE if log.name == "spine" else Kind.PUBLIC
    return entry.write(Body(me.device, log.log.id, seq, prev, at_ms, (), kind, *entry.about(said)), me.device_key)
