"""nearby: strangers on the same network, or in the same part of town, who want to be met."""

from collections.abc import Iterable
from typing import Any

import click

from cli import options, show
from cli.options import Door

LIST_S = 40.0  # lookups in the DHT take 8 s, and each stranger who does not answer 6
START_S = 30.0

_STATES = {
    "unsent": "on its way",
    "waiting": "not answered",
    "accepted": "accepted",
    "handed": "accepted",
    "failed": "accepted, but",
}

who_argument = click.argument(
    "who", metavar="ID", shell_complete=options.completed("nearby.greetings", lambda rows: _ids(rows))
)


@options.group()
@click.pass_context
def nearby(ctx: click.Context) -> None:
    """Shows strangers around you who want to be met, while you are visible to them.

    \b
    weft nearby on --for 30m --name Bo      be visible on this network
    weft nearby on --place 52.52,13.40      and in this part of town, within about 5 km
    weft nearby list                        who else is
    weft nearby greet k3f9 "hello"          say one thing; you are told to each other
    weft nearby accept k3f9                 only if it is accepted
    weft nearby off                         nobody sees you any more, at once
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(nearby)
@click.option("--for", "for_", callback=options.seconds, default="30m", metavar="TIME", help="How long. [30m]")
@click.option("--name", default="", metavar="NAME", help="What others see of you; nothing of your profile is shown.")
@click.option("--place", default="", metavar="LAT,LON", help="Be found within about 5 km too; only the area is kept.")
@click.pass_obj
def on(door: Door, for_: float, name: str, place: str) -> None:
    """Makes you visible to strangers for a while; it ends by itself.

    \b
    weft nearby on
    weft nearby on --for 2h --name "Bo, red jacket" --place 52.52,13.40
    """
    with door.connect() as client:
        told = client.call("nearby.on", within_s=START_S, for_s=int(for_), name=name, place=place)
    _show_standing(door, told)
    if told["on"]:
        show.talk(door, f"  Next: {door.typed('weft nearby list')}")


@options.sub(nearby)
@click.pass_obj
def off(door: Door) -> None:
    """Ends being visible at once; greetings are forgotten, reports are kept."""
    with door.connect() as client:
        told = client.call("nearby.off")
    show.outcome(door, told, "✔ Nobody sees you any more.")


@options.sub(nearby)
@click.pass_obj
def status(door: Door) -> None:
    """Shows whether you are visible, and for how long."""
    with door.connect() as client:
        told = client.call("nearby.status")
    _show_standing(door, told)


@options.sub(nearby, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists who is visible now, the nearest first."""
    _list(door)


@options.sub(nearby)
@click.argument("who", metavar="ID", shell_complete=options.completed("nearby.list", lambda rows: _ids(rows)))
@click.argument("text")
@click.pass_obj
def greet(door: Door, who: str, text: str) -> None:
    """Says one thing to a stranger, who then accepts it or does not.

    \b
    weft nearby greet k3f9 "is this seat free?"
    """
    with door.connect() as client:
        greeting = client.call("nearby.greet", id=who, text=text)
    told = "You are told to each other if it is accepted while both of you are visible."
    show.outcome(door, greeting, f"✔ {_named(greeting)} has your greeting. {told}")


@options.sub(nearby)
@click.pass_obj
def greetings(door: Door) -> None:
    """Lists what strangers said to you, and you to them."""
    with door.connect() as client:
        found = client.call("nearby.greetings")
    lines = [
        (
            row["id"],
            "You to" if row["mine"] else "From",
            show.clean(row["name"]) or "(no name)",
            show.clean(row["text"]),
            show.ago(row["at_ms"]),
            f"{_STATES.get(row['state'], row['state'])} {show.clean(row['reason'])}".rstrip(),
        )
        for row in found
    ]
    heads = ("Id", "", "Claims to be", "Says", "When", "")
    show.rows(door, "greetings", found, show.table(door, heads, lines) if lines else "Nobody has greeted.")
    if any(not row["mine"] and row["state"] == "waiting" for row in found):
        show.talk(door, f"  Next: {door.typed('weft nearby accept ID')}, or block ID, or report ID")


