"""Moments after a lost disk: one's own are read again from contacts, with whom they were for and what is below."""

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from features.moments import audience, awaited, feeds, returning, view
from features.moments.audience import Audience, Kind
from features.moments.content import Answered, Post, Ref
from lab import world
from lab.world import Person, World, befriend
from protocol import backup_records, moment
from store import entries, logs
from store.database import Tx
from store.entries import Kept
from tests.features.test_moment_pictures import images
from tests.stories.log_kit import NIGHT_S, circle
from tests.stories.moments_kit import comments, gone, one, reads, sees, wall
from tests.stories.test_backups import kept, lose_and_restore
from tests.stories.test_conversations import settled

DAY_S = 86_400.0
SETTLED_S = 60.0


async def comes_back(person: Person) -> None:
    """A backup is made, the disk is lost, and the backup brought to another."""
    file = person.world.folder / f"{person.name}.weft"
    await kept(person, file)
    await person.kill()
    await trio.sleep(NIGHT_S)
    await lose_and_restore(person, file)
    await person.start()


async def audiences(person: Person) -> dict[str, str]:
    """For whom one's own moments are."""
    return {line["text"]: line["audience"] for line in await person.call("moments.list", by="me", limit=1000)}


async def goes_on(ana: Person, bo: Person, cy: Person) -> None:
    """What is new reaches others, and what the lost device had posted can still be changed and taken back."""
    w = ana.world
    await ana.call("moments.post", text="I am back")
    await w.until(sees([bo, cy], "I am back"))
    await ana.call("moments.edit", id=(await one(ana, "not to bo"))["id"], text="still not to bo")
    await w.until(sees([cy], "still not to bo"))
    await ana.call("moments.post", text="to family again", to=["family"])
    await w.until(sees([bo], "to family again"))
    said = (await ana.call("moments.show", id=(await one(ana, "of bo"))["id"]))["comments"]
    (hers,) = [line["id"] for line in said if line["mine"]]
    await ana.call("moments.delete", id=hers)
    await w.until(reads([ana, bo, cy], "of bo", ["cy below of bo"]))
    assert "to family again" not in await wall(cy)
    await ana.call("moments.delete", id=(await one(ana, "to all"))["id"])
    await ana.call("moments.unlike", id=(await one(ana, "of bo"))["id"])
    await w.until(gone([bo, cy], "to all", "not to bo"))

    async def unliked() -> bool:
        """nobody sees that ana likes what bo said"""
        return not any([(await one(person, "of bo"))["likes"] for person in (ana, bo, cy)])

    await w.until(unliked)
    dee = await w.person("dee")
    await befriend(dee, ana)
    expected = ["edited, for all indeed", "still not to bo", "I am back"]
    await w.until(sees([dee], *expected))
    assert sorted(await wall(dee)) == sorted(expected)


def test_her_moments_are_there_again_for_whom_they_were_with_what_is_said_below() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("profile.tag", name="bo", tag="family")
        whom = {
            "to all": {},
            "to family": {"to": ["family"]},
            "to cy": {"to": ["cy"]},
            "not to bo": {"excepted": ["bo"]},
            "to nobody": {"to": ["private"]},
            "edited, to cy": {"to": ["cy"]},
            "edited, for all": {},
            "regretted": {},
        }
        for text, how in whom.items():
            await ana.call("moments.post", text=text, **how)
        await w.until(sees([bo], "to all", "to family", "edited, for all", "regretted"))
        await w.until(sees([cy], "to cy", "not to bo", "edited, to cy"))
        for text in ("edited, to cy", "edited, for all"):
            await ana.call("moments.edit", id=(await one(ana, text))["id"], text=f"{text} indeed")
        await ana.call("moments.delete", id=(await one(ana, "regretted"))["id"])
        await bo.call("moments.post", text="of bo")
        await w.until(sees([ana, cy], "of bo"))
        for person, text in ((bo, "to all"), (cy, "to all"), (cy, "of bo"), (ana, "of bo"), (ana, "to all")):
            said = f"{person.name} below {text}"
            await person.call("moments.comment", id=(await one(person, text))["id"], text=said)
            await w.until(partial(_has, ana, text, said))
        await cy.call("moments.like", id=(await one(cy, "to cy"))["id"])
        await ana.call("moments.like", id=(await one(ana, "of bo"))["id"])
        hidden = (await ana.call("moments.show", id=(await one(ana, "to all"))["id"]))["comments"][1]
        await ana.call("moments.hide", id=hidden["id"])
        await w.until(reads([bo], "to all", ["bo below to all", "ana below to all"]))
        await w.until(sees([cy], "edited, to cy indeed", "edited, for all indeed"))
        await ana.call("moments.notices")
        for other in (bo, cy):
            await w.until(partial(settled, ana, other))
        before = await audiences(ana)
        seen = [await ana.call("moments.show", id=line["id"]) for line in await ana.call("moments.list")]

        await comes_back(ana)

        async def all_is_back() -> bool:
            """ana sees all that she saw"""
            return [await ana.call("moments.show", id=line["id"]) for line in await ana.call("moments.list")] == seen

        await w.until(all_is_back)
        assert await audiences(ana) == before
        assert {line["is_new"] for line in await ana.call("moments.notices")} == {False}
        await goes_on(ana, bo, cy)

    world.run(story, 911)


