"""A keeper of one's own as a person sees it on its own machine: what it holds, whether it is found, what starts it.

Not here: who keeps for a person, and the commands (cli/commands/keeper.py); the keeper (node/keeper_program.py).
"""

import os
import shlex
from collections.abc import Mapping
from typing import Any

from cli import show, start
from cli.client import Client
from cli.options import Door

NO_PEER = "weft keeper node --bootstrap ADDRESS"


def status(door: Door, client: Client) -> tuple[Any, str]:
    """How the keeper stands that runs in this profile: for a script, and for a person."""
    told = client.call("keep.status")
    lines = [
        f"Keeper   profile {door.profile_name}   pid {told['pid']}   weft {told['version']}",
        f"Listens on {', '.join(told['addresses']) or 'nothing'}",
        found(told),
        holds(told),
    ]
    if told.get("trouble"):
        lines.append(f"! {show.clean(told['trouble'])}")
    if not told["queues"]:
        lines.append(f"What to run on your own device: {door.typed('weft keeper node --code')}")
    elif told["published"] != "yes":
        lines.append(f"To name a peer of the DHT: {door.typed('weft down')}, then {door.typed(NO_PEER)}")
    return told, "\n".join(lines)


def holds(told: Mapping[str, Any]) -> str:
    """What lies there, as a sentence."""
    if not told["queues"]:
        return "Nobody uses it yet."
    count = told["items"]
    size = f"{count:,} item{'' if count == 1 else 's'}, {show.size(told['bytes'])} of {show.size(told['space'])}"
    return f"Holds {size}{show.files_held(told)}. Its owner was here {show.ago(told['seen_ms'])}."


def found(told: Mapping[str, Any]) -> str:
    """Whether who has its code finds it where it is, as a sentence."""
    if told["published"] != "yes":
        why = show.clean(str(told["published"])).rstrip(".")
        return f"Not in the DHT ({why}): with another address its owner would not find it."
    copies = told["copies"]
    return f"In the DHT: {copies} peer{'' if copies == 1 else 's'} say where it is."


def finding(door: Door) -> dict[str, str]:
    """What the doctor says of the keeper of this profile. Raises: Failure when it runs and does not answer."""
    with door.connect() as client:
        told = client.call("keep.status")
    if told.get("trouble"):
        sentence = f"{show.clean(told['trouble'])} {holds(told)}"
        return {"name": "keeper", "level": "warning", "sentence": sentence, "next": "df -h"}
    sentence = f"{holds(told)} {found(told)}"
    if told["published"] != "yes":
        return {"name": "keeper", "level": "warning", "sentence": sentence, "next": NO_PEER}
    return {"name": "keeper", "level": "ok", "sentence": sentence, "next": ""}


def unit(door: Door, addresses: tuple[str, ...], bootstrap: str | None, files_mb: int | None) -> str:
    """A unit for systemd, with the directories and addresses of this command. The code does not go to the journal."""
    program = [*start.launcher(door), "--profile", door.profile_name, "keeper", "node", "--no-input"]
    program += [word for address in addresses for word in ("--address", address)]
    program += [] if bootstrap is None else ["--bootstrap", bootstrap]
    program += [] if files_mb is None else ["--files", str(files_mb)]
    return f"""[Unit]
Description=weft keeper ({door.profile_name})
Wants=network-online.target
After=network-online.target

[Service]
Environment=WEFT_HOME={shlex.quote(os.fspath(door.directory.parent))}
ExecStart={shlex.join(program)}
StandardOutput=null
Restart=on-failure
RestartSec=5
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes

[Install]
WantedBy=default.target
"""


def say_where_a_unit_goes(door: Door) -> None:
    """Says where the unit goes, and what starts it."""
    name = f"weft-{door.profile_name}"
    show.talk(door, f"  Put it into ~/.config/systemd/user/{name}.service, then: systemctl --user enable --now {name}")
    show.talk(door, "  So that it runs while nobody is logged in: loginctl enable-linger")
    show.talk(door, f"  Its code, once it runs: {door.typed('weft keeper node --code')}")
