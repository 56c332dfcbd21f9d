"""What contacts said about keeping for each other, and what is still to be done about it.

    offers:  WANTED ──permit, said──> SAID ──he left──> LEFT ──he asks──> WANTED
                                       └──taken back──> UNWANTED ──revoked──> ENDED

The keepers themselves are rows of store/keepers.py; here are our own offers, and words that wait for an answer. What
is kept for others is the keeper's (node/keep).
"""

from collections.abc import Container
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, assert_never

from crypto import keys
from features.keepers.content import Asked, Left, Offer
from store import keeper_words, keepers, pairs, people
from store.database import Migration, Tx
from store.inbox import Arrival
from store.keepers import Keeper

MIGRATIONS = (
    Migration(
        "offers",
        1,
        """
        CREATE TABLE keeper_offer (
          contact INTEGER NOT NULL PRIMARY KEY, state INTEGER NOT NULL, permit BLOB NOT NULL, find BLOB NOT NULL,
          space INTEGER NOT NULL, ttl_s INTEGER NOT NULL, version INTEGER NOT NULL, since_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE keeper_word (
          contact INTEGER NOT NULL, word INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (contact, word)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE keeper_back (contact INTEGER NOT NULL PRIMARY KEY, kept BLOB NOT NULL) STRICT;
        """,
    ),
)
CHANGED = "keepers.offers"  # topic of changes; the key is the contact
TTL_S = 30 * 86_400  # how long we keep for a contact: as long as his contacts wait for a receipt
AGAIN_MS = 86_400_000
NOTHING = bytes(32)  # in place of a permit that was taken back
_COLUMNS = "contact, state, permit, find, space, ttl_s, version, since_ms"

Content = Offer | Asked | Left


class State(IntEnum):
    """How far an offer of ours is. The numbers are stored."""

    WANTED = 0  # to get a permit, and to be said
    SAID = 1
    LEFT = 2  # he needs it no more: his permit is to be taken back, and made anew when he asks
    UNWANTED = 3  # we keep no more: his permit is to be taken back
    ENDED = 4
    FREE = 5  # as LEFT, and nothing is here for him


class Word(IntEnum):
    """What was said and waits. The numbers are stored."""

    ASKS = 0  # the contact asks us
    ASKED = 1  # we asked him: his next offer is taken
    STOPPED = 2  # the person wants him no more: his next offer is not taken by itself
    ENDED = 3  # he keeps no more: others are to be told where we can be left mail now
    AGAIN = 4  # we asked him for his offer again, since he knows another permit


