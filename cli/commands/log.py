"""log: what is signed in logs. For now: whether a file of evidence is good, which needs no node.

Not here: how such a file is examined and what is said of it (cli/evidence.py).
"""

import click

from cli import faults, options
from cli.options import Door


@options.group()
@click.pass_context
def log(ctx: click.Context) -> None:
    """Examines what somebody signed and handed on; no node is needed."""
    if ctx.invoked_subcommand is None:
        missing = faults.usage("What of the logs? There is: weft log verify FILE.")
        missing.next = "weft log verify --help"
        raise missing


@options.sub(log)
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@click.option("--author", metavar="KEY", help="The key of the device that must have signed all of it, 64 hex digits.")
@click.option("--text", is_flag=True, help="Show all notes in it, also when they are more than 20.")
@click.pass_obj
def verify(door: Door, file: str, author: str | None, text: bool) -> None:
    """Examines FILE ("-": stdin): who signed which entries of which logs, whether all is good, what was said.

    The file holds signed entries, as a log is handed to somebody else. Code 7 when anything in it is not good.
    """
    from cli import evidence  # which takes protocol/ and its keys along: no other command of this group needs them

    is_good = evidence.verify(door, file, author, text)
    click.get_current_context().exit(0 if is_good else faults.REFUSED)
