"""keeper: who keeps mail for you while you are away, and for whom you keep."""

import ipaddress
import re
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import click

from cli import cellar, faults, options, places, show, start
from cli.faults import Failure
from cli.options import Door, Form

CODE = "weft:k/"  # how the code of a keeper node begins
ADDRESSES_MAX = 2  # in a code
AUTO = "auto"  # in place of an address
LEARNS_COLUMNS = 80
CODE_CHARS_MAX = 512  # a code has at most 200; whatever is longer is not read from stdin
SIZE_MAX = 2**53  # what a call carries; no keeper may take so much
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*([kmgt]i?)?b?")
_UNITS = {"": 1, **{f"{unit}": 1000**n for n, unit in enumerate("kmgt", 1)}}
_UNITS |= {f"{unit}i": 1024**n for n, unit in enumerate("kmgt", 1)}
_STATES = {
    "offered": "offers it",
    "used": "",
    "left": "not any more",
    "declined": "not wanted",
    "wanted": "not told yet",
    "said": "",
}
_SORTS = {"contact": "a contact", "own": "a node of yours"}


@options.group()
@click.pass_context
def keeper(ctx: click.Context) -> None:
    """Keepers: who keeps mail for you while you are away, and for whom you keep.

    Without a command: the list.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(keeper, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists who keeps for you, for whom you keep, how full, what each learns."""
    _list(door)


@options.sub(keeper)
@click.argument("contacts", metavar="A,B", shell_complete=options.contact_names)
@click.option(
    "--space", metavar="SIZE", help="For all together, as 500MB or 2GB; each gets a twentieth. [1GiB at first]"
)
@click.pass_obj
def offer(door: Door, contacts: str, space: str | None) -> None:
    """Keeps mail for these contacts while they are away.

    They are told when you meet, and use it by themselves; you see how much lies here, and cannot read it. Once more
    with another --space it changes that of all.
    """
    wanted = [one.strip() for one in contacts.split(",") if one.strip()]
    with door.connect() as client:
        made = client.call("keepers.offer", contacts=wanted, space=None if space is None else size_of(space))
    owners = made["owners"]
    share = f", up to {show.size(owners[0]['space'])}{' each' * (len(owners) > 1)}" if owners else ""
    names = ", ".join(show.clean(one["name"]) for one in owners)
    show.outcome(door, made, f"✔ You keep for {names}{share}; who is away is told when you meet.")
    for one in owners:
        show.talk(door, f"  Next, the other way round: {door.typed('weft keeper use ' + show.typed_name(one['name']))}")


@options.sub(keeper)
@click.argument("who", shell_complete=options.contact_names)
@click.option("--name", metavar="NAME", help="How you call the node of a code. [home at first]")
@click.pass_obj
def use(door: Door, who: str, name: str | None) -> None:
    """Has mail kept for you by a contact, or by a node of your own, while you are away.

    WHO is a contact, who is asked where he has not offered it, a node of yours by its name, or the code that
    `weft keeper node` has shown there ("-": read it from stdin). At most three keep for you. A code is for one account:
    who uses it takes the keeper, and what lies there, from who used it before.
    """
    if who == "-":
        who = sys.stdin.read(CODE_CHARS_MAX).strip()
    if CODE in who:
        who = "".join(who[who.index(CODE) :].split())  # out of the line that the keeper has shown, or a torn one
    if who.startswith("weft:i/"):
        said = "That is an invitation, and not the code of a keeper; nothing was changed."
        raise Failure("keeper.code", said, next="weft add LINK", exit=faults.USAGE)
    if name is not None and not who.strip().startswith(CODE):
        raise faults.usage("A contact, or a node of yours, has its name already: --name is for a code (weft:k/…).")
    with door.connect() as client:
        found = client.call("keepers.use", who=who, name=name)
    called = show.clean(found["name"])
    if found["state"] == "asked":
        show.outcome(door, found, f"• {called} is asked; it begins when {called} offers it.")
        show.talk(door, "  There: weft keeper offer NAME")  # in whatever profile that is
        return
    show.outcome(door, found, f"✔ {called} keeps for you from now on; your contacts are told when you meet.")
    show.talk(door, f"  How it stands: {door.typed('weft keeper list')}")


