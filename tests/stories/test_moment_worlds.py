"""Moments where much happens: parted and joined again, an old disk; people block, hide, tag, delete and are away."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from features.moments.faults import UnknownMoment
from lab import world
from lab.world import Person, World, befriend
from tests.stories.feed_forger import rows
from tests.stories.log_kit import circle, keep_disk, proofs, put_disk_back
from tests.stories.moments_kit import comments, gone, one, reads, rooted, sees, wall

MONTH_S = 30 * 86_400.0
LONG_S = 3600.0  # more than a feed waits for its anchor
SETTLED_S = 60.0


async def nobody_is_accused(*people: Person) -> None:
    for person in people:
        assert (await proofs(person))["proofs"] == []


async def seen(person: Person) -> list[tuple[str, tuple[str, ...]]]:
    """All on somebody's wall, with what is below it; [] where it is another meanwhile."""
    found = []
    for line in await person.call("moments.list", limit=1000):
        try:
            shown = await person.call("moments.show", id=line["id"])
        except UnknownMoment:
            return []
        found.append((shown["moment"]["text"], tuple(sorted(one["text"] for one in shown["comments"]))))
    return sorted(found)


async def comment(person: Person, text: str, said: str) -> None:
    await person.call("moments.comment", id=(await one(person, text))["id"], text=said)


@pytest.mark.depth
@pytest.mark.parametrize("parted_s", [300.0, 2 * LONG_S])
def test_what_both_sides_of_a_partition_post_and_answer_all_see_when_it_is_over(parted_s: float) -> None:
    async def story(w: World) -> None:
        people = await circle(w, "ana", "bo", "cy", "dee")
        ana, cy = people[0], people[2]
        for person in people:
            await person.call("moments.post", text=f"{person.name} before")
        await w.until(sees(people, *(f"{person.name} before" for person in people)))
        w.network.partition(["ana", "bo"], ["cy", "dee"])
        await trio.sleep(60)
        for person in people:
            await person.call("moments.post", text=f"{person.name} meanwhile")
            await comment(person, "ana before", f"of {person.name}")
            await comment(person, "dee before", f"of {person.name}")
        await ana.call("moments.edit", id=(await one(ana, "ana before"))["id"], text="ana changed")
        await cy.call("moments.delete", id=(await one(cy, "cy before"))["id"])
        await trio.sleep(parted_s)
        w.network.heal_all()
        said = tuple(sorted(f"of {person.name}" for person in people))
        expected = sorted(
            [(f"{person.name} meanwhile", ()) for person in people]
            + [("ana changed", said), ("dee before", said), ("bo before", ())]
        )

        async def equal() -> bool:
            """all see the same"""
            return all([await seen(person) == expected for person in people])

        await w.until(equal, patience_s=2 * LONG_S)
        await nobody_is_accused(*people)

    world.run(story, 941)


@pytest.mark.depth
def test_a_feed_does_not_wait_for_an_anchor_who_is_away() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        await bo.stop()
        await ana.call("moments.post", text="without bo")
        await comment(ana, "without bo", "a comment")
        await w.until(reads([cy], "without bo", ["a comment"]), patience_s=LONG_S)
        await ana.call("moments.post", text="more")
        await w.until(sees([cy], "more"))
        await bo.start()
        await w.until(reads([bo], "without bo", ["a comment"]))
        await w.until(sees([bo], "more"))
        for person in (ana, bo, cy):
            assert await wall(person) == ["first", "without bo", "more"]
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 942)


@pytest.mark.depth
def test_after_a_block_a_feed_goes_on_with_somebody_who_is_here() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee, eve = await rooted(w, "ana", "bo", "cy", "dee", "eve")
        await dee.stop()
        await trio.sleep(SETTLED_S)
        await ana.call("contacts.block", name="eve")
        await ana.call("moments.post", text="after")
        await w.until(sees([bo, cy], "after"), patience_s=SETTLED_S)
        assert "after" not in await wall(eve)

    world.run(story, 943)


@pytest.mark.depth
def test_with_an_old_disk_what_was_posted_is_written_again_and_nothing_of_others_is_dropped() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        await ana.stop()
        keep_disk(ana, "kept")
        await ana.start()
        await ana.call("moments.post", text="lost on her disk")
        await w.until(sees([bo, cy], "lost on her disk"))
        await ana.stop()
        put_disk_back(ana, "kept")
        w.network.partition(["ana"], ["bo", "cy"])
        await ana.start()
        wrong = await ana.call("moments.post", text="deleted at once")
        await ana.call("moments.post", text="again")
        await comment(ana, "again", "of ana")
        await comment(ana, "first", "below the first")
        await ana.call("moments.delete", id=wrong["id"])
        w.network.heal_all()
        await w.until(reads([ana, bo, cy], "again", ["of ana"]), patience_s=LONG_S)
        await w.until(reads([ana, bo, cy], "first", ["below the first"]))
        await trio.sleep(SETTLED_S)
        for person in (bo, cy):
            assert await wall(person) == ["first", "lost on her disk", "again"]
        assert [text for text in await wall(ana) if text != "lost on her disk"] == ["first", "again"]
        assert await rows(ana, "moment_entry", "open = 1") == 0
        await ana.call("moments.post", text="and on")
        await w.until(sees([ana, bo, cy], "and on"))
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 944)


