"""packet: red packets for several contacts, opened one after another. Not here: paying one of them (pay.py)."""

from collections.abc import Mapping
from typing import Any

import click

from cli import debts, options, show
from cli.options import Door

_KINDS = {"random": "at random", "equal": "in equal parts"}


class Sending(click.Group):
    """`weft packet --to A,B AMOUNT UNIT`, beside its sub-commands: who names people sends."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names = any(one == "--to" or one.startswith("--to=") for one in args)
        if (names and args[0] not in self.commands) or debts.leading(self, args, self.commands["send"]):
            args = ["send", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0][:1].isdigit():
            return "send", self.commands["send"], args  # it says that nobody is named
        return super().resolve_command(ctx, args)


@click.command(cls=Sending, invoke_without_command=True)
@click.pass_context
def packet(ctx: click.Context) -> None:
    """Sends a red packet: weft packet --to ana,bo,chen 20 EUR. Whoever opens it first draws first.

    It records what you owe each other; it moves no bank money. Without a command: the packets, and what waits.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


packet.params.extend(options.shared())


@options.sub(packet, cls=debts.Owing)
@click.option("--to", "names", required=True, metavar="A,B", help="Who may open it, each once.")
@click.argument("amount")
@click.argument("unit")
@click.option("--shares", type=int, metavar="N", help="How many shares. [one for each who is named]")
@click.option("--equal/--random", "equal", default=False, help="Equal shares, or drawn ones. [random]")
@click.option("--note", default="", metavar="TEXT", help="What it is for.")
@click.pass_obj
def send(door: Door, names: str, amount: str, unit: str, shares: int | None, equal: bool, note: str) -> None:
    """Puts a packet before contacts: weft packet --to ana,bo,chen 20 EUR --shares 3.

    What nobody takes within 24 hours is yours again. Shares are drawn before anybody opens one, and all can check that.
    """
    people = [name.strip() for name in names.split(",") if name.strip()]
    with door.connect() as client:
        row = client.call("packets.send", to=people, amount=amount, unit=unit, shares=shares, equal=equal, note=note)
    text = f"• A packet of {debts.amount(row)}, {_shares(row)}, lies there until {show.clock(row['until_ms'])}."
    show.outcome(door, row, text)
    debts.said(door)
    show.talk(door, f"  Who got what: {door.typed('weft packet show ' + debts.short(row))}")


@options.sub(packet, name="open")
@click.argument("packet_id", metavar="ID")
@click.pass_obj
def open_one(door: Door, packet_id: str) -> None:
    """Opens a packet that a contact has sent, once: the first come draw first.

    It lets the sender owe you as much as the largest share needs (weft ledger shows the limit), and takes your share
    without asking again. ID is the end of the id, at least four characters.
    """
    with door.connect() as client:
        row = client.call("packets.open", id=packet_id)
    show.outcome(door, row, _line(row))
    debts.said(door)
    show.talk(door, f"  What you got: {door.typed('weft packet show ' + debts.short(row))}")


@options.sub(packet, name="list")
@click.option("--limit", "count", type=click.IntRange(0, 1000), default=50, metavar="N", help="How many. [50]")
@click.pass_obj
def list_all(door: Door, count: int) -> None:
    """Lists packets, the newest first, and what waits for you."""
    _list(door, count)


@options.sub(packet, name="show")
@click.argument("packet_id", metavar="ID")
@click.pass_obj
def show_one(door: Door, packet_id: str) -> None:
    """Shows who got what, in which order, what is left, and whether it was fair.

    Your node computes it again. Fair is meant against all but the sender, who could tell a friend when to open it.
    """
    with door.connect() as client:
        row = client.call("packets.show", id=packet_id)
    lines = [_line(row)]
    for each in row["grants"]:
        unit = show.clean(row["unit"])
        said = [f"  {each['place']}. {show.clean(each['who'])}", f"{each['amount']} {unit}"]
        said += ["luckiest"] if each["luckiest"] else []
        said += [each["state"]] if each["state"] not in ("", "settled") else []
        lines.append("  ".join(said))
    if row["remainder"]:
        whose = "yours again" if row["mine"] else "the sender's again"
        left = f"  {row['remainder']} {show.clean(row['unit'])} left"
        is_none = not row["remainder"].strip("0.")
        lines.append("  Nothing is left." if is_none else left if row["fair"] is None else f"{left}, {whose}")
    if row["fair"] and not row["mine"]:
        lines.append("✔ The sum and the draw are as they were promised.")
    show.outcome(door, row, "\n".join(lines))


def _list(door: Door, count: int = 50) -> None:
    with door.connect() as client:
        found = client.call("packets.list", limit=count)
    lines = []
    for row in found:
        lines.append(_line(row))
        if row["state"] == "waiting":
            lines.append(f"    {door.typed('weft packet open ' + debts.short(row))}")
    show.rows(door, "packets", found, "\n".join(lines) or "No packets yet.")
    if not found:
        show.talk(door, f"  Next: {door.typed('weft packet --to NAME,NAME 20 EUR')}")


def _line(row: Mapping[str, Any]) -> str:
    """A packet in one line, and in a second one what its sender did wrong."""
    who, state = show.clean(row["contact"]), row["state"]
    whose = "Your packet" if row["mine"] else f"Packet from {who}"
    mark = "✖" if row["fault"] else {"closed": "✔", "granted": "✔", "refused": "✖", "over": "✖"}.get(state, "•")
    said = [f"{mark} {whose}: {debts.amount(row)}, {_shares(row)}"]
    said += [show.clean(row["note"])] if row["note"] else []
    said += [f"you got {row['share']} {show.clean(row['unit'])}"] if row["share"] else []
    said += [f"{row['taken']} taken"] if row["mine"] else []
    said += [show.clean(row["reason"])] if row["reason"] else []
    if state == "waiting":
        said += [f"a share is at most {row['largest']}", f"until {show.clock(row['until_ms'])}"]
    line = "  ".join((*said, f"…{debts.short(row)}"))
    return f"{line}\n! {who} was not fair: {show.clean(row['fault'])}." if row["fault"] else line


def _shares(row: Mapping[str, Any]) -> str:
    return "1 share" if row["shares"] == 1 else f"{row['shares']} shares {_KINDS[row['kind']]}"
