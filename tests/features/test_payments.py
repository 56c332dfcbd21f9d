"""The room of payments in a simulated world: what it refuses, and that nothing is written then; ids, notes, pages."""

from functools import partial
from typing import Any

from cli import debts
from lab import world
from lab.world import Person, World, befriend
from ledger.tab import UNITS_MAX
from protocol import ids, wire
from store import authoring, people, spaces
from store.database import Tx
from store.people import STOPS, ContactState
from tests.features.kit import Faults
from tests.stories.debt_kit import accept, allow, both_see, has_offer, is_asked, line, offer, owed, pair, state, waiting

KIND_OF_LATER = 219
TO = ("payments.limit", "payments.pay", "payments.settle", "payments.ask")  # what names a contact, an amount and a unit
OF = ("payments.accept", "payments.decline", "payments.recall", "payments.refund")  # what names a payment or request
AMOUNTS: dict[str, tuple[str, ...]] = {
    "amount.malformed": (
        *("", " ", "abc", "1e3", "1.5E1", "NaN", "inf", "0x10", "1_000", "1,000.00", "12,50", "+5", "5.", ".5"),
        *("١٢", "1 2", "12.50 EUR", "--1", "1.2.3", "²", "\x00", "1\n2", "\ud800"),
    ),
    "amount.nothing": ("-1", "-0.01", "\N{MINUS SIGN}5"),
    "amount.decimals": ("0.001", "12.500"),
    "amount.large": ("90071992547409.92", "1" + "0" * 39, "9" * 4000),
}
UNITS = ("", " ", "XYZ", "EURO", "E", "XAU", "XXX", "v:", "v:coffee", "v:nobody/x", "h:2", "ß", "\x00", "\ud800")
BAD_IDS = ("", "abc", "x" * 27, "ü" * 8, "!!!!", "UUUU", "\ud800abc")


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def written(person: Person) -> int:
    """How many entries a person holds."""
    found = await run(person, lambda tx: tx.one("SELECT COUNT(*) FROM entry"))
    return int(found[0])


async def bad_amounts(faults: Faults, payment: str) -> None:
    for code, texts in AMOUNTS.items():
        for text in texts:
            for method in TO:
                assert await faults.code(method, to="bo", amount=text, unit="EUR") == code, text
            assert await faults.code("payments.refund", id=payment, amount=text) == code, text
    for text in ("0", "0.00", "000"):
        for method in TO[1:]:
            assert await faults.code(method, to="bo", amount=text, unit="EUR") == "amount.nothing"
        assert await faults.code("payments.refund", id=payment, amount=text) == "amount.nothing"
    for text in UNITS:
        for method in TO:
            assert await faults.code(method, to="bo", amount="1", unit=text) == "amount.unit", text


async def bad_people(ana: Person, faults: Faults) -> None:
    """Nobody, several, oneself, and those with whom nothing can be kept."""
    whom = {"amount": "1", "unit": "EUR"}
    assert ana.node is not None
    account = ids.account_text(ana.node.core.identity.account)
    for method in TO:
        for who, code in (
            *(("nobody", "contact.unknown"), ("", "contact.unknown")),
            *(("cy", "contact.ambiguous"), ("ana", "payment.self"), (" ANA ", "payment.self")),
            *((account, "payment.self"), ("dee", "contact.not_yet")),
        ):
            assert await faults.code(method, to=who, **whom) == code, (method, who)
    assert await faults.code("payments.history", to="nobody") == "contact.unknown"
    assert await faults.code("payments.history", to="cy") == "contact.ambiguous"


async def closed(ana: Person, faults: Faults, payment: str) -> None:
    """A contact who is blocked, in doubt, or none yet: neither he nor what is between us is touched."""

    def put(tx: Tx, state: ContactState, alarm: str) -> None:
        one = people.find_contact(tx, "bo")
        people.set_state(tx, one.id, state, "")
        people.set_alarm(tx, one.id, "")
        people.set_alarm(tx, one.id, alarm)

    for of, alarm, code in (
        (ContactState.BLOCKED, "", "contact.blocked"),
        (ContactState.ACTIVE, STOPS, "contact.account_changed"),
        (ContactState.PENDING, "", "contact.not_yet"),
    ):
        await run(ana, put, of, alarm)
        for method in TO:
            assert await faults.code(method, to="bo", amount="1", unit="EUR") == code
        for method in OF:
            assert await faults.code(method, id=payment) == code
        assert await line(ana, payment)  # it can be looked at
    await run(ana, put, ContactState.ACTIVE, "")


