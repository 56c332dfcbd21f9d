"""The window of a log: what is older goes without what it says, to whoever; the entries go always."""

from protocol.carrying import Carried
from protocol.content import Channel
from protocol.grant import Role
from store import carrying, entries, logs, spaces, windows
from store.database import Tx
from store.spaces import Space
from tests.store import log_kit
from tests.store.mail_kit import KINDS, open_people
from tests.store.space_kit import Sharers, open_sharers

DAY_MS = 86_400_000


def contents(tx: Tx, own: Space, now_ms: int) -> list[bool]:
    """Of which entries of a log the content is given."""
    held = log_kit.held(tx, own.log.number)
    given = windows.given(tx, own.log.number, held, now_ms)
    assert [(one.seq, one.raw) for one in given] == [(one.seq, one.raw) for one in held]
    return [one.content is not None for one in given]


def a_day_apart(two: Sharers, count: int) -> Space:
    """A log with an entry a day; the last is written now."""
    own, _ = two.begin("moments", Role.FEED)
    for at in range(count):
        two.ana.clock.ms += DAY_MS if at else 0
        two.write(own, f"{at}")
    return own


async def test_what_is_older_than_the_window_is_given_without_what_it_says() -> None:
    async with open_sharers() as two:
        tx, own = two.mine, a_day_apart(two, 4)
        number, now_ms = own.log.number, two.now_ms
        assert windows.of(tx, number) == windows.ALL
        assert contents(tx, own, now_ms + 10**15) == [True] * 4
        windows.limit(tx, number, 2 * DAY_MS)
        assert windows.of(tx, number) == 2 * DAY_MS
        assert contents(tx, own, now_ms) == [False, True, True, True]  # the second is as old as the window
        assert contents(tx, own, now_ms + 1) == [False, False, True, True]
        assert contents(tx, own, 0) == [True] * 4  # of a clock that is behind nothing is old
        assert windows.young(tx, number, range(5), now_ms) == (1, 2, 3)
        windows.limit(tx, number, DAY_MS)
        assert contents(tx, own, now_ms) == [False, False, True, True]
        windows.limit(tx, number, windows.ALL)
        assert contents(tx, own, now_ms + 10**15) == [True] * 4
        assert windows.young(tx, number, range(5), now_ms + 10**15) == (0, 1, 2, 3, 4)
        assert len(log_kit.held(tx, number)) == 4  # nothing is lost here
        assert all(one.content is not None for one in log_kit.held(tx, number))


async def test_a_window_is_of_one_log() -> None:
    async with open_sharers() as two:
        own = a_day_apart(two, 2)
        other, _ = two.begin("other", Role.FEED, b"another secret of 32 bytes long.")
        windows.limit(two.mine, other.log.number, 1)
        assert contents(two.mine, own, two.now_ms) == [True, True]


def test_what_is_carried_by_mail_keeps_to_the_window_also_to_the_anchor() -> None:
    with open_people("ana", "bo", "cy") as (ana, bo, cy):
        own = ana.begin(bo, cy, role=Role.FEED)
        spaces.told(ana.tx, own.log.number, ana.known["bo"][0])
        spaces.told(ana.tx, own.log.number, ana.known["cy"][0])
        ana.write(own, "old")
        logs.publish(ana.tx, own.log.number, 0)
        ana.clock.ms += 2 * DAY_MS
        ana.write(own, "new")
        logs.publish(ana.tx, own.log.number, 1)
        windows.limit(ana.tx, own.log.number, DAY_MS)
        found = [KINDS.hear(one.raw, Channel.RATCHET).content for one in ana.carry()]
        carried = [one for one in found if isinstance(one, Carried)]
        assert [[content is not None for content in one.contents] for one in carried] == [[False, True]] * 2
        assert {one.contact for one in carrying.ways(ana.tx)} == {ana.known[name][0] for name in ("bo", "cy")}
        spaced = entries.read(ana.tx, own.log.number, 0, 10, 1 << 20)
        assert all(one.content is not None for one in spaced)
