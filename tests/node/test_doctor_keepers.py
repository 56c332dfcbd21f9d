"""The doctor on keepers: every verdict on made ones, and what it reads of a real database."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.doctor import keepers
from node.doctor.findings import DAY_MS, Level
from node.doctor.keepers import Row
from store import keeper_words, people
from store import keepers as rows
from store.database import Tx
from store.keepers import Keeper, State
from store.people import ContactState
from tests.node import patients

NOW_MS = 1_790_000_000_000
MB = 1_000_000
WELL = Keeper(
    id=1,
    contact=1,
    name="",
    state=State.USED,
    version=1,
    permit=b"",
    find=b"",
    owner_seed=b"",
    peer=b"p" * 32,
    addresses=(),
    space=50 * MB,
    ttl_s=30 * 86_400,
    since_ms=NOW_MS - 9 * DAY_MS,
    seen_ms=NOW_MS - 7_200_000,
    bytes=MB,
    items=3,
    done=0,
    fault="",
    lie="",
)
AWAY = replace(WELL, seen_ms=NOW_MS - 4 * DAY_MS)


@pytest.mark.parametrize(
    ("one", "wanted", "said"),
    [
        (replace(WELL, fault="3 items are missing."), 0, "not do what it should: 3 items are missing. Your senders"),
        (AWAY, 0, "Not reached (seen 4 days ago)"),
        (replace(WELL, seen_ms=0), 0, "Not reached (never reached)"),
        (replace(WELL, bytes=48 * MB), 0, "Full: it has 48 MB of 50 MB for you"),
        (replace(WELL, space=MB - 1), 0, "Its disk has no room: it takes nothing new, and gives out what it has. Your"),
        (replace(WELL, space=keeper_words.NO_ROOM, bytes=0), 0, "Its disk has no room"),
        (replace(WELL, fault="it says FULL"), 0, "its disk is full: until there is room it takes nothing and gives"),
        (replace(WELL, fault="it does not keep for you any more"), 0, "should: it does not keep for you any more."),
        (
            replace(WELL, contact=rows.OWN, fault="it does not keep for you any more"),
            0,
            "should: its code was used by somebody else, or it was made anew: a code is for one account;",
        ),
        (WELL, 2, "It has not made 2 queues"),
    ],
)
def test_a_keeper_with_trouble_is_named(one: Keeper, wanted: int, said: str) -> None:
    (found,) = keepers.judged([Row("chen", one, wanted)], True, True, NOW_MS)
    assert (found.name, found.level, found.next) == ("keeper chen", Level.WARNING, "weft keeper list")
    assert said in found.sentence


def test_who_is_well_stands_in_one_line() -> None:
    (found,) = keepers.judged([Row("home", WELL, 0), Row("chen", WELL, 0)], True, True, NOW_MS)
    assert (found.name, found.level) == ("keepers", Level.OK)
    assert found.sentence == "2 keepers for you: home (seen 2 h ago), chen (seen 2 h ago)."
    bad, good = keepers.judged([Row("home", WELL, 0), Row("chen", AWAY, 0)], True, True, NOW_MS)
    assert (bad.name, good.sentence) == ("keeper chen", "1 keeper for you: home (seen 2 h ago).")


def test_who_was_not_tried_yet_is_not_blamed() -> None:
    for one, wanted in ((AWAY, 0), (WELL, 2)):
        (found,) = keepers.judged([Row("chen", one, wanted)], True, False, NOW_MS)
        assert found.level is Level.OK
    for young in (replace(WELL, seen_ms=0, since_ms=NOW_MS - DAY_MS), replace(WELL, space=0, bytes=48 * MB)):
        (found,) = keepers.judged([Row("chen", young, 0)], True, True, NOW_MS)
        assert found.level is Level.OK


def test_who_has_contacts_and_no_keeper_is_warned() -> None:
    (found,) = keepers.judged([], True, True, NOW_MS)
    assert (found.name, found.level, found.next) == ("keepers", Level.WARNING, "weft keeper use NAME")
    assert keepers.judged([], False, True, NOW_MS) == []


async def test_the_database_is_asked(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    assert await made.findings(names=("keepers",)) == ()

    def befriend(tx: Tx) -> None:
        people.add_contact(tx, b"c" * 32, "chen", ContactState.ACTIVE, "", NOW_MS)  # type: ignore[arg-type]

    def use(tx: Tx) -> None:
        one = rows.offered(tx, 1, b"p" * 32, b"f" * 32, MB, 1, 1, NOW_MS)
        assert one is not None
        rows.use(tx, one.id, b"s" * 32)
        rows.blamed(tx, one.id, "it shows what it had deleted")

    async with made.database() as database:
        await database.transact(befriend)
    assert [one.level for one in await made.findings(names=("keepers",))] == [Level.WARNING]
    async with made.database() as database:
        await database.transact(use)
    (found,) = await made.findings(names=("keepers",))
    assert (found.name, "it shows what it had deleted" in found.sentence) == ("keeper chen", True)
