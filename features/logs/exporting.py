"""A log as a file of evidence, a page at a time (docs/protocol/log.md 6). Not here: the form (protocol/log_file.py)."""

from collections.abc import Iterator
from typing import NamedTuple

from crypto.faults import Forged
from features.logs.faults import NoEvidence
from protocol import entry, log_file, spine
from protocol import log as chains
from protocol.entry import Kind
from protocol.evidence import Committed
from protocol.grant import Role
from store import entries, logs, spaces, witnessing
from store.database import Tx
from store.entries import Held
from store.spaces import Space

PAGE_BYTES = 192 * 1024  # a line of the local API holds 1 MiB, and base64 makes a third more of it


class Page(NamedTuple):
    """A part of the file, and with which seq the next begins; None when this was the last."""

    items: bytes
    next: int | None


def page(tx: Tx, one: Space, first: int, last: int, opened: bool) -> Page:
    """The part of the file that begins with this entry. opened: with the keys of what was said.

    Raises: NoEvidence where an entry has no good signature of its own (log 2.3).
    """
    found = entries.read(tx, one.log.number, first, last - first + 1, PAGE_BYTES)
    if not found:
        return Page(_proof(tx, one), None)
    covered = witnessing.commitment(tx, one.log.number) if one.role is not Role.SPINE else None
    items: list[bytes] = []
    for held in found:
        items += _entry(tx, one, held, opened)
        if covered is not None and covered.seq == held.seq:
            items += _covered(tx, one, covered)
    after = found[-1].seq + 1
    if after > last:
        return Page(b"".join(items) + _proof(tx, one), None)
    return Page(b"".join(items), after)


def _entry(tx: Tx, one: Space, held: Held, opened: bool) -> Iterator[bytes]:
    try:
        said = entries.evidence(tx, one.log.number, held.seq)
    except Forged:
        raise NoEvidence(f"Entry {held.seq} has no good signature of its own; nothing was written.") from None
    assert said is not None
    yield log_file.entry(held.raw)
    if held.content is not None and said.body.content_length:
        is_sealed = said.body.kind is Kind.SEALED
        key = entry.content_key(one.log.secret, one.log.id, held.seq) if opened and is_sealed else None
        yield log_file.shown(held.content, key)
    if one.role is Role.SPINE and one.contact == spaces.OURS:
        for _, word in witnessing.cosignatures(tx, one.log.number, held.seq):
            yield log_file.cosigned(word)


def _covered(tx: Tx, one: Space, committed: Committed) -> Iterator[bytes]:
    """That the spine commits to an entry, and who has seen that spine."""
    yield log_file.covered(committed, spine.leaf_key(one.log.secret, one.log.id))
    header = chains.recall(committed.entry)
    over = logs.by_id(tx, header.body.log)
    for _, word in () if over is None else witnessing.cosignatures(tx, over.number, header.body.seq):
        yield log_file.cosigned(word)


def _proof(tx: Tx, one: Space) -> bytes:
    known = logs.proof(tx, one.log.number)
    return b"" if known is None else log_file.proof(known)
