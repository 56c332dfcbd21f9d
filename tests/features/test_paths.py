"""The room of payments over others in a simulated world: every fault it promises, and what it keeps and shows."""

from dataclasses import replace
from functools import partial
from typing import Any

from crypto.keys import SigningKey
from features.paths import view
from features.paths.view import State, Why
from lab import world
from lab.world import Person, World, befriend
from protocol import invoice as invoices
from protocol import pay_code
from protocol.invoice import Invoice
from store import payments, people
from store.database import Tx
from tests.features.kit import Faults
from tests.stories import path_kit
from tests.stories.path_kit import are_over, ended, invoice, street

AMOUNTS = (("x", "malformed"), ("0", "nothing"), ("1.234", "decimals"), ("9" * 30, "large"))


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


def signed(of: Invoice, key: SigningKey, **changes: Any) -> str:
    """The code of an invoice that says something else, by the key of its device or by another one."""
    said = {name: getattr(of, name) for name in Invoice.__annotations__ if name not in ("KIND", "signature")} | changes
    return pay_code.invoice_text(invoices.sign(key, said.pop("certificate"), **said))


async def wrong_caps(w: World, ana: Person, faults: Faults) -> None:
    give: dict[str, Any] = {"to": "bo1", "each": "5", "total": "50", "unit": "EUR"}
    await ana.call("contacts.block", name="bo2")
    dee = await w.person("dee")
    link = (await dee.call("contacts.invite"))["link"]
    await dee.stop()
    await ana.call("contacts.add", link=link, name="dee")
    for who, code in (("nobody", "unknown"), ("bo", "ambiguous"), ("bo2", "blocked"), ("dee", "not_yet")):
        assert await faults.code("paths.forward", **(give | {"to": who})) == f"contact.{code}"
    for amount, code in AMOUNTS:
        assert await faults.code("paths.forward", **(give | {"each": amount})) == f"amount.{code}"
    assert await faults.code("paths.forward", **(give | {"unit": "XYZ?"})) == "amount.unit"
    assert await faults.code("paths.forward", **(give | {"each": "50.01"})) == "path.caps"
    for who, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous"), ("bo1", "path.off")):
        assert await faults.code("paths.unforward", to=who) == code
    assert await ana.call("paths.forwards") == []
    row = await ana.call("paths.forward", **give)
    assert await ana.call("paths.forwards") == await ana.call("paths.forwards", to="bo1") == [row]
    assert await ana.call("paths.forwards", to="dee") == []
    for who, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous")):
        assert await faults.code("paths.forwards", to=who) == code
    assert (row["each"], row["total"], row["unit"]) == ("5.00", "50.00", "EUR")
    number = (await run(ana, people.find_contact, "bo1")).id
    await run(ana, people.set_alarm, number, people.STOPS)
    assert await faults.code("paths.forward", **give) == "contact.account_changed"
    await run(ana, people.set_alarm, number, "")
    await ana.call("paths.unforward", to="bo1")
    assert await ana.call("paths.forwards") == []


async def wrong_invoices(ana: Person, faults: Faults) -> None:
    ask: dict[str, Any] = {"amount": "5", "unit": "EUR"}
    for valid_s in (59, -1, 90 * 86_400 + 1):
        assert await faults.code("paths.invoice", **ask, valid_s=valid_s) == "invoice.time"
    for note in ("x" * 501, "\ud800"):
        assert await faults.code("paths.invoice", **ask, note=note) == "limit"
    for amount, code in AMOUNTS:
        assert await faults.code("paths.invoice", **(ask | {"amount": amount})) == f"amount.{code}"
    assert await faults.code("paths.invoice", **(ask | {"unit": "XYZ?"})) == "amount.unit"
    assert await faults.code("paths.simplify", unit="XYZ?") == "amount.unit"
    assert await ana.call("paths.invoices") == await ana.call("paths.simplify") == []


