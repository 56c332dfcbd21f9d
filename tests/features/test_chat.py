"""The room of chats in a simulated world: what every call answers, and every fault it names."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import trio

from features.chat.content import TEXT_BYTES_MAX, How, Text
from features.chat.service import SEND_MAX
from lab import world
from lab.world import Person, World, befriend, texts
from protocol import ids, record
from protocol.content import Channel
from protocol.preview import Preview
from store import people
from store.database import Tx
from tests.features.chat_faults import met_when_keeping
from tests.features.kit import Faults, only


async def delivered(person: Person, to: str) -> bool:
    """Everything that a person said has arrived."""
    return all(not row["mine"] or row["state"] == "delivered" for row in await person.call("chat.history", to=to))


def test_every_fault_that_a_call_names_is_met() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("bobby")
        await befriend(alice, bob)
        await befriend(alice, chen)
        faults = Faults(alice)
        sends: tuple[tuple[str, dict[str, object]], ...] = (
            ("chat.send", {"text": "hi"}),
            ("chat.send_all", {"texts": ["hi", "you"]}),
        )
        calls = (*sends, ("chat.history", {}), ("chat.read", {}))
        for who, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous")):
            assert await faults.code("chat.search", query="hi", contact=who) == code
        assert await faults.code("chat.search", query="?") == "search.words"
        assert await faults.code("chat.search", query="x" * 257) == "limit"
        assert await faults.code("chat.search", query="hi", has="money") == "search.has"
        for method, said in calls:
            unknown = await faults.of(method, to="nobody", **said)
            assert (unknown.code, unknown.exit) == ("contact.unknown", 5)
            assert await faults.code(method, to="bo", **said) == "contact.ambiguous"
        too_long = "x" * (TEXT_BYTES_MAX + 1)
        assert await faults.code("chat.send", to="bob", text=too_long) == "limit"
        assert await faults.code("chat.send_all", to="bob", texts=["fits", too_long]) == "limit"
        for count in (0, SEND_MAX + 1):
            limit = await faults.of("chat.send_all", to="bob", texts=["x"] * count)
            assert (limit.code, limit.exit) == ("limit", 2)
        await alice.call("contacts.block", name="bob")
        assert [await faults.code(method, to="bob", **said) for method, said in sends] == ["contact.blocked"] * 2
        dora = await w.person("dora")
        link = (await dora.call("contacts.invite"))["link"]
        await alice.call("contacts.add", link=link, name="bob", replace=True)
        await w.until(lambda: world.has_active(alice, "bob"))
        codes = [await faults.code(method, to="bob", **said) for method, said in sends]
        assert codes == ["contact.account_changed"] * 2
        assert await alice.call("chat.history", to="bob") == await alice.call("chat.history", to="bob (old)") == []
        await met_when_looking(alice, faults)
        await met_when_acting(alice, chen, faults)
        await met_when_keeping(faults)
        assert faults.missing("chat") == set()

    world.run(story, seed=301)


async def met_when_looking(alice: Person, faults: Faults) -> None:
    """The faults of `message`."""
    assert await faults.code("chat.message", id="ZZZZZZ") == "message.unknown"
    assert await faults.code("chat.message", id="!") == "id.malformed"
    first = await alice.call("chat.send", to="bobby", text="one")
    await alice.call("chat.send", to="bobby", text="two")
    assert alice.node is not None

    def alike(tx: Tx) -> None:
        """Two ids that end alike: chance makes such a pair once in a million."""
        for (seq,) in tx.all("SELECT seq FROM message WHERE device = 0 AND kind = 120"):
            tx.execute("UPDATE message SET message_id = ? WHERE seq = ?", (bytes([seq]) * 8 + bytes(8), seq))

    await alice.node.core.database.transact(alike)
    codes = [await faults.code("chat.preview", id=one) for one in ("ZZZZZZ", "!", "0000")]
    assert codes == ["message.unknown", "id.malformed", "message.ambiguous"]
    third = await alice.call("chat.send", to="bobby", text="three")
    assert await faults.code("chat.preview", id=third["id"]) == "message.no_preview"
    await alice.call("chat.timer", to="bobby", seconds=3600)
    (notice,) = [one for one in await alice.call("chat.history", to="bobby") if one["notice"]]
    assert await faults.code("chat.forward", id=notice["id"], to="bobby") == "message.notice"
    ambiguous = await faults.of("chat.message", id="0000")
    assert (ambiguous.code, ambiguous.exit, len(ambiguous.data["ids"])) == ("message.ambiguous", 5, 2)  # type: ignore[arg-type]
    assert await faults.code("chat.message", id=first["short"]) == "message.unknown"


ON_A_MESSAGE: tuple[tuple[str, dict[str, object]], ...] = (
    ("chat.react", {"mark": "ok"}),
    ("chat.edit", {"text": "new"}),
    ("chat.recall", {}),
)
ON_ANYBODYS: tuple[tuple[str, dict[str, object]], ...] = (("chat.pin_message", {}), ("chat.unpin_message", {}))


async def met_when_acting(alice: Person, chen: Person, faults: Faults) -> None:
    """The faults of what is done to one message; two of alice's end in 0000."""
    looks: tuple[tuple[str, dict[str, object]], ...] = (
        *ON_A_MESSAGE,
        *ON_ANYBODYS,
        ("chat.delete", {}),
        ("chat.edits", {}),
        ("chat.forward", {"to": "bobby"}),
    )
    for of, code in (("ZZZZZZ", "message.unknown"), ("!", "id.malformed"), ("0000", "message.ambiguous")):
        assert [await faults.code(method, id=of, **said) for method, said in looks] == [code] * len(looks)
        assert await faults.code("chat.send", to="bobby", text="yes", reply=of) == code
    assert (await faults.of("chat.message", id="!")).next == "weft inbox"
    for to, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous"), ("bob (old)", "contact.blocked")):
        line = await alice.call("chat.send", to="bobby", text="hi")
        assert await faults.code("chat.forward", id=line["id"], to=to) == code
    assert await faults.code("chat.forward", id=line["id"], to="bob") == "contact.account_changed"
    assert await faults.code("chat.send", to="bob", text="yes", reply=line["id"]) == "message.unknown"
    for mark in ("", "x" * 33, "two\nlines"):
        assert await faults.code("chat.react", id=line["id"], mark=mark) == "limit"
    assert await faults.code("chat.edit", id=line["id"], text="x" * (TEXT_BYTES_MAX + 1)) == "limit"
    alice.world.network.cut("alice", "bobby")
    assert await faults.code("chat.delete", id=(await alice.call("chat.send", to="bobby", text="?"))["id"]) == (
        "message.undelivered"
    )
    alice.world.network.heal_all()
    await chen.call("chat.send", to="alice", text="mine")
    await alice.world.until(lambda: delivered(chen, "alice"))
    theirs = (await alice.call("chat.inbox"))[-1]["id"]
    for method, said in ON_A_MESSAGE[1:]:
        assert await faults.code(method, id=theirs, **said) == "message.foreign"
    (alice.world.folder / "a.bin").write_bytes(b"a file")
    file = await alice.call("media.send", to="bobby", path=str(alice.world.folder / "a.bin"))
    assert await faults.code("chat.edit", id=file["id"], text="another") == "message.no_text"
    for place in (alice.world.folder / "alice.blobs").iterdir():
        place.unlink()
    assert await faults.code("chat.forward", id=file["id"], to="bobby") == "media.gone"
    await alice.call("chat.recall", id=line["id"])
    recalled: tuple[tuple[str, dict[str, object]], ...] = (
        *ON_A_MESSAGE,
        *ON_ANYBODYS,
        ("chat.forward", {"to": "bobby"}),
    )
    assert [await faults.code(method, id=line["id"], **said) for method, said in recalled] == ["message.recalled"] * 6
    assert await faults.code("chat.send", to="bobby", text="yes", reply=line["id"]) == "message.recalled"
    late = await alice.call("chat.send", to="bobby", text="hi")
    await trio.sleep(121)
    assert await faults.code("chat.recall", id=late["id"]) == "message.late"
    fresh = await alice.call("chat.send", to="bobby", text="hi")
    pinned = await alice.call("chat.send", to="bobby", text="hi")
    many = await alice.call("chat.send_all", to="bobby", texts=["x"] * 49)
    for one in (pinned, *many):
        await alice.call("chat.pin_message", id=one["id"])
    assert await faults.code("chat.pin_message", id=fresh["id"]) == "limit"
    await alice.call("chat.unpin_message", id=many[0]["id"])
    changes = (*ON_A_MESSAGE, ("chat.pin_message", {}))
    assert alice.node is not None
    await alice.node.core.database.transact(alarm)
    codes = [await faults.code(method, id=fresh["id"], **said) for method, said in changes]
    assert codes == ["contact.account_changed"] * 4
    assert await faults.code("chat.unpin_message", id=pinned["id"]) == "contact.account_changed"
    await alice.call("contacts.block", name="bobby")
    codes = [await faults.code(method, id=fresh["id"], **said) for method, said in changes]
    assert codes == ["contact.blocked"] * 4
    assert await faults.code("chat.unpin_message", id=pinned["id"]) == "contact.blocked"


