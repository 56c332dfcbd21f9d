"""The room of shops in a simulated world: what it refuses, in words, and how often the same order is the same."""

from dataclasses import replace
from typing import Any

from features.shop import arriving, service
from features.shop.content import QUANTITY_MAX
from lab import world
from lab.world import World, befriend
from protocol import ids, pay_code, record
from protocol.pay_code import ShopOffer
from store import halves, logs, people
from store.database import Tx
from tests.features.kit import Faults
from tests.protocol.test_pay_code import with_check
from tests.stories.shop_kit import bought, counter, is_sold, sold, stands


def test_each_fault_that_is_promised_is_met_and_nothing_is_ordered() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        dee, eve = await w.person("dee"), await w.person("eve")
        link = (await shop.call("contacts.invite", kind="long-term", expires_s=365 * 86_400))["link"]
        once = (await shop.call("contacts.invite"))["link"]
        theirs = (await bo.call("contacts.invite", kind="long-term"))["link"]
        selling, buying, strange = Faults(shop), Faults(bo), Faults(dee)

        # --- offers
        coffee: dict[str, Any] = {"title": "tea", "amount": "2", "unit": "EUR"}
        for title in ("", " ", "x" * 65, "two\nlines", "\ud800"):
            assert await selling.code("shop.offer", **(coffee | {"title": title})) == "shop.title"
        for unit in ("", "EURO", "v:nothing", "XXX"):
            assert await selling.code("shop.offer", **(coffee | {"unit": unit})) == "amount.unit"
        for amount, wrong in (("-1", "nothing"), ("1.234", "decimals"), ("1e3", "malformed"), ("9" * 20, "large")):
            assert await selling.code("shop.offer", **(coffee | {"amount": amount})) == f"amount.{wrong}"
        for bad in ("weft:i/AAAA", once, theirs, "\ud800"):
            assert await selling.code("shop.offer", **(coffee | {"link": bad})) == "link.bad"
        newer = "weft:i/" + "_" * 160
        assert await selling.code("shop.offer", **(coffee | {"link": newer})) == "link.newer"
        for wrong, why in (("ZZZZ", "shop.unknown"), ("x", "id.malformed")):
            assert await selling.code("shop.close", id=wrong) == why

        # --- orders
        buy: dict[str, Any] = {"code": code}
        for wrong in ("", "WEFT:S/", "bo", code[:-1], f"{code}A", "\ud800"):
            assert await buying.code("shop.buy", code=wrong) == "pay.code"
        for quantity in (0, -1, QUANTITY_MAX + 1, 2**60):
            assert await buying.code("shop.buy", **(buy | {"quantity": quantity})) == "shop.quantity"
        assert await buying.code("shop.buy", **(buy | {"amount": "3", "unit": "EUR"})) == "shop.price"
        for more in ({"note": "x" * 201}, {"note": "\ud800"}):
            assert await buying.code("shop.buy", **(buy | more)) == "shop.note"
        for more in ({"key": "x" * 201}, {"key": "\ud800"}):
            assert await buying.code("shop.buy", **(buy | more)) == "shop.key"
        for tip, wrong in (("-1", "nothing"), ("0.001", "decimals"), ("1,5", "malformed"), ("9" * 20, "large")):
            assert await buying.code("shop.buy", **(buy | {"tip": tip})) == f"amount.{wrong}"
        assert await buying.code("shop.buy", **(buy | {"tip": "90071992547409.91"})) == "amount.large"
        assert await buying.code("shop.buy", **(buy | {"quantity": 36})) == "shop.limit"
        open_ = (await shop.call("shop.offer", title="donation", unit="EUR"))["code"]
        assert await buying.code("shop.buy", code=open_) == "shop.price"
        assert await buying.code("shop.buy", code=open_, amount="3", unit="USD") == "shop.price"
        assert await buying.code("shop.buy", code=open_, amount="3", unit="EURO") == "amount.unit"
        assert await buying.code("shop.buy", code=open_, amount="0", unit="EUR") == "amount.nothing"
        foreign = ShopOffer(shop_account(shop), bytes(16), "tea", "XXX", 1, None)
        assert await buying.code("shop.buy", code=pay_code.shop_text(foreign)) == "amount.unit"
        assert await selling.code("shop.buy", code=code) == "shop.self"

        said = record.encode(pay_code.shop_of(code))
        newer_link = record.encode(replace(pay_code.shop_of(code), link=b"\x02" + bytes(85)))
        for raw, why in ((b"\x02" + said, "pay.newer"), (b"\x01" + newer_link, "link.newer")):
            assert await buying.code("shop.buy", code=with_check(pay_code.SHOP_PREFIX, raw)) == why

        # --- strangers
        assert await strange.code("shop.buy", code=code) == "shop.stranger"
        linked = (await shop.call("shop.offer", **(coffee | {"link": link})))["code"]
        fault = await strange.of("shop.buy", code=linked)
        assert (fault.code, fault.next) == ("shop.stranger", f"weft add {link}")
        assert (await shop.call("shop.link")) == {"link": link}
        await dee.call("contacts.add", link=link, name="shop")
        assert await strange.code("shop.buy", code=linked) == "contact.not_yet"
        await befriend(shop, eve)
        await eve.call("contacts.block", name="shop")
        assert await Faults(eve).code("shop.buy", code=code) == "contact.blocked"

        # --- the ledger stands still, or the account is another
        for change, why in ((_freeze, "ledger.paused"), (_doubt, "contact.account_changed")):
            assert bo.node is not None
            await bo.node.core.database.transact(change)
            assert await buying.code("shop.buy", code=code) == why

        # --- orders and receipts that are not there
        for wrong, why in (("ZZZZ", "order"), ("x", "malformed")):
            assert (await buying.code("shop.cancel", id=wrong)).endswith(why)
        assert await buying.code("shop.receipt", id="ZZZZ") == "shop.receipt"
        assert await buying.code("shop.receipt", id="x") == "id.malformed"
        assert await bo.call("shop.bought") == await dee.call("shop.bought") == []
        assert await shop.call("shop.sales") == []

        # --- the end of an id, and as many things as a shop can sell
        rows = await shop.call("shop.list")
        assert shop.node is not None
        await shop.node.core.database.transact(_alike)
        assert await selling.code("shop.close", id=ids.ulid(bytes(16))[-4:]) == "shop.ambiguous"
        for _ in range(service.OFFERS_MAX - len(rows)):
            await shop.call("shop.offer", title="tea", unit="EUR")
        assert await selling.code("shop.offer", **coffee) == "shop.offers"
        await shop.call("shop.close", id=(await shop.call("shop.list"))[-1]["id"])
        await shop.call("shop.offer", **coffee)
        missing = selling.missing("shop") & buying.missing("shop") & strange.missing("shop")
        assert missing - Faults(eve).met == {
            ("shop.buy", "contact.blocked"),  # eve has met it
            ("shop.cancel", "shop.order_over"),  # below
        }

    world.run(story, seed=82)


