"""What stories about shops share: a shop with a customer whom it lets owe it, and how a purchase stands."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from features.shop.faults import NoReceipt
from lab.world import Person, World
from tests.stories.debt_kit import pair


async def counter(w: World, credit: str = "100", **offer: str) -> tuple[Person, Person, str]:
    """A shop, its customer bo, and the code of what it sells: a coffee for 2.80 EUR, where nothing else is said."""
    shop, bo = await pair(w, "shop", "bo")
    if credit:
        await allow(w, shop, bo, credit)
    made = await shop.call("shop.offer", **({"title": "coffee", "amount": "2.80", "unit": "EUR"} | offer))
    return shop, bo, str(made["code"])


async def allow(w: World, shop: Person, customer: Person, amount: str) -> None:
    """The shop lets a customer owe it so much, and he knows it."""
    await shop.call("payments.limit", to=customer.name, amount=amount, unit="EUR")
    await w.until(partial(_is_allowed, customer, f"{amount}.00"))


async def _is_allowed(customer: Person, amount: str) -> bool:
    """Whether somebody knows how much he may owe."""
    return any(row["credit"] == amount for row in (await customer.call("payments.balances"))["balances"])


async def bought(person: Person) -> dict[str, Any]:
    """The newest purchase of somebody."""
    rows: list[dict[str, Any]] = await person.call("shop.bought", limit=1)
    return rows[0]


async def sold(shop: Person) -> dict[str, Any]:
    """The newest sale of a shop."""
    rows: list[dict[str, Any]] = await shop.call("shop.sales", limit=1)
    return rows[0] if rows else {"state": ""}


def stands(person: Person, state: str) -> Callable[[], Awaitable[bool]]:
    """The question whether the newest purchase of somebody is so."""

    async def so() -> bool:
        """the purchase is so"""
        return person.node is not None and str((await bought(person))["state"]) == state

    return so


def is_sold(shop: Person, count: int = 1) -> Callable[[], Awaitable[bool]]:
    """The question whether so many sales are paid, each with its receipt."""

    async def so() -> bool:
        """the sales are paid"""
        if shop.node is None:
            return False
        rows: list[dict[str, Any]] = await shop.call("shop.sales")
        return [row["state"] for row in rows].count("paid") == count

    return so


def has_receipt(person: Person, payment: str) -> Callable[[], Awaitable[bool]]:
    """The question whether somebody has the receipt for a payment."""

    async def so() -> bool:
        """the receipt is there"""
        try:
            await person.call("shop.receipt", id=payment)
        except NoReceipt:
            return False
        return True

    return so
