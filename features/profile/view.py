"""How we and our contacts present ourselves, as rows: the newest profile of each, and whom ours was told.

    set ──> own profile, version + 1        told(contact) < version ──> said again, in place of what was not read yet

Of each profile, ours to a contact and his to us, only the newest is kept, also as a message. Not here: remarks and tags
(store/remarks.py).
"""

from dataclasses import dataclass
from typing import assert_never

from crypto.faults import Malformed
from features.profile.content import CARDS_MAX, DEGREE, LOCATIONS_MAX, ContactCard, Location, Profile
from protocol import ids, record, webp, wire
from protocol.delivery import State
from protocol.faults import PeerFault
from store import people, remarks, superseded
from store.database import Migration, Row, Tx
from store.inbox import Arrival
from store.people import ContactState
from store.remarks import Marks

CHANGED = "profile.changed"  # a topic: its key is the contact whose profile is another, 0 for ours
CARDS = "profile.cards"  # a topic: its key is the row of a card
NOTE_BYTES_MAX = 4096
PLACE_FIELDS = 5  # of a Location: all but how it came
SAME_MAX = 8  # cards of one account that one contact has sent
TOLD_AT_ONCE = 16  # profiles of up to 34 KB in one transaction
LOCATIONS = "profile.locations"  # a topic: its key is the row of a place
_MESSAGE = "COALESCE((SELECT message_id FROM message WHERE seq = message), x'')"
_LOCATION = f"id, contact, mine, {_MESSAGE}, latitude, longitude, accuracy_m, label, at_ms"
_CARD = f"id, contact, account, name, at_ms, {_MESSAGE}"

MIGRATIONS = (
    Migration(
        "profile",
        1,
        """
        CREATE TABLE own_profile (
          id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL,
          photo BLOB NOT NULL, set_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE profile_told (
          contact INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, message INTEGER NOT NULL,
          device INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE profile (
          contact INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL,
          photo BLOB NOT NULL, message INTEGER NOT NULL, at_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE card_received (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, account BLOB NOT NULL, name TEXT NOT NULL,
          at_ms INTEGER NOT NULL, message INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX card_account ON card_received (contact, account, id);
        CREATE INDEX card_message ON card_received (message);
        CREATE TABLE location (
          id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, mine INTEGER NOT NULL, latitude INTEGER NOT NULL,
          longitude INTEGER NOT NULL, accuracy_m INTEGER NOT NULL, label TEXT NOT NULL, at_ms INTEGER NOT NULL,
          message INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX location_message ON location (message);
        CREATE INDEX location_contact ON location (contact, id);
        """,
    ),
)


class Stale(PeerFault):
    """A profile came that is not newer than the one we have; it was dropped."""


@dataclass(frozen=True, slots=True)
class Known:
    """A profile. photo: b"" for none. at_ms: when it was set, or came."""

    version: int
    name: str
    about: str
    photo: bytes
    at_ms: int

    @property
    def said(self) -> Profile:
        """As it is said."""
        return Profile(self.version, self.name, self.about, self.photo or None)


@dataclass(frozen=True, slots=True)
class Received:
    """A card that a contact sent us. message: the id of its line."""

    id: int
    contact: int
    account: ids.AccountId
    name: str
    at_ms: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """A place that was sent, by us where it is ours. message: the id of its line."""

    id: int
    contact: int
    mine: bool
    message: bytes
    said: Location


@dataclass(frozen=True, slots=True)
class CardLine:
    """A card in a conversation. claims: what its sender calls the account; known: our name for it, "" for none."""

    claims: str
    account: str
    known: str


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """A place in a conversation. latitude, longitude: decimal degrees; accuracy_m: 0 where nobody says; geo: a URI."""

    latitude: str
    longitude: str
    accuracy_m: int
    label: str
    at_ms: int
    geo: str


def apply(tx: Tx, arrival: Arrival) -> tuple[()]:
    """Takes in a newer profile of a contact. Raises: Stale, NotWebp; before anything is written."""
    fold(tx, arrival.contact.id, arrival.seq, arrival.said.content, arrival.now_ms)
    return ()


def fold(tx: Tx, contact_id: int, message: int, said: Profile | ContactCard | Location, now_ms: int) -> None:
    """Takes in what a message in this row says: a newer profile, or a card or place, which are lines of a chat.

    Raises: Stale, NotWebp; before anything is written.
    """
    match said:
        case Profile():
            take(tx, contact_id, message, said, now_ms)
        case ContactCard():
            _take_card(tx, contact_id, message, said, now_ms)
        case Location():
            keep_location(tx, contact_id, message, said, mine=False)
        case _:
            assert_never(said)