@dataclass(frozen=True, slots=True)
class Given:
    """An offer of ours. space: bytes; since_ms: of the first time that it was made."""

    contact: int
    state: State
    permit: bytes = field(repr=False)
    find: bytes = field(repr=False)
    space: int
    ttl_s: int
    version: int
    since_ms: int

    @property
    def said(self) -> Offer:
        """The offer as its reader gets it."""
        return Offer(self.permit, self.space, self.ttl_s, self.find, self.version)


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Takes in what a contact says; returns what to answer."""
    said: Content = arrival.said.content
    contact_id, now_ms = arrival.contact.id, arrival.now_ms
    match said:
        case Offer():
            _offered(tx, contact_id, said, now_ms)
            return ()
        case Asked():
            return _asked(tx, contact_id, now_ms)
        case Left():
            unnote(tx, contact_id, Word.ASKS)
            one = given(tx, contact_id)
            if one is not None and one.state in (State.WANTED, State.SAID):
                _put(tx, replace(one, state=State.LEFT, version=_version(one, now_ms)))
            return ()
        case _:
            assert_never(said)


def _offered(tx: Tx, contact_id: int, said: Offer, now_ms: int) -> None:
    """Keeps an offer; one that takes another back, or is too brief to be used, ends what was used."""
    before = keepers.of_contact(tx, contact_id)
    now = _keep(tx, contact_id, said, now_ms)
    if now is not None and now.is_brief and now.state is keepers.State.USED:
        keepers.forget(tx, now.id)  # as if he had never been used: a longer one is taken again
        _keep(tx, contact_id, said, now_ms)
        note(tx, contact_id, Word.ENDED, now_ms)
    elif before is not None and keepers.of_contact(tx, contact_id) is None:
        note(tx, contact_id, Word.ENDED, now_ms)


def _keep(tx: Tx, contact_id: int, said: Offer, now_ms: int) -> Keeper | None:
    return keepers.offered(tx, contact_id, said.permit, said.find, said.space, said.ttl_s, said.version, now_ms)


def _asked(tx: Tx, contact_id: int, now_ms: int) -> tuple[Any, ...]:
    """Who has our offer hears it again: he may have lost it. Who left it gets a new permit; others wait for us."""
    one = given(tx, contact_id)
    if one is None or one.state in (State.UNWANTED, State.ENDED):
        note(tx, contact_id, Word.ASKS, now_ms)
        return ()
    if one.state is State.SAID:
        return (_put(tx, replace(one, version=_version(one, now_ms))).said,)
    _set_state(tx, one, State.WANTED)
    return ()


# --- our offers


def offer(tx: Tx, contact_id: int, space: int, now_ms: int, version_min: int = 0) -> None:
    """An offer is to be made to a contact, or made anew with another space."""
    before = given(tx, contact_id)
    goes_on = before is not None and before.state not in (State.UNWANTED, State.ENDED)
    version = max(version_min, _version(before, now_ms))
    since_ms = before.since_ms if before is not None and goes_on else now_ms
    _put(tx, Given(contact_id, State.WANTED, NOTHING, NOTHING, space, TTL_S, version, since_ms))
    unnote(tx, contact_id, Word.ASKS)


def renew(tx: Tx, there: Container[int], now_ms: int) -> None:
    """Has offers made anew whose permits are not there any more. there: the contacts who have one."""
    for one in all_given(tx, State.SAID):
        if one.contact not in there:
            offer(tx, one.contact, one.space, now_ms)


def offered(tx: Tx, wanted: Given, permit: bytes, find: bytes, now_ms: int) -> Given | None:
    """The offer as it is to be said, now that there is a permit; None where it was changed meanwhile."""
    if given(tx, wanted.contact) != wanted:
        return None
    version = _version(wanted, now_ms)
    return _put(tx, replace(wanted, state=State.SAID, permit=permit, find=find, version=version))


def withdraw(tx: Tx, one: Given, now_ms: int) -> Offer:
    """We keep for this contact no more; returns what he is told."""
    ended = replace(one, state=State.UNWANTED, permit=NOTHING, find=NOTHING, space=0, ttl_s=0)
    return _put(tx, replace(ended, version=_version(one, now_ms))).said


def revoked(tx: Tx, before: Given) -> None:
    """The permit is taken back; an offer that somebody only left can be taken up again."""
    if given(tx, before.contact) == before:
        _set_state(tx, before, State.FREE if before.state is State.LEFT else State.ENDED)


def given(tx: Tx, contact_id: int) -> Given | None:
    """Our offer to this contact."""
    row = tx.one(f"SELECT {_COLUMNS} FROM keeper_offer WHERE contact = ?", (contact_id,))
    return None if row is None else _given(row)


def all_given(tx: Tx, *states: State) -> tuple[Given, ...]:
    """Our offers that are in one of these states."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM keeper_offer ORDER BY contact")
    return tuple(one for one in map(_given, rows) if one.state in states)


def epoch(tx: Tx) -> int:
    """Rises whenever somebody has an offer of ours no more: who had it is not to find us by what comes afterwards."""
    ended = all_given(tx, State.LEFT, State.FREE, State.UNWANTED, State.ENDED)
    return max((one.version for one in ended), default=0)


# --- words


def note(tx: Tx, contact_id: int, word: Word, now_ms: int) -> None:
    """Keeps that this was said."""
    tx.execute(
        "INSERT INTO keeper_word (contact, word, at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (contact_id, int(word), now_ms),
    )
    tx.changed(CHANGED, contact_id)


def unnote(tx: Tx, contact_id: int, word: Word) -> None:
    """It waits no more."""
    if tx.execute("DELETE FROM keeper_word WHERE contact = ? AND word = ?", (contact_id, int(word))).rowcount:
        tx.changed(CHANGED, contact_id)


def noted(tx: Tx, word: Word) -> dict[int, int]:
    """Who has said this, or was told it, and when (ms)."""
    rows = tx.all("SELECT contact, at_ms FROM keeper_word WHERE word = ? ORDER BY at_ms, contact", (int(word),))
    return {int(contact_id): int(at_ms) for contact_id, at_ms in rows}


def asking(tx: Tx) -> tuple[str, ...]:
    """The names of those who ask us to keep for them."""
    return tuple(people.contact(tx, contact_id).name for contact_id in noted(tx, Word.ASKS))


