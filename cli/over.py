"""Payments over others in words: by invoices, in rings, and what is passed on. Not here: debts (cli/debts.py)."""

import time
from collections.abc import Mapping
from typing import Any

from cli import debts, show
from cli.client import Client
from cli.options import Door

TOPIC = "path"  # of changes: a payment of ours has come on
TICK_S = 0.5
GOING = ("searching", "waiting", "offered")
INVOICE = "WEFT:P/"  # how the code of an invoice begins


def is_invoice(text: str) -> bool:
    """Whether what was typed is the code of an invoice."""
    return text.strip().upper().startswith(INVOICE)


def payee(row: Mapping[str, Any]) -> str:
    """Who is paid: a contact's name, or the two ends of an account."""
    return show.clean(row["payee"]) if row["known"] else f"{show.account(row['payee'])}, who is no contact of yours"


def said(row: Mapping[str, Any]) -> str:
    """What an invoice asks for."""
    note = f", for {show.clean(row['memo'])}" if row["memo"] else ""
    return f"{debts.amount(row)} to {payee(row)}{note}"


def line(row: Mapping[str, Any]) -> str:
    """A payment by an invoice, or a ring, in one line."""
    over = f" over {show.clean(row['contact'])}" if row["contact"] and row["contact"] != row["payee"] else ""
    end = f"  …{debts.short(row)}"
    if row["kind"] == "ring":
        return f"{_ring(row, over)}{end}"
    way = f",{over}" if over else ""
    match row["state"]:
        case "paid":
            return f"✔ Paid {said(row)}{way}{end}"
        case "failed":
            return f"✖ Not paid: {said(row)}; {show.clean(row['reason'])}{end}"
    return f"• {said(row)}{way}: {show.clean(row['reason'])}{end}"


def asking(row: Mapping[str, Any]) -> str:
    """An invoice of ours in one line."""
    note = f"  {show.clean(row['memo'])}" if row["memo"] else ""
    who = f" by {show.clean(row['payer'])}" if row["direct"] else f", over {show.clean(row['payer'])}"
    states = {"paid": f"✔ paid{who if row['payer'] else ''}", "over": "✖ not paid in time"}
    state = states.get(row["state"]) or f"• open until {show.clock(row['until_ms'])}"
    return f"{debts.amount(row)}{note}  {state}  …{debts.short(row)}"


def receipt(row: Mapping[str, Any]) -> str:
    """What shows that an invoice was paid: "" for what has none."""
    if not row.get("invoice"):
        return ""
    if row["preimage"]:
        return f"\nReceipt, which anybody can check:\n  invoice   {row['invoice']}\n  preimage  {row['preimage']}"
    return f"\nReceipt: the payment {row['payment']} in your ledger, for this invoice:\n  {row['invoice']}"


def awaited(door: Door, client: Client, row: dict[str, Any], within_s: float) -> dict[str, Any]:
    """A payment as it is when it is over, or when the time is; what it waits for is said meanwhile."""
    deadline = time.monotonic() + within_s
    told = ""
    while row["state"] in GOING and (left_s := deadline - time.monotonic()) > 0:
        if row["reason"] != told:
            told = row["reason"]
            show.passing(door, f"{show.clean(told)}…")
        for _, changed in client.changes(within_s=min(left_s, TICK_S)):
            if changed.get("id") == row["id"]:
                break
        row = client.call("paths.show", id=row["id"])
    show.passing(door, "")
    return row


def _ring(row: Mapping[str, Any], over: str) -> str:
    match row["state"]:
        case "paid":
            return f"✔ A ring{over} is cleared: what you owe and what you are owed is {debts.amount(row)} less."
        case "failed":
            return f"• {show.clean(row['unit'])}: {show.clean(row['reason'])}."
    return f"• A ring in {show.clean(row['unit'])}{over}: {show.clean(row['reason'])}"
