"""Who is asked when he has seen an acceptance of ours, and whose word has settled what (docs/protocol/ledger.md 4).

    accepted, the payer away ──> noted under a nonce, asked ──> the word (beheld.py) ──> Attest ──> over: forgotten

Not here: whom to ask, and when (features/payments/witnessing.py), what a word counts for (ledger/tab.py).
"""

from collections.abc import Container, Iterable

from ledger.payment import Stage
from ledger.tab import Key, Tab
from ledger.terms import Attest
from protocol import spine
from store import beheld
from store.database import Tx

_SETTLED, _ACCEPTED = int(Stage.SETTLED), int(Stage.ACCEPTED)  # literals, as in payments.py


def note(tx: Tx, contact: int, pay: bytes, accept: bytes, nonce: bytes) -> bytes:
    """Witnesses are asked about our acceptance of a contact's payment; returns by which 32 bytes.

    accept: the id of its entry; nonce: 32 bytes.
    """
    tx.execute(
        "INSERT INTO asked_time (subject, contact, pay, accept, nonce) VALUES (?, ?, ?, ?, ?)",
        (spine.blinded_subject(accept, nonce), contact, pay, accept, nonce),
    )
    return spine.hide(accept, nonce)


def is_noted(tx: Tx, contact: int, pay: bytes, accept: bytes) -> bool:
    """Whether witnesses were asked about this acceptance."""
    sql = "SELECT 1 FROM asked_time WHERE contact = ? AND pay = ? AND accept = ?"
    return tx.one(sql, (contact, pay, accept)) is not None


def due(tx: Tx, contact: int, payee_of: Iterable[Key], tab: Tab) -> tuple[Attest, ...]:
    """What may be said now of payments of this contact that are not over: a witness has seen the acceptance in time.

    payee_of: payments to us.
    """
    asked = tx.all("SELECT pay, accept, subject, nonce FROM asked_time WHERE contact = ?", (contact,))
    rows = {(pay, accept): row for pay, accept, *row in asked}
    found = []
    for key in payee_of:
        one, of = tab.payments.get(key), (key.pay, tab.accepts.get(key))
        if of not in rows or one is None or one.stage not in (Stage.ACCEPTED, Stage.REFUNDING):
            continue  # also where another acceptance of it was taken back: a word about that says nothing of this
        subject, nonce = rows[of]
        word = beheld.word(tx, subject)
        if one.is_taken and word is not None and word.time_ms <= one.expires_ms:
            found.append(Attest(key.pay, nonce, word))
    return tuple(found)


def whose(tx: Tx, word: int) -> int | None:
    """Whose payment a word is about that has come. word: a key of beheld.TOPIC."""
    subject = beheld.subject_of(tx, word)
    row = None if subject is None else tx.one("SELECT contact FROM asked_time WHERE subject = ?", (subject,))
    return None if row is None else int(row[0])


def waiting(tx: Tx) -> tuple[tuple[int, int], ...]:
    """Acceptances of ours that are not confirmed and about which nobody was asked: the contact, and since when, ms."""
    rows = tx.all(
        f"SELECT p.contact, MIN(p.changed_ms) FROM payment p WHERE p.stage < {_SETTLED} AND p.stage = {_ACCEPTED}"
        " AND p.mine = 0 AND p.lapsed = 0 AND NOT EXISTS"
        " (SELECT 1 FROM asked_time a WHERE a.contact = p.contact AND a.pay = p.pay)"
        " GROUP BY p.contact ORDER BY p.contact"
    )
    return tuple((contact, since_ms) for contact, since_ms in rows)


def forget_others(tx: Tx, contact: int, accepts: Container[bytes]) -> None:
    """Nothing more is awaited about a contact's payments but for these acceptances of ours: the others are over."""
    for subject, accept in tx.all("SELECT subject, accept FROM asked_time WHERE contact = ?", (contact,)):
        if accept not in accepts:
            beheld.forget(tx, subject)
            tx.execute("DELETE FROM asked_time WHERE subject = ?", (subject,))


# --- whose word has settled what


def settled(tx: Tx, contact: int, mine: bool, pay: bytes, witness: bytes) -> None:
    """A payment was settled by the word of this device."""
    tx.execute(
        "INSERT OR REPLACE INTO attested (contact, mine, pay, witness) VALUES (?, ?, ?, ?)",
        (contact, int(mine), pay, witness),
    )


def witness(tx: Tx, contact: int, mine: bool, pay: bytes) -> bytes | None:
    """The device by whose word a payment was settled."""
    sql = "SELECT witness FROM attested WHERE contact = ? AND mine = ? AND pay = ?"
    row = tx.one(sql, (contact, int(mine), pay))
    return None if row is None else bytes(row[0])
