"""Places in a simulated world: how they are typed and seen, what is refused, and that both sides list the same."""

from typing import Any

import pytest

from features.profile import places, view
from features.profile.content import LOCATIONS_MAX, Location
from features.profile.faults import BadPlace
from lab import world
from lab.world import Person, World, befriend
from protocol import record
from store import people
from store.database import Tx
from tests.features.kit import Faults
from tests.features.test_profile import pair, run
from tests.stories.test_backups import kept, lose_and_restore


@pytest.mark.parametrize(
    ("typed", "value", "shown"),
    [
        ("52.52", 52_520_000, "52.52"),
        (" -0.0000005 ", 0, "0"),
        ("-0.000001", -1, "-0.000001"),
        ("−33.9", -33_900_000, "-33.9"),
        ("+90", 90_000_000, "90"),
        ("-90.000000", -90_000_000, "-90"),
        ("7.", 7_000_000, "7"),
        ("00.1234564", 123_456, "0.123456"),
        ("0.1234567", 123_457, "0.123457"),
    ],
)
def test_degrees_are_read_and_shown(typed: str, value: int, shown: str) -> None:
    assert places.microdegrees(typed, 90) == value
    assert view.degrees(value) == shown


@pytest.mark.parametrize(
    "typed", ["", "-", "north", "90.000001", "-91", "1e1", "NaN", "inf", "1,5", "٥", "0x10", "1 2", "9" * 400, "--1"]
)
def test_what_is_no_degree_is_refused(typed: str) -> None:
    with pytest.raises(BadPlace):
        places.microdegrees(typed, 90)


def test_the_ends_of_the_earth_are_said_and_read() -> None:
    for latitude, longitude in ((90, 180), (-90, -180)):
        said = Location(latitude * 10**6, longitude * 10**6, 0, "", 5)
        assert record.decode(Location, record.encode(said), 100) == said


async def has_places(person: Person, count: int) -> bool:
    """places have come"""
    return person.node is not None and len(await person.call("profile.locations")) == count


def test_a_place_comes_as_it_was_sent_and_comes_back_with_a_backup() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        sent = await ana.call("profile.send_location", to="bo", latitude="52.52", longitude="-13.405", label=" here ")
        assert (sent["geo"], sent["label"], sent["mine"], sent["contact"]) == (
            "geo:52.52,-13.405",
            "here",
            True,
            "Bo",
        )
        await bo.call("profile.send_location", to="ana", latitude="0", longitude="180", accuracy_m=30)
        for person in (ana, bo):
            await w.until(lambda person=person: has_places(person, 2))  # type: ignore[misc]
        listed = {row["geo"]: row for row in await bo.call("profile.locations", name="ana")}
        assert set(listed) == {"geo:52.52,-13.405", "geo:0,180;u=30"}
        came = listed["geo:52.52,-13.405"]
        assert (came["mine"], came["label"], came["at_ms"]) == (False, "here", sent["at_ms"])
        before = await ana.call("profile.locations", limit=1)
        assert len(before) == 1
        file = w.folder / "ana.weft"
        await kept(ana, file)
        await ana.kill()
        await lose_and_restore(ana, file)
        await ana.start()
        both = await ana.call("profile.locations")
        assert {(row["geo"], row["mine"]) for row in both} == {("geo:52.52,-13.405", True), ("geo:0,180;u=30", False)}

    world.run(story, seed=440)


def test_each_fault_that_is_promised_is_met_and_nothing_is_sent() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        await befriend(ana, await w.person("bobby"))
        faults = Faults(ana)
        here: dict[str, Any] = {"latitude": "52.52", "longitude": "13.405"}
        for who, why in (("nobody", "contact.unknown"), ("b", "contact.ambiguous")):
            assert await faults.code("profile.send_location", to=who, **here) == why
            assert await faults.code("profile.locations", name=who) == why
        for wrong in ({"latitude": "90.1"}, {"longitude": "180.1"}, {"longitude": "east"}):
            assert await faults.code("profile.send_location", to="bo", **(here | wrong)) == "location.place"
        for more in ({"accuracy_m": -1}, {"accuracy_m": 100_001}, {"label": "x" * 201}, {"label": "\ud800"}):
            assert await faults.code("profile.send_location", to="bo", **here, **more) == "limit"
        await ana.call("contacts.block", name="bo")
        assert await faults.code("profile.send_location", to="bo", **here) == "contact.blocked"
        await ana.call("contacts.unblock", name="bo")
        await run(ana, lambda tx: people.set_alarm(tx, people.find_contact(tx, "bo").id, people.STOPS))
        assert await faults.code("profile.send_location", to="bo", **here) == "contact.account_changed"
        promised = {one for one in faults.missing("profile") if "location" in one[0]}
        assert promised == set()
        assert await ana.call("profile.locations") == []

    world.run(story, seed=441)


def test_of_too_many_places_the_oldest_go_and_no_list_walks_through_all() -> None:
    def fill(tx: Tx) -> list[str]:
        for n in range(LOCATIONS_MAX + 5):
            view.keep_location(tx, 1, n, Location(n, 0, 0, "", 5), mine=n % 2 == 0)
        view.keep_location(tx, 2, 1, Location(7, 0, 0, "", 5), mine=True)
        kept_of = view.locations(tx, 1, 5000)
        assert [one.said.latitude for one in kept_of] == [*range(LOCATIONS_MAX + 4, 4, -1)]
        assert len(view.locations(tx, None, 5000)) == LOCATIONS_MAX + 1
        seen: list[str] = []
        connection: Any = tx._connection
        connection.set_trace_callback(seen.append)
        try:
            view.keep_location(tx, 1, 1, Location(0, 0, 0, "", 5), mine=True)
            view.forget(tx, 1)
            view.locations(tx, 1, 5)
            view.locations(tx, None, 5)
        finally:
            connection.set_trace_callback(None)
        plans = [(one, row[3]) for one in seen for row in tx.all(f"EXPLAIN QUERY PLAN {one}")]
        return [one for one, step in plans if step.startswith(("SCAN", "USE TEMP")) and "LIMIT 5" not in one]

    async def story(w: World) -> None:
        ana, _ = await pair(w)
        assert await run(ana, fill) == []

    world.run(story, seed=442)
