"""A small town of honest people who pay each other over others and lower rings of debts, many at once (ledger 10-12).

What one writes or asks reaches the other in order, some time later; who is silent hears and says nothing for a while.
Not here: liars (pathworld.py).
"""

import random
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from ledger import finding, path
from ledger.finding import Ask, Asked, Search, Tell, Way
from ledger.path import Cap, Due, Line, Onwards, Route
from ledger.payment import Payment, Side, Stage
from ledger.tab import Said, Tab, lock_of
from ledger.terms import Limit, Lock, Reveal, Term
from protocol import probe
from protocol.invoice import Invoice
from protocol.probe import Found, Probe
from tests.crypto.pairs import entropy_of
from tests.protocol import invoices
from tests.protocol.circle import Someone, someone

UNIT, EXPIRES_MS = "EUR", 1_000
PEOPLE = tuple(sorted((someone(f"town {n}") for n in range(6)), key=lambda one: one.account))


@dataclass
class Goal:
    """What somebody searches a way for."""

    hash: bytes
    amount: int
    ring: bytes | None = None  # the preimage, where it is a ring


@dataclass
class Person:
    """Somebody: his tabs and caps by contact, and what his node keeps."""

    who: Someone
    tabs: dict[bytes, Tab] = field(default_factory=dict)
    sides: dict[bytes, Side] = field(default_factory=dict)
    caps: dict[bytes, dict[str, Cap]] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    searches: tuple[Search, ...] = ()
    dues: dict[bytes, Due] = field(default_factory=dict)
    secrets: dict[bytes, bytes] = field(default_factory=dict)
    goals: dict[bytes, Goal] = field(default_factory=dict)
    names: int = 0
    is_silent: bool = False

    @property
    def lines(self) -> dict[bytes, Line]:
        return {one: Line(tab, self.sides[one], self.caps[one]) for one, tab in self.tabs.items()}

    def new_name(self) -> bytes:
        self.names += 1
        return self.names.to_bytes(16, "big")

    def forwarders(self) -> tuple[bytes, ...]:
        return tuple(one for one in sorted(self.tabs))


