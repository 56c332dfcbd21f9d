"""Every command of weft with wrong, missing, huge and hostile arguments, against a real node: a sentence and a code.

The commands are found by walking them, so a new one cannot be forgotten. Not here: what other people's names and texts
do on a screen (tests/cli/test_escapes.py).
"""

import json
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from cli import faults
from cli.__main__ import COMMANDS, run
from cli.options import Door
from tests import rules
from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

DOCUMENTED = (0, 1, 2, 3, 4, 5, 6, 7)  # docs/cli.md; 8 is for another version, 130 for Ctrl-C
MESSAGE_CHARS_MAX = 400
HOSTILE = (
    "",
    " ",
    "nobody",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u202egpj.exe",
    "two\nlines",
    "back\rwards",
    "tab\tbell\x07",
    "x" * 100_000,
    "ü" * 100_000,
    "../../etc/passwd",
    "-1",
    "--",
    "0",
    "99999999999999999999",
    "999999w",
    "1e308s",
    "NaN",
    "not text \udcff\udcfe",
    "\U0001f4a5",
    "{}",
    "%s%n$(reboot)`reboot`",
)
SANE = {  # what stands in a place while another one is tried
    "name": "bo",
    "new": "bo",
    "text": "hello",
    "link": "weft:i/AAAA",
    "who": "bo",
    "setting": "log.level",
    "value": "info",
    "shell": "bash",
    "handle": "ana@example.org",
    "file": "/no/such/folder/file",
    "log_name": "trip",
    "contacts": "bo",
    "amount": "1",
    "unit": "EUR",
    "payment": "ABCD",
    "code": "WEFT:P/AAAA",
    "packet_id": "ABCD",
    "bill": "ABCD",
    "names": "bo",
    "kind": "coffee",
    "request": "ABCD",
    "contact": "bo",
    "words": "hello",
    "within": "1",
    "message": "ZZZZ",
    "order": "ZZZZ",
    "thing": "ZZZZ",
    "title": "coffee",
    "message_id": "ZZZZ",
    "file_id": "ZZZZ",
    "mark": "ok",
    "tag": "friends",
    "latitude": "52.52",
    "longitude": "13.405",
    "sticker_name": "wave",
    "pack_name": "Cats",
    "paths": "/no/such/folder/file",
    "folder": "/no/such/folder",
    "moment_id": "abcd",
    "comment_id": "abcd",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


def leaves(
    group: click.Group = COMMANDS, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and sub-command by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))


ALL = dict(leaves())


def parameters(command: click.Command) -> tuple[list[click.Argument], list[click.Option]]:
    """The arguments, and the options that take a value."""
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    return arguments, [one for one in command.params if isinstance(one, click.Option) and not one.is_flag]


def sane(command: click.Command) -> list[str]:
    return [SANE[str(one.name)] for one in parameters(command)[0] if one.required]


def tried(path: tuple[str, ...], command: click.Command) -> Iterator[list[str]]:
    """Command lines with one hostile value each, in every place that takes one."""
    arguments, options = parameters(command)
    for value in HOSTILE:
        for place, argument in enumerate(arguments):
            before = [SANE[str(one.name)] if one.required else "hello" for one in arguments[:place]]
            after = [SANE[str(one.name)] for one in arguments[place + 1 :] if one.required]
            yield [*path, "--", *before, value, *after] if argument.required else [*path, "--", *before, value]
        for option in options:
            yield [*path, *sane(command), f"{option.opts[-1]}={value}"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealNode, RealNode]]:
    with open_pair(tmp_path_factory.mktemp("nodes")) as (ana, bo):
        yield ana, bo


