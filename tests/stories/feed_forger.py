"""What a liar does with his own feed: contents of any bytes, under any key, saying what no honest weft says."""

from collections.abc import Callable, Sequence
from typing import Any

from features.moments import feeds, handing, view
from features.moments.content import Ref
from features.moments.feeds import EVERYBODY, By
from features.moments.view import Moment
from lab.world import Person
from protocol import entry, moment, record
from protocol.entry import Kind
from protocol.moment import Slot, Spot
from store import authoring, entries, logs
from store.database import Tx
from store.entries import Draft
from store.spaces import Space
from tests.stories.acts_kit import run

Made = Callable[[Spot, bytes, Space], bytes]  # of its place, the wrapping key of all contacts there, and the feed
KEY = b"k" * moment.KEY_BYTES


async def put(liar: Person, *made: Made) -> list[Ref]:
    """Appends contents to the liar's own feed, each as it is made; their places."""
    assert liar.node is not None
    core = liar.node.core
    by = By(core.identity, liar.now_ms(), core.ground.entropy("logs"), core.ground.entropy("message"))

    def write(tx: Tx) -> list[Ref]:
        of = feeds.feed(tx, by)
        handing.hand(tx, by)
        return [_append(tx, by, of, one) for one in made]

    found: list[Ref] = await run(liar, write)
    for contact_id in sorted(by.told):
        core.delivery.stir(contact_id)
    return found


def _append(tx: Tx, by: By, of: Space, made: Made) -> Ref:
    seq = authoring.next_seq(tx, of)
    known = feeds.chain(tx, by, of, EVERYBODY)
    assert known is not None
    content = made(Spot(of.log.author, of.log.id, seq), moment.wrap_key(known[1]), of)
    draft = Draft(Kind.SEALED, content, authoring.acks(tx, of, seq))
    entries.append(tx, of.log.number, [draft], by.me.device_key, by.now_ms)
    return Ref(of.log.id, seq)


def raw(content: bytes) -> Made:
    """These bytes."""
    return lambda spot, wrap, of: content


def post(what: Any, key: bytes = KEY) -> Made:
    """As a post to all contacts. what: a record, or the bytes that stand for it."""
    return lambda spot, wrap, of: _sealed(key, spot, what, [Slot(wrap, key)])


def edit(what: Any, key: bytes) -> Made:
    """As an edit of a post that only some see: with the name of its key where a key would stand."""
    return lambda spot, wrap, of: _sealed(key, spot, what, [Slot(wrap, moment.name_of(key))])


def answer(what: Any, key: bytes, nonce: bytes = b"") -> Made:
    """As an answer to the post with this key. nonce: of its content, b"" for that of the place."""
    return lambda spot, wrap, of: _sealed(
        moment.answer_key(key, wrap), spot, what, [Slot(wrap, moment.name_of(key))], nonce
    )


def carried(what: Any) -> Made:
    """As what all read who carry the feed."""
    return lambda spot, wrap, of: _sealed(entry.content_key(of.log.secret, of.log.id, spot.seq), spot, what, ())


def _sealed(key: bytes, spot: Spot, what: Any, slots: Sequence[Slot], nonce: bytes = b"") -> bytes:
    said = what if isinstance(what, bytes) else record.encode(what)
    return moment.seal(key, spot, said, slots, nonce or bytes([spot.seq % 256]) * authoring.NONCE_BYTES, bytes)


async def known(person: Person, text: str) -> Moment:
    """A post as it lies on somebody's disk: with its key and its place."""

    def look(tx: Tx) -> list[Moment]:
        rows = tx.all("SELECT id FROM moment ORDER BY id")
        found = (view.moment(tx, row) for (row,) in rows)
        return [one for one in found if one is not None and one.said.text == text]

    (one,) = await run(person, look)
    assert isinstance(one, Moment)
    return one


async def answer_place(person: Person, text: str) -> Ref:
    """Where a comment stands, as somebody knows it."""
    ((log, seq),) = await run(person, lambda tx: tx.all("SELECT feed, seq FROM moment_answer WHERE text = ?", (text,)))
    return Ref(log, seq)


async def rows(person: Person, table: str, where: str = "1") -> int:
    """How many rows of a table somebody keeps."""
    ((count,),) = await run(person, lambda tx: tx.all(f"SELECT COUNT(*) FROM {table} WHERE {where}"))
    return int(count)


async def content_of(person: Person, ref: Ref) -> bytes | None:
    """The content of an entry as somebody keeps it, None where he does not."""

    def look(tx: Tx) -> bytes | None:
        log = logs.by_id(tx, ref.log)
        assert log is not None
        held = entries.read(tx, log.number, ref.seq, 1, 1 << 20)
        return held[0].content if held and held[0].seq == ref.seq else None

    found: bytes | None = await run(person, look)
    return found
