"""What is kept of the last round with a device comes out as it went in, the newest in place of the one before."""

from hypothesis import given
from hypothesis import strategies as st

from protocol import entry, sync
from protocol.log import Head
from protocol.sync import Memory, Standing
from store import rounds
from tests.store import log_kit

HEADS = st.none() | st.builds(Head, st.integers(0, entry.SEQ_MAX), st.binary(min_size=32, max_size=32))
STANDINGS = st.builds(Standing, st.binary(min_size=16, max_size=16), HEADS, st.booleans())
MEMORIES = st.builds(
    Memory,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    st.lists(STANDINGS, max_size=5).map(tuple),
)


@given(MEMORIES, MEMORIES)
def test_a_round_is_kept_for_each_device(one: Memory, other: Memory) -> None:
    with log_kit.open_tx() as tx:
        assert rounds.last(tx, 1) is None
        rounds.keep(tx, 1, other)
        rounds.keep(tx, 2, other)
        rounds.keep(tx, 1, one)
        assert (rounds.last(tx, 1), rounds.last(tx, 2), rounds.last(tx, 3)) == (one, other, None)


def test_the_most_that_a_session_is_about_can_be_kept() -> None:
    heads = tuple(
        Standing(number.to_bytes(16, "big"), Head(entry.SEQ_MAX, bytes(32)), False) for number in range(sync.LOGS_MAX)
    )
    memory = Memory(bytes(16), bytes(32), heads)
    with log_kit.open_tx() as tx:
        rounds.keep(tx, 1, memory)
        assert rounds.last(tx, 1) == memory
