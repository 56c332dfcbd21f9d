"""pay, request: owing somebody, and asking to be paid. Not here: looking at debts (ledger.py), lines (cli/debts.py)."""

import time

import click
from click.shell_completion import CompletionItem

from cli import debts, options, show
from cli.options import Door

MS = 1000


class Paying(click.Group):
    """`weft pay NAME AMOUNT UNIT`, beside its sub-commands: a word that is none of them is the name of a contact."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self.commands["to"]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return "to", self.commands["to"], args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = options.contact_names(ctx, self.params[0], incomplete)
        return [*(one for one in names if one.value not in self.commands), *super().shell_complete(ctx, incomplete)]


@click.command(cls=Paying, invoke_without_command=True, subcommand_metavar="NAME AMOUNT UNIT | COMMAND …")
@click.pass_context
def pay(ctx: click.Context) -> None:
    """Pays a contact: weft pay NAME AMOUNT UNIT. He accepts it, or it comes back after a day.

    It records what you owe each other; it moves no bank money. Without a command: what waits.
    """
    if ctx.invoked_subcommand is None:
        _waiting(ctx.obj)


pay.params.extend(options.shared())


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
