"""What a node writes into its ledgers by itself, whenever something has come or a time is over.

    accepted by the other  -> settled                    offered and expected here -> accepted
    its time is over       -> taken back                 accepted here, not confirmed -> witnesses are asked
    a witness has seen it  -> attested                   said by the other, not acknowledged -> acknowledged

Everything is found again after a restart, because it is read off the tabs.
Not here: what a person decides (service.py).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from features.payments import witnessing
from ledger import commands
from ledger.payment import Payment, Side, Stage
from ledger.tab import Key, Tab
from ledger.terms import Accept, Ackn, Cause, Decline, Dismiss, Settle, Term, Void
from node.delivery import Delivery
from node.till import Till, is_open_to
from protocol.grant import Role
from store import beheld, expected, logs, payments, people, spaces, tabs, testimony
from store.database import Database, Tx, changes_after, newest_change
from store.faults import LogFrozen
from store.payments import Asking, Paid
from store.tabs import OpenTab

TOPICS = frozenset({logs.TOPIC, spaces.CHANGED, tabs.CHANGED, people.CHANGED, beheld.TOPIC})
CHANGES_MAX = 1000
WAITING_MAX = 1000  # offers, and requests, of one contact that nobody has answered; a node declines those beyond
WRITES_MAX = 512  # of one transaction
_ON_ITS_WAY = f"mine = 1 AND stage < {int(Stage.REFUNDING)} AND lapsed = 0"

Make = Callable[[Tab], Term | None]


@dataclass(frozen=True, slots=True)
class _Served:
    """What was done with a contact. is_all: nothing is left; asked: witnesses."""

    is_all: bool = True
    asked: tuple[int, ...] = ()


@dataclass
class Clerk:
    """The clerk of a node's ledgers. `run` works until cancelled."""

    delivery: Delivery
    till: Till
    _due: dict[int, None] = field(default_factory=dict)  # contacts with whom something is to be looked at

    async def run(self) -> None:
        """Does what is due whenever something is new, until cancelled."""
        database = self.delivery.inward.database
        with database.watch(TOPICS) as changes:
            cursor = await database.transact(newest_change)
            self._due.update(dict.fromkeys(await database.transact(payments.partners)))
            while True:
                wait_s = await self._tend(database)
                with trio.move_on_after(wait_s):
                    await changes.receive()
                while rows := await database.read(changes_after, cursor, CHANGES_MAX):
                    cursor = rows[-1][0]
                    await self._changed([(topic, key) for _, topic, key in rows])

    async def _changed(self, changes: list[tuple[str, int]]) -> None:
        numbers = {key for topic, key in changes if topic in (logs.TOPIC, spaces.CHANGED)}
        self._due.update({key: None for topic, key in changes if topic in (tabs.CHANGED, people.CHANGED)})
        database = self.delivery.inward.database
        if numbers:
            self._due.update(dict.fromkeys(await database.read(_whose, numbers)))
        if words := [key for topic, key in changes if topic == beheld.TOPIC]:
            self._due.update(dict.fromkeys(await database.read(_about_whom, words)))

    async def _tend(self, database: Database) -> float:
        """Does what is due; returns in how many seconds a time is over."""
        now_ms = self.delivery.inward.now()
        self._due.update(dict.fromkeys(await database.read(over, now_ms)))
        slow = await database.read(witnessing.next_ms)
        self._due.update({one: None for one, at_ms in slow.items() if at_ms <= now_ms})
        while self._due:
            contact_id = next(iter(self._due))
            is_away = not self.delivery.talks.online(contact_id)
            served = await database.transact(self._serve, contact_id, is_away)
            if served.is_all:
                del self._due[contact_id]
            for witness in served.asked:
                self.delivery.stir(witness)
        return await database.read(self._wait_s)

    def _wait_s(self, tx: Tx) -> float:
        """In how many seconds the next time is over."""
        now_ms = self.delivery.inward.now()
        expiry = next_expiry(tx, now_ms)
        times = [at_ms for at_ms in (expiry, *witnessing.next_ms(tx).values()) if at_ms is not None and at_ms >= now_ms]
        return max(1.0, (min(times, default=math.inf) - now_ms) / 1000 + 1.0)

    def _serve(self, tx: Tx, contact_id: int, is_away: bool) -> "_Served":
        """Writes what is due with a contact."""
        if not is_open_to(people.contact(tx, contact_id)) or not any(spaces.ledger(tx, contact_id)):
            return _Served()
        one = self.till.go_on(tx, self.till.of(tx, contact_id))
        if one.pause is not None:
            return _Served()
        try:
            if not self._write(tx, one):
                return _Served(is_all=False)
        except LogFrozen:  # nothing can be said to this one, and the others do not wait for that
            return _Served()
        inward = self.delivery.inward
        nonces, messages = inward.ground.entropy("witness"), inward.ground.entropy("message")
        return _Served(asked=witnessing.ask(tx, one, is_away, witnessing.Asking(inward.now(), nonces, messages)))

    def _write(self, tx: Tx, one: OpenTab) -> bool:
        self.till.attest(tx, one)
        self.till.say_again(tx, one)
        wrote = True
        while wrote:
            found = self._duties(tx, one)
            wrote = False
            for make in found[:WRITES_MAX]:
                wrote |= self.till.write(tx, one, make)
            if len(found) > WRITES_MAX:
                return False
        if one.owes_word:
            self.till.write(tx, one, lambda _: Ackn())
        return True

    def _duties(self, tx: Tx, one: OpenTab) -> list[Make]:
        """What is to be written now."""
        found: list[Make] = []
        waiting = 0
        for each in one.tab.open():
            if each.payer is one.side:
                make = self._as_payer(one, each)
            else:
                waiting += each.stage is Stage.OFFERED
                make = self._as_payee(tx, one, each, waiting)
            if make is not None:
                found.append(make)
            if len(found) > WRITES_MAX:
                break
        beyond = payments.asked_beyond(tx, one.contact, WAITING_MAX, WRITES_MAX)
        return found + [_refusal_of(request) for request in beyond]

    def _as_payer(self, one: OpenTab, each: Payment) -> Make | None:
        key = Key(each.payer, each.pay)
        if commands.may_settle(one.tab, key):
            return lambda tab: Settle(each.pay, tab.state())
        if each.expires_ms < self.delivery.inward.now() and commands.may_void(one.tab, key, self.delivery.inward.now()):
            return lambda _: Void(each.pay)
        return None

    def _as_payee(self, tx: Tx, one: OpenTab, each: Payment, waiting: int) -> Make | None:
        if each.stage is not Stage.OFFERED:
            return None
        if waiting > WAITING_MAX:
            return lambda _: Decline(each.pay)
        row = payments.found(tx, one.contact, False, each.pay)
        assert row is not None
        if _is_too_much_back(tx, row):
            return lambda _: Decline(each.pay)
        key = Key(each.payer, each.pay)
        if commands.refusal(one.tab, one.side, key) is not None or not is_wanted(tx, one, row):
            return None
        # asked again as it is written: what was taken just before it may be what it was wanted for
        return lambda tab: accept(tab, one.side, key) if is_wanted(tx, one, row) else None


