"""The room of vouchers in a simulated world: issued, given, redeemed, never spent twice; what it refuses."""

from functools import partial
from typing import Any

from lab import world
from lab.world import Person, World
from tests.features.kit import Faults
from tests.stories.debt_kit import both_see, may_owe, pair, waiting


async def rows(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await person.call("vouchers.list")
    return found


async def has_offers(person: Person, count: int) -> bool:
    """Whether so many offers wait for somebody."""
    return len((await waiting(person))["offers"]) == count


def test_five_coffees_are_given_and_two_are_drunk() -> None:
    async def story(w: World) -> None:
        shop, bo = await pair(w, "shop", "bo")
        await shop.call("vouchers.issue", name="coffee")
        assert [(row["name"], row["mine"], row["contact"]) for row in await rows(shop)] == [("coffee", True, "")]
        given = await shop.call("vouchers.give", to="bo", amount="5", name="coffee", note="welcome")
        await w.until(partial(has_offers, bo, 1))
        await bo.call("payments.accept", id=given["payment"])  # which lets the shop owe them, without a limit before
        await w.until(partial(both_see, (shop, bo), given["payment"], "settled"))
        faults = Faults(bo)
        assert await faults.code("vouchers.redeem", amount="6", name="coffee") == "voucher.few"
        back = await bo.call("vouchers.redeem", amount="2", name="coffee")
        assert await faults.code("vouchers.redeem", amount="4", name="coffee") == "voucher.few"  # two are on their way
        await w.until(partial(has_offers, shop, 1))
        await shop.call("payments.accept", id=back["payment"])
        await w.until(partial(both_see, (shop, bo), back["payment"], "settled"))
        assert [(row["amount"], row["mine"], row["contact"]) for row in await rows(bo)] == [("3", False, "shop")]
        assert [(row["amount"], row["mine"], row["contact"]) for row in await rows(shop)] == [("3", True, "Bo")]
        await shop.call("payments.limit", to="bo", amount="10", unit="v:coffee")
        await w.until(partial(may_owe, bo, shop, 10, unit=(await rows(bo))[0]["unit"]))
        more = await bo.call("payments.pay", to="shop", amount="5", unit="v:coffee")
        await w.until(partial(has_offers, shop, 1))
        await shop.call("payments.accept", id=more["id"])
        await w.until(partial(both_see, (shop, bo), more["id"], "settled"))  # now bo owes them, and nobody holds any
        assert await rows(bo) == []
        assert [(row["amount"], row["contact"]) for row in await rows(shop)] == [("0", "")]

    world.run(story, seed=41)


def test_what_the_room_refuses_it_says_in_words_and_writes_nothing() -> None:
    async def story(w: World) -> None:
        shop, bo, bo2 = await pair(w, "shop", "bo1", "bo2")
        dee = await w.person("dee")
        faults = Faults(shop)
        for name in ("", "a b", "x" * 31, "a/b", "-x", "\ud800"):
            wrong = await faults.of("vouchers.issue", name=name)
            assert (wrong.code, wrong.next) == ("amount.unit", "weft voucher issue coffee")
        await shop.call("vouchers.issue", name="coffee")
        await shop.call("vouchers.issue", name="card", decimals=2)
        assert await faults.code("vouchers.issue", name="coffee") == "voucher.taken"
        give: dict[str, Any] = {"to": "bo1", "amount": "5", "name": "coffee"}
        redeem: dict[str, Any] = {"amount": "5", "name": "coffee"}
        assert await faults.code("vouchers.give", **(give | {"name": "tea"})) == "voucher.unknown"
        assert await faults.code("vouchers.redeem", **redeem) == "voucher.unknown"
        for amount, code in (("0", "nothing"), ("-1", "nothing"), ("1.5", "decimals"), ("1e3", "malformed")):
            assert await faults.code("vouchers.give", **(give | {"amount": amount})) == f"amount.{code}"
        assert await faults.code("vouchers.give", **(give | {"amount": "9" * 30})) == "amount.large"
        assert await faults.code("vouchers.give", **(give | {"note": "x" * 501})) == "limit"
        await shop.call("contacts.block", name="bo2")
        for method, more in (("vouchers.give", give), ("vouchers.redeem", redeem)):
            key = "to" if method == "vouchers.give" else "at"
            for who, code in (("nobody", "unknown"), ("bo", "ambiguous"), ("bo2", "blocked")):
                assert await faults.code(method, **(more | {key: who})) == f"contact.{code}"
        link = (await dee.call("contacts.invite"))["link"]
        await dee.stop()
        await shop.call("contacts.add", link=link, name="dee")
        assert await faults.code("vouchers.give", **(give | {"to": "dee"})) == "contact.not_yet"
        assert (await shop.call("payments.requests"))["open"] == []
        del bo, bo2

    world.run(story, seed=42)
