"""What stories about red packets share: who sees which packet how, and that nothing of it is lost or given twice."""

from typing import Any

from features.packets import view
from lab.world import Person
from store.database import Tx
from tests.stories.debt_kit import owed


async def rows(person: Person) -> list[dict[str, Any]]:
    """The packets that somebody sees."""
    found: list[dict[str, Any]] = await person.call("packets.list")
    return found


async def state(person: Person, packet: str) -> str:
    """How a packet stands with somebody, "" where he knows none."""
    return "".join(row["state"] for row in await rows(person) if row["id"] == packet)


async def shown(person: Person, packet: str) -> dict[str, Any]:
    """All of a packet as somebody sees it."""
    found: dict[str, Any] = await person.call("packets.show", id=packet)
    return found


async def all_see(people: tuple[Person, ...], packet: str, *wanted: str) -> bool:
    """Whether a packet is in one of these states with all of them."""
    return all([await state(one, packet) in wanted for one in people])


async def all_closed(people: tuple[Person, ...], packet: str) -> bool:
    """Whether all can say whether a packet was fair, and who got a share has it."""
    for one in people:
        if not await state(one, packet):
            return False
        found = await shown(one, packet)
        if found["fair"] is None or any(each["state"] not in ("", "settled") for each in found["grants"]):
            return False
        if any(each["who"] == "you" and not each["state"] for each in found["grants"]):
            return False
    return True


async def check(sender: Person, others: tuple[Person, ...], packet: str) -> dict[str, Any]:
    """All agree on who got what, it is the total with the rest, and each is owed exactly his share."""
    own = await shown(sender, packet)
    assert own["fair"] is True
    amounts = [each["minor"] for each in own["grants"]]
    assert sum(amounts) + round(float(own["remainder"]) * 100) == own["minor"]
    assert len({each["account"] for each in own["grants"]}) == len(amounts)
    for one in others:
        found = await shown(one, packet)
        assert found["fair"] is True, found["fault"]
        assert [(each["account"], each["minor"], each["luckiest"]) for each in found["grants"]] == [
            (each["account"], each["minor"], each["luckiest"]) for each in own["grants"]
        ]
        assert found["remainder"] == own["remainder"]
        mine = sum(each["minor"] for each in found["grants"] if each["who"] == "you")
        assert await owed(one, sender) == mine
        assert await owed(sender, one) == -mine
    return own


async def database(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


def kept(tx: Tx) -> view.Kept:
    """The one packet that is here."""
    (one,) = view.newest(tx, 2)
    return one
