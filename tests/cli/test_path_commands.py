"""invoice, pay CODE, pay show, ledger forward and simplify: what is asked, said, and refused."""

from pathlib import Path

import pytest

from cli import show
from tests.cli import fake
from tests.cli.paths_room import CODE, PREIMAGE, asking, path
from tests.cli.test_escapes import EVIL, steering

IOU = "  This records what people owe each other; it moves no bank money.\n"
SHORT = "wf1qq…f3, who is no contact of yours"
AT = show.clock(1_790_000_000_000)
PAID = {"state": "paid", "contact": "Bo", "reason": "", "invoice": CODE, "preimage": PREIMAGE}
WAITS = {"state": "waiting", "contact": "Bo", "reason": "waiting for Bo's node; 20.00 EUR of your limit is reserved"}
COMMANDS = (
    ("invoice",),
    ("invoice", "8", "EUR"),
    ("pay", CODE),
    ("pay", "show", "PATH01"),
    ("ledger", "forward"),
    ("ledger", "forward", "bo", "20", "100", "EUR"),
    ("ledger", "forward", "bo", "off"),
    ("ledger", "simplify"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_an_invoice_is_made_as_a_code_and_listed_with_what_became_of_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("invoice", "8.00", "EUR", "--for", "tea", "--within", "2h")
        assert (ran.code, ran.out) == (0, f"{CODE}\n")
        assert ran.err == f"  8.00 EUR, to be paid once, until {AT}  …00ASK001\n{IOU}"
        assert world.paths.asked == [("invoice", "8.00", "EUR", "tea", 7200)]
        drawn = await world.weft("invoice", "8", "EUR", "--qr")
        assert "▄" in drawn.out
        assert drawn.out.endswith(f"{CODE}\n")
        assert (await world.weft("invoice", "8")).code == 2
        empty = await world.weft("invoice")
        assert (empty.out, empty.err) == ("No invoices yet.\n", "  Next: weft invoice 8 EUR --for tickets\n")
        world.paths.mine += [
            asking(memo="tea"),
            asking(state="paid", payer="Bo", direct=True),
            asking(state="paid", payer="Bo"),
            asking(state="over"),
        ]
        assert (await world.weft("invoice")).out.splitlines() == [
            f"8.00 EUR  tea  • open until {AT}  …00ASK001",
            "8.00 EUR  ✔ paid by Bo  …00ASK001",
            "8.00 EUR  ✔ paid, over Bo  …00ASK001",
            "8.00 EUR  ✖ not paid in time  …00ASK001",
        ]
        assert (await world.weft("invoice", "--json")).json == {"invoices": world.paths.mine}


async def test_an_invoice_is_shown_and_paid_and_ends_with_a_receipt(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.paths.becomes += [WAITS, PAID]
        ran = await world.weft("pay", CODE.lower())
        assert ran.code == 0
        assert ran.out == f"✔ Paid 20.00 EUR to {SHORT}, for tickets, over Bo  …0PATH01\n".replace("…0P", "…00P")
        assert ran.err.splitlines()[0] == f"This asks you to owe 20.00 EUR to {SHORT}, for tickets."
        assert ran.err.endswith(f"{IOU}  The receipt: weft pay show 00PATH01\n")
        assert world.paths.asked == [("pay", CODE.lower())]
        shown = await world.weft("pay", "show", "PATH01")
        assert shown.out.splitlines()[-2:] == [f"  invoice   {CODE}", f"  preimage  {PREIMAGE}"]
        world.paths.rows[0].update(path(state="paid", invoice=CODE, payment="01J0PAY"))
        world.paths.becomes.clear()
        direct = await world.weft("pay", "show", "PATH01")
        assert "Receipt: the payment 01J0PAY in your ledger, for this invoice:" in direct.out
        world.paths.mine.append(asking())
        assert (await world.weft("pay", "show", "ASK001")).out.endswith(f"\n{CODE}\n")
        assert "→ Bo" in (await world.weft("pay", "show", "ABCD")).out  # a payment that went no other way


async def test_what_waits_is_said_and_goes_on_and_what_failed_is_an_error(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.paths.becomes.append(WAITS)
        ran = await world.weft("pay", CODE, "--wait", "100ms")
        assert ran.code == 0
        assert f", over Bo: {WAITS['reason']}" in ran.out
        assert ran.err.endswith("  It goes on by itself. To look: weft pay show 00PATH01\n")
        world.paths.becomes[0] = {"state": "failed", "reason": "no way was found"}
        ran = await world.weft("pay", CODE)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.endswith("Nothing was paid: no way was found. Next: weft ledger\n")
        assert (await world.weft("pay", CODE, "--json")).json["error"]["code"] == "path.failed"
        bad = await world.weft("pay", CODE + "?")
        assert (bad.code, bad.out) == (2, "")


async def test_passing_on_is_set_listed_and_ended(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("ledger", "forward")).out == "You pass on nothing for others.\n"
        ran = await world.weft("ledger", "forward", "bo", "20", "100", "EUR")
        caps = "at most 20 EUR of one, 100 EUR at once"
        assert (ran.code, ran.out, ran.err) == (0, f"✔ Payments of others may go over bo: {caps}.\n", IOU)
        assert (await world.weft("ledger", "forward")).out == f"bo: {caps}\n"
        assert (await world.weft("ledger", "forward", "chen")).out == "You pass on nothing for others.\n"
        assert (await world.weft("ledger", "forward", "bo", "20")).code == 2
        ran = await world.weft("ledger", "forward", "bo", "off")
        assert ran.out == "✔ Nothing is passed on over bo any more.\n"
        assert world.paths.asked == [("forward", "bo", "20", "100", "EUR"), ("unforward", "bo")]


async def test_rings_are_cleared_until_there_is_none(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ring = path(kind="ring", payee="yourself", known=True, memo="", state="paid", contact="Bo")
        none = path(kind="ring", state="failed", reason="no ring of debts was found")
        world.paths.rings += [[ring], [none]]
        ran = await world.weft("ledger", "simplify", "EUR")
        assert ran.out == (
            "✔ A ring over Bo is cleared: what you owe and what you are owed is 20.00 EUR less.  …00PATH01\n"
        )
        assert (world.paths.asked, ran.err) == ([("simplify", "EUR"), ("simplify", "EUR")], "")
        world.paths.rings.append([none])
        ran = await world.weft("ledger", "simplify")
        assert ran.out.startswith("• EUR: no ring of debts was found.")
        hint = "  A ring is found over who passes payments on, each of them by: weft ledger forward NAME 20 100 EUR\n"
        assert ran.err == hint
        assert (await world.weft("ledger", "simplify")).out.startswith("No ring: there is no unit in which")


async def test_names_and_notes_move_no_cursor(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.paths.becomes.append(WAITS | {"contact": EVIL, "reason": EVIL})
        world.paths.seen.update(payee=EVIL, known=True, memo=EVIL)
        world.paths.mine.append(asking(state="paid", payer=EVIL, memo=EVIL))
        world.paths.caps.append({"contact": EVIL, "unit": EVIL, "each": "1", "total": "1"})
        for words in (("pay", CODE, "--wait", "50ms"), ("invoice",), ("ledger", "forward"), ("pay", "show", "PATH01")):
            ran = await world.weft(*words)
            assert (ran.code, steering(ran.out), steering(ran.err)) == (0, [], []), words
