"""Either side is killed again and again while 200 MB travel: they arrive as they were, and never begin anew."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import depth
from tests.stories.real import START_S, RealNode, open_pair
from tests.stories.siege import assert_quiet

BYTES = 200_000_000
SEED = 2501
RUNS_S = (0.1, 0.9)  # from a node's start to the next kill: all of it takes 2 s without one
WITHIN_S = 180.0


def state(node: RealNode) -> dict[str, object]:
    """The newest file of a node."""
    return dict(node.call("media.list")[-1])


@pytest.mark.process
@pytest.mark.socket
def test_200_megabytes_arrive_whatever_is_killed_when(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    data = chance.randbytes(BYTES)
    (tmp_path / "large.bin").write_bytes(data)
    with open_pair(tmp_path) as (ana, bo):
        ana.call("media.send", to="bo", path=str(tmp_path / "large.bin"))
        bo.await_that(lambda: bool(bo.call("media.list")), START_S)
        ident, seen = state(bo)["id"], 0
        kills: list[tuple[str, int]] = []
        bo.call("media.get", id=ident)
        while len(kills) < depth.FILE_KILLS:
            time.sleep(chance.uniform(*RUNS_S))  # the moment is what is tested
            victim = chance.choice((ana, bo))
            now = state(bo)
            if now["state"] == "here":
                bo.call("media.drop", id=ident)  # it is fetched again: there are kills left
                bo.call("media.get", id=ident)
                seen = 0
                continue
            before = int(str(now["here"]))
            assert before >= seen, f"seed {SEED}: it began anew after {kills}"
            victim.kill()
            kills.append((victim.name, before))
            victim.up()
            seen = int(str(state(bo)["here"]))
            assert seen >= before, f"seed {SEED}: what was here is gone after {kills}"
        bo.await_that(lambda: state(bo)["state"] == "here", WITHIN_S)
        saved = bo.call("media.save", id=ident, folder=str(bo.home))
        assert Path(saved["file"]).read_bytes() == data
        for node in (ana, bo):
            assert_quiet(node)


@pytest.mark.process
@pytest.mark.socket
def test_the_command_goes_on_after_a_kill_and_says_what_it_does(tmp_path: Path) -> None:
    """As a person types it: sent, listed, begun, the node is killed, fetched on, saved beside an older one."""
    data = random.Random(SEED + 1).randbytes(30_000_000)
    (tmp_path / "film.raw").write_bytes(data)
    with open_pair(tmp_path) as (ana, bo):
        sent = weft(ana, "send", "bo", "watch this", "--file", str(tmp_path / "film.raw"))
        assert sent.stdout.startswith("• [file] film.raw (30.0 MB) for Bo   (id …")
        bo.await_that(lambda: len(bo.call("chat.inbox")) == 2, START_S)
        assert "ana: [file] film.raw (30.0 MB, not fetched)" in weft(bo, "inbox").stdout
        short = str(state(bo)["short"])
        assert "on its way" in weft(bo, "get", short, "--no-wait").stdout
        bo.kill()
        bo.up()
        (tmp_path / "to").mkdir()
        (tmp_path / "to" / "film.raw").write_bytes(b"another")
        got = weft(bo, "get", short, "--to", str(tmp_path / "to"), "--json")
        place = json.loads(got.stdout)["file"]
        assert place == str(tmp_path / "to" / "film (2).raw")
        assert Path(place).read_bytes() == data
        ana.await_that(lambda: state(ana)["given"] == state(ana)["pieces"], START_S)
        assert "he has it" in weft(ana, "files").stdout


def weft(node: RealNode, *words: str) -> "subprocess.CompletedProcess[str]":
    """Types a command; it succeeds."""
    command = [sys.executable, "weft.py", "--profile", node.name, *words]
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        command,
        cwd=root,
        env={"WEFT_HOME": str(node.home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, ran.stderr
    return ran
