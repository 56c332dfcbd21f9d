"""People who keep for each other, and are hardly ever there: what stories of keepers share."""

import random
from typing import Protocol, TypeVar

from features.chat.content import Text
from lab.world import Person
from protocol import content, keep
from protocol.content import Channel
from protocol.delivery import State
from store import keepers, people, shelves
from store.database import Tx

KINDS = content.Kinds((Text,))
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


class Snapshot(Protocol):
    """What is noted of a node: see test_keeper_worlds.py."""

    heard: dict[str, int]
    twice: list[str]
    unfinished: int
    kept_bytes: int
    caught: dict[str, str]


S = TypeVar("S", bound=Snapshot)


async def snapshot(person: Person, noted: S) -> S:
    """Notes what a running node holds: what it heard and when, what of its own has not arrived, what it keeps."""
    assert person.node is not None
    core = person.node.core

    def look(tx: Tx) -> None:
        for device, state, arrived_ms, body in tx.all(
            "SELECT device, state, arrived_ms, body FROM message WHERE kind = ? ORDER BY seq", (Text.KIND,)
        ):
            if device == 0:
                noted.unfinished += state not in (State.DELIVERED, State.READ)
                continue
            text = KINDS.hear(body, Channel.RATCHET).content.text
            if text in noted.heard:
                noted.twice.append(text)
            noted.heard[text] = arrived_ms
        for one in keepers.known(tx):
            if one.lie:
                noted.caught[people.contact(tx, one.contact).name.casefold()] = one.lie

    await core.database.transact(look)
    noted.kept_bytes = sum(one.bytes for one in await core.keeping.usage())
    return noted


async def lose(person: Person) -> None:
    """What a node keeps for others is gone, and it does not even know for whom it kept."""
    assert person.node is not None
    if person.node.core.keeping.is_serving:
        await person.node.core.keeping.database.transact(_forget)


def _forget(tx: Tx) -> None:
    for table in ("parcel", "door", "queue", "owner"):
        tx.execute(f"DELETE FROM {table}")


async def tamper(person: Person, chance: random.Random) -> None:
    """A keeper that lies: of what it keeps it drops some, repeats some, swaps some and turns some around."""
    assert person.node is not None
    keeping = person.node.core.keeping
    if not keeping.is_serving:
        return

    def lie(tx: Tx) -> None:
        rows = tx.all("SELECT place, envelope FROM parcel ORDER BY place")
        for place, _ in rows:
            if chance.random() < 0.2:
                tx.execute("DELETE FROM parcel WHERE place = ?", (place,))
        swapped = [row for row in rows if chance.random() < 0.1]
        for (place, _), (_, envelope) in zip(swapped, reversed(swapped), strict=True):
            tx.execute("UPDATE parcel SET envelope = ? WHERE place = ?", (envelope, place))
        # its counts are what it has, or it would only break
        for table, of in (("owner", f"place >> {shelves.SEQ_BITS} = owner.id"), ("queue", "queue = queue.id")):
            sums = f"(SELECT COUNT(*), COALESCE(SUM(LENGTH(envelope)), 0) FROM parcel p WHERE p.{of})"
            tx.execute(f"UPDATE {table} SET (items, bytes) = {sums}")
        tx.execute("UPDATE door SET items = (SELECT COUNT(*) FROM parcel p WHERE p.door = door.id)")

    await keeping.database.transact(lie)
