"""The room of profiles in a simulated world: what it refuses, whose word counts, and what a backup brings back."""

import base64
from collections.abc import Awaitable, Callable
from itertools import permutations
from typing import Any

import pytest

from crypto.faults import Malformed
from features.profile import view
from features.profile.content import ABOUT_CHARS_MAX, PHOTO_BYTES_MAX, Profile
from lab import world
from lab.world import Person, World, befriend
from node import speech
from protocol import wire
from protocol.webp import NotWebp
from store import outbox, people, remarks
from store.database import Tx
from tests.features.kit import Faults
from tests.features.photos import photo, riff
from tests.stories.test_backups import kept, lose_and_restore

ELSEWHERE = ("profile.introduce", "profile.forget", "profile.send_location", "profile.locations")  # in other files


async def pair(w: World) -> tuple[Person, Person]:
    ana, bo = await w.person("ana"), await w.person("bo")
    await befriend(ana, bo)
    return ana, bo


async def run(person: Person, f: Callable[..., Any], *args: object) -> Any:
    """A transaction of this node."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


def sees(person: Person, of: str, **wanted: object) -> Callable[[], Awaitable[bool]]:
    """The question whether somebody sees this in the profile of a contact."""

    async def so() -> bool:
        """the profile is so"""
        if person.node is None:
            return False
        row = await person.call("profile.show", name=of)
        return all(row[part] == value for part, value in wanted.items())

    return so


def rows(tx: Tx) -> list[tuple[int, int]]:
    """(device, state) of the messages that say a profile."""
    return tx.all("SELECT device, state FROM message WHERE kind = ? ORDER BY seq", (Profile.KIND,))


def test_each_fault_that_is_promised_is_met_and_changes_nothing() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        for name in ("bo", "bobby"):
            await befriend(ana, await w.person(name))
        faults = Faults(ana)
        calls: tuple[tuple[str, dict[str, object]], ...] = (
            ("remark", {"text": "x"}),
            ("tag", {"tag": "x"}),
            ("untag", {"tag": "x"}),
            ("show", {}),
            ("photo", {}),
        )
        for method, more in calls:
            assert await faults.code(f"profile.{method}", name="nobody", **more) == "contact.unknown"
            assert await faults.code(f"profile.{method}", name="b", **more) == "contact.ambiguous"
        for text in ("two\nlines", "x" * 129, "\x1b[31m", "\u202eab", "\ud800"):
            assert await faults.code("profile.remark", name="bobby", text=text) == "contact.remark"
        assert await faults.code("profile.remark", name="bobby", text="BO") == "contact.name_taken"
        for text in ("", " ", "two\nlines", "x" * 33, "\ud800", "a,b", "#family"):
            assert await faults.code("profile.tag", name="bobby", tag=text) == "contact.tag"
        for n in range(remarks.TAGS_MAX):
            await ana.call("profile.tag", name="bobby", tag=f"t{n}")
        await ana.call("profile.tag", name="bobby", tag="T0")  # is there already
        assert await faults.code("profile.tag", name="bobby", tag="more") == "limit"
        assert await faults.code("profile.untag", name="bobby", tag="more") == "tag.unknown"
        assert await faults.code("profile.tags", tag="more") == "tag.unknown"
        assert await faults.code("profile.photo") == "profile.no_photo"
        for called in ("", "x" * 65, "two\nlines", "\ud800"):
            assert await faults.code("profile.set", name=called) == "limit"
        for about in ("x" * (ABOUT_CHARS_MAX + 1), "\ud800"):
            assert await faults.code("profile.set", about=about) == "profile.about"
        bad = w.folder / "bad.webp"
        for raw in (b"", b"GIF89a", photo(bytes(PHOTO_BYTES_MAX)), riff()):
            bad.write_bytes(raw)
            assert await faults.code("profile.set", photo=str(bad), name="Zoe") == "profile.photo"
        for place in (str(w.folder / "none"), str(w.folder), "/dev/zero", "\x00", "\ud800"):
            assert await faults.code("profile.set", photo=place, name="Zoe") == "profile.unreadable"
        assert (await ana.call("profile.show"))["version"] == 0
        assert await run(ana, rows) == []
        assert {one for one in faults.missing("profile") if one[0] not in ELSEWHERE} == set()

    world.run(story, seed=411)


def test_a_remark_is_a_further_name_and_nobody_can_take_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await ana.call("profile.remark", name="bo", text=" Mum ")
        for typed in ("mum", "MU", "bo"):
            assert (await ana.call("profile.show", name=typed))["name"] == "Bo"
        chen = await w.person("mum")  # who comes with that name is called otherwise
        link = (await ana.call("contacts.invite"))["link"]
        await chen.call("contacts.add", link=link, name="ana")
        await w.until(lambda: world.has_active(ana, "Mum 2"))
        assert (await ana.call("profile.show", name="mum"))["name"] == "Bo"
        faults = Faults(ana)
        assert (await faults.of("profile.show", name="m")).data["names"] == ["Bo", "Mum 2"]
        assert await faults.code("contacts.rename", name="mum 2", new="MUM") == "contact.name_taken"
        assert await faults.code("profile.remark", name="mum 2", text="mum") == "contact.name_taken"
        await ana.call("contacts.rename", name="mum", new="Mum")  # his own remark is no other's name
        assert (await ana.call("profile.remark", name="mum", text=""))["remark"] == ""
        assert await bo.call("profile.marks") == []

        def twice(tx: Tx) -> None:
            """As a backup of another time could have it: a remark that is another's name."""
            tx.execute("INSERT INTO remark (contact, text, folded) VALUES (2, 'Mum', 'mum')")

        await run(ana, twice)
        assert await faults.code("profile.show", name="mum") == "contact.ambiguous"

    world.run(story, seed=412)


