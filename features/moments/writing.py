"""What we write into our feed: sealed for its audience, appended, and written again where it was taken back.

Each function is one step of a transaction. Our feeds and their chains: feeds.py; who is told which chain: handing.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from features.moments import audience, feeds, handing, pictures, reading, view
from features.moments.audience import Audience, Kind
from features.moments.content import (
    DROPS_MAX,
    Answered,
    Comment,
    Drop,
    Hide,
    Key,
    Keys,
    Like,
    Post,
    Ref,
    Replace,
    Said,
    Window,
    said,
)
from features.moments.faults import StillRead
from features.moments.feeds import EVERYBODY, By
from features.moments.handing import ANSWERS
from features.moments.view import OURS, Moment
from protocol import entry, moment, record
from protocol.moment import Slot, Spot
from store import authoring, entries, logs, people, spaces
from store.database import Tx
from store.entries import Kept
from store.spaces import Space

Slots = Callable[[bytes], Sequence[Slot]]  # of an entry, by the wrapping key of all contacts
TAGS_MAX = moment.SLOTS - 1  # one slot is always for all contacts, be it with a decoy


def post(tx: Tx, by: By, what: Post, whom: Audience) -> int:
    """Writes a post; returns its row. Raises: FeedStopped, OverLimit."""
    of = _ready(tx, by)
    _say_window(tx, by)
    nonce = _nonce(by)
    key = moment.own_key(feeds.secret(tx, by.entropy), nonce)
    ref = Ref(of.log.id, authoring.next_seq(tx, of))
    row = view.put(tx, OURS, ref, key, moment.name_of(key), what, min(what.at_ms, by.now_ms), ref)
    assert row is not None
    audience.keep(tx, row, whom)
    tags = whom.tags if whom.kind is Kind.THESE and 0 < len(whom.tags) <= TAGS_MAX else ()
    chains = handing.hand_tags(tx, by, of, tags)
    one = view.moment(tx, row)
    assert one is not None
    _append(tx, by, of, what, row, nonce, lambda wrap: _post_slots(by, one, whom, wrap, chains))
    if not tags and whom.kind is not Kind.ALL:
        _tell(tx, by, one, whom)
    return row


def edit(tx: Tx, by: By, one: Moment, what: Post) -> None:
    """Writes how a post of ours reads from now on, and drops what it said before. Raises: FeedStopped, OverLimit."""
    of, whom, before = _ready(tx, by), audience.of(tx, one.id), one.text
    nonce = _nonce(by)
    slots = _edit_slots(tx, by, of, one, whom)
    ref = _append(tx, by, of, Replace(one.ref, what), one.id, nonce, slots)
    view.replace(tx, one.id, what, by.now_ms, ref)
    drop(tx, by, (before,))
    if whom.kind is not Kind.ALL:
        _tell(tx, by, replace(one, text=ref), whom)


def _say_window(tx: Tx, by: By) -> None:
    """Says the window again before that is too old to be given itself: who only meets others than us hears it too."""
    seconds = feeds.window_s(tx)
    if not seconds:
        return
    row = tx.one("SELECT at_ms FROM moment_entry WHERE kind = ? ORDER BY at_ms DESC LIMIT 1", (Window.KIND,))
    if row is not None and row[0] < by.now_ms - seconds * 500:
        _carried(tx, by, Window(seconds))


def answer(
    tx: Tx, by: By, one: Moment, what: Comment | Like | Hide, nonce: bytes | None = None
) -> tuple[Ref, bytes, bytes]:
    """Writes a comment or a like below a post, or that an answer below ours is hidden.

    Returns its place, what opens it, and its nonce, by which it is known in another place. nonce: that of before.
    """
    of, nonce = _ready(tx, by), nonce or _nonce(by)
    ref = _append(tx, by, of, what, one.id, nonce, lambda wrap: [Slot(wrap, moment.name_of(one.key))])
    row = tx.one("SELECT wrap FROM moment_entry WHERE feed = ? AND seq = ?", (ref.log, ref.seq))
    assert row is not None
    return ref, row[0], nonce


def tell_answer(tx: Tx, by: By, one: Moment, where: Ref, said: Comment | Like, nonce: bytes, at_ms: int) -> None:
    """Tells the author of a post what we said below it, beside our feed."""
    if one.contact != OURS and audience.may_hear(people.contact(tx, one.contact)):
        text, about = (said.text, said.answers) if isinstance(said, Comment) else (None, None)
        by.say(tx, one.contact, Answered(where, one.ref, text, about, at_ms, nonce))


def delete(tx: Tx, by: By, one: Moment) -> None:
    """Drops a post of ours, and what we wrote below it."""
    rows = tx.all("SELECT feed, seq FROM moment_entry WHERE moment = ? ORDER BY id", (one.id,))
    refs = [Ref(feed_id, seq) for feed_id, seq in rows]
    for start in range(0, len(refs), DROPS_MAX):
        drop(tx, by, refs[start : start + DROPS_MAX])
    pictures.forget(tx, one.id)
    view.remove(tx, one.id)


def drop(tx: Tx, by: By, refs: Sequence[Ref]) -> Ref:
    """Nobody shall keep what these entries of ours say; here it is gone. Returns the place of the word on it."""
    where = _carried(tx, by, Drop(tuple(refs)))
    for ref in refs:
        log = logs.by_id(tx, ref.log)
        if log is not None:
            entries.detach(tx, log.number, (ref.seq,))
        tx.execute("DELETE FROM moment_entry WHERE feed = ? AND seq = ? AND open = 0", (ref.log, ref.seq))
    return where


def set_window(tx: Tx, by: By, seconds: int) -> None:
    """From now on others are given and shown nothing older, 0: of any age. Who joined while less was shown is given the
    rest."""
    feeds.secret(tx, by.entropy)
    before = feeds.window_s(tx)
    if before and not 0 < seconds <= before:
        handing.tell_all_again(tx)
    tx.execute("UPDATE moment_self SET window_s = ?", (seconds,))
    feeds.limit(tx, spaces.OURS, seconds)
    if feeds.every(tx):
        _carried(tx, by, Window(seconds))


def settle(tx: Tx, by: By) -> bool:
    """Notes what others have by now, and writes again what was taken back; returns whether anything was."""
    rows = tx.all(
        "SELECT id, feed, seq, entry, said, nonce, moment, at_ms FROM moment_entry WHERE open = 1 ORDER BY id"
    )
    gone: list[tuple[Ref, Said, int, bytes, int]] = []
    lost: set[Ref] = set()
    dropped: set[Ref] = set()
    for number, feed_id, seq, entry_id, raw, nonce, row, at_ms in rows:
        log, was = logs.by_id(tx, feed_id), said(raw)
        if isinstance(was, Drop):
            dropped.update(was.entries)
        if log is None or entries.id_at(tx, log.number, seq) != entry_id:
            gone.append((Ref(feed_id, seq), was, row, nonce, at_ms))
            lost.add(Ref(feed_id, seq))
            tx.execute("DELETE FROM moment_entry WHERE id = ?", (number,))
        elif log.published >= seq:
            is_dropped = entries.kept(tx, log.number, seq) is Kept.DELETED  # then nobody keeps what it said, nor do we
            done = "DELETE FROM moment_entry" if is_dropped else "UPDATE moment_entry SET open = 0"
            tx.execute(f"{done} WHERE id = ?", (number,))
    moved: dict[Ref, Ref] = {}
    anew: set[int] = set()  # posts that were changed, and are written as they read now
    for before, was, row, nonce, at_ms in gone:
        left: Said | None = None if isinstance(was, Replace) and row in anew else was
        if before in dropped and left is not None:
            left = _left(tx, before, was, row, lost)
            if left is not None:
                anew.add(row)
        what = None if left is None else _remapped(left, moved, lost)
        after = None if what is None else _again(tx, by, what, before, row, nonce, at_ms)
        if after is not None:
            moved[before] = after
    for before in _in_turn(moved):
        _move(tx, before, moved[before])
    _hide_again(tx, by)
    return bool(gone)


def _hide_again(tx: Tx, by: By) -> None:
    """Says of answers that we have hidden, and that stand in another place now, that they are hidden there. Of a feed
    that is not known here it is not said: what stands in it may be somebody else's."""
    for (row,) in tx.all("SELECT id FROM moment_answer WHERE hidden = 2 ORDER BY id"):
        found = view.answer(tx, row)
        assert found is not None
        one = view.moment(tx, found.moment)
        if one is not None and reading.feed(tx, found.contact, found.ref.log) is not None:
            answer(tx, by, one, Hide(one.ref, found.ref))
            view.hide(tx, one.id, found.ref)
            tx.execute("UPDATE moment_answer SET again = again + 1 WHERE id = ?", (row,))