@dataclass
class Town:
    """People, and what is on its way between each two of them, in order."""

    chance: random.Random
    people: dict[bytes, Person] = field(default_factory=dict)
    entries: dict[tuple[bytes, bytes], deque[Said]] = field(default_factory=dict)
    talk: deque[tuple[bytes, bytes, Probe | Found]] = field(default_factory=deque)
    bills: list[tuple[Invoice, bytes]] = field(default_factory=list)  # and whom it is for

    def add(self, who: Someone) -> bytes:
        self.people[who.account] = Person(who)
        return who.account

    def know(self, one: bytes, other: bytes, limit: int, cap: Cap | None) -> None:
        """Two are contacts: each may owe the other so much, and both pass on so much over their tab."""
        for at, of in ((one, other), (other, one)):
            person = self.people[at]
            person.tabs[of], person.sides[of] = Tab(), Side.LOW if at < of else Side.HIGH
            person.caps[of] = {} if cap is None else {UNIT: cap}
            self.entries[at, of] = deque()
        for at, of in ((one, other), (other, one)):
            self.write(at, of, Limit(UNIT, limit))
            self.hear(at, of)

    def owe(self, debtor: bytes, creditor: bytes, amount: int) -> None:
        """What was owed before."""
        old = self.bytes_of(32)
        lock = Lock(self.people[debtor].new_name(), UNIT, amount, lock_of(old), 1)
        self.write(debtor, creditor, lock)
        self.hear(debtor, creditor)
        self.write(creditor, debtor, Reveal(lock.pay, old))
        self.hear(creditor, debtor)

    def bytes_of(self, count: int) -> bytes:
        return self.chance.randbytes(count)

    # --- what happens

    def write(self, at: bytes, to: bytes, term: Term) -> None:
        person = self.people[at]
        side = person.sides[to]
        said = Said(person.tabs[to].heads[side.other], term, bytes(32))
        person.tabs[to].take(side, said)
        self.entries[at, to].append(said)
        self._learn(person, term)

    def hear(self, at: bytes, to: bytes) -> bool:
        """The next entry of one reaches the other."""
        person = self.people[to]
        if not self.entries[at, to] or person.is_silent:
            return False
        said = self.entries[at, to].popleft()
        person.tabs[at].take(person.sides[at].other, said)
        self._learn(person, said.term)
        return True

    def act(self, at: bytes) -> bool:
        """Somebody's node writes one thing."""
        person = self.people[at]
        if person.is_silent:
            return False
        step = path.next_step(person.lines, person.routes, person.dues, person.secrets, 0)
        if step is None:
            return False
        if not isinstance(step, Onwards):
            self.write(at, step.contact, step.term)
            return True
        pay = person.new_name()
        self.write(at, step.contact, step.lock(pay))
        person.routes = tuple(step.passed(pay) if one is step.route else one for one in person.routes)
        return True

    def listen(self) -> bool:
        """The oldest question or answer to somebody who is not silent arrives."""
        for at, to, said in self.talk:
            person = self.people[to]
            if person.is_silent:
                continue
            self.talk.remove((at, to, said))
            if isinstance(said, Probe):
                self._go_on(person, finding.asked(person.lines, at, said, person.searches, person.routes, 0))
            for search in person.searches:
                if isinstance(said, Found) and search.probe.search == said.search:
                    person.searches = tuple(one for one in person.searches if one is not search)
                    self._go_on(person, finding.told(person.lines, search, at, said, person.routes, 0))
            return True
        return False

    def bill(self, payee: bytes, payer: bytes, amount: int) -> Invoice:
        """Somebody makes an invoice for another."""
        person, preimage, key = self.people[payee], self.bytes_of(32), self.bytes_of(16)
        tags = probe.tags(key, person.forwarders(), entropy_of("town"))
        made = invoices.bill(person.who, amount=amount, lock=lock_of(preimage), key=key, tags=tags, payer=payer)
        person.dues[made.lock] = Due(preimage, UNIT, amount, EXPIRES_MS)
        self.bills.append((made, payer))
        return made

    def pay(self, made: Invoice, payer: bytes) -> None:
        """Somebody searches a way to pay an invoice, perhaps again."""
        person, search = self.people[payer], self.bytes_of(16)
        person.goals[search] = Goal(made.lock, made.amount)
        self._go_on(person, finding.begin(person.lines, made, search))

    def ring(self, at: bytes) -> None:
        """Somebody searches a ring."""
        person, search, preimage, key = self.people[at], self.bytes_of(16), self.bytes_of(32), self.bytes_of(16)
        person.goals[search] = Goal(lock_of(preimage), 0, preimage)
        self._go_on(person, finding.ring(person.lines, at, UNIT, search, key, lock_of(preimage)))

    def settle(self) -> None:
        """Everybody is there again, and all that can happen does."""
        for person in self.people.values():
            person.is_silent = False
        while self.listen() or any(self.hear(*pair) for pair in self.entries) or any(map(self.act, self.people)):
            pass

    # --- what it comes to

    def locks(self, hash_: bytes) -> list[tuple[bytes, Payment]]:
        """All locks by a hash, as their payers see them, with the payer."""
        return [
            (at, one)
            for at, person in self.people.items()
            for of, tab in person.tabs.items()
            for one in tab.payments.values()
            if one.lock == hash_ and one.payer is person.sides[of]
        ]

    def net(self, at: bytes) -> int:
        """What others owe somebody, all together."""
        person = self.people[at]
        return sum(tab.balance(person.sides[of], UNIT) for of, tab in person.tabs.items())

    def owed(self) -> dict[tuple[bytes, bytes], int]:
        """Debtor and creditor, and how much, as the creditor has it."""
        found = {}
        for at, person in self.people.items():
            for of, tab in person.tabs.items():
                found[of, at] = max(tab.balance(person.sides[of], UNIT), 0)
        return found

    def check(self) -> None:
        """Nobody owes more than his creditor allows, and nothing is passed on over a cap."""
        for person in self.people.values():
            lines = person.lines
            for contact, line in lines.items():
                assert line.tab.balance(line.side, UNIT) <= line.tab.limit(line.side, UNIT)
                passing = path.passing(contact, line, UNIT, person.routes)
                cap = line.caps.get(UNIT, Cap(0, 0))
                assert passing <= cap.total
                for route in person.routes:
                    if contact in (route.before, route.after) and route.came is not None:
                        assert route.amount <= cap.each

    def _learn(self, person: Person, term: Term | None) -> None:
        if isinstance(term, Reveal):
            person.secrets[lock_of(term.preimage)] = term.preimage

    def _go_on(self, person: Person, found: Asked) -> None:
        me = person.who.account
        if found.search is not None:
            person.searches = (*person.searches, found.search)
        for effect in found.effects:
            match effect:
                case Ask(contact, question):
                    self.talk.append((me, contact, question))
                case Tell(contact, answer, route):
                    person.routes = person.routes if route is None else (*person.routes, route)
                    self.talk.append((me, contact, answer))
                case Way():
                    self._lock(person, effect)

    def _lock(self, person: Person, way: Way) -> None:
        goal = person.goals[way.search]
        is_ring = goal.ring is not None
        amount = way.amount if is_ring else goal.amount
        step = path.begin(person.lines, way.contact, UNIT, amount, goal.hash, is_ring=is_ring, secrets=person.secrets)
        if not isinstance(step, Onwards):
            return
        pay = person.new_name()
        self.write(person.who.account, way.contact, step.lock(pay))
        if goal.ring is not None:
            person.dues[goal.hash] = Due(goal.ring, UNIT, amount, EXPIRES_MS, (way.contact, pay))


def line_of_people(count: int, limit: int, cap: Cap | None) -> tuple[Town, tuple[bytes, ...]]:
    """People of whom each knows the next."""
    town = Town(random.Random(str(count)))
    names = tuple(town.add(who) for who in PEOPLE[:count])
    for one, other in pairwise(names):
        town.know(one, other, limit, cap)
    return town, names


def is_over(one: Payment) -> bool:
    return one.stage in (Stage.SETTLED, Stage.RELEASED)