def _take_card(tx: Tx, contact_id: int, message: int, said: ContactCard, now_ms: int) -> None:
    """Keeps a card; of too many accounts of one contact's cards the oldest is dropped.

    Of one account some are kept, so that the card stays as long as one of the lines that have it.
    """
    row = tx.insert(
        "INSERT INTO card_received (contact, account, name, at_ms, message) VALUES (?, ?, ?, ?, ?)",
        (contact_id, said.account, said.name, now_ms, message),
    )
    tx.execute(
        "DELETE FROM card_received WHERE contact = ?1 AND account = ?2 AND id <= (SELECT id FROM card_received"
        " WHERE contact = ?1 AND account = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
        (contact_id, said.account, SAME_MAX),
    )
    tx.execute(
        "DELETE FROM card_received WHERE contact = ?1 AND account IN (SELECT account FROM card_received"
        " WHERE contact = ?1 GROUP BY account ORDER BY MAX(id) DESC LIMIT -1 OFFSET ?2)",
        (contact_id, CARDS_MAX),
    )
    tx.changed(CARDS, row)


def cards(tx: Tx) -> tuple[Received, ...]:
    """The cards that came, the newest first; of an account the newest of each contact."""
    newest = "SELECT MAX(id) FROM card_received GROUP BY contact, account"
    rows = tx.all(f"SELECT {_CARD} FROM card_received WHERE id IN ({newest}) ORDER BY id DESC")
    return tuple(Received(*row) for row in rows)


def card(tx: Tx, card_id: int) -> Received | None:
    """The card in this row."""
    row = tx.one(f"SELECT {_CARD} FROM card_received WHERE id = ?", (card_id,))
    return None if row is None else Received(*row)


def drop_card(tx: Tx, card_id: int) -> None:
    """A card is not listed any more, nor an older one of that account that the same contact has sent."""
    same = "SELECT contact, account FROM card_received WHERE id = ?"
    tx.execute(f"DELETE FROM card_received WHERE (contact, account) IN ({same})", (card_id,))


def take(tx: Tx, contact_id: int, message: int, said: Profile, now_ms: int) -> None:
    """Takes in a newer profile. What we call him stays; what he calls himself is shown beside it (decision 0003)."""
    row = tx.one("SELECT version, message FROM profile WHERE contact = ?", (contact_id,))
    if row is not None and row[0] >= said.version:
        raise Stale
    if said.photo is not None:
        webp.measure(said.photo)
    tx.execute(
        "INSERT OR REPLACE INTO profile (contact, version, name, about, photo, message, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (contact_id, said.version, said.name, said.about, said.photo or b"", message, now_ms),
    )
    if row is not None:
        superseded.drop(tx, contact_id, row[1])
    people.set_announced(tx, contact_id, said.name)
    tx.changed(CHANGED, contact_id)


def keep_location(tx: Tx, contact_id: int, message: int, said: Location, mine: bool) -> int:
    """Keeps a place, and returns its row; of too many of one conversation the oldest is dropped."""
    row = tx.insert(
        "INSERT INTO location (contact, mine, latitude, longitude, accuracy_m, label, at_ms, message)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (contact_id, int(mine), *record.fields(said)[:PLACE_FIELDS], message),
    )
    tx.execute(
        "DELETE FROM location WHERE contact = ?1 AND id <="
        " (SELECT id FROM location WHERE contact = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (contact_id, LOCATIONS_MAX),
    )
    tx.changed(LOCATIONS, row)
    return row


def locations(tx: Tx, contact_id: int | None, limit: int) -> tuple[Placed, ...]:
    """The newest places of a conversation, or of all, the newest first."""
    if contact_id is None:
        rows = tx.all(f"SELECT {_LOCATION} FROM location ORDER BY id DESC LIMIT ?", (limit,))
    else:
        rows = tx.all(
            f"SELECT {_LOCATION} FROM location WHERE contact = ? ORDER BY id DESC LIMIT ?", (contact_id, limit)
        )
    return tuple(map(_placed, rows))


def location(tx: Tx, row: int) -> Placed | None:
    """The place in this row."""
    found = tx.one(f"SELECT {_LOCATION} FROM location WHERE id = ?", (row,))
    return None if found is None else _placed(found)


def _placed(row: Row) -> Placed:
    location_id, contact_id, mine, message_id, *said = row
    return Placed(location_id, contact_id, bool(mine), message_id, Location(*said))


def forget(tx: Tx, message: int) -> None:
    """The line in this row is gone; what it carried is listed no more."""
    tx.execute("DELETE FROM card_received WHERE message = ?", (message,))
    tx.execute("DELETE FROM location WHERE message = ?", (message,))


def card_line(tx: Tx, said: ContactCard) -> CardLine:
    """A card as people see it in a conversation."""
    known = people.by_account(tx, ids.AccountId(said.account))
    return CardLine(said.name, ids.account_text(ids.AccountId(said.account)), "" if known is None else known.name)


