"""A spine made by hand over a few logs of one device, and the proofs against him that follow when he rolls back."""

from dataclasses import dataclass
from typing import NamedTuple

from crypto.keys import SigningKey
from protocol import entry, evidence, log, spine, sync
from protocol.entry import Ack, Body, Entry, Kind
from protocol.evidence import Committed, Contradiction, Rollback
from protocol.log import Fork, Head
from protocol.spine import Line
from tests.protocol import chains

LOGS = 3
SPINE_EPOCH = 9


class Spun(NamedTuple):
    """An entry of a spine and what it says."""

    header: Entry
    content: bytes
    lines: tuple[Line, ...]

    def committed(self, of: bytes) -> Committed:
        """The part of a proof about one log."""
        line = next(one for one in self.lines if one.log == of)
        return evidence.committed(self.header, self.content, line, spine.prove(self.lines, of))


def spun(
    key: SigningKey,
    of: bytes,
    lines: tuple[Line, ...],
    head: Head | None = None,
    acks: tuple[Ack, ...] = (),
    kind: Kind = Kind.SPINE,
) -> Spun:
    """The spine entry after a head that commits to these lines."""
    content = spine.encode(spine.commit(lines))
    seq, prev = (0, None) if head is None else (head.seq + 1, head.id)
    body = Body(key.public, of, seq, prev, chains.AT_MS, acks, kind, *entry.about(content))
    return Spun(entry.write(body, key), content, lines)


@dataclass(frozen=True)
class Wrote:
    """What one device wrote: logs of three entries each, a spine over them, and the branches that contradict it."""

    key: SigningKey
    secret: bytes
    logs: tuple[tuple[Entry, ...], ...]
    lines: tuple[Line, ...]
    spine: bytes
    header: Entry
    content: bytes

    @property
    def spun(self) -> Spun:
        return Spun(self.header, self.content, self.lines)

    def branch(self, first: int) -> tuple[Entry, ...]:
        """Other entries of the first log, from this seq to 3."""
        before = self.logs[0][:first]
        head = chains.head_of(before[-1]) if before else None
        return chains.chain(4 - first, head, b"another", self.key, self.lines[0].log)

    def later(self, lines: tuple[Line, ...]) -> Spun:
        """The next entry of the spine."""
        return spun(self.key, self.spine, lines, chains.head_of(self.header))

    def lowered(self, seq: int) -> Spun:
        """The next entry of the spine, in which the first log went back to this seq."""
        first = self.lines[0]._replace(head=chains.head_of(self.logs[0][seq]))
        return self.later((first, *self.lines[1:]))

    def fork(self) -> Fork:
        return Fork.of(self.logs[0][2].raw, self.branch(2)[0].raw)

    def contradiction(self) -> Contradiction:
        first = self.lines[0]
        return Contradiction(self.key.public, first.key, self.spun.committed(first.log), self.branch(1)[1].raw)

    def rollback(self) -> Rollback:
        first = self.lines[0]
        earlier, later = self.spun.committed(first.log), self.lowered(1).committed(first.log)
        return Rollback(self.key.public, first.key, first.log, earlier, later)


def wrote(key: SigningKey = chains.ANA, secret: bytes = chains.SECRET) -> Wrote:
    """What a device wrote."""
    ids = tuple(log.log_id(secret, key.public, epoch) for epoch in range(LOGS))
    logs = tuple(chains.chain(3, key=key, of=one) for one in ids)
    lines = tuple(
        Line(spine.leaf_key(secret, one), one, chains.head_of(held[-1])) for one, held in zip(ids, logs, strict=True)
    )
    of = log.log_id(secret, key.public, SPINE_EPOCH)
    return Wrote(key, secret, logs, lines, of, *spun(key, of, lines)[:2])


def frames(made: Wrote) -> tuple[sync.Frame, ...]:
    """One frame of each kind, about the first log."""
    tag, raws = bytes(16), tuple(one.raw for one in made.logs[0])
    contents = (chains.CONTENT, None, b"")
    return (
        sync.Hello(bytes(8), bytes(32)),
        sync.Have(None, (tag, b"t" * 16), (2, entry.SEQ_MAX), (bytes(8), bytes(8)), sync.PART_LAST),
        sync.Have(bytes(16), (), (), (), sync.PART_MORE),
        sync.Want((tag, tag), (0, 512), (511, 512 + sync.RANGE_ENTRIES_MAX - 1)),
        sync.Run(tag, 0, raws, contents),
        sync.Run(tag, 7, (), ()),
        *(sync.Proven(proof) for proof in (made.fork(), made.contradiction(), made.rollback())),
        sync.Live(tag, 2, raws[2], contents[0]),
        sync.Done(bytes(32)),
    )
