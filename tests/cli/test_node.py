"""init, up, down, status, and a node that is not there. The node's program is a small script of the test."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from cli import start
from cli.commands.node import reach
from protocol.publishing import Trouble
from tests.cli import contacts_room, fake

PROGRAM = """
import json, os, signal, sys, time
verb, _, name = sys.argv[2:5]
said = json.loads(sys.stdin.readline())
home = os.path.join(os.environ["WEFT_HOME"], name)
with open(os.path.join(home, verb + ".said"), "w") as file:
    json.dump(said, file)
match [verb, said.get("name", ""), said["passphrase"]]:
    case ["init", "Crash", _]:
        sys.exit("it broke")
    case ["init", who, _]:
        open(os.path.join(home, "vault"), "w").close()
        print(json.dumps({"name": who, "account": "ACCOUNT", "keyfile": not said["passphrase"]}))
    case ["run", _, "wrong"]:
        error = {"code": "profile.locked", "message": "The passphrase is wrong.", "next": "weft up", "exit": 4}
        print(json.dumps({"error": error | {"data": {}}}))
        sys.exit(4)
    case ["run", _, _]:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        pid = os.getpid()
        print(json.dumps({"ready": True, "pid": pid, "addresses": ["/ip4/10.0.0.1/tcp/1"]}), flush=True)
        time.sleep(60)
"""


def _world(tmp_path: Path) -> fake.World:
    world = fake.stopped(tmp_path)
    (tmp_path / "node.py").write_text(PROGRAM.replace("ACCOUNT", fake.ACCOUNT))
    world.door = replace(world.door, launcher=(sys.executable, str(tmp_path / "node.py")))
    return world


def _heard(world: fake.World, verb: str) -> dict[str, str]:
    heard: dict[str, str] = json.loads((world.directory / f"{verb}.said").read_text())
    return heard


ALL = [
    ("status",),
    ("send", "bo", "hi"),
    ("inbox",),
    ("inbox", "--follow"),
    ("read", "bo"),
    ("chat", "bo"),
    ("invite",),
    ("add", contacts_room.LINK),
    ("requests",),
    ("contacts",),
    ("contacts", "show", "bo"),
    ("config", "list"),
    ("backup", "words"),
    ("rpc", "--schema"),
    ("down",),
]


@pytest.mark.parametrize("words", ALL)
def test_a_node_that_is_not_there_is_code_3_and_says_how_to_start_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    ran = world.weft_now(*words, "-q")
    assert (ran.code, ran.out, ran.err) == (3, "", "No identity here yet. Make one: weft init\n")
    fake.make_identity(world)
    ran = world.weft_now(*words, "-q")
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")
    ran = world.weft_now(*words, "--json")
    assert ran.json == {
        "error": {"code": "node.down", "message": "Node is not running.", "next": "weft up", "data": {}}
    }


def test_the_next_command_names_the_profile(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    assert world.weft_now("--profile", "work", "status").err.endswith("Make one: weft --profile work init\n")
    assert world.weft_now("status", "--profile", "work", "--json").json["error"]["next"] == "weft --profile work init"
    assert world.weft_now("status", environ={"WEFT_PROFILE": "work"}).err.endswith("Make one: weft init\n")
    assert world.weft_now("status", "--profile", "../x").code == 2


@contextmanager
def as_a_stranger() -> Iterator[None]:
    """Without the rights of root, who may enter everything."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_profile_that_may_not_be_entered_is_said_in_a_sentence(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    world.weft_now("status")  # loads what this command is made of
    world.directory.chmod(0)
    try:
        with as_a_stranger():
            ran = world.weft_now("status", "-q")
    finally:
        world.directory.chmod(0o700)
    said = f"{world.directory} cannot be entered by you; nothing was changed. Why: weft doctor\n"
    assert (ran.code, ran.out, ran.err) == (1, "", said)


