"""A service that crashes is logged and started again; a call that crashes ends alone."""

from itertools import pairwise

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node import supervisor
from node.supervisor import attempt, supervise
from protocol.faults import Unavailable
from store.faults import StoreFull


async def test_a_crashed_service_is_logged_and_started_again_later_each_time(autojump_clock: MockClock) -> None:
    starts: list[float] = []

    async def service() -> None:
        starts.append(trio.current_time())
        if len(starts) < 5:
            raise ZeroDivisionError

    with capture_logs() as logs:
        await supervise("one", service)
    assert [later - earlier for earlier, later in pairwise(starts)] == [1, 2, 4, 8]
    assert [line["service"] for line in logs] == ["one"] * 4


async def test_a_service_that_worked_for_long_is_started_again_soon(autojump_clock: MockClock) -> None:
    ends: list[float] = []

    async def service() -> None:
        if len(ends) == 3:
            return
        await trio.sleep(supervisor.RESTART_S_MAX + 1)
        ends.append(trio.current_time())
        raise ZeroDivisionError

    with capture_logs():
        await supervise("one", service)
        assert trio.current_time() - ends[-1] == supervisor.RESTART_S_MIN


async def test_a_crash_ends_no_other_service_and_a_cancellation_ends_all(autojump_clock: MockClock) -> None:
    beats = 0

    async def crash() -> None:
        raise ZeroDivisionError

    async def beat() -> None:
        nonlocal beats
        while True:
            await trio.sleep(1)
            beats += 1

    with capture_logs(), trio.move_on_after(30.5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, "crash", crash)
            nursery.start_soon(supervise, "beat", beat)
    assert beats == 30


async def test_a_call_that_crashes_is_logged_and_answers_nothing(autojump_clock: MockClock) -> None:
    async def divide(by: int) -> int:
        await trio.lowlevel.checkpoint()
        if by < 0:
            raise trio.BrokenResourceError
        return 6 // by

    with capture_logs() as logs:
        assert await attempt("divide", divide, 3) == 2
        assert await attempt("divide", divide, 0) is None
        with pytest.raises(trio.BrokenResourceError):
            await attempt("divide", divide, -1)
    assert [line["method"] for line in logs] == ["divide"]


async def _logs_of(*ends: BaseException) -> list[tuple[str, str]]:
    """Level and event of what is logged while a service ends like this, one after the other, and then returns."""
    left = [*ends]

    async def service() -> None:
        await trio.lowlevel.checkpoint()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_raise, left.pop(0) if left else None)

    with capture_logs() as logs:
        await supervisor.supervise("service", service)
    return [(str(entry["log_level"]), str(entry.get("reason", ""))) for entry in logs]


async def _raise(fault: BaseException | None) -> None:
    if fault is not None:
        raise fault


async def test_what_is_unavailable_is_no_crash(autojump_clock: MockClock) -> None:
    faults = (Unavailable("nobody is there"), StoreFull())
    assert await _logs_of(*faults) == [("warning", "nobody is there"), ("warning", str(StoreFull()))]


async def test_who_fails_at_once_is_not_started_all_the_time(autojump_clock: MockClock) -> None:
    await _logs_of(*(Unavailable("no") for _ in range(10)))
    assert trio.current_time() > 5 * supervisor.RESTART_S_MAX


def test_the_reason_lies_in_the_depth_of_a_group() -> None:
    assert str(supervisor.first(ExceptionGroup("a", [ExceptionGroup("b", [Unavailable("why")])]))) == "why"
