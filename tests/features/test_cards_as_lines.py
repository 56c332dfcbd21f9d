"""Cards and places as lines of a conversation: seen, answered, recalled, deleted, forwarded, found, gone in time."""

import random
from typing import Any

import pytest
import trio

from features.profile import view
from features.profile.content import Location
from lab import world
from lab.world import Person, World, befriend
from protocol import content, ids, wire
from protocol.content import Channel
from tests.features.kit import Faults
from tests.features.test_chats import row
from tests.features.test_lasting import CANARY, is_anywhere, set_timer
from tests.features.test_search import found, run
from tests.stories import acts_kit
from tests.stories.test_backups import kept, lose_and_restore

HERE = {"latitude": "52.52", "longitude": "13.405", "accuracy_m": 20, "label": "Café"}
PLACE = '[place] 52.52, 13.405 ±20 m "Café"'


async def circle(w: World) -> tuple[Person, Person, Person]:
    """ana knows bo and chen, who do not know each other."""
    ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
    for one in (bo, chen):
        await befriend(one, ana)
    return ana, bo, chen


async def arrived(person: Person) -> bool:
    """nothing waits in the outbox"""
    return person.node is not None and not await run(person, lambda tx: tx.all("SELECT 1 FROM delivery"))


async def both(w: World, ana: Person) -> tuple[str, str]:
    """The ids of a card of bo and of a place, which ana has sent chen and chen has."""
    card = await ana.call("profile.introduce", name="bo", to="chen")
    place = await ana.call("profile.send_location", to="chen", **HERE)
    await w.until(lambda: arrived(ana))
    return card["id"], place["message"]


async def texts(person: Person, of: str) -> list[str]:
    """A conversation as it is shown."""
    return [line["text"] for line in await person.call("chat.history", to=of)]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (Location(52_520_000, 13_405_000, 20, "Café", 5), PLACE),
        (Location(-1, 0, 0, "", 5), "[place] -0.000001, 0"),
        (Location(0, 0, 100_000, " two\n\tlines ", 5), '[place] 0, 0 ±100,000 m "two lines"'),
        (Location(0, 0, 0, "\n", 5), "[place] 0, 0"),
    ],
)
def test_a_place_is_one_line(said: Location, shown: str) -> None:
    assert view.text_of(said) == shown


def test_they_are_lines_that_are_new_until_they_are_read() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        before = await row(chen, "ana") if await chen.call("chat.chats") else {"unread": 0}
        card, place = await both(w, ana)
        assert await texts(ana, "chen") == await texts(chen, "ana") == ["[card] Bo", PLACE]
        assert [line["id"] for line in await chen.call("chat.inbox", unread=True)] == [card, place]
        listed = await row(chen, "ana")
        assert (listed["unread"], listed["excerpt"], listed["last"]["id"]) == (before["unread"] + 2, PLACE, place)
        mine, theirs = [(await one.call("chat.message", id=card))["card"] for one in (ana, chen)]
        assert (mine["claims"], mine["known"], theirs["claims"], theirs["known"]) == ("Bo", "bo", "Bo", "")
        assert mine["account"] == theirs["account"] == (await chen.call("profile.cards"))[0]["account"]
        seen = (await chen.call("chat.message", id=place))["place"]
        assert (seen["geo"], seen["label"], seen["accuracy_m"]) == ("geo:52.52,13.405;u=20", "Café", 20)
        assert await chen.call("chat.read", to="ana") == {"read": 2}
        assert (await row(chen, "ana"))["unread"] == 0
        assert [one["message"] for one in await chen.call("profile.cards")] == [card]
        assert [one["message"] for one in await chen.call("profile.locations")] == [place]

    world.run(story, seed=450)