@pytest.mark.depth
def test_two_who_block_each_other_see_nothing_new_and_all_again_when_both_have_unblocked() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        both = ((ana, "bo"), (bo, "ana"))
        for person, _ in both:
            await person.call("moments.post", text=f"{person.name} before")
        await w.until(sees([ana, bo, cy], "ana before", "bo before"))
        await comment(cy, "ana before", "of cy")
        for person, other in both:
            await person.call("contacts.block", name=other)
        for person, _ in both:
            await person.call("moments.post", text=f"{person.name} meanwhile")
        await comment(bo, "bo before", "of bo")
        await w.until(sees([cy], "ana meanwhile", "bo meanwhile"), patience_s=LONG_S)
        await trio.sleep(SETTLED_S)
        assert await wall(ana) == ["ana before", "ana meanwhile"]
        assert await wall(bo) == ["bo before", "bo meanwhile"]
        for person, other in both:
            await person.call("contacts.unblock", name=other)
        everything = ["ana before", "bo before", "ana meanwhile", "bo meanwhile"]
        await w.until(sees([ana, bo, cy], *everything), patience_s=LONG_S)
        await w.until(reads([ana, bo, cy], "ana before", ["of cy"]))
        await w.until(reads([ana, bo, cy], "bo before", ["of bo"]))
        for person in (ana, bo, cy):
            assert sorted(await wall(person)) == sorted(everything)
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 945)


@pytest.mark.depth
def test_however_quickly_a_rule_changes_what_holds_in_the_end_holds() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("moments.post", text="old")
        await bo.call("moments.post", text="of bo")
        await w.until(sees([ana, bo, cy], "old", "of bo"))
        await comment(cy, "old", "of cy")
        rules: Sequence[dict[str, Any]] = (
            {"hide_mine": True},
            {"hide_mine": False},
            {"chats_only": True},
            {"chats_only": False, "hide_mine": True},
            {"hide_mine": False},
        )
        for turn in range(3):
            for rule in rules:
                await ana.call("moments.rule", name="bo", **rule)
            await ana.call("moments.post", text=f"turn {turn}")
        await w.until(sees([bo, cy], "old", "turn 0", "turn 1", "turn 2"), patience_s=LONG_S)
        await w.until(reads([ana, bo, cy], "old", ["of cy"]))
        assert await wall(bo) == await wall(cy) == await wall(ana)
        for rule in rules[:4]:
            await ana.call("moments.rule", name="bo", **rule)
        await w.until(gone([bo], "old", "turn 2"))
        await ana.call("moments.post", text="not for bo")
        await w.until(sees([cy], "not for bo"))
        await trio.sleep(SETTLED_S)
        assert await wall(bo) == ["of bo"]
        assert "of bo" in await wall(ana)
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 946)


@pytest.mark.depth
def test_who_was_away_sees_what_was_edited_and_nothing_of_what_was_deleted_also_from_others() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        for text in ("to stay", "to be edited", "to be deleted"):
            await ana.call("moments.post", text=text)
        await w.until(sees([bo, cy], "to be deleted"))
        await comment(cy, "to be edited", "of cy")
        await comment(cy, "to be deleted", "of cy")
        await w.until(reads([ana, bo], "to be deleted", ["of cy"]))
        await cy.stop()
        await ana.call("moments.post", text="written and edited")
        await ana.call("moments.post", text="written and deleted")
        await w.until(sees([bo], "written and deleted"))
        for text, now in (
            ("to be edited", "edited once"),
            ("edited once", "edited"),
            ("written and edited", "edited too"),
        ):
            await ana.call("moments.edit", id=(await one(ana, text))["id"], text=now)
        for text in ("to be deleted", "written and deleted"):
            await ana.call("moments.delete", id=(await one(ana, text))["id"])
        await w.until(sees([bo], "edited too"))
        await comment(bo, "edited too", "of bo")
        expected = ["first", "to stay", "edited", "edited too"]

        async def has_it(person: Person) -> bool:
            return await wall(person) == expected and await comments(person, "edited too") == ["of bo"]

        await w.until(lambda: has_it(bo))
        await w.until(reads([ana], "edited too", ["of bo"]))

        async def is_settled() -> bool:
            """nothing of bo's waits"""
            return await rows(bo, "moment_entry", "open = 1") == 0

        await w.until(is_settled)
        await ana.stop()
        await cy.start()
        await w.until(lambda: has_it(cy))
        assert await comments(cy, "edited") == ["of cy"]
        await ana.start()
        await trio.sleep(SETTLED_S)
        for person in (ana, bo, cy):
            assert await wall(person) == expected
            assert await rows(person, "moment") == 4

    world.run(story, 947)