@options.sub(nearby)
@who_argument
@click.pass_obj
def accept(door: Door, who: str) -> None:
    """Accepts a greeting: you become contacts, and see each other's profile and account."""
    with door.connect() as client:
        greeting = client.call("nearby.accept", id=who)
    said = "You are contacts as soon as that node asks, within half a minute: weft contacts"
    show.outcome(door, greeting, f"✔ {_named(greeting)} is accepted. {door.typed(said)}")


@options.sub(nearby)
@who_argument
@click.pass_obj
def block(door: Door, who: str) -> None:
    """Hears and shows somebody no more, who is not told.

    It holds for the id of now, and for the account if you are contacts already. A stranger who begins anew has
    another id, and nobody can tell that it is the same person.
    """
    with door.connect() as client:
        answer = client.call("nearby.block", id=who)
    show.outcome(door, answer, f"✔ {_blocked(answer)} is blocked, and is not told.")


@options.sub(nearby)
@who_argument
@click.option("--reason", default="", metavar="TEXT", help="What happened, for your own record.")
@click.pass_obj
def report(door: Door, who: str, reason: str) -> None:
    """Blocks somebody and keeps what was said, with the time, as evidence that you can show.

    weft has no operator whom it could tell: nothing leaves this device. See: weft nearby reports --json
    """
    with door.connect() as client:
        answer = client.call("nearby.report", id=who, reason=reason)
    show.outcome(door, answer, f"✔ {_blocked(answer)} is blocked; what was said is kept: weft nearby reports")
    show.talk(door, "  Nobody else was told: weft has no operator. If you were threatened, show it to the police.")


@options.sub(nearby)
@click.pass_obj
def reports(door: Door) -> None:
    """Lists what was kept of those whom you reported."""
    with door.connect() as client:
        found = client.call("nearby.reports")
    lines = [
        (
            row["id"],
            show.clean(row["name"]) or "(no name)",
            show.clean(row["text"]) or "(nothing)",
            show.clock(row["heard_ms"]) if row["heard_ms"] else "",
            show.clean(row["reason"]),
        )
        for row in found
    ]
    heads = ("Id", "Claimed to be", "Said", "When", "Reason")
    show.rows(door, "reports", found, show.table(door, heads, lines) if lines else "You reported nobody.")


def _list(door: Door) -> None:
    with door.connect() as client:
        found = client.call("nearby.list", within_s=LIST_S)
    lines = [
        (
            row["id"],
            show.clean(row["name"]) or "(no name)",
            row["distance"],
            show.ago(row["seen_ms"]),
            _STATES.get(row["greeting"], ""),
        )
        for row in found
    ]
    none = "Nobody else is visible here now."
    heads = ("Id", "Claims to be", "Where", "Seen", "Greeting")
    show.rows(door, "nearby", found, show.table(door, heads, lines) if lines else none)
    if found:
        show.talk(door, f"  Next: {door.typed('weft nearby greet ID TEXT')}")


def _show_standing(door: Door, told: dict[str, Any]) -> None:
    """Whether one is visible, to whom, and what does not work."""
    if not told["on"]:
        show.outcome(door, told, f"Nobody sees you. Be visible: {door.typed('weft nearby on')}")
    else:
        where = f" and in the area {told['cell']} (about 5 km)" if told["cell"] else ""
        name = f"as {show.clean(told['name'])}" if told["name"] else "without a name"
        show.outcome(
            door, told, f"✔ Visible {name} on this network{where}, {show.span(-(-told['left_s'] // 60) * 60)} left."
        )
    if told["trouble"]:
        show.talk(door, f"! Not everything works: {show.clean(told['trouble'])}.")


def _named(greeting: dict[str, Any]) -> str:
    return show.clean(greeting["name"]) or str(greeting["id"])


def _blocked(answer: dict[str, Any]) -> str:
    return show.clean(answer["contact"]) or str(answer["id"])


def _ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [str(row["id"]) for row in rows]