def test_tags_are_listed_with_their_contacts_and_case_makes_no_other_tag() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        await befriend(ana, await w.person("chen"))
        for name, tag in (("bo", "Friends"), ("chen", "friends"), ("bo", "boats")):
            await ana.call("profile.tag", name=name, tag=tag)
        listed = await ana.call("profile.tags")
        assert [(row["tag"], row["contacts"]) for row in listed] == [("boats", ["Bo"]), ("Friends", ["Bo", "Chen"])]
        assert await ana.call("profile.tags", tag="FRIENDS") == listed[1:]
        assert [(one["name"], one["tags"]) for one in await ana.call("profile.marks")] == [
            ("Bo", ["boats", "Friends"]),
            ("Chen", ["friends"]),
        ]
        assert (await ana.call("profile.untag", name="bo", tag="FRIENDS"))["tags"] == ["boats"]

    world.run(story, seed=413)


def test_who_becomes_a_contact_later_is_told_too_and_the_name_of_before_is_shown_to_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        place = w.folder / "ana.webp"
        place.write_bytes(photo(b"ana"))
        mine = await ana.call("profile.set", name="Ana Maria", about="I sew.", photo=str(place))
        assert (mine["version"], mine["photo"]) == (1, len(photo(b"ana")))
        assert (await ana.call("profile.set", about=" I sew. "))["version"] == 1  # nothing is another
        await w.until(sees(bo, "ana", announced="Ana Maria", about="I sew.", photo=len(photo(b"ana")), version=1))
        assert base64.b64decode((await bo.call("profile.photo", name="ana"))["webp"]) == photo(b"ana")
        assert (await bo.call("profile.show", name="ana"))["name"] == "ana"  # what bo calls her stays
        chen = await w.person("chen")
        link = (await ana.call("contacts.invite"))["link"]
        await chen.call("contacts.add", link=link)
        await w.until(lambda: world.has_active(chen, "Ana Maria"))
        await w.until(sees(chen, "ana", about="I sew."))
        await ana.call("profile.set", photo="", about="")
        await w.until(sees(chen, "ana", about="", photo=0, version=2, announced="Ana Maria"))
        await w.until(sees(bo, "ana", about="", photo=0, version=2))

    world.run(story, seed=414)