async def bad_ids(ana: Person, faults: Faults, payment: str) -> None:
    def twin(tx: Tx) -> None:
        """A request whose id ends as that of the payment does."""
        name = tx.one("SELECT pay FROM payment WHERE contact = 1 ORDER BY id DESC LIMIT 1")
        assert name is not None
        tx.execute(
            "INSERT INTO request (contact, mine, request, unit, amount, due_ms, memo, cause, of, at_ms, state,"
            " generation) VALUES (1, 0, ?, 'EUR', 1, 0, '', 0, x'', 0, 0, 0)",
            (bytes(6) + name[0][6:],),
        )

    for method in (*OF, "payments.show"):
        for text in BAD_IDS:
            assert await faults.code(method, id=text) == "id.malformed", text
        assert await faults.code(method, id="0000") == "payment.unknown"
    await run(ana, twin)
    for method in (*OF, "payments.show"):
        assert await faults.code(method, id=payment[-8:]) == "payment.ambiguous"
        assert await faults.code(method, id=payment[-4:].lower()) == "payment.ambiguous"
    await run(ana, lambda tx: tx.execute("DELETE FROM request WHERE at_ms = 0"))


async def not_so(ana: Person, bo: Person, faults: Faults, paid: str, got: str) -> None:
    """What is over, is the other's to decide, or is more than there is. paid: by ana, settled; got: by bo, settled."""
    mine, asked = await offer(ana, bo, "3"), await bo.call("payments.ask", to="ana", amount="4", unit="EUR")
    asking = await ana.call("payments.ask", to="bo", amount="5", unit="EUR")
    await ana.world.until(partial(is_asked, ana, asked["id"]))
    before = await written(ana)
    for method, id_, code in (
        ("payments.accept", mine, "payment.not_for_you"),
        ("payments.accept", asking["id"], "payment.not_for_you"),
        ("payments.accept", got, "payment.over"),
        ("payments.decline", mine, "payment.not_for_you"),
        ("payments.decline", asking["id"], "payment.not_for_you"),
        ("payments.decline", got, "payment.over"),
        ("payments.recall", got, "payment.not_for_you"),
        ("payments.recall", asked["id"], "payment.not_for_you"),
        ("payments.recall", paid, "payment.over"),
        ("payments.refund", paid, "payment.not_for_you"),
        ("payments.refund", asked["id"], "payment.not_for_you"),
    ):
        assert await faults.code(method, id=id_) == code, (method, code)
    assert await faults.code("payments.refund", id=got, amount="7.01") == "payment.refund"
    assert await faults.code("payments.settle", to="bo", amount="200", unit="EUR") == "payment.not_owed"
    assert await faults.code("payments.settle", to="bo", amount="1", unit="USD") == "payment.not_owed"
    over = await faults.of("payments.pay", to="bo", amount="1000", unit="EUR")
    assert (over.code, str(over)) == (
        "payment.limit",
        "Bo lets you owe at most 100.00 EUR, so you can offer 99.00 EUR more; nothing was written.",
    )
    assert await faults.code("payments.pay", to="bo", amount="1", unit="USD") == "payment.limit"
    assert await written(ana) == before
    issuer = ids.account_text(ids.AccountId(b"i" * 32))
    for number in range(UNITS_MAX - 1):  # beside the euros
        await ana.call("payments.limit", to="bo", amount="1", unit=f"v:{issuer}/x{number}")
    before = await written(ana)
    assert await faults.code("payments.limit", to="bo", amount="1", unit="h") == "limit"
    for within_s in (0, -1, 59, 90 * 86_400 + 1, 2**62):
        assert await faults.code("payments.pay", to="bo", amount="1", unit="EUR", expires_s=within_s) == "payment.time"
    for due_ms in (0, -1, 2**48, 2**62):
        assert await faults.code("payments.ask", to="bo", amount="1", unit="EUR", due_ms=due_ms) == "payment.time"
    for note in ("x" * 501, "語" * 167, "\ud800"):
        for method, name in (("payments.pay", "note"), ("payments.ask", "note"), ("payments.settle", "how")):
            more = {name: note, "to": "bo", "amount": "1", "unit": "EUR"}
            assert await faults.code(method, **more) == "limit"
    assert await written(ana) == before
    await ana.call("payments.recall", id=mine)
    await ana.call("payments.recall", id=asking["id"])
    assert await faults.code("payments.recall", id=asking["id"]) == "payment.over"
    await ana.call("payments.decline", id=asked["id"])
    assert await faults.code("payments.decline", id=asked["id"]) == "payment.over"


async def bound(ana: Person, bo: Person, faults: Faults) -> None:
    """What is over ana's limit, and an offer of hers that was accepted while she could not confirm it."""
    too_much = await offer(bo, ana, "20")
    await ana.world.until(partial(has_offer, ana, too_much))
    await ana.call("payments.limit", to="bo", amount="10", unit="EUR")
    assert await faults.code("payments.accept", id=too_much) == "payment.limit"
    asked = await bo.call("payments.ask", to="ana", amount="1000", unit="EUR")
    await ana.world.until(partial(is_asked, ana, asked["id"]))
    assert await faults.code("payments.accept", id=asked["id"]) == "payment.limit"
    await ana.call("payments.decline", id=asked["id"])
    await ana.call("payments.decline", id=too_much)


