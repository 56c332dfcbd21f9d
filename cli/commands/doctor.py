"""doctor: what is wrong with this device, the node and its contacts, and what to do about it."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import click

from cli import cellar, faults, options, places, show, start
from cli.faults import Failure
from cli.options import Door, Form
from protocol.version import VERSION

WITHIN_S = 90.0  # the node takes about 5 s, at most 40 s for one check that hangs
ALIVE_S = 3.0  # a node that works answers within milliseconds
WAITING = "Examining"
NAME_CHARS_MAX = 24  # names longer than this push their sentence to the right
SENTENCE_CHARS_MIN = 40
_FIELDS = ("name", "level", "sentence", "next")  # for a script; a person is shown a shorter sentence where there is one
_MARKS = {"ok": "✔", "warning": "!", "failure": "✖", "unknown": "?"}
_ABSENT = ("node.down", "profile.empty")  # no node to ask: the examination says so itself,
_SILENT = ("node.silent", "node.gone", "profile.unreadable")  # and these too


@options.command()
@click.pass_obj
def doctor(door: Door) -> None:
    """Examines this device, its node and your contacts, and says what to do."""
    told = _findings(door)
    findings = [{name: row[name] for name in _FIELDS} | {"next": door.typed(row["next"])} for row in told]
    broken = sum(row["level"] == "failure" for row in findings)
    match door.form:
        case Form.JSONL:
            show.rows(door, "findings", findings, "")
        case Form.JSON:
            show.outcome(door, {"findings": findings, "ok": not broken}, "")
        case Form.TEXT:
            width = max((len(row["name"]) for row in findings if len(row["name"]) <= NAME_CHARS_MAX), default=0)
            for row, whole in zip(findings, told, strict=True):
                show.outcome(door, None, _text({**row, "sentence": whole.get("short") or row["sentence"]}, width))
            show.talk(door, _summary(findings, broken))
    click.get_current_context().exit(faults.FAILED if broken else 0)


def _findings(door: Door) -> list[dict[str, Any]]:
    """What a running node says, else what its program finds in the profile, with why the node was not asked."""
    if places.is_keeper(door.directory):
        return _of_keeper(door)
    first: list[dict[str, Any]] = []
    is_down = True
    try:
        with door.connect() as client:
            client.call("node.version", within_s=ALIVE_S, waiting=lambda s: _wait(door, s))
            told = client.call("node.doctor", within_s=WITHIN_S, waiting=lambda s: _wait(door, s), door=VERSION)
        return _rows(told)
    except Failure as failure:
        is_down = failure.code in _ABSENT
        if failure.code not in (*_ABSENT, *_SILENT):
            first.append(_finding("node", failure))
    finally:
        show.passing(door, "")
    passphrase = ""
    if is_down and places.has_identity(door.directory) and not places.has_key_file(door.directory):
        try:
            passphrase = start.passphrase(door, "Passphrase (empty = examine what needs none)")
        except Failure as failure:
            first.append(_finding("passphrase", failure))
    with start.quiet_log(door, "doctor.log") as errors:
        try:
            said = {"passphrase": passphrase, "door": VERSION}
            return first + _rows(start.run_verb(door, "doctor", said, WAITING, errors))
        except Failure as failure:
            return [*first, _finding("program", failure)]


def _of_keeper(door: Door) -> list[dict[str, Any]]:
    """What the keeper of this profile says, behind what the program finds in its files and on the machine."""
    try:
        last = cellar.finding(door)
    except Failure as failure:
        last = _finding("keeper", failure) | {"level": "warning" if failure.code in _ABSENT else "failure"}
    with start.quiet_log(door, "doctor.log") as errors:
        return [*_rows(start.run_verb(door, "doctor", {"passphrase": "", "door": VERSION}, WAITING, errors)), last]


def _rows(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = told["findings"]
    return rows


def _finding(name: str, failure: Failure) -> dict[str, Any]:
    return {"name": name, "level": "failure", "sentence": failure.message, "next": failure.next}


def _wait(door: Door, spent_s: float) -> None:
    show.passing(door, f"{WAITING}… {int(spent_s)} s")


def _text(row: Mapping[str, Any], width: int) -> str:
    """A finding as a person reads it: mark, name, sentence; under it what to type."""
    head = f"{_MARKS.get(row['level'], '?')} {show.clean(row['name']).ljust(width)}  "
    indent = " " * (width + 4)
    sentence = show.clean(row["sentence"])
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    if columns > width + SENTENCE_CHARS_MIN:
        sentence = textwrap.fill(
            head + sentence, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    else:
        sentence = head + sentence
    return f"{sentence}\n{indent}→ {show.clean(row['next'])}" if row["next"] else sentence


def _summary(findings: list[dict[str, Any]], broken: int) -> str:
    warned = sum(row["level"] == "warning" for row in findings)
    unknown = sum(row["level"] == "unknown" for row in findings)
    parts = [
        f"{count} {said}"
        for count, said in ((broken, "to mend"), (warned, "to look at"), (unknown, "not examined"))
        if count
    ]
    mark = "✖" if broken else "!" if parts else "✔"
    return f"{mark} {', '.join(parts)}." if parts else "✔ All is well."
