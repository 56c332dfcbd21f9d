"""A keeper's shelves against a plain model, in any order of opening, putting, fetching, deleting, ageing and ending."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocol import keep, keep_proof
from protocol.keep import Status
from store import permits, shelves
from store.shelves import Owner
from tests import depth
from tests.store import keep_kit
from tests.store.keep_kit import KIB

OWNERS, QUEUES, DOORS = 2, 3, 4
SPACE = 5 * KIB
owners, queues = st.integers(1, OWNERS), st.integers(0, QUEUES - 1)
doors, texts = st.integers(0, DOORS - 1), st.integers(0, 5)


@dataclass
class Parcel:
    """One that lies there."""

    seq: int
    queue: int
    door: int
    text: int
    expires_s: int


@dataclass
class Queue:
    """Its limit, and its doors: number -> items at most."""

    items: int
    doors: dict[int, int]


@dataclass
class Shelf:
    """What one owner ought to have."""

    queues: dict[int, Queue] = field(default_factory=dict)
    parcels: list[Parcel] = field(default_factory=list)
    seq: int = 0


class Shelves(RuleBasedStateMachine):
    """Two owners, three queues each, doors that both would like to have."""

    @initialize()
    def begin(self) -> None:
        self.opened = keep_kit.open_tx()
        self.tx = self.opened.__enter__()
        self.age_s = 0
        self.keys = 0
        self.owners: dict[int, Owner] = {}
        self.shelves: dict[int, Shelf] = {}
        for number in range(1, OWNERS + 1):
            self.enrol(number)

    @rule(number=owners)
    def enrol(self, number: int) -> None:
        """A new key with the permit of a contact: what the older had is gone."""
        self.keys += 1
        key = self.keys.to_bytes(32, "big")
        permits.make(self.tx, number, SPACE, 90 * keep.DAY_S, bytes((number,)) * 32)
        permit = permits.named(self.tx, keep_proof.permit_id(bytes((number,)) * 32))
        assert permit is not None
        shelves.enrol(self.tx, permit.id, key)
        found = shelves.owner(self.tx, key)
        assert found is not None
        self.owners[number], self.shelves[number] = found, Shelf()

    @rule(number=owners, reader=queues, items=st.integers(1, 4), through=st.dictionaries(doors, st.integers(1, 3)))
    def open(self, number: int, reader: int, items: int, through: dict[int, int]) -> None:
        made = (keep.Door(keep_kit.sender_of(n), keep_kit.put_key_of(n), most, 0) for n, most in through.items())
        asked = keep.Queue(keep_kit.sender_of(reader), items, keep.FRIEND.bytes, keep.DAY_S, tuple(made))
        taken = {
            door
            for other, shelf in self.shelves.items()
            for name, queue in shelf.queues.items()
            for door in queue.doors
            if (other, name) != (number, reader)
        }
        status = shelves.open_queues(self.tx, self.owners[number], (asked,))
        if taken & through.keys():
            assert status is Status.REFUSED
            return
        assert status is Status.OK
        self.shelves[number].queues[reader] = Queue(items, dict(through))

    @rule(door=doors, text=texts, ttl_s=st.integers(1, 20))
    def put(self, door: int, text: int, ttl_s: int) -> None:
        expected, shelf, reader = self._expected(door, text)
        taken = keep_kit.put(self.tx, door, text, self.age_s, ttl_s=ttl_s)
        assert taken.status is expected
        if shelf is None or expected is not Status.OK:
            return
        lying = next((one for one in shelf.parcels if (one.queue, one.text) == (reader, text)), None)
        if lying is not None:
            assert (taken.kept_s, taken.owner) == (lying.expires_s - self.age_s, 0)
            return
        shelf.seq += 1
        shelf.parcels.append(Parcel(shelf.seq, reader, door, text, self.age_s + ttl_s))
        assert taken.kept_s == ttl_s

    def _expected(self, door: int, text: int) -> tuple[Status, Shelf | None, int]:
        for shelf in self.shelves.values():
            for reader, queue in shelf.queues.items():
                if door not in queue.doors:
                    continue
                living = [one for one in shelf.parcels if one.expires_s > self.age_s]
                here = [one for one in living if one.queue == reader]
                if any(one.text == text for one in here):
                    shelf.parcels = [
                        one for one in shelf.parcels if (one.queue, one.text) != (reader, text) or one in living
                    ]
                    return Status.OK, shelf, reader
                # One that expired goes when its place is needed; all that did, when there is no room otherwise.
                shelf.parcels = [
                    one
                    for one in shelf.parcels
                    if (one.queue, one.text) != (reader, text) or one.expires_s > self.age_s
                ]
                if not self._fits(shelf, reader, door):
                    for other in self.shelves.values():
                        other.parcels = [one for one in other.parcels if one.expires_s > self.age_s]
                return (Status.OK if self._fits(shelf, reader, door) else Status.QUOTA), shelf, reader
        return Status.GONE, None, 0

    def _fits(self, shelf: Shelf, reader: int, door: int) -> bool:
        queue = shelf.queues[reader]
        here = [one for one in shelf.parcels if one.queue == reader]
        through = [one for one in here if one.door == door]
        return len(here) < queue.items and len(through) < queue.doors[door] and (len(shelf.parcels) + 1) * KIB <= SPACE

    @rule(number=owners, up_to=st.integers(0, 8))
    def done(self, number: int, up_to: int) -> None:
        shelves.done(self.tx, self.owners[number].id, up_to)
        shelf = self.shelves[number]
        shelf.parcels = [one for one in shelf.parcels if one.seq > up_to]

    @rule(number=owners, reader=queues)
    def close(self, number: int, reader: int) -> None:
        assert not shelves.close(self.tx, self.owners[number].id, keep_kit.sender_of(reader))
        shelf = self.shelves[number]
        shelf.queues.pop(reader, None)
        shelf.parcels = [one for one in shelf.parcels if one.queue != reader]

    @rule(seconds=st.integers(1, 15))
    def age(self, seconds: int) -> None:
        self.age_s += seconds

    @rule()
    def expire(self) -> None:
        shelves.expire(self.tx, self.age_s)
        for shelf in self.shelves.values():
            shelf.parcels = [one for one in shelf.parcels if one.expires_s > self.age_s]

    @rule()
    def sweep(self) -> None:
        keep_kit.swept(self.tx)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for number, shelf in self.shelves.items():
            page = shelves.fetch(self.tx, self.owners[number].id, 0, 512)
            found = [(one.seq, one.reader, one.envelope) for one in page.items]
            assert found == [
                (one.seq, keep_kit.sender_of(one.queue), keep_kit.envelope(one.text)) for one in shelf.parcels
            ]
            assert shelves.used(self.tx, self.owners[number].id).queues == len(shelf.queues)
        keep_kit.check_counts(self.tx)

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__(None, None, None)


Shelves.TestCase.settings = settings(max_examples=depth.EXAMPLES, stateful_step_count=40)
TestShelves = Shelves.TestCase