async def paused(ana: Person, bo: Person, faults: Faults, got: str) -> None:
    """Bo's weft is a newer one; what he accepted before is accepted, and not confirmed."""
    mine, taken, his = await offer(ana, bo, "1"), await offer(ana, bo, "2"), await offer(bo, ana, "1")
    await ana.world.until(partial(has_offer, ana, his))
    await ana.world.until(partial(has_offer, bo, taken))
    assert await faults.code("payments.refund", id=his) == "payment.over"  # it is not settled
    ana.world.network.cut("ana", "bo")
    await bo.call("payments.accept", id=taken)
    await run(bo, say_more, bo)
    ana.world.network.heal("ana", "bo")
    await ana.world.until(partial(is_paused, ana))
    assert (await state(ana, taken), await state(ana, his)) == ("accepted", "offered")
    assert await faults.code("payments.recall", id=taken) == "payment.accepted"
    before = await written(ana)
    for method in TO:
        assert await faults.code(method, to="bo", amount="1", unit="EUR") == "ledger.paused"
    for method, payment in zip(OF, (his, his, mine, got), strict=True):
        assert await faults.code(method, id=payment) == "ledger.paused"
    assert await written(ana) == before


def say_more(tx: Tx, bo: Person) -> None:
    """Bo's node writes what only a later version of weft knows."""
    assert bo.node is not None
    me = bo.node.core.identity
    (own,) = spaces.ledger(tx, people.find_contact(tx, "ana").id)[0]
    authoring.write(tx, own, (wire.encode((KIND_OF_LATER, 1)),), me.device_key, bo.now_ms(), bo.entropy("later"))


async def is_paused(person: Person) -> bool:
    """whether a ledger of somebody's is paused"""
    return bool((await person.call("payments.balances"))["paused"])


def test_every_fault_that_the_room_promises_is_met_and_nothing_is_written() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        for name in ("cy1", "cy2"):
            await befriend(ana, await w.person(name))
        dee = await w.person("dee")
        link = (await dee.call("contacts.invite"))["link"]
        await dee.stop()
        await ana.call("contacts.add", link=link, name="dee")  # a request that waits for its answer
        await allow(bo, ana)
        await allow(ana, bo)
        paid, got = await offer(ana, bo, "5"), await offer(bo, ana, "7")
        await accept(bo, paid)
        await accept(ana, got)
        for payment in (paid, got):
            await w.until(partial(both_see, (ana, bo), payment, "settled"))
        faults, before = Faults(ana), await written(ana)
        await bad_amounts(faults, got)
        await bad_people(ana, faults)
        await closed(ana, faults, got)
        await bad_ids(ana, faults, got)
        assert await written(ana) == before
        assert (await owed(ana, bo), await waiting(ana)) == (200, {"offers": [], "open": [], "asked": [], "asking": []})
        await not_so(ana, bo, faults, paid, got)
        await bound(ana, bo, faults)
        await paused(ana, bo, faults, got)
        anew = ("payments.reset", "payments.agree")  # tests/stories/test_debts_anew.py
        assert {one for one in faults.missing("payments") if one[0] not in anew} == set()

    world.run(story, seed=90)


NOTES = ("", "lunch", "語" * 166, "x" * 500, "\x1b[2J\u202e\x00\r\n\u2028cash", "'; DROP TABLE payment; --")


def test_notes_are_kept_as_they_are_and_shown_without_what_moves_a_terminal() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        for note in NOTES:
            row = await ana.call("payments.pay", to="bo", amount="1", unit="EUR", note=note)
            await w.until(partial(has_offer, bo, row["id"]))
            for one in (ana, bo):
                found = await line(one, row["id"])
                assert found["note"] == note
                assert debts.line(found).isprintable()
        wish = await bo.call("payments.ask", to="ana", amount="1", unit="eur", note=NOTES[4])
        assert debts.wish(wish).isprintable()

    world.run(story, seed=91)


def test_a_contact_of_ones_own_name_is_somebody_else() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await ana.call("contacts.rename", name="bo", new="Ana")
        row = await ana.call("payments.ask", to="ana", amount="1", unit="EUR")
        assert row["contact"] == "Ana"
        await w.until(partial(is_asked, bo, row["id"]))
        assert ana.node is not None
        account = ids.account_text(ana.node.core.identity.account)
        assert await Faults(ana).code("payments.ask", to=account, amount="1", unit="EUR") == "payment.self"

    world.run(story, seed=92)


def test_what_is_found_by_an_end_of_its_id_and_read_in_pages() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await allow(bo, ana)
        made = [await offer(ana, bo, f"0.0{n}") for n in range(1, 8)]
        for payment in made:
            for text in (payment, payment[-8:], payment[-5:].lower(), f" {payment[-6:]} "):
                assert (await ana.call("payments.show", id=text))["id"] == payment
        pages: list[str] = []
        before = None
        while page := await ana.call("payments.history", limit=3, before=before):
            assert len(page) <= 3
            pages += [row["id"] for row in page]
            before = page[-1]["row"]
        assert pages == made[::-1]
        for limit in (0, -1, -(2**62)):
            assert await ana.call("payments.history", limit=limit) == []
        assert len(await ana.call("payments.history", to="bo", limit=2**62)) == 7

    world.run(story, seed=93)
