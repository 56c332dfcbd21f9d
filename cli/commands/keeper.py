"""keeper: what is kept for those who are away, and a keeper of one's own."""

import ipaddress
import os
import shlex
from typing import Any

import click

from cli import faults, options, places, show, start
from cli.faults import Failure
from cli.options import Door

ADDRESSES_MAX = 2  # in a code


@options.group()
@click.pass_context
def keeper(ctx: click.Context) -> None:
    """Keeps messages for those who are away."""
    if ctx.invoked_subcommand is None:
        raise faults.usage("What of keepers? There is: weft keeper node.")


@options.sub(keeper)
@click.option("--address", "addresses", metavar="IP:PORT", multiple=True, help="Where others reach it; twice at most.")
@click.option("--bootstrap", metavar="ADDRESS", help="Where it finds the DHT, as dht.bootstrap of a node.")
@click.option("-d", "--detach", is_flag=True, help="Leave it running and return when it serves.")
@click.option("--unit", is_flag=True, help="Only write a unit for systemd that starts it with the machine.")
@click.option("--code", is_flag=True, help="Only show the code of the keeper that runs.")
@click.pass_obj
def node(door: Door, addresses: tuple[str, ...], bootstrap: str | None, detach: bool, unit: bool, code: bool) -> None:
    """Runs a keeper of your own on a machine that is always on.

    It holds sealed messages for you while your device is off. It needs a profile of its own, and no identity.
    """
    said = {"addresses": " ".join(map(_address, addresses))}
    if len(addresses) > ADDRESSES_MAX:
        raise faults.usage("A keeper has at most two addresses in its code.")
    if bootstrap is not None:
        said["bootstrap"] = bootstrap
    if unit:
        show.outcome(door, {"unit": _unit(door, addresses)}, _unit(door, addresses).rstrip())
        return
    home = door.directory
    if places.has_identity(home):
        said_why = "This profile is somebody's, and a keeper holds nobody's keys; nothing was changed."
        raise Failure("keeper.identity", said_why, next="weft --profile keeper keeper node", verb="Another profile")
    if code:
        _show_code(door, _running_code(door))
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


def _show_code(door: Door, told: dict[str, Any]) -> None:
    show.outcome(door, {"code": told["code"]}, f"weft keeper use {told['code']}")


def _show_up(door: Door, told: dict[str, Any]) -> None:
    value = {name: told[name] for name in ("pid", "addresses", "first", "code")}
    lines = [f"✔ Keeper up (pid {told['pid']}).   {', '.join(told['addresses']) or 'No network'}"]
    if told["first"]:
        lines += ["Run this on your own device; whoever has it could keep mail here in your place:", ""]
        lines.append(f"  weft keeper use {told['code']}")
    else:
        lines.append(f"Its code again: {door.typed('weft keeper node --code')}")
    show.outcome(door, value, "\n".join(lines))


def _unit(door: Door, addresses: tuple[str, ...]) -> str:
    """A unit for systemd, with the directories and addresses of this command."""
    program = [*start.launcher(door), "--profile", door.profile_name, "keeper", "node", "--no-input"]
    program += [word for address in addresses for word in ("--address", address)]
    return f"""[Unit]
Description=weft keeper ({door.profile_name})
Wants=network-online.target
After=network-online.target

[Service]
Environment=WEFT_HOME={shlex.quote(os.fspath(door.directory.parent))}
ExecStart={shlex.join(program)}
Restart=on-failure
RestartSec=5
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes

[Install]
WantedBy=default.target
"""
