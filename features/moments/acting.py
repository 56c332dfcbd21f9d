"""What follows from what we do below a post: it stands in our feed and in our tables, and its author is told."""

from features.moments import audience, below, view, writing
from features.moments.content import Comment, Like, Withdrawn
from features.moments.feeds import By
from features.moments.view import OURS, Answer, Moment
from store import people
from store.database import Tx


def answer(tx: Tx, by: By, one: Moment, said: Comment | Like) -> int:
    """Writes an answer, and tells the author of the post beside; returns its row."""
    where, wrap, nonce = writing.answer(tx, by, one, said)
    row = below.put(tx, one.id, OURS, where, said, by.now_ms, wrap, nonce)
    assert row is not None
    writing.tell_answer(tx, by, one, where, said, nonce, by.now_ms)
    return row


def take_back(tx: Tx, by: By, one: Moment, said: Answer) -> None:
    """Takes an answer of ours back."""
    writing.drop(tx, by, (said.ref,))
    view.drop_answer(tx, said)
    if one.contact != OURS and audience.may_hear(people.contact(tx, one.contact)):
        by.say(tx, one.contact, Withdrawn(said.ref))


def likes(tx: Tx, one: Moment) -> list[Answer]:
    """Our likes of a post: one."""
    rows = tx.all(
        "SELECT id FROM moment_answer WHERE contact = ? AND moment = ? AND kind = ?", (OURS, one.id, Like.KIND)
    )
    found = (view.answer(tx, row) for (row,) in rows)
    return [said for said in found if said is not None]