async def wrong_codes(w: World, ana: Person, bob: Person, faults: Faults) -> None:
    good = (await invoice(bob))["code"]
    assert bob.node is not None
    of, key = pay_code.invoice_of(good), bob.node.core.identity.device_key
    newer = pay_code._coded(pay_code.INVOICE_PREFIX, b"\x02" + b"later")
    forged = signed(of, SigningKey(b"f" * 32), memo="for Bo")
    for method in ("paths.look", "paths.pay"):
        for code, wanted in (
            ("", "pay.code"),
            (good[:-1], "pay.code"),
            (newer, "pay.newer"),
            (forged, "invoice.forged"),
        ):
            assert await faults.code(method, code=code) == wanted
    assert await faults.code("paths.pay", code=(await invoice(ana))["code"]) == "invoice.own"
    assert await faults.code("paths.pay", code=signed(of, key, payer=b"e" * 32)) == "invoice.another"
    assert await faults.code("paths.pay", code=signed(of, key, expires_ms=w.now_ms() - 1)) == "invoice.over"
    begun = await ana.call("paths.pay", code=good)
    assert (await ended(w, ana, begun["id"]))["state"] == "paid"
    again = await faults.of("paths.pay", code=good)
    assert (again.code, again.next) == ("invoice.paid", f"weft pay show {begun['id'][-8:]}")
    assert (await ana.call("paths.look", code=good))["state"] == "paid"

    def counted(tx: Tx) -> None:
        """As where its lock stood in a ledger that was begun anew (tests/stories/test_paths_anew.py)."""
        known = view.payment_called(tx, invoices.name(of))
        assert known is not None
        view.keep_payment(tx, replace(known, state=State.FAILED, reason=Why.COUNTED))

    await run(ana, counted)
    assert await faults.code("paths.pay", code=good) == "invoice.counted"


async def wrong_ids(ana: Person, faults: Faults) -> None:
    for text, code in (("x", "id.malformed"), ("0000000", "path.unknown")):
        assert await faults.code("paths.show", id=text) == code

    def twins(tx: Tx) -> None:
        for first in (b"a", b"b"):
            named = first + b"same" * 4 + bytes(16)
            view.keep_invoice(tx, (named[:32], b"", b"", first * 32, "EUR", 1, 0, 0))

    await run(ana, twins)
    rows = await run(ana, lambda tx: tx.all("SELECT name FROM path_invoice ORDER BY id DESC LIMIT 1"))
    suffix = path_kit.ulid_end(rows[0][0])
    assert await faults.code("paths.show", id=suffix) == "path.ambiguous"


def test_every_fault_that_the_room_promises_is_met() -> None:
    async def story(w: World) -> None:
        ana, bob, bob2 = [await w.person(name) for name in ("ana", "bo1", "bo2")]
        await path_kit.join(w, ana, bob)
        await befriend(ana, bob2)
        faults = Faults(ana)
        await wrong_caps(w, ana, faults)
        await wrong_invoices(ana, faults)
        await wrong_codes(w, ana, bob, faults)
        await wrong_ids(ana, faults)
        assert faults.missing("paths") == set()

    world.run(story, 551)


def test_a_room_that_is_shut_leaves_nothing_on_its_way() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await street(w, "ana", "bo", "chen")
        made = await invoice(chen, note="tickets")
        assert (await ana.call("paths.look", code=made["code"])) == {
            "payee": await path_kit.account(chen),
            "known": False,
            "amount": "20.00",
            "unit": "EUR",
            "minor": 2000,
            "memo": "tickets",
            "until_ms": made["until_ms"],
            "state": "",
        }
        begun = await ana.call("paths.pay", code=made["code"])
        twice = await ana.call("paths.pay", code=made["code"])
        assert twice["id"] == begun["id"]
        assert [row["id"] for row in await ana.call("paths.list")] == [begun["id"]]
        await ended(w, ana, begun["id"])
        await w.until(partial(are_over, (ana, bo, chen)))
        assert [row["state"] for row in await chen.call("paths.invoices")] == ["paid"]
        for one in (ana, bo, chen):
            for table in ("path_route", "path_search", "path_word"):
                assert await run(one, partial(_rows, table)) == 0, (one.name, table)

    world.run(story, 552)


def _rows(table: str, tx: Tx) -> int:
    return int(tx.all(f"SELECT COUNT(*) FROM {table}")[0][0])


def test_an_offer_that_was_given_up_with_the_old_ledger_waits_no_more_and_is_not_made_again() -> None:
    async def story(w: World) -> None:
        ana, bob = await street(w, "ana", "bob")
        asked = await invoice(bob)
        await bob.kill()
        made = await ana.call("paths.pay", code=asked["code"])
        await w.until(partial(path_kit.is_in, ana, made["id"], "offered"))
        await run(ana, _give_up)
        over = await ended(w, ana, made["id"])
        assert (over["state"], over["reason"]) == ("failed", "it was given up with the old ledger")
        await ana.call("paths.pay", code=asked["code"])
        assert (await ended(w, ana, made["id"]))["state"] == "failed"
        assert len(await ana.call("payments.history")) == 1

    world.run(story, seed=545)


def _give_up(tx: Tx) -> None:
    (bob,) = people.contacts(tx)
    payments.lapse(tx, bob.id, 1)