@pytest.mark.process
def test_init_hands_name_and_passphrase_over_on_stdin(tmp_path: Path) -> None:
    world = _world(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("correct horse\nsecond line\n")
    ran = world.weft_now("init", "--name", "Ana", environ={"WEFT_PASSPHRASE_FILE": str(secret)})
    assert (ran.code, ran.out) == (0, "✔ Identity made: wf1qq…f3\n")
    assert _heard(world, "init") == {"name": "Ana", "passphrase": "correct horse"}
    assert "No identity here yet" in ran.err
    assert "Write down your 24 recovery words now: weft backup words" in ran.err
    assert "Next: weft up" in ran.err
    ran = world.weft_now("init")
    assert (ran.code, "nothing was changed" in ran.err) == (1, True)
    assert world.weft_now("init", "--json").json["error"]["code"] == "profile.exists"


@pytest.mark.process
def test_init_without_a_terminal_takes_the_user_and_a_key_file(tmp_path: Path) -> None:
    world = _world(tmp_path)
    ran = world.weft_now("init", "--no-input", "--json")
    assert (ran.code, ran.json["account"]) == (0, fake.ACCOUNT)
    assert _heard(world, "init") == {"name": "ana", "passphrase": ""}
    assert "the key lies in a file that only you can read" in ran.err


@pytest.mark.process
def test_a_program_that_breaks_is_told_with_its_last_words(tmp_path: Path) -> None:
    ran = _world(tmp_path).weft_now("init", "--name", "Crash")
    assert (ran.code, ran.out) == (1, "")
    said = "weft's program ended before it was done (code 1); what was kept is safe. Its last words: it broke."
    assert f"{said} Again: weft init" in ran.err


@pytest.mark.process
def test_a_passphrase_file_that_cannot_be_read_is_code_4(tmp_path: Path) -> None:
    ran = _world(tmp_path).weft_now("init", environ={"WEFT_PASSPHRASE_FILE": str(tmp_path / "none")})
    assert ran.code == 4


@pytest.mark.process
def test_up_leaves_a_node_behind(tmp_path: Path) -> None:
    world = _world(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now("up", "-d", "--json")
    pid = ran.json["pid"]
    assert os.getsid(pid) == pid  # it outlives this terminal
    os.kill(pid, signal.SIGTERM)
    assert (ran.code, ran.json["already"], _heard(world, "run")) == (0, False, {"passphrase": ""})
    ran = world.weft_now("up", "-d")
    assert ran.out.startswith("✔ Node up (pid ")
    assert ran.out.endswith("). LAN: reachable   Internet: no public address   Nearby: off\n")
    assert ran.err == "Starting the node…\n"
    os.kill(int(ran.out.split("pid ")[1].split(")")[0]), signal.SIGTERM)


@pytest.mark.process
def test_up_without_or_with_a_wrong_passphrase_is_code_4(tmp_path: Path) -> None:
    world = _world(tmp_path)
    fake.make_identity(world)
    (world.directory / "key").unlink()
    ran = world.weft_now("up", "-d")
    assert (ran.code, "nobody is there to type it" in ran.err) == (4, True)
    (tmp_path / "secret").write_text("wrong\n")
    ran = world.weft_now("up", "-d", "--json", environ={"WEFT_PASSPHRASE_FILE": str(tmp_path / "secret")})
    assert (ran.code, ran.json["error"]["code"]) == (4, "profile.locked")


@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_up_in_the_foreground_passes_signals_on(tmp_path: Path, number: signal.Signals, code: int) -> None:
    world = _world(tmp_path)
    fake.make_identity(world)
    program = (
        "import sys\nfrom cli.__main__ import run\nfrom cli.options import Door\n"
        "sys.exit(run(['up', '--json'], Door(launcher=tuple(sys.argv[1:]))))"
    )
    assert world.door.launcher is not None
    with subprocess.Popen(
        [sys.executable, "-c", program, *world.door.launcher],
        env={**os.environ, **world.door.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as attached:
        assert attached.stdout is not None
        assert attached.stderr is not None
        pid = json.loads(attached.stdout.readline())["pid"]
        attached.send_signal(number)
        assert attached.wait(10) == code
        assert b"Ctrl-C stops it." in attached.stderr.read()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_up_when_it_is_up_says_so(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("up", "-d")
        assert (ran.code, ran.out.startswith("✔ Node is up already (pid 4121).")) == (0, True)
        ran = await world.weft("up", "--json")
        assert ran.json == {"pid": 4121, "addresses": ["/ip4/192.168.1.5/tcp/4001"], "already": True}


async def test_down_waits_until_the_node_is_gone(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("down")).out == "✔ Node stopped (pid 4121).\n"
    async with fake.node(tmp_path) as world:
        assert (await world.weft("down", "--json")).json == {"pid": 4121, "stopped": True}


async def test_status_shows_the_node_and_its_contacts(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.contacts.rows[0].update(online=True, reason="they\x07 wait")
        ran = await world.weft("status")
        assert ran.code == 0
        assert "Ana   wf1qq…f3   profile default   up since " in ran.out
        assert (
            "LAN: reachable   Internet: no public address   Beacon: on   Nearby: off\nQueued: 2   Keepers: 2" in ran.out
        )
        assert "2 waiting  they  wait" in ran.out
        for kept, shown, row in ((1, "2 (1 kept)", "2 waiting, 1 kept"), (2, "2 (2 kept)", "2 kept")):
            world.node.way = {"kept": kept}
            ran = await world.weft("status")
            assert f"Queued: {shown}   Keepers: 2" in ran.out
            assert f"{row} they wait" in " ".join(ran.out.split())
            assert f"\n{row}\n" in (await world.weft("status", "bo")).out
        assert (await world.weft("status", "--json")).json == await world.node.status()
        ran = await world.weft("status", "bo", "--json")
        assert (ran.json["name"], ran.json["waiting"]) == ("Bo", 2)
        assert (await world.weft("status", "eve")).code == 5


async def test_status_says_what_happened_to_ones_own_logs_and_what_waits_in_them(tmp_path: Path) -> None:
    def waits(log: str, **more: object) -> dict[str, object]:
        plain = {"id": "ab" * 16, "entries": 2, "anchor": "Bo", "seen_ms": 0, "others": 1, "kept": 0, "kept_by": ""}
        return {"log": log, **plain, **more}

    def lines(ran: fake.Ran) -> list[str]:
        return [line for line in ran.out.splitlines() if line[:2] == "! "]

    async with fake.node(tmp_path, "Bo") as world:
        assert lines(await world.weft("status")) == []
        world.node.logs["befell"] = [
            {"log": "our\x07 trip", "id": "ab" * 16, "trouble": kind, "at_ms": 0}
            for kind in (one.name.lower() for one in Trouble)
        ]
        assert lines(await world.weft("--profile", "default", "status")) == [
            "! Log our  trip, never: this device had been set back to an older state; what it had said since then is"
            " back (and 2 more). More: weft --profile default log proofs"
        ]
        for one in world.node.logs["befell"][1:]:
            world.node.logs["befell"] = [one]
            (said,) = lines(await world.weft("status"))
            assert said.endswith(". More: weft log proofs")
        world.node.logs = {"befell": [], "waiting": [waits("our trip", entries=1)]}
        said = "! 1 entry of the log our trip waits for Bo (seen never). Go on without: weft log reopen 'our trip'"
        assert lines(await world.weft("status")) == [said]
        world.node.logs["waiting"] = [waits("trip", entries=1200, others=0, anchor="B\x1bo"), waits("debts")]
        said = "! 1,200 entries of the log trip wait for B o (seen never), and 1 more log. Nobody else reads it."
        assert lines(await world.weft("status")) == [said]
        world.node.logs["waiting"] = [waits("trip", kept=2, kept_by="kept by Ch\x1ben until 22 Dec")]
        said = "! 2 entries of the log trip wait for Bo (seen never), kept by Ch en until 22 Dec."
        assert lines(await world.weft("status")) == [f"{said} Go on without: weft log reopen trip"]
        world.node.logs["waiting"] = [waits("trip"), waits("debts"), waits("tea")]
        assert ", and 2 more logs." in (await world.weft("status")).out
        assert (await world.weft("status", "--json")).json["logs"] == world.node.logs


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "DHT: serves, keeps 7 records, knows 31 peers, your record is with 20 of them"),
        ({"serves": False, "copies": 0}, "DHT: asks only, knows 31 peers, nobody keeps a record of yours"),
        ({"copies": 0, "trouble": "no\x1b answer"}, "nobody keeps a record of yours: no  answer"),
        ({"why": "no peer answered yet"}, "DHT: no peer answered yet\n"),
    ],
)
async def test_status_says_what_the_dht_is_good_for(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.node.dht |= changed
        assert said in (await world.weft("status")).out


@pytest.mark.parametrize(
    ("addresses", "way_in"),
    [
        (["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/2", "/ip4/8.8.8.8/tcp/3"], "/ip4/8.8.8.8/tcp/3"),
        (["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/2"], "/ip4/10.0.0.2/tcp/2"),
        (["/ip4/8.8.8.8/tcp/4/p2p/12D3KooWr/p2p-circuit", "/ip4/127.0.0.1/tcp/1"], "/ip4/127.0.0.1/tcp/1"),
        ([], ""),
    ],
)
async def test_status_says_what_others_set_to_come_into_the_dht(
    tmp_path: Path, addresses: list[str], way_in: str
) -> None:
    async with fake.node(tmp_path) as world:
        world.node.addresses = addresses
        lines = (await world.weft("status")).out.splitlines()
        said = f"Others come into the DHT by dht.bootstrap {way_in}"
        assert (said in lines) is bool(way_in)
        assert any("dht.bootstrap" in line for line in lines) is bool(way_in)
        world.node.dht["serves"] = False
        assert "dht.bootstrap" not in (await world.weft("status")).out


async def test_without_contacts_there_is_no_record_to_miss(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.node.dht["copies"] = 0
        assert "knows 31 peers, contacts will find you there\n" in (await world.weft("status")).out


@pytest.mark.parametrize(
    ("online", "way", "said"),
    [
        (True, {"path": "direct", "local": True}, "Path: direct, in the local network: there is none better"),
        (True, {"path": "direct", "local": False}, "Path: direct: there is none better"),
        (
            True,
            {"path": "relayed", "relay": "12D3KooWabcdefgh", "reason": "his network\x07 refuses"},
            "Path: through the relay …abcdefgh; not directly: his network  refuses",
        ),
        (False, {"reason": "nobody answers there", "next_dial_s": 20.0}, "nobody answers there\nDialled again in 20 s"),
        (
            False,
            {"looked_ms": 1, "look": "no record of his is there", "next_look_s": 0.2},
            "ago: no record of his is there; looked again now",
        ),
        (False, {"next_look_s": 300.0}, "DHT: not looked yet; looked again in 5 min"),
    ],
)
async def test_status_of_a_contact_says_which_way_and_why(
    tmp_path: Path, online: bool, way: dict[str, object], said: str
) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.contacts.rows[0].update(online=online)
        world.node.way = way
        ran = await world.weft("status", "bo")
        assert ran.code == 0
        assert said in ran.out


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/ip4/127.0.0.1/tcp/1", "LAN: only this machine   Internet: no public address"),
        ("/ip4/192.168.1.5/tcp/1", "LAN: reachable   Internet: no public address"),
        ("/ip6/2a00:1450:4001::1/tcp/1", "LAN: reachable   Internet: public address"),
    ],
)
def test_reach_says_only_what_addresses_show(address: str, said: str) -> None:
    assert reach([address]) == said


async def test_the_other_commands(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("backup", "words", "--json")
        assert ran.json == {"words": fake.WORDS}
        ran = await world.weft("backup", "words")
        assert ran.out.splitlines()[5].split() == ["21.", "abandon", "22.", "abandon", "23.", "abandon", "24.", "art"]
        assert "can become you" in ran.err
        assert (await world.weft("config", "--json")).json["listen.port"] == 0
        assert (await world.weft("config", "get", "lan.beacon")).out == "yes\n"
        assert (await world.weft("config", "set", "listen.port", "4001")).out == "✔ listen.port = 4001\n"
        assert (await world.weft("config", "get", "listen.port", "--json")).json == {"listen.port": 4001}
        assert (await world.weft("config", "set", "listen.port", "many")).code == 2
        assert (await world.weft("config", "get", "colour")).code == 5
        ran = await world.weft("version", "--json")
        assert (ran.json["protocol"], ran.json["node"]) == (1, {"version": "0.1.0", "protocol": 1})
        methods = (await world.weft("rpc", "--schema")).json["methods"]
        assert {"chat.send", "watch", "describe"} <= {method["name"] for method in methods}


def test_version_needs_no_node(tmp_path: Path) -> None:
    ran = fake.stopped(tmp_path).weft_now("version")
    assert (ran.code, ran.out.endswith("no node runs\n")) == (0, True)


def test_the_launcher_of_this_checkout_is_found(tmp_path: Path) -> None:
    assert start.launcher(fake.stopped(tmp_path).door) == (
        sys.executable,
        str(Path(__file__).resolve().parents[2] / "weft.py"),
    )


async def test_an_older_node_is_code_8(tmp_path: Path) -> None:
    async with (
        fake.node(tmp_path, "Bo") as world,
        await trio.open_unix_socket(str(world.directory / "run" / "rpc.sock")) as stream,
    ):
        await stream.send_all(b'{"jsonrpc":"2.0","id":1,"method":"node.status","api":2}\n')
        assert json.loads(await stream.receive_some())["error"]["data"]["exit"] == 8


async def test_an_empty_profile_is_no_profile(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for words in (("--profile", "", "down"), ("down", "--profile=")):
            ran = await world.weft("--json", *words)
            assert (ran.code, ran.json["error"]["code"]) == (2, "profile.name")
        assert (await world.weft("status", environ={"WEFT_PROFILE": ""})).code == 0
        assert (world.directory / "run" / "pid").exists()


async def test_status_says_what_waits_in_the_ledgers(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert "weft pay" not in (await world.weft("status")).out
        world.node.debts = {"offers": 1, "asked": 2, "paused": ["bo\x1b[2J"]}
        lines = (await world.weft("status")).out.splitlines()
        assert "• 1 offer to accept and 2 requests to pay: weft pay" in lines
        (still,) = (line for line in lines if "stands still" in line)
        assert still == "! The ledger with bo [2J stands still: weft ledger"
