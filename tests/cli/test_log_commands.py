"""log list, show, new, write, reopen, trust, proofs, export: what is asked of the node, said, written, and refused.

Not here: log verify, which asks no node (tests/cli/test_log.py).
"""

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

from cli import show
from cli.__main__ import run
from cli.faults import quoted
from tests.cli import fake
from tests.cli.logs_room import line, shown
from tests.cli.test_escapes import EVIL, steering

AT_MS = 1_790_000_000_000
AT = show.clock(AT_MS)
ID = "2c23cf8558d7d8b8caa34ddfdbed6a35"
DEVICE = "ee" * 32
PROOF = {
    "log": "cd" * 16,
    "name": "Bo/trip",
    "author": "ab" * 32,
    "at_ms": AT_MS,
    "kind": "fork",
    "says": "Bo has signed two entries that both claim to be number 4 of this log.",
    "places": [4],
    "proof": "83014100",
}
TROUBLE = {"log": ID, "name": "trip", "says": "This device had been set back.", "at_ms": AT_MS}
DOUBT = {"author": "Bo Li", "log": "cd" * 16}
COMMANDS = (
    ("log",),
    ("log", "list"),
    ("log", "list", "--all"),
    ("log", "show", "trip"),
    ("log", "new", "trip", "--for", "bo"),
    ("log", "write", "trip", "hi"),
    ("log", "write", "trip", "-"),
    ("log", "reopen", "trip"),
    ("log", "trust", "bo"),
    ("log", "proofs"),
    ("log", "export", "trip", "FILE"),
    ("log", "export", "trip", "-"),
)


