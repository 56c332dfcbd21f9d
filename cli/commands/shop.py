"""shop, and what a customer types with the code of one: offers, sales, purchases, receipts.

Not here: paying contacts (pay.py), codes of single invoices.
"""

import time
from typing import Any

import click

from cli import debts, faults, options, show
from cli.client import Client
from cli.faults import Failure
from cli.options import Door

PREFIX = "WEFT:S/"  # as protocol/pay_code.py has it, which is too heavy for a door
CHANGED = "shop.purchases"
SOON_S = 5.0  # what a customer waits at the counter without --wait
TICK_S = 1.0
LINK_S = 365 * 86_400
_MARKS = {"paid": "✔", "ordered": "•", "paying": "•", "asked": "•", "invoiced": "•"}
_OPEN = ("ordered", "paying")


def is_code(text: str) -> bool:
    """Whether this is the code of a shop, or the beginning of one."""
    return text.strip().upper().startswith(PREFIX)


@options.group()
@click.pass_context
def shop(ctx: click.Context) -> None:
    """Sells things by codes: what you sell, to whom, and what you bought at shops of contacts.

    It records what people owe each other; it moves no bank money. Without a command: what you sell and sold.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(shop, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists what you sell, with what was sold of it."""
    _list(door)


@options.sub(shop, cls=debts.Owing)
@click.argument("title", metavar="TITLE")
@click.argument("amount", required=False)
@click.argument("unit", required=False)
@click.option("--qr", is_flag=True, help="Draw the code as a QR code too, for the counter.")
@click.option("--link/--no-link", default=True, help="Let strangers ask by the code to become contacts. [link]")
@click.pass_obj
def offer(door: Door, title: str, amount: str | None, unit: str | None, qr: bool, link: bool) -> None:
    """Makes a code for the counter: weft shop offer coffee 2.80 EUR.

    With 0, or with the unit alone, each customer says how much: weft shop offer donation EUR.
    """
    if amount is not None and unit is None:
        amount, unit = "", amount
    if unit is None or not unit.strip("−.0123456789"):
        raise faults.usage("Say what it costs and in which unit, as in: weft shop offer coffee 2.80 EUR.")
    with door.connect() as client:
        inviting = _link(client) if link else ""
        row = client.call("shop.offer", title=title, amount=amount or "", unit=unit, link=inviting)
    drawn = show.code(row["code"]) if qr else ""
    show.outcome(door, row, f"{drawn}{row['code']}")
    costs = f"{row['amount']} {row['unit']}" if row["amount"] else f"what the customer says, in {row['unit']}"
    show.talk(door, f"  {show.clean(row['title'])}, {show.clean(costs)}  …{debts.short(row)}")
    show.talk(door, f"  Customers type: {door.typed('weft pay CODE')}")
    if not row["unit"].startswith("v:"):  # who holds vouchers pays with them, and owes nothing
        show.talk(door, f"  How much each may owe you: {door.typed('weft ledger limit NAME 50 ' + row['unit'])}")
    debts.said(door)


@options.sub(shop)
@click.argument("thing", metavar="ID")
@click.option("--qr", is_flag=True, help="Draw the code as a QR code too, for the counter.")
@click.pass_obj
def code(door: Door, thing: str, qr: bool) -> None:
    """Shows the code of something that you sell again.

    ID is the end of its id, at least four characters.
    """
    with door.connect() as client:
        rows = [row for row in client.call("shop.list") if row["id"].endswith(thing.upper())]
    if len(rows) != 1 or len(thing) < 4:
        said = f"{len(rows) or 'None'} of the things that you sell end in {faults.quoted(thing)!r}."
        raise Failure("shop.unknown", said, next="weft shop", exit=faults.UNKNOWN_NAME)
    show.outcome(door, rows[0], f"{show.code(rows[0]['code']) if qr else ''}{rows[0]['code']}")


@options.sub(shop)
@click.argument("thing", metavar="ID")
@click.pass_obj
def close(door: Door, thing: str) -> None:
    """Sells something no more; what was ordered before can still be paid.

    ID is the end of its id, at least four characters.
    """
    with door.connect() as client:
        row = client.call("shop.close", id=thing)
    show.outcome(door, row, f"✔ {show.clean(row['title'])} is sold no more.")


@options.sub(shop)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many at most. [50]")
@click.pass_obj
def sales(door: Door, limit: int) -> None:
    """Lists who ordered what, the newest first, with what was given back."""
    with door.connect() as client:
        rows = client.call("shop.sales", limit=limit)
    lines = [_line(row, row["contact"]) for row in rows]
    show.rows(door, "sales", rows, "\n".join(lines) or "Nothing was sold yet.")


@options.sub(shop)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many at most. [50]")
@click.pass_obj
def bought(door: Door, limit: int) -> None:
    """Lists what you ordered at shops of contacts, the newest first."""
    with door.connect() as client:
        rows = client.call("shop.bought", limit=limit)
    lines = [_line(row, row["shop"]) for row in rows]
    show.rows(door, "bought", rows, "\n".join(lines) or "Nothing was bought yet.")


@options.sub(shop)
@click.argument("order", metavar="ID")
@click.pass_obj
def cancel(door: Door, order: str) -> None:
    """Takes back an order that waits for a shop: nothing is paid for it."""
    with door.connect() as client:
        row = client.call("shop.cancel", id=order)
    show.outcome(door, row, _line(row, row["shop"]))


