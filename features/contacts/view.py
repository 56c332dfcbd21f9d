"""What the contents of this room change: who is a contact, under which secrets, and comparisons by words.

The rows are people's and pairs' (store/); the dialogue with strangers is in inviting.py and asking.py.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from crypto import hashing, safety
from crypto.faults import Malformed
from features.contacts.content import (
    GREETING_BYTES_MAX,
    Presence,
    Taken,
    Welcome,
    WordsCommit,
    WordsNonce,
    WordsReveal,
)
from protocol import identity, ids, invite, wire
from protocol.faults import PeerFault, UserFault
from store import pairs, people, presence
from store.database import Migration, Tx
from store.identity import load_identity
from store.inbox import Arrival
from store.people import Contact, ContactState

MIGRATIONS = (
    Migration(
        "contacts",
        1,
        """
        CREATE TABLE asking (
          contact INTEGER NOT NULL PRIMARY KEY, link TEXT NOT NULL, greeting TEXT NOT NULL, asked_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE comparing (
          contact INTEGER NOT NULL PRIMARY KEY, nonce BLOB NOT NULL, commitment BLOB NOT NULL, theirs BLOB NOT NULL,
          words TEXT NOT NULL
        ) STRICT;
        """,
    ),
    Migration(
        "contacts", 2, "CREATE TABLE knocked (contact INTEGER NOT NULL PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT;"
    ),
    Migration("contacts", 3, "CREATE TABLE parting (contact INTEGER NOT NULL PRIMARY KEY) STRICT;"),
)
REQUESTED = "contacts.request"
COMPARED = "contacts.compare"
ASKING_BYTES_MAX = 1024  # a link of 173 characters and a greeting of 500 bytes
_NONE = b""

Content = Welcome | Taken | Presence | WordsCommit | WordsNonce | WordsReveal


@dataclass(frozen=True, slots=True)
class Asking:
    """An invitation that we follow: whose, the link, our greeting, since when (ms)."""

    contact: int
    link: str
    greeting: str
    asked_ms: int


@dataclass(frozen=True, slots=True)
class Comparing:
    """A comparison by words under way. nonce: ours; commitment: of the side that began; words: empty until known."""

    nonce: bytes
    commitment: bytes
    theirs: bytes
    words: str

    @property
    def begun_by_us(self) -> bool:
        return bool(self.nonce) and hashing.hash_of(hashing.Label.SAS, self.nonce) == self.commitment


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Folds one content of a contact into the tables; returns what to answer. Raises: PeerFault for a false card."""
    said: Content = arrival.said.content
    contact = arrival.contact
    match said:
        case Welcome():
            return _welcomed(tx, arrival, said)
        case Taken():
            pairs.pair_secret_taken(tx, contact.id, said.pair_epoch, arrival.now_ms)
            presence.keep(tx, contact.id, said.presence_epoch, said.presence)
            return ()
        case Presence():
            presence.keep(tx, contact.id, said.presence_epoch, said.presence)
            return ()
        case WordsCommit():
            return _committed(tx, contact, said)
        case WordsNonce():
            return _nonced(tx, contact, said)
        case WordsReveal():
            return _revealed(tx, contact, said)
        case _:
            assert_never(said)


def _welcomed(tx: Tx, arrival: Arrival, said: Welcome) -> tuple[Any, ...]:
    """The inviter's card makes him a contact; his secret becomes the pair's. docs/protocol/invite.md 5."""
    contact = arrival.contact
    check_card(tx, contact, said.card, arrival.device.device, arrival.now_ms)
    if contact.state in (ContactState.ASKED, ContactState.WAITING, ContactState.PENDING):
        people.set_state(tx, contact.id, ContactState.ACTIVE, "")
        tx.execute("DELETE FROM asking WHERE contact = ?", (contact.id,))
    elif contact.state is ContactState.ACTIVE and contact.reason:  # why an invitation of his led nowhere
        people.set_state(tx, contact.id, ContactState.ACTIVE, "")
    pairs.take_pair_secret(tx, contact.id, said.pair_epoch, said.pair_secret, arrival.now_ms)
    presence.keep(tx, contact.id, said.presence_epoch, said.presence)
    me = load_identity(tx)
    assert me is not None
    return (Taken(said.pair_epoch, me.presence_epoch, me.presence),)


def check_card(tx: Tx, contact: Contact, card: identity.Card, device: bytes, now_ms: int) -> None:
    """Verifies a card against the account and device it came from; keeps its device list and the name it announces.

    Raises: PeerFault (another account's card, a certificate that is not in its list, a false signature).
    """
    identity.check_card(card, contact.account, ids.DeviceId(device), now_ms // 1000)
    people.pin_lists(tx, contact.id, (card.devices,))
    people.set_announced(tx, contact.id, card.name)
    if ids.account_text(contact.account).startswith(contact.name):  # nobody has named him yet: he is called by his id
        people.rename(tx, contact.id, people.free_name(tx, card.name, contact.id))


def _committed(tx: Tx, contact: Contact, said: WordsCommit) -> tuple[Any, ...]:
    """The other began. Did both begin, the bytewise smaller account stays the one who did."""
    ours = comparing(tx, contact.id)
    if ours is not None and ours.begun_by_us and not ours.words:
        if _own_account(tx) < contact.account:
            return ()
        store_comparing(tx, contact.id, Comparing(ours.nonce, said.commitment, _NONE, ""))
        return (WordsNonce(said.commitment, ours.nonce),)
    store_comparing(tx, contact.id, Comparing(_NONE, said.commitment, _NONE, ""))
    return ()


def _nonced(tx: Tx, contact: Contact, said: WordsNonce) -> tuple[Any, ...]:
    """The other's nonce is here: now ours may be shown."""
    ours = comparing(tx, contact.id)
    if ours is None or not ours.begun_by_us or ours.commitment != said.commitment or ours.theirs:
        return ()
    words = _words((_own_account(tx), ours.nonce), (contact.account, said.nonce), said.commitment)
    store_comparing(tx, contact.id, Comparing(ours.nonce, ours.commitment, said.nonce, words))
    return (WordsReveal(said.commitment, ours.nonce),)


def _revealed(tx: Tx, contact: Contact, said: WordsReveal) -> tuple[Any, ...]:
    """The committed nonce is here. Raises: PeerFault where it is not the one that was committed to."""
    ours = comparing(tx, contact.id)
    if ours is None or not ours.nonce or ours.commitment != said.commitment or ours.words:
        return ()
    if hashing.hash_of(hashing.Label.SAS, said.nonce) != said.commitment:
        raise PeerFault("the nonce shown is not the one committed to")
    words = _words((contact.account, said.nonce), (_own_account(tx), ours.nonce), said.commitment)
    store_comparing(tx, contact.id, Comparing(ours.nonce, ours.commitment, said.nonce, words))
    return ()


def _words(beginner: tuple[bytes, bytes], other: tuple[bytes, bytes], commitment: bytes) -> str:
    """beginner, other: account id and nonce of the two sides. Decision 0004 says why the commitment is in it."""
    return " ".join(safety.comparison_words(beginner[0], other[0], commitment[:16], beginner[1], other[1]))


def _own_account(tx: Tx) -> bytes:
    me = load_identity(tx)
    assert me is not None
    return me.account


def comparing(tx: Tx, contact_id: int) -> Comparing | None:
    """The comparison with a contact that is under way or finished."""
    row = tx.one("SELECT nonce, commitment, theirs, words FROM comparing WHERE contact = ?", (contact_id,))
    return None if row is None else Comparing(*row)


def store_comparing(tx: Tx, contact_id: int, state: Comparing) -> None:
    """Keeps where a comparison stands and tells watchers."""
    tx.execute(
        "INSERT OR REPLACE INTO comparing (contact, nonce, commitment, theirs, words) VALUES (?, ?, ?, ?, ?)",
        (contact_id, state.nonce, state.commitment, state.theirs, state.words),
    )
    tx.changed(COMPARED, contact_id)


def forget_comparing(tx: Tx, contact_id: int) -> None:
    """Ends a comparison: its words are used once."""
    tx.execute("DELETE FROM comparing WHERE contact = ?", (contact_id,))


def askings(tx: Tx) -> tuple[Asking, ...]:
    """The invitations and accounts that we follow: nobody has answered yet, or he has not decided."""
    return tuple(
        Asking(*row) for row in tx.all("SELECT contact, link, greeting, asked_ms FROM asking ORDER BY contact")
    )


def asking(tx: Tx, contact_id: int) -> Asking | None:
    """The invitation of this contact that we follow, if any."""
    row = tx.one("SELECT contact, link, greeting, asked_ms FROM asking WHERE contact = ?", (contact_id,))
    return None if row is None else Asking(*row)


def knocked(tx: Tx, contact_id: int) -> int:
    """Until when (ms) what we ask lies at a keeper of his, 0 for nowhere."""
    row = tx.one("SELECT until_ms FROM knocked WHERE contact = ?", (contact_id,))
    return 0 if row is None else int(row[0])


def keep_knocked(tx: Tx, contact_id: int, until_ms: int) -> None:
    """A keeper of his has answered that it has what we ask."""
    tx.execute("INSERT OR REPLACE INTO knocked (contact, until_ms) VALUES (?, ?)", (contact_id, until_ms))


def ask(tx: Tx, contact_id: int, link: str, greeting: str, now_ms: int) -> None:
    """Follows an invitation until it is answered."""
    tx.execute("DELETE FROM knocked WHERE contact = ?", (contact_id,))
    tx.execute(
        "INSERT OR REPLACE INTO asking (contact, link, greeting, asked_ms) VALUES (?, ?, ?, ?)",
        (contact_id, link, greeting, now_ms),
    )


def asked(tx: Tx, contact_id: int) -> None:
    """It was decided; nothing is followed any more."""
    tx.execute("DELETE FROM asking WHERE contact = ?", (contact_id,))


def keep(tx: Tx, contact_id: int) -> bytes | None:
    """The invitation of this contact that we follow, for a backup."""
    one = asking(tx, contact_id)
    return None if one is None else wire.encode((one.link.strip(), one.greeting, one.asked_ms))


def put_back(tx: Tx, contact_id: int, kept: bytes) -> None:
    """Takes in what `keep` gave. Raises: Malformed, also where the link is another account's."""
    account, link, greeting, asked_ms = asking_of(kept)
    if account != people.contact(tx, contact_id).account:
        raise Malformed
    ask(tx, contact_id, link, greeting, asked_ms)


def asking_of(kept: bytes) -> tuple[ids.AccountId, str, str, int]:
    """What `keep` wrote: whose invitation is followed, link, greeting, since when (ms). Raises: Malformed."""
    match wire.decode(kept, ASKING_BYTES_MAX):
        case (str(link), str(greeting), int(asked_ms)) if 0 <= asked_ms < 2**48:
            try:
                followed = ids.account_from(link) if link.startswith("wf1") else invite.link_from(link).account
            except UserFault:
                raise Malformed from None
            if len(greeting.encode()) > GREETING_BYTES_MAX:
                raise Malformed
            return followed, link, greeting, asked_ms
        case _:
            raise Malformed
