"""What stories about debts share: two people who are contacts, how it stands between them, and that they agree."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from lab import world
from lab.world import Person, World
from ledger import units
from store import payments, people
from store.database import Tx


async def pair(world_: World, *names: str) -> list[Person]:
    """People who are all contacts of each other."""
    people = [await world_.person(name) for name in names or ("ana", "bo")]
    for at, one in enumerate(people):
        for other in people[at + 1 :]:
            await world.befriend(one, other)
    return people


async def owed(person: Person, by: Person, unit: str = "EUR") -> int:
    """What somebody owes a person, as the person's own node has it, in the smallest unit."""
    rows = (await person.call("payments.balances"))["balances"]
    return sum(row["minor"] for row in rows if row["contact"].casefold() == by.name.casefold() and row["unit"] == unit)


async def state(person: Person, payment: str) -> str:
    """The state of a payment as a person sees it, "" where it is not known."""
    for row in await person.call("payments.history", limit=1000):
        if row["id"] == payment:
            return str(row["state"])
    return ""


async def both_see(people: Sequence[Person], payment: str, wanted: str) -> bool:
    """Whether all see a payment in this state."""
    return all([await state(one, payment) == wanted for one in people])


async def waiting(person: Person) -> dict[str, Any]:
    """What waits for a person."""
    found: dict[str, Any] = await person.call("payments.requests")
    return found


async def agree(people: Sequence[Person], unit: str = "EUR") -> bool:
    """Whether each two count the same, and nobody's node has found a difference."""
    for at, one in enumerate(people):
        for other in people[at + 1 :]:
            if await owed(one, other, unit) != -await owed(other, one, unit):
                return False
    return not any([(await one.call("payments.balances"))["paused"] for one in people])


async def line(person: Person, payment: str) -> dict[str, Any]:
    """A payment as a person sees it; {} where it is not known."""
    return next((row for row in await person.call("payments.history", limit=1000) if row["id"] == payment), {})


async def may_owe(person: Person, to: Person, minor: int, unit: str = "EUR") -> bool:
    """whether a person knows that she may owe another at least so much more"""
    if person.node is None:
        return False

    def look(tx: Tx) -> bool:
        rows = (one for one in payments.balances(tx) if people.contact(tx, one.contact).name.casefold() == to.name)
        return any(one.unit == unit and one.credit + one.owed >= minor for one in rows)

    return await person.node.core.database.transact(look)


async def allow(creditor: Person, debtor: Person, amount: str = "100", unit: str = "EUR") -> None:
    """A person lets another owe her so much, and he knows."""
    await creditor.call("payments.limit", to=debtor.name, amount=amount, unit=unit)
    minor = units.parse(amount, units.of(unit))
    await creditor.world.until(partial(may_owe, debtor, creditor, minor, unit))


async def offer(payer: Person, payee: Person, amount: str = "12.50", within_s: int = 86_400, unit: str = "EUR") -> str:
    """Offers an amount; its id."""
    row = await payer.call("payments.pay", to=payee.name, amount=amount, unit=unit, expires_s=within_s)
    return str(row["id"])


async def has_offer(payee: Person, payment: str) -> bool:
    """whether somebody sees an offer that waits for him"""
    return payee.node is not None and any(row["id"] == payment for row in (await waiting(payee))["offers"])


async def accept(payee: Person, payment: str) -> None:
    """Takes an offer once it is there."""
    await payee.world.until(partial(has_offer, payee, payment))
    await payee.call("payments.accept", id=payment)


async def pay(payer: Person, payee: Person, amount: str = "12.50", unit: str = "EUR") -> str:
    """Pays an amount: offered, accepted, confirmed; its id."""
    payment = await offer(payer, payee, amount, unit=unit)
    await accept(payee, payment)
    await payer.world.until(partial(both_see, (payer, payee), payment, "settled"))
    return payment


async def is_asked(person: Person, request: str) -> bool:
    """whether somebody is asked to pay"""
    return person.node is not None and any(row["id"] == request for row in (await waiting(person))["asked"])


async def is_wish(person: Person, request: str, wanted: str) -> bool:
    """whether a request is in this state"""
    return bool((await person.call("payments.show", id=request))["state"] == wanted)
