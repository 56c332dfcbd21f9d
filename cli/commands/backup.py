"""backup: what brings an identity back when this device is gone."""

import click

from cli import faults, options, show
from cli.options import Door

_ROW = 4  # words a line


@options.group()
@click.pass_context
def backup(ctx: click.Context) -> None:
    """Keeps your identity beyond this device."""
    if ctx.invoked_subcommand is None:
        raise faults.usage("What of the backup? There is: weft backup words.")


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
