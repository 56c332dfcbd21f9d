"""Logs between real nodes: killed while they write, and a profile that runs on two machines at once."""

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.publishing import Trouble
from tests import depth
from tests.stories.real import Failure, RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0
TOLD = {Trouble.TWO_MACHINES.value, Trouble.OLD_COPY.value}


def notes(node: RealNode, log: str) -> list[str]:
    """The notes of a log, [] where there is none of this name."""
    try:
        return [line["text"] for line in node.call("logs.show", log=log, limit=1000)["entries"]]
    except Failure as failure:
        if failure.code != "log.unknown":
            raise
        return []


def whole(node: RealNode, log: str, count: int) -> Callable[[], bool]:
    """The question whether a node has so many notes of a log."""
    return lambda: len(notes(node, log)) == count


def accused(node: RealNode) -> list[dict[str, Any]]:
    return list(node.call("logs.proofs")["proofs"])


def test_what_was_signed_before_a_kill_is_there_after_it_and_the_reader_has_it_once(tmp_path: Path) -> None:
    chance = random.Random(91)
    with open_pair(tmp_path) as (ana, bo):
        ana.call("logs.begin", name="trip", readers=["bo"])
        signed: list[str] = []
        for life in range(2 + depth.KILLS // 2):
            enough = threading.Event()
            with writing(ana, f"life {life}", signed, chance.randint(1, 40), enough):
                assert enough.wait(PATIENCE_S)
                ana.kill()
            ana.up()
            there = notes(ana, "trip")
            assert there[: len(there)] == [*dict.fromkeys(there)]
            assert {*signed} <= {*there}, "a note that was signed is gone"
            if chance.random() < 0.3:
                bo.kill()
                bo.up()
        held = notes(ana, "trip")
        bo.await_that(whole(bo, "ana/trip", len(held)), PATIENCE_S)
        assert notes(bo, "ana/trip") == held
        assert accused(bo) == accused(ana) == []


@contextmanager
def writing(node: RealNode, what: str, signed: list[str], least: int, enough: threading.Event) -> Iterator[None]:
    """Notes are signed one after the other until the node is gone; those whose answer came are in `signed`.

    enough: is set when at least so many were.
    """

    def write() -> None:
        with node.client() as client:
            for n in range(100_000):
                try:
                    client.call("logs.write", log="trip", text=f"{what} {n}")
                except Failure:
                    return
                signed.append(f"{what} {n}")
                if n + 1 >= least:
                    enough.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_profile_on_two_machines_is_found_named_and_never_forks(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        ana.call("logs.begin", name="trip", readers=["bo"])
        ana.call("logs.write", log="trip", text="one")
        bo.await_that(whole(bo, "ana/trip", 1), PATIENCE_S)
        ana.down()
        copy = RealNode(tmp_path / "elsewhere", "ana")  # another machine, as far as the two can see
        copy.home.mkdir()
        shutil.copytree(ana.folder, copy.folder)
        ana.up()
        copy.up()
        try:
            both = ana, copy
            for n in range(3):
                for number, machine in enumerate(both):
                    machine.call("logs.write", log="trip", text=f"machine {number} says {n}")
            said = {f"machine {number} says {n}" for n in range(3) for number in range(2)}
            bo.await_that(lambda: said <= {*notes(bo, "ana/trip")}, PATIENCE_S)
            told = [one["says"] for machine in both for one in machine.call("logs.proofs")["troubles"]]
            assert told
            assert {*told} <= TOLD
            copy.down()
            held = notes(bo, "ana/trip")
            assert held[0] == "one"
            assert len(held) == len({*held}) == 7
            ana.await_that(lambda: notes(ana, "trip") == held, PATIENCE_S)
            ana.call("logs.write", log="trip", text="alone again")
            bo.await_that(whole(bo, "ana/trip", 8), PATIENCE_S)
            assert accused(bo) == accused(ana) == []
        finally:
            if copy.program is not None:
                copy.kill()
