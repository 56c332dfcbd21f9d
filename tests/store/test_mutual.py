"""Which contacts are contacts of each other: by what they have named, of whom, how long, and what is written of it."""

from protocol.grant import Role
from store import logs, mutual, people
from store.database import Tx
from store.people import ContactState
from store.spaces import OURS
from tests.store.space_kit import Sharers, open_sharers, stranger
from tests.store.test_spaces import laid

DAY_MS = mutual.RENEW_MS


def met(two: Sharers, *names: str) -> tuple[int, ...]:
    """Contacts of Bo's, each with a spine that he was granted, whose number is returned; Ana is contact 1."""
    found = []
    for at, name in enumerate(names):
        found.append(laid(two.theirs, stranger(two.theirs, name).id, at, Role.SPINE).log.number)
    return tuple(found)


def id_of(tx: Tx, name: str) -> int:
    return people.find_contact(tx, name).id


def rows(tx: Tx) -> list[tuple[object, ...]]:
    return [tuple(row) for row in tx.all("SELECT contact, log, seen_ms FROM mutual ORDER BY contact, log")]


async def test_two_are_contacts_of_each_other_and_the_newest_seen_comes_first() -> None:
    async with open_sharers() as two:
        tx, ana = two.theirs, two.bo.contact
        chen_spine, dee_spine, _ = met(two, "chen", "dee", "eli")
        chen, dee, eli = (id_of(tx, name) for name in ("chen", "dee", "eli"))
        mutual.saw(tx, ana, [chen_spine, dee_spine], 5)
        mutual.saw(tx, eli, [dee_spine], 7)
        assert mutual.of(tx, ana) == (chen, dee)
        assert mutual.of(tx, chen) == (ana,)
        assert mutual.of(tx, dee) == (eli, ana)
        assert mutual.of(tx, eli) == (dee,)
        mutual.saw(tx, ana, [dee_spine], 5 + DAY_MS)
        assert mutual.of(tx, ana) == (dee, chen)
        assert mutual.of(tx, dee) == (ana, eli)


async def test_what_both_have_shown_counts_once() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        chen_spine, dee_spine = met(two, "chen", "dee")
        chen, dee = id_of(tx, "chen"), id_of(tx, "dee")
        mutual.saw(tx, chen, [dee_spine], 5)
        mutual.saw(tx, dee, [chen_spine], 5)
        assert mutual.of(tx, chen) == (dee,)
        assert mutual.of(tx, dee) == (chen,)


async def test_nothing_is_written_within_a_day_and_a_clock_that_was_ahead_is_forgotten() -> None:
    async with open_sharers() as two:
        tx, ana = two.theirs, two.bo.contact
        (spine,) = met(two, "chen")
        mutual.saw(tx, ana, [spine], 5)
        mutual.saw(tx, ana, [spine], 5 + DAY_MS - 1)
        assert rows(tx) == [(ana, spine, 5)]
        mutual.saw(tx, ana, [spine], 5 + DAY_MS)
        assert rows(tx) == [(ana, spine, 5 + DAY_MS)]
        mutual.saw(tx, ana, [spine], 4)
        assert rows(tx) == [(ana, spine, 4)]


async def test_ones_own_spine_and_ours_say_nothing() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        (spine,) = met(two, "chen")
        mutual.saw(tx, id_of(tx, "chen"), [spine], 5)
        lost = laid(tx, OURS, 7, Role.SPINE)  # of a device that we had before
        mutual.saw(tx, id_of(tx, "chen"), [lost.log.number], 5)
        assert rows(tx) == []


async def test_who_is_blocked_or_has_another_spine_since_is_left_out() -> None:
    async with open_sharers() as two:
        tx, ana = two.theirs, two.bo.contact
        chen_spine, dee_spine = met(two, "chen", "dee")
        chen, dee = id_of(tx, "chen"), id_of(tx, "dee")
        mutual.saw(tx, ana, [chen_spine, dee_spine], 5)
        people.set_state(tx, chen, ContactState.BLOCKED, "")
        assert mutual.of(tx, ana) == (dee,)
        people.set_state(tx, chen, ContactState.ACTIVE, "")
        logs.end(tx, dee_spine)
        assert mutual.of(tx, ana) == (chen,)
        assert mutual.of(tx, dee) == ()
        after = laid(tx, dee, 9, Role.SPINE)
        mutual.saw(tx, ana, [after.log.number], 6)
        assert mutual.of(tx, ana) == (dee, chen)


async def test_what_a_contact_does_not_name_any_more_is_gone_and_nothing_else() -> None:
    async with open_sharers() as two:
        tx, ana = two.theirs, two.bo.contact
        chen_spine, dee_spine, eli_spine = met(two, "chen", "dee", "eli")
        mutual.saw(tx, ana, [chen_spine, dee_spine], 5)
        mutual.saw(tx, id_of(tx, "eli"), [chen_spine], 5)
        mutual.missed(tx, ana, [chen_spine, eli_spine])
        assert mutual.of(tx, ana) == (id_of(tx, "dee"),)
        assert mutual.of(tx, id_of(tx, "chen")) == (id_of(tx, "eli"),)


async def test_a_feed_that_was_named_shows_its_reader_and_makes_nobody_a_contact() -> None:
    async with open_sharers() as two:
        tx, ana = two.theirs, two.bo.contact
        chen = stranger(tx, "chen").id
        feed, after = (laid(tx, chen, number, Role.FEED).log.number for number in (3, 4))
        assert not mutual.has_shown(tx, ana, feed)
        mutual.saw(tx, ana, [feed], 5)
        assert mutual.has_shown(tx, ana, feed)
        assert mutual.of(tx, ana) == mutual.of(tx, chen) == ()
        tx.execute("UPDATE space SET previous = ? WHERE log = ?", (feed, after))
        mutual.saw(tx, ana, [after], 6)
        assert rows(tx) == [(ana, after, 6)]  # what it goes on is of no use any more
