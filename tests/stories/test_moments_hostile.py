"""What a contact can do to moments whose node says what no honest weft says: one story for each check."""

from dataclasses import replace

import pytest
import trio

from crypto import hashing
from features.moments import below, hearing, reading
from features.moments.content import (
    KEYS_MAX,
    Answered,
    Chain,
    Chains,
    Comment,
    Drop,
    Hide,
    Key,
    Keys,
    Like,
    Post,
    Ref,
    Replace,
    Withdrawn,
)
from lab import world
from lab.world import Person, World, befriend
from protocol import entry, moment
from protocol.moment import Spot
from store import logs
from store.database import Tx
from store.entries import Kept
from tests import depth
from tests.stories import feed_forger as forger
from tests.stories.acts_kit import arrived, run
from tests.stories.feed_forger import answer_place, content_of, known, put, rows
from tests.stories.log_kit import circle
from tests.stories.moments_kit import comments, gone, one, reads, rooted, sees, wall
from tests.stories.test_hostile_contacts import utter

ANSWERS = (below.ANSWERS_MAX + 100, 10_000, 1_000_000)[depth.LEVEL]
GARBAGE = (40, 400, 4_000)[depth.LEVEL]
HTML = '<script>alert(1)</script><img src="http://evil.example/x.png" onerror="x()">&amp;'
STEERING = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\u200f"


async def end(liar: Person, *people: Person) -> None:
    """Waits until these have had all that the liar's feed and his ratchets hold: an honest post of his is the last."""
    await liar.world.until(lambda: arrived(liar))
    text = f"last at {trio.current_time()}"
    await liar.call("moments.post", text=text)
    await liar.world.until(sees(people, text))


async def likes(person: Person, text: str) -> list[str]:
    return [name.lower() for name in (await one(person, text))["likes"]]


def told(where: Ref, post: Ref, text: str | None, answers: Ref | None, at_ms: int) -> Answered:
    """What somebody says of an answer of his; each has another nonce."""
    return Answered(where, post, text, answers, at_ms, hashing.digest(where.log + where.seq.to_bytes(8, "big"))[:24])


# --- what was deleted, and keys that are given away


@pytest.mark.depth
def test_what_was_deleted_is_not_taken_again_from_who_kept_it() -> None:
    async def story(w: World) -> None:
        ana, mal, cy = await rooted(w, "ana", "mal", "cy")
        await cy.stop()
        await ana.call("moments.post", text="to be deleted")
        await w.until(sees([mal], "to be deleted"))
        ref = (await known(mal, "to be deleted")).ref
        stolen = await content_of(mal, ref)
        assert stolen
        await ana.call("moments.delete", id=(await one(ana, "to be deleted"))["id"])
        await ana.call("moments.post", text="after")
        await w.until(sees([mal], "after"))
        assert await content_of(mal, ref) is None
        await ana.stop()

        def put_back(tx: Tx) -> None:
            log = logs.by_id(tx, ref.log)
            assert log is not None
            key = logs.key(log.number, ref.seq)
            tx.execute("UPDATE entry SET kept = ?, content = ? WHERE key = ?", (Kept.HERE, stolen, key))

        await run(mal, put_back)
        assert await content_of(mal, ref) == stolen
        await cy.start()
        await w.until(sees([cy], "after"))
        await trio.sleep(60)
        assert await wall(cy) == ["first", "after"]
        assert await content_of(cy, ref) is None
        await ana.start()
        await trio.sleep(60)
        assert await content_of(ana, ref) is None

    world.run(story, 921)