def alarm(tx: Tx) -> None:
    """As where bobby has another account now."""
    tx.execute("UPDATE contact SET alarm = 'account_changed' WHERE name = 'Bobby'")


def test_a_line_is_what_both_sides_have() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        sent = await alice.call("chat.send", to="bob", text="Grüße, 好的")
        assert (sent["contact"], sent["mine"], sent["text"], sent["unread"]) == ("Bob", True, "Grüße, 好的", False)
        assert sent["state"] == "queued"
        assert (ids.ulid(ids.ulid_from(sent["id"])), sent["short"]) == (sent["id"], sent["id"][-8:])
        await w.until(lambda: delivered(alice, "bob"))
        after = await alice.call("chat.message", id=sent["short"])
        assert (after["id"], after["state"], after["reason"]) == (sent["id"], "delivered", "")
        assert after["state_ms"] >= sent["state_ms"]
        came = await only(bob, "chat.inbox")
        assert (came["id"], came["contact"], came["mine"], came["state"]) == (sent["id"], "alice", False, "received")
        assert came["unread"]
        assert came["arrived_ms"] >= came["at_ms"]
        assert await bob.call("chat.message", id=sent["id"][-4:].lower()) == came

    world.run(story, seed=302)


def test_many_texts_go_in_order_or_not_at_all() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        said = [f"{n}" for n in range(SEND_MAX)]
        rows = await alice.call("chat.send_all", to="bob", texts=said)
        assert len({row["id"] for row in rows}) == SEND_MAX
        assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
        await Faults(alice).of("chat.send_all", to="bob", texts=["good", "x" * (TEXT_BYTES_MAX + 1)])
        await w.until(lambda: delivered(alice, "bob"))
        assert await texts(bob, "alice") == await texts(alice, "bob") == said

    world.run(story, seed=303)


