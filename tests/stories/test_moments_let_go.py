"""Somebody is shown nothing of ours any more, and all of it again."""

import trio

from features.moments import feeds
from lab import world
from lab.world import World
from store import entries, logs
from store.database import Tx
from tests.stories.acts_kit import run
from tests.stories.log_kit import circle
from tests.stories.moments_kit import gone, sees

SETTLED_S = 120.0


def test_who_is_let_go_has_nothing_of_feeds_that_are_over_again_from_their_author_until_he_is_shown_all_again() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("moments.post", text="first")
        await w.until(sees([bo, cy], "first"))
        assert ana.node is not None
        over = (await run(ana, feeds.every))[-1]
        await ana.node.core.sync.desks.give_up(over.log.number, over.anchor)
        await ana.call("moments.post", text="second")
        await w.until(sees([bo, cy], "second"))
        await cy.stop()  # so that nobody else is there to give it
        await ana.call("moments.rule", name="bo", hide_mine=True)
        await w.until(gone([bo], "first", "second"))
        for _ in range(2):
            await trio.sleep(SETTLED_S)
            assert await run(bo, _contents, over.log.id) == [False]
            await bo.stop()
            await bo.start()
        await ana.call("moments.rule", name="bo", hide_mine=False)
        await w.until(sees([bo], "first", "second"), patience_s=3600.0)

    world.run(story, 947)


def _contents(tx: Tx, feed_id: bytes) -> list[bool]:
    """Of which entries of a feed the content is here."""
    of = logs.by_id(tx, feed_id)
    assert of is not None
    return [one.content is not None for one in entries.read(tx, of.number, 0, 1024, 1 << 30)]
