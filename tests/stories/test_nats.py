"""The routers of nats.py do what they are said to, seen with plain sockets: what the stories about NATs rest on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories import nats
from tests.stories.hosts import Host
from tests.stories.nats import Internet, Kind

pytestmark = [pytest.mark.process, pytest.mark.socket]
needs_nats = pytest.mark.skipif(
    not nats.possible(), reason="makes network namespaces with NATs: Linux, root, iproute2 and nftables"
)

PORT = 4001
DIAL = """
import json, socket, sys
here, there, port, patience = json.loads(sys.argv[1])
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", here))
    s.settimeout(patience)
    try:
        s.connect((there, port))
        s.sendall(b"hello")
        said = s.recv(100).decode()
    except OSError as error:
        said = type(error).__name__
print(said)
"""
LISTEN = """
import json, socket, sys
(port,) = json.loads(sys.argv[1])
with socket.create_server(("", port)) as s:
    print("ready", flush=True)
    while True:
        near, (ip, port) = s.accept()
        with near:
            near.sendall(f"{ip} {port}".encode())
            near.recv(100)
"""


def start(host: Host, program: str, *words: object) -> "subprocess.Popen[str]":
    command = [*host.inside, sys.executable, "-c", program, json.dumps(words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def dial(host: Host, here: int, there: str, port: int = PORT, patience_s: float = 3.0) -> "subprocess.Popen[str]":
    """Dials from a port, says hello; what it printed is what came back, or the name of the fault."""
    return start(host, DIAL, here, there, port, patience_s)


def said(dialling: "subprocess.Popen[str]") -> str:
    return dialling.communicate(timeout=30)[0].strip()


def from_both_ends(internet: Internet, patience_s: float) -> list[str]:
    """What two hosts in two homes hear when both dial the other's mapping of one port at once."""
    ana, bo = (internet.homes[name] for name in ("ana", "bo"))
    hosts = []
    for home in (ana, bo):
        hosts.append(internet.lab.host(f"{home.name}x"))
        home.plug(hosts[-1])
    dialling = [dial(hosts[0], PORT, bo.address, PORT, patience_s), dial(hosts[1], PORT, ana.address, PORT, patience_s)]
    return [said(one) for one in dialling]


@needs_nats
def test_two_behind_routers_that_drop_open_one_connection_from_both_ends(tmp_path: Path) -> None:
    with nats.open_internet(tmp_path, ana="drop", bo="drop") as internet:
        assert from_both_ends(internet, 20.0) == ["hello", "hello"]


@needs_nats
@pytest.mark.parametrize(
    ("ana", "bo"), [("reset", "reset"), ("drop", "reset"), ("reset", "drop"), ("drop", "symmetric")]
)
def test_with_another_kind_on_one_end_they_do_not(tmp_path: Path, ana: Kind, bo: Kind) -> None:
    with nats.open_internet(tmp_path, ana=ana, bo=bo) as internet:
        heard = from_both_ends(internet, 4.0)
        assert set(heard) <= {"TimeoutError", "ConnectionRefusedError", "ConnectionResetError"}
        assert ("reset" in (ana, bo)) == (heard != ["TimeoutError", "TimeoutError"])


@needs_nats
@pytest.mark.parametrize(
    ("kind", "fault"), [("drop", "TimeoutError"), ("reset", "ConnectionRefusedError"), ("symmetric", "TimeoutError")]
)
def test_everybody_gets_out_and_nobody_in(tmp_path: Path, kind: Kind, fault: str) -> None:
    """And a port stays the same towards everybody, or is another each time."""
    with nats.open_internet(tmp_path, ana=kind) as internet:
        home, ana, chen = internet.homes["ana"], internet.lab.host("anax"), internet.lab.host("chenx")
        inside, public = home.plug(ana), internet.expose(chen)
        listening = [start(host, LISTEN, port) for host, port in ((chen, PORT), (chen, PORT + 1), (ana, PORT))]
        try:
            for one in listening:
                assert one.stdout is not None
                assert one.stdout.readline() == "ready\n"
            seen = [said(dial(ana, 5000, public, port)).split() for port in (PORT, PORT + 1)]
            assert {ip for ip, _ in seen} == {home.address}
            assert ({port for _, port in seen} == {"5000"}) == (kind != "symmetric")
            assert said(dial(chen, 0, home.address)) == fault
            assert said(dial(chen, 0, inside)) == "OSError"  # the network is unreachable: nobody routes home addresses
        finally:
            for one in listening:
                one.kill()
                one.communicate()


@needs_nats
def test_a_host_that_moves_is_where_it_moved_to(tmp_path: Path) -> None:
    with nats.open_internet(tmp_path, ana="drop", cafe="drop") as internet:
        ana, chen = internet.lab.host("anax"), internet.lab.host("chenx")
        public = internet.expose(chen)
        listening = start(chen, LISTEN, PORT)
        try:
            assert listening.stdout is not None
            assert listening.stdout.readline() == "ready\n"
            for name in ("ana", "cafe", "ana"):
                internet.homes[name].plug(ana)
                assert said(dial(ana, 0, public)).split()[0] == internet.homes[name].address
            ana.pull()
            assert said(dial(ana, 0, public)) == "OSError"
            internet.expose(ana)
            assert said(dial(ana, 0, public)).split()[0] == "44.9.0.101"
        finally:
            listening.kill()
            listening.communicate()
