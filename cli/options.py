"""What all commands have in common: the options they all take, in any place, and how they are loaded.

A command is imported when it is typed; `weft --help` imports none of them. Click builds on subclasses, so those
here are the exception to "no inheritance". Not here: what a command does (cli/commands/).
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import click
from click.shell_completion import CompletionItem

from cli import faults, places
from cli.client import Client
from cli.faults import Failure

_WEFT = re.compile(r"^(?:[A-Z_]+=\S+ )*weft(?= |$)")  # a command of ours, perhaps with its environment before it
_PARTS = (re.compile(r"[;:](?= )| (?=\()"), re.compile(r",(?= )"))  # where a sentence may end before its end
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|m|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "": 1}
COMPLETE_S = 1.0  # a shell's Tab key waits no longer for names

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Form(Enum):
    """How data is written to stdout."""

    TEXT = "text"
    JSON = "json"  # one object
    JSONL = "jsonl"  # one object a line, as they come


@dataclass(slots=True)
class Door:
    """The surroundings of one command: its terminal, and the options that all commands take.

    launcher: the command that starts the node's program, before "_node"; None = this installation's.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    launcher: tuple[str, ...] | None = None
    profile: str = ""
    profile_given: bool = False
    form: Form = Form.TEXT
    quiet: bool = False
    no_input: bool = False

    @property
    def directory(self) -> Path:
        """The profile's directory."""
        name = self.profile if self.profile_given else self.environ.get("WEFT_PROFILE") or "default"
        return places.profile_directory(self.environ, name)

    @property
    def profile_name(self) -> str:
        """The profile's name."""
        return self.directory.name

    @property
    def asks(self) -> bool:
        """Whether a person is there to be asked."""
        return not self.no_input and sys.stdin.isatty() and sys.stderr.isatty()

    def connect(self) -> Client:
        """A connection to the node of this profile. Raises: Failure."""
        return Client(self.directory)

    def typed(self, command: str) -> str:
        """A `weft …` command as it must be typed here, with the profile if one was named."""
        if not self.profile_given or not self.profile or "--profile" in command:
            return command
        return _WEFT.sub(rf"\g<0> --profile {self.profile}", command)


class Lazy(click.Group):
    """A group whose commands are imported when they are typed."""

    places: ClassVar[Mapping[str, tuple[str, str]]] = {}  # name -> ("module:function", help sentence)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in self.places.items()])


class Named(click.Group):
    """`weft profile NAME` beside its sub-commands: a word that is none of them is a contact's name, for `show`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = contact_names(ctx, self.params[0], incomplete)
        return [*(one for one in names if one.value not in self.commands), *super().shell_complete(ctx, incomplete)]


def seconds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """The value of an option that is a length of time. Click's callback for it."""
    return None if value is None else seconds_of(value)


def seconds_of(text: str) -> float:
    """A length of time: 90s, 30m, 24h, 7d; a bare number is seconds. Raises: Failure."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise faults.usage(f"A time is written 90s, 30m, 24h or 7d, not {faults.quoted(text)!r}.")
    return float(found[1]) * _SECONDS[found[2] or ""]


class Said(click.Command):
    """A command that a list of commands shows by the first part of its sentence that fits, not by a cut one."""

    def get_short_help_str(self, limit: int = 45) -> str:
        sentence = " ".join((self.help or "").split("\n\n")[0].split()).partition(". ")[0].rstrip(".") + "."
        if len(sentence) <= limit:
            return sentence
        for ends in _PARTS:
            found = [part.start() for part in ends.finditer(sentence, 0, limit)]
            if found:
                return f"{sentence[: found[-1]]}."
        return super().get_short_help_str(limit)


def command(**settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A click command with the options that all commands take."""

    def make(function: Callable[..., None]) -> click.Command:
        made: click.Command = click.command(**{"cls": Said, **settings})(function)
        made.params.extend(shared())
        return made

    return make


def group(**settings: Any) -> Callable[[Callable[..., None]], click.Group]:
    """A click group with the options that all commands take; it runs by itself when no sub-command is typed."""

    def make(function: Callable[..., None]) -> click.Group:
        made = click.command(cls=click.Group, invoke_without_command=True, **settings)(function)
        made.params.extend(shared())
        return made

    return make


def sub(parent: click.Group, **settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A sub-command of a group."""

    def make(function: Callable[..., None]) -> click.Command:
        made = command(**settings)(function)
        parent.add_command(made)
        return made

    return make


def shared() -> list[click.Parameter]:
    """The options that all commands take, before or after the command's name."""
    return [
        click.Option(
            ["--profile"],
            metavar="NAME",
            expose_value=False,
            callback=_take_profile,
            shell_complete=profile_names,
            help="Which identity of this machine to use. [WEFT_PROFILE, else default]",
        ),
        _flag("--json", lambda door: setattr(door, "form", Form.JSON), "Write one JSON object."),
        _flag("--jsonl", lambda door: setattr(door, "form", Form.JSONL), "Write one JSON object a line."),
        _flag("-q", lambda door: setattr(door, "quiet", True), "Say nothing but data and errors.", "--quiet"),
        _flag("--no-input", lambda door: setattr(door, "no_input", True), "Never ask anything."),
    ]


def completed(method: str, names: Callable[[Any], Iterable[str]]) -> Complete:
    """Completes with the names that the node answers to a method; with nothing when it is down."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            with ctx.ensure_object(Door).connect() as client:
                found = names(client.call(method, within_s=COMPLETE_S))
        except Failure:
            return []
        return _fitting(found, incomplete)

    return complete


def rows_named(rows: list[dict[str, Any]]) -> list[str]:
    """The names of contacts, as one types them."""
    return [str(row["name"]) for row in rows]


contact_names = completed("contacts.list", rows_named)


def profile_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes with the profiles of this machine."""
    home = places.home(ctx.ensure_object(Door).environ)
    return _fitting(sorted(place.name for place in home.glob("*") if places.has_identity(place)), incomplete)


def contact_argument(function: Callable[..., None]) -> Callable[..., None]:
    """The argument NAME: a contact."""
    return click.argument("name", metavar="NAME", shell_complete=contact_names)(function)


def _fitting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())]


def _flag(name: str, take: Callable[[Door], None], sentence: str, *more: str) -> click.Option:
    def callback(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            take(ctx.ensure_object(Door))

    return click.Option([name, *more], is_flag=True, expose_value=False, callback=callback, help=sentence)


def _take_profile(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        door = ctx.ensure_object(Door)
        door.profile, door.profile_given = value, True
