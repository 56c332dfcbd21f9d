"""config: the settings of the node."""

from typing import Any

import click

from cli import options, show
from cli.options import Door


@options.group()
@click.pass_context
def config(ctx: click.Context) -> None:
    """Shows and changes the settings of the node."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(config, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists all settings with their values."""
    _list(door)


SETTINGS = options.completed("node.config", list)  # the answer is an object, its names are the settings


@options.sub(config)
@click.argument("setting", shell_complete=SETTINGS)
@click.pass_obj
def get(door: Door, setting: str) -> None:
    """Shows one setting."""
    with door.connect() as client:
        found = client.call("node.config", name=setting)
    show.outcome(door, found, "\n".join(_text(value) for value in found.values()))


TELLS = {  # what others learn once it is on
    "links.preview": "The site of each link that you send now sees the address of this node, or of links.proxy, "
    "and when.",
    "chat.receipts": "Contacts now see which of their messages you have read.",
}


@options.sub(config, name="set")
@click.argument("setting", shell_complete=SETTINGS)
@click.argument("value")
@click.pass_obj
def set_one(door: Door, setting: str, value: str) -> None:
    """Changes a setting; an empty VALUE means its default."""
    with door.connect() as client:
        found = client.call("node.configure", name=setting, value=value)
    show.outcome(door, found, "\n".join(f"✔ {name} = {_text(now)}" for name, now in found.items()))
    for name, now in found.items():
        if now is True and name in TELLS:
            show.talk(door, f"! {TELLS[name]}")


def _list(door: Door) -> None:
    with door.connect() as client:
        found = client.call("node.config")
    lines = [(name, _text(value)) for name, value in found.items()]
    show.outcome(door, found, show.table(door, ("Setting", "Value"), lines))


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case _:
            return show.clean(str(value))