def _left(tx: Tx, before: Ref, what: Said, row: int, lost: set[Ref]) -> Replace | None:
    """What was dropped before anybody had it is not written again. Where it is a post that was changed since, it is
    written as it reads now, in the place where it would stand: others shall find what is below it."""
    one = view.moment(tx, row) if _begins(what, before) else None
    if one is None or one.text not in lost:
        return None
    tx.execute("UPDATE moment SET text_feed = ?, text_seq = ? WHERE id = ?", (before.log, before.seq, row))
    return Replace(before, one.said)


def _begins(what: Said, here: Ref) -> bool:
    """Whether a post begins here: one that was changed before anybody had it names its own place (protocol 3.3)."""
    return isinstance(what, Post) or (isinstance(what, Replace) and what.post == here)


def _in_turn(moved: dict[Ref, Ref]) -> list[Ref]:
    """In this order each comes to a place where nothing stands any more: they keep theirs among each other."""
    up = [one for one, to in moved.items() if one.log != to.log or to.seq > one.seq]
    down = [one for one, to in moved.items() if one.log == to.log and to.seq < one.seq]
    return [*reversed(up), *down]


def _again(tx: Tx, by: By, what: Said, before: Ref, row: int, nonce: bytes, at_ms: int) -> Ref | None:
    """Writes what was taken back once more; None where it is about nothing any more."""
    if isinstance(what, Drop):
        return drop(tx, by, what.entries)
    if isinstance(what, Window):
        return _carried(tx, by, what)
    one = view.moment(tx, row)
    if one is None:
        return None
    of, whom = _ready(tx, by), audience.of(tx, row)
    match what:
        case Post():
            ref = _append(tx, by, of, what, row, nonce, lambda wrap: _post_slots(by, one, whom, wrap, ()))
        case Replace():
            if _begins(what, before):
                what, nonce = replace(what, post=Ref(of.log.id, authoring.next_seq(tx, of))), _nonce(by)
            ref = _append(tx, by, of, what, row, nonce, _edit_slots(tx, by, of, one, whom))
        case _:
            ref, _, _ = answer(tx, by, one, what, nonce)
            if not isinstance(what, Hide):
                tell_answer(tx, by, one, ref, what, nonce, at_ms)
            return ref
    if whom.kind is not Kind.ALL:
        _tell(tx, by, replace(one, text=ref), whom)
    return ref


