"""What stands in the feeds of others: opened with what we were told, kept as posts and answers.

    an entry ──its log's secret──> dropped, a window          told to all who carry it
             ──a slot──> the key of a post | the name of a post that is known | something that is waited for
             ──a key that we were told──> a post, or the place of an answer

Each function is one step of a transaction. Keys may come before the entries that they open, and after; posts before
what is said about them, and after. What no key of ours opens is carried for others. docs/protocol/moments.md.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from crypto.faults import Forged, Malformed
from features.moments import aging, below, heirs, lost, pictures, unread, view
from features.moments.content import (
    Comment,
    Drop,
    Hide,
    Like,
    Post,
    Ref,
    Replace,
    Said,
    Window,
    said,
)
from features.moments.view import OURS, Moment
from protocol import entry, moment
from protocol.grant import Role
from protocol.moment import Spot
from store import entries, logs, spaces, windows
from store.database import Tx
from store.entries import Held, Kept
from store.spaces import Space

READ_MAX = 256  # entries that are read in one step
TRIED_MAX = 4_096  # and with how many keys, all together
READ_BYTES = 4 << 20
DROPPED_MAX = 10_000  # of one contact, before they came
KEYS_MAX = 50_000  # of one contact, for entries that are not here
WAITS_MAX = 20_000  # of one contact, that are about posts which we do not know


@dataclass(slots=True)
class _Chain:
    """A chain where it stands. until: the place where another takes its."""

    row: int
    seq: int
    chain: bytes
    until: int


def read(tx: Tx, of: Space, now_ms: int) -> bool:
    """Reads a piece of what is new in a feed of somebody else; returns whether there is more."""
    if window_s := aging.window_s(tx, of.contact):
        windows.limit(tx, of.log.number, window_s * 1000)
    for number in dict.fromkeys(where.log.number for where, _ in heirs.inherit(tx, of)):
        if number != of.log.number:
            tx.changed(logs.TOPIC, number)  # it may be opened now
    if _read_again(tx, of, now_ms):
        return True
    following, chains, dropped = unread.read_to(tx, of), _chains(tx, of), unread.dropped(tx, of)
    held = entries.read(tx, of.log.number, following, _piece(chains), READ_BYTES)
    for one in held:
        wraps = _wraps(chains, one.seq)
        if one.seq in dropped:
            entries.detach(tx, of.log.number, (one.seq,))
        else:
            _read_one(tx, of, one, wraps, now_ms)
    if held:
        following = held[-1].seq + 1
        unread.note(tx, of, following)
        _keep(tx, chains)
        trim(tx, of.contact)
    is_more = read_late(tx, of, now_ms)
    return is_more or entries.id_at(tx, of.log.number, following) is not None


def _read_again(tx: Tx, of: Space, now_ms: int) -> bool:
    """Reads once more, with chains that came late, a piece of what was read without them; whether there is more."""
    chains = _chains(tx, of, is_due=True)
    if not chains:
        return False
    seq, following = min(one.seq for one in chains), unread.read_to(tx, of)
    count = min(_piece(chains), following - seq)
    held = entries.read(tx, of.log.number, seq, count, READ_BYTES) if count > 0 else ()
    for one in held:
        _read_one(tx, of, one, _wraps(chains, one.seq), now_ms)
    _keep(tx, chains)
    seq = held[-1].seq + 1 if held else following
    done = [(one.row,) for one in chains if seq >= following or seq >= one.until]
    tx.executemany("UPDATE moment_chain SET due = 0 WHERE id = ?", done)
    return len(done) < len(chains)


def _piece(chains: Sequence[_Chain]) -> int:
    """How many entries are read in one step: each is tried with each chain."""
    return min(READ_MAX, max(1, TRIED_MAX // max(1, len(chains))))


def trim(tx: Tx, contact_id: int) -> None:
    """Of what waits the newest is kept: what was posted long ago is answered no more, and comes no more."""
    for table, most in (("moment_wait", WAITS_MAX), ("moment_key", KEYS_MAX)):
        tx.execute(
            f"DELETE FROM {table} WHERE contact = ?1 AND id <="
            f" (SELECT id FROM {table} WHERE contact = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (contact_id, most),
        )


def known(tx: Tx, moment_id: int, key: bytes, now_ms: int) -> None:
    """What was waited for is said about a post that is known now: of others, and of ours."""
    waiting = tx.all(
        "SELECT contact, feed, seq, wrap FROM moment_wait WHERE name = ? ORDER BY contact, feed, seq",
        (moment.name_of(key),),
    )
    one = view.moment(tx, moment_id) if waiting else None  # mostly nothing waits, and to read it costs as much again
    if one is None:
        return
    for contact_id, feed_id, seq, wrap in waiting:
        if contact_id == OURS:
            ours_again(tx, one, Ref(feed_id, seq), wrap)
            continue
        of = feed(tx, contact_id, feed_id)
        held = () if of is None else entries.read(tx, of.log.number, seq, 1, READ_BYTES)
        if of is not None and held and held[0].seq == seq:
            _read_one(tx, of, held[0], [wrap], now_ms)
    tx.execute(  # what stands below it is put back when it goes
        "DELETE FROM moment_wait AS w WHERE name = ? AND EXISTS (SELECT 1 FROM moment_answer a"
        " WHERE (a.contact, a.feed, a.seq, a.wrap) = (w.contact, w.feed, w.seq, w.wrap))",
        (moment.name_of(key),),
    )


def ours_again(tx: Tx, one: Moment, where: Ref, wrap: bytes) -> None:
    """What we said below a post before it was taken from us, or what the lost device said."""
    row = tx.one("SELECT said, at_ms, nonce FROM moment_entry WHERE feed = ? AND seq = ?", (where.log, where.seq))
    found = lost.answer(tx, one, where, wrap) if row is None else (said(row[0]), row[1], row[2])
    match found:
        case (Comment(post) | Like(post) as what, at_ms, nonce) if below.is_about(tx, one, post):
            below.put(tx, one.id, OURS, where, what, at_ms, wrap, nonce)
        case (Hide(post, answer), _, _) if below.is_about(tx, one, post) and one.contact == OURS:
            view.hide(tx, one.id, answer)
        case _:
            pass


def _read_one(tx: Tx, of: Space, held: Held, wraps: Sequence[bytes], now_ms: int) -> None:
    """Reads an entry as far as this opens it."""
    if held.content is None:
        if wraps and entries.kept(tx, of.log.number, held.seq) is Kept.AWAITED:
            rows = [(of.contact, of.log.id, held.seq, wrap) for wrap in wraps]
            tx.executemany("INSERT OR IGNORE INTO moment_key (contact, feed, seq, key) VALUES (?, ?, ?, ?)", rows)
        return
    with suppress(Malformed, Forged):  # of his own entries everybody may write into what he likes
        _open(tx, of, held, held.content, wraps, now_ms)


def _open(tx: Tx, of: Space, held: Held, content: bytes, wraps: Sequence[bytes], now_ms: int) -> None:
    spot = Spot(of.log.author, of.log.id, held.seq)
    carried = entry.content_key(of.log.secret, of.log.id, held.seq)
    if moment.is_under(carried, spot, content):
        _heed(tx, of, held, said(moment.unseal(carried, spot, content)))
        return
    for wrap in wraps:
        holds = moment.held(wrap, spot, content)
        if holds is None:
            continue
        if moment.is_under(holds, spot, content):
            _posted(tx, of, held, holds, said(moment.unseal(holds, spot, content)), now_ms)
            return
        if _about(tx, of, held, content, holds, wrap, now_ms):
            return
        _wait(tx, of, held.seq, holds, wrap)
    for key in wraps:  # what we were told may be the key itself
        if moment.is_under(key, spot, content):
            _posted(tx, of, held, key, said(moment.unseal(key, spot, content)), now_ms)
            return


def _about(tx: Tx, of: Space, held: Held, content: bytes, name: bytes, wrap: bytes, now_ms: int) -> bool:
    """Whether this is about a post that is known, and then what is said about it is kept."""
    spot, post_key = Spot(of.log.author, of.log.id, held.seq), view.key_named(tx, name)
    if post_key is None:
        return False
    key = moment.answer_key(post_key, wrap)
    if moment.is_under(key, spot, content):
        what = said(moment.unseal(key, spot, content))
        one = _named(tx, name, what.post) if isinstance(what, Comment | Like | Hide) else None
        if one is not None:
            _hear(tx, of, held, one, what, wrap, now_ms)
        return one is not None
    if moment.is_under(post_key, spot, content):
        _posted(tx, of, held, post_key, said(moment.unseal(post_key, spot, content)), now_ms)
        return True
    return False


def _named(tx: Tx, name: bytes, ref: Ref) -> Moment | None:
    """The post of this name that stands in this place, or has stood there: of who writes that feed."""
    one = view.named(tx, name, ref)
    if one is not None:
        return one
    log = logs.by_id(tx, ref.log)
    return None if log is None else view.twin(tx, spaces.space(tx, log.number).contact, name)


def _posted(tx: Tx, of: Space, held: Held, key: bytes, what: Said, now_ms: int) -> None:
    """A post, or how one reads from now on."""
    here = Ref(of.log.id, held.seq)
    match what:
        case Post():
            below.clear(tx, of.contact, here)
            row = _put(tx, of, here, key, what, now_ms)
        case Replace(post) if is_his(tx, of.contact, post):
            before = view.at(tx, of.contact, post) or view.twin(tx, of.contact, moment.name_of(key))
            pictures.check(what.said.media)
            at_ms = min(entry_ms(held), now_ms)
            if before is not None:
                if is_after(here, at_ms, before):
                    view.replace(tx, before.id, what.said, at_ms, here)
                    pictures.told(tx, before.id, of.contact, what.said.media, now_ms)
                return
            if feed(tx, of.contact, post.log) is not None:
                below.clear(tx, of.contact, post)
            shown_ms = min(what.said.at_ms, now_ms)
            row = view.put(tx, of.contact, post, key, moment.name_of(key), what.said, shown_ms, here)
            if row is not None:
                view.replace(tx, row, what.said, at_ms, here)
                pictures.told(tx, row, of.contact, what.said.media, now_ms)
        case _:
            return
    if row is not None:
        known(tx, row, key, now_ms)


def _put(tx: Tx, of: Space, here: Ref, key: bytes, what: Post, now_ms: int) -> int | None:
    """A post; its row, None where it is there already.

    What was taken back and written again comes twice, where somebody had got it all the same: in the later feed it is.
    """
    pictures.check(what.media)
    name = moment.name_of(key)
    before = view.twin(tx, of.contact, name)
    if before is not None:
        log = logs.by_id(tx, before.ref.log)
        is_taken = view.at(tx, of.contact, here) not in (None, before)
        if log is not None and log.number < of.log.number and not is_taken:
            view.move(tx, before, here, here if before.text == before.ref else before.text)
        return None
    row = view.put(tx, of.contact, here, key, name, what, min(what.at_ms, now_ms), here)
    if row is not None:
        pictures.told(tx, row, of.contact, what.media, now_ms)
    return row


def is_after(here: Ref, at_ms: int, before: Moment) -> bool:
    """Whether what stands here was written after what a post says: in one log its places tell, whatever clocks say."""
    return here.seq > before.text.seq if here.log == before.text.log else before.edited_ms <= at_ms


def _hear(tx: Tx, of: Space, held: Held, one: Moment, what: Said, wrap: bytes, now_ms: int) -> None:
    """What a contact says about a post."""
    here = Ref(of.log.id, held.seq)
    match what:
        case Comment(post) | Like(post) if below.is_about(tx, one, post):
            below.clear(tx, of.contact, here)
            nonce = moment.nonce_of(held.content or b"")
            below.answered(tx, one, of.contact, here, what, entry_ms(held), wrap, nonce, now_ms)
        case Hide(post, answer) if below.is_about(tx, one, post) and of.contact == one.contact:
            _wait(tx, of, held.seq, moment.name_of(one.key), wrap)  # for when the post goes and comes again
            view.hide(tx, one.id, answer)
        case _:
            pass


def _heed(tx: Tx, of: Space, held: Held, what: Said) -> None:
    """What all heed who carry the log."""
    match what:
        case Drop(refs):
            for ref in refs:
                if is_his(tx, of.contact, ref):
                    _dropped(tx, of, ref)
        case Window(seconds):
            aging.windowed(tx, of.contact, seconds, entry_ms(held), Ref(of.log.id, held.seq))
        case _:
            pass


def _dropped(tx: Tx, of: Space, ref: Ref) -> None:
    """Nobody shall keep what an entry of this author says."""
    log, where = logs.by_id(tx, ref.log), (of.contact, ref.log, ref.seq)
    if log is not None and entries.id_at(tx, log.number, ref.seq) is not None:
        entries.detach(tx, log.number, (ref.seq,))
    else:  # it may come later, from who has not read this
        count = tx.one("SELECT COUNT(*) FROM moment_dropped WHERE contact = ?", (of.contact,))
        if count is not None and count[0] < DROPPED_MAX:
            tx.execute("INSERT OR IGNORE INTO moment_dropped (contact, feed, seq) VALUES (?, ?, ?)", where)
    tx.execute("DELETE FROM moment_key WHERE contact = ? AND feed = ? AND seq = ?", where)
    tx.execute("DELETE FROM moment_wait WHERE contact = ? AND feed = ? AND seq = ?", where)
    one = view.saying(tx, of.contact, ref)
    if one is not None:  # it may only read otherwise since: what was said below it is kept for that
        pictures.forget(tx, one.id)
        view.set_aside(tx, one, moment.name_of(one.key))
    found = view.answer_at(tx, of.contact, ref)
    if found is not None:
        view.drop_answer(tx, found)


def read_late(tx: Tx, of: Space, now_ms: int) -> bool:
    """Reads what keys were told for, or kept for, and whose contents are here by now; whether there may be more."""
    rows = unread.late(tx, of, READ_MAX)
    for seq, key in rows:
        (held,) = entries.read(tx, of.log.number, seq, 1, READ_BYTES)
        _read_one(tx, of, held, [key], now_ms)
    return len(rows) == READ_MAX


def _wait(tx: Tx, of: Space, seq: int, name: bytes, wrap: bytes) -> None:
    """Keeps what may be about a post that is not known yet."""
    tx.execute(
        "INSERT OR IGNORE INTO moment_wait (name, contact, feed, seq, wrap) VALUES (?, ?, ?, ?, ?)",
        (name, of.contact, of.log.id, seq, wrap),
    )


def _chains(tx: Tx, of: Space, is_due: bool = False) -> list[_Chain]:
    """The chains of a feed; is_due: those with which what was read before is to be read again."""
    rows = tx.all(
        "SELECT id, seq, chain, until FROM moment_chain WHERE feed = ? AND contact = ? AND due >= ?",
        (of.log.id, of.contact, int(is_due)),
    )
    return [_Chain(*one) for one in rows]


def _wraps(chains: Sequence[_Chain], seq: int) -> list[bytes]:
    """The wrapping keys of a place; the chains stand behind it then, so nothing before is opened with them any more."""
    found = []
    for one in chains:
        if one.seq <= seq < one.until:
            one.chain = moment.stepped(one.chain, seq - one.seq)
            found.append(moment.wrap_key(one.chain))
            one.seq, one.chain = seq + 1, moment.step(one.chain)
    return found


def _keep(tx: Tx, chains: Sequence[_Chain]) -> None:
    """Keeps chains where they stand, but for those that are over."""
    for one in chains:
        if one.seq >= one.until:
            tx.execute("DELETE FROM moment_chain WHERE id = ?", (one.row,))
        else:
            tx.execute("UPDATE moment_chain SET seq = ?, chain = ? WHERE id = ?", (one.seq, one.chain, one.row))


def feed(tx: Tx, contact_id: int, feed_id: bytes) -> Space | None:
    """The feed of this id, if it is one of this contact's."""
    log = logs.by_id(tx, feed_id)
    found = None if log is None else spaces.space(tx, log.number)
    return found if found is not None and (found.contact, found.role) == (contact_id, Role.FEED) else None


def is_his(tx: Tx, contact_id: int, ref: Ref) -> bool:
    """Whether this is a place in a feed of this contact; one that is not known here may be."""
    return logs.by_id(tx, ref.log) is None or feed(tx, contact_id, ref.log) is not None


def entry_ms(held: Held) -> int:
    """When an entry was written, by its author's clock."""
    return entry.recall_acks(held.raw)[0]