def _freeze(tx: Tx) -> None:
    (shop,) = people.contacts(tx)
    for half in halves.chains_of(tx, shop.id):
        for part in half:
            tx.execute("UPDATE log SET state = ? WHERE number = ?", (logs.State.FROZEN, part.log.number))


def _doubt(tx: Tx) -> None:
    (shop,) = people.contacts(tx)
    people.set_alarm(tx, shop.id, people.STOPS)


def _alike(tx: Tx) -> None:
    for place, (row,) in enumerate(tx.all("SELECT id FROM shop_offer ORDER BY id LIMIT 2")):
        tx.execute("UPDATE shop_offer SET offer = ? WHERE id = ?", (bytes([place]) + bytes(15), row))


def shop_account(person: world.Person) -> ids.AccountId:
    assert person.node is not None
    return person.node.core.identity.account


def test_the_same_order_is_one_order_while_it_waits_and_a_key_is_one_for_ever() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        await shop.stop()
        first = await bo.call("shop.buy", code=code)
        again = await bo.call("shop.buy", code=f" {code.lower()}\n")
        other = await bo.call("shop.buy", code=code, quantity=2)
        keyed = await bo.call("shop.buy", code=code, key="order 7")
        assert first["id"] == again["id"]
        assert len({first["id"], other["id"], keyed["id"]}) == 3
        faults = Faults(bo)
        assert await faults.code("shop.buy", code=code, quantity=3, key="order 7") == "shop.key"
        cancelled = await bo.call("shop.cancel", id=other["id"][-6:])
        assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "you took it back")
        assert await faults.code("shop.cancel", id=other["id"]) == "shop.order_over"
        await shop.start()
        await w.until(is_sold(shop, 2))
        assert (await bo.call("shop.buy", code=code, key="order 7"))["state"] == "paid"
        (row,) = await shop.call("shop.list")
        assert (row["sold"], row["taken"]) == (2, "5.60")
        anew = await bo.call("shop.buy", code=code)  # another coffee: the first is paid
        assert anew["id"] != first["id"]
        await w.until(is_sold(shop, 3))

    world.run(story, seed=83)