async def _has(person: Person, text: str, below: str) -> bool:
    return below in await comments(person, text)


def test_rules_and_the_window_hold_and_moments_of_who_is_away_come_from_others() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        await ana.call("moments.rule", name="dee", hide_mine=True)
        await ana.call("moments.rule", name="bo", hide_theirs=True)
        await ana.call("moments.window", last="6m")
        await ana.call("moments.post", text="not for dee")
        for person in (bo, cy, dee):
            await person.call("moments.post", text=f"of {person.name}")
        await w.until(sees([ana, bo, dee], "of cy", "of dee"))
        await w.until(sees([cy], "not for dee", "of bo"))
        for other in (bo, cy, dee):
            await w.until(partial(settled, ana, other))
        await cy.stop()
        await comes_back(ana)
        await w.until(sees([ana], "not for dee", "of cy", "of dee"))  # of cy by bo and dee
        assert "of bo" not in await wall(ana)
        assert await ana.call("moments.window") == {"window": "6m"}
        rules = await ana.call("moments.rules")
        assert [(rule["name"].lower(), rule["hide_mine"], rule["hide_theirs"]) for rule in rules] == [
            ("bo", False, True),
            ("dee", True, False),
        ]
        await ana.call("moments.post", text="not for dee either")
        await w.until(sees([bo], "not for dee either"))
        assert await ana.call("moments.window") == {"window": "6m"}
        await trio.sleep(SETTLED_S)
        assert not {"not for dee", "not for dee either"} & {*await wall(dee)}

    world.run(story, 912)


