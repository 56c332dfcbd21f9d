"""What a backup brings back of keepers: who keeps for us and for whom we keep, where others can be left mail."""

from functools import partial
from typing import Any

import pytest

from crypto.faults import Malformed
from features.keepers import returning, view
from features.keepers.view import State, Word
from lab import world
from lab.world import Person, World, texts
from protocol import keep_code, wire
from store import devices, inboxes, keepers, people, settings
from store.database import Tx
from tests.features.test_keepers import (
    HOME,
    SHARE,
    friends,
    kept_for_ana,
    knows,
    listed,
    room,
    run,
    stands,
    states,
)
from tests.stories.test_backups import kept, lose_and_restore


def test_a_backup_brings_back_what_was_agreed_and_where_mail_is_left() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(bo, ana="used"))
        await w.until(stands(ana, bo="used"))
        await ana.call("keepers.use", who=keep_code.text_of(HOME))
        note = await run(ana, returning.keep, 1)
        found = returning.check(note)
        (agreed,) = found.theirs
        assert (len(agreed.permit), agreed.space, agreed.stands) == (32, SHARE, 1)
        assert ([space for space, _ in found.ours], [one.name for one in found.nodes]) == ([SHARE], ["home"])

        def forget(tx: Tx) -> None:
            for one in keepers.known(tx):
                keepers.forget(tx, one.id)
            tx.execute("DELETE FROM keeper_offer")

        before = {one.permit: one.owner_seed for one in await run(ana, keepers.used)}
        await run(ana, settings.put, "keepers.take", "no")  # so that nothing is used for another reason
        await run(ana, forget)
        assert ana.node is not None
        await run(ana, returning.put_back, 1, note)
        await run(ana, returning.restored, ana.node.core.identity, w.now_ms(), ana.entropy("restored"))
        after = {one.permit: one.owner_seed for one in await run(ana, keepers.used)}
        assert after.keys() == before.keys()
        assert all(after[permit] != before[permit] for permit in after)  # the lost device knows the old keys
        assert await run(ana, lambda tx: tx.all("SELECT * FROM keeper_back")) == []
        await room(ana).settle()
        again = await run(ana, view.given, 1)
        assert (again.state, again.version > found.ours[0][1]) == (State.SAID, True)

    world.run(story, 615)


def test_who_was_stopped_is_not_used_after_a_restore() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(ana, bo="used"))
        await ana.call("keepers.stop", who="bo")
        note = await run(ana, returning.keep, 1)
        (one,) = await run(ana, keepers.known)
        await run(ana, keepers.forget, one.id)
        await run(ana, view.unnote, 1, Word.STOPPED)
        assert ana.node is not None
        await run(ana, returning.put_back, 1, note)
        await run(ana, returning.restored, ana.node.core.identity, w.now_ms(), ana.entropy("restored"))
        await room(ana).settle()
        assert await states(ana) == {"bo": "offered"}

    world.run(story, 616)


def test_a_lost_device_comes_back_to_its_keepers_and_to_those_for_whom_it_kept() -> None:
    async def story(w: World) -> None:
        bo, ana, chen = await kept_for_ana(w)
        await bo.call("keepers.offer", contacts=["chen"])
        await ana.call("keepers.offer", contacts=["chen"])
        await w.until(stands(chen, ana="used", bo="used"))
        await w.until(partial(knows, ana, "chen", "bo"))
        before = await sender_ids(chen), await run(chen, keepers.used)
        file = w.folder / "ana.weft"
        await kept(ana, file)
        await ana.kill()
        await lose_and_restore(ana, file)
        for gone in w.folder.glob("ana.keeping.db*"):
            gone.unlink()
        await bo.stop()
        await chen.stop()
        await ana.start()
        assert await knows(ana, "chen", "bo")  # she met nobody yet
        assert await states(ana) == {"bo": "used"}
        assert [one["name"] for one in (await listed(ana))["owners"]] == ["Chen"]
        await bo.start()
        await chen.start()

        async def has_others() -> bool:
            lines = await sender_ids(chen)
            return len(lines) == 1 and lines != before[0]

        async def is_kept_anew() -> bool:
            now = {one.id: one.permit for one in await run(chen, keepers.used)}
            return [now[one.id] != one.permit for one in before[1]].count(True) == 1

        await w.until(has_others)
        await w.until(is_kept_anew)
        await ana.stop()
        await chen.call("chat.send", to="ana", text="are you there again?")

        async def is_kept() -> bool:
            return all(one["state"] == "kept" for one in await chen.call("chat.history", to="ana"))

        await w.until(is_kept)
        await chen.stop()
        await ana.start()

        async def came() -> bool:
            return await texts(ana, "chen") == ["are you there again?"]

        await w.until(came)

    world.run(story, 621)


async def sender_ids(chen: Person) -> list[bytes]:
    """The queues in which Chen leaves mail for Ana's living device."""

    def look(tx: Tx) -> list[bytes]:
        ana = people.find_contact(tx, "ana")
        living = [one for one in devices.devices_of(tx, ana.id) if not one.revoked]
        return [box.line.sender for one in living for box in inboxes.of(tx, one.id)]

    found: list[bytes] = await run(chen, look)
    return found


GOOD: tuple[Any, ...] = (
    ((b"p" * 32, b"f" * 32, 1, 1, 1, 1),),
    ((1, 1),),
    (("home", b"p" * 32, b"f" * 32, b"h" * 32, ("/ip4/192.0.2.7/tcp/4001",)),),
    (),
)
BAD = {
    "one part less": GOOD[:3],
    "two agreements": (GOOD[0] * 2, *GOOD[1:]),
    "a short permit": (((b"p" * 31, *GOOD[0][0][1:]),), *GOOD[1:]),
    "an offer of nothing": (((*GOOD[0][0][:2], 0, 1, 1, 1),), *GOOD[1:]),
    "no such standing": (((*GOOD[0][0][:5], 3),), *GOOD[1:]),
    "a share below nothing": (GOOD[0], ((-1, 1),), *GOOD[2:]),
    "four nodes": (*GOOD[:2], GOOD[2] * 4, ()),
    "a node without a name": (*GOOD[:2], (("", *GOOD[2][0][1:]),), ()),
    "an address that is none": (*GOOD[:2], ((*GOOD[2][0][:4], (7,)),), ()),
    "a box without lines": (*GOOD[:3], ((b"d" * 32, 1, ()),)),
    "a line that is none": (*GOOD[:3], ((b"d" * 32, 1, (b"line",)),)),
}


def test_a_note_of_a_backup_is_read_strictly() -> None:
    assert returning.check(wire.encode(GOOD)).ours == ((1, 1),)
    for why, bad in BAD.items():
        with pytest.raises(Malformed):
            print(why, returning.check(wire.encode(bad)))
