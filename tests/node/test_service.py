"""What `node.status` says of a contact. Not here: a whole node with it (tests/stories/test_first_run.py)."""

from typing import Any

from lab import world
from lab.world import World, befriend
from node.core import Core
from node.service import NodeService


async def only_row(core: Core) -> dict[str, Any]:
    """What the status says of the one contact."""
    told: Any = (await NodeService(core, "default", 0).status())["contacts"]
    (row,) = told
    found: dict[str, Any] = row
    return found


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
