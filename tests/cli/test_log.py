"""log verify: what it says of a file of evidence, to a person and to a script, and how it ends. No node runs here."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli import show
from protocol import entry, ids, log_file, wire
from protocol.entry import Entry, Kind
from protocol.log_file import Claimed, Item, Shown
from tests.cli import fake
from tests.cli.test_escapes import EVIL, steering
from tests.protocol import chains, handed
from tests.protocol.chains import ANA, BO

GOOD = handed.handed()
ACCOUNT = ids.AccountId(handed.ACCOUNT.public)
KEY = ANA.public.hex()
CHAIN = chains.chain(3)
AT = show.clock(chains.AT_MS)


def verify(tmp_path: Path, items: tuple[Item, ...] | bytes, *words: str) -> fake.Ran:
    file = tmp_path / "ana.log"
    file.write_bytes(items if isinstance(items, bytes) else handed.file_of(items))
    return fake.stopped(tmp_path).weft_now("log", "verify", str(file), *words)


def notes(*texts: str, kind: int = handed.NOTE_KIND) -> tuple[Item, ...]:
    """A log of public entries that say this."""
    found: list[Item] = []
    prev: Entry | None = None
    for seq, text in enumerate(texts):
        content = wire.encode((kind, text))
        body = chains.body(seq, prev.id if prev else None, kind=Kind.PUBLIC, content=content)
        prev = entry.write(body, ANA)
        found += [Claimed(prev), Shown(content, None)]
    return tuple(found)


def test_a_good_file_is_told_in_plain_words(tmp_path: Path) -> None:
    ran = verify(tmp_path, GOOD.items[:-3])
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"  0 of 5b216148, {AT}: first",
        f"  2 of 5b216148, {AT}: public",
        f"Log 5b216148 of the device {KEY}",
        "  entries 0 to 3: chain whole; 4 signatures good",
        "  3 contents as signed, 1 opened with a key",
        "  a spine commits to 1 head of it, the newest is 3",
        "  1 cosignature good",
        f"    by {BO.public.hex()}, {AT}",
        f"Log {GOOD.header.body.log.hex()[:8]} of the device {KEY}",
        "  entry 0: chain whole; 1 signature good",
        "  1 content as signed, 0 opened with a key",
        "  2 cosignatures good",
        f"    by {BO.public.hex()}, {AT}",
        f"    by {KEY}, {AT}",
        f"The account {ids.account_text(ACCOUNT)} says that the device {KEY} is its own",
        "✔ Good: every check of this file held.",
    ]


def test_a_script_is_told_all_of_it(tmp_path: Path) -> None:
    for form in ("--json", "--jsonl"):
        ran = verify(tmp_path, GOOD.raw, form)
        assert (ran.code, ran.err, ran.out.count("\n")) == (0, "", 1)
        told = ran.json
        assert told["devices"] == [{"device": KEY, "account": ACCOUNT.hex()}]
        first, second = told["logs"]
        assert first == {
            "author": KEY,
            "log": chains.LOG.hex(),
            "first": 0,
            "last": 3,
            "head": GOOD.notes[3].id.hex(),
            "chain": "whole",
            "gaps": 0,
            "signatures": 4,
            "contents": 3,
            "opened": 1,
            "covered": 1,
            "covered_seq": 3,
            "cosigned": 1,
            "unproven": 0,
            "witnesses": [{"witness": BO.public.hex(), "time_ms": chains.AT_MS + 1}],
        }
        assert (second["log"], second["cosigned"]) == (GOOD.header.body.log.hex(), 2)
        where = {"author": KEY, "log": chains.LOG.hex(), "at_ms": chains.AT_MS}
        assert told["notes"] == [{**where, "seq": 0, "text": "first"}, {**where, "seq": 2, "text": "public"}]
        assert (told["good"], told["notes_count"], told["wrong"], told["wrong_count"]) == (True, 2, [], 0)
        assert [one["proof"] for one in told["proofs"]] == ["fork", "contradiction", "rollback"]


def test_proofs_that_hold_are_told(tmp_path: Path) -> None:
    ran = verify(tmp_path, GOOD.items[-3:])
    assert ran.code == 0
    proven = [line for line in ran.out.splitlines() if line.startswith("! A proof holds (byte ")]
    assert ["two entries for one place" in line for line in proven] == [True, False, False]
    assert ["contradicts its own spine" in line for line in proven] == [False, True, True]


@pytest.mark.parametrize(
    ("items", "chain", "sentence"),
    [
        ((*map(Claimed, CHAIN[1:]),), "part", "entries 1 to 2: chain whole from 1 on, what was before is not here"),
        ((Claimed(CHAIN[0]), Claimed(CHAIN[2])), "gaps", "entries 0 to 2: with 1 gap, chain whole between them"),
        ((*map(Claimed, CHAIN), Claimed(CHAIN[0])), "broken", "entries 0 to 2: the chain is broken; 4 signatures"),
    ],
)
def test_what_is_missing_of_a_chain_is_told(tmp_path: Path, items: tuple[Item, ...], chain: str, sentence: str) -> None:
    assert sentence in verify(tmp_path, items).out
    assert verify(tmp_path, items, "--json").json["logs"][0]["chain"] == chain


# --- what is not good is code 7


def test_what_is_wrong_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = Claimed(chains.unsigned(CHAIN[1]))
    items = (Claimed(CHAIN[0]), bad, *notes("still read")[:2])
    at = len(handed.bytes_of(items[0]))
    ran = verify(tmp_path, items)
    assert ran.code == 7
    assert f"✖ entry 1 of 5b216148, byte {at}: its author did not sign it\n" in ran.out
    assert "still read" in ran.out
    assert ran.out.endswith("✖ Not good: 2 things wrong.\n")
    told = verify(tmp_path, items, "--json")
    assert (told.code, told.json["good"], told.json["wrong_count"]) == (7, False, 2)
    assert told.json["wrong"][0] == {"offset": at, "wrong": "signature", "log": chains.LOG.hex(), "seq": 1}


def test_a_file_that_breaks_off_is_not_good(tmp_path: Path) -> None:
    whole = handed.file_of(map(Claimed, CHAIN[:2]))
    for more in (handed.bytes_of(Claimed(CHAIN[2]))[:-1], b"and more"):
        ran = verify(tmp_path, whole + more)
        assert (ran.code, f"✖ byte {len(whole)}: from here on it is no evidence" in ran.out) == (7, True)
        assert "entries 0 to 1: chain whole; 2 signatures good" in ran.out


def test_many_things_that_are_wrong_are_told_in_twenty_lines(tmp_path: Path) -> None:
    items = (Claimed(CHAIN[0]),) * 30
    ran = verify(tmp_path, items)
    assert ran.out.count("✖ entry 0") == 20
    assert "✖ and 9 more things that are wrong\n✖ Not good: 29 things wrong.\n" in ran.out
    assert len(verify(tmp_path, items, "--json").json["wrong"]) == 29
    assert "! and 10 more proofs that hold\n" in verify(tmp_path, (GOOD.items[-3],) * 30).out


def test_another_author_than_the_one_named_is_code_7(tmp_path: Path) -> None:
    assert verify(tmp_path, GOOD.raw, "--author", KEY).code == 0
    assert verify(tmp_path, GOOD.raw, "--author", KEY.upper()).code == 0
    ran = verify(tmp_path, GOOD.raw, "--author", BO.public.hex())
    assert (ran.code, ran.out.count("it was signed by another device")) == (7, 5)


@pytest.mark.parametrize("key", ["", "ana", KEY[:-1], KEY + "0", "x" * 64, f"{KEY[:32]} {KEY[32:]}", f"{KEY[:62]}  "])
def test_a_key_that_is_none_is_code_2(tmp_path: Path, key: str) -> None:
    ran = verify(tmp_path, GOOD.raw, "--author", key)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("The key of a device is 64 hex digits, not ")
    assert ran.err.endswith("See: weft log verify --help\n")


# --- no file of evidence


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"Dear Bo,", "it does not begin with an entry or a proof"),
        (CHAIN[0].raw, "it does not begin with an entry or a proof"),
        (log_file.entry(CHAIN[0].raw)[:100], "it ends inside its first entry"),
    ],
)
def test_a_file_of_something_else_is_code_1(tmp_path: Path, raw: bytes, why: str) -> None:
    ran = verify(tmp_path, raw)
    assert (ran.code, ran.out, f"holds no entries of a log: {why}. See: weft log verify" in ran.err) == (1, "", True)
    assert verify(tmp_path, raw, "--json").json["error"]["code"] == "log.foreign"


def test_a_file_that_cannot_be_read_is_code_5(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    for file, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        ran = world.weft_now("log", "verify", str(file))
        assert (ran.code, ran.out, why in ran.err) == (5, "", True)
        assert ran.err.endswith("Name another: weft log verify FILE\n")
        assert world.weft_now("log", "verify", str(file), "--json").json["error"]["code"] == "log.unreadable"


def test_a_dash_is_stdin(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    ran = world.weft_now("log", "verify", "-", stdin=GOOD.raw)
    assert (ran.code, ran.out) == (0, verify(tmp_path, GOOD.raw).out)
    assert not world.directory.exists()
    assert world.weft_now("log", "verify", "-").code == 1


def test_a_line_without_a_file_is_code_2(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    assert world.weft_now("log", "verify").code == 2
    assert world.weft_now("log").code == 3  # without a word it lists, and no node runs


# --- notes


def test_more_than_twenty_notes_are_shown_when_asked_for(tmp_path: Path) -> None:
    few, many = notes(*map(str, range(20))), notes(*map(str, range(21)))
    assert len(verify(tmp_path, few, "--json").json["notes"]) == 20
    ran = verify(tmp_path, many)
    assert ran.out.startswith("Log ")
    assert ran.err == "  It holds 21 notes; to read them: weft log verify --text FILE\n"
    told = verify(tmp_path, many, "--json").json
    assert (told["notes"], told["notes_count"]) == ([], 21)
    assert len(verify(tmp_path, many, "--json", "--text").json["notes"]) == 21
    *rows, last = verify(tmp_path, many, "--jsonl", "--text").lines
    assert [row["text"] for row in rows] == [str(n) for n in range(21)]
    assert (last["good"], last["notes"]) == (True, [])
    ran = verify(tmp_path, many, "--text")
    assert (ran.err, len(re.findall(r"^  \d+ of 5b216148, .*: \d+$", ran.out, re.MULTILINE))) == ("", 21)


def test_what_is_no_note_is_not_shown(tmp_path: Path) -> None:
    told: Any = verify(tmp_path, notes("a payment", kind=handed.NOTE_KIND + 1), "--json").json
    assert (told["good"], told["notes_count"], told["logs"][0]["contents"]) == (True, 0, 1)


@pytest.mark.parametrize("form", ["", "--json", "--jsonl", "--text"])
def test_a_note_steers_no_terminal_and_is_not_taken_for_a_verdict(tmp_path: Path, form: str) -> None:
    said = f"{EVIL}\n✔ Good: every check of this file held.\r\nLog 00000000 of the device"
    ran = verify(tmp_path, (*notes(said), Claimed(CHAIN[0])), *([form] if form else []))
    assert ran.code == 7
    assert steering(ran.out) == steering(ran.err) == []
    if not form.startswith("--json"):
        assert [line[0] for line in ran.out.splitlines()] == [" ", " ", " ", "L", " ", " ", "✖", "✖"]


def test_a_name_of_a_file_steers_no_terminal(tmp_path: Path) -> None:
    for words in ((f"/none{EVIL}".replace("\x00", ""),), ("/none", "--author", EVIL.replace("\x00", ""))):
        ran = fake.stopped(tmp_path).weft_now("log", "verify", *words)
        assert (ran.out, steering(ran.err)) == ("", [])
