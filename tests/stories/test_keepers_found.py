"""A keeper who has moved is found by his record in the DHT, by senders who are no contacts of his."""

from functools import partial

from lab import world
from lab.world import Person, World, befriend, texts
from store import people, whereabouts


async def leaves_at(sender: Person, owner: str) -> list[str]:
    """Where one can leave mail for another."""
    assert sender.node is not None
    transact = sender.node.core.database.transact
    contact = await transact(people.find_contact, owner)
    return [*(await transact(whereabouts.keepers_of, contact.id)).values()]


async def has_come(owner: Person, text: str) -> bool:
    return await texts(owner, "chen") == [text]


def test_a_keeper_who_moved_is_found_by_who_is_no_contact_of_his() -> None:
    async def story(w: World) -> None:
        w.share_lookup()
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        await befriend(ana, bo)
        await befriend(ana, chen)
        await bo.call("keepers.offer", contacts=["ana"])

        async def is_told() -> bool:
            return await leaves_at(chen, "ana") == ["a keeper of ana's"]

        await w.until(is_told)
        await ana.stop()
        await bo.stop()
        bo.port += 1
        await bo.start()
        await chen.call("chat.send", to="ana", text="where are you?")

        async def is_kept() -> bool:
            (now,) = await chen.call("chat.history", to="ana")
            return bool(now["reason"].startswith("kept by a keeper of ana's until "))

        await w.until(is_kept)
        await chen.stop()
        await ana.start()
        await w.until(partial(has_come, ana, "where are you?"))

    world.run(story, 630)