def test_the_inbox_goes_on_after_a_row_and_forgets_what_was_read() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        for n in range(3):
            await bob.call("chat.send", to="alice", text=f"bob {n}")
            await w.until(lambda: delivered(bob, "alice"))
            await chen.call("chat.send", to="alice", text=f"chen {n}")
            await w.until(lambda: delivered(chen, "alice"))
        everything = await alice.call("chat.inbox")
        assert [row["text"] for row in everything] == [f"{who} {n}" for n in range(3) for who in ("bob", "chen")]
        assert await alice.call("chat.inbox", limit=2) == everything[-2:]
        assert await alice.call("chat.inbox", after=everything[1]["seq"], limit=3) == everything[2:5]
        assert await alice.call("chat.read", to="bob") == {"read": 3}
        assert await alice.call("chat.read", to="bob") == {"read": 0}
        unread = await alice.call("chat.inbox", unread=True)
        assert [row["text"] for row in unread] == ["chen 0", "chen 1", "chen 2"]
        await bob.call("chat.send", to="alice", text="and one more")
        await w.until(lambda: delivered(bob, "alice"))
        unread = await alice.call("chat.inbox", unread=True, limit=10)
        assert [row["text"] for row in unread] == ["chen 0", "chen 1", "chen 2", "and one more"]

    world.run(story, seed=304)


