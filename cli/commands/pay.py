"""pay, request: owing somebody, and asking to be paid. Not here: looking at debts (ledger.py), lines (cli/debts.py)."""

import time

import click
from click.shell_completion import CompletionItem

from cli import debts, faults, options, over, show
from cli.commands import shop
from cli.faults import Failure
from cli.options import Door

MS = 1000


class Paying(click.Group):
    """`weft pay NAME AMOUNT UNIT` and `weft pay CODE`, beside its sub-commands.

    A word that is none of them is the code of an invoice, where it begins like one, or the name of a contact.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ways = [self.commands[name] for name in ("code", "invoice", "to")]
        if debts.leading(self, args, *ways):
            args = [next(filter(None, map(_by_code, args)), "to"), *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self.commands[_of(cmd_name)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return _of(args[0]), self.commands[_of(args[0])], args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = options.contact_names(ctx, self.params[0], incomplete)
        return [*(one for one in names if one.value not in self.commands), *super().shell_complete(ctx, incomplete)]


def _of(word: str) -> str:
    return _by_code(word) or "to"


def _by_code(word: str) -> str:
    """The command that pays by this code, "" for what is none."""
    return "code" if shop.is_code(word) else "invoice" if over.is_invoice(word) else ""


@click.command(cls=Paying, invoke_without_command=True, subcommand_metavar="NAME AMOUNT UNIT | COMMAND …")
@click.pass_context
def pay(ctx: click.Context) -> None:
    """Pays a contact: weft pay NAME AMOUNT UNIT, or an invoice: weft pay CODE. A contact accepts it, or it comes back.

    It records what you owe each other; it moves no bank money. Without a command: what waits.
    """
    if ctx.invoked_subcommand is None:
        _waiting(ctx.obj)


pay.params.extend(options.shared())
pay.add_command(shop.buy)
pay.add_command(shop.receipt)


@options.sub(pay, cls=debts.Owing)
@options.contact_argument
@click.argument("amount")
@click.argument("unit")
@click.option("--note", default="", metavar="TEXT", help="What it is for.")
@click.option("--within", default="24h", metavar="TIME", help="How long it may be accepted: 30m, 24h, 7d. [24h]")
@click.pass_obj
def to(door: Door, name: str, amount: str, unit: str, note: str, within: str) -> None:
    """Offers a contact an amount.

    weft pay bo 12.50 EUR --note lunch

    It is owed once he has accepted it.
    """
    expires_s = round(options.seconds_of(within))
    with door.connect() as client:
        row = client.call("payments.pay", to=name, amount=amount, unit=unit, note=note, expires_s=expires_s)
    until = show.clock(row["until_ms"])
    who = show.clean(row["contact"])
    show.outcome(door, row, f"• Offered {debts.amount(row)} to {who}, until {until}; {show.clean(row['reason'])}.")
    debts.said(door)
    show.talk(door, f"  To take it back: {door.typed('weft pay recall ' + debts.short(row))}")


@options.sub(pay)
@click.argument("code", metavar="CODE")
@click.option("--wait", default="10s", metavar="TIME", help="How long to wait for it here; it goes on anyway. [10s]")
@click.option("--yes", is_flag=True, help="Pay without asking.")
@click.pass_obj
def invoice(door: Door, code: str, wait: str, yes: bool) -> None:
    """Pays an invoice by its code: its payee, or over a contact who passes on.

    It ends with a receipt, which weft pay show ID shows again.
    """
    within_s = options.seconds_of(wait)
    with door.connect() as client:
        seen = client.call("paths.look", code=code)
        show.talk(door, f"This asks you to owe {over.said(seen)}.")
        if door.asks and not yes and not seen["state"] and not click.confirm("Pay it?", default=True, err=True):
            show.outcome(door, seen, "Nothing was paid.")
            return
        client.watch(over.TOPIC)
        row = over.awaited(door, client, client.call("paths.pay", code=code), within_s)
    if row["state"] == "failed":
        said = f"Nothing was paid: {show.clean(row['reason'])}."
        raise Failure("path.failed", said, next="weft ledger", exit=faults.FAILED, data={"payment": row})
    show.outcome(door, row, over.line(row))
    debts.said(door)
    if row["state"] in over.GOING:
        show.talk(door, f"  It goes on by itself. To look: {door.typed('weft pay show ' + debts.short(row))}")
    else:
        show.talk(door, f"  The receipt: {door.typed('weft pay show ' + debts.short(row))}")


@options.sub(pay, name="show")
@click.argument("payment", metavar="ID")
@click.pass_obj
def show_one(door: Door, payment: str) -> None:
    """Shows a payment, a request or an invoice by the end of its id, with its receipt."""
    with door.connect() as client:
        try:
            row = client.call("paths.show", id=payment)
        except Failure as failure:
            if failure.code != "path.unknown":
                raise
            row = client.call("payments.show", id=payment)
    if "code" in row:
        text = f"{over.asking(row)}\n{row['code']}"
    elif "preimage" in row:
        text = over.line(row) + over.receipt(row)
    else:
        text = debts.line(row) if "until_ms" in row else debts.wish(row)
    show.outcome(door, row, text)


@options.sub(pay)
@click.pass_obj
def requests(door: Door) -> None:
    """Lists what waits, for you and for others."""
    _waiting(door)


@options.sub(pay)
@click.argument("payment", metavar="ID")
@click.pass_obj
def accept(door: Door, payment: str) -> None:
    """Takes an offer, or pays a request.

    ID is the end of the id, at least four characters.
    """
    with door.connect() as client:
        row = client.call("payments.accept", id=payment)
    show.outcome(door, row, debts.line(row))
    debts.said(door)


@options.sub(pay)
@click.argument("payment", metavar="ID")
@click.pass_obj
def decline(door: Door, payment: str) -> None:
    """Turns down an offer, or a request."""
    _end(door, "payments.decline", payment)


@options.sub(pay)
@click.argument("payment", metavar="ID")
@click.pass_obj
def recall(door: Door, payment: str) -> None:
    """Takes back an offer or request of yours.

    An offer can be taken back until it was accepted. It has come back once the contact's node has seen that.
    """
    _end(door, "payments.recall", payment)


@options.sub(pay, cls=debts.Owing)
@click.argument("payment", metavar="ID")
@click.argument("amount", required=False)
@click.pass_obj
def refund(door: Door, payment: str, amount: str | None) -> None:
    """Gives back what you received.

    All that is left of a payment, or AMOUNT of it.
    """
    with door.connect() as client:
        row = client.call("payments.refund", id=payment, amount=amount)
    show.outcome(door, row, debts.line(row))
    debts.said(door)


@options.sub(pay)
@click.argument("request", metavar="ID")
@click.pass_obj
def remind(door: Door, request: str) -> None:
    """Reminds a contact of what you ask him to pay. One a day counts."""
    with door.connect() as client:
        row = client.call("bills.remind", id=request)
    show.outcome(door, row, f"✔ {show.clean(row['contact'])} is reminded.")


@options.command(cls=debts.Owing)
@options.contact_argument
@click.argument("amount")
@click.argument("unit")
@click.option("--for", "note", default="", metavar="TEXT", help="What it is for.")
@click.option("--within", metavar="TIME", help="By when: 24h, 7d.")
@click.pass_obj
def request(door: Door, name: str, amount: str, unit: str, note: str, within: str | None) -> None:
    """Asks a contact to pay you: weft request bo 8 EUR --for cinema.

    What he pays for it is accepted without asking you again.
    """
    due_ms = None if within is None else round((time.time() + options.seconds_of(within)) * MS)
    with door.connect() as client:
        row = client.call("payments.ask", to=name, amount=amount, unit=unit, note=note, due_ms=due_ms)
    show.outcome(door, row, debts.wish(row))
    debts.said(door)


def _end(door: Door, method: str, payment: str) -> None:
    with door.connect() as client:
        row = client.call(method, id=payment)
    show.outcome(door, row, debts.line(row) if "until_ms" in row else debts.wish(row))


def _waiting(door: Door) -> None:
    with door.connect() as client:
        found = client.call("payments.requests")
    lines = []
    for row in found["offers"]:
        lines += [debts.line(row), f"    {door.typed('weft pay accept ' + debts.short(row))}"]
    for row in found["asked"]:
        lines.append(debts.wish(row))
        if row["state"] == "open":
            lines.append(f"    {door.typed('weft pay accept ' + debts.short(row))}")
    lines += [debts.wish(row) for row in found["asking"]]
    lines += [debts.line(row) for row in found["open"]]
    show.outcome(door, found, "\n".join(lines) or "Nothing waits.")
    if not any(found.values()):
        show.talk(door, f"  Next: {door.typed('weft pay NAME AMOUNT UNIT')}")
