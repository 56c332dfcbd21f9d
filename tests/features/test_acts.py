"""Acts on messages in every order, what an older version understands of them, and what they cost in a long history."""

import random
from typing import Any

import pytest

from features.chat import acts, overlay, pins, view
from features.chat.content import Edit, Pin, React, Recall, Text
from lab import world
from lab.world import World, befriend
from protocol import content, ids, wire
from protocol.content import Channel, Said
from store import devices, people
from store.database import Tx
from store.inbox import Arrival
from tests.stories.acts_kit import arrived, holds, run

NOW_MS = world.EPOCH_MS + 1_000_000
ORDERS = 60


class Seen(Exception):
    """What one order of arrivals led to; it undoes that order."""

    def __init__(self, lines: list[Any]) -> None:
        self.lines = lines


def message_id(number: int) -> ids.MessageId:
    """An id of Bob's making."""
    return ids.MessageId(bytes(15) + bytes([number]))


def say(number: int, hlc_ms: int, what: Any) -> Said:
    """What Bob says as his so-manieth message."""
    raw = content.say(
        message_id=message_id(number), hlc_ms=NOW_MS + hlc_ms, device_seq=number, parents=(), content=what
    )
    return overlay.KINDS.hear(raw, Channel.RATCHET)


def feed(tx: Tx, contact_id: int, order: list[Said]) -> None:
    """These arrive in this order. Raises: Seen."""
    contact = people.contact(tx, contact_id)
    row = tx.one("SELECT id FROM device WHERE contact = ?", (contact_id,))
    assert row is not None
    device = devices.device(tx, row[0])
    for said in order:
        seq = tx.execute(
            "INSERT INTO message (message_id, contact, device, kind, state, at_ms, arrived_ms, state_ms, reason, body)"
            " VALUES (?, ?, ?, ?, 3, ?, ?, ?, '', ?)",
            (said.message_id, contact_id, device.id, said.kind, said.hlc_ms, NOW_MS, NOW_MS, said.raw),
        ).lastrowid
        acts.apply(tx, Arrival(contact, device, seq, said, Channel.RATCHET, NOW_MS))
    lines = overlay.dressed(tx, view.history(tx, contact_id, None, 100, NOW_MS))
    raise Seen(
        [
            (one.id, one.text, one.edited, one.recalled, one.reply_to, one.reactions, overlay.versions(tx, one.seq))
            for one in lines
        ]
        + [("pinned", [one.id for one in pins.listed(tx, contact_id, NOW_MS)], [one.id for one in lines if one.pinned])]
    )


def test_all_orders_of_arrival_lead_to_the_same() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        mine = await alice.call("chat.send", to="bob", text="of alice")
        own = ids.MessageId(ids.ulid_from(mine["id"]))
        first, second, third = message_id(1), message_id(2), message_id(3)
        said = [
            say(1, 1, Text("one")),
            say(2, 2, Text("two", first)),
            say(3, 3, Text("three", own)),
            say(4, 9, Edit(first, "later by the clock")),
            say(5, 4, Edit(first, "earlier by the clock")),
            say(6, 9, Edit(first, "as late, and said after")),
            say(7, 7, React(own, "👍")),
            say(8, 8, React(own, "hm")),
            say(9, 5, React(first, "ok")),
            say(10, 6, React(first, None)),
            say(11, 7, Edit(second, "gone with its message")),
            say(12, 8, Recall(second)),
            say(13, 12, Edit(second, "too late")),
            say(14, 12, Edit(own, "not his")),
            say(15, 12, Recall(own)),
            say(16, 9, React(third, "ok")),
            say(17, 5, Pin(first, 1, 2)),
            say(18, 9, Pin(first, 0, 1)),
            say(19, 6, Pin(own, 1, 1)),
            say(20, 6, Pin(third, 0, 2)),
            say(21, 7, Pin(third, 1, 2)),
            say(22, 8, Pin(second, 1, 1)),
            say(23, 13, Pin(second, 1, 2)),
        ]
        contact = await run(alice, people.find_contact, "bob")
        found = []
        for number in range(ORDERS):
            order = random.Random(number).sample(said, len(said))

            def live(tx: Tx, order: list[Said] = order) -> Any:
                return tx.attempt(feed, tx, contact.id, order)

            outcome = await run(alice, live)
            assert isinstance(outcome.error, Seen), outcome.error
            found.append(outcome.error.lines)
        assert [lines for lines in found if lines != found[0]] == []
        *lines, (_, pinned, marked) = found[0]
        by_text = {
            text: (edited, recalled, [one.mark for one in marks]) for _, text, edited, recalled, _, marks, _ in lines
        }
        assert pinned == [ids.ulid(third), ids.ulid(own), ids.ulid(first)]
        assert sorted(pinned) == sorted(marked)
        assert by_text == {
            "of alice": (0, False, ["hm"]),
            "as late, and said after": (3, False, []),
            "": (0, True, []),
            "three": (0, False, ["ok"]),
        }

    world.run(story, seed=540)


