"""The doctor on a stopped node: each check with a healthy and a sick subject, and no check that hides another."""

import json
import os
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from crypto.faults import Malformed
from node import claim, ground, log, profile
from node.doctor import findings, machine, rounds
from node.doctor.findings import DAY_MS, Finding, Level
from node.doctor.patient import Patient
from node.doctor.rounds import CHECKS, Check
from node.profile import NodeRuns, ProfileDamaged
from protocol.faults import Unavailable
from store import identity, settings
from store.database import Migration, Tx
from tests.node import patients
from tests.node.patients import Made, of, worst

NEW = "weft --profile NEW init"
SET = machine.SET_CLOCK
PASSPHRASE = "correct horse"


async def test_a_healthy_profile_has_no_failure_and_is_left_as_it_was(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    before = patients.snapshot(made.place.root)
    found = await made.findings()
    assert [one for one in found if one.level is Level.FAILURE] == []
    whole = {one.name for one in found if one.level is Level.OK}
    assert {"program", "profile", "files", "vault", "identity", "store", "clock", "log"} <= whole
    assert worst(found, "node") == findings.warning("node", "Not running.", "weft up")
    assert "Ana (wf1" in worst(found, "identity").sentence
    assert "integrity ok" in worst(found, "store").sentence
    assert patients.snapshot(made.place.root) == before


async def test_without_an_identity_the_machine_is_examined_and_nothing_made(tmp_path: Path) -> None:
    found = await patients.absent(tmp_path).findings()
    assert worst(found, "profile").level is Level.FAILURE
    assert worst(found, "profile").next == "weft init"
    assert {"program", "disk", "clock", "ports", "interfaces"} <= {one.name for one in found}
    assert [one for one in found if one.name in ("vault", "store", "identity", "node", "socket", "log")] == []
    assert not tmp_path.joinpath("home").exists()


# --- files that are wrong --------------------------------------------------------------------------------------------


def cut(made: Made) -> None:
    os.truncate(made.place.database, 20 * 2048)


def overwrite(made: Made) -> None:
    with made.place.database.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"rust" * 8)


def overwrite_first_page(made: Made) -> None:
    with made.place.database.open("r+b") as file:
        file.seek(100)
        file.write(b"rust" * 8)


def kill(made: Made) -> None:
    (made.place.run / "pid").write_text("4121\n")
    (made.place.run / "pid").chmod(0o600)


def unseal_log(made: Made) -> None:
    made.place.database.with_name("weft.db-wal").write_bytes(b"rust" * 1000)
    made.place.database.with_name("weft.db-wal").chmod(0o600)


def write_start_log(made: Made) -> None:
    made.place.log.with_name("start.log").write_text("Traceback\nModuleNotFoundError: No module named 'libp2p'\n")
    made.place.log.with_name("start.log").chmod(0o600)