@options.sub(shop)
@click.argument("payment", metavar="ID")
@click.pass_obj
def receipt(door: Door, payment: str) -> None:
    """Shows the receipt for a payment to a shop, yours or another's.

    ID is the end of the payment's id, at least four characters.
    """
    with door.connect() as client:
        row = client.call("shop.receipt", id=payment)
    who = show.clean(row["contact"])
    total = show.clean(f"{row['amount']} {row['unit']}")
    head = f"Receipt of {who} for you" if row["mine"] else f"Your receipt for {who}"
    lines = [f"{head}, {show.clock(row['at_ms'])}", *(f"  {show.clean(one)}" for one in row["lines"].splitlines())]
    lines.append(f"  paid  {total}")
    if _is_some(row["refunded"]):
        lines.append(f"  given back  {show.clean(row['refunded'] + ' ' + row['unit'])}")
    lines.append(f"  payment {row['payment']}")
    lines.append(f"  invoice {row['invoice']}")
    show.outcome(door, row, "\n".join(lines))


@options.command(name="code", cls=debts.Owing)
@click.argument("code", metavar="CODE")
@click.option("--quantity", type=click.IntRange(1, 1000), default=1, metavar="N", help="How many. [1]")
@click.option("--tip", default="", metavar="AMOUNT", help="What you add.")
@click.option("--amount", nargs=2, metavar="AMOUNT UNIT", help="How much, for a code without a price.")
@click.option("--note", default="", metavar="TEXT", help="A line for the shop.")
@click.option("--key", default="", metavar="TEXT", help="The same key is the same order, however often it is typed.")
@click.option("--wait", callback=options.seconds, metavar="TIME", help="Wait so long until it is paid; code 6 if not.")
@click.pass_obj
def buy(
    door: Door,
    code: str,
    quantity: int,
    tip: str,
    amount: tuple[str, str] | None,
    note: str,
    key: str,
    wait: float | None,
) -> None:
    """Pays at a shop by its code: weft pay WEFT:S/… --quantity 2 --tip 0.50.

    Typed again while it waits, it is the same order: nothing is paid twice.
    """
    worth, unit = amount or ("", "")
    with door.connect() as client:
        client.watch(CHANGED, debts.PAYMENT)
        row = client.call(
            "shop.buy", code=code, quantity=quantity, tip=tip, amount=worth, unit=unit, note=note, key=key
        )
        row = _await(door, client, row, SOON_S if wait is None else wait)
    short = f"…{debts.short(row)}"
    if row["state"] not in (*_OPEN, "paid"):
        said = f"Nothing was paid: {show.clean(row['reason']) or row['state']}."
        raise Failure("shop.refused", said, next="weft shop bought", exit=faults.REFUSED, data={"order": row})
    if wait is not None and row["state"] != "paid":
        said = f"Not paid after {show.span(wait)}: it {show.clean(row['reason'])}. It goes on by itself.  {short}"
        raise Failure("shop.waits", said, next="weft shop bought", exit=faults.NOT_DELIVERED, data={"order": row})
    show.outcome(door, row, _line(row, row["shop"]))
    debts.said(door)
    if row["state"] == "paid":
        show.talk(door, f"  The receipt: {door.typed('weft pay receipt ' + row['payment'][-debts.SHORT_CHARS :])}")
    elif row["state"] == "ordered":
        show.talk(door, f"  To take it back: {door.typed('weft shop cancel ' + debts.short(row))}")


def _await(door: Door, client: Client, row: dict[str, Any], within_s: float) -> dict[str, Any]:
    """The order as it stands when it is paid or over, or when the time is."""
    deadline = time.monotonic() + within_s
    while row["state"] in _OPEN and (left_s := deadline - time.monotonic()) > 0:
        show.passing(door, f"{show.clean(row['shop'])}: {show.clean(row['reason'])}…")
        for _ in client.changes(within_s=min(left_s, TICK_S)):
            break
        found = [one for one in client.call("shop.bought", limit=1000) if one["id"] == row["id"]]
        row = found[0] if found else row
    show.passing(door, "")
    return row


def _link(client: Client) -> str:
    """A link for strangers: one that stands in another code of ours, or a new one."""
    known: str = client.call("shop.link")["link"]
    return known or str(client.call("contacts.invite", kind="long-term", expires_s=LINK_S)["link"])


def _list(door: Door) -> None:
    with door.connect() as client:
        rows = client.call("shop.list")
    lines = []
    for row in rows:
        costs = f"{row['amount']} {row['unit']}" if row["amount"] else f"as the customer says, {row['unit']}"
        said = f"{show.clean(row['title'])}  {show.clean(costs)}  {row['sold']} sold"
        said += f", {show.clean(row['taken'] + ' ' + row['unit'])}" if row["sold"] else ""
        lines.append(f"{said}{'  closed' if row['closed'] else ''}  …{debts.short(row)}")
    show.rows(door, "offers", rows, "\n".join(lines) or "You sell nothing.")
    if not rows:
        show.talk(door, f"  Next: {door.typed('weft shop offer coffee 2.80 EUR --qr')}")


def _line(row: dict[str, Any], who: str) -> str:
    """A sale or a purchase in one line."""
    said = [f"{_MARKS.get(row['state'], '✖')} {row['quantity']} × {show.clean(row['title'])}"]
    said.append(show.clean(f"{row['amount']} {row['unit']}"))
    said += [f"with a tip of {show.clean(row['tip'])}"] if _is_some(row["tip"]) else []
    said.append(show.clean(who))
    said += [show.clean(row["note"])] if row["note"] else []
    said.append(row["state"] + (f": {show.clean(row['reason'])}" if row["reason"] else ""))
    said += [f"{show.clean(row['refunded'])} given back"] if _is_some(row["refunded"]) else []
    said.append(f"payment …{row['payment'][-debts.SHORT_CHARS :]}" if row["payment"] else f"…{debts.short(row)}")
    return "  ".join(said)


def _is_some(amount: str) -> bool:
    return bool(amount.strip("0."))
