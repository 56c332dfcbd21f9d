"""log: what is signed in logs, ours and those of contacts; and evidence of it, for people without weft.

Not here: how a file of evidence is examined and what is said of it (cli/evidence.py).
"""

import itertools
import os
import shlex
import sys
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from cli import faults, files, options, show, stdin
from cli.client import Client
from cli.options import Door, Form

SHORT_DIGITS = 8
LINES_OF_CALL = 512
SEQ_MAX = 2**40 - 1
_BY_ITSELF = frozenset({"spine", "feed"})  # roles of logs that weft keeps without being asked
_MISSING = {"awaited": "(not here yet)", "deleted": "(deleted)"}


@options.group()
@click.pass_context
def log(ctx: click.Context) -> None:
    """Signed logs: what you and your contacts wrote, and evidence of it.

    Without a command: the list.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, everything=False)


@options.sub(log, name="list")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also those that are over, spines (the logs over logs), and feeds of moments.",
)
@click.pass_obj
def list_all(door: Door, everything: bool) -> None:
    """Lists logs: whose they are, how long, who has all of them."""
    _list(door, everything)


@options.sub(log, name="show")
@click.argument("log_name", metavar="LOG")
@click.option("--limit", type=click.IntRange(0, 1000), default=20, metavar="N", help="How many entries. [20]")
@click.option(
    "--after",
    type=click.IntRange(-1, SEQ_MAX),
    metavar="SEQ",
    help="The entries after this one, instead of the newest.",
)
@click.pass_obj
def show_one(door: Door, log_name: str, limit: int, after: int | None) -> None:
    """Shows a log and its newest entries.

    LOG is its name (trip, or bo/trip for one of Bo's), or the beginning of its id.
    """
    with door.connect() as client:
        found = client.call("logs.show", log=log_name, limit=limit, after=after)
    lines = [_head(door, found["log"])]
    for before, one in zip([None, *found["entries"]], found["entries"], strict=False):
        missing = 0 if before is None else one["seq"] - before["seq"] - 1
        lines += [f"     …  {missing:,} between are still coming"] * (missing > 0) + [_line(one)]
    if door.form is Form.JSONL:
        show.rows(door, "entries", found["entries"], "")
    else:
        show.outcome(door, found, "\n".join(lines))


@options.sub(log)
@click.argument("log_name", metavar="NAME")
@click.option("--for", "readers", required=True, metavar="A,B", help="The contacts who may read it.")
@click.option("--anchor", metavar="A", help="The reader who gets each entry before the others. [who was here last]")
@click.pass_obj
def new(door: Door, log_name: str, readers: str, anchor: str | None) -> None:
    """Begins a log that you write and some contacts read.

    All that you write goes to one reader first, its anchor, and waits while he is away. So an old copy of this profile
    that is put back cannot make you sign two histories.
    """
    wanted = [one.strip() for one in readers.split(",") if one.strip()]
    with door.connect() as client:
        begun = client.call("logs.begin", name=log_name, readers=wanted, anchor=anchor)
    said = f"✔ {show.clean(begun['name'])} is a log for {_readers(begun)}; {_anchored(begun)}."
    show.outcome(door, begun, said)
    show.talk(door, f"  Next: {door.typed('weft log write ' + show.typed_name(begun['name']) + ' TEXT')}")


@options.sub(log)
@click.argument("log_name", metavar="LOG")
@click.argument("text", required=False)
@click.option("--lines", is_flag=True, help="Each line of stdin is a note of its own.")
@click.pass_obj
def write(door: Door, log_name: str, text: str | None, lines: bool) -> None:
    """Signs a note into a log of yours.

    TEXT is one argument ("-" or nothing: read it from stdin). Whoever has a note can show to anybody that you signed
    it; of a message nobody can.
    """
    if lines:
        _write_lines(door, log_name)
        return
    with door.connect() as client:
        said = text if text not in (None, "-") else stdin.whole()
        if not said:
            raise faults.usage("There is no text, so nothing was signed.")
        made = client.call("logs.write", log=log_name, text=said)
    waits = f"; all readers get it once {show.clean(made['waits_for'])} has it" if made["waits_for"] else ""
    show.outcome(door, made, f"✔ Signed as number {made['seq']}{waits}.")


@options.sub(log)
@click.argument("log_name", metavar="LOG")
@options.contact_argument
@click.pass_obj
def share(door: Door, log_name: str, name: str) -> None:
    """Lets one more contact read a log of yours, from its beginning."""
    with door.connect() as client:
        found = client.call("logs.share", log=log_name, name=name)
    show.outcome(door, found, f"✔ {show.clean(found['name'])} is for {_readers(found)} now.")


@options.sub(log)
@click.argument("log_name", metavar="LOG")
@options.contact_argument
@click.pass_obj
def unshare(door: Door, log_name: str, name: str) -> None:
    """Lets a contact read no more of a log of yours; what he has he keeps."""
    with door.connect() as client:
        found = client.call("logs.unshare", log=log_name, name=name)
    for_whom = _readers(found) if found["state"] == "ok" else "nobody, and is over"
    show.outcome(door, found, f"✔ {show.clean(found['name'])} is for {for_whom} now.")


@options.sub(log)
@click.argument("log_name", metavar="LOG")
@click.option("--anchor", metavar="A", help="Another reader. [who was here last]")
@click.pass_obj
def reopen(door: Door, log_name: str, anchor: str | None) -> None:
    """Goes on without the anchor, in a new log of the same name.

    For when the anchor does not come back: what waits for him is signed anew in the new log. The old one is over, and
    stays readable.
    """
    with door.connect() as client:
        begun = client.call("logs.reopen", log=log_name, anchor=anchor)
    said = f"✔ {show.clean(begun['name'])} goes on in a new log ({_short(begun)}); {_anchored(begun)}."
    show.outcome(door, begun, said)


@options.sub(log)
@options.contact_argument
@click.pass_obj
def trust(door: Door, name: str) -> None:
    """Accepts a new spine of a contact that does not follow the old.

    `weft log proofs` says when there is one. Ask him why before you accept it: an old copy of a disk looks the same.
    """
    with door.connect() as client:
        found = client.call("logs.trust", name=name)
    show.outcome(door, found, f"✔ The new spine of {show.clean(found['name'])} counts from now on.")


@options.sub(log)
@click.option("--file", metavar="FILE", type=click.Path(), help="Also write all proofs there, for others to examine.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def proofs(door: Door, file: str | None, force: bool) -> None:
    """Tells who signed two histories, and what befell your own logs."""
    with door.connect() as client:
        found = client.call("logs.proofs")
    lines = [*(_told("✖", one) for one in found["proofs"]), *(_told("!", one) for one in found["troubles"])]
    for one in found["doubts"]:
        name = show.clean(one["author"])
        lines.append(f"! {name}'s device has begun a new spine that does not follow the one you had seen; ask why,")
        lines.append(f"  and if it is well: {door.typed('weft log trust ' + show.typed_name(one['author']))}")
    items = [bytes.fromhex(one["proof"]) for one in found["proofs"]]
    if file is not None and items:
        files.store(door, Path(file), iter(items), force, "weft log proofs --file FILE")
    show.outcome(door, found, "\n".join(lines) or "Nothing was proven against anybody, and your own logs are well.")
    if file is not None and not items:
        show.talk(door, f"Without a proof there is nothing to write; {_named(file)} was not touched.")
    elif file is not None:
        show.talk(door, f"  Written: {_named(file)}. Anybody can examine it: {_verify(door, file)}")


@options.sub(log)
@click.argument("log_name", metavar="LOG")
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@click.option("--from", "first", type=click.IntRange(0, SEQ_MAX), default=0, metavar="SEQ", help="The first entry. [0]")
@click.option("--to", "last", type=click.IntRange(0, SEQ_MAX), metavar="SEQ", help="The last entry. [the newest]")
@click.option(
    "--sealed", is_flag=True, help="Without the keys: who gets the file sees what was signed, not what it says."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def export(door: Door, log_name: str, file: str, first: int, last: int | None, sealed: bool, force: bool) -> None:
    """Writes signed entries to FILE, as evidence for others.

    Who gets the file ("-": stdout) needs no node, and no weft: any COSE library checks it. He can read what was said in
    these entries, and show it to others, unless it is --sealed.
    """
    if last is not None and last < first:
        raise faults.usage(f"There is nothing from {first} to {last}, so nothing was written.")
    if file == "-" and sys.stdout.isatty():
        raise faults.usage("The file is binary and not for a terminal: name a FILE, or lead stdout elsewhere.")
    opened: list[bool] = []  # for each part whether there are keys in it
    with door.connect() as client:
        if file == "-":
            for items in _items(client, log_name, first, last, not sealed, opened):
                sys.stdout.buffer.write(items)
            sys.stdout.buffer.flush()
            return
        parts = _items(client, log_name, first, last, not sealed, opened)
        size = files.store(door, Path(file), parts, force, "weft log export LOG FILE")
    found = {"file": os.path.abspath(file), "bytes": size}
    show.outcome(door, found, f"✔ Written: {_named(file)} ({size:,} bytes)")
    if any(opened):
        show.talk(door, "! Whoever gets the file can read what was said; --sealed leaves the keys out.")
    show.talk(door, f"  Anybody can examine it, without a node: {_verify(door, file)}")


@options.sub(log)
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@click.option("--author", metavar="KEY", help="The key of the device that must have signed all of it, 64 hex digits.")
@click.option("--text", is_flag=True, help="Show all notes in it, also when they are more than 20.")
@click.pass_obj
def verify(door: Door, file: str, author: str | None, text: bool) -> None:
    """Examines a file of evidence: who signed what, is all good.

    FILE ("-": stdin) holds signed entries, as `weft log export` writes them. No node is needed. Code 7 when anything in
    it is not good.
    """
    from cli import evidence  # which takes protocol/ and its keys along: no other command of this group needs them

    is_good = evidence.verify(door, file, author, text)
    click.get_current_context().exit(0 if is_good else faults.REFUSED)


def _list(door: Door, everything: bool) -> None:
    with door.connect() as client:
        found = client.call("logs.list")
    shown = [one for one in found if everything or (one["role"] not in _BY_ITSELF and one["state"] != "over")]
    lines = [(show.clean(one["name"]), _short(one), _count(one), _state(door, one)) for one in shown]
    none = f"No logs yet. Begin one that some contacts read: {door.typed('weft log new NAME --for CONTACT')}"
    show.rows(door, "logs", shown, show.table(door, ("Log", "Id", "Entries", "State"), lines) if lines else none)


def _told(mark: str, one: Mapping[str, Any]) -> str:
    return f"{mark} {show.clock(one['at_ms'])}  {show.clean(one['name'])}: {show.clean(one['says'])}"


def _head(door: Door, one: Mapping[str, Any]) -> str:
    whose = show.clean(one["author"]) or "you"
    lines = [
        f"{show.clean(one['name'])}   by {whose}   id {one['id']}",
        f"Device {one['device']}",
        f"Entries: {_count(one)}   {_state(door, one)}",
    ]
    if not one["author"] and one["state"] == "ok":
        lines.append(f"Readers: {_names(name for name, _ in one['readers']) or 'none'}   {_anchored(one)}")
    if one["previous"]:
        lines.append(f"Goes on from {one['previous']}")
    return "\n".join(lines)


def _line(one: Mapping[str, Any]) -> str:
    if one["kind"] == "note":
        said = show.clean(one["text"], keep_lines=True).replace("\n", "\n        ")  # none is taken for an entry
    elif one["kind"] == "spine":
        logs = "" if one["size"] is None else f" over {one['size']} log{'' if one['size'] == 1 else 's'}"
        seen = _names(one["cosigned"])
        said = f"spine{logs}" + (f"; seen by {seen}" if seen else "")
    elif one["kind"] == "moment":
        said = _MISSING.get(one["content"], "(a moment, sealed)")
    else:
        said = _MISSING.get(one["content"], "(sealed for others, or by a newer weft)")
    return f"{one['seq']:>6}  {show.clock(one['at_ms'])}  {said}"


def _count(one: Mapping[str, Any]) -> str:
    if one["progress"]:
        here, total = one["progress"]
        return f"{here:,} of {total:,}"
    return f"{one['entries']:,}"


def _state(door: Door, one: Mapping[str, Any]) -> str:
    """How a log stands, in words."""
    if one["state"] == "frozen":
        return f"✖ frozen, its author signed two histories: {door.typed('weft log proofs')}"
    if one["state"] == "over":
        return "over, nothing is added to it"
    if one["progress"]:
        return "the rest is coming"
    if one["author"]:
        return f"by {show.clean(one['author'])}"
    waiting = one["entries"] - one["published"]
    have = _names(name for name, count in one["readers"] if count >= one["entries"] > 0)
    found = []
    if one["waits_for"]:
        where = show.lying(waiting, one["kept"], one["kept_by"])
        found.append(f"{waiting:,} wait{'s' * (waiting == 1)} for {show.clean(one['waits_for'])}{where}")
    found += [f"all is with {have}"] if have else []
    return "; ".join(found) or f"for {_readers(one) or 'nobody'}"


def _readers(one: Mapping[str, Any]) -> str:
    return _names(name for name, _ in one["readers"])


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(show.clean, names))


def _write_lines(door: Door, name: str) -> None:
    first, last = None, -1
    with door.connect() as client:
        while texts := [line.rstrip("\n") for line in itertools.islice(sys.stdin, LINES_OF_CALL)]:
            made = client.call("logs.write_all", log=name, texts=texts)
            first, last = made["first"] if first is None else first, made["last"]
            show.passing(door, f"Signing… {last + 1 - first} notes")
    show.passing(door, "")
    count = 0 if first is None else last + 1 - first
    said = f"✔ Signed {count} note{'' if count == 1 else 's'}."
    show.outcome(door, {"first": first, "last": last, "count": count}, said)


def _anchored(one: Mapping[str, Any]) -> str:
    return f"{show.clean(one['anchor']) or 'Nobody'} gets each entry first"


def _named(file: str) -> str:
    """A path in a sentence."""
    return show.clean(os.path.abspath(file))


def _verify(door: Door, file: str) -> str:
    """The command that examines a file."""
    return door.typed(f"weft log verify {show.clean(shlex.quote(file))}")


def _short(one: Mapping[str, Any]) -> str:
    return str(one["id"][:SHORT_DIGITS])


def _items(
    client: Client, name: str, first: int, last: int | None, with_keys: bool, opened: list[bool]
) -> Iterator[bytes]:
    """The parts of a file of evidence, as the node gives them. opened: is told of each whether there are keys in it."""
    at: int | None = first
    while at is not None:
        found = client.call("logs.export", log=name, first=at, last=last, opened=with_keys)
        opened.append(found["opened"])
        yield b64decode(found["items"])
        at = found["next"]
