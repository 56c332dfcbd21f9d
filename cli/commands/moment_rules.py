"""moments rule, window: who is shown your moments, and whose you are shown. Put together in moments.py."""

import click

from cli import faults, options, show, walls
from cli.options import Door

WINDOWS = {"3d": "of the last 3 days", "1m": "of the last month", "6m": "of the last 6 months", "all": "of any age"}


@options.command()
@click.argument("name", metavar="[NAME]", required=False, shell_complete=options.contact_names)
@click.option("--chats-only/--no-chats-only", default=None, help="Neither of you sees the other's moments, or both do.")
@click.option("--hide-mine/--no-hide-mine", default=None, help="Show them none of yours, or do.")
@click.option("--hide-theirs/--no-hide-theirs", default=None, help="Show you none of theirs, or do.")
@click.pass_obj
def rule(
    door: Door, name: str | None, chats_only: bool | None, hide_mine: bool | None, hide_theirs: bool | None
) -> None:
    """Says who is shown your moments and whose you are shown; without an option shows what holds.

    weft moments rule bo --hide-mine

    It holds at once and backwards: also older moments are shown no more. Nobody is told of a rule.
    """
    changes = any(one is not None for one in (chats_only, hide_mine, hide_theirs))
    if name is None and changes:
        raise faults.usage("A rule is for one contact, as in: weft moments rule bo --hide-mine.")
    with door.connect() as client:
        if name is None:
            found = client.call("moments.rules")
            typed = door.typed("weft moments rule NAME --hide-mine")
            none = f"No rule: you and your contacts show each other moments. To make one: {typed}"
            show.rows(door, "rules", found, "\n".join(map(walls.rule, found)) or none)
            return
        one = client.call(
            "moments.rule", name=name, chats_only=chats_only, hide_mine=hide_mine, hide_theirs=hide_theirs
        )
    show.outcome(door, one, f"{'✔ ' if changes else ''}{walls.rule(one)}")
    if hide_mine or chats_only:
        show.talk(door, "  What they have seen before they have seen; their weft drops it, a copy of theirs stays.")


@options.command()
@click.argument("last", metavar="[3d|1m|6m|all]", required=False, type=click.Choice([*WINDOWS], case_sensitive=False))
@click.pass_obj
def window(door: Door, last: str | None) -> None:
    """Limits how far back others see your moments; shows what is so.

    They see those of the last 3 days, the last month, the last 6 months, or all. You keep seeing all of yours, and a
    wider window shows older ones again.
    """
    with door.connect() as client:
        found = client.call("moments.window", last=last)
    said = f"Others see your moments {WINDOWS.get(found['window'], show.clean(found['window']))}."
    show.outcome(door, found, f"✔ {said}" if last else said)
