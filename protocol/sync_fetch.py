"""What a reader lacks, asked for a few ranges at a time (docs/protocol/sync.md 4). Used by sync_session.py."""

from collections import deque

from protocol.sync import Run, Want
from protocol.sync_log import Effects, Import, Log, Range, Send, Unasked

FAR_ENTRIES = 1_024  # a reader who lacks more is shown the newest first
NEWEST_ENTRIES = 128  # of them; the store lets 256 wait before a gap
RANGE_ENTRIES = 512  # asked for at once
OPEN_OF_LOG = 2  # ranges, so that the next is on its way while one is taken in
REPEATS_MAX = 16  # waiting for one log; the caller asks for the rest when these have come
OPEN_MAX = 16  # ranges of all logs


class Fetching:
    """The ranges that were asked for and those that will be. is_incomplete: some log's rest was not to be had."""

    def __init__(self) -> None:
        self.is_incomplete = False
        self._open = self._importing = 0
        self._queue: deque[Log] = deque()  # with something to ask for

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked for, nothing waits to be, and nothing is being taken in."""
        return not (self._open or self._importing or self._queue)

    def plan(self, one: Log) -> None:
        """What we lack of a log is to be asked for; by a reader who is far behind the newest first (sync 4.2)."""
        if one.asked or one.todo or one.is_stuck or one.proof is not None:
            return
        one.asked_at = one.seq
        last = one.theirs
        if last - one.seq > FAR_ENTRIES:
            one.is_far = True
            one.todo.append(Range(last - NEWEST_ENTRIES + 1, last))
            last -= NEWEST_ENTRIES
        one.todo.append(Range(one.seq + 1, last))
        self._enqueue(one)

    def probe(self, one: Log) -> None:
        """His entry in the place of our newest is to be asked for: with ours it is a proof (sync 4.4)."""
        if one.is_stuck or one.proof is not None:
            return
        if one.head is None:
            self.give_up(one)
        elif not one.is_probing:
            one.is_probing = True
            one.todo.clear()
            one.todo.append(Range(one.seq, one.seq))
            self._enqueue(one)

    def repeat(self, one: Log, first: int, last: int) -> None:
        """Entries that we have are to be asked for once more."""
        if len(one.todo) < REPEATS_MAX and not one.is_stuck:
            one.todo.append(Range(first, last))
            self._enqueue(one)

    def given(self, one: Log, run: Run) -> Effects:
        """Takes what was asked for. Raises: Unasked."""
        if not one.asked or one.asked[0].first != run.first:
            raise Unasked
        expected = one.asked[0]
        expected.first += len(run.entries)
        if expected.first > expected.last + 1:
            raise Unasked
        if not run.entries or expected.first > expected.last:
            one.asked.pop(0)
            self._open -= 1
        if not run.entries:
            self.give_up(one)
            return ()
        return self.take(one, run.first, run.entries, run.contents or (None,) * len(run.entries))

    def take(self, one: Log, first: int, raws: tuple[bytes, ...], contents: tuple[bytes | None, ...]) -> Effects:
        """Entries that came are taken in, but those of a log that is proven forked."""
        if one.proof is not None:
            return ()
        self._importing += 1
        return (Import(one.shared.log, first, raws, contents),)

    def imported(self, one: Log) -> None:
        """Something was taken in, or was not; the log's head says how far it is now."""
        self._importing -= 1
        if one.asked or one.todo or one.is_stuck or one.proof is not None:
            return
        # What a probe brings is a proof or nothing; and who gave nothing new will not do so when asked again.
        if one.is_probing or (one.theirs > one.seq and one.asked_at == one.seq):
            self.give_up(one)
        elif one.theirs > one.seq:
            self.plan(one)

    def parted(self, one: Log) -> None:
        """Something did not follow what we have, and was not taken."""
        self._importing -= 1
        self.probe(one)

    def ask(self) -> Effects:
        """Asks for as much as may be open; of each log in turn."""
        ranges: list[tuple[bytes, int, int]] = []
        for _ in range(min(len(self._queue), 2 * OPEN_MAX)):
            if self._open == OPEN_MAX:
                break
            one = self._queue.popleft()
            while one.todo and len(one.asked) < OPEN_OF_LOG and self._open < OPEN_MAX:
                todo = one.todo[0]
                last = min(todo.last, todo.first + RANGE_ENTRIES - 1)
                ranges.append((one.mine, todo.first, last))
                one.asked.append(Range(todo.first, last))
                self._open += 1
                todo.first = last + 1
                if todo.first > todo.last:
                    one.todo.pop(0)
            one.is_queued = bool(one.todo)
            if one.is_queued:
                self._queue.append(one)
        if not ranges:
            return ()
        tags, firsts, lasts = zip(*ranges, strict=True)
        return (Send(Want(tags, firsts, lasts)),)

    def give_up(self, one: Log) -> None:
        """Nothing more of this log is asked for in this session; it is compared again in the next."""
        if one.proof is None:
            self.is_incomplete = True
        one.is_stuck = True
        one.is_probing = False
        one.todo.clear()

    def _enqueue(self, one: Log) -> None:
        if not one.is_queued:
            one.is_queued = True
            self._queue.append(one)
