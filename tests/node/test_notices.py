"""What `node.status` says of our own logs: what befell them within a week, and what waits for who is a day away."""

from typing import Any

import pytest
import trio

from lab import world
from lab.world import Person, World
from node.logs.notices import AWAY_MS, LATELY_MS
from node.service import NodeService
from protocol.publishing import Trouble
from store import logs, troubles
from store.database import Tx
from tests.stories import log_kit
from tests.stories.log_kit import all_hold, circle, row

pytestmark = pytest.mark.depth

DAY_S = 86_400.0
MINUTE_MS = 60_000


async def told(person: Person) -> dict[str, Any]:
    assert person.node is not None
    found: Any = (await NodeService(person.node.core, "default", 0).status())["logs"]
    return dict(found)


def test_what_waits_for_an_anchor_is_told_once_he_is_a_day_away() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await ana.call("logs.write", log="trip", text="one")
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip"), (cy, "ana/trip")], 1))
        await trio.sleep(2 * DAY_S)  # bo is here all the time, and was met long ago
        await ana.call("logs.write", log="trip", text="two")
        assert (await told(ana))["waiting"] == []
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], 2))
        await bo.kill()
        await trio.sleep(DAY_S / 2)
        assert ana.node is not None

        def seen(tx: Tx) -> None:
            tx.execute("UPDATE contact SET seen_ms = ? WHERE name = 'Bo'", (w.now_ms(),))

        await ana.node.core.database.transact(seen)
        await ana.call("logs.write", log="trip", text="three")
        await ana.call("logs.write", log="trip", text="four")
        assert (await told(ana))["waiting"] == []
        await trio.sleep(AWAY_MS / 1000 + 1)
        (found,) = (await told(ana))["waiting"]
        assert found.pop("seen_ms") < w.now_ms() - AWAY_MS
        of = (await row(ana, "trip"))["id"]
        assert found == {"log": "trip", "id": of, "entries": 2, "anchor": "Bo", "others": 1, "kept": 0, "kept_by": ""}
        await ana.call("contacts.block", name="cy")
        # who is blocked reads nothing more, so the log goes on in another, and nobody but bo could be its anchor
        await w.until(lambda: nobody_else(ana))
        await ana.call("logs.reopen", log="trip")
        assert [one["entries"] for one in (await told(ana))["waiting"]] == [2]  # what waited goes along
        await ana.node.core.database.transact(lambda tx: logs.end(tx, log_kit.own(tx, "trip").log.number))
        assert (await told(ana))["waiting"] == []  # nothing of what is over waits for anybody

    world.run(story, 61)


async def nobody_else(person: Person) -> bool:
    """only the anchor could read on"""
    return [one["others"] for one in (await told(person))["waiting"]] == [0]


def test_what_befell_a_log_is_told_for_a_week() -> None:
    async def story(w: World) -> None:
        ana, _ = await circle(w, "ana", "bo")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        assert await told(ana) == {"befell": [], "waiting": []}
        assert ana.node is not None
        database = ana.node.core.database

        def note(tx: Tx) -> None:
            number = log_kit.own(tx, "trip").log.number
            troubles.note(tx, number, Trouble.OLD_COPY, w.now_ms())
            troubles.note(tx, number, Trouble.TWO_MACHINES, w.now_ms() + MINUTE_MS)
            logs.end(tx, number)

        await database.transact(note)
        found = (await told(ana))["befell"]
        assert [(one["log"], one["trouble"]) for one in found] == [("trip", "two_machines"), ("trip", "old_copy")]
        assert found[0]["at_ms"] == found[1]["at_ms"] + MINUTE_MS
        await trio.sleep(LATELY_MS / 1000 + 1)
        assert [one["trouble"] for one in (await told(ana))["befell"]] == ["two_machines"]
        await trio.sleep(60)
        assert (await told(ana))["befell"] == []

    world.run(story, 62)