@options.sub(keeper)
@click.argument("who", required=False, shell_complete=options.contact_names)
@click.option("--for", "owner", metavar="NAME", shell_complete=options.contact_names, help="Keep nothing for this one.")
@click.pass_obj
def stop(door: Door, who: str | None, owner: str | None) -> None:
    """Ends what WHO keeps for you; with --for, what you keep for a contact.

    What lies there is deleted. Nothing is lost by it: its senders have it until you have got it.
    """
    if (who is None) == (owner is None):
        raise faults.usage("Name either who keeps for you, or with --for the one for whom you keep.")
    with door.connect() as client:
        if owner is not None:
            ended = client.call("keepers.stop_for", name=owner)
            show.outcome(door, ended, f"✔ You keep nothing for {show.clean(ended['name'])} any more.")
            return
        ended = client.call("keepers.stop", who=who)
    show.outcome(door, ended, f"✔ {show.clean(ended['name'])} keeps nothing for you any more.")


def size_of(text: str) -> int:
    """A number of bytes: 500MB, 1.5GB, 2GiB. Raises: Failure."""
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise faults.usage(f"A size is written 500MB, 2GB or 1GiB, not {faults.quoted(text)!r}.")
    return min(int(float(found[1]) * _UNITS[found[2] or ""]), SIZE_MAX)


@options.sub(keeper)
@click.option(
    "--address",
    "addresses",
    metavar="IP:PORT",
    multiple=True,
    help="Where others reach it, and at which port it listens, from now on; twice at most. auto: none of them.",
)
@click.option("--bootstrap", metavar="ADDRESS", help="Where it finds the DHT, from now on; as dht.bootstrap.")
@click.option(
    "--files",
    "files_mb",
    type=click.IntRange(0, 1_000_000),
    metavar="MB",
    help="What its owner may have of files, from now on; 0: none. [2000 at first]",
)
@click.option("-d", "--detach", is_flag=True, help="Leave it running and return when it serves.")
@click.option("--unit", is_flag=True, help="Only write a unit for systemd that starts it with the machine.")
@click.option("--code", is_flag=True, help="Only show the code of the keeper that runs; it is for one account.")
@click.pass_obj
def node(
    door: Door,
    addresses: tuple[str, ...],
    bootstrap: str | None,
    files_mb: int | None,
    detach: bool,
    unit: bool,
    code: bool,
) -> None:
    """Runs a keeper of your own on a machine that is always on.

    It holds sealed messages for you while your device is off. It needs a profile of its own, and no identity.
    """
    said = {"addresses": AUTO if addresses == (AUTO,) else " ".join(map(_address, addresses))}
    if len(addresses) > ADDRESSES_MAX:
        raise faults.usage("A keeper has at most two addresses in its code.")
    if bootstrap is not None:
        said["bootstrap"] = bootstrap
    if files_mb is not None:
        said["files"] = str(files_mb)
    if places.has_identity(door.directory):
        said_why = "This profile is somebody's, and a keeper holds nobody's keys; nothing was changed."
        raise Failure("keeper.identity", said_why, next="weft --profile keeper keeper node", verb="Another profile")
    if unit:
        text = cellar.unit(door, addresses, bootstrap, files_mb)
        show.outcome(door, {"unit": text}, text.rstrip())
        cellar.say_where_a_unit_goes(door)
        return
    if code:
        _show_code(door, _running_code(door))
        return
    if running := _running(door):
        if addresses or bootstrap is not None or files_mb is not None:
            said_why = f"The keeper runs (pid {running['pid']}) with what it was started with; nothing was changed."
            raise Failure("node.running", said_why, next="weft down", verb="Stop it first")
        _show_up(door, running, already=True)
        return
    if detach:
        _show_up(door, start.detached(door, said, "keep"))
        return

    def ready(told: dict[str, Any]) -> None:
        _show_up(door, told)
        show.talk(door, "  Ctrl-C stops it.")

    ended = start.attached(door, said, ready, "keep")
    show.talk(door, "The keeper has stopped; what lies there is kept.")
    click.get_current_context().exit(ended)


def _list(door: Door) -> None:
    with door.connect() as client:
        if places.is_keeper(door.directory):
            show.outcome(door, *cellar.status(door, client))
            return
        found = client.call("keepers.list")
    if door.form is Form.JSONL:
        show.rows(door, "keepers", [*found["keepers"], *found["owners"], *found["wishes"]], "")
        return
    blocks = [_keepers(door, found), _owners(door, found), _wishes(door, found), _learns(found)]
    show.outcome(door, found, "\n\n".join(filter(None, blocks)))


def _keepers(door: Door, found: Mapping[str, Any]) -> str:
    if not found["keepers"]:
        return f"Nobody keeps for you. Ask a contact: {door.typed('weft keeper use NAME')}"
    lines = [
        (
            show.clean(one["name"]),
            _SORTS["own" if one["own"] else "contact"],
            _holds(one),
            _queues(one),
            "connected" if one["online"] else f"seen {show.ago(one['seen_ms'])}",
            _standing(one),
        )
        for one in found["keepers"]
    ]
    return show.table(door, ("Keeps for you", "", "Holds", "Ready for", "", ""), lines)


