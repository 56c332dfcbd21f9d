"""What `node.status` says of a contact. Not here: a whole node with it (tests/stories/test_first_run.py)."""

import math
from typing import Any

import trio

from lab import world
from lab.world import World, befriend
from node.core import Core
from node.service import NodeService
from node.silence import AWAKE_S, SILENCE_S
from node.talks import SILENT


async def only_row(core: Core) -> dict[str, Any]:
    """What the status says of the one contact."""
    told: Any = (await NodeService(core, "default", 0).status())["contacts"]
    (row,) = told
    found: dict[str, Any] = row
    return found


def test_who_was_silent_for_long_is_asked_before_the_status_is_told() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        w.network.notice_s = math.inf
        await trio.sleep(2 * AWAKE_S)
        assert alice.node is not None
        row = await only_row(alice.node.core)
        assert (row["online"], row["reason"]) == (True, "")
        await trio.sleep(2 * AWAKE_S)
        w.network.cut("alice", "bob")
        await trio.sleep(SILENCE_S)
        row = await only_row(alice.node.core)
        assert (row["online"], row["reason"]) == (True, SILENT)

    world.run(story, 44)


def test_who_is_online_has_no_old_trouble_beside_the_name() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert alice.node is not None
        core = alice.node.core

        async def online() -> bool:
            return bool((await alice.call("contacts.show", name="bob"))["online"])

        await w.until(online)
        core.delivery.reasons[1] = "nobody answers there"
        row = await only_row(core)
        assert (row["online"], row["reason"]) == (True, "")
        await bob.kill()

        async def away() -> bool:
            return not (await alice.call("contacts.show", name="bob"))["online"]

        await w.until(away)

        async def says_why() -> bool:
            row = await only_row(core)
            return not row["online"] and bool(row["reason"])

        await w.until(says_why)

    world.run(story, 43)
