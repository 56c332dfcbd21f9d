"""Three real nodes by the commands of a terminal: a ring is cleared; declined, recalled, given back, refused."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.stories.real import LAUNCHER, START_S, RealNode, is_active

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0
NAMES = ("ana", "bo", "chen")
LESS = "An amount is more than nothing, and −5 is less. Type: weft --profile ana "
REFUSED = {
    ("pay", "bo", "-5", "EUR"): "pay NAME AMOUNT UNIT",
    ("request", "bo", "-5", "EUR"): "request NAME AMOUNT UNIT",
    ("split", "-5", "EUR", "bo", "chen"): "split AMOUNT UNIT NAME...",
    ("packet", "-5", "EUR", "--to", "bo,chen"): "packet --to A,B AMOUNT UNIT",
    ("shop", "offer", "cup", "-5", "EUR"): "shop offer TITLE [AMOUNT] [UNIT]",
    ("voucher", "give", "bo", "-5", "coffee"): "voucher give CONTACT AMOUNT NAME",
    ("ledger", "settle", "bo", "-5", "EUR"): "ledger settle NAME AMOUNT UNIT",
}


def ran(node: RealNode, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command that was run to its end."""
    environ = {**os.environ, "WEFT_HOME": str(node.home)}
    command = [sys.executable, str(LAUNCHER), "--profile", node.name, *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def weft(node: RealNode, *words: str) -> str:
    """What a command prints that ends well."""
    done = ran(node, *words)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@contextmanager
def open_ring(home: Path) -> Iterator[list[RealNode]]:
    """Three who are all contacts, let each other owe, and pass on; whatever still runs at the end is killed."""
    nodes = [RealNode(home, name) for name in NAMES]
    try:
        for node in nodes:
            node.init()
            node.up()
        for one, other in ((0, 1), (1, 2), (2, 0)):
            creditor, debtor = nodes[one], nodes[other]
            link = creditor.call("contacts.invite")["link"]
            debtor.call("contacts.add", link=link, name=creditor.name)
            for node, name in ((creditor, debtor.name), (debtor, creditor.name)):
                node.await_that(partial(is_active, node, name), START_S)
            creditor.call("payments.limit", to=debtor.name, amount="100", unit="EUR")
            debtor.await_that(partial(may_owe, debtor, creditor), PATIENCE_S)
        for node in nodes:
            for name in NAMES:
                if name != node.name:
                    node.call("paths.forward", to=name, each="50", total="100", unit="EUR")
        yield nodes
    finally:
        for node in nodes:
            if node.program is not None:
                node.kill()


def may_owe(node: RealNode, to: RealNode) -> bool:
    """Whether a node knows that it may owe a contact."""
    rows = node.call("payments.balances")["balances"]
    return any(row["contact"].casefold() == to.name and row["credit"] == "100.00" for row in rows)


def owed(node: RealNode, by: RealNode) -> int:
    """What a contact owes, in cents."""
    rows = node.call("payments.balances")["balances"]
    return sum(row["minor"] for row in rows if row["contact"].casefold() == by.name and row["unit"] == "EUR")


def is_owed(node: RealNode, by: RealNode, minor: int) -> bool:
    return owed(node, by) == minor


def await_state(nodes: tuple[RealNode, ...], payment: str, wanted: str) -> None:
    """Waits until all of them see a payment so."""

    def so(node: RealNode) -> bool:
        rows = node.call("payments.history", limit=1000)
        return any((row["id"], row["state"]) == (payment, wanted) for row in rows)

    for node in nodes:
        node.await_that(partial(so, node), PATIENCE_S)


def offer(payer: RealNode, payee: RealNode, amount: str) -> str:
    """Offers an amount by the command; its id, once it is there."""
    row: dict[str, Any] = json.loads(weft(payer, "pay", payee.name, amount, "EUR", "--json"))
    await_state((payee,), row["id"], "offered")
    return str(row["id"])


def pay(payer: RealNode, payee: RealNode, amount: str) -> str:
    """Pays an amount by the commands; its id."""
    payment = offer(payer, payee, amount)
    weft(payee, "pay", "accept", payment[-8:])
    await_state((payer, payee), payment, "settled")
    return payment


def test_a_ring_is_cleared_and_offers_end_in_every_way(tmp_path: Path) -> None:
    with open_ring(tmp_path) as (ana, bo, chen):
        assert weft(ana, "ledger", "simplify").startswith("No ring: ")
        first = pay(bo, ana, "30")
        pay(chen, bo, "20")
        pay(ana, chen, "40")
        cleared = "✔ A ring over Bo is cleared: what you owe and what you are owed is 20.00 EUR less."
        assert weft(ana, "ledger", "simplify", "EUR").startswith(cleared)
        left = [(ana, bo, 1000), (bo, chen, 0), (chen, ana, 2000)]
        for creditor, debtor, minor in left:
            for node, other, is_so in ((creditor, debtor, minor), (debtor, creditor, -minor)):
                node.await_that(partial(is_owed, node, other, is_so), PATIENCE_S)

        declined = offer(bo, ana, "3")
        assert "you declined it" in weft(ana, "pay", "decline", declined[-8:])
        await_state((ana, bo), declined, "declined")
        recalled = offer(bo, ana, "4")
        assert "→ " in weft(bo, "pay", "recall", recalled[-8:])
        await_state((ana, bo), recalled, "refunded")
        for node, words in ((ana, ("accept", recalled)), (ana, ("decline", recalled)), (bo, ("recall", declined))):
            again = ran(node, "pay", words[0], words[1][-8:])
            assert (again.returncode, again.stdout) == (1, "")
            assert again.stderr.startswith("That is over already; nothing was written.")

        part = json.loads(weft(ana, "pay", "refund", first[-8:], "2.50", "--json"))["id"]
        await_state((ana, bo), part, "settled")
        assert ran(ana, "pay", "refund", first[-8:], "27.51").returncode == 2
        whole = json.loads(weft(ana, "pay", "refund", first[-8:], "--json"))["id"]  # beyond what bo owes by now
        assert "waits until Bo lets you owe so much" in weft(ana, "pay")
        await_state((bo,), whole, "offered")
        told = ran(bo, "pay", "accept", whole[-8:])
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr.endswith("nothing was written. Next: weft --profile bo ledger limit ana 20.00 EUR\n")
        weft(bo, "ledger", "limit", "ana", "20", "EUR")
        await_state((ana, bo), whole, "settled")
        assert (owed(bo, ana), owed(ana, bo)) == (2000, -2000)

        weft(ana, "voucher", "issue", "coffee")
        before = ana.call("payments.history", limit=1000)
        for line, typed in REFUSED.items():
            said = ran(ana, *line)
            assert (said.returncode, said.stdout, said.stderr) == (2, "", f"{LESS}{typed}\n")
        assert ana.call("payments.history", limit=1000) == before
        assert (ana.call("bills.list"), ana.call("packets.list"), ana.call("shop.list")) == ([], [], [])
