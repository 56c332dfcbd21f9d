"""Moments among whole nodes: who sees what, with its author away, after removal, and on the way back."""

import pytest
import trio

from features.moments.faults import BadAudience
from lab import world
from lab.world import World, befriend
from tests.stories.log_kit import circle
from tests.stories.moments_kit import comments, gone, one, reads, sees, wall

SETTLED_S = 60.0


def test_a_post_is_seen_liked_and_answered_by_those_whom_it_is_for() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        posted = await ana.call("moments.post", text="hello all")
        assert (posted["audience"], posted["author"], posted["mine"]) == ("all", "", True)
        await w.until(sees([ana, bo, cy], "hello all"))
        seen = await one(bo, "hello all")
        assert (seen["id"], seen["author"].lower(), seen["audience"]) == (posted["id"], "ana", "")

        await bo.call("moments.like", id=seen["short"])
        await cy.call("moments.comment", id=seen["id"], text="welcome")
        await w.until(reads([ana, bo, cy], "hello all", ["welcome"]))

        async def liked() -> bool:
            likes = [(await one(p, "hello all"))["likes"] for p in (ana, bo, cy)]
            return [[name.lower() for name in of] for of in likes] == [["bo"], [""], ["bo"]]

        await w.until(liked)
        told = await ana.call("moments.notices")
        assert {(n["kind"], n["who"].lower(), n["is_new"]) for n in told} == {
            ("like", "bo", True),
            ("comment", "cy", True),
        }
        assert [n["is_new"] for n in await ana.call("moments.notices")] == [False, False]

        await bo.call("moments.unlike", id=seen["id"])
        await ana.call("moments.edit", id=posted["id"], text="hello everybody")
        await w.until(sees([bo, cy], "hello everybody"))
        assert await comments(bo, "hello everybody") == ["welcome"]
        (below,) = (await ana.call("moments.show", id=posted["id"]))["comments"]
        assert (await ana.call("moments.hide", id=below["short"]))["hidden"]
        await w.until(reads([bo, cy], "hello everybody", []))

        await ana.call("moments.delete", id=posted["id"])
        await w.until(gone([ana, bo, cy], "hello all", "hello everybody"))

    world.run(story, 901)


def test_tags_lists_and_exceptions_are_frozen_and_a_new_contact_sees_what_is_for_all() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        await ana.call("profile.tag", name="bo", tag="family")
        for text, how in (
            ("to all", {}),
            ("to family", {"to": ["family"]}),
            ("to cy", {"to": ["cy"]}),
            ("not to bo", {"excepted": ["bo"]}),
            ("to nobody", {"to": ["private"]}),
        ):
            await ana.call("moments.post", text=text, **how)
        await w.until(sees([bo], "to all", "to family"))
        await w.until(sees([cy], "to all", "to cy", "not to bo"))
        await w.until(sees([dee], "to all", "not to bo"))
        assert await wall(bo) == ["to all", "to family"]
        assert await wall(cy) == ["to all", "to cy", "not to bo"]
        assert await wall(dee) == ["to all", "not to bo"]
        with pytest.raises(BadAudience):
            await ana.call("moments.post", text="to a name that is none", to=[" "])
        assert len(await wall(ana)) == 5

        eve = await w.person("eve")
        await befriend(eve, ana)
        await w.until(sees([eve], "to all", "not to bo"))
        assert await wall(eve) == ["to all", "not to bo"]

        await ana.call("profile.tag", name="cy", tag="family")
        await ana.call("moments.post", text="to family again", to=["family"])
        await w.until(sees([bo, cy], "to family again"))
        assert "to family" not in await wall(cy)
        await ana.call("profile.untag", name="bo", tag="family")
        await ana.call("moments.post", text="without bo", to=["family"])
        await w.until(sees([cy], "without bo"))
        await trio.sleep(SETTLED_S)
        assert await wall(bo) == ["to all", "to family", "to family again"]

    world.run(story, 902)


@pytest.mark.depth
def test_mutual_contacts_carry_what_is_new_while_its_author_is_away() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee = await circle(w, "ana", "bo", "cy", "dee")
        await ana.call("moments.post", text="before")
        await w.until(sees([bo, cy, dee], "before"))
        await cy.call("moments.like", id=(await one(cy, "before"))["id"])  # so dee knows the feed of cy too
        await trio.sleep(SETTLED_S)
        await dee.stop()
        await ana.call("moments.post", text="while dee was away")
        await ana.call("moments.post", text="not to bo", excepted=["bo"])
        await w.until(sees([bo, cy], "while dee was away"), patience_s=3600.0)  # dee was the anchor
        await cy.call("moments.comment", id=(await one(cy, "while dee was away"))["id"], text="a pity")
        await w.until(reads([ana, bo, cy], "while dee was away", ["a pity"]), patience_s=3600.0)
        await ana.stop()
        await cy.stop()
        await dee.start()
        await w.until(reads([dee], "while dee was away", ["a pity"]))  # from bo, who cannot open all that he carries
        assert "not to bo" not in await wall(bo)
        await ana.start()
        await w.until(sees([dee], "not to bo"))

    world.run(story, 903)


@pytest.mark.depth
def test_who_is_not_to_see_them_sees_nothing_any_more_and_all_again_when_he_may() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("moments.post", text="old")
        await w.until(sees([bo, cy], "old"))
        await cy.call("moments.comment", id=(await one(cy, "old"))["id"], text="of cy")
        await trio.sleep(1)
        await bo.call("moments.comment", id=(await one(bo, "old"))["id"], text="of bo")
        await w.until(reads([ana, bo, cy], "old", ["of cy", "of bo"]))

        assert (await ana.call("moments.rule", name="bo", hide_mine=True))["hide_mine"]
        await w.until(gone([bo], "old"))
        await ana.call("moments.post", text="new")
        await w.until(sees([cy], "old", "new"))
        await trio.sleep(SETTLED_S)
        assert await wall(bo) == []

        await ana.call("moments.rule", name="bo", hide_mine=False)
        await w.until(sees([bo], "old", "new"))
        await w.until(reads([bo, cy], "old", ["of cy", "of bo"]))

        await ana.call("contacts.block", name="bo")
        assert await wall(bo) == []  # he was here, and so was told before
        await ana.call("moments.post", text="after the block")
        await w.until(sees([cy], "after the block"))
        await trio.sleep(SETTLED_S)
        assert await wall(bo) == []

    world.run(story, 904)


def test_who_answers_what_is_deleted_then_answers_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        posted = await ana.call("moments.post", text="to all")
        await w.until(sees([bo, cy], "to all"))
        said = await bo.call("moments.comment", id=posted["id"], text="of bo")
        await w.until(reads([cy], "to all", ["of bo"]))
        await cy.call("moments.comment", id=posted["id"], text="of cy", reply=said["id"])
        await w.until(reads([ana, bo], "to all", ["of bo", "of cy"]))
        (_, line) = (await ana.call("moments.show", id=posted["id"]))["comments"]
        assert (line["answers"], line["answers_whom"].lower()) == (said["short"], "bo")
        await bo.call("moments.delete", id=said["id"])
        await w.until(reads([ana, bo, cy], "to all", ["of cy"]))
        for person in (ana, bo, cy):
            (line,) = (await person.call("moments.show", id=posted["id"]))["comments"]
            assert (line["answers"], line["answers_whom"]) == (said["short"], None)

    world.run(story, 933)
