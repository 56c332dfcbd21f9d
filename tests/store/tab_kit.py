"""Two people whose stores share a ledger, without nodes: what one writes is carried to the other in pieces."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import commands
from ledger.payment import Side, Stage
from ledger.tab import Said, Tab
from ledger.terms import Accept, Limit, Offer, Settle, Term
from protocol import entry, record, wire
from protocol import log as chains
from protocol.grant import Role
from store import authoring, entries, halves, intake, logs, payments, reissuing, renewing, spaces
from store.database import Tx
from store.entries import Held
from store.intake import Piece, Took
from store.renewals import Pause
from store.spaces import Space
from store.tabs import OpenTab, Tabs
from tests.store import kit, mail_kit, space_kit
from tests.store.space_kit import Sharers

UNIT = "EUR"
DAY_MS = 86_400_000


@dataclass
class Holder:
    """One of the two. shown: whether his contact has said since the start what it holds of his log."""

    side: kit.Side
    tx: Tx
    tabs: Tabs
    memos: int = 0
    shown: bool = True

    @property
    def one(self) -> OpenTab:
        """His tab with the other."""
        return self.tabs.of(self.tx, self.side.contact)

    @property
    def refusal(self) -> Pause | None:
        """Why he can write nothing now."""
        return self.one.pause

    @property
    def owed(self) -> int:
        """What the other owes him, as his lists have it."""
        assert self.one
        return sum(row.owed for row in payments.balances(self.tx))

    def write(self, make: Callable[[Tab], Term | None]) -> bool:
        return self.tabs.write(self.tx, self.one, make, self.side.mine, self.side.clock.ms, self.side.entropy)

    def say(self, term: Term) -> None:
        assert self.write(lambda _: term)

    def allow(self, most: int, unit: str = UNIT) -> None:
        self.say(Limit(unit, most))

    def offer(self, amount: int = 5, expires_ms: int | None = None) -> bytes:
        """Offers to owe; returns the name of the payment. Each has a memo of its own."""
        self.memos += 1
        pay = commands.new_pay(self.one.tab, self.one.side, self.side.clock.ms, self.side.entropy)
        memo = f"{self.side.name} {self.memos}"
        self.say(Offer(pay, UNIT, amount, expires_ms or self.side.clock.ms + DAY_MS, memo=memo))
        return pay

    def accept(self, pay: bytes) -> None:
        assert commands.refusal(self.one.tab, self.one.side, self.one.key(False, pay)) is None
        assert self.write(lambda tab: Accept(pay, tab.state()))

    def settle(self, pay: bytes) -> None:
        assert commands.may_settle(self.one.tab, self.one.key(True, pay))
        assert self.write(lambda tab: Settle(pay, tab.state()))

    def stages(self) -> dict[tuple[bool, bytes], Stage]:
        """His rows: (mine, pay) -> stage."""
        assert self.one
        return payments.stages(self.tx, self.side.contact, self.one.generation)

    def say_again(self) -> None:
        """What the clerk does whenever something has come."""
        draw = self.side.entropy
        reissuing.say(self.tx, self.tabs, self.one, self.side.mine, self.side.clock.ms, draw)

    def propose(self, reason: str = "", **owed: int) -> None:
        """Proposes to begin anew with what the other then owes him."""
        side = self.side
        renewing.propose(self.tx, self.tabs, self.one, owed, reason, side.mine, side.clock.ms, side.entropy)

    def agree(self) -> bool:
        """Agrees to what the other proposes."""
        side = self.side
        return renewing.agree(self.tx, self.tabs, self.one, side.mine, side.clock.ms, side.entropy)

    def go_on(self) -> None:
        """What the clerk does where a ledger is begun anew."""
        side = self.side
        renewing.go_on(self.tx, self.tabs, self.one, side.mine, side.clock.ms, side.entropy)

    def restart(self) -> None:
        """His node starts anew: what it knew by heart is gone."""
        self.tabs = Tabs(self.tabs.account)

    def forget_images(self) -> None:
        self.tx.execute("DELETE FROM tab")
        self.restart()

    def copy(self) -> dict[str, list[Any]]:
        """All that is on his disk."""
        tables = self.tx.all("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
        return {name: self.tx.all(f"SELECT * FROM {name}") for (name,) in tables if name in KEPT}

    def put_back(self, copy: dict[str, list[Any]]) -> None:
        """His disk is set back to a copy."""
        for name, rows in copy.items():
            self.tx.execute(f"DELETE FROM {name}")
            if rows:
                self.tx.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        self.restart()
        self.shown = False


KEPT = (
    "log",
    "space",
    "reader",
    "entry",
    "fork",
    "tab",
    "tab_mark",
    "payment",
    "request",
    "balance",
    "receipt",
    "recovered",
    "unsaid",
    "tab_standing",
    "begun_anew",
    "proposed_at",
    "limit_before",
)


@dataclass
class Pair:
    """Ana and Bo, and how their logs go over."""

    sharers: Sharers
    ana: Holder
    bo: Holder

    def other(self, one: Holder) -> Holder:
        return self.bo if one is self.ana else self.ana

    def copy_of(self, own: Space, one: Holder) -> Space | None:
        """A log of one of them as the other has it."""
        other = self.other(one)
        found = spaces.of(other.tx, other.side.contact)
        return next((theirs for theirs in found if theirs.log.id == own.log.id), None)

    def carry(self, one: Holder, count: int = 1024) -> int:
        """So much of what one has written goes to the other; returns how many entries went."""
        other, went = self.other(one), 0
        for own in spaces.ledger(one.tx, one.side.contact)[0]:
            if not own.log.own:
                continue
            theirs = self.copy_of(own, one)
            if theirs is None:
                self.sharers.hear(spaces.granted, spaces.grant(one.tx, own.log.number), other.side)
                theirs = self.copy_of(own, one)
                assert theirs is not None
            head = entries.head(other.tx, theirs.log.number)
            first = 0 if head is None else head.seq + 1
            held = entries.read(one.tx, own.log.number, first, min(1024, count - went), 1 << 30)
            if held:
                logs.publish(one.tx, own.log.number, held[-1].seq)
                took = self.take(other, theirs.log.number, held)
                assert isinstance(took, Took)
                went += len(held)
        return went

    def ask(self, one: Holder) -> list[Took]:
        """The other shows what he holds of one's log."""
        other, found = self.other(one), []
        for own in spaces.ledger(one.tx, one.side.contact)[0]:
            theirs = self.copy_of(own, one)
            held = () if theirs is None else entries.read(other.tx, theirs.log.number, 0, 1024, 1 << 30)
            if held:
                took = self.take(one, own.log.number, held)
                assert isinstance(took, Took), took
                found.append(took)
        one.shown = True
        return found

    def take(self, one: Holder, number: int, held: tuple[Held, ...]) -> Took | Exception:
        """A run comes to one of them."""
        piece = Piece(number, tuple(each.raw for each in held), tuple(each.content for each in held))
        key, now_ms = one.side.mine.device_key, one.side.clock.ms
        (took,) = intake.take(one.tx, [piece], key, now_ms, one.side.entropy)
        return took

    def sync(self) -> None:
        """All goes over, both ways."""
        while self.carry(self.ana) + self.carry(self.bo):
            for one in (self.ana, self.bo):
                one.go_on()
                one.say_again()

    def pay(self, payer: Holder, amount: int = 5) -> bytes:
        """A payment from its offer to its end."""
        payee = self.other(payer)
        pay = payer.offer(amount)
        self.sync()
        payee.accept(pay)
        self.sync()
        payer.settle(pay)
        self.sync()
        return pay

    def forge(self, one: Holder, *said: bytes, acks: tuple[entry.Ack, ...] = (), carry: bool = True) -> None:
        """One writes what no honest node writes, past all rules, and it goes over."""
        ours = spaces.ledger(one.tx, one.side.contact)[0]
        authoring.write(one.tx, ours[-1], said, one.side.mine.device_key, one.side.clock.ms, one.side.entropy, acks)
        if carry:
            self.carry(one)

    def head_of(self, one: Holder) -> entry.Ack:
        """The newest entry of one's half, as it is acknowledged."""
        own = spaces.ledger(one.tx, one.side.contact)[0][-1]
        head = entries.head(one.tx, own.log.number)
        assert head is not None
        return entry.Ack(own.log.id, head.seq, head.id)

    def check(self, one: Holder) -> None:
        """A tab is what a plain fold of the entries on the disk is, and its rows say the same."""
        tab, found = plain_fold(one), one.one
        assert (found.tab.heads, found.tab.acked, found.tab.newest) == (tab.heads, tab.acked, tab.newest)
        assert found.tab.state() == tab.state()
        assert found.book.differences == []
        rows = one.stages()
        assert rows == {(one.one.is_mine(key), key.pay): each.stage for key, each in tab.payments.items()}
        for row in payments.balances(one.tx):
            assert row.owed == tab.balance(found.side, row.unit)
            assert row.allowed == tab.limit(found.side, row.unit)
            assert row.credit == tab.limit(found.side.other, row.unit)
        assert {row.unit for row in payments.balances(one.tx)} == {*tab.units()}

    def agree(self) -> None:
        """Both have all, and see the same."""
        self.sync()
        ana, bo = self.ana.one, self.bo.one
        assert ana.tab.heads == bo.tab.heads
        assert ana.tab.state() == bo.tab.state()
        assert self.ana.owed == -self.bo.owed
        assert self.ana.stages() == {(not mine, pay): stage for (mine, pay), stage in self.bo.stages().items()}
        for one in (self.ana, self.bo):
            self.check(one)


