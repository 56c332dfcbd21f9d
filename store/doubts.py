"""Our own logs to which our spine may not commit, until their anchors have said what they hold (spine.md 3.1).

The spine has grown by entries that this disk did not write, or had forgotten: what they commit to may be newer than
what is known here of those logs. Not here: what the anchors are asked and say (carrying.py).
"""

from protocol.grant import Role
from store import logs, spaces
from store.database import Tx

_UNASKED = b""


def arise(tx: Tx) -> None:
    """Entries of our spine were taken in: no word of an anchor that was asked for before counts for it any more."""
    for own in spaces.of(tx, spaces.OURS):
        if own.log.own and own.role is not Role.SPINE and own.log.state is logs.State.OK:
            tx.execute(
                "INSERT INTO log_doubt (log, nonce) VALUES (?, ?) ON CONFLICT (log) DO UPDATE SET nonce = ?",
                (own.log.number, _UNASKED, _UNASKED),
            )


def every(tx: Tx) -> frozenset[int]:
    """The logs that are in doubt."""
    return frozenset(number for (number,) in tx.all("SELECT log FROM log_doubt"))


def unasked(tx: Tx) -> frozenset[int]:
    """Those whose anchors were not asked since it arose."""
    return frozenset(number for (number,) in tx.all("SELECT log FROM log_doubt WHERE nonce = ?", (_UNASKED,)))


def asked(tx: Tx, number: int, nonce: bytes) -> None:
    """The anchor of a log is asked, in this transaction. nonce: 16 bytes, comes back with the answer."""
    tx.execute("UPDATE log_doubt SET nonce = ? WHERE log = ?", (nonce, number))


def answered(tx: Tx, number: int, nonce: bytes) -> None:
    """The anchor has answered, and all that he holds is here: where he was asked since it arose, the doubt is over."""
    if tx.execute("DELETE FROM log_doubt WHERE log = ? AND nonce = ?", (number, nonce)).rowcount:
        tx.changed(logs.TOPIC, number)
