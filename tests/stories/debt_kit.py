"""What stories about debts share: two people who are contacts, how it stands between them, and that they agree."""

from collections.abc import Sequence
from typing import Any

from lab import world
from lab.world import Person, World


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