def plain_fold(one: Holder) -> Tab:
    """The fold of all entries of two half-logs of one log each, by ledger.Tab alone."""
    tab = Tab()
    side = one.one.side
    both = spaces.ledger(one.tx, one.side.contact)
    waiting: dict[Side, list[Any]] = {}
    for whose, found in zip((side, side.other), both, strict=True):
        held = entries.read(one.tx, found[0].log.number, 0, 1 << 20, 1 << 30) if found else ()
        waiting[whose] = [(found[0], each) for each in held]
    ids = {found[0].log.id for found in both if found}
    moved = True
    while moved:
        moved = False
        for whose in Side:
            while waiting[whose]:
                of, held = waiting[whose][0]
                acks = [each.seq + 1 for each in entries_acks(held) if each.log in ids and each.log != of.log.id]
                ack = max(acks, default=0)
                if ack > tab.heads[whose.other]:
                    break
                term = halves.term(of, held)
                tab.take(whose, Said(ack, None if term is halves.NEWER else term, entry.id_of(held.raw)))
                waiting[whose].pop(0)
                moved = True
    return tab


def entries_acks(held: Held) -> tuple[entry.Ack, ...]:
    return chains.recall(held.raw).body.acks


def said(*items: wire.Value) -> bytes:
    """What an entry says that no term does."""
    return wire.encode(items)