@pytest.mark.depth
def test_a_key_that_is_given_away_opens_its_post_and_only_what_contacts_of_the_other_say_below() -> None:
    async def story(w: World) -> None:
        ana, mal, bo, cy = await circle(w, "ana", "mal", "bo", "cy")
        zed = await w.person("zed")
        await befriend(zed, bo)
        await befriend(zed, mal)
        await ana.call("moments.post", text="for contacts")
        await ana.call("moments.post", text="another")
        await w.until(sees([mal, bo, cy], "for contacts", "another"))
        await bo.call("moments.comment", id=(await one(bo, "for contacts"))["id"], text="of bo")
        await trio.sleep(1)
        await cy.call("moments.comment", id=(await one(cy, "for contacts"))["id"], text="of cy")
        await w.until(reads([ana, mal, bo, cy], "for contacts", ["of bo", "of cy"]))
        await bo.call("moments.post", text="bo's own")
        await w.until(sees([zed], "bo's own"))

        leaked, other = await known(mal, "for contacts"), await known(mal, "another")

        async def spot_of(ref: Ref) -> tuple[Spot, bytes]:
            def author(tx: Tx) -> bytes:
                log = logs.by_id(tx, ref.log)
                assert log is not None
                return log.author

            content = await content_of(mal, ref)
            assert content is not None
            return Spot(await run(mal, author), ref.log, ref.seq), content

        spot, content = await spot_of(leaked.ref)
        assert b"for contacts" in moment.unseal(leaked.key, spot, content)
        assert not moment.is_under(leaked.key, *await spot_of(other.ref))
        waits = await run(
            zed,
            lambda tx: tx.all("SELECT feed, seq, wrap FROM moment_wait WHERE name = ?", (moment.name_of(leaked.key),)),
        )
        of_bo, of_cy = await answer_place(mal, "of bo"), await answer_place(mal, "of cy")
        assert [(feed, seq) for feed, seq, _ in waits] == [(of_bo.log, of_bo.seq)]
        wrap = waits[0][2]
        assert b"of bo" in moment.unseal(moment.answer_key(leaked.key, wrap), *await spot_of(of_bo))
        assert not moment.is_under(moment.answer_key(leaked.key, wrap), *await spot_of(of_cy))
        assert await run(zed, lambda tx: logs.by_id(tx, of_cy.log)) is None
        assert await wall(zed) == ["bo's own"]

    world.run(story, 922)


# --- likes and comments


def test_who_may_not_see_a_post_cannot_be_seen_to_like_or_answer_it() -> None:
    async def story(w: World) -> None:
        ana, mal = await circle(w, "ana", "mal")
        await ana.call("moments.post", text="not to mal", excepted=["mal"])
        await ana.call("moments.post", text="private", to=["private"])
        await ana.call("moments.post", text="to all")
        await w.until(sees([mal], "to all"))
        feed = (await known(mal, "to all")).ref.log
        now_ms = w.now_ms()
        for seq in range(5):  # he carries them all, and knows their places
            for text in (None, "so I am here"):
                where = Ref(bytes(16), 2 * seq + (text is None))
                await utter(mal, "ana", told(where, Ref(feed, seq), text, None, now_ms))
        await utter(mal, "ana", told(Ref(bytes(16), 99), Ref(b"?" * 16, 7), None, None, now_ms))
        await end(mal, ana)
        for text in ("not to mal", "private"):
            assert (await likes(ana, text), await comments(ana, text)) == ([], [])
        assert (await likes(ana, "to all"), await comments(ana, "to all")) == (["mal"], ["so I am here"])
        assert {n["of"] for n in await ana.call("moments.notices")} == {"to all"}
        assert await rows(ana, "moment_answer") == 2

    world.run(story, 923)


def test_nobody_says_that_his_answer_stands_in_the_feed_of_another() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        posted = await ana.call("moments.post", text="to all")
        await w.until(sees([mal, bo], "to all"))
        await bo.call("moments.comment", id=posted["id"], text="of bo")
        await w.until(reads([ana, mal, bo], "to all", ["of bo"]))
        about, where = (await known(mal, "to all")).ref, await answer_place(mal, "of bo")
        await utter(mal, "ana", told(where, about, "of mal", None, w.now_ms()), Withdrawn(where))
        await utter(mal, "ana", told(where, about, "of mal", None, w.now_ms()))
        ahead = replace(where, seq=where.seq + 1)  # where bo writes next
        await utter(mal, "ana", told(ahead, about, "of mal", None, w.now_ms()))
        await end(mal, ana)
        assert await comments(ana, "to all") == ["of bo"]
        await bo.call("moments.comment", id=posted["id"], text="of bo too")
        await w.until(reads([ana, bo], "to all", ["of bo", "of bo too"]))
        for line in (await ana.call("moments.show", id=posted["id"]))["comments"]:
            assert (await ana.call("moments.hide", id=line["id"]))["hidden"]
        await w.until(reads([bo, mal], "to all", []))

    world.run(story, 924)