def test_who_sells_no_more_is_not_asked_in_vain_and_a_price_is_the_shops() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w)
        (row,) = await shop.call("shop.list")
        assert (await shop.call("shop.close", id=row["id"][-4:]))["closed"]
        await bo.call("shop.buy", code=code)
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"] == "shop sells no such thing any more"
        assert (await sold(shop))["reason"] == "your shop sells no such thing any more"
        offer = pay_code.shop_of((await shop.call("shop.offer", title="tea", amount="2", unit="EUR"))["code"])
        cheap = ShopOffer(offer.account, offer.offer, "tea", "EUR", 1, None)
        unknown = ShopOffer(offer.account, bytes(16), "tea", "EUR", 200, None)
        for false, why in ((cheap, "shop asks another price"), (unknown, "shop sells no such thing any more")):
            await bo.call("shop.buy", code=pay_code.shop_text(false))
            await w.until(stands(bo, "refused"))
            assert (await bought(bo))["reason"] == why
        other = ShopOffer(offer.account, offer.offer, "tea", "USD", 200, None)
        await shop.call("payments.limit", to="bo", amount="100", unit="USD")
        await w.until(lambda: credit(bo, "USD"))
        await bo.call("shop.buy", code=pay_code.shop_text(other))
        await w.until(stands(bo, "refused"))
        assert (await bought(bo))["reason"].startswith("shop answered with an invoice for something else")
        assert await bo.call("payments.history") == []

    world.run(story, seed=84)


async def credit(person: world.Person, unit: str) -> bool:
    """whether somebody may owe in a unit"""
    return any(row["unit"] == unit for row in (await person.call("payments.balances"))["balances"])


def test_a_contact_has_so_many_orders_unpaid_and_no_more() -> None:
    async def story(w: World) -> None:
        shop, bo, code = await counter(w, credit="100")
        await shop.call("payments.limit", to="bo", amount="0", unit="EUR")
        await shop.stop()
        for count in range(arriving.HOUR_MAX + 1):
            await bo.call("shop.buy", code=code, key=str(count))
        await shop.start()

        async def all_answered() -> bool:
            """all orders are answered"""
            return all(row["state"] == "refused" for row in await bo.call("shop.bought", limit=100))

        await w.until(all_answered)
        reasons = [row["reason"] for row in await bo.call("shop.bought", limit=100)]
        assert sum("too many" in one for one in reasons) >= 1
        assert sum("lets you owe no more" in one for one in reasons) >= arriving.UNPAID_MAX
        assert len(await shop.call("shop.sales", limit=100)) <= arriving.HOUR_MAX

    world.run(story, seed=85)
