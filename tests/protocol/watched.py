"""A sender, two keepers and an owner, as they are with crashes, lost answers and full queues; and keepers that lie.

What each of them does is drawn from one generator. Not here: what is asked of them (test_keeper_watch.py,
test_arrivals.py).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from protocol import keeper_watch
from protocol.keeper_watch import Drains, Finding, Watch
from protocol.parcel import Head, Parcel

START_MS = 1_800_000_000_000
STEP_MS_MAX = 400_000
LATE_MS_MAX = 300_000  # how long a put hangs in a stream that its sender gave up
PAGE_MAX = 5


class Item(NamedTuple):
    """What a keeper gives. parcel: None for an envelope that does not open."""

    seq: int
    parcel: Parcel | None


@dataclass
class Keeper:
    """A queue at a keeper. lie: what it does to its items before it gives them; nothing, where it is honest."""

    sender_id: bytes
    rng: random.Random
    lie: Callable[["Keeper"], None] | None = None
    items: list[Item] = field(default_factory=list)
    seq: int = 0
    confirmed: list[Item] = field(default_factory=list)
    note: int = 0  # of its owner

    def put(self, parcel: Parcel) -> bool:
        """Whether the answer is OK."""
        if any(item.parcel == parcel for item in self.items):
            return True
        if self.rng.random() < 0.1:
            return False  # full
        self.add(parcel)
        return True

    def add(self, parcel: Parcel | None) -> None:
        self.seq += 1
        self.items.append(Item(self.seq, parcel))

    def fetch(self, after: int, count: int) -> tuple[Sequence[Item], bool]:
        if self.lie is not None:
            self.lie(self)
        found = [item for item in self.items if item.seq > after]
        return found[:count], len(found) > count

    def done(self, upto: int, note: int) -> None:
        self.note = note
        self.confirmed += [item for item in self.items if item.seq <= upto]
        self.items = [item for item in self.items if item.seq > upto]


@dataclass
class Sender:
    """A device that fills both queues: numbers without gaps, the same put again until it is answered."""

    keepers: Sequence[Keeper]
    rng: random.Random
    run: bytes = b""
    sealing: int = START_MS
    numbers: dict[bytes, int] = field(default_factory=dict)
    answered: dict[bytes, set[int]] = field(default_factory=dict)
    waiting: list[tuple[Keeper, Parcel]] = field(default_factory=list)
    hanging: list[tuple[int, Keeper, Parcel]] = field(default_factory=list)
    copied: "Sender | None" = None  # of the disk, some time ago

    def copy(self) -> None:
        """Somebody makes a copy of the disk."""
        self.copied = replace(
            self,
            numbers=dict(self.numbers),
            answered={name: set(numbers) for name, numbers in self.answered.items()},
            waiting=list(self.waiting),
            copied=None,
        )

    def put_back(self) -> None:
        """The disk is again as it was when it was copied; nobody notices."""
        if self.copied is not None:
            self.run, self.sealing = self.copied.run, self.copied.sealing
            self.numbers, self.answered, self.waiting = self.copied.numbers, self.copied.answered, self.copied.waiting
            self.copy()

    def start(self) -> None:
        """A new life of the node, whose counters may be of the past; what was wrapped before still waits."""
        self.run = self.rng.randbytes(8)
        self.numbers = {keeper.sender_id: 0 for keeper in self.keepers}
        self.answered = {keeper.sender_id: set() for keeper in self.keepers}

    def filled(self, sender_id: bytes) -> int:
        """Up to which number, without gaps, everything was answered OK in this run."""
        number = 0
        while number + 1 in self.answered[sender_id]:
            number += 1
        return number

    def seal(self, now_ms: int) -> None:
        self.sealing = max(self.sealing + 1, now_ms)
        heads = tuple(Head(one, self.filled(one)) for one in self.numbers if self.filled(one))
        for keeper in self.keepers:
            if self.rng.random() < 0.9:
                self.numbers[keeper.sender_id] += 1
                number = self.numbers[keeper.sender_id]
                parcel = Parcel(self.run, number, self.sealing, heads, self.sealing.to_bytes(8, "big"))
                self.waiting.append((keeper, parcel))

    def put(self, now_ms: int) -> None:
        """One stream to each keeper: what waits goes out in order, until the stream breaks."""
        for late in [late for late in self.hanging if late[0] <= now_ms]:
            self.hanging.remove(late)
            late[1].put(late[2])
        for keeper in self.keepers:
            for one in [one for one in self.waiting if one[0] is keeper]:
                if self.rng.random() < 0.1:
                    break
                if self.rng.random() < 0.05:
                    self.hanging.append((now_ms + self.rng.randrange(LATE_MS_MAX), keeper, one[1]))
                    continue
                if keeper.put(one[1]) and self.rng.random() < 0.9:  # else the answer is lost
                    self.waiting.remove(one)
                    if one[1].run == self.run:
                        self.answered[keeper.sender_id].add(one[1].number)


@dataclass
class Owner:
    """Who fetches from both keepers, one Fetch at a time, and watches them."""

    keepers: Sequence[Keeper]
    rng: random.Random
    watches: dict[bytes, Watch] = field(default_factory=dict)
    findings: dict[bytes, list[Finding]] = field(default_factory=dict)
    confirmed: dict[bytes, int] = field(default_factory=dict)
    cursors: dict[bytes, int] = field(default_factory=dict)
    drains: dict[bytes, Drains] = field(default_factory=dict)
    parcels: list[Parcel] = field(default_factory=list)
    notes: dict[bytes, int] = field(default_factory=dict)
    copied: tuple[dict[bytes, Watch], dict[bytes, int], dict[bytes, int]] | None = None  # of the disk, some time ago

    def __post_init__(self) -> None:
        for keeper in self.keepers:
            self.watches[keeper.sender_id], self.findings[keeper.sender_id] = keeper_watch.NEW, []
            self.confirmed[keeper.sender_id] = self.notes[keeper.sender_id] = 0
        self.start()

    def start(self) -> None:
        """A new life: what was committed is there, what was in memory is not; keepers show what they were told last."""
        self.cursors = dict(self.confirmed)
        self.drains = {name: Drains(upto) for name, upto in self.confirmed.items()}
        for keeper in self.keepers:
            name = keeper.sender_id
            if keeper.note > self.notes[name]:
                self.notes[name] = keeper.note
                self.watches[name] = keeper_watch.forgotten(self.watches[name])

    def copy(self) -> None:
        """Somebody makes a copy of the disk."""
        self.copied = dict(self.watches), dict(self.confirmed), dict(self.notes)

    def put_back(self) -> None:
        """The disk is again as it was when it was copied."""
        if self.copied is not None:
            self.watches, self.confirmed, self.notes = self.copied
            self.copy()
            self.start()

    def fetch(self, keeper: Keeper, now_ms: int) -> None:
        name, drains = keeper.sender_id, self.drains[keeper.sender_id]
        drains.asked(now_ms)
        items, more = keeper.fetch(self.cursors[name], self.rng.randint(1, PAGE_MAX))
        if self.rng.random() < 0.1:
            return  # killed before the commit, or the stream broke
        for item in items:
            self._take(keeper, item, now_ms)
        self.cursors[name] = max([self.cursors[name], *(item.seq for item in items)])
        drains.committed(self.cursors[name], more)
        if self.rng.random() < 0.9:
            self.notes[name] += 1
            keeper.done(self.cursors[name], self.notes[name])
            if self.rng.random() < 0.9:  # else the answer is lost
                drains.done(self.cursors[name])
                self.confirmed[name] = self.cursors[name]
        self.judge(keeper, now_ms)

    def judge(self, keeper: Keeper, now_ms: int) -> None:
        name = keeper.sender_id
        self.watches[name], found = keeper_watch.judge(
            keeper_watch.unpack(keeper_watch.pack(self.watches[name])), self.drains[name].complete_ms, now_ms
        )
        self.findings[name] += found

    def _take(self, keeper: Keeper, item: Item, now_ms: int) -> None:
        name = keeper.sender_id
        if item.parcel is None:
            self.findings[name].append(keeper_watch.FOREIGN)
            return
        self.parcels.append(item.parcel)
        self.watches[name], found = keeper_watch.came(self.watches[name], name, item.parcel, now_ms)
        self.findings[name] += found
        for head in item.parcel.heads:
            if head.sender != name and head.sender in self.watches:
                watch = self.watches[head.sender]
                self.watches[head.sender] = keeper_watch.told(watch, item.parcel.run, head.number, now_ms)


@dataclass
class World:
    """All of them and the time."""

    rng: random.Random
    lies: Sequence[Callable[[Keeper], None] | None] = (None, None)
    now_ms: int = START_MS
    puts_back: bool = False  # whether the sender's disk is put back from time to time
    forgets: bool = False  # whether the owner's is

    def __post_init__(self) -> None:
        self.keepers = [Keeper(bytes((n,)) * 16, self.rng, lie) for n, lie in enumerate(self.lies, 1)]
        self.sender = Sender(self.keepers, self.rng)
        self.owner = Owner(self.keepers, self.rng)
        self.sender.start()

    def step(self) -> None:
        """Something happens."""
        self.now_ms += self.rng.randrange(STEP_MS_MAX)
        match self.rng.randrange(13 if self.puts_back or self.forgets else 12):
            case 0 | 1 | 2:
                self.sender.seal(self.now_ms)
            case 3 | 4 | 5:
                self.sender.put(self.now_ms)
            case 6:
                self.sender.start()
            case 7:
                self.owner.start()
            case 12:
                whose = self.owner if self.forgets else self.sender
                whose.copy() if self.rng.random() < 0.5 else whose.put_back()
            case _:
                self.owner.fetch(self.rng.choice(self.keepers), self.now_ms)

    def calm(self) -> None:
        """Nothing fails any more, something more is said, and all of it is fetched, twice, half an hour apart."""
        for _ in range(3):
            self.sender.seal(self.now_ms)
            while self.sender.waiting or self.sender.hanging:
                self.now_ms += LATE_MS_MAX
                self.sender.put(self.now_ms)
            for keeper in self.keepers * 20:
                self.owner.fetch(keeper, self.now_ms)
            self.now_ms += 1_800_000


def dropped(count: int) -> Callable[[Keeper], None]:
    """A keeper that loses one thing, the so-manieth or later, also when it is given again, and keeps all others."""
    lost: list[Parcel | None] = []

    def lie(keeper: Keeper) -> None:
        given = [item.parcel for item in keeper.confirmed]
        if not lost:
            lost.extend([item.parcel for item in keeper.items if item.seq >= count and item.parcel not in given][:1])
        keeper.items = [item for item in keeper.items if item.parcel not in lost]

    return lie


def replaying(keeper: Keeper) -> None:
    """A keeper that gives again what was confirmed long ago, as something new."""
    if keeper.confirmed and keeper.rng.random() < 0.3:
        keeper.add(keeper.confirmed[0].parcel)


def reversing(keeper: Keeper) -> None:
    """A keeper that gives what it has in the opposite order."""
    keeper.items = [Item(a.seq, b.parcel) for a, b in zip(keeper.items, reversed(keeper.items), strict=True)]


def withholding(keeper: Keeper) -> None:
    """A keeper that says of everything after its third thing that it has it, and gives none of it."""
    keeper.items = [item for item in keeper.items if item.seq <= 3]


def swapping(keeper: Keeper) -> None:
    """A keeper that gives what is of another queue."""
    keeper.items = [item if item.seq % 5 else foreign(item) for item in keeper.items]


def foreign(item: Item) -> Item:
    return item._replace(parcel=None)
