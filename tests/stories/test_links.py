"""Links between people in a simulated world: who asks a site, when, and what the other side sees of it."""

import io
from typing import Any

import pytest
import trio
from PIL import Image

from features.chat.content import Text
from lab import world
from lab.world import Person, World, befriend
from node.web.previewing import LOOK_S
from protocol.faults import UserFault
from protocol.preview import Preview
from store import people, settings
from tests.features.test_chat import delivered
from tests.stories.acts_kit import run

LINK = "https://example.org/films?film=7"
PAGE = b"<title>Cinema</title><meta name=description content='Tonight at nine'><meta property=og:image content=/a.png>"


def picture() -> bytes:
    raw = io.BytesIO()
    Image.new("RGB", (900, 600), (9, 90, 200)).save(raw, "PNG")
    return raw.getvalue()


async def pair(w: World) -> tuple[Person, Person]:
    ana, bo = await w.person("ana"), await w.person("bo")
    await befriend(ana, bo)
    w.sites.put(LINK, "text/html", PAGE)
    w.sites.put("https://example.org/a.png", "image/png", picture())
    return ana, bo


async def switch(person: Person, name: str, value: str) -> None:
    await run(person, settings.put, name, value)


async def newest(w: World, of: Person, to: str) -> dict[str, Any]:
    """The last line of a conversation, once all of it has arrived."""
    await w.until(lambda: delivered(w.people[to], of.name))
    line: dict[str, Any] = (await of.call("chat.history", to=to))[-1]
    return line


def test_nobody_is_asked_as_long_as_nobody_wants_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        sent = await ana.call("chat.send", to="bo", text=f"look: {LINK}")
        assert (sent["preview"], sent["unseen"]) == (None, "")
        await switch(ana, "links.preview", "yes")
        await ana.call("chat.send", to="bo", text=f"look: {LINK}", preview=False)
        assert (await ana.call("chat.send", to="bo", text="no link"))["unseen"] == ""
        await ana.call("chat.send_all", to="bo", texts=[LINK])
        assert (await newest(w, bo, "ana"))["preview"] is None
        await ana.call("contacts.block", name="bo")
        with pytest.raises(UserFault, match="blocked"):
            await ana.call("chat.send", to="bo", text=LINK)
        assert w.sites.asked == []

    world.run(story, seed=3301)


def test_the_sender_asks_once_and_the_other_side_sees_it_without_asking() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await switch(ana, "links.preview", "yes")
        await switch(ana, "links.proxy", "socks5h://127.0.0.1:9050")
        await switch(bo, "links.preview", "yes")
        sent = await ana.call("chat.send", to="bo", text=f"look: {LINK}.")
        shown = {
            "url": LINK,
            "host": "example.org",
            "title": "Cinema",
            "about": "Tonight at nine",
            "has_picture": True,
        }
        assert (sent["preview"], sent["unseen"]) == (shown, "")
        theirs = await newest(w, bo, "ana")
        assert (theirs["text"], theirs["preview"]) == (f"look: {LINK}.", shown)
        webp = await bo.call("chat.preview", id=theirs["id"])
        assert webp == await ana.call("chat.preview", id=sent["id"])
        seen = Image.open(io.BytesIO(bytes.fromhex(webp["webp"])))
        assert (seen.format, seen.size) == ("WEBP", (320, 213))
        await bo.call("chat.history", to="ana")
        await bo.call("chat.search", query="look")
        proxy = "socks5h://127.0.0.1:9050"
        assert w.sites.asked == [(LINK, proxy), ("https://example.org/a.png", proxy)]
        assert [one.name for one in (w.folder / "ana.blobs").iterdir()] == []

    world.run(story, seed=3302)


def test_what_is_edited_forwarded_recalled_or_deleted_shows_none() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        chen = await w.person("chen")
        await befriend(bo, chen)
        for act in ("edit", "recall", "delete"):
            sent = await ana.call("chat.send", to="bo", text=LINK, preview=True)
            theirs = await newest(w, bo, "ana")
            assert theirs["preview"] == sent["preview"]
            assert theirs["preview"] is not None
            if act == "edit":
                forwarded = await bo.call("chat.forward", id=theirs["id"], to="chen")
                assert (forwarded["text"], forwarded["preview"]) == (LINK, None)
            await ana.call(
                f"chat.{act}", id=sent["id"], **({"text": "https://other.example/"} if act == "edit" else {})
            )
            if act == "delete":
                assert (await bo.call("chat.message", id=theirs["id"]))["preview"] is not None  # it is for ana alone
                continue

            async def is_gone(sent: Any = sent) -> bool:
                both = [await one.call("chat.message", id=sent["id"]) for one in (ana, bo)]
                return [one["preview"] for one in both] == [None, None]

            await w.until(is_gone)
        assert len(w.sites.asked) == 6

    world.run(story, seed=3303)