def test_a_place_that_was_taken_in_a_feed_not_yet_known_goes_to_whose_it_is() -> None:
    async def story(w: World) -> None:
        ana, mal = await circle(w, "ana", "mal")
        bo = await w.person("bo")
        await befriend(bo, mal)
        posted = await ana.call("moments.post", text="to all")
        of_bo = await bo.call("moments.post", text="bo's own")
        await w.until(sees([mal], "to all", "bo's own"))
        about, theirs = (await known(mal, "to all")).ref, (await known(mal, "bo's own")).ref
        await put(mal, forger.post(Replace(theirs, Post("false", w.now_ms()))))
        await utter(mal, "ana", told(replace(theirs, seq=1), about, "of mal", None, w.now_ms()))
        await end(mal, ana)
        await befriend(bo, ana)
        await w.until(sees([bo], "to all"))
        await bo.call("moments.comment", id=posted["id"], text="of bo")
        await w.until(sees([ana], "bo's own"))
        assert (await ana.call("moments.like", id=of_bo["id"]))["text"] == "bo's own"

        async def is_read() -> bool:
            """ana reads bo's comment"""
            return "of bo" in await comments(ana, "to all")

        await w.until(is_read)
        for line in (await ana.call("moments.show", id=posted["id"]))["comments"]:
            assert (await ana.call("moments.hide", id=line["id"]))["hidden"]

    world.run(story, 925)


def test_only_the_author_of_a_post_hides_what_is_said_below_it() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        posted = await ana.call("moments.post", text="to all")
        await w.until(sees([mal, bo], "to all"))
        await bo.call("moments.comment", id=posted["id"], text="of bo")
        await w.until(reads([ana, mal, bo], "to all", ["of bo"]))
        about = await known(mal, "to all")
        await put(mal, forger.answer(Hide(about.ref, await answer_place(mal, "of bo")), about.key))
        await end(mal, ana, bo)
        assert await comments(ana, "to all") == await comments(bo, "to all") == ["of bo"]

    world.run(story, 926)


# --- posts of others


def test_nobody_edits_or_drops_what_is_not_his() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        posted = await ana.call("moments.post", text="I owe ten")
        await w.until(sees([mal, bo], "I owe ten"))
        await bo.call("moments.comment", id=posted["id"], text="of bo")
        await w.until(reads([ana, mal, bo], "I owe ten", ["of bo"]))
        about, below = await known(mal, "I owe ten"), await answer_place(mal, "of bo")
        false = Post("I owe thousand", w.now_ms())
        await put(
            mal,
            forger.post(Replace(about.ref, false), about.key),
            forger.edit(Replace(about.ref, false), about.key),
            forger.answer(Replace(about.ref, false), about.key),
            forger.post(Replace(about.ref, false)),
            forger.carried(Replace(about.ref, false)),
            forger.carried(Drop((about.ref, below))),
            forger.post(Drop((about.ref, below)), about.key),
            forger.answer(Drop((about.ref, below)), about.key),
        )
        await utter(mal, "ana", Withdrawn(below))
        await utter(mal, "bo", Withdrawn(below), Keys((Key(about.ref.log, about.ref.seq, forger.KEY),)))
        await end(mal, ana, bo)
        for person in (ana, bo):
            assert (await one(person, "I owe ten"))["edited_ms"] == 0
            assert await comments(person, "I owe ten") == ["of bo"]
            assert "I owe thousand" not in await wall(person)
            assert await content_of(person, about.ref) is not None

    world.run(story, 927)


def test_who_takes_the_key_of_another_post_for_his_own_keeps_nothing_from_being_read() -> None:
    async def story(w: World) -> None:
        ana, mal, bo, cy = await circle(w, "ana", "mal", "bo", "cy")
        await ana.call("moments.rule", name="bo", hide_mine=True)
        posted = await ana.call("moments.post", text="to all")
        await w.until(sees([mal, cy], "to all"))
        stolen = await known(mal, "to all")
        await put(mal, *(forger.post(Post(f"false {n}", w.now_ms()), stolen.key) for n in range(6)))
        await w.until(sees([bo], "false 0"))  # he has them before the true one
        await ana.call("moments.rule", name="bo", hide_mine=False)
        await w.until(sees([bo], "to all"))
        await cy.call("moments.comment", id=posted["id"], text="of cy")
        await w.until(reads([ana, bo], "to all", ["of cy"]))
        assert await comments(bo, "false 0") == []
        await ana.call("moments.edit", id=posted["id"], text="as it reads now")
        await w.until(reads([bo, cy], "as it reads now", ["of cy"]))
        await ana.call("moments.delete", id=posted["id"])
        await w.until(gone([bo, cy], "to all", "as it reads now"))

    world.run(story, 928)