def test_what_is_done_to_a_text_can_be_done_to_them() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        faults = Faults(ana)
        card, place = await both(w, ana)
        answer = await chen.call("chat.send", to="ana", text="there?", reply=place)
        assert answer["reply_to"]["excerpt"] == PLACE
        await chen.call("chat.react", id=card, mark="👍")
        await chen.call("chat.star", id=place)
        assert [line["id"] for line in await chen.call("chat.starred")] == [place]
        await w.until(lambda: arrived(chen))
        assert (await ana.call("chat.message", id=card))["reactions"] == ({"mine": False, "mark": "👍"},)
        for one in (card, place):
            assert await faults.code("chat.edit", id=one, text="another") == "message.no_text"
        gone = await ana.call("chat.recall", id=place)
        assert (gone["said"], gone["recalled"], gone["place"]) == (PLACE, True, None)
        await w.until(lambda: arrived(ana))
        for person, of in ((ana, "chen"), (chen, "ana")):
            assert await texts(person, of) == ["[card] Bo", "", "there?"]
            assert await person.call("profile.locations") == []
            assert not await run(person, holds, "Café")
        await chen.call("chat.delete", id=card)
        assert await texts(chen, "ana") == ["", "there?"]
        assert await chen.call("profile.cards") == []
        assert await texts(ana, "chen") == ["[card] Bo", "", "there?"]
        await trio.sleep(130)
        assert await faults.code("chat.recall", id=card) == "message.late"

    world.run(story, seed=451)


def holds(tx: Any, word: str) -> bool:
    """Whether a message or a place has this word."""
    bodies = tx.all("SELECT 1 FROM message WHERE instr(body, ?) > 0", (word.encode(),))
    return bool(bodies or tx.all("SELECT 1 FROM location WHERE label = ?", (word,)))


def test_they_are_forwarded_as_what_they_are() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await circle(w)
        card, place = await both(w, ana)
        await chen.call("profile.send_location", to="ana", latitude="1", longitude="2")
        await w.until(lambda: arrived(chen))
        back = (await ana.call("chat.inbox"))[-1]["id"]
        for one in (place, back):
            line = await ana.call("chat.forward", id=one, to="bo")
            assert (line["forwarded"], line["mine"]) == (True, True)
        line = await ana.call("chat.forward", id=card, to="bo")
        assert (line["text"], line["forwarded"]) == ("[card] Bo", True)
        await w.until(lambda: arrived(ana))
        lines = await bo.call("chat.history", to="ana")
        assert [(one["text"], one["forwarded"]) for one in lines] == [
            (PLACE, True),
            ("[place] 1, 2", True),
            ("[card] Bo", True),
        ]
        for person, count in ((ana, 4), (bo, 2)):
            assert len(await person.call("profile.locations")) == count
        assert [one["claims"] for one in await bo.call("profile.cards")] == ["Bo"]

    world.run(story, seed=452)


def test_they_disappear_with_all_else() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        await set_timer(ana, chen, 60)
        await ana.call("profile.introduce", name="bo", to="chen")
        sent = await ana.call("profile.send_location", to="chen", latitude="1", longitude="2", label=CANARY)
        await ana.call("chat.forward", id=sent["message"], to="chen")
        await w.until(lambda: arrived(ana))
        assert [line["lasts_s"] for line in await chen.call("chat.history", to="ana")] == [0, 60, 60, 60]
        assert await found(chen, "xyzzy7f3a") == [f'[place] 1, 2 "{CANARY}"'] * 2
        assert [one["text"] for one in await chen.call("chat.search", has="card")] == ["[card] Bo"]
        assert len(await chen.call("chat.search", has="place")) == 2
        assert await chen.call("chat.search", query="card") == await chen.call("chat.search", query="place") == []
        assert await is_anywhere(w, chen, CANARY)
        await chen.call("chat.read", to="ana")
        await trio.sleep(120)
        for person, of in ((ana, "chen"), (chen, "ana")):
            assert await texts(person, of) == ["What is said from now on disappears 1 min after it was read."]
            assert await person.call("profile.cards") == await person.call("profile.locations") == []
            assert not await is_anywhere(w, person, CANARY)

    world.run(story, seed=453)