def _owners(door: Door, found: Mapping[str, Any]) -> str:
    if not found["owners"]:
        return f"You keep for nobody. Offer it to contacts: {door.typed('weft keeper offer A,B')}"
    lines = [
        (
            show.clean(one["name"]),
            _holds(one),
            f"since {show.clock(one['since_ms'])}",
            "here now" if one["online"] else f"here {show.ago(one['seen_ms'])}",
            "needs it no more" if one["state"] == "left" else _STATES[one["state"]],
        )
        for one in found["owners"]
    ]
    table = show.table(door, ("You keep for", "Holds", "", "", ""), lines)
    return f"{table}\nAll together may take {show.size(found['space'])}."


def _wishes(door: Door, found: Mapping[str, Any]) -> str:
    lines = []
    for one in found["wishes"]:
        name, since = show.clean(one["name"]), show.ago(one["at_ms"])
        if one["mine"]:
            lines.append(f"• {name} was asked to keep for you ({since}) and has not offered it yet.")
        else:
            next_ = door.typed(f"weft keeper offer {show.typed_name(one['name'])}")
            lines.append(f"• {name} asks you to keep mail ({since}): {next_}")
    return "\n".join(lines)


def _learns(found: Mapping[str, Any]) -> str:
    """What those who are there learn, by their sort."""
    lines = []
    for sort, learns in found["learns"].items():
        if any(one["own"] == (sort == "own") for one in found["keepers"]):
            lines.append(f"{_SORTS[sort].capitalize()} that keeps for you")
            for head, what in (("  can learn     ", learns["can"]), ("  cannot learn  ", learns["cannot"])):
                indent = " " * len(head)
                lines.append(textwrap.fill(f"{head}{what}", LEARNS_COLUMNS, subsequent_indent=indent))
    return "\n".join(lines)


def _holds(one: Mapping[str, Any]) -> str:
    of = f" of {show.size(one['space'])}" if one["space"] > max(1, one["bytes"]) else ""
    return (
        f"{one['items']:,} item{'' if one['items'] == 1 else 's'}, {show.size(one['bytes'])}{of}{show.files_held(one)}"
    )


def _queues(one: Mapping[str, Any]) -> str:
    wanted = f", {one['wanted']} to come" if one["wanted"] else ""
    return f"{one['open']} contact{'' if one['open'] == 1 else 's'}{wanted}"


def _standing(one: Mapping[str, Any]) -> str:
    return f"! {show.clean(one['fault'])}" if one["fault"] else _STATES[one["state"]]


def _address(text: str) -> str:
    """IP:PORT, or [IP]:PORT, as it was typed. Raises: Failure."""
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        is_good = port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536
    except ValueError:
        is_good = False
    if not is_good:
        raise faults.usage(
            f"An address is written 203.0.113.7:4001 or [2001:db8::7]:4001, not {faults.quoted(text)!r}."
        )
    return text


def _running_code(door: Door) -> dict[str, Any]:
    try:
        with door.connect() as client:
            told: dict[str, Any] = client.call("keep.code")
            return told
    except Failure as failure:
        if failure.code not in ("node.down", "profile.empty"):
            raise
        said = "No keeper runs in this profile."
        raise Failure("node.down", said, next="weft keeper node -d", verb="Start it", exit=faults.NODE_DOWN) from None


def _running(door: Door) -> dict[str, Any] | None:
    """What the keeper says of itself that runs in this profile already."""
    try:
        with door.connect() as client:
            return {**client.call("keep.status"), **client.call("keep.code"), "first": False}
    except Failure as failure:
        if failure.code not in ("node.down", "profile.empty"):
            raise
    return None


def _show_code(door: Door, told: dict[str, Any]) -> None:
    show.outcome(door, {"code": told["code"]}, f"weft keeper use {told['code']}")


def _show_up(door: Door, told: dict[str, Any], already: bool = False) -> None:
    value = {name: told[name] for name in ("pid", "addresses", "first", "code")}
    is_up = "Keeper is up already" if already else "Keeper up"
    lines = [f"✔ {is_up} (pid {told['pid']}).   {', '.join(told['addresses']) or 'No network'}"]
    if told["first"]:
        lines += ["Run this on your own device; it is for one account, and whoever has it could take your place:", ""]
        lines.append(f"  weft keeper use {told['code']}")
    else:
        lines.append(f"Its code, as it is with these addresses: {door.typed('weft keeper node --code')}")
    show.outcome(door, value, "\n".join(lines))
