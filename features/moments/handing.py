"""Who is told which keys of ours: chains where they stand, and what opens what was before, to who joins.

    a reader of our feed ──> its grant, the chain of all contacts, those of his tags; once: what he may see of before
    no reader any more   ──> nothing of it is known as told: when he comes again he is somebody who joins

All of it is compared with the database, so it is found again after a restart. docs/protocol/moments.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from features.moments import audience, feeds, view
from features.moments.content import CHAINS_MAX, KEYS_MAX, Chain, Chains, Comment, Hide, Key, Keys, Like
from features.moments.feeds import EVERYBODY, By
from features.moments.view import OURS
from protocol import moment
from store import authoring, people, remarks, spaces
from store.database import Tx
from store.logs import State
from store.people import Contact
from store.spaces import Space

ANSWERS = (Comment.KIND, Like.KIND, Hide.KIND)


@dataclass(frozen=True, slots=True)
class _Own:
    """A chain of ours at the next place. number: its row."""

    number: int
    tag: str
    said: Chain


def hand(tx: Tx, by: By) -> None:
    """Lets all readers have our feed, and tells them what they were not told."""
    readers = audience.readers(tx)
    _forget(tx, readers)
    of = feeds.newest(tx, by.me)
    if of is None:
        return
    for one in feeds.every(tx):
        known = set(spaces.readers(tx, one.log.number))
        for contact in readers:
            if contact.id not in known:
                spaces.add_reader(tx, one.log.number, contact.id)
    if window_s := feeds.window_s(tx):
        feeds.limit(tx, spaces.OURS, window_s)
    own = _chains(tx, by, of)
    tags = {contact_id: {one.casefold() for one in marks.tags} for contact_id, marks in remarks.everybody(tx).items()}
    handed = set(tx.all("SELECT chain, contact FROM moment_handed"))
    met: dict[int, bytes] = dict(tx.all("SELECT contact, devices FROM moment_met"))
    for contact in readers:
        devices = _devices(tx, contact)
        is_new = met.get(contact.id) != devices
        mine = [one for one in own if one.tag == EVERYBODY or one.tag in tags.get(contact.id, ())]
        lacks = [one for one in mine if is_new or (one.number, contact.id) not in handed]
        if lacks:
            _tell(tx, by, contact.id, lacks)
        if is_new:
            _welcome(tx, by, contact, devices)


def anew(tx: Tx) -> None:
    """All readers are told once more what opens what they may see of before: it is more than it was."""
    tx.execute("DELETE FROM moment_met")


def hand_tags(tx: Tx, by: By, of: Space, tags: Sequence[str]) -> Sequence[bytes]:
    """The chains of these tags at the next place, known to all who have the tag and to nobody else.

    Where somebody was told the chain who has the tag no more, it begins anew: so a tag that is changed ten times
    between two posts costs once.
    """
    readers = {one.id for one in audience.readers(tx)}
    found = []
    for tag in tags:
        members = readers & set(remarks.tagged(tx, tag))
        known = feeds.chain(tx, by, of, tag)
        told = set() if known is None else _told(tx, known[0])
        if known is None or not told <= members:
            drawn = by.entropy(moment.KEY_BYTES)
            known, told = (feeds.begin_chain(tx, of, tag, authoring.next_seq(tx, of), drawn), drawn), set()
        said = _chain(tx, by, of, tag, known[1])
        for contact_id in sorted(members - told):
            _tell(tx, by, contact_id, [_Own(known[0], tag, said)])
        found.append(known[1])
    return found


def barred(tx: Tx) -> dict[int, frozenset[int]]:
    """Our feeds that go on, by number, with readers who shall read on no more: before that nothing is written."""
    allowed = {one.id for one in audience.readers(tx)}
    found = {}
    for one in feeds.every(tx):
        if one.log.own and one.log.state is State.OK:
            out = (people.contact(tx, reader) for reader in spaces.readers(tx, one.log.number) if reader not in allowed)
            gone = frozenset(contact.id for contact in out if audience.is_out(tx, contact))
            if gone:
                found[one.log.number] = gone
    return found


def _chains(tx: Tx, by: By, of: Space) -> list[_Own]:
    """All chains of a feed as they stand."""
    rows = tx.all("SELECT DISTINCT audience FROM moment_own_chain WHERE feed = ?", (of.log.id,))
    found = []
    for tag in sorted({EVERYBODY, *(tag for (tag,) in rows)}):
        known = feeds.chain(tx, by, of, tag)
        assert known is not None
        found.append(_Own(known[0], tag, _chain(tx, by, of, tag, known[1])))
    return found


def _chain(tx: Tx, by: By, of: Space, tag: str, key: bytes) -> Chain:
    audience_id = moment.audience_id(feeds.secret(tx, by.entropy), tag)
    return Chain(audience_id, of.log.id, authoring.next_seq(tx, of), key)


def _tell(tx: Tx, by: By, contact_id: int, chains: Sequence[_Own]) -> None:
    window_s = feeds.window_s(tx)
    for start in range(0, len(chains), CHAINS_MAX):
        some = chains[start : start + CHAINS_MAX]
        by.say(tx, contact_id, Chains(tuple(one.said for one in some), window_s))
    tx.executemany(
        "INSERT OR IGNORE INTO moment_handed (chain, contact) VALUES (?, ?)",
        [(one.number, contact_id) for one in chains],
    )


def _welcome(tx: Tx, by: By, contact: Contact, devices: bytes) -> None:
    """Tells who joins, or comes with another device, what opens what he may see of before."""
    window_s = feeds.window_s(tx)
    oldest_ms = by.now_ms - window_s * 1000 if window_s else 0
    keys = _keys(tx, contact.id, oldest_ms)
    for start in range(0, len(keys), KEYS_MAX):
        by.say(tx, contact.id, Keys(keys[start : start + KEYS_MAX]))
    tx.execute("INSERT OR REPLACE INTO moment_met (contact, devices) VALUES (?, ?)", (contact.id, devices))


def _forget(tx: Tx, readers: Iterable[Contact]) -> None:
    """What was told to who is no reader any more counts no more."""
    ids = {one.id for one in readers}
    for (contact_id,) in tx.all("SELECT contact FROM moment_met"):
        if contact_id not in ids:
            tx.execute("DELETE FROM moment_met WHERE contact = ?", (contact_id,))
            tx.execute("DELETE FROM moment_handed WHERE contact = ?", (contact_id,))


def _told(tx: Tx, number: int) -> set[int]:
    return {one for (one,) in tx.all("SELECT contact FROM moment_handed WHERE chain = ?", (number,))}


def _devices(tx: Tx, contact: Contact) -> bytes:
    """By which the devices of a contact are told from those of before."""
    return b"".join(sorted(one.device for one in people.devices_of(tx, contact.id) if not one.revoked))


def _keys(tx: Tx, contact_id: int, oldest_ms: int) -> tuple[Key, ...]:
    """What opens all that a contact may see of what we have written: posts, and the places of our answers."""
    found = [
        Key(one.text.log, one.text.seq, one.key)
        for one in view.of(tx, OURS)
        if one.at_ms >= oldest_ms and audience.is_for(audience.of(tx, one.id), contact_id)
    ]
    kinds = ", ".join(map(str, ANSWERS))
    rows = tx.all(
        f"SELECT feed, seq, wrap FROM moment_entry WHERE kind IN ({kinds}) AND at_ms >= ? ORDER BY id", (oldest_ms,)
    )
    return (*found, *(Key(feed_id, seq, wrap) for feed_id, seq, wrap in rows))
