"""weft doctor as it is typed, on real nodes: running with a contact, stopped, killed, damaged, locked, not made yet."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories import hosts
from tests.stories.hosts import CABLE, Host, open_lab, run
from tests.stories.real import LAUNCHER, RealNode, is_online, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

CALL_S = 100.0
START_S = 30.0
HANGS_S = 20.0  # in which a node that hangs is examined from outside


def examined(
    home: Path,
    profile: str,
    code: int,
    passphrase: Path | None = None,
    host: Host | None = None,
    within_s: float = CALL_S,
) -> Any:
    """What `weft doctor --json` finds, by name the findings of each check; it must end with this code.

    host: where it is typed; without one the node is to listen on this machine only.
    """
    environ = {**os.environ, "WEFT_HOME": str(home), "WEFT_LISTEN": "127.0.0.1" if host is None else "0.0.0.0"}
    environ.pop("WEFT_PASSPHRASE_FILE", None)
    if passphrase is not None:
        environ["WEFT_PASSPHRASE_FILE"] = str(passphrase)
    ran = subprocess.run(
        [
            *(host.inside if host else ()),
            sys.executable,
            str(LAUNCHER),
            "doctor",
            "--json",
            "--no-input",
            "--profile",
            profile,
        ],
        env=environ,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told["ok"] == (code == 0)
    found: dict[str, list[dict[str, str]]] = {}
    for row in told["findings"]:
        found.setdefault(row["name"], []).append(row)
    return found


def levels(found: Any) -> dict[str, set[str]]:
    """How bad each check's findings are."""
    return {name: {row["level"] for row in rows} for name, rows in found.items()}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[RealNode, RealNode]]:
    with open_pair(tmp_path) as both:
        yield both


def test_a_running_node_then_away_then_stopped_then_killed(tmp_path: Path, pair: tuple[RealNode, RealNode]) -> None:
    ana, bo = pair
    ana.await_that(lambda: is_online(ana, "bo"), START_S)
    found = examined(tmp_path, "ana", 0)
    whole = {"program", "profile", "files", "vault", "identity", "store", "clock", "node", "socket", "log", "ports"}
    assert {name for name, worst in levels(found).items() if worst == {"ok"}} >= whole
    assert "Online, speaks version 2" in found["contact Bo"][0]["sentence"]
    bo.down()
    ana.await_that(lambda: not is_online(ana, "bo"), START_S)
    ana.call("chat.send", to="bo", text="later")
    found = examined(tmp_path, "ana", 0)
    assert levels(found)["contact Bo"] == {"warning"}
    assert "wait" in found["contact Bo"][0]["sentence"]
    ana.down()
    found = examined(tmp_path, "ana", 0)
    assert {name for name, worst in levels(found).items() if worst == {"ok"}} >= whole - {"node", "socket"}
    assert found["node"][0]["next"] == "weft --profile ana up"
    assert levels(found)["contact Bo"] == {"unknown"}
    ana.up()
    ana.kill()
    found = examined(tmp_path, "ana", 0)
    assert "was killed" in found["node"][0]["sentence"]
    assert levels(found)["store"] == {"ok"}
    ana.up()  # nothing that the doctor did stands in the way


def test_a_node_that_hangs_is_named_and_not_disturbed(tmp_path: Path, pair: tuple[RealNode, RealNode]) -> None:
    ana, _ = pair
    assert ana.program is not None
    ana.program.send_signal(signal.SIGSTOP)
    try:
        found = examined(tmp_path, "ana", 1, within_s=HANGS_S)
    finally:
        ana.program.send_signal(signal.SIGCONT)
    assert found["node"][0]["next"] == f"kill -9 {ana.program.pid}"
    assert levels(found)["store"] == {"unknown"}
    assert levels(found)["files"] == {"ok"}
    assert ana.call("node.version")["protocol"] == 1


def test_what_is_broken_is_named_and_the_rest_examined(tmp_path: Path) -> None:
    assert levels(examined(tmp_path, "ana", 1))["profile"] == {"failure"}
    assert list(tmp_path.iterdir()) == []
    secret, wrong = tmp_path / "secret", tmp_path / "wrong"
    secret.write_text("correct horse")
    wrong.write_text("wrong")
    ana = RealNode(tmp_path, "ana", "correct horse")
    ana.init()
    assert levels(examined(tmp_path, "ana", 0, secret))["store"] == {"ok"}
    assert levels(examined(tmp_path, "ana", 0))["store"] == {"unknown"}
    found = levels(examined(tmp_path, "ana", 1, wrong))
    assert (found["vault"], found["store"], found["files"]) == ({"failure"}, {"unknown"}, {"ok"})
    database = ana.folder / "weft.db"
    os.truncate(database, database.stat().st_size // 2)
    before = database.read_bytes()
    found = levels(examined(tmp_path, "ana", 1, secret))
    assert (found["vault"], found["store"], found["files"]) == ({"ok"}, {"failure"}, {"ok"})
    assert {"disk", "clock", "node", "ports", "interfaces", "lan"} <= set(found)
    assert database.read_bytes() == before


@pytest.mark.skipif(not hosts.possible(), reason="makes network namespaces: Linux, root and iproute2")
def test_networks_are_told_as_they_are(tmp_path: Path) -> None:
    with open_lab(tmp_path, "home") as lab:
        host, ana = lab.node("ana")
        ana.init()
        found = examined(tmp_path, "ana", 1, host=host)
        assert "No network" in found["interfaces"][0]["sentence"]
        host.plug("home", "10.1.0.2/24")
        works = "IPv4 multicast, IPv4 broadcast, IPv6 multicast: sent 3, heard 3 of own."
        assert examined(tmp_path, "ana", 0, host=host)[f"lan {CABLE}"][0]["sentence"] == works
        ana.up()  # from here on two programs listen on the port
        run(*host.inside, "ip", "address", "flush", "dev", CABLE, "scope", "global")
        run(*host.inside, "ip", "address", "add", "10.1.0.2/24", "dev", CABLE)  # no broadcast address is told
        assert examined(tmp_path, "ana", 0, host=host)[f"lan {CABLE}"][0]["sentence"] == works
        run(*host.inside, "ip", "link", "set", "dev", CABLE, "multicast", "off")
        found = examined(tmp_path, "ana", 0, host=host)
        assert found[f"lan {CABLE}"][0]["next"] == f"ip link set dev {CABLE} multicast on"
        assert levels(found)["interfaces"] == {"warning"}  # no way leads out
