"""Who is told which keys of ours: chains where they stand, and what opens what was before, to who joins.

    a reader of our feed ──> its grant, the chain of all contacts, those of his tags; once: what he may see of before
    no reader any more   ──> nothing of it is known as told: when he comes again he is somebody who joins

All of it is compared with the database, so it is found again after a restart. docs/protocol/moments.md.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from crypto import keys
from features.moments import audience, awaited, feeds, heirs, view
from features.moments.content import (
    CHAINS_MAX,
    KEYS_MAX,
    Chain,
    Chains,
    Comment,
    Forget,
    Hide,
    Key,
    Keys,
    Like,
    Post,
    Replace,
    Window,
)
from features.moments.faults import FeedStopped
from features.moments.feeds import EVERYBODY, By
from features.moments.view import OURS
from protocol import moment
from protocol.grant import Role
from store import authoring, people, remarks, spaces
from store.database import Tx
from store.logs import State
from store.people import ContactState
from store.spaces import Space

ANSWERS = (Comment.KIND, Like.KIND, Hide.KIND)
# In the place of the devices of who is told all again when he is a reader: of who keeps nothing of ours, and who does.
_NOTHING, _BEFORE = b"", b"\0"


@dataclass(frozen=True, slots=True)
class _Own:
    """A chain of ours at the next place. number: its row."""

    number: int
    tag: str
    said: Chain


def hand(tx: Tx, by: By) -> None:
    """Lets all readers have our feed, and tells them what they were not told."""
    let_go(tx)
    _forget(tx, by)
    of = feeds.newest(tx, by.me)
    if of is None and feeds.every(tx) and audience.reader_ids(tx):  # the last one ended when nobody was left
        with suppress(FeedStopped):
            of = feeds.feed(tx, by)
    if of is None:
        return
    heirs.go_on(tx, of)
    every = feeds.every(tx)
    numbers = [one.log.number for one in every]
    if window_s := feeds.window_s(tx):
        feeds.limit(tx, spaces.OURS, window_s)
    own = _chains(tx, by, of)
    for contact_id in _lacking(tx, own, numbers):
        for number in numbers:
            spaces.add_reader(tx, number, contact_id)
        devices = _devices(tx, contact_id)
        is_new = tx.one("SELECT 1 FROM moment_met WHERE contact = ? AND devices = ?", (contact_id, devices)) is None
        tags = {one.casefold() for one in remarks.of(tx, contact_id).tags}
        mine = [one for one in own if one.tag == EVERYBODY or one.tag in tags]
        lacks = [one for one in mine if is_new or not _was_told(tx, one.number, contact_id)]
        if lacks:
            _tell(tx, by, contact_id, lacks)
        if is_new:
            _welcome(tx, by, contact_id, devices)
    for one in every:
        if not one.log.own:
            _grant_lost(tx, by, one)


def _grant_lost(tx: Tx, by: By, of: Space) -> None:
    """Lets who joins have what a lost device of ours wrote, by the account's word on that device (grant 1.7)."""
    writer = awaited.certificate(tx, of.log.author)
    if writer is None:
        return
    for contact_id in sorted(set(spaces.unaware(tx, of.log.number)) & set(audience.reader_ids(tx))):
        by.say(tx, contact_id, spaces.grant(tx, of.log.number, writer))
        spaces.told(tx, of.log.number, contact_id)


def has_forgotten(tx: Tx, contact_id: int) -> None:
    """A contact keeps nothing of ours any more; where he may see it at once again, he is told as who joins."""
    tx.execute("UPDATE moment_met SET devices = ? WHERE contact = ?", (_NOTHING, contact_id))


def tell_all_again(tx: Tx) -> None:
    """All are told again what they may see of before."""
    tx.execute("UPDATE moment_met SET devices = ? WHERE devices != ?", (_BEFORE, _NOTHING))


def hand_tags(tx: Tx, by: By, of: Space, tags: Sequence[str]) -> Sequence[bytes]:
    """The chains of these tags at the next place, known to all who have the tag and to nobody else.

    Where somebody was told the chain who has the tag no more, it begins anew: so a tag that is changed ten times
    between two posts costs once.
    """
    readers = set(audience.reader_ids(tx))
    found = []
    for tag in tags:
        members = readers & set(remarks.tagged(tx, tag))
        known = feeds.chain(tx, by, of, tag)
        told = set() if known is None else _told(tx, known[0])
        if known is None or not told <= members:
            drawn, root = by.entropy(moment.KEY_BYTES), by.entropy(moment.KEY_BYTES)
            known, told = (feeds.begin_chain(tx, of, tag, authoring.next_seq(tx, of), drawn, root), drawn), set()
        said = _chain(tx, by, of, tag, known)
        for contact_id in sorted(members - told):
            _tell(tx, by, contact_id, [_Own(known[0], tag, said)])
        found.append(known[1])
    return found