def test_a_contact_who_takes_the_name_of_another_is_shown_as_such() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await befriend(ana, await w.person("chen"))
        await ana.call("profile.remark", name="chen", text="Boss")
        for called in ("CHEN", "boss"):
            await bo.call("profile.set", name=called)
            await w.until(sees(ana, "bo", announced=called, like="Chen", name="Bo"))
        assert (await ana.call("profile.show", name="boss"))["name"] == "Chen"
        await bo.call("profile.set", name="Bo")
        await w.until(sees(ana, "bo", announced="Bo", like=""))

    world.run(story, seed=415)


def test_who_was_away_gets_the_newest_alone() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await ana.call("profile.set", about="first")
        await w.until(sees(bo, "ana", about="first"))
        await bo.kill()
        for n in range(5):
            await ana.call("profile.set", about=f"number {n}")
        assert len(await run(ana, rows)) == 1
        waits = await run(ana, lambda tx: outbox.waiting(tx, 1))
        assert waits == 1
        await ana.kill()
        await ana.start()
        await bo.start()
        await w.until(sees(bo, "ana", about="number 4", version=6))
        assert len(await run(bo, rows)) == 1
        await ana.call("chat.send", to="bo", text="and what is said goes on")
        await w.until(lambda: heard(bo, "ana"))

    world.run(story, seed=416)


async def heard(person: Person, of: str) -> bool:
    """a text came"""
    return len(await world.texts(person, of)) > 0


def test_a_blocked_contact_is_told_when_he_is_not_any_more() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await ana.call("contacts.block", name="bo")
        await ana.call("profile.set", about="not for bo")
        assert await run(ana, rows) == []
        await ana.call("contacts.unblock", name="bo")
        await w.until(sees(bo, "ana", about="not for bo"))

    world.run(story, seed=417)


def test_whichever_comes_first_the_highest_version_counts() -> None:
    said = [Profile(version, f"Bo {version}", "", None) for version in (1, 2, 2**53 - 1)]

    def fold(tx: Tx) -> None:
        for order in permutations(said):
            tx.execute("DELETE FROM profile")
            highest = 0
            for place, one in enumerate(order, 1):
                if one.version <= highest:
                    with pytest.raises(view.Stale):
                        view.take(tx, 1, place, one, 5)
                else:
                    view.take(tx, 1, place, one, 5)
                highest = max(highest, one.version)
                known = view.theirs(tx, 1)
                assert known is not None
                assert known.version == highest

    async def story(w: World) -> None:
        ana, _ = await pair(w)
        await run(ana, fold)

    world.run(story, seed=418)


def test_what_a_hostile_contact_says_of_himself_changes_nothing() -> None:
    """One change each: not newer, no picture, another name's bytes; and what no record can be is never taken in."""

    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await bo.call("profile.set", name="Bo B", about="good")
        await w.until(sees(ana, "bo", about="good", version=1))
        good = (9, "Bo", "bad", photo(b"bad"))
        raw: list[tuple[wire.Value, ...]] = [
            (1, *good[1:]),
            (*good[:3], b"GIF89a" + bytes(30)),
            (*good[:3], b""),
            (*good[:3], photo(bytes(PHOTO_BYTES_MAX))),
            (0, *good[1:]),
            (2**53, *good[1:]),
            (9, "Bo\x1b[2J", *good[2:]),
            (9, "x" * 65, *good[2:]),
            (9, "", *good[2:]),
            (9, "Bo", "x" * (4 * ABOUT_CHARS_MAX + 1), None),
        ]
        assert bo.node is not None
        core = bo.node.core

        def say(tx: Tx, fields: tuple[wire.Value, ...]) -> None:
            """As a node would say it that checks nothing."""
            honest = Profile(5, "Bo", "bad", None)
            (spoken,) = speech.say(tx, 1, (honest,), w.now_ms(), core.ground.entropy("message"))
            (body,) = tx.one("SELECT body FROM message WHERE seq = ?", (spoken.seq,)) or (b"",)
            head: Any = wire.decode(body, len(body))
            tx.execute(
                "UPDATE message SET body = ? WHERE seq = ?", (wire.encode((*head[:6], fields, head[7])), spoken.seq)
            )

        for fields in raw:
            await run(bo, say, fields)
        core.delivery.stir(1)
        await bo.call("chat.send", to="ana", text="the talk goes on")
        await w.until(lambda: heard(ana, "bo"))
        assert await sees(ana, "bo", about="good", version=1, announced="Bo B", photo=0)()
        assert len(await run(ana, rows)) == 1
        await bo.call("profile.set", about="about\x1b[2J\u202e")  # is kept as it is, and cleaned where it is shown
        await w.until(sees(ana, "bo", about="about\x1b[2J\u202e", version=2))

    world.run(story, seed=419)