def test_an_answer_that_names_another_post_than_its_key_stands_below_nothing_that_it_names() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        for text in ("one", "two"):
            await ana.call("moments.post", text=text)
        await w.until(sees([mal, bo], "one", "two"))
        first, second = await known(mal, "one"), await known(mal, "two")
        await put(
            mal,
            forger.answer(Comment(second.ref, "false"), first.key),
            forger.answer(Like(second.ref), first.key),
            forger.answer(Comment(Ref(b"?" * 16, 3), "false"), first.key),
            forger.answer(Comment(first.ref, "true", Ref(b"?" * 16, 3)), first.key),
        )
        await end(mal, ana, bo)
        for person in (ana, bo):
            assert "true" in await comments(person, "one")
            assert (await comments(person, "two"), await likes(person, "two")) == ([], [])
            assert await rows(person, "moment") - await rows(person, "moment", "contact = 0") <= 3

    world.run(story, 929)


# --- floods


def test_of_a_flood_of_answers_a_thousand_are_kept_and_the_wall_is_there() -> None:
    async def story(w: World) -> None:
        ana, mal = await circle(w, "ana", "mal")
        await ana.call("moments.post", text="to all")
        await w.until(sees([mal], "to all"))
        about = (await known(mal, "to all")).ref
        for start in range(0, ANSWERS, 50):
            await utter(
                mal,
                "ana",
                *(told(Ref(bytes(16), n), about, str(n), None, 1) for n in range(start, min(start + 50, ANSWERS))),
            )
        await end(mal, ana)
        assert await rows(ana, "moment_answer") == below.ANSWERS_MAX
        assert await rows(ana, "moment_notice") == below.ANSWERS_MAX
        assert (await one(ana, "to all"))["comments"] == below.ANSWERS_MAX
        assert len(await comments(ana, "to all")) == below.ANSWERS_MAX
        assert len(await ana.call("moments.notices")) == 50

    world.run(story, 930)


def test_a_flood_of_chains_and_keys_fills_no_disk_and_opens_nothing_wrong() -> None:
    async def story(w: World) -> None:
        ana, mal = await circle(w, "ana", "mal")
        await ana.call("moments.post", text="to all")
        await w.until(sees([mal], "to all"))
        ours = (await known(mal, "to all")).ref.log
        for turn in range(40):
            nowhere = [Chain(bytes(16), bytes([turn, n]) * 8, 0, forger.KEY, forger.KEY) for n in range(64)]
            await utter(mal, "ana", Chains(tuple(nowhere), 0))
        for seq in (0, entry.SEQ_MAX):
            many = [Chain(bytes([n]) * 16, ours, seq, forger.KEY, forger.KEY) for n in range(64)]
            await utter(mal, "ana", Chains(tuple(many), 0))
        for turn in range((2, 120, 120)[depth.LEVEL]):
            keys = [Key(bytes(16), turn * KEYS_MAX + n, forger.KEY) for n in range(KEYS_MAX)]
            await utter(mal, "ana", Keys(tuple(keys)))
        await w.until(lambda: arrived(mal))
        assert await rows(ana, "moment_chain") <= hearing.CHAINS_OF_MAX
        assert await rows(ana, "moment_key") <= reading.KEYS_MAX
        assert "to all" in await wall(ana)

    world.run(story, 931)


def test_a_chain_from_far_ahead_or_over_and_over_keeps_his_own_posts_from_nobody_else() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        await mal.call("moments.post", text="before")
        await w.until(sees([ana, bo], "before"))
        feed = (await known(mal, "before")).ref.log
        for seq in (entry.SEQ_MAX, 0, 10**6):
            for turn in range(100):
                chain = bytes([turn]) * 32
                await utter(mal, "ana", Chains((Chain(b"x" * 16, feed, seq, chain, chain),), 0))
        await w.until(lambda: arrived(mal))
        assert await rows(ana, "moment_chain") <= hearing.CHAINS_MAX
        assert "before" in await wall(ana)

    world.run(story, 932)
