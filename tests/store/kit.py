"""Two nodes' databases without nodes: identities, a first contact, and envelopes carried by hand."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from crypto import keys
from protocol import content, ids, record
from protocol import identity as documents
from protocol.content import Channel
from protocol.delivery import State
from store import devices, identity, inbox, outbox, people, schema, sessions
from store.conversations import SCHEMA
from store.database import Database, Migration, Tx, Worker, open_database
from store.identity import Identity
from store.outbox import NeedBundle, Outgoing
from store.people import ContactState

START_MS = 1_790_000_000_000
KEY = bytes(range(32))
NOTES = Migration(
    "notes", 1, "CREATE TABLE note (seq INTEGER PRIMARY KEY, contact INTEGER NOT NULL, text TEXT NOT NULL) STRICT;"
)
MIGRATIONS = (*schema.CORE, *SCHEMA, NOTES)


@record.record
@dataclass(frozen=True, slots=True)
class Note:
    """A line of text, said in an established session."""

    KIND: ClassVar[int] = 9000
    CHANNELS: ClassVar[frozenset[Channel]] = frozenset({Channel.RATCHET})

    text: Annotated[str, record.Utf8(16 * 1024)]


@record.record
@dataclass(frozen=True, slots=True)
class Hallo:
    """What is only said in the dialogue of an invitation."""

    KIND: ClassVar[int] = 9001
    CHANNELS: ClassVar[frozenset[Channel]] = frozenset({Channel.INIT})

    text: Annotated[str, record.Utf8(100)]


KINDS = content.Kinds((Note, Hallo))


def apply_note(tx: Tx, arrival: inbox.Arrival) -> None:
    """The room's fold: one row for each note."""
    tx.execute(
        "INSERT INTO note (seq, contact, text) VALUES (?, ?, ?)",
        (arrival.seq, arrival.contact.id, arrival.said.content.text),
    )
    tx.changed("notes", arrival.seq)


ROOMS = inbox.Rooms(KINDS, {Note.KIND: apply_note, Hallo.KIND: apply_note})


def entropy_of(seed: str) -> keys.Entropy:
    """A repeatable stream of bytes."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_128(f"{seed}/{count}".encode()).digest(size)

    return draw


@dataclass
class Clock:
    """The time of a test, in ms."""

    ms: int = START_MS

    def pass_s(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


@dataclass
class Side:
    """One node's store and how it knows the other."""

    name: str
    path: Path
    database: Database
    mine: Identity
    clock: Clock
    entropy: keys.Entropy
    contact: int = 0
    device: int = 0
    rooms: inbox.Rooms = ROOMS
    sealed: list[bytes] = field(default_factory=list)

    async def run(self, f: Callable[..., Any], *args: Any) -> Any:
        """A transaction whose function takes what is given."""
        return await self.database.transact(f, *args)

    # --- inside a transaction

    def post_in(self, tx: Tx, text: str, contact: int = 0) -> int:
        """Posts a note; returns its row."""
        message_id = ids.new_message_id(self.clock.ms, self.entropy)
        raw = content.say(message_id=message_id, hlc_ms=self.clock.ms, device_seq=1, parents=(), content=Note(text))
        posted = outbox.Posted(message_id, Note.KIND, self.clock.ms, raw)
        return outbox.post(tx, contact or self.contact, (posted,), self.clock.ms)

    def seal_in(self, tx: Tx, count: int = 512, device: int = 0) -> tuple[Outgoing, ...] | NeedBundle:
        """Seals what waits."""
        draw, device = self.entropy, device or self.device
        sealed = outbox.seal(tx, self.mine, device, count, 1 << 20, self.clock.ms, draw, keys.encapsulate)
        if not isinstance(sealed, NeedBundle):
            self.sealed.extend(one.envelope for one in sealed)
        return sealed

    def accept_in(self, tx: Tx, *envelopes: bytes) -> inbox.Accepted:
        """Takes envelopes in."""
        return inbox.accept(tx, self.rooms, self.mine, self.device, envelopes, self.clock.ms)

    def acked_in(self, tx: Tx, outgoing: Sequence[Outgoing], held: Sequence[int] = ()) -> None:
        """Takes in the other's acknowledgement. held: indexes."""
        tickets = tuple(one.seq for index, one in enumerate(outgoing) if index not in held)
        held_tickets = tuple(one.seq for index, one in enumerate(outgoing) if index in held)
        outbox.acked(tx, self.device, tickets, held_tickets, self.clock.ms)

    def heal_in(self, tx: Tx) -> sessions.Healing:
        """Restarts the session if that is due."""
        return sessions.heal(tx, self.mine, self.device, self.clock.ms, self.entropy, keys.encapsulate)

    def bundle_in(self, tx: Tx) -> documents.Bundle:
        """A bundle of ours."""
        return sessions.own_bundle(tx, self.mine, self.clock.ms, self.entropy)

    # --- a transaction each

    async def post(self, *texts: str) -> tuple[int, ...]:
        """Posts notes to the other; returns their rows."""
        rows: tuple[int, ...] = await self.run(lambda tx: tuple(self.post_in(tx, text) for text in texts))
        return rows

    async def seal(self, count: int = 512) -> tuple[Outgoing, ...]:
        """Seals what waits; there is a bundle."""
        sealed = await self.run(self.seal_in, count)
        assert isinstance(sealed, tuple)
        return sealed

    async def accept(self, *envelopes: bytes) -> inbox.Accepted:
        """Takes envelopes in."""
        return await self.database.transact(self.accept_in, *envelopes)

    async def acked(self, outgoing: Sequence[Outgoing], held: Sequence[int] = ()) -> None:
        """Takes in the other's acknowledgement. held: indexes."""
        await self.database.transact(self.acked_in, outgoing, held)

    async def heal(self) -> sessions.Healing:
        """Restarts the session if that is due."""
        return await self.database.transact(self.heal_in)

    async def notes(self) -> list[str]:
        """The texts that have arrived, in order."""
        return [text for (text,) in await self.run(lambda tx: tx.all("SELECT text FROM note ORDER BY seq"))]

    async def state(self, seq: int) -> State:
        """How far a message is."""
        row = await self.run(lambda tx: tx.one("SELECT state FROM message WHERE seq = ?", (seq,)))
        return State(row[0])

    async def sending(self) -> ids.SessionId | None:
        """The session that sends to the other."""
        return await self.database.transact(sessions.sending, self.device)

    async def give_bundle(self, other: "Side") -> None:
        """The other stores a fresh bundle of ours."""
        bundle = await self.database.transact(self.bundle_in)
        await other.run(sessions.store_bundle, other.device, bundle, self.clock.ms)