def test_a_preview_of_another_link_than_that_of_the_text_is_not_shown() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        assert ana.node is not None
        contact = await run(ana, people.find_contact, "bo")
        for text, is_shown in (
            ("log in: https://evil.example/", False),
            ("https://evil.example/ and https://bank.example/", False),
            ("https://user@bank.example/", False),
            ("no link", False),
            ("log in (HTTPS://Bank.example).", True),
        ):
            said = Text(text, preview=Preview("https://bank.example/", "Bank", None, b"w"))
            await ana.node.core.delivery.say(contact.id, (said,))
            line = await newest(w, bo, "ana")
            assert (line["text"], line["preview"] is not None) == (text, is_shown)
        with_title = await bo.call("chat.search", query="bank", has="link")
        assert [one["text"] for one in with_title] == [
            "log in (HTTPS://Bank.example).",
            "https://user@bank.example/",
            "https://evil.example/ and https://bank.example/",
        ]

    world.run(story, seed=3306)


def test_a_message_goes_without_and_its_sender_hears_why() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        w.sites.put("https://example.org/empty", "text/html", b"<p>nothing")
        w.sites.put("https://example.org/film", "video/mp4", b"film")
        w.sites.put("https://example.org/broken", "image/png", b"no picture")
        w.sites.put("https://example.org/dark", "text/html", PAGE.replace(b"/a.png", b"/none.png"))
        for text, why in (
            ("https://example.org/none", "example.org answers 404"),
            ("https://example.org/empty", "the page of example.org says nothing of itself"),
            ("https://example.org/film", "example.org gives neither a page nor a picture"),
            ("https://example.org/broken", "the picture of example.org cannot be read"),
            ("https://user@example.org/", "the link has a user name in it"),
            ("nothing", "there is no link to a page in it"),
        ):
            sent = await ana.call("chat.send", to="bo", text=text, preview=True)
            assert (sent["preview"], sent["unseen"]) == (None, f"No preview: {why}.")
            assert (await newest(w, bo, "ana"))["text"] == text
        sent = await ana.call("chat.send", to="bo", text="https://example.org/dark", preview=True)
        assert (sent["preview"]["title"], sent["preview"]["has_picture"]) == ("Cinema", False)

    world.run(story, seed=3304)


def test_a_slow_site_holds_a_message_up_for_ten_seconds_at_most() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        w.sites.takes_s = 3600
        began = trio.current_time()
        sent = await ana.call("chat.send", to="bo", text=LINK, preview=True)
        assert sent["unseen"] == "No preview: the site took longer than 10 s."
        assert trio.current_time() - began < LOOK_S + 1
        w.sites.takes_s = 6.0  # the page comes in time, its picture does not
        began = trio.current_time()
        sent = await ana.call("chat.send", to="bo", text=LINK, preview=True)
        assert (sent["preview"]["title"], sent["preview"]["has_picture"]) == ("Cinema", False)
        assert trio.current_time() - began < LOOK_S + 1

    world.run(story, seed=3305)


def test_a_link_to_a_picture_shows_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        sent = await ana.call("chat.send", to="bo", text="https://example.org/a.png", preview=True)
        assert (sent["preview"]["title"], sent["preview"]["has_picture"]) == ("", True)
        assert (await newest(w, bo, "ana"))["preview"] == sent["preview"]

    world.run(story, seed=3306)


def test_a_link_is_found_by_its_title_as_long_as_it_is_shown() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        for timer in (0, 3600):
            if timer:
                await ana.call("chat.timer", to="bo", seconds=timer)
            sent = await ana.call("chat.send", to="bo", text=f"look: {LINK}", preview=True)
            await newest(w, bo, "ana")
            for one, of in ((ana, "bo"), (bo, "ana")):
                assert [line["id"] for line in await one.call("chat.search", query="cinema", contact=of)] == [
                    sent["id"]
                ]
                assert await one.call("chat.search", query="tonight") == []
            await ana.call("chat.edit", id=sent["id"], text="later")

            async def is_edited(sent: Any = sent) -> bool:
                return bool((await bo.call("chat.message", id=sent["id"]))["edited"])

            await w.until(is_edited)
            assert await bo.call("chat.search", query="cinema") == await ana.call("chat.search", query="cinema") == []

    world.run(story, seed=3307)
