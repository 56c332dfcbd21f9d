"""What contacts tell us in the ratchet of their moments: chains, keys, answers to ours, that we shall forget theirs.

Each is one step of the transaction in which it arrives. What keys open is read at once, as far as it is little; what
chains open is read later, a piece at a time (clerk.py). Feeds: reading.py.
"""

from typing import Any

from features.moments import aging, audience, awaited, below, heirs, lost, pictures, reading, unread, view, withdrawn
from features.moments.content import Answered, Chain, Chains, Comment, Forget, Keys, Like, Withdrawn
from features.moments.view import OURS, Moment
from protocol import moment
from protocol.grant import Role
from store import entries, logs, spaces
from store.database import Tx
from store.inbox import Arrival
from store.people import Contact

CHAINS_MAX = 64  # of one feed that are kept: of its audiences that we are in
CHAINS_OF_MAX = 1_024  # of one contact, whichever feeds he names


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Takes what a contact tells; nothing is answered."""
    _HEARS[type(arrival.said.content)](tx, arrival)
    return ()


def forget(tx: Tx, contact_id: int) -> None:
    """Nothing stays of what this contact has written but what stands below our own; it can be had again where he shows
    it again."""
    for one in view.of(tx, contact_id):
        pictures.forget(tx, one.id)
        view.set_aside(tx, one, moment.name_of(one.key))
    below = "SELECT w.id FROM moment_answer w JOIN moment m ON m.id = w.moment WHERE w.contact = ? AND m.contact != ?"
    for row in tx.all(below, (contact_id, OURS)):
        found = view.answer(tx, row[0])
        if found is not None:
            view.drop_answer(tx, found)
    for table in ("moment_chain", "moment_key", "moment_wait"):
        tx.execute(f"DELETE FROM {table} WHERE contact = ?", (contact_id,))
    for of in spaces.of(tx, contact_id):
        if of.role is Role.FEED:
            entries.release(tx, of.log.number)


def _chains(tx: Tx, arrival: Arrival) -> None:
    """A contact has us in these audiences."""
    what, contact_id = arrival.said.content, arrival.contact.id
    assert isinstance(what, Chains)
    if not _is_told(tx, arrival):
        return
    aging.windowed(tx, contact_id, what.window_s, what.window_ms)
    count = tx.one("SELECT COUNT(*) FROM moment_chain WHERE contact = ?", (contact_id,))
    assert count is not None
    heirs.make_room(tx, contact_id, count[0] + len(what.chains) - CHAINS_OF_MAX)
    kept = [one.log for one in what.chains if _keep(tx, contact_id, one) is not None]
    found = (reading.feed(tx, contact_id, feed_id) for feed_id in dict.fromkeys(kept))
    unread.told(tx, {of.log.number for of in found if of is not None})


def _keep(tx: Tx, contact_id: int, one: Chain) -> int | None:
    """Keeps a chain; its row, None where it is known, or too much. Up to it goes the one before of its audience."""
    known = tx.all("SELECT audience, root FROM moment_chain WHERE contact = ? AND feed = ?", (contact_id, one.log))
    count = tx.one("SELECT COUNT(*) FROM moment_chain WHERE contact = ?", (contact_id,))
    assert count is not None
    if len(known) >= CHAINS_MAX or count[0] >= CHAINS_OF_MAX or (one.audience, one.root) in known:
        return None
    same = (contact_id, one.log, one.audience, one.seq)
    tx.execute(
        "UPDATE moment_chain SET until = MIN(until, ?4) WHERE contact = ?1 AND feed = ?2 AND audience = ?3"
        " AND begun <= ?4",
        same,
    )
    newer = tx.one(
        "SELECT MIN(begun) FROM moment_chain WHERE contact = ? AND feed = ? AND audience = ? AND begun > ?", same
    )
    until = heirs.NO_END if newer is None or newer[0] is None else int(newer[0])  # this one may come late
    return tx.insert(
        "INSERT INTO moment_chain (contact, feed, audience, seq, chain, until, root, heir, begun)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, x'', ?4)",
        (*same, one.chain, until, one.root),
    )


def _is_told(tx: Tx, arrival: Arrival) -> bool:
    """Whether what is told now was said after the newest Forget of this contact; it is noted then.

    By the number of the message, which goes up whatever becomes of his clock.
    """
    told, forgot = _heard(tx, arrival.contact.id)
    if arrival.said.device_seq < forgot:
        return False
    _note(tx, arrival.contact.id, max(told, arrival.said.device_seq), forgot)
    return True


def _heard(tx: Tx, contact_id: int) -> tuple[int, int]:
    """The numbers of the newest Chains or Keys and of the newest Forget of a contact, -1 for none."""
    row = tx.one("SELECT told, forgot FROM moment_heard WHERE contact = ?", (contact_id,))
    return (-1, -1) if row is None else (int(row[0]), int(row[1]))


def _note(tx: Tx, contact_id: int, told: int, forgot: int) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO moment_heard (contact, told, forgot) VALUES (?, ?, ?)", (contact_id, told, forgot)
    )


def _keys(tx: Tx, arrival: Arrival) -> None:
    """A contact lets us open these entries of his."""
    what, contact_id = arrival.said.content, arrival.contact.id
    assert isinstance(what, Keys)
    if not _is_told(tx, arrival):
        return
    rows = [(contact_id, one.log, one.seq, one.key) for one in what.keys]
    tx.executemany("INSERT OR IGNORE INTO moment_key (contact, feed, seq, key) VALUES (?, ?, ?, ?)", rows)
    for feed_id in dict.fromkeys(one.log for one in what.keys):
        of = reading.feed(tx, contact_id, feed_id)
        if of is not None and reading.read_late(tx, of, arrival.now_ms):
            tx.changed(logs.TOPIC, of.log.number)
    reading.trim(tx, contact_id)


def _answer(tx: Tx, arrival: Arrival) -> None:
    """A contact has answered a post of ours: we are told beside his feed, which he may hide from us."""
    what, contact_id = arrival.said.content, arrival.contact.id
    assert isinstance(what, Answered)
    if withdrawn.is_late(tx, contact_id, what, arrival.said.device_seq):
        return
    one = view.at(tx, OURS, what.post) or view.once_at(tx, what.post)
    if one is not None:
        told(tx, one, arrival.contact, what, arrival.now_ms)
        withdrawn.note(tx, contact_id, what, arrival.said.device_seq)
    elif lost.feed(tx, what.post.log) is not None:
        awaited.hold(tx, contact_id, what)


def told(tx: Tx, one: Moment, contact: Contact, what: Answered, now_ms: int) -> None:
    """A contact has told us of an answer to a post of ours; it counts where he may see that, and has not dropped it."""
    is_his = reading.is_his(tx, contact.id, what.where) and not unread.is_dropped(tx, contact.id, what.where)
    if is_his and audience.may_see(tx, one.id, contact):
        if reading.feed(tx, contact.id, what.where.log) is not None:
            below.clear(tx, contact.id, what.where)
        saying = Like(what.post) if what.text is None else Comment(what.post, what.text, what.answers)
        below.answered(tx, one, contact.id, what.where, saying, what.at_ms, b"", what.nonce, now_ms)


def _withdrawn(tx: Tx, arrival: Arrival) -> None:
    """A contact has taken an answer to a post of ours back."""
    what = arrival.said.content
    assert isinstance(what, Withdrawn)
    awaited.withdraw(tx, arrival.contact.id, what.where)
    withdrawn.take_back(tx, arrival.contact.id, what.where, arrival.said.device_seq)


def _forget(tx: Tx, arrival: Arrival) -> None:
    """A contact does not show us his moments any more; where he has told us of them since, this comes late."""
    assert isinstance(arrival.said.content, Forget)
    contact_id, number = arrival.contact.id, arrival.said.device_seq
    told, forgot = _heard(tx, contact_id)
    if number >= told:
        _note(tx, contact_id, told, max(forgot, number))
        forget(tx, contact_id)


_HEARS = {Chains: _chains, Keys: _keys, Answered: _answer, Withdrawn: _withdrawn, Forget: _forget}
