"""How long a feed waits for its anchor: what must have passed, who must be here, who is next, and how often."""

import pytest

from node.logs import patience
from node.logs.patience import MEET_S, PATIENCE_MS, RECENT, RECENT_MS, Patience, Waiting
from protocol.grant import Role
from store import authoring, logs, people, spaces
from store.people import ContactState
from store.spaces import Space
from tests.store.space_kit import Sharers, open_sharers, stranger

START_MS = 10**12
NOBODY = frozenset[int]()


def feed(two: Sharers, role: Role = Role.FEED) -> tuple[Space, int, int]:
    """A feed of Ana's whose anchor is Bo and which Cy and Dee read too; all were seen at the start; and those two."""
    own, _ = two.begin("moments", role)
    others = [stranger(two.mine, name).id for name in ("cy", "dee")]
    for one in others:
        spaces.add_reader(two.mine, own.log.number, one)
    for contact in (two.ana.contact, *others):
        people.saw(two.mine, contact, START_MS)
    return own, others[0], others[1]


def post(two: Sharers, own: Space, at_ms: int) -> None:
    authoring.append(two.mine, spaces.space(two.mine, own.log.number), b"x", two.key, at_ms)


def next_of(two: Sharers, at_ms: int, *online: int) -> int | None:
    """Which contact is the next anchor, where something waits."""
    (one,) = patience.waiting(two.mine, at_ms, frozenset(online))
    found = [contact.id for contact in people.contacts(two.mine) if contact.account == one.next]
    return found[0] if found else None


async def test_an_anchor_is_waited_for_a_quarter_of_an_hour_where_somebody_else_is_here() -> None:
    async with open_sharers() as two:
        own, cy, dee = feed(two)
        assert patience.waiting(two.mine, START_MS, NOBODY) == ()
        post(two, own, START_MS)
        assert next_of(two, START_MS + PATIENCE_MS - 1, cy, dee) is None
        assert next_of(two, START_MS + PATIENCE_MS) is None  # nobody is here
        assert next_of(two, START_MS + PATIENCE_MS, two.ana.contact) is None  # the anchor himself does not count
        assert next_of(two, START_MS + PATIENCE_MS, cy) == cy
        assert next_of(two, START_MS + PATIENCE_MS, cy, dee) == cy
        people.saw(two.mine, dee, START_MS + 5)
        assert next_of(two, START_MS + PATIENCE_MS, cy, dee) == dee
        assert next_of(two, START_MS + PATIENCE_MS, cy) == cy
        people.set_state(two.mine, cy, ContactState.BLOCKED, "")
        assert next_of(two, START_MS + PATIENCE_MS, cy) is None
        logs.publish(two.mine, own.log.number, 0)
        assert patience.waiting(two.mine, START_MS + PATIENCE_MS, frozenset({dee})) == ()


async def test_who_was_here_since_and_later_than_the_anchor_counts_like_one_who_is() -> None:
    async with open_sharers() as two:
        own, cy, dee = feed(two)
        post(two, own, START_MS + PATIENCE_MS + 10)
        at_ms = START_MS + 3 * PATIENCE_MS
        people.saw(two.mine, cy, START_MS + PATIENCE_MS + 9)  # before it was written: he would have to come again
        assert next_of(two, at_ms) is None
        people.saw(two.mine, cy, START_MS + PATIENCE_MS + 10)
        assert next_of(two, at_ms) == cy
        assert next_of(two, at_ms, dee) == dee  # but who is here goes before
        people.saw(two.mine, two.ana.contact, START_MS + 11)
        assert next_of(two, at_ms) is None  # the anchor was here hardly less lately
        people.saw(two.mine, two.ana.contact, at_ms - 1)
        assert next_of(two, at_ms, cy) is None  # he has only just come
        people.saw(two.mine, two.ana.contact, at_ms - PATIENCE_MS)
        assert next_of(two, at_ms, two.ana.contact, cy) == cy  # he is here all the time, and takes nothing


async def test_a_feed_goes_on_three_times_in_a_day_and_a_half_and_then_waits() -> None:
    async with open_sharers() as two:
        of, cy, _ = feed(two)
        at_ms, began_ms = START_MS, list[int]()
        for _ in range(RECENT):
            post(two, of, at_ms)
            at_ms += PATIENCE_MS
            assert next_of(two, at_ms, cy) == cy
            of = spaces.space(two.mine, of.log.number)
            of = authoring.succeed(two.mine, of, of.anchor, two.key, at_ms, two.ana.entropy)
            began_ms.append(at_ms)
        post(two, of, at_ms)
        at_ms += PATIENCE_MS
        assert next_of(two, at_ms, cy) is None
        assert next_of(two, began_ms[0] + RECENT_MS - 1, cy) is None
        assert next_of(two, began_ms[0] + RECENT_MS, cy) == cy


@pytest.mark.parametrize("role", [Role.NOTES, Role.SPINE, Role.LEDGER])
async def test_other_logs_are_not_given_up_so(role: Role) -> None:
    async with open_sharers() as two:
        own, cy, _ = feed(two, role)
        post(two, own, START_MS)
        assert patience.waiting(two.mine, START_MS + PATIENCE_MS, frozenset({cy})) == ()


async def test_nothing_of_a_feed_that_is_over_waits() -> None:
    async with open_sharers() as two:
        own, cy, _ = feed(two)
        post(two, own, START_MS)
        assert patience.waiting(two.mine, START_MS, NOBODY) == (Waiting(own.log.number, 0, None),)
        logs.end(two.mine, own.log.number)
        assert patience.waiting(two.mine, START_MS + PATIENCE_MS, frozenset({cy})) == ()


def test_nothing_goes_on_before_this_run_could_have_met_who_is_there() -> None:
    one, other = Waiting(1, 5, b"cy"), Waiting(2, 0, None)
    patience_ = Patience()
    assert patience_.over((one, other), 1000.0) == ()
    assert patience_.over((one, other), 1000.0 + MEET_S - 1) == ()
    assert patience_.over((one, other), 1000.0 + MEET_S) == ((1, b"cy"),)
    assert patience_.over((one, Waiting(2, 0, b"dee")), 1000.0 + MEET_S) == ((1, b"cy"), (2, b"dee"))
    later = Waiting(1, 6, b"cy")  # the anchor has taken one
    assert patience_.over((later,), 1000.0 + MEET_S) == ()
    assert patience_.over((), 1000.0 + 2 * MEET_S) == ()
    assert patience_.over((later,), 1000.0 + 2 * MEET_S) == ()  # it has waited anew
    assert Patience().over((one,), 10**9) == ()  # another run
