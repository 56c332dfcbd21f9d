"""send-location, locations: places that contacts tell each other."""

import re

import click

from cli import options, show
from cli.options import Door

_NEGATIVE = re.compile(r"-(?=\d)")


class Placed(click.Command):
    """A command that takes degrees: a word such as -33.9 is no option for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_NEGATIVE.sub("−", one, count=1) if one[:1] == "-" else one for one in args])


@options.command(cls=Placed, name="send-location")
@options.contact_argument
@click.argument("latitude")
@click.argument("longitude")
@click.option("--label", default="", metavar="TEXT", help="What is there.")
@click.option("--accuracy", type=click.IntRange(0, 100_000), default=0, metavar="METRES", help="How far it may be off.")
@click.pass_obj
def send_location(door: Door, name: str, latitude: str, longitude: str, label: str, accuracy: int) -> None:
    """Sends a contact a place, once: its latitude and longitude, in decimal degrees.

    weft send-location bo 52.52 13.405 --label here
    """
    with door.connect() as client:
        row = client.call(
            "profile.send_location",
            to=name,
            latitude=latitude,
            longitude=longitude,
            accuracy_m=accuracy,
            label=label,
        )
    show.outcome(door, row, f"✔ {show.clean(row['contact'])} is sent {_place(row)}")


@options.command()
@click.argument("name", metavar="NAME", required=False, shell_complete=options.contact_names)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many at most. [50]")
@click.pass_obj
def locations(door: Door, name: str | None, limit: int) -> None:
    """Lists places that you and contacts sent, the newest first. No map is loaded: the geo: address is for one."""
    with door.connect() as client:
        rows = client.call("profile.locations", name=name, limit=limit)
    lines = [
        f"{show.clock(row['at_ms'])}  {'to ' if row['mine'] else ''}{show.clean(row['contact'])}: {_place(row)}"
        for row in rows
    ]
    none = f"No places yet. To send one: {door.typed('weft send-location NAME 52.52 13.405')}"
    show.rows(door, "locations", rows, "\n".join(lines) or none)


def _place(row: dict[str, str]) -> str:
    return f"{row['geo']}  {show.clean(row['label'])}".rstrip()
