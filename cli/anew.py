"""Ledgers that are begun anew, in words: what is proposed, and what came of saying so.

Not here: the command (cli/commands/ledger.py), debts (debts.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cli import debts, show
from cli.options import Door


def proposals(door: Door, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is proposed, and how to answer it: a line each."""
    found = (row for row in rows if row["mine"] or row["state"] != "confirming")
    return [_of_mine(row) if row["mine"] else _of_theirs(door, row) for row in found]


def answered(row: Mapping[str, Any]) -> str:
    """What came of proposing or agreeing."""
    who, owed = show.clean(row["contact"]), _owed(row)
    lines = {
        "begun": f"✔ The ledger with {who} is begun anew: {owed}.",
        "agreed": f"✔ Agreed: {owed}. It is in force once {who}'s node has confirmed it.",
        "proposed": f"• Proposed to {who}: {owed}. Until it is agreed the old ledger stands as it is.",
    }
    said = [lines[row["state"]]]
    if row["gives_up"]:
        said.append(
            "  Given up with the old one, unless it is over before:" if row["state"] != "begun" else "  Given up:"
        )
        said += [f"  {debts.line(one)}" for one in row["gives_up"]]
    return "\n".join(said)


def _of_theirs(door: Door, row: Mapping[str, Any]) -> str:
    who, name = show.clean(row["contact"]), show.typed_name(row["contact"])
    why = f" ({show.clean(row['reason'])})" if row["reason"] else ""
    agree = door.typed(f"weft ledger reset {name} --agree")
    if row["state"] == "agreed":
        return f"! {who} agrees to begin the ledger anew, which has changed since: {_owed(row)}{why}. Confirm: {agree}"
    return f"• {who} proposes to begin the ledger anew: {_owed(row)}{why}. Agree: {agree}"


def _of_mine(row: Mapping[str, Any]) -> str:
    who = show.clean(row["contact"])
    if row["state"] == "confirming":
        return f"• You agreed to begin the ledger anew, which {who}'s node has to confirm: {_owed(row)}"
    return f"• You propose to {who} to begin the ledger anew: {_owed(row)}"


def _owed(row: Mapping[str, Any]) -> str:
    """What is owed then: "you owe him 12.50 EUR"."""
    said = []
    for one in row["balances"]:
        amount = f"{one['owed'].removeprefix('-')} {show.clean(one['unit'])}"
        said.append(f"you owe {amount}" if one["minor"] < 0 else f"you are owed {amount}")
    return ", ".join(said) or "nobody owes anything"
