"""For whom a moment is, as it is typed: --to all|private|TAG,NAME…, or --except TAG,NAME…."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from cli import faults, options

F = TypeVar("F", bound=Callable[..., Any])
_ALONE = ("all", "private")  # what stands for everybody and for nobody


def asked(it: str) -> Callable[[F], F]:
    """The options --to and --except of a command, which reads what they say with `read`. it: what is seen."""

    def with_options(command: F) -> F:
        to = click.option(
            "--to",
            multiple=True,
            metavar="all|private|TAG,NAME…",
            shell_complete=names,
            help=f"Who sees {it}: all contacts, you alone, or these tags and contacts as they are now. [all]",
        )
        excepted = click.option(
            "--except",
            "excepted",
            multiple=True,
            metavar="TAG,NAME…",
            shell_complete=names,
            help=f"All contacts see {it} but these.",
        )
        return to(excepted(command))

    return with_options


def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes TAG,NAME… behind its last comma with tags and contacts."""
    before, comma, typed = incomplete.rpartition(",")
    tags = options.completed("profile.tags", lambda rows: [str(row["tag"]) for row in rows])(ctx, param, typed)
    contacts = options.contact_names(ctx, param, typed)
    alone = [CompletionItem(one) for one in _ALONE if one.startswith(typed.lower()) and not comma]
    values = dict.fromkeys(str(one.value) for one in [*alone, *tags, *contacts])
    return [CompletionItem(f"{before}{comma}{one}") for one in values]


def read(to: Sequence[str], excepted: Sequence[str]) -> tuple[list[str] | None, list[str] | None]:
    """Who sees it, and who of all does not; None for what was not said. Raises: Failure."""
    readers, others = _people("--to", to), _people("--except", excepted)
    if readers is not None and others is not None:
        raise faults.usage("Either --to says who sees it, or --except who of all does not.")
    alone = [one for one in readers or () if one.lower() in _ALONE]
    if alone and len(readers or ()) > 1:
        raise faults.usage(f"--to {faults.quoted(alone[0])} stands alone: nobody can be added to it.")
    if any(one.lower() in _ALONE for one in others or ()):
        raise faults.usage("Behind --except stand tags and names; for nobody but you it is --to private.")
    return readers, others


def _people(option: str, given: Sequence[str]) -> list[str] | None:
    """The tags and names that were given, None for none. Raises: Failure."""
    if not given:
        return None
    found = [name.strip() for one in given for name in one.split(",") if name.strip()]
    if not found:
        raise faults.usage(f"Behind {option} stand tags and names, as in: {option} family,bo.")
    return found
