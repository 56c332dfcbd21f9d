"""backup: what brings an identity back when this device is gone."""

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from cli import faults, options, places, show, start
from cli.faults import Failure
from cli.options import Door

LONG_S = 6 * 3600.0  # a profile of many gigabytes on a slow stick
WORDS_BYTES_MAX = 4096
_ROW = 4  # words a line


@options.group()
@click.pass_context
def backup(ctx: click.Context) -> None:
    """Keeps your identity beyond this device."""
    if ctx.invoked_subcommand is None:
        raise faults.usage("What of the backup? There are: weft backup words, create, verify, restore.")


@options.sub(backup)
@click.pass_obj
def words(door: Door) -> None:
    """Shows the 24 recovery words; whoever has them is you."""
    show.talk(door, "Whoever reads these 24 words can become you. Paper is better than a file.")
    if door.asks and not click.confirm("Is nobody looking at this screen?", default=True, err=True):
        raise click.Abort
    with door.connect() as client:
        found = client.call("node.words")
    numbered = [f"{number:2}. {word:<10}" for number, word in enumerate(found["words"].split(), 1)]
    lines = ["".join(numbered[start : start + _ROW]).rstrip() for start in range(0, len(numbered), _ROW)]
    show.outcome(door, found, "\n".join(lines))


@options.sub(backup)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def create(door: Door, file: str, force: bool) -> None:
    """Writes contacts, chats and settings to FILE; it opens with your 24 words alone.

    The node may run or be stopped. What is said after it began is not in it.
    """
    path = os.path.abspath(file)
    try:
        with door.connect() as client:
            made = client.call(
                "node.backup",
                within_s=LONG_S,
                waiting=lambda spent: show.passing(door, f"Writing the backup… {spent:.0f} s"),
                file=path,
                replace=force,
            )
    except Failure as failure:
        if failure.code != "node.down":
            raise
        made = _of_stopped(door, "backup", {"file": path, "replace": "yes" if force else ""}, "Writing the backup")
    show.passing(door, "")
    show.outcome(door, made, f"✔ Backup written: {show.clean(path)} ({_counted(made)}, {show.size(made['bytes'])})")
    show.talk(door, f"  Keep it away from this device. Only your 24 words open it: {door.typed('weft backup words')}")


@options.sub(backup)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--words", "ask", is_flag=True, help="Ask for the 24 words, instead of taking those of this profile.")
@click.option("--words-file", metavar="FILE", type=click.Path(), help="Read the 24 words from there; - is stdin.")
@click.pass_obj
def verify(door: Door, file: str, ask: bool, words_file: str | None) -> None:
    """Reads all of FILE and says what is in it; no node is needed."""
    said = {"file": os.path.abspath(file)}
    if ask or words_file is not None or not places.has_identity(door.directory):
        said["words"] = _words(door, words_file, "weft backup verify --words-file WORDS FILE")
    else:
        try:
            with door.connect() as client:
                said["words"] = client.call("node.words")["words"]
        except Failure as failure:
            if failure.code != "node.down":
                raise
    if "words" in said:
        with start.quiet_log(door, "backup.log") as errors:
            found = start.run_verb(door, "verify", said, "Reading the backup", errors, LONG_S)
    else:
        found = _of_stopped(door, "verify", said, "Reading the backup")
    whose = f"{show.clean(found['name'])} ({show.account(found['account'])})"
    show.outcome(door, found, f"✔ Whole: {whose}, made {show.clock(found['made_ms'])}; {_counted(found)}")


@options.sub(backup)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--words-file", metavar="FILE", type=click.Path(), help="Read the 24 words from there; - is stdin.")
@click.pass_obj
def restore(door: Door, file: str, words_file: str | None) -> None:
    """Makes this profile a new device of the account in FILE; the lost one is no longer accepted.

    The profile is a new one, as for init. Your contacts see that you are on a new device, and need not verify again.
    """
    home = door.directory
    places.require_empty(home, "weft --profile NAME backup restore FILE")
    show.talk(door, "Your contacts will accept this device alone: none that you had before, should one still run.")
    if door.asks and not click.confirm("Are they lost, or done with?", default=False, err=True):
        raise click.Abort
    said = {"file": os.path.abspath(file), "words": _words(door, words_file, "weft backup restore --words-file W FILE")}
    said["passphrase"] = start.new_passphrase(door, "weft backup restore FILE")
    made = start.run_verb(door, "restore", said, "Reading the backup and making a new device", within_s=LONG_S)
    whose = f"{show.clean(made['name'])} ({show.account(made['account'])})"
    show.outcome(door, made, f"✔ Restored: {whose} as of {show.clock(made['made_ms'])}; {_counted(made)}")
    show.talk(door, f"  Next: {door.typed('weft up')}   What waits for you comes when your contacts are met.")
    show.talk(door, f"  Then make a new backup, this one ages: {door.typed('weft backup create FILE')}")


def _of_stopped(door: Door, verb: str, said: dict[str, str], waiting: str) -> dict[str, Any]:
    """What the node's program answers for a profile that no node serves."""
    opened = {**said, "passphrase": start.known_passphrase(door, f"weft backup {_COMMAND[verb]} FILE")}
    with start.quiet_log(door, "backup.log") as errors:
        return start.run_verb(door, verb, opened, waiting, errors, LONG_S)


_COMMAND = {"backup": "create", "verify": "verify"}


def _words(door: Door, file: str | None, again: str) -> str:
    """The 24 words, from a file or from the person. Raises: Failure. Whether they are right the node's program says."""
    if file is not None:
        try:
            with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as opened:
                return " ".join(opened.read(WORDS_BYTES_MAX).decode().split())
        except (OSError, UnicodeDecodeError) as broken:
            why = broken.strerror if isinstance(broken, OSError) else "it is not text in UTF-8"
            where = "stdin" if file == "-" else faults.quoted(file)
            said = f"The 24 words are not known: {where} cannot be read ({why}). Nothing was changed."
            raise Failure("words.unknown", said, next=again, verb="Name another", exit=faults.LOCKED) from None
    if not door.asks:
        said = "Only the 24 recovery words open a backup, and nobody is there to type them. Nothing was changed."
        raise Failure("words.unknown", said, next=again, verb="Give them", exit=faults.LOCKED)
    given: str = click.prompt("Your 24 recovery words, in order", err=True)
    return given


def _counted(found: Mapping[str, Any]) -> str:
    contacts, messages = found["contacts"], found["messages"]
    return f"{contacts} contact{'' if contacts == 1 else 's'}, {messages} message{'' if messages == 1 else 's'}"