def place_line(said: Location) -> PlaceLine:
    """A place as people see it in a conversation."""
    latitude, longitude = degrees(said.latitude), degrees(said.longitude)
    geo = f"geo:{latitude},{longitude}" + (f";u={said.accuracy_m}" if said.accuracy_m else "")
    return PlaceLine(latitude, longitude, said.accuracy_m, said.label, said.at_ms, geo)


def text_of(said: ContactCard | Location) -> str:
    """A card or place as a line of text: `[card] Bo`, `[place] 52.52, 13.4 ±20 m "Café"`."""
    return f"[{'card' if isinstance(said, ContactCard) else 'place'}] {words_of(said)}"


def words_of(said: ContactCard | Location) -> str:
    """The same without what it is: by its words it is found."""
    if isinstance(said, ContactCard):
        return said.name
    where = f"{degrees(said.latitude)}, {degrees(said.longitude)}"
    off = f" ±{said.accuracy_m:,} m" if said.accuracy_m else ""
    return f'{where}{off} "{" ".join(said.label.split())}"' if said.label.strip() else f"{where}{off}"


def degrees(value: int) -> str:
    """Millionths of a degree as people write them: -33.9."""
    whole, part = divmod(abs(value), DEGREE)
    return f"{'-' if value < 0 else ''}{whole}" + (f".{part:06}".rstrip("0") if part else "")


def theirs(tx: Tx, contact_id: int) -> Known | None:
    """The newest profile of a contact that came."""
    row = tx.one("SELECT version, name, about, photo, at_ms FROM profile WHERE contact = ?", (contact_id,))
    return None if row is None else Known(*row)


def own(tx: Tx) -> Known | None:
    """Our profile; None before one was set."""
    row = tx.one("SELECT version, name, about, photo, set_ms FROM own_profile")
    return None if row is None else Known(*row)


def keep_own(tx: Tx, mine: Known) -> None:
    """Our profile from now on."""
    tx.execute(
        "INSERT OR REPLACE INTO own_profile (id, version, name, about, photo, set_ms) VALUES (1, ?, ?, ?, ?, ?)",
        (mine.version, mine.name, mine.about, mine.photo, mine.at_ms),
    )
    tx.changed(CHANGED, 0)


def untold(tx: Tx, version: int) -> tuple[tuple[int, int], ...]:
    """(contact, newest device, 0 for none) of some contacts to whom this version of our profile is to be said.

    It was not, or not to the device he has since he lost one, or it expired before he was seen again.
    """
    rows = tx.all(
        "SELECT c.id, COALESCE((SELECT MAX(id) FROM device WHERE contact = c.id AND revoked = 0), 0) AS newest"
        " FROM contact c LEFT JOIN profile_told t ON t.contact = c.id LEFT JOIN message m ON m.seq = t.message"
        " WHERE c.state = ? AND c.alarm != ? AND (t.version IS NULL OR t.version < ?"
        " OR (t.device != 0 AND newest > t.device) OR (m.state = ? AND c.seen_ms > m.state_ms))"
        " ORDER BY c.id LIMIT ?",
        (int(ContactState.ACTIVE), people.STOPS, version, int(State.EXPIRED), TOLD_AT_ONCE),
    )
    return tuple((contact_id, device_id) for contact_id, device_id in rows)


def told(tx: Tx, contact_id: int, version: int, message: int, device_id: int) -> None:
    """This message says it to him; what an older one says is sent no more."""
    row = tx.one("SELECT message FROM profile_told WHERE contact = ?", (contact_id,))
    if row is not None:
        superseded.drop(tx, contact_id, row[0])
    tx.execute(
        "INSERT OR REPLACE INTO profile_told (contact, version, message, device) VALUES (?, ?, ?, ?)",
        (contact_id, version, message, device_id),
    )


def met_devices(tx: Tx) -> None:
    """Who had no device when he was told has one now: the one that got it."""
    tx.execute(
        "UPDATE profile_told AS t SET device = (SELECT MAX(id) FROM device d WHERE d.contact = t.contact)"
        " WHERE device = 0 AND EXISTS (SELECT 1 FROM device d WHERE d.contact = t.contact)"
    )


def keep(tx: Tx, contact_id: int) -> bytes | None:
    """What we wrote on a contact, for a backup."""
    marks = remarks.of(tx, contact_id)
    return wire.encode((marks.remark, marks.tags)) if marks.remark or marks.tags else None


def marks_of(kept: bytes) -> Marks:
    """What `keep` wrote. Raises: Malformed."""
    match wire.decode(kept, NOTE_BYTES_MAX):
        case (str(remark), tuple(tags)) if all(isinstance(one, str) for one in tags):
            marks = Marks(remark, tuple(str(one) for one in tags))
            if remarks.is_good(marks):
                return marks
    raise Malformed


def put_back(tx: Tx, contact_id: int, kept: bytes) -> None:
    """Takes in what `keep` gave. Raises: Malformed."""
    remarks.put_back(tx, contact_id, marks_of(kept))