class Shell:
    """Types command lines to ana's node; what starts another program starts nothing."""

    def __init__(self, ana: RealNode) -> None:
        self.ana = ana

    def types(self, *words: str) -> Ran:
        environ = {"WEFT_HOME": str(self.ana.home), "WEFT_PROFILE": "ana", "USER": "ana"}
        door = Door(environ=environ, launcher=(sys.executable, "-c", ""))
        with CliRunner().isolation(input="") as (out, err, _):
            code = run([*words], door)
            return Ran(code, out.getvalue().decode(), err.getvalue().decode())

    def refused(self, *words: str) -> str:
        """The code of the error; everything about its form is checked."""
        told = self.types("--json", "-q", "--no-input", *words)
        assert told.code in DOCUMENTED, words
        answers = [json.loads(line) for line in told.out.splitlines()]
        if told.code == 0 or "findings" in answers[0]:  # the doctor's code says what it found
            return ""
        assert len(answers) == 1, words
        assert told.err == "", words
        error = answers[0]["error"]
        assert set(error) == {"code", "message", "next", "data"}
        said = error["message"]
        assert rules.is_sentence(said[:1].upper() + said[1:]), said  # it may begin with somebody's name
        assert len(error["message"]) <= MESSAGE_CHARS_MAX, words
        assert error["code"] not in ("internal", "call.params", "rpc"), error["message"]
        self.looks_right(self.types("-q", "--no-input", *words), told.code)
        return str(error["code"])

    def looks_right(self, shown: Ran, code: int) -> None:
        assert shown.code == code
        assert shown.out == ""
        assert shown.err.strip()
        assert shown.err.count("\n") == 1
        assert "Traceback" not in shown.err
        assert hostile_characters(shown.err) == ""


@pytest.fixture(scope="module")
def shell(pair: tuple[RealNode, RealNode], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    pair[0].call("logs.begin", name="trip", readers=["bo"])
    with chdir(tmp_path_factory.mktemp("here")):  # where files of hostile names are written
        yield Shell(pair[0])


def hostile_characters(text: str) -> str:
    """What moves a cursor, rings a bell or turns a line around, in what was written."""
    return "".join(one for one in text if (unicodedata.category(one) in ("Cc", "Cf", "Cs") and one != "\n"))


BY_WORDS = pytest.mark.parametrize("path", ALL, ids=" ".join)


@BY_WORDS
def test_what_no_command_takes_is_a_usage_error(shell: Shell, path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert shell.refused(*path, "--frobnicate") == "usage"
    meant = command.get_command(click.Context(command), "more") if isinstance(command, click.Group) else None
    if not any(one.nargs == -1 for one in parameters(meant or command)[0]):
        assert shell.refused(*path, *sane(command), *["more"] * 20) == "usage"
    for flag in (one for one in command.params if isinstance(one, click.Option) and one.is_flag):
        assert shell.refused(*path, *sane(command), f"{flag.opts[-1]}=value") == "usage"
    if any(one.required for one in parameters(command)[0]):
        assert shell.refused(*path) == "usage"
        assert shell.types(*path).code == faults.USAGE
    for option in parameters(command)[1]:
        assert shell.refused(*path, *sane(command), option.opts[-1]) == "usage"


@BY_WORDS
def test_a_hostile_value_gets_a_sentence_and_a_code(shell: Shell, path: tuple[str, ...]) -> None:
    for words in tried(path, ALL[path]):
        code = shell.refused(*words)
        if "\udcff" in "".join(words):
            assert code == "usage", words
        for one in shell.ana.call("contacts.list"):
            if one["name"] != "bo":
                shell.ana.call("contacts.rename", name=one["name"], new="bo")
        for one in shell.ana.call("profile.marks"):
            shell.ana.call("profile.remark", name="bo", text="")
            for tag in one["tags"]:
                shell.ana.call("profile.untag", name="bo", tag=tag)
    assert shell.ana.call("node.status")["pid"] == shell.ana.program.pid  # type: ignore[union-attr]


def test_a_name_that_nobody_has_is_code_5(shell: Shell) -> None:
    named = [path for path, command in ALL.items() if "name" in {one.name for one in parameters(command)[0]}]
    assert len(named) >= 10
    for path in named:
        arguments = [one for one in parameters(ALL[path])[0] if one.required or one.name == "name"]
        told = ["nobody" if one.name == "name" else SANE[str(one.name)] for one in arguments]
        words = [
            *path,
            *told,
            *{("send",): ["hello"], ("ledger", "reset"): ["--even"], ("card",): ["--to=bo"]}.get(path, []),
        ]
        assert shell.refused(*words) == "contact.unknown", words
        assert shell.types(*words).code == faults.UNKNOWN_NAME


@pytest.mark.parametrize(
    "words", [("frobnicate",), ("",), ("\x1b[31m",), ("--frobnicate",), ("contacts", "x"), ("-1",)]
)
def test_what_is_no_command_is_a_usage_error(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.refused(*words) == "usage"
