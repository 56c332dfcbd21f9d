"""What is said below posts: kept as it comes, from feeds and from who told us; the person is told what is about him.

Each function is one step of a transaction. What opens an answer: reading.py.
"""

from features.moments import awaited, pictures, view
from features.moments.content import Comment, Like, Ref
from features.moments.view import OURS, Moment
from protocol import moment
from store import logs, spaces
from store.database import Tx

ANSWERS_MAX = 1_000  # of one contact below one post that are kept
AGAIN_MAX = 16  # so often one that we have hidden is hidden again where it has moved


def answered(
    tx: Tx,
    one: Moment,
    contact_id: int,
    where: Ref,
    what: Comment | Like,
    at_ms: int,
    wrap: bytes,
    nonce: bytes,
    now_ms: int,
) -> None:
    """Keeps a comment or a like, as far as there is room; what is there already may move all the same."""
    count = tx.one("SELECT COUNT(*) FROM moment_answer WHERE contact = ? AND moment = ?", (contact_id, one.id))
    assert count is not None
    if count[0] >= ANSWERS_MAX and not _is_known(tx, contact_id, nonce):
        return
    row = put(tx, one.id, contact_id, where, what, min(at_ms, now_ms), wrap, nonce)
    if row is not None and contact_id != OURS:
        _notice(tx, one, row, what, at_ms, now_ms)


def put(
    tx: Tx,
    row: int,
    contact_id: int,
    where: Ref,
    what: Comment | Like,
    at_ms: int,
    wrap: bytes,
    nonce: bytes,
) -> int | None:
    """An answer below a post; its row, None where it is there already, perhaps in another place.

    wrap: what opened it, b"" for nothing. nonce: of its content.
    """
    if _moved(tx, contact_id, where, nonce):
        return None
    text, answers = (what.text, what.answers) if isinstance(what, Comment) else ("", None)
    about = (None, None) if answers is None else (answers.log, answers.seq)
    found = tx.one(
        "INSERT INTO moment_answer (moment, contact, feed, seq, tag, kind, text, at_ms, answers_feed, answers_seq,"
        " wrap, nonce, hidden) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (
            *(row, contact_id, where.log, where.seq, view.id_of(where), what.KIND, text, at_ms, *about, wrap, nonce),
            view.HIDDEN if view.is_hidden(tx, row, where) else view.SHOWN,
        ),
    )
    tx.changed(view.CHANGED, row)
    return None if found is None else int(found[0])


def _is_known(tx: Tx, contact_id: int, nonce: bytes) -> bool:
    return tx.one("SELECT 1 FROM moment_answer WHERE contact = ? AND nonce = ?", (contact_id, nonce)) is not None


def _moved(tx: Tx, contact_id: int, where: Ref, nonce: bytes) -> bool:
    """Whether an answer is there already; it stands here then, and is hidden where it was.

    Below a post of ours others are to be told that again (writing.py). One that moves too often counts as another.
    """
    row = tx.one(
        "SELECT w.id, w.hidden, w.again, w.moment FROM moment_answer w WHERE w.contact = ? AND w.nonce = ?"
        " AND (w.feed, w.seq) != (?, ?)",
        (contact_id, nonce, where.log, where.seq),
    )
    if row is None:
        return _is_known(tx, contact_id, nonce)
    number, hidden, again, below = row
    one = view.moment(tx, below)
    assert one is not None
    is_unsaid = False
    if view.is_hidden(tx, below, where):
        hidden = view.HIDDEN
    elif hidden != view.SHOWN and one.contact == OURS:
        if again >= AGAIN_MAX:
            found = view.answer(tx, number)
            assert found is not None
            view.drop_answer(tx, found)
            return False
        hidden, is_unsaid = view.UNSAID, True
    tx.execute(
        "UPDATE OR IGNORE moment_answer SET feed = ?, seq = ?, tag = ?, hidden = ? WHERE id = ?",
        (where.log, where.seq, view.id_of(where), hidden, number),
    )
    log = logs.by_id(tx, one.ref.log) if is_unsaid else None
    if log is not None:
        tx.changed(logs.TOPIC, log.number)
    tx.changed(view.CHANGED, below)
    return True


def _notice(tx: Tx, one: Moment, row: int, what: Comment | Like, at_ms: int, now_ms: int) -> None:
    """Tells the person, where it is about something of ours. Of what she had seen on a lost device it is no news."""
    kind = ""
    if isinstance(what, Comment):
        if what.answers is not None and view.answer_at(tx, OURS, what.answers) is not None:
            kind = "reply"
        elif one.contact == OURS:
            kind = "comment"
        elif tx.one(
            "SELECT 1 FROM moment_answer WHERE contact = ? AND moment = ? AND kind = ?", (OURS, one.id, Comment.KIND)
        ):
            kind = "also"
    elif one.contact == OURS:
        kind = "like"
    if kind:
        is_seen = at_ms <= awaited.seen_ms(tx)
        number = tx.insert(
            "INSERT INTO moment_notice (kind, answer, at_ms, seen) VALUES (?, ?, ?, ?)",
            (kind, row, at_ms if is_seen else now_ms, int(is_seen)),
        )
        tx.changed(view.NOTICED, number)


def is_about(tx: Tx, one: Moment, post: Ref) -> bool:
    """Whether a post in this place is this one, whose key it has: it may stand in another feed of its author by now."""
    if post == one.ref:
        return True
    log = logs.by_id(tx, post.log)
    return log is not None and spaces.space(tx, log.number).contact == one.contact


def clear(tx: Tx, contact_id: int, ref: Ref) -> None:
    """Who called this place in a feed of another his, before the feed was known here, does not keep it."""
    for one in view.others_at(tx, contact_id, ref):
        pictures.forget(tx, one.id)
        view.set_aside(tx, one, moment.name_of(one.key))
    for answer in view.other_answers_at(tx, contact_id, ref):
        view.drop_answer(tx, answer)
