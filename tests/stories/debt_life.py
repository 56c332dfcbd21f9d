"""A seeded life of people who owe each other: payments at random, partitions, kills, clocks, a disk that is set back.

However it goes: in the end nothing is open, each two count the same, what anybody was shown as settled is settled, and
what somebody was told to be offered is there, but for what was only on a disk that was set back.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import trio

from lab.world import Person, World, befriend
from ledger.payment import Stage
from protocol import ids
from protocol.faults import UserFault
from store import payments, people
from store.database import Tx
from tests.stories import log_kit
from tests.stories.crowd_kit import HOUR_S
from tests.stories.debt_kit import allow

UNITS = ("EUR", "h", "JPY")
AMOUNTS = (1, 100, 1250, 4999)
LIMIT = 1_000_000
CLOCKS_MS = (0, 0, 0, 3_600_000, -3_600_000, 86_400_000, -86_400_000)
OVER_S = 2 * HOUR_S


@dataclass
class Life:
    """What chance does to people, and what has to be true of it. burst: payments at once."""

    world: World
    chance: random.Random
    burst: int
    people: list[Person] = field(default_factory=list)
    pairs: list[tuple[Person, Person]] = field(default_factory=list)
    offered: dict[str, str] = field(default_factory=dict)  # id of a payment -> its payer, as he was told
    settled: set[tuple[str, str]] = field(default_factory=set)  # who was shown which as settled
    lost: set[str] = field(default_factory=set)  # was written after a copy that was put back
    since: list[str] | None = None  # what the victim offered since his disk was copied
    count: int = 0

    @property
    def victim(self) -> Person:
        return self.people[0]

    async def begin(self, count: int, friends: int) -> None:
        """So many people, each a contact of the next ones, who allow each other what is more than enough."""
        self.people = [await self.world.person(f"p{number:02}") for number in range(count)]
        for at, one in enumerate(self.people):
            for step in range(1, friends + 1):
                other = self.people[(at + step) % count]
                if other is not one and not {(one.name, other.name), (other.name, one.name)} & self._named():
                    self.pairs.append((one, other))
                    await befriend(one, other)
        for one, other in self.pairs:
            for creditor, debtor in ((one, other), (other, one)):
                for unit in UNITS:
                    await allow(creditor, debtor, str(LIMIT), unit)
        for person in self.people:
            person.clock_off_ms = self.chance.choice(CLOCKS_MS)

    def _named(self) -> set[tuple[str, str]]:
        return {(one.name, other.name) for one, other in self.pairs}

    # --- what happens

    async def step(self) -> None:
        """One thing happens to somebody."""
        act = self.chance.choices(
            (self.pay, self.answer, self.recall, self.part, self.heal, self.end, self.copy, self.set_back, self.wait),
            weights=(12, 12, 1, 1, 3, 3, 1, 1, 6),
        )[0]
        await act()
        await self.look()

    async def pay(self) -> None:
        for _ in range(self.chance.randint(1, self.burst)):
            payer, payee = self._pair()
            if payer.node is None:
                continue
            unit, amount = self.chance.choice(UNITS), self.chance.choice(AMOUNTS)
            try:
                row = await payer.call(
                    "payments.pay",
                    to=payee.name,
                    amount=str(amount),
                    unit=unit,
                    expires_s=self.chance.choice((60, 3600, 86_400, 7 * 86_400)),
                )
            except UserFault as fault:
                if fault.code != "ledger.paused":  # his disk was set back, and the other is not there
                    raise
                continue
            self.count += 1
            self.offered[row["id"]] = payer.name
            if payer is self.victim and self.since is not None:
                self.since.append(row["id"])

    async def answer(self) -> None:
        person = self.chance.choice(self.people)
        if person.node is not None:
            await self.answer_all(person)

    async def answer_all(self, person: Person) -> None:
        """Somebody takes most of what waits for her."""
        for row in (await person.call("payments.requests"))["offers"]:
            verb = "payments.decline" if self.chance.random() < 0.1 else "payments.accept"
            try:
                await person.call(verb, id=row["id"])
            except UserFault as fault:  # it is over since, or the tab waits for what is to come back
                if fault.code not in ("payment.over", "payment.unknown", "ledger.paused"):
                    raise

    async def recall(self) -> None:
        payer, _ = self._pair()
        if payer.node is None:
            return
        for row in (await payer.call("payments.requests"))["open"]:
            if row["mine"] and row["state"] == "offered" and self.chance.random() < 0.2:
                try:
                    await payer.call("payments.recall", id=row["id"])
                except UserFault as fault:
                    if fault.code not in ("payment.over", "payment.accepted", "payment.unknown", "ledger.paused"):
                        raise

    async def part(self) -> None:
        names = [one.name for one in self.people]
        self.chance.shuffle(names)
        at = self.chance.randint(1, len(names) - 1)
        self.world.network.partition(names[:at], names[at:])

    async def heal(self) -> None:
        self.world.network.heal_all()

    async def end(self) -> None:
        person = self.chance.choice(self.people)
        if person.node is None:
            await person.start()
        elif self.chance.random() < 0.5:
            await person.kill()
        else:
            await person.stop()

    async def copy(self) -> None:
        if self.victim.node is not None:
            await self.victim.stop()
        log_kit.keep_disk(self.victim, "kept")
        self.since = []
        await self.victim.start()

    async def set_back(self) -> None:
        if self.since is None:
            return
        if self.victim.node is not None:
            await self.victim.kill()
        log_kit.put_disk_back(self.victim, "kept")
        self.lost |= {*self.since}
        self.since = []
        await self.victim.start()

    async def wait(self) -> None:
        await trio.sleep(self.chance.choice((0.05, 1.0, 60.0, 3600.0)))

    async def look(self) -> None:
        """Somebody looks at his history: what it says is settled, is."""
        person = self.chance.choice(self.people)
        if person.node is not None and person is not self.victim:
            rows = await person.call("payments.history", limit=20)
            self.settled |= {(person.name, row["id"]) for row in rows if row["state"] == "settled"}

    def _pair(self) -> tuple[Person, Person]:
        one, other = self.chance.choice(self.pairs)
        return (one, other) if self.chance.random() < 0.5 else (other, one)

    # --- what is true in the end

    async def end_well(self) -> None:
        """All cables are put back, everybody is there and answers; then nothing is open any more."""
        self.world.network.heal_all()
        for person in self.people:
            if person.node is None:
                await person.start()
        await self.world.until(self._is_over, OVER_S)

    async def _is_over(self) -> bool:
        """whether nothing of anybody's is open; what waits for an answer is answered"""
        is_over = True
        for person in self.people:
            assert person.node is not None
            waits = await person.node.core.database.transact(payments.open_payments)
            if any(not one.mine and one.stage is Stage.OFFERED for one in waits):
                await self.answer_all(person)
            is_over = is_over and not waits
        return is_over

    async def check(self) -> Counter[str]:
        """Everything that was promised; how many payments came to which end."""
        found = {person.name: await self._rows(person) for person in self.people}
        ends: Counter[str] = Counter()
        for person in self.people:
            assert person.node is not None
            assert not (await person.call("payments.balances"))["paused"], person.name
            assert (await log_kit.proofs(person))["proofs"] == [], person.name
        for one, other in self.pairs:
            mine = {(key, *rest) for key, name, *rest in found[one.name] if name == other.name}
            theirs = {((not key[0], key[1]), *rest) for key, name, *rest in found[other.name] if name == one.name}
            assert mine == theirs, (one.name, other.name)
            ends.update(row[-1].name for row in mine if isinstance(row[-1], Stage))
        for unit in UNITS:
            sums = [await self._sum(person, unit) for person in self.people]
            assert sum(sums) == 0, unit
            folded = [sum(_signed(found[person.name], unit)) for person in self.people]
            assert folded == sums, unit
        for name, payment in sorted(self.settled):
            stages = [stage for key, _, _, _, stage in found[name] if _text(key[1]) == payment]
            assert stages == [Stage.SETTLED], (name, payment)
        for payment, name in self.offered.items():
            there = sum(_text(key[1]) == payment and key[0] for key, *_ in found[name])
            assert there == 1 or payment in self.lost, (name, payment, "acknowledged and lost")
        return ends

    async def _rows(self, person: Person) -> list[tuple[tuple[bool, bytes], str, str, int, Stage]]:
        def look(tx: Tx) -> list[tuple[tuple[bool, bytes], str, str, int, Stage]]:
            names = {one.id: one.name.casefold() for one in people.contacts(tx)}
            rows = tx.all("SELECT mine, pay, contact, unit, amount, stage FROM payment ORDER BY id")
            return [((bool(m), pay), names[of], unit, amount, Stage(stage)) for m, pay, of, unit, amount, stage in rows]

        assert person.node is not None
        return await person.node.core.database.transact(look)

    async def _sum(self, person: Person, unit: str) -> int:
        assert person.node is not None
        rows = await person.node.core.database.transact(payments.balances)
        return sum(one.owed for one in rows if one.unit == unit)


def _signed(rows: Sequence[tuple[tuple[bool, bytes], str, str, int, Stage]], unit: str) -> Iterator[int]:
    for (mine, _), _, of, amount, stage in rows:
        if of == unit and stage is Stage.SETTLED:
            yield -amount if mine else amount


def _text(pay: bytes) -> str:
    return ids.ulid(pay)
