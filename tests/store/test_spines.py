"""Our own spine on the disk: when it is appended to, who is shown what of it, and what is said once."""

from protocol import spine
from protocol.grant import Role
from protocol.spine import Line
from store import authoring, entries, logs, spaces, spines
from store.spaces import Space
from tests.store.space_kit import Sharers, head_of, open_sharers

SPINE_SECRET = b"secret of a spine, 32 bytes long"


def line(two: Sharers, own: Space, seq: int) -> Line:
    """That a log has this head."""
    one = entries.entry_at(two.mine, own.log.number, seq)
    assert one is not None
    return Line(spine.leaf_key(own.log.secret, own.log.id), own.log.id, head_of(one))


async def test_it_is_appended_to_when_a_log_has_grown_and_only_then() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE, SPINE_SECRET)
        trip, _ = two.begin()
        debts, _ = two.begin("debts", secret=b"another secret of 32 bytes long.")
        two.write(trip, "one", "two")
        two.write(debts, "100")

        def commit(*lines: Line) -> bool:
            return spines.commit(two.mine, own, lines, two.key, two.now_ms)

        assert not commit()  # of nothing there is nothing to say
        assert commit(line(two, trip, 0))
        assert not commit(line(two, trip, 0))
        assert not commit()  # a log that is not open now is left out, and that is no news
        assert commit(line(two, trip, 1))
        assert commit(line(two, trip, 1), line(two, debts, 0))
        assert not commit(line(two, debts, 0))
        held = entries.read(two.mine, own.log.number, 0, 10, 1 << 20)
        assert [spine.decode(one.content or b"").size for one in held] == [1, 1, 2]


async def test_readers_are_shown_what_is_published_once() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE, SPINE_SECRET)
        trip, _ = two.begin()
        two.write(trip, "one", "two")
        assert spines.unshown(two.mine, own) == ()
        spines.commit(two.mine, own, [line(two, trip, 0)], two.key, two.now_ms)

        def unshown() -> tuple[tuple[int, int], ...]:
            found = spines.unshown(two.mine, spaces.space(two.mine, own.log.number))
            return tuple((number, said.committed.seq) for number, said in found)

        assert unshown() == ()  # the anchor of the spine has not got it
        logs.publish(two.mine, own.log.number, 0)
        assert unshown() == ((trip.log.number, 0),)
        assert unshown() == ((trip.log.number, 0),)  # nobody was told yet
        ((number, said),) = spines.unshown(two.mine, spaces.space(two.mine, own.log.number))
        said.committed.check(two.key.public, spine.leaf_key(trip.log.secret, trip.log.id), trip.log.id)
        spines.shown(two.mine, number, said)
        assert unshown() == ()
        spines.commit(two.mine, own, [line(two, trip, 1)], two.key, two.now_ms)
        assert unshown() == ()
        logs.publish(two.mine, own.log.number, 1)
        assert unshown() == ((trip.log.number, 1),)


async def test_what_was_taken_back_of_a_spine_is_shown_to_nobody() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE, SPINE_SECRET)
        trip, _ = two.begin()
        two.write(trip, "one", "two")
        spines.commit(two.mine, own, [line(two, trip, 0)], two.key, two.now_ms)
        entries.take_back(two.mine, own.log.number, 0)
        logs.publish(two.mine, own.log.number, 5)
        of = spaces.space(two.mine, own.log.number)
        assert spines.unshown(two.mine, of) == ()  # its place is empty
        authoring.commit(two.mine, own, spine.encode(spine.commit([])), two.key, two.now_ms)
        assert spines.unshown(two.mine, of) == ()  # another stands there
        assert spines.commit(two.mine, own, [line(two, trip, 1)], two.key, two.now_ms)
        assert [said.committed.seq for _, said in spines.unshown(two.mine, of)] == [1]
