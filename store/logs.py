"""Which logs there are, who writes them, how far ours are published, and the proofs that froze some.

docs/protocol/log.md 4 and 5. What is in them: entries.py.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from protocol import entry, evidence
from protocol.evidence import Proof
from store import unchained
from store.database import Row, Tx

TOPIC = "log"  # of changes; their key is the number of the log
SEQ_BITS = 40  # of an entry's key, below the number of the log: a log lies in one piece, and needs no index
NUMBER_MAX = 2 ** (63 - SEQ_BITS) - 1
NEVER = -1  # published: nothing yet
_COLUMNS = "number, id, author, own, secret_ref, state, published"


class State(IntEnum):
    """Whether a log may grow."""

    OK = 0
    FROZEN = 1  # its author has forked it, or rolled it back
    OVER = 2  # it goes on in another log, or the device that wrote it is gone


@dataclass(frozen=True, slots=True)
class Log:
    """A log. number: its row, for the other functions; author: a device key; own: whether this database writes it.

    secret: of its space, 16 to 64 bytes. published: the newest seq that others may have, -1 for none; only of our own.
    """

    number: int
    id: bytes
    author: bytes
    own: bool
    secret: bytes = field(repr=False)
    state: State
    published: int


def begin(tx: Tx, log_id: bytes, author: bytes, secret: bytes, own: bool) -> Log:
    """The log with this id, which is made when it is not there. author: 32 bytes, secret: 16 to 64."""
    tx.execute(
        "INSERT INTO log (id, author, own, secret_ref, state, published) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (log_id, author, int(own), secret, State.OK, NEVER),
    )
    found = by_id(tx, log_id)
    assert found is not None
    assert found.author == author
    assert found.number <= NUMBER_MAX
    return found


def log(tx: Tx, number: int) -> Log:
    """The log in this row. It exists."""
    row = tx.one(f"SELECT {_COLUMNS} FROM log WHERE number = ?", (number,))
    assert row is not None
    return of_row(row)


def by_id(tx: Tx, log_id: bytes) -> Log | None:
    """The log with this id, 16 bytes."""
    row = tx.one(f"SELECT {_COLUMNS} FROM log WHERE id = ?", (log_id,))
    return None if row is None else of_row(row)


def every(tx: Tx) -> tuple[Log, ...]:
    """All logs, in the order in which they were begun."""
    return tuple(map(of_row, tx.all(f"SELECT {_COLUMNS} FROM log ORDER BY number")))


def publish(tx: Tx, number: int, seq: int) -> None:
    """Notes, before anything is sent, that others may have our own log up to here: that much is never taken back."""
    tx.execute("UPDATE log SET published = MAX(published, ?) WHERE number = ? AND own = 1", (seq, number))


def end(tx: Tx, number: int) -> None:
    """Nothing more is written to this log: it goes on elsewhere. What is proven about it stays."""
    tx.execute("UPDATE log SET state = ? WHERE number = ? AND state = ?", (State.OVER, number, State.OK))
    tx.changed(TOPIC, number)


def freeze(tx: Tx, proof: Proof, now_ms: int) -> bool:
    """Freezes the log that a proof is about; returns whether it froze now: it is known here, and was not frozen before.

    now_ms: ms since 1970. Raises: NoFork, NoRollback, Forged, Malformed.
    """
    author, log_id = evidence.accused(proof)
    found = by_id(tx, log_id)
    if found is None or found.author != author or found.state is State.FROZEN:
        return False
    tx.execute("UPDATE log SET state = ? WHERE number = ?", (State.FROZEN, found.number))
    tx.execute("INSERT INTO fork (log, proof, at_ms) VALUES (?, ?, ?)", (found.number, proof.encode(), now_ms))
    unchained.forget(tx, found.number)
    tx.changed(TOPIC, found.number)
    return True


def proof(tx: Tx, number: int) -> Proof | None:
    """The proof that froze a log."""
    row = tx.one("SELECT proof FROM fork WHERE log = ?", (number,))
    return None if row is None else evidence.decode(row[0])


def proofs(tx: Tx) -> tuple[tuple[int, int, Proof], ...]:
    """Number of the log, when it was known (ms), and the proof: of all logs that were frozen, the newest first."""
    rows = tx.all("SELECT log, at_ms, proof FROM fork ORDER BY at_ms DESC, log")
    return tuple((number, at_ms, evidence.decode(raw)) for number, at_ms, raw in rows)


def key(number: int, seq: int) -> int:
    """The key of an entry's row."""
    return number << SEQ_BITS | seq


def span(number: int, first: int, last: int = entry.SEQ_MAX) -> tuple[int, int]:
    """The keys of the first and the last of these entries."""
    return key(number, first), key(number, last)


def of_row(row: Row) -> Log:
    """The log in a row of the table's columns, in their order."""
    number, log_id, author, own, secret, state, published = row
    return Log(number, log_id, author, bool(own), secret, State(state), published)