def _refusal_of(request: bytes) -> Make:
    return lambda _: Dismiss(request, int(False))


def accept(tab: Tab, payee: Side, key: Key) -> Accept | None:
    """The acceptance of an offer, where its payee may accept it as things stand."""
    return Accept(key.pay, tab.state()) if commands.refusal(tab, payee, key) is None else None


def is_wanted(tx: Tx, one: OpenTab, row: Paid) -> bool:
    """Whether a payment to us is taken without asking: we asked for it, or it only gives back what was ours."""
    match row.cause:
        case Cause.REFUND:
            original = payments.found(tx, row.contact, True, row.of)
            return original is not None and original.stage is Stage.SETTLED and original.unit == row.unit
        case Cause.REQUEST:
            asked = payments.asked(tx, row.contact, True, row.of)
            if asked is None or asked.state is not Asking.OPEN or expected.is_taken(tx, row, row.of):
                return False
            return (asked.unit, asked.amount) == (row.unit, row.amount)
        case Cause.HANDED_OVER:
            return commands.exposure(one.tab, one.side, row.unit) + row.amount <= 0  # it only lowers what we owe
        case _:
            return expected.holds(tx, row)


def _is_too_much_back(tx: Tx, row: Paid) -> bool:
    """Whether a refund gives back more than was paid (ledger 2.2)."""
    if row.cause != Cause.REFUND:
        return False
    original = payments.found(tx, row.contact, True, row.of)
    return original is not None and payments.refunded(tx, original) > original.amount


def _whose(tx: Tx, numbers: set[int]) -> tuple[int, ...]:
    """With whom the ledgers are kept to which these logs belong."""
    found: dict[int, None] = {}
    for number in sorted(numbers):
        of = spaces.space(tx, number)
        if of.role is Role.LEDGER:
            found.update(dict.fromkeys(spaces.readers(tx, number) if of.contact == spaces.OURS else (of.contact,)))
    return tuple(found)


def _about_whom(tx: Tx, words: list[int]) -> tuple[int, ...]:
    """Whose payments these words of witnesses are about."""
    return tuple(found for word in words if (found := testimony.whose(tx, word)) is not None)


def over(tx: Tx, now_ms: int) -> tuple[int, ...]:
    """With whom a time of an offer of ours is over."""
    rows = tx.all(f"SELECT contact FROM payment WHERE {_ON_ITS_WAY} AND expires_ms < ?", (now_ms,))
    return tuple(dict.fromkeys(row[0] for row in rows))


def next_expiry(tx: Tx, now_ms: int) -> int | None:
    """When the next offer of ours is over, ms since 1970."""
    row = tx.one(f"SELECT MIN(expires_ms) FROM payment WHERE {_ON_ITS_WAY} AND expires_ms >= ?", (now_ms,))
    return None if row is None or row[0] is None else int(row[0])
