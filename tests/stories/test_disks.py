"""Disks that are full, read-only or damaged under real nodes: nothing acknowledged is lost, and one sentence says why.

A limit on the size of its files makes a node's disk full without any privilege. What SQLite says of a disk that has no
room is tests/store/test_disk.py.
"""

import json
import os
import resource
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from cli.faults import Failure
from node import profile
from store import connection
from store.faults import WrongKey
from tests.stories.real import RealNode, open_pair
from tests.stories.test_first_run import Machine, machines

pytestmark = [pytest.mark.process, pytest.mark.socket]

SETTLE_S = 30.0
WATCHED_S = 3.0  # how long a node with a full disk is watched
BUSY_S = 1.0  # of a core, that it may take in this time
ANA_SAYS = [f"into the full disk {n}" for n in range(20)]
AS_OWNER = (
    "setpriv --bounding-set=-dac_override,-dac_read_search" if os.geteuid() == 0 else ""
)  # modes count for root too

__all__ = ["machines"]


def room(node: RealNode, file_bytes: int) -> None:
    """Sets how large the files of a running node may get."""
    assert node.program is not None
    hard = resource.prlimit(node.program.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(node.program.pid, resource.RLIMIT_FSIZE, (file_bytes, hard))


def busy_s(node: RealNode) -> float:
    """The time of a core that a node has taken so far."""
    assert node.program is not None
    fields = Path(f"/proc/{node.program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def queued(node: RealNode) -> int:
    return int(node.call("node.status")["queued"])


def texts_of(node: RealNode, other: str, count: int) -> list[str]:
    """The newest texts of a conversation."""
    return [line["text"] for line in node.call("chat.history", to=other, limit=count)]


def texts(node: RealNode) -> list[str]:
    return [row["text"] for row in node.call("chat.inbox", limit=1000)]


def test_a_full_disk_acknowledges_nothing_and_all_arrives_once_there_is_room(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        ana.call("chat.send", to="bo", text="before")
        ana.await_that(lambda: queued(ana) == 0, SETTLE_S)
        room(bo, (bo.folder / "weft.db-wal").stat().st_size)
        with pytest.raises(Failure) as refused:
            bo.call("chat.send", to="ana", text="never kept")
        assert (refused.value.code, refused.value.exit) == ("store.unwritable", 1)
        assert "nothing of this was kept or sent" in refused.value.message
        for text in ANA_SAYS:
            ana.call("chat.send", to="bo", text=text)
        began, before_s = time.monotonic(), busy_s(bo)
        while time.monotonic() - began < WATCHED_S:
            time.sleep(0.2)  # what is watched is that nothing happens
            assert texts(bo) == ["before"]
        assert busy_s(bo) - before_s < BUSY_S
        assert queued(ana) == len(ANA_SAYS)
        assert "The disk takes no writing" in bo.call("node.status")["trouble"]
        room(bo, resource.RLIM_INFINITY)
        ana.await_that(lambda: queued(ana) == 0, SETTLE_S)
        assert texts(bo) == ["before", *ANA_SAYS]
        assert bo.call("node.status")["trouble"] == ""
        bo.call("chat.send", to="ana", text="and back")
        bo.await_that(lambda: queued(bo) == 0, SETTLE_S)
        assert texts(ana) == ["and back"]
        bo.kill()
        bo.up()
        assert texts(bo) == ["before", *ANA_SAYS]


def with_a_bad_message(node: RealNode, copy: Path) -> bytes:
    """The database of a stopped node with one bit changed, so that old messages cannot be read and all else can."""
    key = profile.unlock(profile.Profile(node.name, node.folder), node.passphrase.encode())
    whole = (node.folder / "weft.db").read_bytes()
    for page in range(len(whole) // connection.PAGE_BYTES // 2, len(whole) // connection.PAGE_BYTES):
        raw = bytearray(whole)
        raw[page * connection.PAGE_BYTES + 100] ^= 1
        copy.write_bytes(raw)
        if only_old_messages_are_bad(copy, key):
            return bytes(raw)
    raise AssertionError("no page holds old messages alone")


def only_old_messages_are_bad(copy: Path, key: bytes) -> bool:
    """Whether old messages cannot be read and all else can."""
    try:
        opened = connection.connect_still(copy, key)
    except WrongKey:
        return False  # a page of the schema itself: nothing can be read
    with closing(opened):
        tables = [
            row[0] for row in opened.execute("SELECT name FROM sqlite_master WHERE rootpage > 0 AND type = 'table'")
        ]
        rest = [f"SELECT * FROM {table}" for table in tables if table != "message"]
        newest = "SELECT * FROM message ORDER BY seq DESC LIMIT 50"
        return all(reads(opened, sql) for sql in (*rest, newest)) and not reads(opened, "SELECT * FROM message")


def reads(opened: Any, sql: str) -> bool:
    """Whether every row of a query can be read."""
    try:
        opened.execute(sql).fetchall()
    except dbapi2.DatabaseError:
        return False
    return True


def test_a_page_that_is_found_bad_while_running_is_told_and_crashes_nothing(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        said = [f"{n} {'x' * 1000}" for n in range(300)]
        for start in range(0, 300, 60):
            ana.call("chat.send_all", to="bo", texts=said[start : start + 60])
        ana.await_that(lambda: queued(ana) == 0, SETTLE_S)
        bo.down()
        (bo.folder / "weft.db").write_bytes(with_a_bad_message(bo, tmp_path / "copy.db"))
        bo.up()
        with pytest.raises(Failure) as found:
            bo.call("chat.inbox", limit=1000)
        assert (found.value.code, found.value.exit) == ("store.damaged", 1)
        assert "nothing overwritten" in found.value.message
        assert texts_of(bo, "ana", 20) == said[-20:]  # what can be read is read
        with pytest.raises(Failure) as refused:
            bo.call("chat.send", to="ana", text="never kept")
        assert refused.value.code == "store.damaged"
        ana.call("chat.send", to="bo", text="never acknowledged")
        before_s = busy_s(bo)
        time.sleep(WATCHED_S)  # what is watched is that nothing happens
        assert busy_s(bo) - before_s < BUSY_S
        assert queued(ana) == 1
        assert "damaged" in bo.call("node.status")["trouble"]
        assert [one["name"].lower() for one in bo.call("contacts.list")] == ["ana"]
        assert texts_of(bo, "ana", 20) == said[-20:]
        assert '"service crashed"' not in (bo.folder / "log" / "node.log").read_text()
        bo.down()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("weft.db*"))}


@pytest.mark.parametrize("broken", ["header", "tail", "log", "empty"])
def test_a_broken_database_is_refused_in_a_sentence_and_left_as_it_is(
    machines: tuple[Machine, Machine], broken: str
) -> None:
    ana, _ = machines
    ana.types("weft init -q && weft up -d && weft invite --no-wait")
    pid = json.loads(ana.types("weft status --json"))["pid"]
    os.kill(pid, 9)
    folder = ana.folder / "home" / "default"
    database, log = folder / "weft.db", folder / "weft.db-wal"
    match broken:
        case "header":
            database.write_bytes(os.urandom(100) + database.read_bytes()[100:])
        case "tail":
            log.unlink()
            database.write_bytes(database.read_bytes()[:20_000])
        case "log":
            log.write_bytes(os.urandom(log.stat().st_size))
        case "empty":
            database.write_bytes(b"")
    before = files(folder)
    error = json.loads(ana.types("weft up -d --json", code=1))["error"]
    assert error["code"] in ("store.wrong_key", "store.damaged", "profile.damaged")
    assert "othing was changed" in error["message"] or "nothing overwritten" in error["message"]
    assert error["next"] == "weft --profile NEW init"
    assert files(folder) == before
    assert (folder / "log" / "start.log").read_text() == ""  # no traceback
    ana.types("weft send bo hi", code=3)
    ana.types("weft init --json", code=1)
    assert files(folder) == before


def test_a_directory_that_takes_no_writing_is_said_and_changes_nothing(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    ana.types("weft init -q")
    folder = ana.folder / "home" / "default"
    before = files(folder)
    folder.chmod(0o500)
    try:
        error = json.loads(ana.types(f"{AS_OWNER} weft up -d --json", code=1))["error"]
        assert error["code"] in ("profile.unwritable", "store.unwritable")
        assert files(folder) == before
        ana.types(f"{AS_OWNER} weft send bo hi", code=3)
        other = json.loads(ana.types(f"WEFT_HOME={folder} {AS_OWNER} weft init --no-input --json", code=1))["error"]
        assert other["code"] == "profile.unwritable"
        assert "nothing was changed" in other["message"]
    finally:
        folder.chmod(0o700)
    ana.types(f"{AS_OWNER} weft up -d")


def test_a_disk_that_is_full_from_the_start_is_said(machines: tuple[Machine, Machine]) -> None:
    ana, _ = machines
    error = json.loads(ana.types("ulimit -f 8; weft init --no-input --json", code=1))["error"]  # 4 KiB
    assert error["code"] in ("store.unwritable", "profile.unwritable")
    ana.types("weft init -q && weft up -d")
