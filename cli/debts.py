"""Debts in words: payments, requests and balances as lines of a terminal, and what holds wherever an amount is typed.

Not here: the commands (cli/commands/pay.py, cli/commands/ledger.py).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli import faults, show
from cli.options import Door

IOU = "This records what people owe each other; it moves no bank money."  # as ledger/units.py has it
SHORT_CHARS = 8  # of an id, its end
PAYMENT = "payment"  # the topic of payments
_DONE = {"settled": "✔", "declined": "✖", "refunded": "✖", "released": "✖", "lapsed": "✖"}
_OVER = {
    (True, "settled"): "paid",
    (False, "settled"): "received",
    (True, "declined"): "declined",
    (False, "declined"): "you declined it",
    (True, "refunded"): "came back to you",
    (False, "refunded"): "was taken back",
    (True, "released"): "came back to you",
    (False, "released"): "was let go",
    (True, "lapsed"): "given up with the old ledger",
    (False, "lapsed"): "given up with the old ledger",
}
_NEGATIVE = re.compile(r"-[\d.]")
_KINDS = {
    "payment": "",
    "refund": "refund",
    "settlement": "settled up",
    "request": "",
    "bill": "",
    "purchase": "purchase",
}


class Owing(click.Command):
    """A command that takes an amount: it says what a ledger is, and which words are missing.

    A word such as -5 is an amount for it and no option, so that the node says what is wrong with it.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = [f"−{one[1:]}" if _NEGATIVE.match(one) else one for one in args]
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as wrong:
            words = [one for one in self.params if isinstance(one, click.Argument)]
            if wrong.param not in words:
                raise
            names = [one.human_readable_name for one in words if one.required]
            *missing, last = names[words.index(wrong.param) :]  # what may be left out comes last
        said = f"{', '.join(missing)} and {last} are" if missing else f"{last} is"
        failure = faults.usage(f"{said} missing; nothing was done.")
        failure.next, failure.verb = " ".join((ctx.command_path.removesuffix(" to"), *names)), "Type"
        raise failure

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text(IOU)


def short(row: Mapping[str, Any]) -> str:
    """The end of an id, as it is typed."""
    return str(row["id"])[-SHORT_CHARS:]


def amount(row: Mapping[str, Any]) -> str:
    """An amount with its unit."""
    return show.clean(f"{row['amount']} {row['unit']}")


def past(rows: Sequence[Mapping[str, Any]]) -> str:
    """Payments with their times, the amounts below each other."""
    wide = max((len(amount(row)) for row in rows), default=0)
    return "\n".join(f"{show.clock(row['at_ms'])}  {line(row, wide, until=False)}" for row in rows)


def line(row: Mapping[str, Any], wide: int = 0, *, until: bool = True) -> str:
    """A payment in one line. wide: how many characters its amount takes; until: says when an offer goes back."""
    arrow = "→" if row["mine"] else "←"
    mark = _DONE.get(row["state"], "•")
    kind, note = _KINDS.get(row["kind"], row["kind"]), row["note"].removeprefix(f"{row['kind']}: ")
    said = [f"{mark} {amount(row):>{wide}} {arrow} {row['contact']}", kind, note]
    said.append(_OVER.get((row["mine"], row["state"])) or row["reason"] or row["state"])
    said += [f"(witnessed by {row['witness']})"] if row["witness"] else []
    if until and row["state"] == "offered":
        said.append(f"until {show.clock(row['until_ms'])}")
    return show.clean("  ".join((*filter(None, said), f"…{short(row)}")))


def wish(row: Mapping[str, Any]) -> str:
    """A request in one line."""
    who = row["contact"]
    asks = f"you ask {who} for {amount(row)}" if row["mine"] else f"{who} asks you for {amount(row)}"
    if row["kind"] == "settlement":
        gave = f"you say that you gave {who}" if row["mine"] else f"{who} says that he gave you"
        asks = f"{gave} {amount(row)}"
    said = [f"• {asks}", row["note"]]
    said += [f"by {show.clock(row['due_ms'])}"] if row["due_ms"] else []
    waits = f"waits for {who}" if row["mine"] else "waits for you"
    said.append({"open": waits, "paying": "on its way"}.get(row["state"], row["state"]))
    said += [f"reminded {show.ago(row['reminded_ms'])}"] if row["reminded_ms"] else []
    said += [f"{row['bill_paid']} of {row['bill_people']} have paid"] if row["bill_people"] else []
    return show.clean("  ".join((*filter(None, said), f"…{short(row)}")))


def standing(row: Mapping[str, Any]) -> str:
    """How it stands with a contact, in a few words."""
    who, unit = show.clean(row["contact"]), show.clean(row["unit"])
    if row["minor"] > 0:
        return f"{who} owes you {row['owed']} {unit}"
    if row["minor"] < 0:
        return f"you owe {who} {row['owed'].removeprefix('-')} {unit}"
    return f"you and {who} are even in {unit}"


def said(door: Door) -> None:
    """Says what a ledger is and is not: wherever an amount was typed."""
    show.talk(door, f"  {IOU}")
