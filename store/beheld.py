"""What this device has signed to have seen for contacts, and what devices of contacts have signed for it.

docs/protocol/attestation.md. A subject is a hash of what one was asked about, 32 bytes (spine.md 4.2). Not here: what
it is about, and whom to ask.
"""

from crypto import keys
from crypto.faults import Forged
from protocol import record, spine
from protocol.attestation import Beheld, Behold
from protocol.faults import PeerFault
from protocol.spine import Cosignature
from store.database import Tx
from store.inbox import Arrival
from store.people import STOPS, ContactState

TOPIC = "beheld"  # of changes: a word has come; their key is its number (`subject_of`)
ANSWERS_MAX = 200  # to one contact in a day: each costs a signature and a letter
KEPT_MS = 30 * 86_400_000  # so long a subject is known again
COSIGNATURE_BYTES_MAX = 256
_DAY_MS = 86_400_000
_NONE = b""


class TooManyAsked(PeerFault):
    """A contact asked for more words of a witness than one gives in a day; this question was dropped."""


# --- a witness


def answer(tx: Tx, arrival: Arrival, key: keys.SigningKey) -> Beheld | None:
    """This device's word to who asks for it, with the time at which it was first asked; None where he gets none.

    Raises: TooManyAsked.
    """
    said, contact = arrival.said.content, arrival.contact
    assert isinstance(said, Behold)
    if contact.state is not ContactState.ACTIVE or contact.alarm == STOPS:
        return None
    _count(tx, contact.id, arrival.now_ms // _DAY_MS)
    tx.execute("DELETE FROM beheld WHERE time_ms < ?", (arrival.now_ms - KEPT_MS,))
    subject = spine.hidden_subject(said.hidden)
    tx.execute("INSERT INTO beheld (subject, time_ms) VALUES (?, ?) ON CONFLICT DO NOTHING", (subject, arrival.now_ms))
    first = tx.one("SELECT time_ms FROM beheld WHERE subject = ?", (subject,))
    assert first is not None
    return Beheld(spine.cosign(key.public, first[0], subject, key))


def _count(tx: Tx, contact_id: int, day: int) -> None:
    row = tx.one("SELECT count FROM beheld_day WHERE contact = ? AND day = ?", (contact_id, day))
    count = 0 if row is None else row[0]
    if count >= ANSWERS_MAX:
        raise TooManyAsked
    tx.execute("INSERT OR REPLACE INTO beheld_day (contact, day, count) VALUES (?, ?, ?)", (contact_id, day, count + 1))


# --- who asks


def asked(tx: Tx, hidden: bytes, device: bytes) -> Behold:
    """A device of a contact is asked for its word, by what is returned here; its first answer is kept.

    hidden: of spine.hide, 32 bytes; what is kept stands under its subject. device: a key, 32 bytes.
    """
    tx.execute(
        "INSERT INTO asked_word (subject, device, raw) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (spine.hidden_subject(hidden), device, _NONE),
    )
    return Behold(hidden)


def heard(tx: Tx, arrival: Arrival) -> None:
    """A device of a contact gives its word; one that was not asked, or has answered, is passed over. Raises: Forged."""
    said, device = arrival.said.content, arrival.device.device
    assert isinstance(said, Beheld)
    word = said.cosignature
    if word.witness != device:
        raise Forged
    spine.check_cosignature(word, word.subject, (device,))
    row = tx.one(
        "SELECT number FROM asked_word WHERE subject = ? AND device = ? AND raw = ?", (word.subject, device, _NONE)
    )
    if row is not None:
        tx.execute("UPDATE asked_word SET raw = ? WHERE number = ?", (record.encode(word), row[0]))
        tx.changed(TOPIC, row[0])


def word(tx: Tx, subject: bytes) -> Cosignature | None:
    """The word about a subject with the earliest time, of those that have come."""
    rows = tx.all("SELECT raw FROM asked_word WHERE subject = ? AND raw != ? ORDER BY number", (subject, _NONE))
    words = (record.decode(Cosignature, raw, COSIGNATURE_BYTES_MAX) for (raw,) in rows)
    return min(words, key=lambda one: one.time_ms, default=None)


def subject_of(tx: Tx, number: int) -> bytes | None:
    """What the word of this number, a key of TOPIC, is about; None where it was forgotten."""
    row = tx.one("SELECT subject FROM asked_word WHERE number = ?", (number,))
    return None if row is None else bytes(row[0])


def forget(tx: Tx, subject: bytes) -> None:
    """Nothing more is awaited or known about a subject."""
    tx.execute("DELETE FROM asked_word WHERE subject = ?", (subject,))
