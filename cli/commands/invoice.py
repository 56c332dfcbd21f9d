"""invoice: a code by which others pay you, contacts and friends of friends. Not here: paying one (pay.py)."""

import click

from cli import debts, faults, options, over, show
from cli.options import Door


@options.command(cls=debts.Owing)
@click.argument("amount", required=False)
@click.argument("unit", required=False)
@click.option("--for", "note", default="", metavar="TEXT", help="What it is for.")
@click.option("--within", default="24h", metavar="TIME", help="How long it can be paid: 30m, 24h, 7d. [24h]")
@click.option("--qr", is_flag=True, help="Draw the code as a QR code too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, metavar="N", help="How many are listed. [20]")
@click.pass_obj
def invoice(door: Door, amount: str | None, unit: str | None, note: str, within: str, qr: bool, limit: int) -> None:
    """Makes a code by which you are paid once: weft invoice 8 EUR --for tickets. Without an amount: your invoices.

    A contact pays it directly, others over contacts of yours who pass on.
    """
    if amount is None:
        _list(door, limit)
        return
    if unit is None:
        raise faults.usage("An invoice is of an amount and a unit, as in: weft invoice 8 EUR.")
    valid_s = round(options.seconds_of(within))
    with door.connect() as client:
        row = client.call("paths.invoice", amount=amount, unit=unit, note=note, valid_s=valid_s)
    drawn = show.code(row["code"]) if qr else ""
    show.outcome(door, row, f"{drawn}{row['code']}")
    show.talk(door, f"  {debts.amount(row)}, to be paid once, until {show.clock(row['until_ms'])}  …{debts.short(row)}")
    debts.said(door)


def _list(door: Door, limit: int) -> None:
    with door.connect() as client:
        found = client.call("paths.invoices", limit=limit)
    show.rows(door, "invoices", found, "\n".join(map(over.asking, found)) or "No invoices yet.")
    if not found:
        show.talk(door, f"  Next: {door.typed('weft invoice 8 EUR --for tickets')}")
