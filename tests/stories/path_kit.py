"""What stories about ways over others share: who may owe whom, who passes on, and what became of a payment."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from features.paths import view
from lab import world
from lab.world import Person, World
from ledger.path import Route
from protocol import ids
from store import database
from store.database import Tx
from tests.stories.debt_kit import owed

UNIT = "EUR"
OVER = ("paid", "failed")


async def street(w: World, *names: str) -> list[Person]:
    """People who stand in a row: each is a contact of the next, owes him up to 100 EUR, and passes on over both."""
    people = [await w.person(name) for name in names]
    for one, next_ in pairwise(people):
        await join(w, one, next_)
    for at, one in enumerate(people[1:-1], 1):
        for other in (people[at - 1], people[at + 1]):
            await forward(one, other)
    return people


async def join(w: World, payer: Person, payee: Person, limit: str = "100") -> None:
    """Makes two contacts, and lets the payer owe the payee so much."""
    await world.befriend(payer, payee)
    await allow(w, payer, payee, limit)


async def allow(w: World, payer: Person, payee: Person, limit: str = "100") -> None:
    """Lets a contact owe so much, and waits until he knows."""
    await payee.call("payments.limit", to=payer.name, amount=limit, unit=UNIT)
    await w.until(partial(may_owe, payer, payee, float(limit)))


async def may_owe(payer: Person, payee: Person, limit: float) -> bool:
    """Whether a payer knows what a payee lets him owe."""
    rows = (await payer.call("payments.balances"))["balances"]
    return any(
        row["contact"].casefold() == payee.name.casefold() and float(row["credit"]) == limit and row["unit"] == UNIT
        for row in rows
    )


async def forward(person: Person, over: Person, each: str = "50", total: str = "100") -> None:
    """Lets others pay over a contact."""
    await person.call("paths.forward", to=over.name, each=each, total=total, unit=UNIT)


async def invoice(payee: Person, amount: str = "20", **more: Any) -> dict[str, Any]:
    """An invoice of somebody."""
    found: dict[str, Any] = await payee.call("paths.invoice", amount=amount, unit=UNIT, **more)
    return found


async def paid(person: Person, of: str) -> dict[str, Any]:
    """A payment as its payer sees it."""
    found: dict[str, Any] = await person.call("paths.show", id=of)
    return found


async def is_in(person: Person, of: str, *states: str) -> bool:
    """Whether a payment or an invoice is in one of these states."""
    return (await paid(person, of))["state"] in states


async def ended(w: World, person: Person, of: str) -> dict[str, Any]:
    """A payment once it is over."""
    await w.until(partial(is_in, person, of, *OVER))
    return await paid(person, of)


async def locks(person: Person) -> list[tuple[str, bool, str]]:
    """The locks that are not over, as a person sees them: with whom, whether he pays, the amount."""
    rows = (await person.call("payments.balances"))["reserved"]
    return sorted((row["contact"].casefold(), row["mine"], row["amount"]) for row in rows if row["state"] == "locked")


async def are_over(people: Sequence[Person]) -> bool:
    """Whether nothing is locked or offered with anybody."""
    return not any([(await one.call("payments.balances"))["reserved"] for one in people])


async def owes(payer: Person, payee: Person) -> tuple[int, int]:
    """What somebody owes, as both see it."""
    return await owed(payee, payer), -await owed(payer, payee)


async def newest_change(person: Person) -> int:
    """The number of the newest change in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(database.newest_change)


async def has_come_to(person: Person, change: int) -> bool:
    """Whether so many changes were made in somebody's database."""
    return await newest_change(person) >= change


async def routes(person: Person) -> tuple[Route, ...]:
    """What somebody has promised, or passed on."""
    assert person.node is not None
    return await person.node.core.database.transact(view.routes)


async def has_routes(person: Person) -> bool:
    """Whether somebody has promised something."""
    return bool(await routes(person))


async def forget_routes(person: Person) -> None:
    """A node breaks its promises."""
    assert person.node is not None

    def forget(tx: Tx) -> None:
        for one in view.routes(tx):
            view.drop_route(tx, one)

    await person.node.core.database.transact(forget)


async def is_offered(person: Person, payment: str) -> bool:
    """Whether an offer waits for somebody."""
    return any(row["id"] == payment for row in (await person.call("payments.requests"))["offers"])


async def has_state(person: Person, wanted: str) -> bool:
    """Whether some payment of somebody is in this state."""
    return any(row["state"] == wanted for row in await person.call("payments.history", limit=10))


async def account(person: Person) -> str:
    """The account of somebody, as text."""
    assert person.node is not None
    return ids.account_text(person.node.core.identity.account)


def ulid_end(name: bytes) -> str:
    """The end of an id, as a person types it."""
    return ids.ulid(name[:16])[-8:]


async def questions(person: Person) -> int:
    """How often somebody was asked for a way in the last minutes."""
    assert person.node is not None
    rows = await person.node.core.database.transact(lambda tx: tx.all("SELECT count FROM path_rate"))
    return sum(int(count) for (count,) in rows)
