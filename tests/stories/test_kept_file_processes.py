"""A file by way of a keeper node, as processes: its sender is killed, and it arrives all the same, byte by byte."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stories import keeper_kit
from tests.stories.real import RealNode, open_pair
from tests.stories.siege import assert_quiet
from tests.stories.test_media_kills import state, weft
from tests.stories.test_own_keeper import row

pytestmark = [pytest.mark.process, pytest.mark.socket]

WITHIN_S = 90.0
SEED = 2350


def newest(node: RealNode) -> dict[str, Any]:
    """The newest file of a node."""
    found = node.call("media.list")
    return dict(found[-1]) if found else {"state": "", "keeping": ""}


def test_a_file_whose_sender_was_killed_comes_from_a_keeper_node(tmp_path: Path) -> None:
    data = random.Random(SEED).randbytes(12_000_000)
    (tmp_path / "film.raw").write_bytes(data)
    with open_pair(tmp_path) as (ana, bo), keeper_kit.keeper(tmp_path) as node:
        code = node._start("keep", {})["code"]
        ana.call("keepers.use", who=code, name="cellar")
        ana.await_that(lambda: row(ana)["open"] == 1, WITHIN_S)
        ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
        ana.down()

        sent = weft(bo, "send", "ana", "--file", str(tmp_path / "film.raw"), "--wait", "kept", "60")
        assert sent.returncode == 0, sent.stderr
        assert sent.stdout.startswith("✔ [file] film.raw (12.0 MB), kept by ana's own node until ")
        bo.kill()

        node.kill()  # what it has said that it keeps is on its disk
        keeper_kit.start(node, files="0")  # what lies there is given out, whatever is taken from now on
        assert node.call("keep.status")["files"] == 1
        ana.up()
        ana.await_that(lambda: newest(ana)["state"] != "", WITHIN_S)
        ana.call("media.get", id=newest(ana)["id"])
        ana.await_that(lambda: newest(ana)["state"] == "here", WITHIN_S)
        saved = ana.call("media.save", id=newest(ana)["id"], folder=str(ana.home))
        assert Path(saved["file"]).read_bytes() == data

        files = node.folder / "keeper.files"
        ana.await_that(lambda: not list(files.iterdir()), WITHIN_S)  # she has it, and said so
        assert node.call("keep.status")["files"] == 0
        for one in (ana, bo):
            assert_quiet(one)


def test_a_keeper_node_that_is_killed_again_and_again_has_what_it_acknowledged(tmp_path: Path) -> None:
    """Killed between pieces, four times; the sender goes on where the keeper is, and never from the beginning."""
    chance = random.Random(SEED + 1)
    data = chance.randbytes(60_000_000)
    (tmp_path / "film.raw").write_bytes(data)
    with open_pair(tmp_path) as (ana, bo), keeper_kit.keeper(tmp_path) as node:
        code = node._start("keep", {})["code"]
        ana.call("keepers.use", who=code, name="cellar")
        ana.await_that(lambda: row(ana)["open"] == 1, WITHIN_S)
        ana.await_that(lambda: ana.call("node.status")["queued"] == 0, WITHIN_S)
        ana.down()
        sent = bo.call("media.send", to="ana", path=str(tmp_path / "film.raw"))
        bo.call("media.leave", id=sent["id"])
        seen = 0
        for _ in range(4):
            least = seen
            bo.await_that(lambda least=least: int(newest(bo)["kept"]) > least, WITHIN_S)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.2))  # the moment is what is tested
            if newest(bo)["keeping"] == "kept":
                break
            seen = int(newest(bo)["kept"])
            node.kill()
            keeper_kit.start(node)
            bo.down()  # else it waits a minute
            bo.up()
        bo.await_that(lambda: newest(bo)["keeping"] == "kept", WITHIN_S)
        bo.kill()
        ana.up()
        ana.await_that(lambda: newest(ana)["state"] != "", WITHIN_S)
        ana.call("media.get", id=newest(ana)["id"])
        ana.await_that(lambda: state(ana)["state"] == "here", WITHIN_S)
        saved = ana.call("media.save", id=newest(ana)["id"], folder=str(ana.home))
        assert Path(saved["file"]).read_bytes() == data
        for one in (ana, bo):
            assert_quiet(one)
