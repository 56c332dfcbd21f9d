"""People who keep for each other, and are hardly ever there: what stories of keepers share."""

from lab.world import Person
from protocol import keep
from store import keepers, people
from store.database import Tx

SPACE = 64 * 1024 * 1024
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


async def appoint(keeper: Person, owner: Person) -> None:
    """The keeper keeps for the owner, who uses it."""
    assert keeper.node is not None
    assert owner.node is not None
    theirs = await keeper.node.core.database.transact(people.find_contact, owner.name)
    permit = await keeper.node.core.keeping.permit(theirs.id, SPACE, keep.FRIEND.ttl_s)
    now_ms = owner.now_ms()

    def use(tx: Tx) -> None:
        mine = people.find_contact(tx, keeper.name)
        found = keepers.offered(tx, mine.id, permit, owner.entropy("find")(32), SPACE, keep.FRIEND.ttl_s, 1, now_ms)
        assert found is not None
        keepers.use(tx, found.id, owner.entropy("owner")(32))

    await owner.node.core.database.transact(use)


async def has_lines(sender: Person, owner: Person, count: int) -> bool:
    """Whether the sender can leave mail for the owner at so many keepers."""
    if sender.node is None:
        return False
    sql = "SELECT COUNT(*) FROM inbox_line l JOIN device d ON d.id = l.device JOIN contact c ON c.id = d.contact"

    def lines(tx: Tx) -> int:
        row = tx.one(f"{sql} WHERE c.folded = ?", (owner.name.casefold(),))
        assert row is not None
        return int(row[0])

    return await sender.node.core.database.transact(lines) >= count


async def states(sender: Person, to: str) -> list[str]:
    """How far each of the sender's lines to somebody is, in order."""
    assert sender.node is not None
    lines = await sender.node.core.services["chat"].history(to, 1000)
    return [one.state for one in lines if one.mine]
