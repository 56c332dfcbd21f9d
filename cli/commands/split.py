"""split: a bill that you paid, shared with others. Not here: paying a share (pay.py)."""

from collections.abc import Mapping
from typing import Any

import click

from cli import debts, faults, options, show
from cli.options import Door

LIST_MAX = 100
ROW_MAX = 2**53  # what a call carries
_MARKS = {"paid": "✔", "refused": "✖", "withdrawn": "✖", "lapsed": "✖", "lost": "✖"}
_STATES = {
    "open": "not paid yet",
    "paying": "on its way",
    "lapsed": "given up with the old ledger",
    "lost": "is in no ledger any more",
}


class Splitting(click.Group):
    """`weft split AMOUNT UNIT NAME…`, beside its sub-commands: a word that is none of them is an amount."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_new = debts.leading(self, args, self.commands["new"])
        return super().parse_args(ctx, ["new", *args] if is_new else args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self.commands["new"]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return "new", self.commands["new"], args
        return super().resolve_command(ctx, args)


@click.command(cls=Splitting, invoke_without_command=True)
@click.pass_context
def split(ctx: click.Context) -> None:
    """Splits a bill that you paid: weft split 90 EUR bo chen --receipt dinner.

    You bear a share yourself, unless you say --without-me: 90 EUR with bo and chen is 30 for each of you three, and
    both are asked for 30. They see the total, among how many it is, and the text, but not who the others are. To
    change a bill, stop it and split anew. It records what you owe each other; it moves no bank money.

    All options: weft split new --help. Without a command: your bills, and who has paid.
    """
    if ctx.invoked_subcommand is None:
        _bills(ctx.obj, LIST_MAX // 5, None)


split.params.extend(options.shared())


@options.sub(split, cls=debts.Owing)
@click.argument("amount")
@click.argument("unit")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=options.contact_names)
@click.option(
    "--weights", metavar="2,1,1", help="How much each bears, in order; one more at the end is yours. [1 for each]"
)
@click.option("--me/--without-me", "with_me", default=True, help="Whether you bear a share yourself. [--me]")
@click.option("--receipt", default="", metavar="TEXT", help="What it was for; all who are asked see it.")
@click.pass_obj
def new(
    door: Door, amount: str, unit: str, names: tuple[str, ...], weights: str | None, with_me: bool, receipt: str
) -> None:
    """Asks each of these contacts for his share: weft split 90 EUR bo chen.

    You bear a share yourself, unless you say --without-me. All are asked, or none.
    """
    given = None if weights is None else _weights(weights)
    with door.connect() as client:
        row = client.call(
            "bills.split",
            amount=amount,
            unit=unit,
            names=[*names],
            weights=given,
            with_me=with_me,
            receipt=receipt,
        )
    show.outcome(door, row, _whole(row))
    debts.said(door)
    _allowing(door, row)
    show.talk(door, f"  Who has paid: {door.typed('weft split show ' + debts.short(row))}")


@options.sub(split, name="list")
@click.option("--limit", "count", type=click.IntRange(1, LIST_MAX), default=20, metavar="N", help="How many. [20]")
@click.option("--before", type=click.IntRange(0, ROW_MAX), metavar="ROW", help="Go on from where the last list ended.")
@click.pass_obj
def list_all(door: Door, count: int, before: int | None) -> None:
    """Lists your bills, the newest first: what was paid, and what is missing."""
    _bills(door, count, before)


@options.sub(split, name="show")
@click.argument("bill", metavar="ID")
@click.pass_obj
def show_one(door: Door, bill: str) -> None:
    """Shows a bill: who has paid, who has not, who refused, and what is missing.

    ID is the end of the id, at least four characters.
    """
    with door.connect() as client:
        row = client.call("bills.show", id=bill)
    show.outcome(door, row, _whole(row))
    _allowing(door, row)


@options.sub(split)
@click.argument("bill", metavar="ID")
@click.pass_obj
def stop(door: Door, bill: str) -> None:
    """Takes back what nobody has paid yet. What was paid stays: weft pay refund gives it back."""
    with door.connect() as client:
        row = client.call("bills.stop", id=bill)
    show.outcome(door, row, _whole(row))
    for share in row["shares"]:
        if share["state"] == "paid":
            typed = f"weft pay refund {share['paid_by'][-debts.SHORT_CHARS :]}"
            show.talk(door, f"  To give {show.clean(share['contact'])} his share back: {door.typed(typed)}")


def _bills(door: Door, count: int, before: int | None) -> None:
    with door.connect() as client:
        found = client.call("bills.list", limit=count, before=before)
    show.rows(door, "bills", found, "\n".join(map(_line, found)) or "No bills yet.")
    if not found:
        show.talk(door, f"  Next: {door.typed('weft split 90 EUR NAME NAME')}")
    elif len(found) == count:
        show.talk(door, f"  More: {door.typed('weft split list --before ' + str(found[-1]['row']))}")


def _line(row: Mapping[str, Any]) -> str:
    """A bill in one line."""
    paid = sum(share["state"] == "paid" for share in row["shares"])
    mark = "✔" if not row["missing_minor"] else "✖" if row["state"] == "stopped" else "•"
    said = [f"{mark} {debts.amount(row)} among {row['people']}"]
    said += [show.clean(row["receipt"])] if row["receipt"] else []
    said.append(f"{paid} of {len(row['shares'])} have paid")
    said += [f"{row['missing']} {show.clean(row['unit'])} missing"] if row["missing_minor"] else []
    said += ["stopped"] if row["state"] == "stopped" else []
    return "  ".join((*said, f"…{debts.short(row)}"))


def _whole(row: Mapping[str, Any]) -> str:
    """A bill with everybody's share."""
    unit = show.clean(row["unit"])
    lines = [_line(row)]
    if row["own_minor"]:
        lines.append(f"    You: {row['own']} {unit}")
    for share in row["shares"]:
        said = f"  {_MARKS.get(share['state'], '•')} {show.clean(share['contact'])}: {share['amount']} {unit}"
        said += f"  {_STATES.get(share['state'], share['state'])}"
        said += f"  reminded {show.ago(share['reminded_ms'])}" if share["reminded_ms"] else ""
        lines.append(f"{said}  …{debts.short(share)}")
    return "\n".join(lines)


def _allowing(door: Door, row: Mapping[str, Any]) -> None:
    """Says who cannot pay before he may owe more, and how he may."""
    for share in row["shares"]:
        if share["allow"]:
            name, needed = show.clean(share["contact"]), f"{share['allow']} {show.clean(row['unit'])}"
            typed = f"weft ledger limit {show.typed_name(share['contact'])} {needed}"
            show.talk(door, f"! {name} may not owe you so much yet. So that he can pay: {door.typed(typed)}")


def _weights(text: str) -> list[int]:
    """Whole numbers with commas between. Raises: Failure."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise faults.usage(
            f"Weights are whole numbers with commas between, such as 2,1,1, not {faults.quoted(text)!r}."
        )
    return [int(part) for part in parts]
