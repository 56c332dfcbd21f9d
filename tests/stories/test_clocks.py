"""Clocks that are ten years off: contacts keep talking, new ones are told in plain words, no time shown is absurd."""

from collections.abc import Sequence

import pytest

from features.chat.view import Line
from lab.world import Person, World, befriend, has_active, run, texts
from protocol.invite import ExpiredLink
from store import devices

TEN_YEARS_MS = 3653 * 86_400_000  # more than the life of a certificate
MINUTE_MS = 60_000
BOTH_WAYS = pytest.mark.parametrize("off_ms", [TEN_YEARS_MS, -TEN_YEARS_MS])


async def set_clock(person: Person, off_ms: int) -> None:
    """Sets a person's clock while the node is down, as a machine does whose battery is empty."""
    await person.stop()
    person.clock_off_ms = off_ms
    await person.start()


async def say(speaker: Person, hearer: Person, text: str) -> None:
    """Says something and waits until it is on the other's disk, and known to be."""
    await speaker.call("chat.send", to=hearer.name, text=text)

    async def delivered() -> bool:
        assert speaker.node is not None
        lines: Sequence[Line] = await speaker.node.core.services["chat"].history(hearer.name, 1000)
        return all(line.state == "delivered" for line in lines if line.mine)

    await speaker.world.until(delivered)


async def lines_of(person: Person, other: Person) -> Sequence[Line]:
    assert person.node is not None
    lines: Sequence[Line] = await person.node.core.services["chat"].history(other.name, 1000)
    return lines


@BOTH_WAYS
def test_contacts_keep_talking_when_one_clock_is_set_ten_years_off(off_ms: int) -> None:
    async def story(world: World) -> None:
        ana, bo = await world.person("ana"), await world.person("bo")
        await befriend(ana, bo)
        await say(ana, bo, "one")
        await set_clock(bo, off_ms)
        for text in ("two", "four"):
            await say(ana, bo, text)
            await say(bo, ana, f"after {text}")
        await set_clock(bo, 0)
        await say(bo, ana, "six")
        expected = ["one", "two", "after two", "four", "after four", "six"]
        assert [*await texts(ana, "bo")] == [*await texts(bo, "ana")] == expected
        for line in await lines_of(ana, bo):
            assert abs(line.at_ms - ana.now_ms()) < 10 * MINUTE_MS, line.text
        for person in (ana, bo):
            assert [one["alarm"] for one in await contacts(person)] == [""]

    run(story, seed=31)


async def contacts(person: Person) -> list[dict[str, str]]:
    found: list[dict[str, str]] = await person.call("contacts.list")
    return found


def test_whose_clock_is_ahead_is_told_that_a_link_has_expired_by_it() -> None:
    async def story(world: World) -> None:
        ana = await world.person("ana")
        bo = await world.person("bo", clock_off_ms=TEN_YEARS_MS)
        made = await ana.call("contacts.invite")
        with pytest.raises(ExpiredLink, match="clock of this machine"):
            await bo.call("contacts.add", link=made["link"], name="ana")
        assert await contacts(bo) == []
        await set_clock(bo, 0)
        await bo.call("contacts.add", link=made["link"], name="ana")
        await world.until(lambda: has_active(bo, "ana"))

    run(story, seed=32)


def test_whose_clock_is_behind_is_told_why_and_is_a_contact_once_it_is_set() -> None:
    async def story(world: World) -> None:
        ana = await world.person("ana")
        bo = await world.person("bo", clock_off_ms=-TEN_YEARS_MS)
        made = await ana.call("contacts.invite")
        await bo.call("contacts.add", link=made["link"], name="ana")

        async def told() -> bool:
            (one,) = await contacts(bo)
            return "clock" in one["reason"] and one["state"] == "asked"

        await world.until(told)
        await set_clock(bo, 0)
        await world.until(lambda: has_active(bo, "ana"))
        await world.until(lambda: has_active(ana, "bo"))
        await say(bo, ana, "there I am")

    run(story, seed=33)


def test_what_waits_is_tried_again_before_a_clock_gives_it_up() -> None:
    async def story(world: World) -> None:
        ana, bo = await world.person("ana"), await world.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        await ana.call("chat.send", to="bo", text="still there?")
        await set_clock(ana, TEN_YEARS_MS)
        await bo.start()

        async def arrived() -> bool:
            return [*await texts(bo, "ana")] == ["still there?"]

        await world.until(arrived)

        async def known() -> bool:
            (line,) = await lines_of(ana, bo)
            return line.state == "delivered"

        await world.until(known)

    run(story, seed=34)


@BOTH_WAYS
def test_keys_from_another_time_are_not_kept_and_no_reason_to_hang_up(off_ms: int) -> None:
    async def story(world: World) -> None:
        ana, bo = await world.person("ana"), await world.person("bo")
        await befriend(ana, bo)
        for off, kept in ((0, True), (off_ms, False)):
            await set_clock(bo, off)
            assert ana.node is not None
            assert bo.node is not None
            theirs, ours = bo.node.core.delivery.inward, ana.node.core.delivery.inward
            (device,) = await ours.database.transact(devices.devices_of, 1)
            (back,) = await theirs.database.transact(devices.devices_of, 1)
            assert await ours.take_bundle(device, await theirs.own_bundle(back.id)) is kept

    run(story, seed=35)