SICK: list[tuple[str, Callable[[Made], Any], str, Level, str, str]] = [
    ("key for all", lambda m: m.place.key.chmod(0o644), "files", Level.FAILURE, "key (0644)", "chmod 600 {root}/key"),
    ("folder for all", lambda m: m.place.root.chmod(0o755), "files", Level.FAILURE, "(0755)", "chmod 700 {root}"),
    (
        "log for all",
        lambda m: m.place.log.parent.chmod(0o750),
        "files",
        Level.WARNING,
        "log (0750)",
        "chmod 700 {root}/log",
    ),
    (
        "vault not to be written",
        lambda m: m.place.vault.chmod(0o400),
        "files",
        Level.FAILURE,
        "vault (0400)",
        "chmod 600 {root}/vault",
    ),
    ("no key", lambda m: m.place.key.unlink(), "vault", Level.FAILURE, "key is gone", NEW),
    ("no vault", lambda m: m.place.vault.unlink(), "profile", Level.FAILURE, "vault is gone", ""),
    (
        "a broken vault",
        lambda m: m.place.vault.write_bytes(b"x"),
        "vault",
        Level.FAILURE,
        "damaged",
        NEW,
    ),
    ("another key", lambda m: m.place.key.write_bytes(bytes(32)), "vault", Level.FAILURE, "wrong", "weft doctor"),
    (
        "no database",
        lambda m: m.place.database.unlink(),
        "profile",
        Level.FAILURE,
        "missing or empty",
        NEW,
    ),
    (
        "an empty one",
        lambda m: m.place.database.write_bytes(b""),
        "profile",
        Level.FAILURE,
        "missing or empty",
        NEW,
    ),
    ("a cut one", cut, "store", Level.FAILURE, "amaged", ""),
    ("a changed page", overwrite, "store", Level.FAILURE, "HMAC verification failed for page", ""),
    ("a changed first page", overwrite_first_page, "store", Level.FAILURE, "does not open with this key", ""),
    ("a log that is none", unseal_log, "store", Level.FAILURE, "weft.db-wal of this profile is damaged", ""),
    ("not finished", lambda m: m.place.unfinished.touch(), "profile", Level.FAILURE, "interrupted", "weft init"),
    (
        "not restored",
        lambda m: m.place.unfinished.write_text("weft backup restore FILE"),
        "profile",
        Level.FAILURE,
        "`weft backup restore FILE` was interrupted",
        "weft backup restore FILE",
    ),
    ("killed", kill, "node", Level.WARNING, "(pid 4121) was killed", "weft up"),
    (
        "from tomorrow",
        lambda m: os.utime(m.place.database, (4e9, 4e9)),
        "clock",
        Level.FAILURE,
        "went back",
        "timedatectl set-ntp true",
    ),
    (
        "a start that failed",
        write_start_log,
        "log",
        Level.WARNING,
        "No module named 'libp2p'",
        "cat {root}/log/start.log",
    ),
]


@pytest.mark.parametrize(
    ("harm", "check", "level", "said", "next"), [row[1:] for row in SICK], ids=[row[0] for row in SICK]
)
async def test_what_is_wrong_is_found_and_nothing_changed(
    tmp_path: Path, harm: Callable[[Made], Any], check: str, level: Level, said: str, next: str
) -> None:
    made = await patients.make(tmp_path)
    healthy = {one.name for one in await made.findings()}
    harm(made)
    before = patients.snapshot(made.place.root)
    found = await made.findings()
    one = worst(found, check)
    assert (one.level, one.next) == (level, next.format(root=made.place.root))
    assert said in one.sentence
    assert patients.snapshot(made.place.root) == before
    assert healthy - {one.name for one in found} <= {"vault", "identity", "store", "node", "contacts"}


async def test_a_passphrase_opens_and_without_one_the_rest_is_examined(tmp_path: Path) -> None:
    made = await patients.make(tmp_path, PASSPHRASE.encode())
    opened = await made.findings(PASSPHRASE)
    assert [worst(opened, name).level for name in ("vault", "identity", "store")] == [Level.OK] * 3
    locked = await made.findings()
    assert [worst(locked, name).level for name in ("vault", "identity", "store")] == [Level.UNKNOWN] * 3
    assert "locked" in worst(locked, "store").sentence
    assert worst(locked, "vault").next == "WEFT_PASSPHRASE_FILE=FILE weft doctor"
    wrong = await made.findings("wrong")
    assert (worst(wrong, "vault").level, worst(wrong, "store").level) == (Level.FAILURE, Level.UNKNOWN)
    for found in (locked, wrong):
        assert worst(found, "disk").level is not Level.UNKNOWN
        assert worst(found, "files").level is Level.OK


