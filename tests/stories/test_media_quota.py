"""The quota and a folder of pieces that somebody emptied, on two real nodes: what goes, and comes again by asking."""

import random
from pathlib import Path
from typing import Any

import pytest

from node import profile
from store.database import Worker, open_database
from tests.stories.real import Failure, RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

WITHIN_S = 30.0
BYTES = 700_000  # two fit a quota of 2 MB, three do not
HOURS_MS = 3 * 3_600_000  # what came so long ago may go


def states(node: RealNode) -> list[str]:
    """How a person's files stand, the oldest first."""
    return [one["state"] for one in node.call("media.list")]


async def made_old(node: RealNode) -> None:
    """As if all files had come hours ago; the node does not run."""
    place = profile.named(node.name, {"WEFT_HOME": str(node.home)})
    async with open_database(place.database, profile.unlock(place, b""), (), Worker.INLINE) as database:
        await database.transact(lambda tx: tx.execute("UPDATE blob SET used_ms = used_ms - ?", (HOURS_MS,)).rowcount)


async def test_the_longest_unused_goes_beyond_the_quota_and_comes_again_and_what_was_emptied_too(
    tmp_path: Path,
) -> None:
    with open_pair(tmp_path / "home") as (ana, bo):
        contents = [random.Random(n).randbytes(BYTES) for n in range(3)]
        for n, data in enumerate(contents):
            place = tmp_path / f"{n}.bin"
            place.write_bytes(data)
            ana.call("media.send", to="bo", path=str(place))
            bo.await_that(lambda n=n: states(bo) == ["here"] * (n + 1), WITHIN_S)  # type: ignore[misc]
        bo.call("node.configure", name="media.quota", value="2")
        assert bo.call("media.storage")["over"] > 0  # for an hour nothing goes
        bo.down()
        await made_old(bo)
        bo.up()
        bo.await_that(lambda: states(bo) == ["offered", "here", "here"], WITHIN_S)
        assert bo.call("media.storage")["over"] == 0
        bo.call("node.configure", name="media.quota", value="0")  # else the next one goes for it
        first: dict[str, Any] = bo.call("media.list")[0]
        bo.call("media.get", id=first["id"])
        bo.await_that(lambda: states(bo) == ["here"] * 3, WITHIN_S)
        assert read(bo, first, tmp_path) == contents[0]
        for file in (bo.folder / "blobs").iterdir():
            file.unlink()
        with pytest.raises(Failure) as gone:
            bo.call("media.save", id=first["id"], folder=str(tmp_path))
        assert gone.value.code == "media.gone"
        bo.call("media.get", id=first["id"])
        bo.await_that(lambda: states(bo)[0] == "here", WITHIN_S)
        assert read(bo, first, tmp_path) == contents[0]


def read(node: RealNode, file: dict[str, Any], folder: Path) -> bytes:
    """What a file is when it is saved."""
    return Path(node.call("media.save", id=file["id"], folder=str(folder))["file"]).read_bytes()