def files(folder: Path) -> list[str]:
    return sorted(
        one.name for one in folder.iterdir() if one.name not in ("home", "weft.db", "weft.db-wal", "weft.db-shm")
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("form", ["", "--json"])
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    typed = [str(tmp_path / word) if word == "FILE" else word for word in words]
    ran = world.weft_now(*typed, *([form] if form else []))
    assert ran.code == 3
    if form:
        assert ran.json["error"]["code"] == "node.down"
    else:
        assert (ran.out, ran.err) == ("", "Node is not running. Start it: weft up\n")
    assert files(tmp_path) == []


# --- list


async def test_who_has_no_log_is_told_how_to_begin_one(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for words in (("log",), ("log", "list")):
            ran = await world.weft(*words)
            said = "No logs yet. Begin one that some contacts read: weft log new NAME --for CONTACT\n"
            assert (ran.code, ran.out, ran.err) == (0, said, "")
        assert (await world.weft("log", "--json")).json == {"logs": []}
        assert (await world.weft("log", "--jsonl")).out == ""


STATES = (
    (shown("a"), "3", "all is with Bo"),
    (shown("a", readers=[["Bo", 3], ["Cy", 3], ["Dee", 2]]), "3", "all is with Bo, Cy"),
    (shown("a", readers=[["Bo", 0]], entries=0, published=0), "0", "for Bo"),
    (shown("a", readers=[], anchor=""), "3", "for nobody"),
    (shown("a", readers=[["Bo", 2]], published=2, waits_for="Bo"), "3", "1 waits for Bo"),
    (shown("a", readers=[["Bo", 0]], entries=4000, published=0, waits_for="Bo"), "4,000", "4,000 wait for Bo"),
    (
        shown("a", readers=[["Bo", 2]], published=2, waits_for="Bo", kept=1, kept_by="kept by Chen until 22 Dec"),
        "3",
        "1 waits for Bo, kept by Chen until 22 Dec",
    ),
    (
        shown("a", readers=[["Bo", 2]], published=1, waits_for="Bo", kept=1, kept_by="kept by Chen until 22 Dec"),
        "3",
        "2 wait for Bo, 1 of them kept by Chen until 22 Dec",
    ),
    (
        shown("a", readers=[["Bo", 1], ["Cy", 3]], published=1, waits_for="Bo"),
        "3",
        "2 wait for Bo; all is with Cy",
    ),
    (shown("Bo/a", author="Bo", readers=[]), "3", "by Bo"),
    (shown("Bo/a", author="Bo", readers=[], progress=[12_000, 100_000]), "12,000 of 100,000", "the rest is coming"),
    (
        shown("Bo/a", author="Bo", readers=[], state="frozen"),
        "3",
        "✖ frozen, its author signed two histories: weft log proofs",
    ),
)


@pytest.mark.parametrize(("row", "entries", "state"), STATES, ids=[state for _, _, state in STATES])
async def test_a_log_stands_in_one_line(tmp_path: Path, row: dict[str, Any], entries: str, state: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.rows.append(row)
        ran = await world.weft("log")
        heads, found = ran.out.splitlines()
        assert heads.split() == ["Log", "Id", "Entries", "State"]
        assert found.split(None, 2)[:2] == [row["name"], ID[:8]]
        assert found.split(None, 2)[2].split("  ")[0] == entries
        assert found.endswith(f"  {state}")
        assert (await world.weft("log", "--json")).json == {"logs": [row]}


async def test_spines_feeds_and_what_is_over_are_listed_when_all_is_asked_for(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        more = [shown("spine", role="spine"), shown("moments", role="feed")]
        rows = [shown("trip"), shown("trip", state="over"), *more]
        world.logs.rows.extend(rows)
        assert (await world.weft("log", "list", "--jsonl")).lines == [rows[0]]
        ran = await world.weft("log", "list", "--all")
        assert len(ran.out.splitlines()) == 5
        assert "over, nothing is added to it" in ran.out
        assert (await world.weft("log", "list", "--all", "--jsonl")).lines == rows


# --- show


async def test_a_log_is_shown_with_its_entries(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.rows.append(shown("trip", previous="cd" * 16))
        world.logs.entries.extend(
            [
                line(0, "tickets: 40"),
                line(1, "two\nlines"),
                line(2, kind="sealed", content="awaited"),
                line(3, kind="sealed", content="deleted"),
                line(4, kind="sealed"),
                line(5, kind="spine", size=1, cosigned=["Bo", "Cy"]),
                line(6, kind="spine", size=2),
                line(7, kind="spine", content="awaited"),
                line(8, kind="moment"),
                line(9, kind="moment", content="deleted"),
            ]
        )
        ran = await world.weft("log", "show", "trip")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            f"trip   by you   id {ID}",
            f"Device {DEVICE}",
            "Entries: 3   all is with Bo",
            "Readers: Bo   Bo gets each entry first",
            f"Goes on from {'cd' * 16}",
            f"     0  {AT}  tickets: 40",
            f"     1  {AT}  two",
            "        lines",
            f"     2  {AT}  (not here yet)",
            f"     3  {AT}  (deleted)",
            f"     4  {AT}  (sealed for others, or by a newer weft)",
            f"     5  {AT}  spine over 1 log; seen by Bo, Cy",
            f"     6  {AT}  spine over 2 logs",
            f"     7  {AT}  spine",
            f"     8  {AT}  (a moment, sealed)",
            f"     9  {AT}  (deleted)",
        ]
        assert world.logs.asked == [("show", "trip", 20, None)]


async def test_a_contacts_log_has_no_readers_to_be_told(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.rows.append(shown("Bo/trip", author="Bo", readers=[]))
        ran = await world.weft("log", "show", "Bo/trip")
        assert ran.out.splitlines() == [f"Bo/trip   by Bo   id {ID}", f"Device {DEVICE}", "Entries: 3   by Bo"]


async def test_a_script_gets_a_log_whole_or_its_entries_line_by_line(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.rows.append(shown("trip"))
        world.logs.entries.extend([line(0, "one"), line(1, "two")])
        ran = await world.weft("log", "show", "trip", "--limit", "2", "--after", "40", "--json")
        assert ran.json == {"log": world.logs.rows[0], "entries": world.logs.entries}
        ran = await world.weft("log", "show", "trip", "--limit", "0", "--jsonl")
        assert ran.lines == world.logs.entries
        assert world.logs.asked == [("show", "trip", 2, 40), ("show", "trip", 0, None)]
        for limit in ("1001", "-1", "many"):
            ran = await world.weft("log", "show", "trip", "--limit", limit)
            assert (ran.code, ran.out, "--limit" in ran.err) == (2, "", True)
        assert len(world.logs.asked) == 2


async def test_a_note_is_never_taken_for_an_entry(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.rows.append(shown("trip"))
        world.logs.entries.append(line(0, f"hi\n     1  {AT}  I owe you 100"))
        ran = await world.weft("log", "show", "trip")
        assert [said for said in ran.out.splitlines() if said.lstrip().startswith("1 ")] == [
            f"             1  {AT}  I owe you 100"
        ]


# --- new, write, reopen, trust


async def test_a_log_is_begun(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Cy") as world:
        ran = await world.weft("log", "new", "our trip", "--for", " Bo, Cy,,", "--anchor", "Bo")
        assert (ran.code, ran.out) == (0, "✔ our trip is a log for Bo, Cy; Bo gets each entry first.\n")
        assert ran.err == "  Next: weft log write 'our trip' TEXT\n"
        ran = await world.weft("--profile", "default", "log", "new", "trip", "--for", "Bo", "--json")
        assert ran.json == shown("trip", readers=[["Bo", 0]], anchor="Bo")
        assert ran.err == "  Next: weft --profile default log write trip TEXT\n"
        assert (await world.weft("log", "new", "trip", "--for", "Bo", "-q")).err == ""
        asked = [("begin", "our trip", ("Bo", "Cy"), "Bo"), ("begin", "trip", ("Bo",), None)]
        assert world.logs.asked[:2] == asked
        ran = await world.weft("log", "new", "trip")
        assert (ran.code, "--for" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("typed", "stdin", "said"),
    [
        (("40 for the tickets",), "", "40 for the tickets"),
        (("-",), "line\nline\n", "line\nline"),
        ((), "crlf\r\n", "crlf"),
        ((), "two ends\n\n", "two ends\n"),
        (("--", "-x"), "", "-x"),
    ],
)
async def test_a_note_is_signed(tmp_path: Path, typed: tuple[str, ...], stdin: str, said: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("log", "write", "trip", *typed, stdin=stdin)
        assert (ran.code, ran.out) == (0, "✔ Signed as number 7; all readers get it once Bo has it.\n")
        assert world.logs.asked == [("write", "trip", said)]


async def test_a_note_that_waits_for_nobody(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.waits_for = ""
        assert (await world.weft("log", "write", "trip", "hi")).out == "✔ Signed as number 7.\n"
        ran = await world.weft("log", "write", "trip", "hi", "--jsonl")
        assert ran.json == {"id": "ab" * 32, "seq": 7, "log": "cd" * 16, "waits_for": ""}


@pytest.mark.parametrize(
    ("stdin", "why"),
    [("", "There is no text, so nothing was signed."), (b"\xff\xfe", "What stands on stdin is not text in UTF-8")],
)
async def test_what_is_no_text_is_not_signed(tmp_path: Path, stdin: str | bytes, why: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("log", "write", "trip", stdin=stdin)
        assert (ran.code, ran.out, why in ran.err) == (2, "", True)
        assert world.logs.asked == []


@pytest.mark.parametrize("letter", ["x", "é", "語"])
async def test_a_text_that_is_too_long_reaches_the_node_too_long(tmp_path: Path, letter: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for words in (("log", "write", "trip"), ("send", "Bo")):
            ran = await world.weft(*words, stdin=letter * 20_000)
            assert "UTF-8" not in ran.err
        ((_, _, said),) = world.logs.asked
        assert len(str(said).encode()) > 16 << 10


async def test_a_log_goes_on_without_its_anchor(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Cy") as world:
        ran = await world.weft("log", "reopen", "trip")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == "✔ trip goes on in a new log (2c23cf85); Cy gets each entry first.\n"
        ran = await world.weft("log", "reopen", "trip", "--anchor", "Bo", "--json")
        assert ran.json == shown("trip", anchor="Bo")
        assert world.logs.asked == [("reopen", "trip", None), ("reopen", "trip", "Bo")]


async def test_a_new_spine_is_accepted(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("log", "trust", "Bo")
        assert (ran.code, ran.out, ran.err) == (0, "✔ The new spine of Bo counts from now on.\n", "")
        assert (await world.weft("log", "trust", "Bo", "--json")).json == {"name": "Bo", "log": "cd" * 16}


# --- proofs


async def test_what_was_proven_and_what_happened_is_told(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo Li") as world:
        ran = await world.weft("log", "proofs")
        well = "Nothing was proven against anybody, and your own logs are well.\n"
        assert (ran.code, ran.out, ran.err) == (0, well, "")
        world.logs.told = {"proofs": [PROOF], "troubles": [TROUBLE], "doubts": [DOUBT]}
        ran = await world.weft("--profile", "default", "log", "proofs")
        assert ran.out.splitlines() == [
            f"✖ {AT}  Bo/trip: Bo has signed two entries that both claim to be number 4 of this log.",
            f"! {AT}  trip: This device had been set back.",
            "! Bo Li's device has begun a new spine that does not follow the one you had seen; ask why,",
            "  and if it is well: weft --profile default log trust 'Bo Li'",
        ]
        for form in ("--json", "--jsonl"):
            assert (await world.weft("log", "proofs", form)).json == world.logs.told


async def test_proofs_are_written_for_others_once_there_are_some(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        file = tmp_path / "proofs"
        ran = await world.weft("log", "proofs", "--file", str(file))
        assert ran.code == 0
        assert ran.err == f"Without a proof there is nothing to write; {file} was not touched.\n"
        assert files(tmp_path) == []
        world.logs.told["proofs"] = [PROOF, {**PROOF, "proof": "8504"}]
        ran = await world.weft("log", "proofs", "--file", str(file))
        assert ran.err == f"  Written: {file}. Anybody can examine it: weft log verify {file}\n"
        assert file.read_bytes().hex() == "830141008504"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        ran = await world.weft("log", "proofs", "--file", str(file), "--json")
        assert (ran.code, ran.json["error"]["code"]) == (1, "file.exists")
        assert ran.json["error"]["next"] == "weft log proofs --file FILE --force"
        world.logs.told["proofs"] = [PROOF]
        assert (await world.weft("log", "proofs", "--file", str(file), "--force", "-q")).err == ""
        assert file.read_bytes().hex() == PROOF["proof"]
        assert files(tmp_path) == ["proofs"]


# --- export


async def test_evidence_is_written_to_a_file_of_ones_own(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"one", b"two", b"three"]
        file = tmp_path / "trip log"
        before = os.umask(0)
        try:
            ran = await world.weft("log", "export", "trip", str(file), "--from", "0", "--to", "9")
        finally:
            os.umask(before)
        assert (ran.code, ran.out) == (0, f"✔ Written: {file} (11 bytes)\n")
        assert ran.err.splitlines() == [
            "! Whoever gets the file can read what was said; --sealed leaves the keys out.",
            f"  Anybody can examine it, without a node: weft log verify '{file}'",
        ]
        assert file.read_bytes() == b"onetwothree"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert world.logs.asked == [("export", "trip", at, 9, True) for at in range(3)]
        world.logs.has_keys = False  # of a feed
        ran = await world.weft("log", "export", "bo/moments", str(file), "--force")
        assert ran.err.splitlines() == [f"  Anybody can examine it, without a node: weft log verify '{file}'"]


async def test_sealed_evidence_is_asked_for_without_keys(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"one", b"two"]
        file = tmp_path / "trip"
        ran = await world.weft("log", "export", "trip", str(file), "--from", "1", "--sealed", "--json")
        assert ran.json == {"file": str(file), "bytes": 3}
        assert "can read" not in ran.err
        assert world.logs.asked == [("export", "trip", 1, None, False)]


async def test_a_file_that_is_there_stays_unless_it_is_forced(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"new"]
        file = tmp_path / "trip"
        file.write_bytes(b"old")
        ran = await world.weft("log", "export", "trip", str(file))
        said = f"There is a file {quoted(str(file))} already; it was left as it is."
        again = "Write over it: weft log export LOG FILE --force"
        assert (ran.code, ran.out, ran.err) == (1, "", f"{said} {again}\n")
        assert (file.read_bytes(), world.logs.asked) == (b"old", [])
        assert (await world.weft("log", "export", "trip", str(file), "--force")).code == 0
        assert file.read_bytes() == b"new"
        nowhere = tmp_path / "link"
        nowhere.symlink_to(tmp_path / "elsewhere")
        assert (await world.weft("log", "export", "trip", str(nowhere))).code == 1
        assert files(tmp_path) == ["link", "trip"]


@pytest.mark.parametrize("place", ["missing/trip", "file/trip", "x" * 300, "folder"])
async def test_what_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path, place: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"one"]
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "folder").mkdir()
        for words in (("log", "export", "trip"), ("log", "proofs", "--file")):
            world.logs.told["proofs"] = [PROOF]
            ran = await world.weft(*words, str(tmp_path / place), "--force", "--json")
            error = ran.json["error"]
            assert (ran.code, error["code"]) == (1, "file.unwritable")
            assert error["message"].endswith("nothing was changed.")
        assert files(tmp_path) == ["file", "folder"]
        assert files(tmp_path / "folder") == []


async def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"one", b"two"]
        world.logs.fails_at = 1
        for file in (tmp_path / "new", tmp_path / "old"):
            if file.name == "old":
                file.write_bytes(b"what was there")
            ran = await world.weft("log", "export", "trip", str(file), "--force")
            assert (ran.code, "There are no entries here from that one on" in ran.err) == (5, True)
        assert files(tmp_path) == ["old"]
        assert (tmp_path / "old").read_bytes() == b"what was there"


async def test_evidence_goes_to_stdout_as_it_is(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"\xd2\x84", b"\x00\xc3\xa9"]

        def to_stdout() -> bytes:
            with CliRunner().isolation() as (out, _, _):
                assert run(["log", "export", "trip", "-"], world.door) == 0
                return out.getvalue()

        assert await trio.to_thread.run_sync(to_stdout) == b"\xd2\x84\x00\xc3\xa9"
        assert files(tmp_path) == []


async def test_nothing_is_between_a_later_and_an_earlier_entry(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.pages = [b"one"]
        file = tmp_path / "trip"
        for words in (("--from", "5", "--to", "3"), ("--from", "-1"), ("--to", "x")):
            ran = await world.weft("log", "export", "trip", str(file), *words)
            assert (ran.code, ran.out) == (2, "")
        assert world.logs.asked == []
        assert files(tmp_path) == []


# --- what others call things


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize(
    "words",
    [
        ("log", "list", "--all"),
        ("log", "show", f"Bo{EVIL}/trip"),
        ("log", "new", EVIL, "--for", EVIL),
        ("log", "write", EVIL, "hi"),
        ("log", "reopen", EVIL),
        ("log", "trust", f"Bo{EVIL}"),
        ("log", "proofs"),
        ("log", "export", EVIL, "/nowhere/\x1b[2J"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
async def test_names_and_notes_steer_no_terminal(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        name = f"Bo{EVIL}"
        world.logs.rows.extend(
            [
                shown(f"{name}/trip", author=name, anchor=name, readers=[]),
                shown(EVIL, anchor=name, waits_for=name, published=1, readers=[[name, 3]]),
                shown(EVIL, role="spine", readers=[[name, 0]], previous="cd" * 16),
            ]
        )
        world.logs.entries.extend([line(0, EVIL), line(1, kind="spine", size=1, cosigned=[name])])
        world.logs.told = {
            "proofs": [{**PROOF, "name": name, "says": name}],
            "troubles": [{**TROUBLE, "name": name}],
            "doubts": [{**DOUBT, "author": name}],
        }
        world.logs.waits_for, world.logs.pages = name, [b""]
        ran = await world.weft(*words, *([form] if form else []))
        assert ran.out + ran.err
        assert steering(ran.out) == []
        assert steering(ran.err) == []


async def test_the_time_of_an_entry_is_its_authors(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.logs.rows.append(shown("trip"))
        world.logs.entries.append(line(0, "late", at_ms=(1 << 48) - 1))
        ran = await world.weft("log", "show", "trip")
        assert time.strftime("%Y", time.localtime(((1 << 48) - 1) / 1000)) in ran.out