def test_an_answer_shows_what_it_answers_and_a_forwarded_text_nobody() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(bob, chen)
        asked = await alice.call("chat.send", to="bob", text="Dinner\nat " + "nine " * 30)
        await w.until(lambda: arrived(alice))
        await bob.call("chat.send", to="alice", text="yes", reply=asked["short"].lower())
        await bob.call("chat.forward", id=asked["id"], to="chen")
        await w.until(lambda: arrived(bob))
        (answer,) = await alice.call("chat.inbox")
        excerpt = ("Dinner at " + "nine " * 30)[:79] + "…"
        assert answer["reply_to"] == {
            "id": asked["id"],
            "short": asked["short"],
            "mine": True,
            "is_here": True,
            "excerpt": excerpt,
        }
        (passed_on,) = await chen.call("chat.inbox")
        assert (passed_on["text"], passed_on["forwarded"], passed_on["reply_to"]) == (asked["text"], True, None)
        assert not await holds(chen, "alice")
        await alice.call("chat.edit", id=asked["id"], text="Lunch")
        await w.until(lambda: arrived(alice))
        (_, line) = await bob.call("chat.history", to="alice")
        assert line["reply_to"]["excerpt"] == "Lunch"

    world.run(story, seed=542)


def test_watchers_see_a_line_as_it_is_after_an_act() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        said = await alice.call("chat.send", to="bob", text="one")
        await w.until(lambda: arrived(alice))
        seen: list[Any] = []

        async def look() -> None:
            """What watchers are shown of the newest change of this topic."""
            assert bob.node is not None
            shows = {topic: show for room in bob.node.core.features for topic, show in room.shows.items()}
            newest = "SELECT key FROM change WHERE topic = ? ORDER BY seq DESC LIMIT 1"
            (row,) = await run(bob, lambda tx: tx.one(newest, (acts.CHANGED,)))
            seen.append(await run(bob, shows[acts.CHANGED], row))

        await alice.call("chat.edit", id=said["id"], text="two")
        await w.until(lambda: arrived(alice))
        await look()
        await alice.call("chat.recall", id=said["id"])
        await w.until(lambda: arrived(alice))
        await look()
        await bob.call("chat.delete", id=said["id"])
        await look()
        assert [one and (one["text"], one["recalled"]) for one in seen] == [("two", False), ("", True), None]

    world.run(story, seed=543)


def test_a_plain_text_is_written_as_before_there_were_answers() -> None:
    old = wire.encode((120, message_id(1), None, 5, 6, (), ("hi",), None))
    assert overlay.KINDS.hear(old, Channel.RATCHET).content == Text("hi")
    assert content.say(message_id=message_id(1), hlc_ms=5, device_seq=6, parents=(), content=Text("hi")) == old


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        (overlay._OURS, (bytes(16), 1)),
        (overlay._THEIRS, (bytes(16), 1)),
        (overlay._ACTS.format("1, 2, 3"), ()),
        ("SELECT seq, mine, hlc_ms FROM chat_act WHERE contact = ? AND target = ?", (1, bytes(16))),
        ("UPDATE chat_act SET waits = 0 WHERE contact = ? AND target = ? AND waits = 1", (1, bytes(16))),
        (acts.WAITING, (1, acts.WAITS_MAX)),
        (pins.NEWEST, (1, pins.PINS_MAX)),
        (overlay._STARS.format("1, 2, 3"), ()),
        (view.ENDING, (bytes(2),)),
    ],
)
def test_nothing_that_grows_is_walked_through(sql: str, params: tuple[object, ...]) -> None:
    async def story(w: World) -> None:
        alice = await w.person("alice")
        plan = await run(alice, lambda tx: tx.all(f"EXPLAIN QUERY PLAN {sql}", params))
        assert [step for *_, step in plan if step.startswith("SCAN")] == []

    world.run(story, seed=541)


def test_the_same_once_more_says_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        said = await alice.call("chat.send", to="bob", text="one")
        await alice.call("chat.edit", id=said["id"], text="one")
        await alice.call("chat.react", id=said["id"], mark=None)
        assert await count(alice) == [1, 0, 0]
        await alice.call("chat.edit", id=said["id"], text="two")
        await alice.call("chat.react", id=said["id"], mark="ok")
        again = await alice.call("chat.edit", id=said["id"], text="two")
        await alice.call("chat.react", id=said["id"], mark=" ok ")
        assert (await count(alice), again["edited"]) == ([1, 1, 1], 1)
        await alice.call("chat.edit", id=said["id"], text="one")
        await alice.call("chat.react", id=said["id"], mark=None)
        assert await count(alice) == [1, 2, 2]

    world.run(story, seed=544)


async def count(person: Any) -> list[int]:
    """How many texts, edits and reactions a person has said."""
    kinds = [kind for (kind,) in await run(person, lambda tx: tx.all("SELECT kind FROM message WHERE device = 0"))]
    return [kinds.count(one.KIND) for one in (Text, Edit, React)]
