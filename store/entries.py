"""Logs on the disk: appended to, taken in, read, frozen at a fork (docs/protocol/log.md 5).

The signed bytes are the truth: heads, ids and bodies are read out of them. What is written together is one transaction,
and nothing leaves the node before its commit. Not here: what entries mean (the rooms), who may see which log and what
is sent (protocol/sync.py), the logs themselves (logs.py), the quarantine (unchained.py).
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from crypto.faults import Forged
from crypto.keys import SigningKey
from protocol import entry
from protocol import log as chains
from protocol.entry import Ack, Body, Entry, Kind
from protocol.log import BrokenChain, Fork, Head, NoFork
from store import logs, unchained
from store.database import Tx
from store.faults import LogFrozen

MEMORY_BYTES_MAX = 1 << 30  # what one device has written and not shown to anybody


class Kept(IntEnum):
    """What there is of a content."""

    HERE = 0
    AWAITED = 1  # it has not come yet
    DELETED = 2  # it is not taken again


class Draft(NamedTuple):
    """What is to be appended. content: as it travels, sealed where it shall be (entry.seal)."""

    kind: Kind
    content: bytes
    acks: tuple[Ack, ...] = ()


class Held(NamedTuple):
    """An entry as it lies there. content: None where it has not come or was deleted."""

    seq: int
    raw: bytes
    content: bytes | None


class Taken(NamedTuple):
    """What became of a run. entries: those that are in the log now and were not before, in order.

    waiting: how many of the log wait for those before them. fork: the proof that froze the log just now. parted: our
    own log differs from this seq on from what others hold of it: nothing was taken, nobody accused; `retake`, or, where
    that place was published, the log is over.
    """

    entries: tuple[Entry, ...] = ()
    waiting: int = 0
    fork: Fork | None = None
    parted: int | None = None


def head(tx: Tx, number: int) -> Head | None:
    """The newest entry of a log; None for an empty one."""
    row = tx.one(
        "SELECT key, raw FROM entry WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
        logs.span(number, 0),
    )
    return None if row is None else Head(_seq(row[0]), entry.id_of(row[1]))


def append(tx: Tx, number: int, drafts: Sequence[Draft], key: SigningKey, at_ms: int) -> tuple[Entry, ...]:
    """The entries that say this, at the end of our own log, signed; on the disk once the transaction is.

    The content of a place is sealed under its seq, so the caller reads `head` in the same transaction. at_ms: ms since
    1970. Raises: LogFrozen, OverLimit.
    """
    mine = logs.log(tx, number)
    assert mine.own
    if mine.state is not logs.State.OK:
        raise LogFrozen
    newest = head(tx, number)
    seq, prev = (0, None) if newest is None else (newest.seq + 1, newest.id)
    made = []
    for draft in drafts:
        length, content_hash = entry.about(draft.content)
        body = Body(mine.author, mine.id, seq, prev, at_ms, draft.acks, draft.kind, length, content_hash)
        one = entry.write(body, key)
        made.append(one)
        seq, prev = seq + 1, one.id
    _insert(tx, number, [(one, Kept.HERE, draft.content) for one, draft in zip(made, drafts, strict=True)])
    return tuple(made)


def take_in(tx: Tx, number: int, raws: Sequence[bytes], contents: Sequence[bytes | None], now_ms: int) -> Taken:
    """Takes a run of a log, one signature for all of it, and what waited for it; a fork freezes the log (log 5.3).

    raws: 1 to 1,024. contents: one for each, None where it did not come along. What is there already is passed over. A
    frozen log takes nothing. Raises: Malformed, Forged, BrokenChain (the run follows another entry than our newest: the
    peer shall show that one, which is the proof); nothing is changed then.
    """
    assert len(raws) == len(contents)
    theirs = logs.log(tx, number)
    if theirs.state is logs.State.FROZEN:
        return Taken()
    run = chains.check_piece(raws, theirs.author, theirs.id)
    arrived = [(one, *_content_of(one, content)) for one, content in zip(run, contents, strict=True)]
    newest = head(tx, number)
    next_seq = 0 if newest is None else newest.seq + 1
    known = max(0, min(next_seq - run[0].body.seq, len(run)))
    parts_at = _parting(tx, number, run[:known])
    if parts_at is not None:
        if theirs.own:
            return Taken(parted=parts_at)
        return _frozen(tx, _proof(tx, number, run[parts_at - run[0].body.seq : known]), now_ms)
    _fill(tx, number, arrived[:known])
    rest = arrived[known:]
    if rest and rest[0][0].body.seq > next_seq:
        return _keep_waiting(tx, theirs, rest, now_ms)
    if rest:
        chains.follow(newest, rest[0][0])
        _insert(tx, number, rest)
    logs.publish(tx, number, run[-1].body.seq)  # what others show us of our own log they have
    return _chain_on(tx, theirs, run[known:], now_ms) if rest else Taken()


def retake(
    tx: Tx, number: int, parts_at: int, raws: Sequence[bytes], contents: Sequence[bytes | None], now_ms: int
) -> tuple[Held, ...]:
    """Takes back what we wrote from this seq on, which nobody has, and takes in what others hold instead (log 5.5).

    Returns what was taken back: it is for the caller to append it again. Raises: as `take_in`.
    """
    ours = read(tx, number, parts_at, entry.SEQ_MAX, MEMORY_BYTES_MAX)
    take_back(tx, number, parts_at)
    take_in(tx, number, raws, contents, now_ms)
    return ours


def read(tx: Tx, number: int, first: int, count: int, bytes_max: int) -> tuple[Held, ...]:
    """The entries of a log from this seq on: at most so many, and of so many bytes with their contents, but one."""
    found: list[Held] = []
    size = 0
    rows = tx.execute(
        "SELECT key, raw, kept, content FROM entry WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?",
        (*logs.span(number, first), count),
    )
    for key, raw, kept, content in rows:
        size += len(raw) + len(content)
        if found and size > bytes_max:
            break
        found.append(Held(_seq(key), raw, content if kept == Kept.HERE else None))
    return tuple(found)


def size(tx: Tx, number: int, first: int, end: int) -> int:
    """Bytes of the entries from one seq up to another, which is left out, with their contents."""
    if first >= end:
        return 0
    row = tx.one(
        "SELECT TOTAL(length(raw) + length(content)) FROM entry WHERE key BETWEEN ? AND ?",
        logs.span(number, first, end - 1),
    )
    assert row is not None
    return int(row[0])


def ahead(tx: Tx, number: int, count: int) -> tuple[Held, ...]:
    """The newest entries that came before those they follow, at most so many: each is signed, and may be read."""
    found = unchained.newest(tx, number, count)
    return tuple(Held(one.seq, one.raw, one.content if one.kept == Kept.HERE else None) for one in found)


def entry_at(tx: Tx, number: int, seq: int) -> Entry | None:
    """The entry in this place. Its own signature was perhaps never looked at: for showing it to others, `evidence`."""
    row = tx.one("SELECT raw FROM entry WHERE key = ?", (logs.key(number, seq),))
    return None if row is None else chains.recall(row[0])


def id_at(tx: Tx, number: int, seq: int) -> bytes | None:
    """The id of the entry in this place."""
    row = tx.one("SELECT raw FROM entry WHERE key = ?", (logs.key(number, seq),))
    return None if row is None else entry.id_of(row[0])


def evidence(tx: Tx, number: int, seq: int) -> Entry | None:
    """The entry in this place with a signature that is good by itself (log 2.3). Raises: Forged, when it has none."""
    found = entry_at(tx, number, seq)
    if found is not None:
        entry.verify(found)
    return found


def awaited(tx: Tx, number: int, first: int, count: int) -> tuple[int, ...]:
    """Places from this seq on whose content has not come yet, of the next `count` entries."""
    if not count:
        return ()
    keys = tx.all(
        "SELECT key FROM entry INDEXED BY entry_awaited WHERE kept = 1 AND key BETWEEN ? AND ? ORDER BY key",
        logs.span(number, first, min(first + count - 1, entry.SEQ_MAX)),
    )
    return tuple(_seq(key) for (key,) in keys)


def kept(tx: Tx, number: int, seq: int) -> Kept:
    """What there is of the content of an entry that is here."""
    row = tx.one("SELECT kept FROM entry WHERE key = ?", (logs.key(number, seq),))
    assert row is not None
    return Kept(row[0])


def fill(tx: Tx, number: int, seq: int, content: bytes) -> bool:
    """Keeps a content that was awaited; returns whether it was. Raises: Forged, when it is not what the entry names."""
    row = tx.one("SELECT raw FROM entry WHERE key = ? AND kept = ?", (logs.key(number, seq), Kept.AWAITED))
    if row is None:
        return False
    one = chains.recall(row[0])
    entry.check_content(one.body, content)
    _fill(tx, number, [(one, Kept.HERE, content)])
    return True


def detach(tx: Tx, number: int, seqs: Iterable[int]) -> None:
    """Deletes the contents of these entries for good; the entries stay in the chain."""
    tx.executemany(
        "UPDATE entry SET kept = ?, content = x'' WHERE key = ?",
        [(Kept.DELETED, logs.key(number, seq)) for seq in seqs],
    )
    tx.changed(logs.TOPIC, number)


def release(tx: Tx, number: int) -> None:
    """Keeps no content of a log any more; each may come again, unless it was deleted."""
    tx.execute(
        "UPDATE entry SET kept = ?, content = x'' WHERE key BETWEEN ? AND ? AND kept = ? AND content != x''",
        (Kept.AWAITED, *logs.span(number, 0), Kept.HERE),
    )
    tx.changed(logs.TOPIC, number)


def take_back(tx: Tx, number: int, seq: int) -> int:
    """Takes the entries from this seq on out of our own log; returns how many. Nobody has seen them (log 5.5)."""
    mine = logs.log(tx, number)
    assert mine.own
    assert seq > mine.published
    gone = tx.execute("DELETE FROM entry WHERE key BETWEEN ? AND ?", logs.span(number, seq)).rowcount
    tx.changed(logs.TOPIC, number)
    return int(gone)


def _insert(tx: Tx, number: int, arrived: Sequence[tuple[Entry, int, bytes]]) -> None:
    tx.executemany(
        "INSERT INTO entry (key, raw, kept, content) VALUES (?, ?, ?, ?)",
        # A plain int: of any other type the driver asks, for each row anew, how it adapts: a microsecond.
        [(logs.key(number, one.body.seq), one.raw, int(kept), content) for one, kept, content in arrived],
    )
    tx.changed(logs.TOPIC, number)


def _fill(tx: Tx, number: int, arrived: Sequence[tuple[Entry, int, bytes]]) -> None:
    """Keeps the contents among these that were awaited; they are checked. Who reads the log is told, where one was."""
    filled = tx.executemany(
        "UPDATE entry SET kept = ?, content = ? WHERE key = ? AND kept = ?",
        [
            (Kept.HERE, content, logs.key(number, one.body.seq), Kept.AWAITED)
            for one, kept, content in arrived
            if kept == Kept.HERE
        ],
    )
    if filled.rowcount > 0:
        tx.changed(logs.TOPIC, number)


def _content_of(one: Entry, content: bytes | None) -> tuple[int, bytes]:
    if content is None:
        return Kept.AWAITED if one.body.content_length else Kept.HERE, b""
    entry.check_content(one.body, content)
    return Kept.HERE, content


def _parting(tx: Tx, number: int, run: Sequence[Entry]) -> int | None:
    """The first place where a run differs from what we hold; we hold all its places."""
    if not run:
        return None
    ours = tx.all(
        "SELECT raw FROM entry WHERE key BETWEEN ? AND ? ORDER BY key",
        logs.span(number, run[0].body.seq, run[-1].body.seq),
    )
    pairs = zip(ours, run, strict=True)
    return next((theirs.body.seq for (raw,), theirs in pairs if raw != theirs.raw), None)


def _proof(tx: Tx, number: int, run: Sequence[Entry]) -> Fork:
    """The proof of a fork where a run differs from what we hold. Raises: Forged, when no two signatures are good."""
    for theirs in run:
        ours = entry_at(tx, number, theirs.body.seq)
        assert ours is not None
        found = Fork.of(ours.raw, theirs.raw)
        if _is_proof(found):
            return found
    raise Forged


def _is_proof(fork: Fork) -> bool:
    try:
        fork.check()
    except (Forged, NoFork):
        return False
    return True


def _frozen(tx: Tx, fork: Fork, now_ms: int, taken: tuple[Entry, ...] = ()) -> Taken:
    froze = logs.freeze(tx, fork, now_ms)
    assert froze
    return Taken(taken, fork=fork)


def _keep_waiting(tx: Tx, theirs: logs.Log, arrived: Sequence[tuple[Entry, int, bytes]], now_ms: int) -> Taken:
    """Puts entries beyond a gap into the quarantine, each with its signature checked."""
    new = []
    for one, kept, content in arrived[: unchained.LOG_COUNT_MAX]:
        known = unchained.at(tx, theirs.number, one.body.seq)
        if known is not None and known.raw == one.raw:
            continue
        entry.verify(one)
        if known is None:
            new.append((one, kept, content))
        else:
            return _frozen(tx, Fork.of(known.raw, one.raw), now_ms)
    tx.changed(logs.TOPIC, theirs.number)
    return Taken(waiting=unchained.put(tx, theirs.number, new))


def _chain_on(tx: Tx, theirs: logs.Log, run: tuple[Entry, ...], now_ms: int) -> Taken:
    """What has come of a run that was inserted, with those that waited for it."""
    taken = list(run)
    newest = Head(run[-1].body.seq, run[-1].id)
    while waiting := unchained.lowest(tx, theirs.number):
        one = chains.recall(waiting.raw)
        if waiting.seq <= newest.seq:
            held = entry_at(tx, theirs.number, waiting.seq)
            assert held is not None
            if held.raw != one.raw:
                # The proof needs both signatures; what waits has a good one, what came in a run perhaps not.
                found = Fork.of(held.raw, one.raw)
                if _is_proof(found):
                    return _frozen(tx, found, now_ms, tuple(taken))
            else:
                _fill(tx, theirs.number, [(one, waiting.kept, waiting.content)])
        else:
            try:
                newest = chains.follow(newest, one)
            except BrokenChain:
                break
            _insert(tx, theirs.number, [(one, waiting.kept, waiting.content)])
            taken.append(one)
        unchained.drop(tx, theirs.number, waiting.seq)
    return Taken(tuple(taken), waiting=unchained.count(tx, theirs.number))


def _seq(key: int) -> int:
    return key & entry.SEQ_MAX