def test_the_history_is_read_backwards_in_pages() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        for n in range(6):
            speaker, hearer = ((alice, "bob"), (bob, "alice"))[n % 2]
            await speaker.call("chat.send", to=hearer, text=f"{n}")
            await w.until(lambda: delivered(alice, "bob"))
            await w.until(lambda: delivered(bob, "alice"))
            await trio.sleep(1)
        newest = await alice.call("chat.history", to="bob", limit=4)
        assert [(row["text"], row["mine"]) for row in newest] == [("2", True), ("3", False), ("4", True), ("5", False)]
        older = await alice.call("chat.history", to="bob", limit=4, before=newest[0]["seq"])
        assert [row["text"] for row in older] == ["0", "1"]

    world.run(story, seed=305)


def test_the_longest_text_goes_through() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        longest = "好" * (TEXT_BYTES_MAX // 3)
        await alice.call("chat.send", to="bob", text=longest)
        await w.until(lambda: delivered(alice, "bob"))
        assert await texts(bob, "alice") == [longest]
        empty = await alice.call("chat.send", to="bob", text="")
        assert empty["text"] == ""

    world.run(story, seed=306)


@record.record
@dataclass(frozen=True, slots=True)
class LaterText:
    """A text as a later version may write it: one field more."""

    KIND: ClassVar[int] = Text.KIND
    CHANNELS: ClassVar[frozenset[Channel]] = Text.CHANNELS

    text: Annotated[str, record.Utf8(TEXT_BYTES_MAX)]
    answers: ids.Message | None
    how: How
    preview: Preview | None
    mood: Annotated[str, record.Utf8(10)]


def test_a_text_of_a_later_version_waits_and_hides_nothing_else() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert bob.node is not None
        core = bob.node.core
        contact = await core.database.transact(people.find_contact, "alice")
        await core.delivery.say(contact.id, (LaterText("from the future", None, How.SAID, None, "glad"),))
        await bob.call("chat.send", to="alice", text="from today")
        await w.until(lambda: came(alice, "from today"))
        assert await texts(alice, "bob") == ["from today"]
        for call in ({}, {"unread": True}, {"limit": 1}):
            assert [row["text"] for row in await alice.call("chat.inbox", **call)] == ["from today"]
        assert await alice.call("chat.read", to="bob") == {"read": 1}

    world.run(story, seed=307)


async def came(person: Person, text: str) -> bool:
    """Whether somebody said this to a person."""
    assert person.node is not None

    def look(tx: Tx) -> bool:
        return any(text.encode() in body for (body,) in tx.all("SELECT body FROM message WHERE device != 0"))

    return await person.node.core.database.transact(look)


def test_limits_and_rows_that_make_no_sense_answer_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        for n in range(3):
            await alice.call("chat.send", to="bob", text=str(n))
        await w.until(lambda: delivered(alice, "bob"))
        for limit in (-1, 0, -(2**62)):
            assert await bob.call("chat.inbox", limit=limit) == []
            assert await bob.call("chat.inbox", limit=limit, unread=True) == []
            assert await bob.call("chat.history", to="alice", limit=limit) == []
        assert await bob.call("chat.inbox", after=2**62) == []
        assert len(await bob.call("chat.inbox", after=-5, limit=2**62)) == 3

    world.run(story, seed=21)