def test_they_are_found_by_their_words_and_by_what_they_are() -> None:
    async def story(w: World) -> None:
        ana, _, _ = await circle(w)
        card, place = await both(w, ana)
        text = (await ana.call("chat.send", to="chen", text="a card of bo, and a place"))["id"]
        for query, has, wanted in (
            ("bo", None, [text, card]),
            ("cafe", None, [place]),
            ("52.52", None, [place]),
            ("card", None, [text]),  # what it is is no word of it
            ("", "card", [card]),
            ("", "place", [place]),
            ("bo", "place", []),
        ):
            lines = await ana.call("chat.search", query=query, has=has)
            assert [line["id"] for line in lines] == wanted, (query, has)
        await ana.call("chat.recall", id=card)
        assert await ana.call("chat.search", has="card") == []

    world.run(story, seed=454)


def test_a_recall_that_comes_before_them_leaves_nothing_in_the_lists() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        w.network.cut("ana", "chen")
        card = await ana.call("profile.introduce", name="bo", to="chen")
        place = await ana.call("profile.send_location", to="chen", **HERE)
        held = await acts_kit.hold_back(ana, random.Random(455), share=1.0)
        assert len(held) == 2
        for one in (card["id"], place["message"]):
            await ana.call("chat.recall", id=one)
        w.network.heal_all()
        await w.until(lambda: acts_kit.arrived(ana))
        await acts_kit.let_go(ana, held)
        await w.until(lambda: acts_kit.arrived(ana))
        for person, of in ((ana, "chen"), (chen, "ana")):
            lines = await person.call("chat.history", to=of)
            assert [line["recalled"] for line in lines] == [True, True]
            assert await person.call("profile.cards") == await person.call("profile.locations") == []

    world.run(story, seed=455)


def test_a_card_stays_as_long_as_one_of_its_lines() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        first, second, third = [(await ana.call("profile.introduce", name="bo", to="chen"))["id"] for _ in range(3)]
        await w.until(lambda: arrived(ana))

        async def listed() -> list[str]:
            return [one["message"] for one in await chen.call("profile.cards")]

        assert await listed() == [third]
        await ana.call("chat.recall", id=third)
        await w.until(lambda: arrived(ana))
        assert await listed() == [second]
        await chen.call("chat.delete", id=first)
        assert await listed() == [second]
        for _ in range(view.SAME_MAX + 2):
            await ana.call("profile.introduce", name="bo", to="chen")
        await w.until(lambda: arrived(ana))
        counted = "SELECT COUNT(*) FROM card_received"
        assert await run(chen, lambda tx: tx.all(counted)) == [(view.SAME_MAX,)]
        (newest,) = await chen.call("profile.cards")
        await chen.call("profile.forget", id=newest["id"])
        assert await listed() == []
        assert await run(chen, lambda tx: tx.all(counted)) == [(0,)]

    world.run(story, seed=457)


def test_a_backup_has_them_and_not_what_was_deleted() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        card, place = await both(w, ana)
        other = await ana.call("profile.send_location", to="chen", latitude="1", longitude="2")
        await w.until(lambda: arrived(ana))
        await chen.call("chat.delete", id=other["message"])
        before = [await chen.call(f"profile.{name}") for name in ("cards", "locations")]
        file = w.folder / "chen.weft"
        await kept(chen, file)
        await chen.kill()
        await lose_and_restore(chen, file)
        await chen.start()
        assert [line["id"] for line in await chen.call("chat.history", to="ana")] == [card, place]
        assert [await chen.call(f"profile.{name}") for name in ("cards", "locations")] == before
        assert [line["id"] for line in await chen.call("chat.search", has="place")] == [place]

    world.run(story, seed=456)


def test_what_an_earlier_version_said_is_read_as_not_forwarded() -> None:
    message_id = ids.MessageId(bytes(16))
    old = wire.encode((412, message_id, None, 5, 6, (), (1, 2, 3, "x", 4), None))
    said = content.Kinds((Location,)).hear(old, Channel.RATCHET).content
    assert said == Location(1, 2, 3, "x", 4)
    assert content.say(message_id=message_id, hlc_ms=5, device_seq=6, parents=(), content=said) == old