def test_a_photo_that_is_none_is_named_before_anything_is_written() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        with pytest.raises(NotWebp):
            await run(ana, view.take, 1, 1, Profile(1, "Bo", "", b"GIF89a"), 5)
        assert await run(ana, view.theirs, 1) is None

    world.run(story, seed=420)


def test_a_backup_brings_back_profiles_remarks_and_tags_and_counts_on() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        place = w.folder / "ana.webp"
        place.write_bytes(photo(b"ana"))
        await ana.call("profile.set", name="Ana B", about="in the backup", photo=str(place))
        await bo.call("profile.set", about="I am bo")
        await w.until(sees(ana, "bo", about="I am bo"))
        await ana.call("profile.remark", name="bo", text="Bo from work")
        for tag in ("friends", "Boats"):
            await ana.call("profile.tag", name="bo", tag=tag)
        file = w.folder / "ana.weft"
        await kept(ana, file)
        await ana.call("profile.set", about="later, and lost")
        await w.until(sees(bo, "ana", about="later, and lost", version=2))
        await ana.kill()
        await lose_and_restore(ana, file)
        await ana.start()
        assert await sees(ana, "bo", remark="Bo from work", tags=["Boats", "friends"], about="I am bo")()
        mine = await ana.call("profile.show")
        assert (mine["name"], mine["about"], mine["photo"]) == ("Ana B", "in the backup", len(photo(b"ana")))
        await w.until(sees(bo, "ana", about="in the backup", version=mine["version"]))  # what she sees is what he sees
        await ana.call("profile.set", about="after")
        await w.until(sees(bo, "ana", about="after"))

    world.run(story, seed=421)


@pytest.mark.parametrize(
    "kept_bytes",
    [
        b"",
        wire.encode(("Bo",)),
        wire.encode(("two\nlines", ())),
        wire.encode(("x" * 129, ())),
        wire.encode(("Bo", ("b", "a"))),
        wire.encode(("Bo", ("a", "A"))),
        wire.encode(("Bo", ("",))),
        wire.encode(("Bo", (1,))),
        wire.encode(("Bo", tuple(f"{n:02}" for n in range(remarks.TAGS_MAX + 1)))),
        wire.encode(("Bo", "friends")),
        wire.encode((1, ())),
    ],
)
def test_what_a_backup_cannot_hold_of_marks_is_refused(kept_bytes: bytes) -> None:
    with pytest.raises(Malformed):
        view.marks_of(kept_bytes)


def test_no_look_walks_through_all_messages() -> None:
    def looked(tx: Tx) -> list[tuple[str, str]]:
        seen: list[str] = []
        connection: Any = tx._connection
        connection.set_trace_callback(seen.append)
        try:
            view.untold(tx, 1)
            view.met_devices(tx)
            view.told(tx, 1, 1, 1, 1)
            view.told(tx, 1, 2, 2, 1)
            view.theirs(tx, 1)
            remarks.of(tx, 1)
            remarks.is_taken(tx, "bo", 1)
            remarks.tagged(tx, "friends")
            people.find_contact(tx, "bo")
        finally:
            connection.set_trace_callback(None)
        seen = [one for one in seen if not one.startswith("--")]  # what a trigger runs
        return [(one, row[3]) for one in seen for row in tx.all(f"EXPLAIN QUERY PLAN {one}")]

    async def story(w: World) -> None:
        ana, _ = await pair(w)
        seen = await run(ana, looked)
        assert len(seen) > 15
        few = (
            *("SCAN c", "SCAN t", "SCAN profile_told", "SCAN CONSTANT"),  # as many as there are contacts
            "SCAN main.chat_index_config",  # one row: SQLite looks whether its index of words has changed
        )
        assert [one for one in seen if one[1].startswith("SCAN") and not one[1].startswith(few)] == []

    world.run(story, seed=422)
