"""For whom a moment is, and who may see it now: the rules, without keys.

Whom a post is for is frozen when it is posted: all contacts, also later ones; nobody; these; all but these. What holds
with a contact (chats only, hidden from him) and whether he is a contact at all counts at once and backwards. Not here:
how it is enforced (handing.py, reading.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from features.moments import view
from features.moments.faults import BadAudience, UnknownAudience
from features.moments.shown import Rule
from protocol.faults import quoted
from store import people, remarks
from store.database import Tx
from store.faults import UnknownContact
from store.people import STOPS, Contact, ContactState

ALL, PRIVATE = "all", "private"
TAG = "#"  # before the name of a tag, where a contact is called the same
_NO_RULE = (0, 0, 0)
READERS = (
    "FROM contact c LEFT JOIN moment_rule r ON r.contact = c.id"
    f" WHERE c.state = {int(ContactState.ACTIVE)} AND c.alarm != '{STOPS}'"
    " AND COALESCE(r.chats_only, 0) = 0 AND COALESCE(r.hide_mine, 0) = 0"
)


class Kind(IntEnum):
    """How a list of readers is meant. The numbers are stored."""

    ALL = 0
    PRIVATE = 1
    THESE = 2
    ALL_BUT = 3


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a post is for. contacts: of a list, those that were meant when it was posted. tags: folded, where tags alone
    were named, for THESE; words: as a person reads it."""

    kind: Kind
    contacts: frozenset[int] = frozenset()
    tags: tuple[str, ...] = ()
    words: str = ALL


def chosen(tx: Tx, to: Sequence[str] | None, excepted: Sequence[str] | None) -> Audience:
    """The audience that a person names. Raises: BadAudience, UnknownAudience, AmbiguousContact."""
    named = [one.strip() for one in to or () if one.strip()]
    if (named and excepted) or (to and not named):  # who names somebody does not mean all
        raise BadAudience
    if excepted:
        contacts, _, words = _resolved(tx, excepted)
        return Audience(Kind.ALL_BUT, contacts, (), f"all but {words}")
    if not named or named == [ALL]:
        return Audience(Kind.ALL)
    if named == [PRIVATE]:
        return Audience(Kind.PRIVATE, words=PRIVATE)
    if {ALL, PRIVATE} & {one.lower() for one in named}:
        raise BadAudience
    contacts, tags, words = _resolved(tx, named)
    return Audience(Kind.THESE, contacts, tags, words)


def keep(tx: Tx, moment: int, audience: Audience) -> None:
    """Freezes whom a post of ours is for."""
    tx.execute(
        "INSERT INTO moment_audience (moment, kind, words) VALUES (?, ?, ?)", (moment, audience.kind, audience.words)
    )
    tx.executemany(
        "INSERT INTO moment_listed (moment, contact) VALUES (?, ?)",
        [(moment, one) for one in sorted(audience.contacts)],
    )


def of(tx: Tx, moment: int) -> Audience:
    """Whom a post of ours is for. Of the tags that were named nothing is kept."""
    row = tx.one("SELECT kind, words FROM moment_audience WHERE moment = ?", (moment,))
    if row is None:
        return Audience(Kind.PRIVATE, words=PRIVATE)
    rows = tx.all("SELECT contact FROM moment_listed WHERE moment = ?", (moment,))
    return Audience(Kind(row[0]), frozenset(one for (one,) in rows), (), row[1])


def is_for(audience: Audience, contact_id: int) -> bool:
    """Whether a post is for a contact, whatever else holds with him."""
    match audience.kind:
        case Kind.ALL:
            return True
        case Kind.PRIVATE:
            return False
        case Kind.THESE:
            return contact_id in audience.contacts
        case Kind.ALL_BUT:
            return contact_id not in audience.contacts


def may_see(tx: Tx, moment: int, contact: Contact) -> bool:
    """Whether a contact may see a post of ours now, whatever its age."""
    return is_for(of(tx, moment), contact.id) and not is_out(tx, contact)


def readers(tx: Tx) -> tuple[Contact, ...]:
    """The contacts who may have our feed now."""
    return tuple(people.contact(tx, one) for one in reader_ids(tx))


def reader_ids(tx: Tx) -> tuple[int, ...]:
    """As `readers`, by their rows."""
    return tuple(one for (one,) in tx.all(f"SELECT c.id {READERS} ORDER BY c.id"))


def may_hear(contact: Contact) -> bool:
    """Whether a contact can be told anything now."""
    return contact.state is ContactState.ACTIVE and contact.alarm != STOPS


def is_barred(one: Rule) -> bool:
    """Whether what holds with a contact keeps him from seeing our moments."""
    return one.chats_only or one.hide_mine


def is_out(tx: Tx, contact: Contact) -> bool:
    """Whether a contact who had our feed shall not have it: he is none any more, or that is ruled. Of somebody whose
    account is in doubt nothing is decided."""
    return contact.state is not ContactState.ACTIVE or is_barred(rule(tx, contact))


def rule(tx: Tx, contact: Contact) -> Rule:
    """What holds with a contact."""
    row = tx.one("SELECT chats_only, hide_mine, hide_theirs FROM moment_rule WHERE contact = ?", (contact.id,))
    chats_only, hide_mine, hide_theirs = row or _NO_RULE
    return Rule(contact.name, bool(chats_only), bool(hide_mine), bool(hide_theirs))


def rules(tx: Tx) -> tuple[Rule, ...]:
    """What holds with those with whom anything holds."""
    rows = tx.all("SELECT contact FROM moment_rule WHERE chats_only + hide_mine + hide_theirs > 0 ORDER BY contact")
    return tuple(rule(tx, people.contact(tx, one)) for (one,) in rows)


def set_rule(tx: Tx, contact_id: int, one: Rule) -> None:
    """From now on this holds with a contact."""
    tx.execute(
        "INSERT OR REPLACE INTO moment_rule (contact, chats_only, hide_mine, hide_theirs) VALUES (?, ?, ?, ?)",
        (contact_id, int(one.chats_only), int(one.hide_mine), int(one.hide_theirs)),
    )
    tx.changed(view.RULES, contact_id)


def _resolved(tx: Tx, names: Sequence[str]) -> tuple[frozenset[int], tuple[str, ...], str]:
    """The contacts that are meant by names and tags; the tags, folded, where there are tags alone; and in words."""
    found: set[int] = set()
    tags, words = [], []
    for name in dict.fromkeys(one.strip() for one in names):
        folded = name.removeprefix(TAG).casefold()
        tagged = remarks.tagged(tx, folded)
        contact = None if name.startswith(TAG) else _contact(tx, name, is_whole=bool(tagged))
        if contact is not None:
            found.add(contact.id)
            words.append(contact.name)
        elif tagged:
            found.update(tagged)
            tags.append(folded)
            words.append(name)
        else:
            raise UnknownAudience(f"No tag and no contact is called {quoted(name)}; nothing was posted.")
    return frozenset(found), tuple(tags) if len(tags) == len(words) else (), ", ".join(words)


def _contact(tx: Tx, name: str, is_whole: bool) -> Contact | None:
    """The contact of this name. is_whole: not one whose name only begins like this, because a tag is called so."""
    try:
        found = people.find_contact(tx, name)
    except UnknownContact:
        return None
    names = {found.name.casefold(), remarks.of(tx, found.id).remark.casefold()}
    return found if not is_whole or name.casefold() in names else None