def of_term(term: Term) -> bytes:
    return record.encode(term)


@asynccontextmanager
async def open_pair(credit: int = 10_000) -> AsyncIterator[Pair]:
    """Ana and Bo, who let each other owe so much."""
    async with space_kit.open_sharers() as sharers:
        ana, bo = (
            Holder(side, tx, Tabs(side.mine.account))
            for side, tx in ((sharers.ana, sharers.mine), (sharers.bo, sharers.theirs))
        )
        pair = Pair(sharers, ana, bo)
        if credit:
            ana.allow(credit)
            bo.allow(credit)
            pair.sync()
        yield pair


def second_root(pair: Pair, one: Holder) -> Space:
    """A hostile side begins another half beside the one that there is."""
    side = one.side
    account = pair.other(one).side.mine.account
    draw = (side.mine.device, Role.LEDGER, "ledger", side.entropy(32), 0, account, (side.contact,), 0, side.clock.ms)
    return spaces.begin(one.tx, *draw)


@contextmanager
def blocking_pair() -> Iterator[Pair]:
    """Ana and Bo without a loop, for machines; nobody owes or allows anything yet."""
    with mail_kit.open_people("ana", "bo") as people:
        nothing: Any = None
        sides = [
            kit.Side(one.name, Path(":memory:"), nothing, one.me, one.clock, one.entropy, *one.known[other.name])
            for one, other in (people, people[::-1])
        ]
        sharers = Sharers(sides[0], sides[1], people[0].tx, people[1].tx)
        ana, bo = (Holder(side, one.tx, Tabs(one.me.account)) for side, one in zip(sides, people, strict=True))
        yield Pair(sharers, ana, bo)
