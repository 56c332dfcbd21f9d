"""A tab with 100,000 entries in a store of its own, for payments.py: 25,000 payments, each settled and acknowledged."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crypto.keys import SigningKey
from ledger.payment import Side
from ledger.tab import Said, Tab
from ledger.terms import Accept, Ackn, Limit, Offer, Open, Settle, Term
from protocol import entry, record
from protocol import log as chains
from protocol.entry import Ack, Body, Kind
from protocol.grant import Grant, Role
from protocol.ids import AccountId
from store import entries, logs, people, spaces
from store.database import Database, Tx, Worker, open_database
from store.generations import NAME
from store.people import ContactState
from store.schema import CORE
from store.tabs import Tabs

ENTRIES = 100_000
OURS, THEIRS = AccountId(b"a" * 32), AccountId(b"b" * 32)  # LOW and HIGH
KEYS = (SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33))))
SECRETS = (bytes(range(2, 34)), bytes(range(3, 35)))
NOW_MS = 1_798_761_600_000  # 2027-01-01
YEAR, YEAR_PAYMENTS = "2027", 10_000
STEP_MS = 365 * 86_400_000 // (2 * YEAR_PAYMENTS)  # between two entries of a half: each payment takes two
UNIT = "EUR"


@dataclass
class _Half:
    """A half that is made: entries and contents, and its head."""

    side: Side
    log: bytes
    made: list[tuple[bytes, bytes]] = field(default_factory=list)
    head: chains.Head | None = None

    def say(self, tab: Tab, term: Term, other: "_Half") -> None:
        """One more entry, which acknowledges all of the other half, and is folded."""
        key, secret = KEYS[self.side], SECRETS[self.side]
        seq, prev = (0, None) if self.head is None else (self.head.seq + 1, self.head.id)
        nonce = seq.to_bytes(24, "big")
        opens = entry.content_key(secret, self.log, seq)
        said = entry.seal(opens, key.public, self.log, seq, record.encode(term), nonce)
        acks = () if other.head is None else (Ack(other.log, other.head.seq, other.head.id),)
        one = entry.write(
            Body(key.public, self.log, seq, prev, NOW_MS + STEP_MS * seq, acks, Kind.SEALED, *entry.about(said)), key
        )
        tab.take(self.side, Said(tab.heads[self.side.other], term, one.id))
        self.made.append((one.raw, said))
        self.head = chains.Head(seq, one.id)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Database, bytes, int]]:
    """The store, our account, and the row of the contact."""
    halves = _made()
    async with open_database(folder / "weft.db", bytes(range(32)), CORE, Worker.THREAD) as database:
        yield database, OURS, await database.transact(_laid, halves)


def forget(tx: Tx) -> None:
    """Drops the image and all rows that follow from the entries."""
    for table in ("tab", "payment", "balance"):
        tx.execute(f"DELETE FROM {table}")


def _made() -> tuple[_Half, _Half]:
    tab = Tab()
    ours, theirs = (_Half(side, chains.log_id(SECRETS[side], KEYS[side].public, 0)) for side in Side)
    ours.say(tab, Open(1, THEIRS), theirs)
    theirs.say(tab, Open(1, OURS), ours)
    theirs.say(tab, Limit(UNIT, 2**52), ours)
    ours.say(tab, Ackn(), theirs)
    for number in range(ENTRIES // 4 - 1):
        pay = (number + 1).to_bytes(16, "big")
        ours.say(tab, Offer(pay, UNIT, 1 + number % 1000, 2**47, (), "lunch"), theirs)
        theirs.say(tab, Accept(pay, tab.state()), ours)
        ours.say(tab, Settle(pay, tab.state()), theirs)
        theirs.say(tab, Ackn(), ours)
    return ours, theirs


def _laid(tx: Tx, halves: tuple[_Half, _Half]) -> int:
    contact = people.add_contact(tx, THEIRS, "Bo", ContactState.ACTIVE, "", NOW_MS)
    ours, theirs = halves
    own = spaces.begin(
        tx, KEYS[0].public, Role.LEDGER, NAME, SECRETS[0], 0, THEIRS, (contact.id,), 0, NOW_MS
    ).log.number
    number = logs.begin(tx, theirs.log, KEYS[1].public, SECRETS[1], own=False).number
    spaces.put_back(tx, number, contact.id, Grant(Role.LEDGER, 0, SECRETS[1], OURS, NAME, None))
    for log, half in ((own, ours), (number, theirs)):
        for run in _runs(half.made):
            entries.take_in(tx, log, [raw for raw, _ in run], [content for _, content in run], NOW_MS)
    found = Tabs(OURS).of(tx, contact.id)
    assert sum(found.tab.heads) == ENTRIES
    assert not found.book.differences
    return contact.id


def _runs(made: list[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    for at in range(0, len(made), chains.RUN_ENTRIES_MAX):
        yield made[at : at + chains.RUN_ENTRIES_MAX]
