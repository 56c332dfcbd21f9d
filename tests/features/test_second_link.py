"""A link that was spent, and then another one of the same person: the second begins anew."""

from lab import world
from lab.world import World


def test_a_long_term_link_after_a_spent_one_is_followed() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        once = (await alice.call("contacts.invite"))["link"]
        await bob.call("contacts.add", link=once, name="alice")

        async def bob_is_in() -> bool:
            return [one["state"] for one in await bob.call("contacts.list")] == ["active"]

        await w.until(bob_is_in)
        await chen.call("contacts.add", link=once, name="alice")

        async def chen_is_refused() -> bool:
            return [one["state"] for one in await chen.call("contacts.list")] == ["refused"]

        await w.until(chen_is_refused)
        many = (await alice.call("contacts.invite", kind="long-term"))["link"]
        await chen.call("contacts.add", link=many)

        async def chen_asks() -> bool:
            return [one["announced"].lower() for one in await alice.call("contacts.requests")] == ["chen"]

        await w.until(chen_asks)

    world.run(story, 41)
