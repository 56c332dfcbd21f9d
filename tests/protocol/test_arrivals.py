"""Mail from several keepers: in order, once, not held for long, and confirmed only when it is committed."""

import random
from dataclasses import dataclass, field

import pytest

from crypto.faults import Malformed
from protocol import arrivals
from protocol.arrivals import Arrivals, Order
from tests import depth

RUN = b"r" * 8


def order(sealing: int, contact: int = 1) -> Order:
    return Order(contact, RUN, sealing)


def pushed(*given: tuple[int, int, int], size: int = 100) -> Arrivals[int]:
    """Two keepers, and what they gave: keeper, number, sealing."""
    mail: Arrivals[int] = Arrivals()
    mail.met(1)
    mail.met(2)
    for keeper, seq, sealing in given:
        mail.push(keeper, seq, sealing, order(sealing), size, 0.0)
    return mail


def out(mail: Arrivals[int], now: float = 0.0) -> list[int]:
    return [arrived.item for arrived in mail.flush(now)]


# --- laws


@dataclass
class World:
    """Some keepers that have copies of what contacts sealed, an owner who collects, and all that goes wrong between."""

    rng: random.Random
    keepers: dict[int, list[tuple[int, Order]]] = field(default_factory=dict)
    cursors: dict[int, int] = field(default_factory=dict)
    mail: Arrivals[Order] = field(default_factory=Arrivals)
    committed: list[Order] = field(default_factory=list)
    pushed_at: dict[Order, float] = field(default_factory=dict)
    now: float = 0.0

    def fill(self, sealings: int) -> None:
        for keeper in range(3):
            self.keepers[keeper] = []
        for sealing in range(sealings):
            for keeper in self.rng.sample(range(3), self.rng.randint(1, 3)):
                self.keepers[keeper].append((2 * len(self.keepers[keeper]) + 1, order(sealing, sealing % 3)))

    def meet(self, keeper: int) -> None:
        self.mail.met(keeper)
        self.cursors[keeper] = 0

    def fetch(self, keeper: int) -> None:
        """A page; what was confirmed does not come again."""
        left = [one for one in self.keepers[keeper] if one[0] > self.cursors[keeper]]
        page = left[: self.rng.randint(1, 4)]
        for seq, what in page:
            self.mail.push(keeper, seq, what, what, 1, self.now)
            self.pushed_at.setdefault(what, self.now)
            self.cursors[keeper] = seq
        if page == left:
            self.mail.drained(keeper)

    def take(self) -> None:
        came = self.mail.flush(self.now)
        self.committed += [arrived.item for arrived in came]
        self.mail.committed(came)

    def confirm(self, keeper: int) -> None:
        upto = self.mail.upto(keeper)
        gone = [what for seq, what in self.keepers[keeper] if seq <= upto]
        assert set(gone) <= set(self.committed)
        self.keepers[keeper] = [one for one in self.keepers[keeper] if one[0] > upto]


@pytest.mark.parametrize("seed", range(depth.RATCHET_SCHEDULES))
def test_all_comes_out_once_and_in_order_and_nothing_is_confirmed_before(seed: int) -> None:
    world = World(random.Random(seed))
    world.fill(60)
    for keeper in range(3):
        world.meet(keeper)
    while any(world.keepers.values()):
        keeper = world.rng.randrange(3)
        world.fetch(keeper)
        if world.rng.random() < 0.5:
            world.take()
        if world.rng.random() < 0.3:
            world.confirm(keeper)
    assert len(world.committed) == len(set(world.committed)) == 60
    for contact in range(3):
        sealings = [what.sealing for what in world.committed if what.contact == contact]
        assert sealings == sorted(sealings)


@pytest.mark.parametrize("seed", range(depth.RATCHET_SCHEDULES))
def test_with_keepers_that_come_and_go_all_comes_out_once_and_soon(seed: int) -> None:
    world = World(random.Random(seed))
    world.fill(60)
    for _ in range(100_000):
        if not any(world.keepers.values()):
            break
        keeper = world.rng.randrange(3)
        match world.rng.randrange(8):
            case 0:
                world.meet(keeper)
            case 1:
                world.mail.lost(keeper)
                world.cursors.pop(keeper, None)
            case 2:
                world.now += world.rng.random() * 5
            case _ if keeper in world.cursors:
                world.fetch(keeper)
                world.confirm(keeper)
        world.take()
        held = set(world.pushed_at) - set(world.committed)
        assert all(world.now - world.pushed_at[what] < arrivals.HOLD_S for what in held)
    assert len(world.committed) == len(set(world.committed)) == 60


