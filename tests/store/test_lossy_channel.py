"""The law of delivery: nothing that was posted is lost, and nothing is applied twice.

The channel loses, doubles, reverses and breaks; the stores crash before a commit, and forget their sessions.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from store import outbox, sessions
from store.database import Tx
from store.outbox import NeedBundle, Outgoing
from store.sessions import Healing
from tests import depth
from tests.store import kit
from tests.store.kit import Side

ROUNDS_MAX = 40  # of the calm after the storm: each is eleven minutes, and restarts back off
CALM_S = 660.0


@dataclass
class End:
    """One store, what it has posted, and the pipe from it to the other."""

    side: Side
    tx: Tx
    posted: list[str] = field(default_factory=list)
    pipe: list[Outgoing] = field(default_factory=list)

    def seal(self, most: int) -> None:
        sealed = self.side.seal_in(self.tx, most)
        if not isinstance(sealed, NeedBundle):
            self.pipe.extend(sealed)

    def texts(self) -> list[str]:
        return [text for (text,) in self.tx.all("SELECT text FROM note ORDER BY seq")]


class Storm:
    """Two ends and all that can happen between them. Every step is a transaction of its own, or none."""

    def __init__(self, ana: End, bo: End) -> None:
        self.ends = (ana, bo)
        self._numbers = count()

    def step(self, kind: str, at: int, most: int) -> None:
        author, reader = self.ends[at], self.ends[1 - at]
        match kind:
            case "post":
                for _ in range(most):
                    text = f"{author.side.name} {next(self._numbers)}"
                    author.side.post_in(author.tx, text)
                    author.posted.append(text)
            case "seal":
                author.seal(most)
            case "deliver":
                self.deliver(author, reader, most)
            case "deliver without the acknowledgement":
                reader.side.accept_in(reader.tx, *(one.envelope for one in author.pipe[:most]))
                self.end_stream()
            case "deliver twice":
                reader.side.accept_in(reader.tx, *(one.envelope for one in author.pipe[:most]))
                self.deliver(author, reader, most)
            case "deliver backwards":
                author.pipe.reverse()
                self.deliver(author, reader, most)
            case "lose":
                del author.pipe[:most]
                self.end_stream()
            case "crash before the commit":
                self.crash(author, reader, most)
            case "forget the sessions":
                author.tx.execute("DELETE FROM session")
                self.end_stream()
            case "time":
                author.side.clock.pass_s(45.0 * most)
                for end in self.ends:
                    self.heal(end)

    def deliver(self, author: End, reader: End, most: int) -> None:
        batch, author.pipe = author.pipe[:most], author.pipe[most:]
        accepted = reader.side.accept_in(reader.tx, *(one.envelope for one in batch))
        author.side.acked_in(author.tx, batch, accepted.held)

    def crash(self, author: End, reader: End, most: int) -> None:
        for end in self.ends:
            end.tx.execute("BEGIN")
        reader.side.accept_in(reader.tx, *(one.envelope for one in author.pipe[:most]))
        author.side.post_in(author.tx, "never said")
        author.side.seal_in(author.tx)
        for end in self.ends:
            end.tx.execute("ROLLBACK")
        self.end_stream()

    def end_stream(self) -> None:
        for end in self.ends:
            end.pipe.clear()
            outbox.requeue(end.tx, end.side.device)

    def heal(self, end: End) -> None:
        other = next(one for one in self.ends if one is not end)
        if end.side.heal_in(end.tx) is Healing.NO_BUNDLE:
            sessions.store_bundle(end.tx, end.side.device, other.side.bundle_in(other.tx), end.side.clock.ms)
            end.side.heal_in(end.tx)

    def calm(self) -> int:
        """Everything works again; returns after how many rounds nothing waits any more."""
        self.end_stream()
        for round_ in range(ROUNDS_MAX):
            for end in self.ends:
                outbox.requeue_held(end.tx, end.side.device, end.side.clock.ms)
            for at in (0, 1):
                self.ends[at].seal(512)
                self.deliver(self.ends[at], self.ends[1 - at], 512)
            if not any(outbox.waiting(end.tx, end.side.device) for end in self.ends):
                return round_
            self.ends[0].side.clock.pass_s(CALM_S)
            for end in self.ends:
                self.heal(end)
        raise AssertionError("something waits for ever")


KINDS = (
    "post",
    "seal",
    "deliver",
    "deliver without the acknowledgement",
    "deliver twice",
    "deliver backwards",
    "lose",
    "crash before the commit",
    "forget the sessions",
    "time",
)
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.integers(1, 4)), max_size=40)


@settings(max_examples=depth.EXAMPLES // 2 or 1)
@given(steps=STEPS)
async def test_nothing_is_lost_and_nothing_is_applied_twice(steps: list[tuple[str, int, int]]) -> None:
    async with AsyncExitStack() as stack:
        ana, bo = await stack.enter_async_context(kit.open_memory_pair())
        storm = Storm(End(ana, await kit.grip(ana)), End(bo, await kit.grip(bo)))
        for kind, at, most in steps:
            storm.step(kind, at, most)
        storm.calm()
        for at in (0, 1):
            author, reader = storm.ends[at], storm.ends[1 - at]
            assert sorted(reader.texts()) == sorted(author.posted)
        for end in storm.ends:  # and it goes on
            end.side.post_in(end.tx, "after the storm")
            end.posted.append("after the storm")
        storm.calm()
        assert all(end.texts()[-1] == "after the storm" for end in storm.ends)