def _append(tx: Tx, by: By, of: Space, what: Said, row: int, nonce: bytes, slots: Slots) -> Ref:
    """Seals and appends an entry; returns its place."""
    seq = authoring.next_seq(tx, of)
    spot = Spot(of.log.author, of.log.id, seq)
    found = feeds.chain(tx, by, of, EVERYBODY)
    assert found is not None
    wrap = moment.wrap_key(found[1])
    if isinstance(what, Drop | Window):
        key = entry.content_key(of.log.secret, of.log.id, seq)
    else:
        one = view.moment(tx, row)
        assert one is not None
        key = moment.answer_key(one.key, wrap) if what.KIND in ANSWERS else one.key
    raw = record.encode(what)
    content = moment.seal(key, spot, raw, slots(wrap), nonce, by.entropy)
    made = authoring.append(tx, of, content, by.me.device_key, by.now_ms)
    tx.execute(
        "INSERT INTO moment_entry (feed, seq, entry, kind, said, nonce, wrap, moment, at_ms, open)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (of.log.id, seq, made.id, what.KIND, raw, nonce, wrap, row, by.now_ms),
    )
    return Ref(of.log.id, seq)


def _carried(tx: Tx, by: By, what: Drop | Window) -> Ref:
    """Writes what all shall read who carry the log."""
    feed, nonce = _ready(tx, by), _nonce(by)
    return _append(tx, by, feed, what, 0, nonce, lambda wrap: [Slot(wrap, by.entropy(moment.KEY_BYTES))])