# --- holding back


def test_an_older_one_from_the_other_keeper_comes_first() -> None:
    mail = pushed((1, 1, 20), (1, 2, 30))
    assert out(mail) == []
    mail.push(2, 1, 10, order(10), 100, 0.0)
    assert out(mail) == []
    mail.drained(2)
    mail.drained(1)
    assert out(mail) == [10, 20, 30]
    assert out(mail) == []


def test_what_the_other_keeper_gave_too_waits_for_nobody() -> None:
    mail = pushed((1, 1, 10), (1, 2, 20), (1, 3, 30), (2, 1, 20))
    assert out(mail) == [10, 20]


def test_one_keeper_alone_is_not_waited_for() -> None:
    mail = pushed((1, 1, 10))
    mail.lost(2)
    assert out(mail) == [10]


def test_nothing_is_held_for_longer_than_ten_seconds() -> None:
    mail = pushed((1, 1, 20))
    mail.push(1, 2, 10, order(10), 100, 1.0)
    mail.push(1, 3, 30, order(30), 100, 1.0)
    assert mail.due() == arrivals.HOLD_S
    assert out(mail, 9.9) == []
    assert out(mail, 10.0) == [10, 20]
    assert out(mail, 11.0) == [30]
    assert mail.due() is None


def test_a_contact_does_not_wait_for_another() -> None:
    mail = pushed((1, 1, 10))
    mail.push(2, 1, 5, order(5, contact=2), 100, 0.0)
    mail.push(1, 2, 5, order(5, contact=2), 100, 0.0)
    assert out(mail) == [5]


def test_what_has_no_order_waits_for_nothing() -> None:
    mail = pushed((1, 1, 10))
    mail.push(1, 2, 99, None, 100, 0.0)
    assert out(mail) == [99]


def test_what_is_held_is_bounded() -> None:
    most = arrivals.HELD_BYTES_MAX // 65_536
    mail = pushed(*((1, n, n) for n in range(most, 0, -1)[::-1]), size=65_536)
    assert out(mail) == []
    mail.push(1, most + 1, 0, order(0), 1, 0.0)
    assert out(mail) == [0, *range(1, most + 1)]
    assert mail.due() is None


# --- copies, and what may be confirmed


def test_a_copy_counts_as_done_only_when_the_other_is_committed() -> None:
    mail = pushed((1, 1, 10), (2, 7, 10))
    came = mail.flush(0.0)
    assert [arrived.item for arrived in came] == [10]
    assert (mail.upto(1), mail.upto(2)) == (0, 6)
    mail.committed(came)
    assert (mail.upto(1), mail.upto(2)) == (1, 7)
    mail.push(2, 8, 10, order(10), 100, 0.0)
    assert out(mail) == []
    assert mail.upto(2) == 8


def test_what_is_held_keeps_what_came_after_it_from_being_confirmed() -> None:
    mail = pushed((1, 1, 10), (1, 2, 20), (2, 1, 10))
    mail.committed(mail.flush(0.0))
    mail.push(1, 3, 99, None, 100, 0.0)
    mail.committed(mail.flush(0.0))
    assert (mail.upto(1), mail.upto(2)) == (1, 1)


def test_a_keeper_that_comes_again_gives_again_what_was_not_confirmed() -> None:
    mail = pushed((1, 1, 10), (1, 2, 20))
    mail.lost(2)
    came = mail.flush(0.0)
    mail.met(1)
    mail.push(1, 1, 10, order(10), 100, 0.0)
    assert mail.upto(1) == 0
    mail.committed(came)
    assert mail.upto(1) == 1
    mail.push(1, 2, 20, order(20), 100, 0.0)
    assert (out(mail), mail.upto(1)) == ([], 2)


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_numbers_that_do_not_ascend_are_malformed(seq: int) -> None:
    with pytest.raises(Malformed):
        pushed((1, 2, 10), (1, seq, 20))


def test_what_is_remembered_is_bounded() -> None:
    mail: Arrivals[int] = Arrivals()
    mail.met(1)
    for n in range(1, 2 * arrivals.REMEMBERED_MAX):
        mail.push(1, n, n, order(n), 100, 0.0)
        mail.committed(mail.flush(0.0))
    assert len(mail._known) == arrivals.REMEMBERED_MAX