def barred(tx: Tx) -> dict[int, frozenset[int]]:
    """Our feeds that go on, by number, with readers who shall read on no more: before that nothing is written.

    Who is out: audience.is_out.
    """
    found: dict[int, frozenset[int]] = {}
    for one in feeds.every(tx):
        if one.log.own and one.log.state is State.OK:
            rows = tx.all(
                "SELECT x.contact FROM reader x JOIN contact c ON c.id = x.contact"
                " LEFT JOIN moment_rule r ON r.contact = c.id"
                " WHERE x.log = ? AND (c.state != ? OR r.chats_only = 1 OR r.hide_mine = 1)",
                (one.log.number, int(ContactState.ACTIVE)),
            )
            if rows:
                found[one.log.number] = frozenset(contact_id for (contact_id,) in rows)
    return found


def let_go(tx: Tx) -> None:
    """Of our feeds that do not go on, or that a lost device wrote, who is barred by a rule is given and granted nothing
    any more: neither what he was told to forget, nor what he was not granted yet. When he joins again he is given all.

    The one that goes on keeps him until it does so without him: see `barred`.
    """
    # CROSS JOIN: from the few rules on, since each write asks.
    for number, contact_id in tx.all(
        "SELECT x.log, x.contact FROM moment_rule r CROSS JOIN reader x ON x.contact = r.contact"
        " CROSS JOIN space s ON s.log = x.log JOIN log l ON l.number = x.log"
        " WHERE (r.chats_only = 1 OR r.hide_mine = 1) AND s.contact = ? AND s.role = ? AND (l.own = 0 OR l.state != ?)"
        " ORDER BY x.log, x.contact",
        (spaces.OURS, int(Role.FEED), int(State.OK)),
    ):
        spaces.drop_reader(tx, number, contact_id)


def _lacking(tx: Tx, own: Sequence[_Own], numbers: Sequence[int]) -> list[int]:
    """The readers who may not have been told all: they are few, and looked for in one query, since each write asks.

    own: our chains; numbers: of our feeds.
    """
    everybody = next(one.number for one in own if one.tag == EVERYBODY)
    chains, logs = (", ".join(map(str, some)) for some in ([one.number for one in own], numbers))
    rows = tx.all(
        f"SELECT c.id {audience.READERS} AND ("
        " NOT EXISTS (SELECT 1 FROM moment_handed h WHERE h.chain = ? AND h.contact = c.id)"
        " OR EXISTS (SELECT 1 FROM tag t CROSS JOIN moment_own_chain o ON o.audience = t.folded"
        f" WHERE t.contact = c.id AND o.id IN ({chains})"
        " AND NOT EXISTS (SELECT 1 FROM moment_handed h WHERE h.chain = o.id AND h.contact = c.id))"
        f" OR (SELECT COUNT(*) FROM reader x WHERE x.contact = c.id AND x.log IN ({logs})) < ?"
        " OR NOT EXISTS (SELECT 1 FROM moment_met m WHERE m.contact = c.id AND length(m.devices) ="
        " ? * (SELECT COUNT(*) FROM device d WHERE d.contact = c.id AND d.revoked = 0)"
        " AND NOT EXISTS (SELECT 1 FROM device d WHERE d.contact = c.id AND d.revoked = 0"
        " AND instr(m.devices, d.device) = 0))"
        ") ORDER BY c.id",
        (everybody, len(numbers), keys.PUBLIC_BYTES),
    )
    return [contact_id for (contact_id,) in rows]


def _chains(tx: Tx, by: By, of: Space) -> list[_Own]:
    """All chains of a feed as they stand at the next place."""
    rows = tx.all("SELECT audience FROM moment_own_chain WHERE feed = ? GROUP BY audience", (of.log.id,))
    found = []
    for tag in sorted({EVERYBODY, *(tag for (tag,) in rows)}):
        known = feeds.chain(tx, by, of, tag)
        if known is not None:
            found.append(_Own(known[0], tag, _chain(tx, by, of, tag, known)))
    return found


def _chain(tx: Tx, by: By, of: Space, tag: str, known: tuple[int, bytes]) -> Chain:
    audience_id = moment.audience_id(feeds.secret(tx, by.entropy), tag)
    return Chain(audience_id, of.log.id, authoring.next_seq(tx, of), known[1], feeds.root(tx, known[0]))