def _post_slots(by: By, one: Moment, whom: Audience, wrap: bytes, chains: Sequence[bytes]) -> list[Slot]:
    """Nobody tells a post that excludes him from an answer that he cannot open: all contacts find 32 bytes in each."""
    if whom.kind is Kind.ALL:
        return [Slot(wrap, one.key)]
    decoy = Slot(wrap, by.entropy(moment.KEY_BYTES))
    return [decoy, *(Slot(moment.wrap_key(tag), one.key) for tag in chains)]


def _edit_slots(tx: Tx, by: By, of: Space, one: Moment, whom: Audience) -> Slots:
    """One slot is for ourselves: the nonce of which the key was made is dropped with what the post said before."""
    spot = Spot(of.log.author, of.log.id, authoring.next_seq(tx, of))
    ours = Slot(moment.own_wrap(feeds.secret(tx, by.entropy), spot), one.key)
    return lambda wrap: [Slot(wrap, one.key if whom.kind is Kind.ALL else moment.name_of(one.key)), ours]


def _tell(tx: Tx, by: By, one: Moment, whom: Audience) -> None:
    """Tells everybody whom a post is for its key, in the ratchet."""
    for contact_id in audience.reader_ids(tx):
        if audience.is_for(whom, contact_id):
            by.say(tx, contact_id, Keys((Key(one.text.log, one.text.seq, one.key),)))


def _nonce(by: By) -> bytes:
    return by.entropy(authoring.NONCE_BYTES)


def _ready(tx: Tx, by: By) -> Space:
    """Our feed, as it is written into: all its readers have the chain up to what comes, and nobody reads it who shall
    not: who looked before this transaction may have seen another rule. Raises: FeedStopped, StillRead."""
    of = feeds.feed(tx, by)
    if of.log.number in handing.barred(tx):
        raise StillRead
    handing.hand(tx, by)
    return of


def _move(tx: Tx, before: Ref, after: Ref) -> None:
    """What stood in one place stands in another."""
    old, new = (before.log, before.seq), (after.log, after.seq)
    tx.execute(  # who was told the id of before may go on with it
        "INSERT OR REPLACE INTO moment_alias (tag, moment)"
        " SELECT tag, id FROM moment WHERE contact = ? AND feed = ? AND seq = ?",
        (OURS, *old),
    )
    for table in ("moment", "moment_answer"):
        tx.execute(
            f"UPDATE {table} SET feed = ?, seq = ?, tag = ? WHERE contact = ? AND feed = ? AND seq = ?",
            (*new, view.id_of(after), OURS, *old),
        )
    tx.execute(
        "UPDATE moment SET text_feed = ?, text_seq = ? WHERE contact = ? AND text_feed = ? AND text_seq = ?",
        (*new, OURS, *old),
    )
    tx.execute(
        "UPDATE moment_answer SET answers_feed = ?, answers_seq = ? WHERE answers_feed = ? AND answers_seq = ?",
        (*new, *old),
    )


def _remapped(what: Said, moved: dict[Ref, Ref], lost: set[Ref]) -> Said | None:
    """The same about the places where that stands now. Of what is lost others never had anything, and its place is
    perhaps that of something else by now: it is not dropped."""
    match what:
        case Comment():
            answers = None if what.answers is None else moved.get(what.answers, what.answers)
            return replace(what, post=moved.get(what.post, what.post), answers=answers)
        case Replace() | Like():
            return replace(what, post=moved.get(what.post, what.post))
        case Hide():
            return replace(what, post=moved.get(what.post, what.post), answer=moved.get(what.answer, what.answer))
        case Drop():
            kept = tuple(one for one in what.entries if one not in lost)
            return replace(what, entries=kept) if kept else None
        case _:
            return what