async def test_a_log_of_a_killed_node_is_read_and_left(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    copy = replace(made, place=replace(made.place, root=tmp_path / "copy"))
    async with made.database() as database:
        await database.transact(settings.put, "log.level", "debug")
        copy.place.root.mkdir(mode=0o700)
        for path in made.place.root.iterdir():
            if path.is_file():
                (copy.place.root / path.name).write_bytes(path.read_bytes())
    assert (copy.place.root / "weft.db-wal").stat().st_size > 0
    before = patients.snapshot(copy.place.root)
    async with copy.patient() as subject:
        assert subject.settings["log.level"] == "debug"
    assert worst(await copy.findings(), "store").level is Level.OK
    assert patients.snapshot(copy.place.root) == before


# --- what stands in the database -------------------------------------------------------------------------------------


async def test_tables_of_another_version_are_said_and_not_touched(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    made.tables = (*patients.TABLES, Migration("people", 9, "CREATE TABLE x (y INTEGER) STRICT;"))
    found = worst(await made.findings(), "store")
    assert (found.level, "people 9" in found.sentence) == (Level.WARNING, True)
    made.tables = patients.TABLES[:-1]
    newest = patients.TABLES[-1]
    found = worst(await made.findings(), "store")
    is_known = any(one.room == newest.room for one in made.tables)
    assert found.level is (Level.FAILURE if is_known else Level.OK)
    made.tables = tuple(one for one in patients.TABLES if (one.room, one.number) != ("people", 2))
    found = worst(await made.findings(), "store")
    assert (found.level, "newer weft (people 2)" in found.sentence) == (Level.FAILURE, True)


async def test_a_copy_of_a_profile_whose_node_runs_is_told_so(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    async with made.database() as database:
        me = await database.transact(identity.load_identity)
    assert me is not None
    with claim.held(replace(made.place, name="first", root=made.place.root.with_name("first")), me.device):
        found = worst(await made.findings(), "identity")
        assert (found.level, found.next) == (Level.FAILURE, "weft --profile first status")
    assert worst(await made.findings(), "identity").level is Level.OK


async def test_a_certificate_ends(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    now = made.ground.now_ms()
    soon, over = now + 3650 * DAY_MS - 20 * DAY_MS, now + 3660 * DAY_MS
    assert worst(await made.at(soon).findings(), "identity").level is Level.WARNING
    assert worst(await made.at(over).findings(), "identity").level is Level.FAILURE
    assert worst(await made.at(0).findings(), "identity").level is Level.FAILURE


async def test_a_clock_that_cannot_be_right_is_found(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    now = made.ground.now_ms()
    for wrong in (0, 10**12, now + 31 * 365 * DAY_MS):
        assert "cannot be" in worst(await made.at(wrong).findings(), "clock").sentence
    os.utime(made.place.vault, (1.8e9, 1.8e9))  # a day of 2027: earlier than the next two
    later = now + 400 * DAY_MS
    async with made.database() as database:
        await database.transact(lambda tx: tx.execute("UPDATE identity SET transport_since_ms = ?", (later,)))
    found = worst(await made.findings(), "clock")
    assert (found.level, "went back" in found.sentence) == (Level.FAILURE, True)
    assert worst(await made.at(later + 1).findings(), "clock").level is Level.OK


@pytest.mark.parametrize(
    ("offsets", "level"), [((), Level.OK), ((300,), Level.OK), ((300, 320), Level.WARNING), ((-300, 320), Level.OK)]
)
async def test_clocks_of_contacts_tell_of_ours(tmp_path: Path, offsets: tuple[int, ...], level: Level) -> None:
    made = await patients.make(tmp_path)

    def keep(tx: Tx) -> None:
        for device, offset_s in enumerate(offsets):
            tx.execute("INSERT INTO clock (device, offset_s) VALUES (?, ?)", (device, offset_s))

    async with made.database() as database:
        await database.transact(keep)
    assert worst(await made.findings(), "clock").level is level


async def test_a_port_that_is_taken_is_found(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for name, level in (("listen.port.last", Level.WARNING), ("listen.port", Level.FAILURE)):
            async with made.database() as database:
                await database.transact(settings.put, "listen.address", "127.0.0.1")
                await database.transact(settings.put, name, port)
            found = worst(await made.findings(), "ports")
            assert (found.level, f"TCP {port} is taken" in found.sentence) == (level, True)
    assert worst(await made.findings(), "ports") == findings.ok("ports", f"TCP {port} is free for this node.")


# --- a node that runs, a log that tells ------------------------------------------------------------------------------


async def test_a_node_that_holds_the_profile_keeps_it(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    with profile.locked(made.place):
        found = await made.findings()
        assert worst(found, "node").level is Level.FAILURE
        assert "does not answer" in worst(found, "node").sentence
        assert worst(found, "node").next == f"kill -9 {os.getpid()}"
        assert worst(found, "socket").level is Level.FAILURE
        assert worst(found, "vault").level is Level.UNKNOWN
        with pytest.raises(NodeRuns), profile.locked(made.place):
            pass
        assert (made.place.run / "pid").exists()


async def test_no_node_starts_while_its_database_is_read(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    (made.place.run / "lock").touch(0o600)
    async with made.patient() as subject:
        assert subject.ask is not None
        with pytest.raises(NodeRuns), profile.locked(made.place):
            pass
        async with made.patient() as another:
            assert another.ask is not None
    with profile.locked(made.place):
        pass


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o666, Level.FAILURE)])
async def test_a_socket_is_its_owners_alone(tmp_path: Path, mode: int, level: Level) -> None:
    made = await patients.make(tmp_path)
    with profile.locked(made.place), closing(socket.socket(socket.AF_UNIX)) as here:
        path = profile.socket_path(made.place)
        here.bind(str(path))
        path.chmod(mode)
        found = worst(await made.findings(names=("socket",)), "socket")
        assert found.level is level
        assert (found.next == f"chmod 600 {path}") is (level is Level.FAILURE)


async def test_crashes_in_the_log_are_counted_without_what_they_said(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    now = made.ground.now_ms()
    lines = [
        {"level": "error", "timestamp": ground.utc(now - 3 * DAY_MS), "event": "long ago"},
        {"level": "info", "timestamp": ground.utc(now), "event": "up"},
        {
            "level": "error",
            "timestamp": ground.utc(now),
            "event": "call failed",
            "method": "chat.send",
            "fault": "X: y",
        },
        {
            "level": "error",
            "timestamp": ground.utc(now),
            "event": "service crashed",
            "service": "delivery",
            "fault": "OSError: quoted\n  node/x.py:1 f",
        },
    ]
    made.place.log.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "not a line of ours\n[1]\n")
    made.place.log.chmod(0o600)
    (found,) = await made.findings(names=("log",))
    assert found.level is Level.WARNING
    assert found.sentence.startswith("2 errors within a day")
    assert "service crashed (delivery), OSError." in found.sentence
    assert "quoted" not in found.sentence


# --- no check hides another ------------------------------------------------------------------------------------------


class Spoilt(Exception):
    """A mistake of ours."""


FAULTS: list[tuple[Callable[[], Exception], str]] = [
    (Spoilt, "mistake in weft"),
    (AssertionError, "mistake in weft"),
    (lambda: ExceptionGroup("two", [Spoilt()]), "mistake in weft"),
    (lambda: PermissionError(13, "Permission denied", "/x"), "Permission denied (/x)"),
    (ProfileDamaged, "missing or damaged"),
    (lambda: Unavailable("nothing answers"), "nothing answers"),
    (lambda: Malformed("bytes"), "could not be examined"),
    (trio.BrokenResourceError, "closed meanwhile"),
]


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
async def test_a_check_that_fails_leaves_the_others(tmp_path: Path, name: str) -> None:
    made = await patients.make(tmp_path)
    checks = [one for one in CHECKS if one.name not in patients.LONG or one.name == name]
    with log.opened(tmp_path / "node.log", "info"):
        async with made.patient() as subject:
            whole = await rounds.examine(subject, [one for one in checks if one.name != name])
            for make, said in FAULTS:

                async def fail(_: Patient, make: Callable[[], Exception] = make) -> list[Finding]:
                    raise make()

                spoilt = [replace(one, run=fail) if one.name == name else one for one in checks]
                found = await rounds.examine(subject, spoilt)
                (one,) = of(found, name)
                assert one.level in (Level.FAILURE, Level.UNKNOWN)
                assert said in one.sentence
                assert {one.name for one in found} - {name} == {one.name for one in whole}
    assert (tmp_path / "node.log").read_text().count(f'"method": "doctor {name}"') == 3


async def test_a_check_that_hangs_is_given_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def hang(_: Patient) -> list[Finding]:
        await trio.sleep_forever()
        raise AssertionError

    async def well(_: Patient) -> list[Finding]:
        return [findings.ok("well", "Well.")]

    subject = Patient(patients.absent(tmp_path).place, ground.real(), ())
    found = await rounds.examine(
        subject, [Check("hangs", hang), Check("hangs long", hang, is_long=True), Check("well", well)]
    )
    assert [(one.name, one.level) for one in found] == [
        ("hangs", Level.UNKNOWN),
        ("hangs long", Level.UNKNOWN),
        ("well", Level.OK),
    ]