def _tell(tx: Tx, by: By, contact_id: int, chains: Sequence[_Own]) -> None:
    window_s = feeds.window_s(tx)
    row = tx.one("SELECT MAX(at_ms) FROM moment_entry WHERE kind = ?", (Window.KIND,))
    window_ms = max(awaited.window_ms(tx), 0 if row is None or row[0] is None else int(row[0]))
    for start in range(0, len(chains), CHAINS_MAX):
        some = chains[start : start + CHAINS_MAX]
        by.say(tx, contact_id, Chains(tuple(one.said for one in some), window_s, window_ms))
    tx.executemany(
        "INSERT OR IGNORE INTO moment_handed (chain, contact) VALUES (?, ?)",
        [(one.number, contact_id) for one in chains],
    )


def _welcome(tx: Tx, by: By, contact_id: int, devices: bytes) -> None:
    """Tells who joins, or comes with another device, what opens what he may see of before."""
    window_s = feeds.window_s(tx)
    oldest_ms = by.now_ms - window_s * 1000 if window_s else 0
    found = _keys(tx, contact_id, oldest_ms)
    for start in range(0, len(found), KEYS_MAX):
        by.say(tx, contact_id, Keys(found[start : start + KEYS_MAX]))
    tx.execute("INSERT OR REPLACE INTO moment_met (contact, devices) VALUES (?, ?)", (contact_id, devices))


def _forget(tx: Tx, by: By) -> None:
    """What was told to who is no reader any more counts no more. Who is barred, and keeps what he has of ours, is told
    to forget it; whose account is in doubt, once it is not any more.

    Of a feed that he still has, as in doubt, the chains stay known as told: they go on, and he can follow them.
    """
    for contact_id, devices in tx.all(
        f"SELECT contact, devices FROM moment_met WHERE contact NOT IN (SELECT c.id {audience.READERS})"
    ):
        contact = people.contact(tx, contact_id)
        keeps = contact.state is ContactState.ACTIVE and devices != _NOTHING
        if keeps and not audience.may_hear(contact):
            if devices != _BEFORE:
                tx.execute("UPDATE moment_met SET devices = ? WHERE contact = ?", (_BEFORE, contact_id))
        else:
            if keeps:
                by.say(tx, contact_id, Forget())
            tx.execute("DELETE FROM moment_met WHERE contact = ?", (contact_id,))
        tx.execute(
            "DELETE FROM moment_handed WHERE contact = ? AND NOT EXISTS (SELECT 1 FROM moment_own_chain o"
            " JOIN log l ON l.id = o.feed JOIN reader x ON x.log = l.number AND x.contact = moment_handed.contact"
            " WHERE o.id = moment_handed.chain)",
            (contact_id,),
        )


def _told(tx: Tx, number: int) -> set[int]:
    return {one for (one,) in tx.all("SELECT contact FROM moment_handed WHERE chain = ?", (number,))}


def _was_told(tx: Tx, number: int, contact_id: int) -> bool:
    row = tx.one("SELECT 1 FROM moment_handed WHERE chain = ? AND contact = ?", (number, contact_id))
    return row is not None


def _devices(tx: Tx, contact_id: int) -> bytes:
    """By which the devices of a contact are told from those of before."""
    return b"".join(sorted(one.device for one in people.devices_of(tx, contact_id) if not one.revoked))


def _keys(tx: Tx, contact_id: int, oldest_ms: int) -> tuple[Key, ...]:
    """What opens all that a contact may see of what we have written: posts, and the places of our answers.

    Also the places of posts that are not for him, where it opens nothing that says anything to him: else he could tell
    by what he is not told which entries those are. Of a post for all that is older than the window nothing is told,
    however young the entry that says it: what opens its place would open the post.
    """
    seen = [
        one
        for one in view.of(tx, OURS)
        if one.at_ms >= oldest_ms and audience.is_for(audience.of(tx, one.id), contact_id)
    ]
    open_to_him = {(one.text.log, one.text.seq) for one in seen}
    answers, kinds = (", ".join(map(str, some)) for some in (ANSWERS, (*ANSWERS, Post.KIND, Replace.KIND)))
    rows = tx.all(
        f"SELECT feed, seq, wrap FROM moment_entry WHERE kind IN ({kinds}) AND at_ms >= ? AND (kind IN ({answers})"
        " OR NOT EXISTS (SELECT 1 FROM moment m JOIN moment_audience a ON a.moment = m.id"
        " WHERE m.id = moment_entry.moment AND m.at_ms < ? AND a.kind = ?)) ORDER BY kind, at_ms, id",
        (oldest_ms, oldest_ms, audience.Kind.ALL),
    )
    places = [Key(feed_id, seq, wrap) for feed_id, seq, wrap in rows if (feed_id, seq) not in open_to_him]
    return (*(Key(one.text.log, one.text.seq, one.key) for one in seen), *places)
