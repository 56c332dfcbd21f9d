"""What a device of ours wrote that is lost, read again from its feeds, which our contacts give back.

    the secret of our posts + the nonce of a content -> the key of a post      | both secrets come
    the secret + the place of an entry               -> that of an edited one  | from the backup
    a slot for all contacts -> the name of the post that something was said of, which is known or waited for

What nobody has any more stays lost. docs/protocol/moments.md. Not here: feeds of others (reading.py).
"""

import hmac
from contextlib import suppress

from crypto.faults import Forged, Malformed
from features.moments import (
    audience,
    awaited,
    below,
    feeds,
    hearing,
    heirs,
    lost,
    pictures,
    reading,
    unread,
    view,
    writing,
)
from features.moments.audience import Audience, Kind
from features.moments.content import Drop, Post, Ref, Replace, Said, Window, said
from features.moments.faults import FeedStopped
from features.moments.feeds import EVERYBODY, By
from features.moments.view import OURS
from protocol import entry, moment
from protocol.grant import Role
from protocol.moment import Spot
from store import entries, logs, people, spaces
from store.database import Tx
from store.entries import Held, Kept
from store.faults import LogFrozen
from store.spaces import Space

READ_MAX = 256  # entries that are read in one step


def read(tx: Tx, of: Space, by: By) -> bool:
    """Reads a piece of what is new of a feed of a lost device; returns whether there is more."""
    secret = feeds.secret(tx, by.entropy)
    row = tx.one(
        "SELECT id, seq, chain FROM moment_own_chain WHERE feed = ? AND audience = ? ORDER BY id DESC LIMIT 1",
        (of.log.id, EVERYBODY),
    )
    if row is None:
        found = heirs.regained(tx, of, secret)
        if found is None:  # nothing can be opened
            return False
        row = (feeds.begin_chain(tx, of, EVERYBODY, 0, *found), 0, found[0])
    number, seq, chain = row
    rows = unread.late(tx, of, READ_MAX)
    for at, wrap in rows:
        (held,) = entries.read(tx, of.log.number, at, 1, lost.READ_BYTES)
        _read_one(tx, of, by, held, secret, wrap)
    run = entries.read(tx, of.log.number, seq, READ_MAX, lost.READ_BYTES)
    for held in run:
        _read_one(tx, of, by, held, secret, moment.wrap_key(chain))
        seq, chain = held.seq + 1, moment.step(chain)
    if run:
        tx.execute("UPDATE moment_own_chain SET seq = ?, chain = ? WHERE id = ?", (seq, chain, number))
    return len(rows) == READ_MAX or entries.id_at(tx, of.log.number, seq) is not None


def _read_one(tx: Tx, of: Space, by: By, held: Held, secret: bytes, wrap: bytes) -> None:
    """Reads an entry as far as its content is here."""
    here = Ref(of.log.id, held.seq)
    if held.content is None:
        if entries.kept(tx, of.log.number, held.seq) is Kept.AWAITED:
            row = (OURS, of.log.id, held.seq, wrap)
            tx.execute("INSERT OR IGNORE INTO moment_key (contact, feed, seq, key) VALUES (?, ?, ?, ?)", row)
        return
    if awaited.is_gone(tx, here):
        entries.detach(tx, of.log.number, (held.seq,))
        return
    with suppress(Malformed, Forged):  # what a later version of weft wrote
        _open(tx, of, by, held, held.content, secret, wrap)


def _open(tx: Tx, of: Space, by: By, held: Held, content: bytes, secret: bytes, wrap: bytes) -> None:
    spot = Spot(of.log.author, of.log.id, held.seq)
    carried = entry.content_key(of.log.secret, of.log.id, held.seq)
    if moment.is_under(carried, spot, content):
        what = said(moment.unseal(carried, spot, content))
        lost.note(tx, of, held, what, wrap, 0)
        _heed(tx, by, held, what)
        return
    holds = moment.held(wrap, spot, content)
    edited = moment.held(moment.own_wrap(secret, spot), spot, content)
    for key in (moment.own_key(secret, moment.nonce_of(content)), edited):
        if key is not None and moment.is_under(key, spot, content):
            is_for_all = holds is not None and hmac.compare_digest(holds, key)
            what = said(moment.unseal(key, spot, content))
            _posted(tx, of, held, key, what, wrap, is_for_all, by.now_ms)
            return
    if holds is not None:
        tx.execute(
            "INSERT OR IGNORE INTO moment_wait (name, contact, feed, seq, wrap) VALUES (?, ?, ?, ?, ?)",
            (holds, OURS, of.log.id, held.seq, wrap),
        )
        for one in view.all_named(tx, holds):
            reading.ours_again(tx, one, Ref(of.log.id, held.seq), wrap)