@pytest.mark.depth
def test_a_tag_that_is_emptied_and_filled_lets_those_see_who_had_it_when_it_was_posted() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        everybody = {"bo": bo, "cy": cy}
        expected: dict[str, list[str]] = {"bo": ["first"], "cy": ["first"]}
        turns: Sequence[tuple[str, ...]] = (
            ("bo",),
            ("bo", "cy"),
            ("cy",),
            ("bo",),
            ("bo", "cy"),
            ("cy", "bo"),
            ("cy",),
        )
        for turn, members in enumerate(turns):
            for name in everybody:
                if name in members:
                    await ana.call("profile.tag", name=name, tag="family")
                elif turn and name in turns[turn - 1]:
                    await ana.call("profile.untag", name=name, tag="family")
            await ana.call("moments.post", text=f"turn {turn}", to=["family"])
            for name in members:
                expected[name].append(f"turn {turn}")
        await ana.call("profile.untag", name="cy", tag="family")
        await ana.call("moments.post", text="to all")
        for name, person in everybody.items():
            await w.until(sees([person], *expected[name], "to all"))
        await trio.sleep(SETTLED_S)
        for name, person in everybody.items():
            assert await wall(person) == [*expected[name], "to all"]

    world.run(story, 948)


@pytest.mark.depth
def test_who_comes_back_after_a_month_sees_the_days_that_a_window_leaves() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        await ana.call("moments.window", last="3d")
        await cy.stop()
        await ana.call("moments.post", text="a month ago")
        await w.until(sees([bo], "a month ago"))
        await ana.stop()
        await bo.stop()
        await trio.sleep(MONTH_S)
        await ana.start()
        await bo.start()
        await ana.call("moments.post", text="today")
        await comment(ana, "today", "of ana")
        await w.until(reads([bo], "today", ["of ana"]), patience_s=LONG_S)
        assert await wall(bo) == ["today"]
        await ana.stop()
        await cy.start()
        await w.until(reads([cy], "today", ["of ana"]))  # from bo
        await ana.start()
        await trio.sleep(SETTLED_S)
        assert await wall(cy) == ["today"]
        assert await wall(ana) == ["first", "a month ago", "today"]
        assert await rows(cy, "moment", "said LIKE '%a month ago%'") == 0
        dee = await w.person("dee")
        await befriend(dee, ana)
        await w.until(sees([dee], "today"))
        assert await wall(dee) == ["today"]
        await ana.call("moments.window", last="all")
        await trio.sleep(SETTLED_S)
        for person in (cy, dee):  # what was not given in this session is asked for in the next
            await person.stop()
            await person.start()
        await w.until(sees([bo, cy, dee], "first", "a month ago", "today"), patience_s=LONG_S)

    world.run(story, 949)


@pytest.mark.depth
def test_what_is_deleted_before_anybody_has_it_stays_nowhere() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        await bo.stop()
        wrong = await ana.call("moments.post", text="deleted at once")
        await ana.call("moments.delete", id=wrong["id"])
        await bo.start()
        await ana.call("moments.post", text="after")
        await w.until(sees([bo, cy], "after"))
        await ana.call("moments.post", text="and on")
        await w.until(sees([bo, cy], "and on"))

        async def is_settled() -> bool:
            """nothing of hers waits"""
            return await rows(ana, "moment_entry", "open = 1") == 0

        await w.until(is_settled)
        assert await wall(bo) == await wall(cy) == ["first", "after", "and on"]
        said = "instr(CAST(said AS TEXT), 'at once') > 0 OR instr(hex(said), hex('at once')) > 0"
        for person in (ana, bo, cy):
            assert await rows(person, "moment", said) == 0
        assert await rows(ana, "moment_entry", said) == 0

    world.run(story, 950)


@pytest.mark.depth
def test_what_is_changed_or_taken_back_before_anybody_has_it_is_read_by_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await rooted(w, "ana", "bo", "cy")
        await cy.call("moments.post", text="of cy")
        await w.until(sees([ana, bo], "of cy"))
        await bo.stop()
        posted = await ana.call("moments.post", text="WRONG TEXT")
        await ana.call("moments.edit", id=posted["id"], text="right")
        wrong = await ana.call("moments.comment", id=(await one(ana, "of cy"))["id"], text="WRONG WORDS")
        await ana.call("moments.delete", id=wrong["id"])
        await comment(ana, "of cy", "of ana")
        await comment(ana, "right", "below")
        await w.until(reads([cy], "right", ["below"]), patience_s=LONG_S)
        await w.until(reads([cy], "of cy", ["of ana"]))
        await bo.start()
        await w.until(reads([bo], "right", ["below"]), patience_s=LONG_S)
        await w.until(reads([bo], "of cy", ["of ana"]))
        assert (await one(bo, "right"))["id"] == (await one(cy, "right"))["id"] == (await one(ana, "right"))["id"]
        assert {line["text"] for line in await cy.call("moments.notices")} == {"of ana"}
        await comment(cy, "right", "of cy")
        await w.until(reads([ana, bo], "right", ["below", "of cy"]))
        said = "instr(hex(said), hex('WRONG')) > 0"
        for person in (ana, bo, cy):
            assert await rows(person, "moment_entry", said) == await rows(person, "moment", said) == 0
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 951)
