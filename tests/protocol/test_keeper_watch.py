"""The owner's watch over a keeper: who is honest is never accused, and each lie is found; audit case 48."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import keeper_watch
from protocol.keeper_watch import Drains, Finding, Kind, Sure, Watch
from protocol.parcel import Head, Parcel
from tests import depth
from tests.protocol import watched
from tests.protocol.watched import Keeper, World

QUEUE, OTHER, RUN = b"q" * 16, b"o" * 16, b"r" * 8
NOW = watched.START_MS
HOUR = 3_600_000
STEPS = 60


def parcel(number: int, own: int = 0, run: bytes = RUN) -> Parcel:
    heads = (Head(QUEUE, own),) if own else ()
    return Parcel(run, number, NOW, heads, b"inner")


def fed(*parcels: Parcel, watch: Watch = keeper_watch.NEW, now_ms: int = NOW) -> tuple[Watch, list[Finding]]:
    findings: list[Finding] = []
    for one in parcels:
        watch, found = keeper_watch.came(watch, QUEUE, one, now_ms)
        findings += found
    return watch, findings


def judged(watch: Watch, after_ms: int = HOUR) -> tuple[Watch, list[Finding]]:
    findings: list[Finding] = []
    while True:
        watch, found = keeper_watch.judge(watch, NOW + after_ms, NOW + after_ms)
        findings += found
        if not watch.waits:
            return watch, findings
        after_ms += HOUR


# --- laws


@pytest.mark.parametrize("seed", range(depth.RATCHET_SCHEDULES))
def test_an_honest_keeper_is_never_accused(seed: int) -> None:
    world = World(random.Random(f"honest {seed}"))
    for _ in range(STEPS * 5):
        world.step()
    world.calm()
    assert world.owner.findings == {keeper.sender_id: [] for keeper in world.keepers}


@pytest.mark.parametrize("seed", range(depth.RATCHET_SCHEDULES))
def test_an_honest_keeper_is_not_accused_by_an_owner_whose_disk_was_put_back(seed: int) -> None:
    """He has forgotten what he confirmed, and learns it from the keeper."""
    world = World(random.Random(f"forgotten {seed}"), forgets=True)
    for _ in range(STEPS * 5):
        world.step()
    world.calm()
    assert world.owner.findings == {keeper.sender_id: [] for keeper in world.keepers}


@pytest.mark.parametrize("seed", range(depth.RATCHET_SCHEDULES))
def test_whose_sender_was_put_back_seems_to_repeat_and_nothing_worse(seed: int) -> None:
    """What he puts again was kept long ago, which looks like a replay; his numbers begin in the past."""
    world = World(random.Random(f"put back {seed}"), puts_back=True)
    for _ in range(STEPS * 5):
        world.step()
    world.calm()
    found = {one.kind for findings in world.owner.findings.values() for one in findings}
    assert found <= {Kind.REPLAYED}


LIES: dict[str, tuple[Callable[[], Callable[[Keeper], None]], set[Kind]]] = {
    "drops": (lambda: watched.dropped(4), {Kind.MISSING}),
    "drops the first": (lambda: watched.dropped(1), {Kind.MISSING}),
    "replays": (lambda: watched.replaying, {Kind.REPLAYED}),
    "reverses": (lambda: watched.reversing, {Kind.REORDERED}),
    "withholds": (lambda: watched.withholding, {Kind.BEHIND}),
    "swaps": (lambda: watched.swapping, {Kind.FOREIGN}),
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("seed", range(depth.WORLDS))
def test_case_48_each_lie_of_a_keeper_is_found_and_the_other_keeper_is_not_accused(name: str, seed: int) -> None:
    lie, kinds = LIES[name]
    world = World(random.Random(f"{name} {seed}"), (None, lie()))
    for _ in range(STEPS):
        world.sender.seal(world.now_ms)
        world.sender.put(world.now_ms)
        if world.rng.random() < 0.3:
            world.owner.fetch(world.rng.choice(world.keepers), world.now_ms)
        world.now_ms += 60_000
    world.calm()
    honest, liar = (world.owner.findings[keeper.sender_id] for keeper in world.keepers)
    assert honest == []
    assert kinds <= {finding.kind for finding in liar}


@given(
    whole=st.booleans(),
    numbers=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40), st.sampled_from((RUN, b"s" * 8)))),
)
def test_what_is_packed_is_unpacked(whole: bool, numbers: list[tuple[int, int, bytes]]) -> None:
    watch, _ = fed(*(parcel(number, own, run) for number, own, run in numbers), watch=Watch(Sure(whole)))
    for one in (watch, judged(watch)[0], keeper_watch.away(watch), keeper_watch.forgotten(watch)):
        assert keeper_watch.unpack(keeper_watch.pack(one)) == one


def test_no_bytes_are_a_new_watch() -> None:
    assert keeper_watch.unpack(b"") == keeper_watch.NEW


def test_a_watch_is_bounded_whatever_a_sender_counts() -> None:
    watch, large = keeper_watch.NEW, 2**52
    for run in range(100):
        for number in range(0, 200, 2):
            watch, _ = fed(parcel(large + number, large + number, bytes((run,)) * 8), watch=watch)
    assert len(watch.runs) == keeper_watch.RUNS_MAX
    assert max(len(run.gaps) for run in watch.runs) == keeper_watch.GAPS_MAX
    raw = keeper_watch.pack(watch)
    assert len(raw) <= keeper_watch.WATCH_BYTES_MAX
    assert keeper_watch.unpack(raw) == watch


# --- what is a finding, and what is none


def test_what_is_missing_is_a_finding_once_and_only_when_all_was_fetched_since() -> None:
    watch, found = fed(parcel(1), parcel(4, own=3))
    assert found == []
    assert watch.waits
    for complete_ms in (None, NOW, NOW + keeper_watch.SETTLE_MS - 1):
        assert keeper_watch.judge(watch, complete_ms, NOW + HOUR) == (watch, ())
    watch, found = judged(watch)
    assert found == [Finding(Kind.MISSING, 2, 3)]
    assert not watch.waits
    assert judged(watch, 2 * HOUR) == (watch, [])
    # It comes after all: it was held back.
    watch, found = fed(parcel(2), watch=watch)
    assert found == [Finding(Kind.REORDERED, 2, 2)]


def test_a_gap_that_nobody_says_was_filled_is_none() -> None:
    """Its sender may have been refused, or still be trying."""
    watch, found = fed(parcel(1), parcel(3), parcel(4, own=1))
    assert (found, judged(watch)[1]) == ([], [])
    assert fed(parcel(2), watch=watch)[1] == []


def test_the_first_of_a_run_is_missed_like_any_other() -> None:
    watch, _ = fed(parcel(3, own=2))
    assert judged(watch)[1] == [Finding(Kind.MISSING, 1, 2)]


def test_a_keeper_that_shows_less_than_others_say_is_behind() -> None:
    watch, _ = fed(parcel(1))
    watch = keeper_watch.told(watch, RUN, 5, NOW)
    watch, found = judged(watch)
    assert found == [Finding(Kind.BEHIND, 2, 5)]
    assert fed(parcel(3), watch=watch)[1] == [Finding(Kind.REORDERED, 3, 3)]


def test_a_keeper_that_shows_nothing_of_a_run_is_behind() -> None:
    watch = keeper_watch.told(keeper_watch.NEW, RUN, 2, NOW)
    assert judged(watch)[1] == [Finding(Kind.BEHIND, 1, 2)]


def test_a_copy_is_a_replay_only_after_it_was_judged() -> None:
    watch, found = fed(parcel(1), parcel(1), parcel(2, own=1), parcel(1))
    assert found == []  # its sender had no answer and put it again
    watch, found = judged(watch)
    assert found == []
    assert fed(parcel(1), watch=watch)[1] == [Finding(Kind.REPLAYED, 1, 1)]
    assert fed(parcel(2, own=1), watch=watch)[1] == []


def test_a_known_number_with_something_new_is_no_replay_but_a_sender_who_was_put_back() -> None:
    watch, _ = judged(fed(parcel(1), parcel(2, own=1), parcel(3, own=2))[0])
    anew = [Parcel(RUN, number, NOW + HOUR + number, (), b"other") for number in (2, 3, 4, 5)]
    watch, found = fed(*anew, watch=watch)
    assert (found, judged(watch, 2 * HOUR)[1]) == ([], [])
    assert fed(parcel(2), watch=watch)[1] == []  # what was before is not judged any more
    watch, found = fed(parcel(7, own=6), watch=watch)
    assert (found, judged(watch, 3 * HOUR)[1]) == ([], [Finding(Kind.MISSING, 6, 6)])


def test_what_comes_after_who_knew_it_kept_is_out_of_order() -> None:
    assert fed(parcel(1), parcel(3, own=2), parcel(2, own=1))[1] == [Finding(Kind.REORDERED, 2, 2)]


def test_what_is_told_without_a_pause_is_judged_all_the_same() -> None:
    watch, findings = fed(parcel(1), parcel(3, own=2))
    for minute in range(4, 64):
        now_ms = NOW + minute * 60_000
        watch, _ = keeper_watch.came(watch, QUEUE, parcel(minute, own=minute - 1), now_ms)
        watch, found = keeper_watch.judge(watch, now_ms, now_ms)
        findings += found
    assert findings == [Finding(Kind.MISSING, 2, 2)]


# --- what may have expired, or been forgotten


def test_after_a_long_absence_the_count_begins_anew() -> None:
    """What was there may have expired, and who was not there cannot tell."""
    watch, _ = fed(parcel(1), parcel(2, own=1))
    watch = keeper_watch.away(watch)
    watch, found = fed(parcel(50, own=49), parcel(51, own=50), parcel(53, own=52), watch=watch)
    assert found == []
    assert judged(watch)[1] == [Finding(Kind.MISSING, 52, 52)]
    # a run that nobody had heard of before the absence
    fresh, _ = fed(parcel(7, own=6, run=b"n" * 8), watch=watch)
    assert judged(fresh)[1] == [Finding(Kind.MISSING, 52, 52)]


def test_after_a_long_absence_another_queue_does_not_say_what_may_have_expired_here() -> None:
    watch = keeper_watch.told(keeper_watch.away(fed(parcel(1))[0]), RUN, 5, NOW)
    watch = keeper_watch.told(watch, RUN, 49, NOW)
    watch, found = fed(parcel(50, own=49), watch=watch)
    assert (found, judged(watch)[1]) == ([], [])


def test_an_absence_is_long_a_week_before_things_expire() -> None:
    """Clocks may be wrong by a week."""
    day = 86_400
    for ttl_days in (30, 90):
        last_ms = NOW - (ttl_days - 8) * day * 1000
        assert not keeper_watch.may_have_expired(last_ms, NOW, ttl_days * day)
        assert keeper_watch.may_have_expired(last_ms - 1, NOW, ttl_days * day)


def test_a_run_that_was_forgotten_accuses_nobody_when_it_comes_again() -> None:
    watch, _ = fed(*(parcel(1, run=bytes((n,)) * 8) for n in range(keeper_watch.RUNS_MAX + 1)))
    watch, found = fed(parcel(3, own=2, run=bytes(8)), watch=watch)
    assert (found, judged(watch)[1]) == ([], [])


def test_a_lie_is_found_again_once_more_has_come_than_can_have_been_forgotten() -> None:
    """A sender has so many on their way at once: some that came may have been put before one that comes only now."""
    watch, _ = fed(parcel(1), parcel(2, own=1))
    watch = keeper_watch.forgotten(watch)
    first = keeper_watch.UNANSWERED_MAX + 9
    watch, found = fed(parcel(9, own=8), parcel(11, own=10), parcel(first, own=first - 1), watch=watch)
    assert (found, judged(watch)[1]) == ([], [])
    watch, found = fed(parcel(first + 2, own=first + 1), watch=watch)
    assert (found, judged(watch)[1]) == ([], [Finding(Kind.MISSING, first + 1, first + 1)])
    # a run that nobody remembers
    fresh, _ = fed(parcel(7, own=6, run=b"n" * 8), parcel(9, own=8, run=b"n" * 8), watch=watch)
    assert judged(fresh)[1] == judged(watch)[1]
    # and a long absence makes nobody surer
    assert keeper_watch.away(keeper_watch.forgotten(watch)) == keeper_watch.forgotten(watch)


# --- when an owner has all


def test_all_is_there_once_nothing_is_left_and_it_is_confirmed() -> None:
    drains = Drains()
    drains.asked(NOW)
    drains.committed(5, True)
    drains.done(5)
    assert drains.complete_ms is None  # there is more
    drains.asked(NOW + 1)
    drains.committed(7, False)
    drains.done(6)
    assert drains.complete_ms is None  # 7 would come again
    drains.done(7)
    assert drains.complete_ms == NOW + 1
    drains.asked(NOW + 2)
    drains.committed(7, False)
    assert drains.complete_ms == NOW + 2


def test_a_clock_that_was_put_back_makes_nothing_complete() -> None:
    drains = Drains()
    drains.asked(NOW + HOUR)
    drains.committed(0, False)
    assert drains.complete_ms == NOW + HOUR
    watch, _ = fed(parcel(1), parcel(3, own=2))
    assert keeper_watch.judge(watch, drains.complete_ms, NOW) == (watch, ())
    drains.asked(NOW)
    assert drains.complete_ms is None
