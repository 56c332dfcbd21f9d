"""Debts in words: payments, requests and balances as lines of a terminal, and what holds wherever an amount is typed.

Not here: the commands (cli/commands/pay.py, cli/commands/ledger.py).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli import faults, show
from cli.faults import Failure
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
_UNNAMED = re.compile(r" (?:to|new|send|code)$")  # commands that are meant where their group is typed alone
_KINDS = {
    "payment": "",
    "refund": "refund",
    "settlement": "settled up",
    "request": "",
    "bill": "",
    "path": "over others",
}


def leading(group: click.Group, args: Sequence[str], *among: click.Command) -> bool:
    """Whether a line begins with what belongs to one of these commands and not to their group: an option, or -5."""
    shared = {name: one for one in group.params for name in (*one.opts, *one.secondary_opts)}
    rest = [*args]
    while rest and (name := rest[0].partition("=")[0]) in shared:
        option = shared[name]
        takes_next = not (isinstance(option, click.Option) and option.is_flag) and name == rest[0]
        rest = rest[1 + takes_next :]
    own = {name for one in among for each in one.params for name in (*each.opts, *each.secondary_opts)}
    return bool(rest) and rest[0][:1] == "-" and (name in own or _NEGATIVE.match(rest[0]) is not None)


class Owing(click.Command):
    """A command that takes an amount: it says what a ledger is, and which words are missing.

    A word such as -5 is an amount for it and no option, so that the node says what is wrong with it.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = [f"−{one[1:]}" if _NEGATIVE.match(one) else one for one in args]
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as wrong:
            needed = [one for one in self.params if one.required]
            if wrong.param not in needed:
                raise
            at = needed.index(wrong.param)  # of words, what may be left out comes last
            absent = needed[at:] if isinstance(wrong.param, click.Argument) else needed[at : at + 1]
            *missing, last = map(_word, absent)
        said = f"{', '.join(missing)} and {last} are" if missing else f"{last} is"
        said = said if isinstance(absent[0], click.Argument) else f"The option {said}"
        failure = faults.usage(f"{said} missing; nothing was done.")
        failure.next, failure.verb = _typed(ctx, needed), "Type"
        raise failure

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            words = [one for one in self.params if one.required or isinstance(one, click.Argument)]
            if failure.code.startswith("amount.") and any(one.name in ("amount", "each") for one in words):
                failure.next, failure.verb = _typed(ctx, words), "Type"
            raise

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text(IOU)


def _typed(ctx: click.Context, words: Sequence[click.Parameter]) -> str:
    """How a command is typed, with these words behind it."""
    return " ".join((_UNNAMED.sub("", ctx.command_path), *map(_word, words)))


def _word(one: click.Parameter) -> str:
    """A word of a command, or an option that it needs, as one types it; [in brackets] where it may be left out."""
    if isinstance(one, click.Option):
        return f"{one.opts[0]} {one.metavar}"
    return one.human_readable_name if one.required else f"[{one.human_readable_name}]"


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
    mark = {"paid": "✔", "refused": "✖", "withdrawn": "✖", "lapsed": "✖"}.get(row["state"], "•")
    asks = f"you ask {who} for {amount(row)}" if row["mine"] else f"{who} asks you for {amount(row)}"
    if row["kind"] == "settlement":
        gave = f"you say that you gave {who}" if row["mine"] else f"{who} says that he gave you"
        asks = f"{gave} {amount(row)}"
    said = [f"{mark} {asks}", row["note"]]
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