def _posted(tx: Tx, of: Space, held: Held, key: bytes, what: Said, wrap: bytes, is_for_all: bool, now_ms: int) -> None:
    """A post of ours, or how one reads from then on."""
    here, at_ms = Ref(of.log.id, held.seq), min(reading.entry_ms(held), now_ms)
    match what:
        case Post():
            post, shown = here, what
        case Replace(post, shown) if reading.is_his(tx, OURS, post):
            pass
        case _:
            return
    name = moment.name_of(key)
    before = view.at(tx, OURS, post) or view.twin(tx, OURS, name)
    if before is None:
        below.clear(tx, OURS, post)
        row = view.put(tx, OURS, post, key, name, shown, min(shown.at_ms, now_ms), here)
        assert row is not None
        if isinstance(what, Replace):
            view.replace(tx, row, shown, at_ms, here)
        pictures.told(tx, row, None, shown.media, now_ms)
        whom = awaited.thaw(tx, post) or Audience(Kind.PRIVATE, words=audience.PRIVATE)
        audience.keep(tx, row, Audience(Kind.ALL) if is_for_all else whom)
        lost.note(tx, of, held, what, wrap, row)
        _known(tx, row, now_ms)
        return
    if isinstance(what, Replace) and reading.is_after(here, at_ms, before):
        view.replace(tx, before.id, shown, at_ms, here)
        pictures.told(tx, before.id, None, shown.media, now_ms)
    lost.note(tx, of, held, what, wrap, before.id)


def _known(tx: Tx, row: int, now_ms: int) -> None:
    """What was said below a post that has come back, as far as we were told of it by then."""
    one = view.moment(tx, row)
    assert one is not None
    for contact_id, told in awaited.held(tx, one.ref):
        hearing.told(tx, one, people.contact(tx, contact_id), told, now_ms)
    reading.known(tx, one.id, one.key, now_ms)
    # Who became a contact since we are back was told the keys of what had come by then: he is told anew.
    tx.execute(
        "DELETE FROM moment_met WHERE contact IN (SELECT id FROM contact WHERE created_ms >="
        " (SELECT MIN(s.since_ms) FROM space s JOIN log l ON l.number = s.log"
        " WHERE s.contact = ? AND s.role = ? AND l.own = 1))",
        (spaces.OURS, Role.FEED),
    )


def _heed(tx: Tx, by: By, held: Held, what: Said) -> None:
    match what:
        case Drop(refs):
            for ref in refs:
                if reading.is_his(tx, OURS, ref):
                    _dropped(tx, ref)
        case Window(seconds) if reading.entry_ms(held) > awaited.window_ms(tx):
            awaited.windowed(tx, reading.entry_ms(held))
            if seconds != feeds.window_s(tx):
                with suppress(FeedStopped, LogFrozen):  # nothing can be written
                    writing.set_window(tx, by, seconds)
        case _:
            pass


def _dropped(tx: Tx, ref: Ref) -> None:
    """We have taken this back, on a device that is lost."""
    log, where = logs.by_id(tx, ref.log), (ref.log, ref.seq)
    if log is not None:
        entries.detach(tx, log.number, (ref.seq,))
    awaited.gone(tx, ref)
    awaited.thaw(tx, ref)
    tx.execute("DELETE FROM moment_entry WHERE feed = ? AND seq = ?", where)
    for table in ("moment_key", "moment_wait"):
        tx.execute(f"DELETE FROM {table} WHERE contact = ? AND feed = ? AND seq = ?", (OURS, *where))
    one, said_below = view.saying(tx, OURS, ref), view.answer_at(tx, OURS, ref)
    if one is not None:
        pictures.forget(tx, one.id)
        view.remove(tx, one.id)
    if said_below is not None:
        view.drop_answer(tx, said_below)
