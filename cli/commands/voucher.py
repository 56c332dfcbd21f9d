"""voucher: vouchers and gift cards that you issue, and those of others that you hold."""

import click

from cli import debts, options, show
from cli.options import Door


@options.group()
@click.pass_context
def voucher(ctx: click.Context) -> None:
    """Vouchers and gift cards: yours, who holds them, and those of others that you hold.

    A voucher is a promise of who issued it, signed by him, and not money. Without a command: the list.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(voucher, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists your vouchers, and who holds how many."""
    _list(door)


@options.sub(voucher)
@click.argument("kind", metavar="NAME")
@click.option("--decimals", type=click.IntRange(0, 4), default=0, metavar="N", help="Two for a gift card of money. [0]")
@click.pass_obj
def issue(door: Door, kind: str, decimals: int) -> None:
    """Makes a kind of voucher of yours.

    weft voucher issue coffee
    """
    with door.connect() as client:
        row = client.call("vouchers.issue", name=kind, decimals=decimals)
    show.outcome(door, row, f"✔ {show.clean(row['name'])} is a voucher of yours.")
    show.talk(door, f"  Next: {door.typed('weft voucher give CONTACT 5 ' + show.typed_name(row['name']))}")


@options.sub(voucher, cls=debts.Owing)
@click.argument("contact", metavar="CONTACT", shell_complete=options.contact_names)
@click.argument("amount")
@click.argument("kind", metavar="NAME")
@click.option("--note", default="", metavar="TEXT", help="What it is for.")
@click.pass_obj
def give(door: Door, contact: str, amount: str, kind: str, note: str) -> None:
    """Gives a contact vouchers of yours.

    weft voucher give bo 5 coffee

    He takes them with weft pay accept.
    """
    with door.connect() as client:
        row = client.call("vouchers.give", to=contact, amount=amount, name=kind, note=note)
    _moved(door, row)


@options.sub(voucher, cls=debts.Owing)
@click.argument("amount")
@click.argument("kind", metavar="NAME")
@click.option(
    "--at",
    metavar="CONTACT",
    shell_complete=options.contact_names,
    help="Who issued them, where several have vouchers of this name.",
)
@click.option("--note", default="", metavar="TEXT", help="What for.")
@click.pass_obj
def redeem(door: Door, amount: str, kind: str, at: str | None, note: str) -> None:
    """Gives vouchers back to who issued them.

    You get what they are good for: weft voucher redeem 1 coffee
    """
    with door.connect() as client:
        row = client.call("vouchers.redeem", amount=amount, name=kind, at=at, note=note)
    _moved(door, row)


def _moved(door: Door, row: dict[str, str]) -> None:
    end = row["payment"][-debts.SHORT_CHARS :]
    what = show.clean(f"{row['amount']} {row['name']}")
    who = show.clean(row["contact"])
    show.outcome(door, row, f"• Offered {what} to {who}; waits for {who} to accept it.  …{end}")
    debts.said(door)
    show.talk(door, f"  To take it back: {door.typed('weft pay recall ' + end)}")


def _list(door: Door) -> None:
    with door.connect() as client:
        rows = client.call("vouchers.list")
    lines = []
    for row in rows:
        who, what = show.clean(row["contact"]), show.clean(f"{row['amount']} {row['name']}")
        if not row["contact"]:
            lines.append(f"{show.clean(row['name'])}   yours; nobody holds any")
        else:
            lines.append(f"{what}   {'held by ' + who if row['mine'] else 'from ' + who + ', for you to redeem'}")
    show.rows(door, "vouchers", rows, "\n".join(lines) or "No vouchers.")
    if not rows:
        show.talk(door, f"  To make a kind of your own: {door.typed('weft voucher issue coffee')}")
