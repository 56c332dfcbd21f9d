"""Debts in words: payments, requests and balances as lines of a terminal, and what must stand where amounts are typed.

Not here: the commands (cli/commands/pay.py, cli/commands/ledger.py).
"""

from collections.abc import Mapping
from typing import Any

from cli import show
from cli.options import Door

IOU = "This records what people owe each other; it moves no bank money."  # as ledger/units.py has it
SHORT_CHARS = 8  # of an id, its end
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
_KINDS = {
    "payment": "",
    "refund": "refund",
    "settlement": "settled up",
    "request": "",
    "bill": "",
    "purchase": "purchase",
}


def short(row: Mapping[str, Any]) -> str:
    """The end of an id, as it is typed."""
    return str(row["id"])[-SHORT_CHARS:]


def amount(row: Mapping[str, Any]) -> str:
    """An amount with its unit."""
    return show.clean(f"{row['amount']} {row['unit']}")


def line(row: Mapping[str, Any]) -> str:
    """A payment in one line."""
    arrow = "→" if row["mine"] else "←"
    mark = _DONE.get(row["state"], "•")
    said = [f"{mark} {amount(row)} {arrow} {show.clean(row['contact'])}"]
    said += [_KINDS.get(row["kind"], row["kind"])] if _KINDS.get(row["kind"], row["kind"]) else []
    said += [show.clean(row["note"])] if row["note"] else []
    said.append(_OVER.get((row["mine"], row["state"])) or show.clean(row["reason"]) or row["state"])
    if row["state"] == "offered":
        said.append(f"until {show.clock(row['until_ms'])}")
    return "  ".join((*said, f"…{short(row)}"))


def wish(row: Mapping[str, Any]) -> str:
    """A request in one line."""
    who = show.clean(row["contact"])
    asks = f"you ask {who} for {amount(row)}" if row["mine"] else f"{who} asks you for {amount(row)}"
    if row["kind"] == "settlement":
        asks = f"you say that you gave {who} {amount(row)}" if row["mine"] else f"{who} says you got {amount(row)}"
    said = [f"• {asks}"] + ([show.clean(row["note"])] if row["note"] else [])
    said += [f"by {show.clock(row['due_ms'])}"] if row["due_ms"] else []
    said.append({"open": "open", "paying": "on its way"}.get(row["state"], row["state"]))
    said += [f"reminded {show.ago(row['reminded_ms'])}"] if row["reminded_ms"] else []
    said += [f"{row['bill_paid']} of {row['bill_people']} have paid"] if row["bill_people"] else []
    return "  ".join((*said, f"…{short(row)}"))


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
