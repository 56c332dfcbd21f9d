"""Our own feeds, and the chains of their audiences; what every step of a transaction knows of who writes and when.

Each function is one step of a transaction. What is written: writing.py; who is told which chain: handing.py.
"""

from dataclasses import dataclass, field
from typing import Any

from crypto.keys import Entropy
from features.moments import audience
from features.moments.faults import FeedStopped
from node import speech
from protocol import moment
from protocol.grant import Role
from protocol.log import EPOCH_MAX
from store import authoring, logs, spaces, windows
from store.database import Tx
from store.identity import Identity
from store.logs import State
from store.spaces import Space

NAME = "moments"
EVERYBODY = ""  # as an audience: all contacts


@dataclass(frozen=True, slots=True)
class By:
    """Who writes, when, and with which entropy: of logs and of messages. here: the contacts who are connected; told:
    those to whom something was said."""

    me: Identity
    now_ms: int
    entropy: Entropy
    message: Entropy
    here: frozenset[int] = frozenset()
    told: set[int] = field(default_factory=set)

    def say(self, tx: Tx, contact_id: int, *contents: Any) -> None:
        """Posts contents to a contact."""
        self.told.add(contact_id)
        speech.say(tx, contact_id, contents, self.now_ms, self.message)


def secret(tx: Tx, entropy: Entropy) -> bytes:
    """What the keys of our own posts are made of; drawn once."""
    row = tx.one("SELECT secret FROM moment_self")
    if row is None:
        row = (entropy(moment.KEY_BYTES),)
        tx.execute("INSERT INTO moment_self (id, secret, window_s) VALUES (1, ?, 0)", row)
    return bytes(row[0])


def every(tx: Tx) -> tuple[Space, ...]:
    """The feeds of our own devices, in the order in which they began."""
    return spaces.of_role(tx, spaces.OURS, Role.FEED)


def newest(tx: Tx, me: Identity) -> Space | None:
    """The feed of this device that goes on, if there is one."""
    found = [one for one in every(tx) if one.log.own and one.log.author == me.device]
    return found[-1] if found and found[-1].log.state is State.OK else None


def feed(tx: Tx, by: By) -> Space:
    """The feed of this device, which begins when it is first needed. Raises: FeedStopped."""
    found = newest(tx, by.me)
    if found is not None:
        return found
    before = every(tx)
    if before and before[-1].log.state is State.FROZEN and before[-1].log.author == by.me.device:
        raise FeedStopped
    readers = audience.readers(tx)
    anchor = (
        max(readers, key=lambda one: (one.id in by.here, one.seen_ms, -one.id)).account if readers else by.me.account
    )
    epoch = int.from_bytes(by.entropy(8), "big") & EPOCH_MAX if before else 0
    draw, previous = by.entropy(authoring.SECRET_BYTES), before[-1].log.number if before else 0
    me = by.me.device
    numbers = [one.id for one in readers]
    return spaces.begin(tx, me, Role.FEED, NAME, draw, epoch, anchor, numbers, previous, by.now_ms)


def chain(tx: Tx, by: By, of: Space, tag: str) -> tuple[int, bytes] | None:
    """The chain of an audience as it stands at the next place, and its row; None where a tag has none yet.

    That of all contacts begins with the log. What is kept is where it stood when the newest published entry came, since
    those behind it may be taken back.
    """
    at, known = authoring.next_seq(tx, of), (of.log.id, tag)
    row = tx.one(
        "SELECT id, seq, chain FROM moment_own_chain WHERE feed = ? AND audience = ? ORDER BY id DESC LIMIT 1", known
    )
    if row is None:
        if tag != EVERYBODY:
            return None
        own = secret(tx, by.entropy)
        first, root = moment.first_chain(own, of.log.id), moment.first_root(own, of.log.id)
        row = (begin_chain(tx, of, tag, 0, first, root), 0, first)
    number, seq, key = row
    if at < seq and tag != EVERYBODY:  # it began behind what was taken back since: it does not lead here
        return None
    settled = max(seq, min(at, logs.log(tx, of.log.number).published + 1))
    if settled > seq:
        key = moment.stepped(key, settled - seq)
        tx.execute("UPDATE moment_own_chain SET seq = ?, chain = ? WHERE id = ?", (settled, key, number))
    return number, moment.stepped(key, at - settled)


def root(tx: Tx, number: int) -> bytes:
    """The root of a chain of ours, by its row."""
    row = tx.one("SELECT root FROM moment_own_chain WHERE id = ?", (number,))
    assert row is not None
    return bytes(row[0])


def begin_chain(tx: Tx, of: Space, tag: str, seq: int, key: bytes, root: bytes) -> int:
    """A new chain of an audience from this place on; returns its row."""
    return tx.insert(
        "INSERT INTO moment_own_chain (feed, audience, seq, chain, root) VALUES (?, ?, ?, ?, ?)",
        (of.log.id, tag, seq, key, root),
    )


def window_s(tx: Tx) -> int:
    """How old what others see may be, 0 for any age."""
    row = tx.one("SELECT window_s FROM moment_self")
    return 0 if row is None else int(row[0])


def limit(tx: Tx, contact_id: int, seconds: int) -> None:
    """From now on only what is younger than this is given of the feeds of a contact, or of ours (0); 0 s: all of it."""
    for one in spaces.of_role(tx, contact_id, Role.FEED):
        if windows.of(tx, one.log.number) != seconds * 1000:
            windows.limit(tx, one.log.number, seconds * 1000)
