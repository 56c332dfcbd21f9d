"""ledger: what you and your contacts owe each other, and how it came to that. Not here: paying (pay.py)."""

import os
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cli import anew, debts, faults, files, options, over, show
from cli.client import Client
from cli.options import Door, Form

HISTORY_MAX = 1000
ROW_MAX = 2**53  # what a call carries
PAGE = 50
STATEMENT_S = 60.0  # the PDF of a year takes seconds


@options.group()
@click.pass_context
def ledger(ctx: click.Context) -> None:
    """What you and your contacts owe each other. It records debts; it moves no bank money.

    Without a command: the balances.
    """
    if ctx.invoked_subcommand is None:
        _balances(ctx.obj)


@options.sub(ledger, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists balances, and what is on its way."""
    _balances(door)


@options.sub(ledger, cls=debts.Owing)
@options.contact_argument
@click.argument("amount")
@click.argument("unit")
@click.pass_obj
def limit(door: Door, name: str, amount: str, unit: str) -> None:
    """Lets a contact owe you, up to an amount.

    weft ledger limit bo 100 EUR

    It is 0 at first. Whatever you accept from then on stays within it, whoever is offline.
    """
    with door.connect() as client:
        row = client.call("payments.limit", to=name, amount=amount, unit=unit)
    who, unit_ = show.clean(row["contact"]), show.clean(row["unit"])
    show.outcome(door, row, f"✔ {who} may owe you at most {row['allowed']} {unit_}; now {debts.standing(row)}.")
    debts.said(door)


@options.sub(ledger, cls=debts.Owing)
@options.contact_argument
@click.argument("amount")
@click.argument("unit")
@click.option("--how", default="cash", metavar="TEXT", help="How it was handed over. [cash]")
@click.pass_obj
def settle(door: Door, name: str, amount: str, unit: str, how: str) -> None:
    """Notes that cash or goods changed hands.

    weft ledger settle bo 30 EUR --how cash

    If you owed, the contact confirms it; if he owed, it counts as soon as his node knows.
    """
    with door.connect() as client:
        row = client.call("payments.settle", to=name, amount=amount, unit=unit, how=how)
    show.outcome(door, row, debts.line(row) if "until_ms" in row else debts.wish(row))
    debts.said(door)


@options.sub(ledger, cls=debts.Owing)
@options.contact_argument
@click.option("--i-owe", "mine", nargs=2, multiple=True, metavar="AMOUNT UNIT", help="What you then owe; repeatable.")
@click.option("--they-owe", "theirs", nargs=2, multiple=True, metavar="AMOUNT UNIT", help="What you are then owed.")
@click.option("--even", is_flag=True, help="Nobody then owes anything.")
@click.option("--agree", is_flag=True, help="Agree to what the contact proposes.")
@click.option("--reason", default="", metavar="TEXT", help="Why; the contact reads it.")
@click.pass_obj
def reset(
    door: Door,
    name: str,
    mine: tuple[tuple[str, str], ...],
    theirs: tuple[tuple[str, str], ...],
    even: bool,
    agree: bool,
    reason: str,
) -> None:
    """Begins a ledger anew that cannot go on: weft ledger reset bo --i-owe 12.50 EUR --reason "a broken disk".

    You propose what is owed then, and it is in force once the contact has agreed. What is open is given up; what was
    paid stays in the history.
    """
    if [bool(mine or theirs), even, agree].count(True) != 1:
        raise click.UsageError("Say what is owed then (--i-owe, --they-owe), or --even, or --agree.")
    with door.connect() as client:
        if agree:
            row = client.call("payments.agree", to=name)
        else:
            sides = (("me", mine), ("them", theirs))
            owed = [{"amount": amount, "unit": unit, "by": by} for by, rows in sides for amount, unit in rows]
            row = client.call("payments.reset", to=name, owed=owed, reason=reason)
    show.outcome(door, row, anew.answered(row))
    debts.said(door)


@options.sub(ledger)
@click.argument("name", required=False, shell_complete=options.contact_names)
@click.option("--limit", "count", type=click.IntRange(0, HISTORY_MAX), default=PAGE, metavar="N", help="How many. [50]")
@click.option("--before", type=click.IntRange(0, ROW_MAX), metavar="ROW", help="Go on from where the last list ended.")
@click.pass_obj
def history(door: Door, name: str | None, count: int, before: int | None) -> None:
    """Lists payments, the newest first.

    Those with one contact, or with all.
    """
    with door.connect() as client:
        found = client.call("payments.history", to=name, limit=count, before=before)
    show.rows(door, "payments", found, debts.past(found) or "No payments yet.")
    if len(found) == count and count:
        of = "" if name is None else f" {show.typed_name(name)}"
        pages = "" if count == PAGE else f" --limit {count}"
        show.talk(door, f"  More: {door.typed(f'weft ledger history{of}{pages} --before ')}{found[-1]['row']}")


@options.sub(ledger)
@click.argument("file", metavar="[FILE]", default="-", type=click.Path(allow_dash=True))
@click.option(
    "--format", "form", type=click.Choice(["hledger", "beancount", "csv"]), required=True, help="Who reads it."
)
@click.option("--with", "name", metavar="NAME", shell_complete=options.contact_names, help="With one contact alone.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def export(door: Door, file: str, form: str, name: str | None, force: bool) -> None:
    """Writes books for other programs.

    All that was settled goes into FILE, or to stdout without one.
    """
    with door.connect() as client:
        first = client.call("books.export", form=form, to=name, east_min=_east_min())
        _hand_out(door, file, _parts(client, first), force, f"weft ledger export --format {form}{_with(name)} FILE")


@options.sub(ledger)
@click.option("--month", metavar="2026-11", help="A month, or a year: 2026. [this month]")
@click.option("--with", "name", metavar="NAME", shell_complete=options.contact_names, help="With one contact alone.")
@click.option("--pdf", "file", metavar="FILE", type=click.Path(), help="Write a PDF instead of text.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def statement(door: Door, month: str | None, name: str | None, file: str | None, force: bool) -> None:
    """Shows a month or a year.

    Where it began, what changed, where it ended.
    """
    month = month or time.strftime("%Y-%m")
    form = "text" if file is None else "pdf"
    _check_binary(door, file)
    with door.connect() as client:
        first = client.call(
            "books.statement", within_s=STATEMENT_S, month=month, form=form, to=name, east_min=_east_min()
        )
        again = f"weft ledger statement --month {month}{_with(name)} --pdf FILE"
        _hand_out(door, "-" if file is None else file, _parts(client, first), force, again)


@options.sub(ledger)
@click.argument("payment", metavar="ID")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def evidence(door: Door, payment: str, file: str, force: bool) -> None:
    """Writes evidence of a payment into FILE.

    It shows to anybody what became of this payment, and of no other.
    Who gets it needs no weft: docs/verify_payment.py, 200 lines, checks it.
    """
    _check_binary(door, file)
    with door.connect() as client:
        first = client.call("books.evidence", id=payment)
        _hand_out(door, file, _parts(client, first), force, f"weft ledger evidence {payment} FILE")
    show.talk(door, "! Whoever gets the file can read this payment, and show it to others.")
    show.talk(door, "  Anybody can examine it, with Python and two libraries (pip install pynacl cbor2):")
    show.talk(door, f"  python3 docs/verify_payment.py < {show.typed_name(file)}")


def _with(name: str | None) -> str:
    """The option of one contact alone, as it is typed."""
    return "" if name is None else f" --with {show.typed_name(name)}"


def _check_binary(door: Door, file: str | None) -> None:
    """Raises: Failure, where a file that is no text would go to a terminal or into JSON."""
    if file == "":
        raise faults.usage("The name of the file is missing; nothing was written.")
    if file == "-" and (door.form is not Form.TEXT or sys.stdout.isatty()):
        raise faults.usage("The file is binary: name a FILE, or lead stdout into one, without --json.")


@options.sub(ledger, cls=debts.Owing)
@click.argument("name", required=False, shell_complete=options.contact_names)
@click.argument("each", required=False)
@click.argument("total", required=False)
@click.argument("unit", required=False)
@click.pass_obj
def forward(door: Door, name: str | None, each: str | None, total: str | None, unit: str | None) -> None:
    """Passes on payments of others over a contact: weft ledger forward bo 20 100 EUR. Without an amount: the list.

    At most EACH of one payment and TOTAL at once; "off" in place of EACH ends it. It is off at first.
    """
    with door.connect() as client:
        if name is None or each is None:
            found = client.call("paths.forwards", to=name)
            lines = [f"{show.clean(row['contact'])}: {_caps(row)}" for row in found]
            show.rows(door, "forwards", found, "\n".join(lines) or "You pass on nothing for others.")
        elif each == "off":
            row = client.call("paths.unforward", to=name)
            show.outcome(door, row, f"✔ Nothing is passed on over {show.clean(row['contact'])} any more.")
        elif total is None or unit is None:
            raise faults.usage("Say how much of one payment, how much at once, and the unit: forward bo 20 100 EUR.")
        else:
            row = client.call("paths.forward", to=name, each=each, total=total, unit=unit)
            show.outcome(door, row, f"✔ Payments of others may go over {show.clean(row['contact'])}: {_caps(row)}.")
            debts.said(door)


@options.sub(ledger)
@click.argument("unit", required=False)
@click.option("--wait", default="60s", metavar="TIME", help="How long to look. [60s]")
@click.pass_obj
def simplify(door: Door, unit: str | None, wait: str) -> None:
    """Finds rings of debts and clears them: Bo owes you, Chen owes Bo, you owe Chen. Nobody owes more afterwards."""
    deadline = time.monotonic() + options.seconds_of(wait)
    done: list[dict[str, Any]] = []
    with door.connect() as client:
        client.watch(over.TOPIC)
        while rows := client.call("paths.simplify", unit=unit):
            ended = [over.awaited(door, client, row, max(0.0, deadline - time.monotonic())) for row in rows]
            done += ended
            if not any(row["state"] == "paid" for row in ended) or time.monotonic() >= deadline:
                break
    shown = [row for row in done if row["state"] != "failed"] or done
    none = "No ring: there is no unit in which you owe somebody and somebody owes you."
    show.rows(door, "rings", done, "\n".join(map(over.line, shown)) or none)
    if done and not any(row["state"] in ("paid", *over.GOING) for row in done):
        typed = door.typed("weft ledger forward NAME 20 100 " + show.clean(done[0]["unit"]))
        show.talk(door, f"  A ring is found over who passes payments on, each of them by: {typed}")


def _caps(row: dict[str, Any]) -> str:
    unit = show.clean(row["unit"])
    return f"at most {row['each']} {unit} of one, {row['total']} {unit} at once"


def _parts(client: Client, first: dict[str, Any]) -> Iterator[bytes]:
    """All that the node has made, part by part."""
    one = first
    yield b64decode(one["part"])
    while one["next"] is not None:
        one = client.call("books.part", token=one["token"], offset=one["next"])
        yield b64decode(one["part"])


def _hand_out(door: Door, file: str, parts: Iterator[bytes], force: bool, again: str) -> None:
    """Writes what was made to stdout or to a file. again: the command, its last word FILE."""
    if file != "-":
        forced = f"{again.removesuffix('FILE')}{show.typed_name(file)} --force"
        size = files.store(door, Path(file), parts, force, again, forced)
        found = {"file": os.path.abspath(file), "bytes": size}
        show.outcome(door, found, f"✔ Written: {show.clean(os.path.abspath(file))} ({size:,} bytes)")
        return
    if door.form is not Form.TEXT:
        show.outcome(door, {"text": b"".join(parts).decode()}, "")
        return
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def _east_min() -> int:
    """The zone of this terminal, in minutes east of UTC."""
    return round((time.localtime().tm_gmtoff or 0) / 60)


def _balances(door: Door) -> None:
    with door.connect() as client:
        found = client.call("payments.balances")
        forwards = client.call("paths.forwards", to=None)
    lines = []
    for row in found["balances"]:
        lines += [debts.standing(row), f"    he may owe you {row['allowed']}, you may owe him {row['credit']}"]
    if found["reserved"]:
        lines += ["", "On its way, each a part of somebody's limit:"]
        lines += [debts.line(row) for row in found["reserved"]]
    lines += [f"! {show.clean(row['contact'])}: {show.clean(row['reason'])}" for row in found["paused"]]
    if forwards:
        lines += ["", "Payments of others may go over:"]
        lines += [f"{show.clean(row['contact'])}: {_caps(row)}" for row in forwards]
    lines += anew.proposals(door, found["proposals"])
    show.outcome(door, found, "\n".join(lines) or "Nobody owes anybody anything.")
    if found["paused"] and not found["proposals"]:
        name = show.typed_name(found["paused"][0]["contact"])
        begin = door.typed(f"weft ledger reset {name} --they-owe 12.50 EUR")
        show.talk(door, f"  To begin a ledger anew with what you both say is owed: {begin}")
    if not found["balances"]:
        show.talk(door, f"  To let a contact owe you: {door.typed('weft ledger limit NAME 100 EUR')}")
