"""What a peer has asked for, read and sent a slice at a time (docs/protocol/sync.md 4.5). Used by sync_session.py."""

from collections import deque
from collections.abc import Iterator, Sequence

from protocol import sync
from protocol.sync import Run, Want
from protocol.sync_log import Effects, Log, Range, Read, Send, TooMuchAsked


class Serving:
    """The ranges that one peer has asked for, in the order in which he did; at most 32."""

    def __init__(self) -> None:
        self._ranges: deque[tuple[Log, Range]] = deque()
        self._is_reading = False

    @property
    def is_idle(self) -> bool:
        """Whether all that was asked for was sent."""
        return not self._ranges

    def add(self, logs: Sequence[Log], want: Want) -> Effects:
        """Takes what was asked for. logs: those that the tags name. Raises: TooMuchAsked."""
        if len(self._ranges) + len(logs) > sync.RANGES_MAX:
            raise TooMuchAsked
        for one, first, last in zip(logs, want.firsts, want.lasts, strict=True):
            if last > one.seq:
                raise TooMuchAsked
            self._ranges.append((one, Range(first, last)))
        return self._next()

    def found(self, log: bytes, first: int, entries: Sequence[tuple[bytes, bytes | None]]) -> Effects:
        """Sends what a Read gave, and reads on; of a log that is proven forked nothing."""
        assert self._is_reading
        self._is_reading = False
        one, wanted = self._ranges[0]
        assert one.shared.log == log
        assert wanted.first == first
        if one.proof is not None:
            entries = ()
        wanted.first += len(entries)
        if not entries or wanted.first > wanted.last:
            self._ranges.popleft()
            one.served = max(one.served, wanted.first - 1)
            one.told = max(one.told, one.served)
        return (*map(Send, _packed(one, first, entries)), *self._next())

    def _next(self) -> Effects:
        if self._is_reading or not self._ranges:
            return ()
        self._is_reading = True
        one, wanted = self._ranges[0]
        entries_max = min(sync.DATA_ENTRIES_MAX, wanted.last - wanted.first + 1)
        return (Read(one.shared.log, wanted.first, entries_max, sync.DATA_BYTES),)


def _packed(one: Log, first: int, entries: Sequence[tuple[bytes, bytes | None]]) -> Iterator[Run]:
    """Frames of entries as a Read gave them; one without any when it gave none."""
    part: list[tuple[bytes, bytes | None]] = []
    size = 0
    for raw, content in entries:
        content = content if one.shared.with_contents else None
        added = len(raw) + len(content or b"")
        if part and (size + added > sync.DATA_BYTES or len(part) == sync.DATA_ENTRIES_MAX):
            yield _run(one, first, part)
            first, part, size = first + len(part), [], 0
        part.append((raw, content))
        size += added
    yield _run(one, first, part)


def _run(one: Log, first: int, part: Sequence[tuple[bytes, bytes | None]]) -> Run:
    contents = tuple(content for _, content in part)
    is_bare = all(content is None for content in contents)
    return Run(one.mine, first, tuple(raw for raw, _ in part), () if is_bare else contents)