async def run(person: Person, f: Callable[..., Any], *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def _is_settled(person: Person) -> bool:
    """nothing that somebody has posted can be taken back"""
    return await run(person, lambda tx: tx.one("SELECT 1 FROM moment_entry WHERE open = 1")) is None


def place_of(tx: Tx, text: str) -> Ref:
    """Where one's own moment with this text stands."""
    (found,) = [post.ref for post in view.of(tx, view.OURS) if post.said.text == text]
    return found


def test_who_is_met_before_all_is_back_sees_it_then_with_the_lost_device_gone() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("moments.post", text="old")
        await ana.call("moments.post", text="to bo", to=["bo"])
        await w.until(sees([bo], "old", "to bo"))
        await ana.call("moments.comment", id=(await one(ana, "old"))["id"], text="very old")
        await w.until(reads([bo], "old", ["very old"]))
        file = w.folder / "ana.weft"
        await kept(ana, file)
        before = [bo]
        for name in ("cy", "dee"):  # the second time two devices are lost
            for each in before:
                await each.stop()
            await ana.kill()
            await trio.sleep(NIGHT_S)
            await lose_and_restore(ana, file)
            await ana.start()
            other = await w.person(name)
            await befriend(other, ana)
            await ana.call("moments.post", text=f"to {name}", to=[name])
            await w.until(sees([other], f"to {name}"), patience_s=3600.0)  # bo, who is the anchor, is waited for
            assert await wall(other) == [f"to {name}"]
            for each in before:
                await each.start()
            await w.until(sees([ana, other], "old", f"to {name}"))
            await w.until(reads([ana, other], "old", ["very old"]))
            assert await wall(other) == ["old", f"to {name}"]
            await w.until(partial(_is_settled, ana))
            await kept(ana, file)
            before.append(other)

    world.run(story, 920)


def test_what_goes_on_in_many_feeds_comes_back_from_all_of_them() -> None:
    async def story(w: World) -> None:
        ana, _ = await circle(w, "ana", "bo")
        assert ana.node is not None
        texts = [f"moment {n}" for n in range(24)]  # a backup has 20 logs of a contact
        for text in texts:
            await ana.call("moments.post", text=text, to=["bo"])
            await w.until(partial(_is_settled, ana))
            newest = (await run(ana, feeds.every))[-1]
            await ana.node.core.sync.desks.give_up(newest.log.number, newest.anchor)
        await comes_back(ana)
        await w.until(sees([ana], *texts))
        assert {*(await audiences(ana)).values()} == {"Bo"}
        found = await run(ana, feeds.every)
        assert [one.log.own for one in found] == [False] * (len(found) - 1) + [True]
        before = {one.log.number: one.previous for one in found}
        assert sorted(before.values()) == [0, *sorted(before)[:-1]]  # each goes on one, and none twice

    world.run(story, 913)


def test_two_restores_keep_lists_and_what_was_dropped_stays_so_whatever_comes_later() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        for text in ("dropped", "to cy"):
            await ana.call("moments.post", text=text, to=["cy"])
        await w.until(sees([cy], "dropped", "to cy"))
        ref = await run(ana, place_of, "dropped")
        for other in (bo, cy):
            await w.until(partial(settled, ana, other))
        file = w.folder / "ana.weft"
        await kept(ana, file)
        for other in (bo, cy):
            await other.stop()
        for _ in range(2):
            await ana.kill()
            await lose_and_restore(ana, file)
            await ana.start()
            assert await wall(ana) == []
            await kept(ana, file)
        await run(ana, awaited.gone, ref)  # as the feed that went on says, which came before this one
        for other in (bo, cy):
            await other.start()
        await w.until(sees([ana], "to cy"))
        assert await audiences(ana) == {"to cy": "Cy"}
        assert await run(ana, awaited.frozen) == ((ref, Audience(Kind.THESE, frozenset({2}), (), "Cy")),)

        def left(tx: Tx) -> Kept:
            log = logs.by_id(tx, ref.log)
            assert log is not None
            return entries.kept(tx, log.number, ref.seq)

        assert await run(ana, left) is Kept.DELETED

    world.run(story, 914)


def test_the_window_is_the_one_that_was_decided_last_on_whichever_device() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        for window in ("1m", "6m"):
            await ana.call("moments.window", last=window)
            await ana.call("moments.post", text=f"at {window}")
            await trio.sleep(1)
        file = w.folder / "ana.weft"
        await w.until(partial(_is_settled, ana))
        await kept(ana, file)
        for window in ("1m", "3d"):  # of which the backup knows nothing
            await ana.call("moments.window", last=window)
            await trio.sleep(1)
        await w.until(partial(_is_settled, ana))
        await bo.stop()
        await ana.kill()
        await lose_and_restore(ana, file)
        await ana.start()
        assert await ana.call("moments.window") == {"window": "6m"}
        await bo.start()

        async def holds() -> bool:
            """ana and bo know that she shows three days"""
            told = await run(bo, lambda tx: tx.one("SELECT window_s FROM moment_author"))
            return bool(await ana.call("moments.window") == {"window": "3d"} and told == (3 * 86_400,))

        await w.until(holds)
        await trio.sleep(2)  # of two lists of one second nobody knows which is the later one
        await bo.stop()
        await ana.kill()
        await lose_and_restore(ana, file)
        await ana.start()
        await ana.call("moments.window", last="all")  # she decides again, before anything has come back
        await bo.start()
        await w.until(sees([ana], "at 6m"))
        await trio.sleep(SETTLED_S)
        assert await ana.call("moments.window") == {"window": "all"}

    world.run(story, 918)


def test_what_is_older_than_the_window_comes_back_late_from_who_has_it() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("moments.window", last="3d")
        await ana.call("moments.post", text="old")
        await w.until(sees([bo, cy], "old"))
        await w.pass_for(bo, seconds=5 * DAY_S)
        await cy.stop()
        ref = await run(ana, place_of, "old")

        def let_go(tx: Tx) -> None:
            log = logs.by_id(tx, ref.log)
            assert log is not None
            entries.release(tx, log.number)

        await run(bo, let_go)
        await comes_back(ana)
        await trio.sleep(NIGHT_S)
        assert await wall(ana) == []
        await cy.start()
        await w.until(sees([ana], "old"))
        assert (await audiences(ana)) == {"old": "all"}

    world.run(story, 915)


def test_her_pictures_are_fetched_again_from_who_has_them() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        (place,) = images(w, 1)
        posted = await ana.call("moments.post", text="at the lake", images=[str(place)])
        await w.until(sees([bo, cy], "at the lake"))
        await cy.call("moments.get", id=posted["id"])
        await w.until(partial(_has_picture, cy))
        await comes_back(ana)
        await w.until(sees([ana], "at the lake"))
        (picture,) = (await one(ana, "at the lake"))["pictures"]
        assert (picture["state"], picture["name"], picture["has_preview"]) == ("offered", "1.jpg", True)
        await ana.call("moments.get", id=posted["id"])
        await w.until(partial(_has_picture, ana))
        await ana.call("moments.delete", id=posted["id"])
        await w.until(gone([bo, cy], "at the lake"))

    world.run(story, 919)


async def _has_picture(person: Person) -> bool:
    """somebody has the picture at the lake"""
    return [line["state"] for line in (await one(person, "at the lake"))["pictures"]] == ["here"]


def test_an_answer_that_only_its_author_told_us_comes_back_too() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("moments.post", text="hello")
        await w.until(sees([bo], "hello"))
        await bo.call("moments.rule", name="ana", hide_mine=True)
        for text in ("kept", "regretted"):
            await bo.call("moments.comment", id=(await one(bo, "hello"))["id"], text=text)
            await w.until(partial(_has, ana, "hello", text))
        (_, below) = (await bo.call("moments.show", id=(await one(bo, "hello"))["id"]))["comments"]
        await bo.call("moments.delete", id=below["id"])
        await w.until(reads([ana], "hello", ["kept"]))
        await w.until(partial(settled, ana, bo))
        await comes_back(ana)
        await w.until(sees([ana], "hello"))
        await w.until(reads([ana], "hello", ["kept"]))

    world.run(story, 916)


def test_what_a_contact_tells_of_answers_to_posts_that_never_come_has_an_end() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        post, dropped = Ref(bytes(16), 0), Ref(bytes(16), 1)

        def hold(tx: Tx) -> tuple[int, int]:
            for seq in range(awaited.HELD_MAX + 10):
                awaited.hold(tx, 1, Answered(Ref(bytes(16), seq), post, "text", None, seq, bytes(24)))
            awaited.hold(tx, 2, Answered(post, dropped, "text", None, 1, bytes(24)))
            awaited.gone(tx, dropped)
            awaited.hold(tx, 2, Answered(post, dropped, "text", None, 1, bytes(24)))
            return len(awaited.held(tx, post)), len(awaited.held(tx, dropped))

        assert await run(ana, hold) == (awaited.HELD_MAX, 0)

    world.run(story, 921)


def test_lists_go_into_a_backup_as_far_as_there_is_room_the_newest_first() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        await ana.call("moments.post", text="one")

        def fill(tx: Tx) -> list[Ref]:
            ref = place_of(tx, "one")
            found = []
            for n in range(1, 3001):
                key, place = n.to_bytes(32, "big"), Ref(ref.log, n)
                row = view.put(tx, view.OURS, place, key, moment.name_of(key), Post(str(n), n), n, place)
                assert row is not None
                whom = frozenset(range(1 + n % 50, 600))
                audience.keep(tx, row, Audience(Kind.ALL_BUT, whom, (), "all but " + "x" * 500))
                found.append(place)
            return found

        places = await run(ana, fill)
        note = await run(ana, returning.keep_own, 0)
        assert len(note) <= backup_records.NOTE_BYTES_MAX
        was = returning.check_own(note)
        assert len(was.lists) > 1000 or len({whom for _, _, whom in was.lists}) >= 20
        assert [seq for _, seq, _ in was.lists] == [place.seq for place in reversed(places)][: len(was.lists)]
        assert {len(whom.words) for _, _, whom in was.lists} == {returning.WORDS_CHARS_MAX}
        assert all(whom.contacts == frozenset(range(1 + seq % 50, 600)) for _, seq, whom in was.lists)

    world.run(story, 917)
