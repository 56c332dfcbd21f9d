"""What its author writes again in another place, after it was hidden: to nobody does it come back."""

from dataclasses import replace

from features.moments.content import Answered, Comment, Hide, Ref
from lab import world
from lab.world import World
from tests.stories.feed_forger import answer, known, put, rows
from tests.stories.log_kit import circle
from tests.stories.moments_kit import reads, sees
from tests.stories.test_hostile_contacts import utter
from tests.stories.test_moments_hostile import end


def test_who_moves_a_hidden_comment_shows_it_to_nobody_again() -> None:
    async def story(w: World) -> None:
        ana, mal, bo = await circle(w, "ana", "mal", "bo")
        posted = await ana.call("moments.post", text="to all")
        await w.until(sees([mal, bo], "to all"))
        about, nonce = await known(mal, "to all"), b"n" * 24
        (before,) = await put(mal, answer(Comment(about.ref, "of mal, kept back", None), about.key))
        nowhere = Ref(before.log, before.seq + 100)
        await utter(mal, "ana", Answered(nowhere, about.ref, "rude", None, w.now_ms(), nonce))
        await end(mal, ana, bo)

        async def below() -> dict[str, bool]:
            found = await ana.call("moments.show", id=posted["id"])
            return {line["text"]: line["hidden"] for line in found["comments"]}

        assert await below() == {"of mal, kept back": False, "rude": False}
        for line in (await ana.call("moments.show", id=posted["id"]))["comments"]:
            if line["text"] == "rude":
                assert (await ana.call("moments.hide", id=line["id"]))["hidden"]
        await put(mal, answer(Comment(about.ref, "rude", None), about.key, nonce))
        await end(mal, ana, bo)
        assert await below() == {"of mal, kept back": False, "rude": True}
        await w.until(reads([bo], "to all", ["of mal, kept back"]))

        hides = f"kind = {Hide.KIND}"
        assert await rows(ana, "moment_entry", hides) == 2
        await utter(mal, "ana", Answered(replace(nowhere, seq=nowhere.seq + 1), about.ref, "rude", None, 0, nonce))

        async def is_said() -> bool:
            """ana has said of the third place too that it is hidden, with nothing else to do"""
            return await rows(ana, "moment_entry", hides) == 3

        await w.until(is_said)

    world.run(story, 951)
