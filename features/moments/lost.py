"""Feeds of devices of ours that are lost, and what was written into them, as it was opened.

Not here: how they are read (past.py).
"""

from contextlib import suppress

from crypto.faults import Forged, Malformed
from features.moments.content import Ref, Said, said
from features.moments.view import OURS, Moment
from protocol import entry, moment, record
from protocol.grant import Role
from protocol.moment import Spot
from store import entries, logs, spaces
from store.database import Tx
from store.entries import Held
from store.spaces import Space

READ_BYTES = 4 << 20


def feed(tx: Tx, feed_id: bytes) -> Space | None:
    """The feed of this id, if a lost device of ours wrote it."""
    log = logs.by_id(tx, feed_id)
    found = None if log is None or log.own else spaces.space(tx, log.number)
    return found if found is not None and (found.contact, found.role) == (OURS, Role.FEED) else None


def note(tx: Tx, of: Space, held: Held, what: Said, wrap: bytes, row: int) -> None:
    """Keeps what an entry says, as what this device writes is kept. row: of the post that it is about, 0 for none."""
    assert held.content is not None
    tx.execute(
        "INSERT OR IGNORE INTO moment_entry (feed, seq, entry, kind, said, nonce, wrap, moment, at_ms, open)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            *(of.log.id, held.seq, entry.id_of(held.raw), what.KIND, record.encode(what)),
            *(moment.nonce_of(held.content), wrap, row, entry.recall_acks(held.raw)[0]),
        ),
    )


def answer(tx: Tx, one: Moment, where: Ref, wrap: bytes) -> tuple[Said, int, bytes] | None:
    """What stands in this place about a post, since when (ms), and its nonce; None where nothing does."""
    of = feed(tx, where.log)
    held = () if of is None else entries.read(tx, of.log.number, where.seq, 1, READ_BYTES)
    if of is None or not held or held[0].seq != where.seq or held[0].content is None:
        return None
    spot = Spot(of.log.author, of.log.id, where.seq)
    with suppress(Malformed, Forged):
        what = said(moment.unseal(moment.answer_key(one.key, wrap), spot, held[0].content))
        note(tx, of, held[0], what, wrap, one.id)
        return what, entry.recall_acks(held[0].raw)[0], moment.nonce_of(held[0].content)
    return None
