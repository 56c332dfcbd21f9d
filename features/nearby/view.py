"""What nearby mode keeps: until when one is visible, throw-away keys, greetings, whom one does not hear, reports.

All but the reports is erased when nearby mode ends. What others show is never kept unless they greet.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from features.nearby.content import REPORTS_MAX, WAITING_MAX, WAITING_PER_PLACE_MAX, WAITING_UNSEEN_MAX, State, short
from protocol import nearby
from protocol.nearby import Verdict
from store.database import Migration, Tx

CHANGED = "nearby.greeting"
UNSEEN = ""  # the place of who greets and was not seen by us

_TABLES = """
CREATE TABLE nearby_session (
  id INTEGER PRIMARY KEY AUTOINCREMENT, until_ms INTEGER NOT NULL, name TEXT NOT NULL, cell TEXT NOT NULL
) STRICT;
CREATE TABLE nearby_mask (
  slot INTEGER PRIMARY KEY, seed BLOB NOT NULL, box BLOB NOT NULL, port INTEGER NOT NULL
) STRICT;
CREATE TABLE nearby_greeting (
  id INTEGER PRIMARY KEY AUTOINCREMENT, mine INTEGER NOT NULL, peer BLOB NOT NULL, box BLOB NOT NULL,
  secret BLOB NOT NULL, ticket BLOB NOT NULL UNIQUE, name TEXT NOT NULL, text TEXT NOT NULL, addresses TEXT NOT NULL,
  place TEXT NOT NULL, at_ms INTEGER NOT NULL, state INTEGER NOT NULL, link TEXT NOT NULL, invitation BLOB NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE nearby_blocked (peer BLOB PRIMARY KEY) STRICT;
CREATE TABLE nearby_report (
  id INTEGER PRIMARY KEY AUTOINCREMENT, peer BLOB NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
  heard_ms INTEGER NOT NULL, reason TEXT NOT NULL, reported_ms INTEGER NOT NULL
) STRICT;
"""
MIGRATIONS = (Migration("nearby", 1, _TABLES),)
_COLUMNS = "id, mine, peer, box, secret, ticket, name, text, addresses, place, at_ms, state, link, invitation, reason"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one is visible: until when (ms), under which name ("" for none), in which cell ("" for none)."""

    id: int
    until_ms: int
    name: str
    cell: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The throw-away keys of a slot: seeds of 32 bytes each. port: where its host listened last, 0 before."""

    slot: int
    seed: bytes = field(repr=False)
    box: bytes = field(repr=False)
    port: int


@dataclass(frozen=True, slots=True)
class Greeting:
    """A greeting, ours or another's. peer, name: of the other. box: the other's. secret: of our own box, if it is ours.

    place: whose greetings are counted together. link, invitation: of an acceptance. reason: why nothing came of it.
    """

    id: int
    mine: bool
    peer: bytes
    box: bytes
    secret: bytes = field(repr=False)
    ticket: bytes = field(repr=False)
    name: str
    text: str
    addresses: tuple[str, ...]
    place: str
    at_ms: int
    state: State
    link: str = field(default="", repr=False)
    invitation: bytes = b""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A greeting as doors show it. mine: whether it is ours. state: that of content.State, in small letters."""

    id: str
    mine: bool
    name: str
    text: str
    at_ms: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was kept of somebody who was reported."""

    peer: bytes
    name: str
    text: str
    heard_ms: int
    reason: str
    reported_ms: int


# --- being visible


def begin(tx: Tx, until_ms: int, name: str, cell: str) -> int:
    """Becomes visible, with nothing of an earlier time; the number of this time."""
    end(tx)
    return tx.insert("INSERT INTO nearby_session (until_ms, name, cell) VALUES (?, ?, ?)", (until_ms, name, cell))


def standing(tx: Tx, now_ms: int, ms_max: int) -> Standing | None:
    """How one is visible now. ms_max: if more is left than this, the clock was set back, and it is over."""
    row = tx.one("SELECT id, until_ms, name, cell FROM nearby_session")
    return Standing(*row) if row is not None and now_ms < row[1] <= now_ms + ms_max else None


def end(tx: Tx) -> None:
    """Forgets everything but the reports. Invitations that nobody fetched are the caller's to revoke, before."""
    for table in ("session", "mask", "greeting", "blocked"):
        tx.execute(f"DELETE FROM nearby_{table}")


def masks(tx: Tx, slot: int, entropy: Callable[[int], bytes]) -> tuple[Keys, ...]:
    """The keys of this slot, made now if there are none, and before them those of the slot before, if there were."""
    tx.execute("DELETE FROM nearby_mask WHERE slot < ? OR slot > ?", (slot - 1, slot))
    if tx.one("SELECT 1 FROM nearby_mask WHERE slot = ?", (slot,)) is None:
        tx.execute(
            "INSERT INTO nearby_mask (slot, seed, box, port) VALUES (?, ?, ?, 0)", (slot, entropy(32), entropy(32))
        )
    return tuple(Keys(*row) for row in tx.all("SELECT slot, seed, box, port FROM nearby_mask ORDER BY slot"))


def keep_port(tx: Tx, slot: int, port: int) -> None:
    """Keeps where the host of a slot listens: who greeted it asks there, also after a restart."""
    tx.execute("UPDATE nearby_mask SET port = ? WHERE slot = ?", (port, slot))


# --- greetings


def greetings(tx: Tx) -> tuple[Greeting, ...]:
    """All greetings of this time, in the order in which they came or went."""
    return tuple(map(_greeting, tx.all(f"SELECT {_COLUMNS} FROM nearby_greeting ORDER BY id")))


def shown(one: Greeting) -> Shown:
    """A greeting as doors show it."""
    return Shown(short(one.peer), one.mine, one.name, one.text, one.at_ms, one.state.name.lower(), one.reason)


def greeting(tx: Tx, greeting_id: int) -> Greeting | None:
    """The greeting of this row, None when nearby mode ended meanwhile."""
    row = tx.one(f"SELECT {_COLUMNS} FROM nearby_greeting WHERE id = ?", (greeting_id,))
    return None if row is None else _greeting(row)


def of_ticket(tx: Tx, ticket: bytes) -> Greeting | None:
    """Somebody's greeting by its ticket."""
    row = tx.one(f"SELECT {_COLUMNS} FROM nearby_greeting WHERE ticket = ? AND mine = 0", (ticket,))
    return None if row is None else _greeting(row)


def of_peer(tx: Tx, peer: bytes, mine: bool) -> tuple[Greeting, ...]:
    """Our greetings to a throw-away host, or its own to us."""
    wanted = f"SELECT {_COLUMNS} FROM nearby_greeting WHERE peer = ? AND mine = ? ORDER BY id"
    return tuple(map(_greeting, tx.all(wanted, (peer, int(mine)))))


def add(tx: Tx, one: Greeting) -> int:
    """Stores a new greeting (its id counts for nothing) and tells watchers; its id."""
    values = (int(one.mine), one.peer, one.box, one.secret, one.ticket, one.name, one.text, "\n".join(one.addresses))
    marks = ", ".join("?" * 14)
    made = tx.insert(
        f"INSERT INTO nearby_greeting ({_COLUMNS.removeprefix('id, ')}) VALUES ({marks})",
        (*values, one.place, one.at_ms, int(one.state), one.link, one.invitation, one.reason),
    )
    tx.changed(CHANGED, made)
    return made


def take(tx: Tx, peer: bytes, place: str, words: nearby.Words, now_ms: int) -> Verdict:
    """Stores what a stranger says, if there is room for him. The same ticket again is the same greeting."""
    if tx.one("SELECT 1 FROM nearby_greeting WHERE ticket = ?", (words.ticket,)) is not None or is_blocked(tx, peer):
        return Verdict.TAKEN
    counted = tx.all("SELECT peer, place FROM nearby_greeting WHERE mine = 0 AND state = ?", (int(State.WAITING),))
    if any(row[0] == peer for row in counted):
        return Verdict.ANOTHER
    there = sum(row[1] == place for row in counted)
    if len(counted) >= WAITING_MAX or there >= (WAITING_UNSEEN_MAX if place == UNSEEN else WAITING_PER_PLACE_MAX):
        return Verdict.FULL
    name = words.name or ""
    said = Greeting(0, False, peer, words.box, b"", words.ticket, name, words.text, (), place, now_ms, State.WAITING)
    add(tx, said)
    return Verdict.TAKEN


def move(tx: Tx, greeting_id: int, state: State, reason: str = "") -> None:
    """Moves a greeting on."""
    tx.execute("UPDATE nearby_greeting SET state = ?, reason = ? WHERE id = ?", (int(state), reason, greeting_id))
    tx.changed(CHANGED, greeting_id)


def accept(tx: Tx, greeting_id: int, link: str, invitation: bytes) -> None:
    """Lays an invitation ready for whoever greeted; or, without an invitation of ours, keeps the one we were given."""
    tx.execute(
        "UPDATE nearby_greeting SET link = ?, invitation = ?, state = ? WHERE id = ?",
        (link, invitation, int(State.ACCEPTED), greeting_id),
    )
    tx.changed(CHANGED, greeting_id)


def drop(tx: Tx, greeting_id: int) -> None:
    """Forgets a greeting of ours."""
    tx.execute("DELETE FROM nearby_greeting WHERE id = ?", (greeting_id,))


def count_mine(tx: Tx) -> int:
    """How many greetings of ours nobody has answered."""
    row = tx.one("SELECT COUNT(*) FROM nearby_greeting WHERE mine = 1 AND state < ?", (int(State.ACCEPTED),))
    assert row is not None
    return int(row[0])


# --- whom one does not hear


def block(tx: Tx, peer: bytes) -> None:
    """Hears a throw-away host no more: what it said is hidden, and it is told that it waits."""
    tx.execute("INSERT OR IGNORE INTO nearby_blocked (peer) VALUES (?)", (peer,))
    for one in of_peer(tx, peer, mine=False):
        move(tx, one.id, State.HIDDEN)
    for one in of_peer(tx, peer, mine=True):
        drop(tx, one.id)


def is_blocked(tx: Tx, peer: bytes) -> bool:
    """Whether a throw-away host is blocked."""
    return tx.one("SELECT 1 FROM nearby_blocked WHERE peer = ?", (peer,)) is not None


def report(tx: Tx, one: Report) -> None:
    """Keeps what somebody said; the oldest report goes when there are too many."""
    tx.insert(
        "INSERT INTO nearby_report (peer, name, text, heard_ms, reason, reported_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (one.peer, one.name, one.text, one.heard_ms, one.reason, one.reported_ms),
    )
    tx.execute(
        "DELETE FROM nearby_report WHERE id NOT IN (SELECT id FROM nearby_report ORDER BY id DESC LIMIT ?)",
        (REPORTS_MAX,),
    )


def reports(tx: Tx) -> tuple[Report, ...]:
    """All reports, the oldest first."""
    columns = "peer, name, text, heard_ms, reason, reported_ms"
    return tuple(Report(*row) for row in tx.all(f"SELECT {columns} FROM nearby_report ORDER BY id"))


def _greeting(row: tuple[Any, ...]) -> Greeting:
    made, mine, peer, box, secret, ticket, name, text, addresses, place, at_ms, state, *rest = row
    split = tuple(addresses.split("\n")) if addresses else ()
    return Greeting(made, bool(mine), peer, box, secret, ticket, name, text, split, place, at_ms, State(state), *rest)