@asynccontextmanager
async def open_side(
    path: Path,
    name: str,
    clock: Clock,
    worker: Worker = Worker.INLINE,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> AsyncIterator[Side]:
    """A store with a fresh identity, or the one that is in the file."""
    entropy = entropy_of(f"{name}/{clock.ms}")
    async with open_database(path, KEY, migrations, worker) as database:
        mine = await database.transact(identity.load_identity)
        if mine is None:
            recovery = entropy_of(f"words/{name}")(32)
            mine = await database.transact(identity.create_identity, recovery, name, clock.ms, entropy)
        side = Side(name, path, database, mine, clock, entropy)
        row = await side.run(lambda tx: tx.one("SELECT contact, id FROM device ORDER BY id LIMIT 1"))
        if row is not None:
            side.contact, side.device = row
        yield side


async def know(one: Side, other: Side, state: ContactState = ContactState.ACTIVE) -> None:
    """`one` has the other as a contact, with its lists and its device."""

    def add(tx: Tx) -> tuple[int, int]:
        contact = people.add_contact(tx, other.mine.account, other.name, state, "", one.clock.ms)
        people.pin_lists(tx, contact.id, other.mine.lists)
        return contact.id, devices.add_device(tx, contact.id, other.mine.certificate).id

    one.contact, one.device = await one.run(add)


async def acquaint(asker: Side, inviter: Side) -> None:
    """Both know each other, and each has a bundle of the other; no session yet."""
    await know(asker, inviter)
    await know(inviter, asker)
    await inviter.give_bundle(asker)
    await asker.give_bundle(inviter)


@asynccontextmanager
async def open_pair(folder: Path, worker: Worker = Worker.INLINE) -> AsyncIterator[tuple[Side, Side]]:
    """Ana and Bo, acquainted."""
    clock = Clock()
    async with (
        open_side(folder / "ana.db", "Ana", clock, worker) as ana,
        open_side(folder / "bo.db", "Bo", clock, worker) as bo,
    ):
        await acquaint(ana, bo)
        yield ana, bo


async def carry(author: Side, reader: Side, count: int = 512) -> inbox.Accepted:
    """Everything that waits goes over and is acknowledged."""
    outgoing = await author.seal(count)
    accepted = await reader.accept(*(one.envelope for one in outgoing))
    await author.acked(outgoing, accepted.held)
    return accepted


async def converse(ana: Side, bo: Side, rounds: int = 2) -> None:
    """Some messages both ways, so that the session is established and both have sent in it."""
    for n in range(rounds):
        await ana.post(f"ana {n}")
        await carry(ana, bo)
        await bo.post(f"bo {n}")
        await carry(bo, ana)


def exchange(author: Side, author_tx: Tx, reader: Side, reader_tx: Tx) -> inbox.Accepted:
    """Like `carry`, inside transactions that are open."""
    outgoing = author.seal_in(author_tx)
    assert isinstance(outgoing, tuple)
    accepted = reader.accept_in(reader_tx, *(one.envelope for one in outgoing))
    author.acked_in(author_tx, outgoing, accepted.held)
    return accepted


async def grip(side: Side) -> Tx:
    """The side's transaction object, for tests that begin and undo transactions by hand."""
    tx: Tx = await side.run(lambda tx: tx)
    return tx


@asynccontextmanager
async def open_memory_pair() -> AsyncIterator[tuple[Side, Side]]:
    """Ana and Bo, acquainted, in memory: fast, for many short histories."""
    memory = Path(":memory:")
    clock = Clock()
    async with open_side(memory, "Ana", clock) as ana, open_side(memory, "Bo", clock) as bo:
        await acquaint(ana, bo)
        yield ana, bo