def take_back(tx: Tx) -> tuple[tuple[int, bytes], ...]:
    """What a backup brought, by contact; it is there once."""
    rows = tx.all("SELECT contact, kept FROM keeper_back ORDER BY contact")
    tx.execute("DELETE FROM keeper_back")
    return tuple((contact_id, kept) for contact_id, kept in rows)


def put_back(tx: Tx, contact_id: int, kept: bytes) -> None:
    """Keeps what a backup brought."""
    tx.execute("INSERT INTO keeper_back (contact, kept) VALUES (?, ?)", (contact_id, kept))


# --- what is done without being asked


def take_offers(tx: Tx, by_itself: bool, entropy: keys.Entropy) -> int:
    """Uses offers that we asked for and, by_itself, all others, up to three; returns how many."""
    count = 0
    asked, stopped = noted(tx, Word.ASKED), noted(tx, Word.STOPPED)
    for one in keepers.known(tx):
        wanted = one.contact in asked or (by_itself and one.contact not in stopped)
        if one.contact == keepers.OWN or one.state is not keepers.State.OFFERED or one.is_brief or not wanted:
            continue
        if len(keepers.used(tx)) == keepers.USED_MAX:
            break
        keepers.use(tx, one.id, entropy(32))
        unnote(tx, one.contact, Word.ASKED)
        count += 1
    return count


def ask_again(tx: Tx, now_ms: int) -> tuple[int, ...]:
    """The contacts who are to be asked for their offers again, once a day at most.

    They know another permit than we do: our disk was put back, and has forgotten their last offer.
    """
    asked, found = noted(tx, Word.AGAIN), []
    for one in keepers.used(tx):
        is_due = abs(now_ms - asked.get(one.contact, -AGAIN_MS)) >= AGAIN_MS
        if one.contact != keepers.OWN and one.fault == keeper_words.ANOTHER and is_due:
            unnote(tx, one.contact, Word.AGAIN)
            note(tx, one.contact, Word.AGAIN, now_ms)
            found.append(one.contact)
    return tuple(found)


def part(tx: Tx, one: Keeper) -> None:
    """A contact keeps for us no more: he deletes what he has when he hears it, so there is nothing to close there."""
    keepers.leave(tx, one.id, keepers.State.LEFT)
    keepers.forget_queues(tx, [queue.id for queue in keepers.queues(tx, one.id)])
    keepers.ended(tx, one.id)


def let_go(tx: Tx, now_ms: int) -> bool:
    """Ends what was agreed with contacts who are none any more, who are told nothing; whether fewer keep for us now."""
    ended = noted(tx, Word.ENDED)
    for contact_id in ended:
        unnote(tx, contact_id, Word.ENDED)
    is_less = bool(ended)
    for one in keepers.known(tx):
        is_left = one.state in (keepers.State.LEFT, keepers.State.DECLINED)
        if one.contact != keepers.OWN and not is_left and _is_closed(tx, one.contact):
            part(tx, one)
            is_less = True
    for given_ in all_given(tx, State.WANTED, State.SAID, State.LEFT, State.FREE):
        if _is_closed(tx, given_.contact):
            withdraw(tx, given_, now_ms)
    for word in (Word.ASKS, Word.ASKED):
        for contact_id in noted(tx, word):
            if _is_closed(tx, contact_id):
                unnote(tx, contact_id, word)
    return is_less


def _is_closed(tx: Tx, contact_id: int) -> bool:
    return people.contact(tx, contact_id).state in pairs.CLOSED


def _version(before: Given | None, now_ms: int) -> int:
    """Above what was said before, also by a device that was lost: it counts on from the time."""
    return max(now_ms, 0 if before is None else before.version + 1)


def _set_state(tx: Tx, one: Given, state: State) -> None:
    tx.execute("UPDATE keeper_offer SET state = ? WHERE contact = ?", (int(state), one.contact))
    tx.changed(CHANGED, one.contact)


def _put(tx: Tx, one: Given) -> Given:
    tx.execute(
        f"INSERT OR REPLACE INTO keeper_offer ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (one.contact, int(one.state), one.permit, one.find, one.space, one.ttl_s, one.version, one.since_ms),
    )
    tx.changed(CHANGED, one.contact)
    return one


def _given(row: tuple[Any, ...]) -> Given:
    contact_id, state, *rest = row
    return Given(contact_id, State(state), *rest)
