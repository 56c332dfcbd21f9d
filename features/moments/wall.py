"""Moments as a person sees them: the wall, a moment with what is below it, who liked or answered.

What is kept and not shown: of who is no contact, is set to chats only, or whose moments are hidden; what is older than
its author lets others see; answers that the author of the post has hidden; answers of who is no contact of ours or is
set to chats only, but below our own posts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from features.moments import audience, composing, pictures, view
from features.moments.audience import Kind
from features.moments.content import Comment, Like
from features.moments.faults import UnknownMoment
from features.moments.shown import AnswerLine, MomentLine, Notice, Shown
from features.moments.view import OURS, Answer, Moment
from protocol.ids import AccountId
from store import logs, people, spaces
from store.database import Tx
from store.people import Contact, ContactState

LIMIT_MAX = 1_000
BELOW_MAX = 1_000  # comments that are shown below one moment
LIKES_MAX = 500
SHORT = 8  # hexadecimal digits
EXCERPT = 80  # characters
_SEEN = (
    "(m.contact = 0 OR (c.state = ? AND COALESCE(r.chats_only, 0) = 0"
    " AND (COALESCE(a.window_s, 0) = 0 OR m.at_ms >= ? - a.window_s * 1000)))"
)
_JOINED = (
    " FROM moment m LEFT JOIN contact c ON c.id = m.contact LEFT JOIN moment_rule r ON r.contact = m.contact"
    " LEFT JOIN moment_author a ON a.contact = m.contact"
)
_BELOW = (
    " FROM moment_answer w LEFT JOIN contact c ON c.id = w.contact LEFT JOIN moment_rule r ON r.contact = w.contact"
    " WHERE w.moment = ? AND w.kind = ?"
    " AND (w.contact = 0 OR (c.state = ? AND COALESCE(r.chats_only, 0) = 0) OR ? = 0)"
    " AND (? = 0 OR w.hidden = 0)"
)
# The order is forced: from the newest notice on.
_NOTICED = (
    " FROM moment_notice n CROSS JOIN moment_answer w ON w.id = n.answer CROSS JOIN moment m ON m.id = w.moment"
    " CROSS JOIN contact x ON x.id = w.contact LEFT JOIN moment_rule y ON y.contact = w.contact"
    " LEFT JOIN contact c ON c.id = m.contact LEFT JOIN moment_rule r ON r.contact = m.contact"
    " LEFT JOIN moment_author a ON a.contact = m.contact"
    f" WHERE x.state = ? AND {_SEEN} AND (m.contact = 0 OR (COALESCE(y.chats_only, 0) = 0"
    " AND w.hidden = 0))"
)


@dataclass(frozen=True, slots=True)
class Eye:
    """Who looks, and when. names: of contacts, as far as they were needed. is_here: whether a contact is online."""

    now_ms: int
    names: dict[int, str] = field(default_factory=dict)
    is_here: Callable[[int], bool] = lambda _: False

    def name(self, tx: Tx, contact_id: int) -> str:
        """How somebody is called; "" for us."""
        if contact_id == OURS:
            return ""
        if contact_id not in self.names:
            self.names[contact_id] = people.contact(tx, contact_id).name
        return self.names[contact_id]


def page(tx: Tx, eye: Eye, whose: Contact | int | None, limit: int, before: Moment | None) -> list[MomentLine]:
    """A page of the wall, the oldest first. whose: of one contact, OURS for ours, None for all."""
    at = (2**62, 0, b"") if before is None else (before.at_ms, before.ref.seq, view.id_of(before.ref))
    only, params = "AND COALESCE(r.hide_theirs, 0) = 0", []
    if whose is not None:
        only, params = "AND m.contact = ?", [whose if isinstance(whose, int) else whose.id]
    rows = tx.all(
        f"SELECT m.id{_JOINED} WHERE (m.at_ms, m.seq, m.tag) < (?, ?, ?) AND {_SEEN} {only}"
        " ORDER BY m.at_ms DESC, m.seq DESC, m.tag DESC LIMIT ?",
        (*at, int(ContactState.ACTIVE), eye.now_ms, *params, max(0, min(limit, LIMIT_MAX))),
    )
    found = (view.moment(tx, row) for (row,) in reversed(rows))
    return [line(tx, eye, one) for one in found if one is not None]


def is_seen(tx: Tx, one: Moment, now_ms: int) -> bool:
    """Whether a moment is shown now, to who asks for it."""
    row = tx.one(f"SELECT 1{_JOINED} WHERE m.id = ? AND {_SEEN}", (one.id, int(ContactState.ACTIVE), now_ms))
    return row is not None


def find(tx: Tx, text: str, now_ms: int) -> Moment:
    """The moment whose id begins like this, as far as it is shown. Raises: UnknownMoment, AmbiguousMoment."""
    one = view.find(tx, text)
    if not is_seen(tx, one, now_ms):
        raise UnknownMoment
    return one


def show(tx: Tx, eye: Eye, one: Moment) -> Shown:
    """A moment with what is below it."""
    rows = tx.all(
        f"SELECT w.id{_BELOW} ORDER BY w.at_ms DESC, w.seq DESC, w.tag DESC LIMIT ?",
        (*_below(one, Comment.KIND, True), BELOW_MAX),
    )
    found = (view.answer(tx, row) for (row,) in reversed(rows))
    return Shown(line(tx, eye, one), tuple(answer_line(tx, eye, answer) for answer in found if answer is not None))


def line(tx: Tx, eye: Eye, one: Moment) -> MomentLine:
    """A moment."""
    said, tag = one.said, view.id_of(one.ref).hex()
    rows = tx.all(
        # The limit stands in the text: SQLite prepares a statement anew each time a limit is bound to it.
        f"SELECT w.contact, MIN(w.at_ms){_BELOW} GROUP BY w.contact ORDER BY 2, 1 LIMIT {LIKES_MAX}",
        _below(one, Like.KIND, False),
    )
    count = tx.one(f"SELECT COUNT(*){_BELOW}", _below(one, Comment.KIND, False))
    return MomentLine(
        id=tag,
        short=tag[:SHORT],
        author=eye.name(tx, one.contact),
        mine=one.contact == OURS,
        at_ms=one.at_ms,
        edited_ms=one.edited_ms,
        text=said.text,
        pictures=pictures.lines(tx, one.id, said.media),
        link=said.link or "",
        preview=composing.seen(said.link, said.preview),
        place=composing.place_line(said.place),
        likes=tuple(eye.name(tx, contact_id) for contact_id, _ in rows),
        comments=count[0] if count else 0,
        audience=audience.of(tx, one.id).words if one.contact == OURS else "",
        waits_for=_waits_for(tx, eye, one) if one.contact == OURS else "",
    )


def answer_line(tx: Tx, eye: Eye, one: Answer) -> AnswerLine:
    """A comment."""
    tag = view.id_of(one.ref).hex()
    answered = None if one.answers is None else _answered(tx, one)
    hidden = tx.one("SELECT 1 FROM moment_answer WHERE id = ? AND hidden != ?", (one.id, view.SHOWN))
    return AnswerLine(
        id=tag,
        short=tag[:SHORT],
        author=eye.name(tx, one.contact),
        mine=one.contact == OURS,
        at_ms=one.at_ms,
        text=one.text,
        answers="" if one.answers is None else view.id_of(one.answers).hex()[:SHORT],
        answers_whom="" if one.answers is None else None if answered is None else eye.name(tx, answered.contact),
        hidden=hidden is not None,
    )


def notices(tx: Tx, eye: Eye, limit: int) -> list[Notice]:
    """Who liked or answered what is shown, the oldest first."""
    active = int(ContactState.ACTIVE)
    rows = tx.all(
        f"SELECT n.number{_NOTICED} ORDER BY n.number DESC LIMIT ?",
        (active, active, eye.now_ms, max(0, min(limit, LIMIT_MAX))),
    )
    found = (notice(tx, eye, number) for (number,) in reversed(rows))
    return [one for one in found if one is not None]


def notice(tx: Tx, eye: Eye, number: int) -> Notice | None:
    """That somebody liked or answered, where that and what it is about are shown."""
    active = int(ContactState.ACTIVE)
    row = tx.one(f"SELECT n.kind, n.answer, n.seen{_NOTICED} AND n.number = ?", (active, active, eye.now_ms, number))
    answer = None if row is None else view.answer(tx, row[1])
    one = None if answer is None else view.moment(tx, answer.moment)
    if row is None or answer is None or one is None:
        return None
    return Notice(
        number=number,
        kind=row[0],
        who=eye.name(tx, answer.contact),
        moment=view.id_of(one.ref).hex()[:SHORT],
        of=one.said.text[:EXCERPT],
        answer=view.id_of(answer.ref).hex()[:SHORT] if answer.kind == Comment.KIND else "",
        text=answer.text,
        at_ms=answer.at_ms,
        is_new=not row[2],
    )


def told(tx: Tx, row: int) -> MomentLine | None:
    """A moment as watchers are told of it, where it is on the wall."""
    eye, one = Eye(newest_ms(tx)), view.moment(tx, row)
    if one is None or not is_seen(tx, one, eye.now_ms):
        return None
    hidden = tx.one("SELECT 1 FROM moment_rule WHERE contact = ? AND hide_theirs = 1", (one.contact,))
    return line(tx, eye, one) if hidden is None else None


def newest_ms(tx: Tx) -> int:
    """It is at least so late, as far as is stored: who tells watchers has no clock."""
    row = tx.one(
        "SELECT MAX(COALESCE((SELECT MAX(at_ms) FROM moment), 0), COALESCE((SELECT MAX(seen_ms) FROM contact), 0),"
        " COALESCE((SELECT at_ms FROM moment_notice ORDER BY number DESC LIMIT 1), 0))"
    )
    assert row is not None
    return int(row[0])


def _below(one: Moment, kind: int, with_hidden: bool) -> tuple[int, ...]:
    """Below our own posts are also answers of who is no contact any more, and, to us, those that we have hidden."""
    mine = one.contact == OURS
    return one.id, kind, int(ContactState.ACTIVE), 0 if mine else 1, 0 if mine and with_hidden else 1


def _answered(tx: Tx, one: Answer) -> Answer | None:
    """The comment that a comment is about, below the same post."""
    assert one.answers is not None
    row = tx.one(
        "SELECT id FROM moment_answer WHERE moment = ? AND feed = ? AND seq = ? ORDER BY id LIMIT 1",
        (one.moment, one.answers.log, one.answers.seq),
    )
    return None if row is None else view.answer(tx, row[0])


def _waits_for(tx: Tx, eye: Eye, one: Moment) -> str:
    """Who has to have a post of ours before others, and is not here to take it; "" for nobody."""
    if audience.of(tx, one.id).kind is Kind.PRIVATE:
        return ""
    row = tx.one("SELECT 1 FROM moment_entry WHERE feed = ? AND seq = ? AND open = 1", (one.text.log, one.text.seq))
    log = None if row is None else logs.by_id(tx, one.text.log)
    anchor = None if log is None else people.by_account(tx, AccountId(spaces.space(tx, log.number).anchor))
    return "" if anchor is None or eye.is_here(anchor.id) else anchor.name
