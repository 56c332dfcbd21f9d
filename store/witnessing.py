"""What this node has seen of the spines of others, and who has seen its own (docs/protocol/spine.md 4 and 5).

The rule itself is protocol/witness.py; here its state is on the disk, and changes in the transaction in which entries
come. What is to be signed is signed after the commit (`unsigned`). Not here: the spines' entries (entries.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from crypto.faults import Forged
from protocol import entry, evidence, record, spine, wire, witness
from protocol import log as chains
from protocol.entry import Entry
from protocol.evidence import Contradiction, Proof, Rollback
from protocol.faults import PeerFault
from protocol.grant import Committed, Cosigned, Role
from protocol.witness import Accuse, Doubt, Persist, Witness
from store import entries, logs, spaces
from store.database import Tx
from store.inbox import Arrival
from store.spaces import Space

LATE_ENTRIES = 1024  # a cosignature of an entry of ours that is older than so many is dropped
BEFORE_BYTES_MAX = 1024
COSIGNATURE_BYTES_MAX = 256
_NONE = b""


class NotShared(PeerFault):
    """A contact spoke of a log that he does not share; it was dropped."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An entry that is on the disk as seen, and not signed yet. contact: whose spine; id: 32 bytes."""

    author: bytes
    contact: int
    id: bytes


def offer(tx: Tx, of: Space, run: Sequence[Entry]) -> None:
    """Takes entries of a spine into account that were just taken in; they are in a chain and checked.

    Raises: PeerFault (no entries of a spine).
    """
    state, doubt = load(tx, of.log.author)
    for at in range(0, len(run), witness.RUN_MAX):
        state, effects = witness.offer(state, run[at : at + witness.RUN_MAX])
        for effect in effects:
            match effect:
                case Persist():
                    state, _ = witness.persisted(state)  # both are of this transaction; who signs looks after it
                case Doubt(first):
                    doubt = first
                case Accuse():
                    pass  # who took the run in had the same proof, and took in nothing of it: see `forked`
                case _:
                    pass
    _save(tx, of, state, doubt)


def forked(tx: Tx, of: Space, proof: chains.Fork) -> None:
    """The author of this spine has signed two histories of it: from now on nothing of him is signed."""
    state, doubt = load(tx, of.log.author)
    _save(tx, of, replace(state, proof=state.proof or proof), doubt)


def trust(tx: Tx, of: Space) -> bool:
    """A person has decided that another spine of this author counts; returns whether there was something to decide."""
    state, doubt = load(tx, of.log.author)
    if doubt is None:
        return False
    state, _ = witness.trust(state, doubt)
    state, _ = witness.persisted(state)
    _save(tx, of, state, None)
    return True


def is_doubted(tx: Tx, of: Space) -> bool:
    """Whether this spine does not follow the one that was seen before, and a person has not decided yet."""
    _, doubt = load(tx, of.log.author)
    return doubt is not None and doubt.body.log == of.log.id


def load(tx: Tx, author: bytes) -> tuple[Witness, Entry | None]:
    """What was seen of an author's spine, and the first entry of another one that a person is to decide about."""
    row = tx.one("SELECT seen, before, proof, doubt FROM witnessed WHERE author = ?", (author,))
    if row is None:
        return Witness(), None
    seen, before, proof, doubt = row
    known: Any = wire.decode(before, BEFORE_BYTES_MAX)
    state = Witness(
        seen=chains.recall(seen) if seen else None,
        before=known,
        proof=chains.Fork.decode(proof) if proof else None,
    )
    return state, chains.recall(doubt) if doubt else None


def unsigned(tx: Tx) -> tuple[Unsigned, ...]:
    """What is on the disk as seen and not signed yet."""
    rows = tx.all("SELECT author, contact, seen, signed FROM witnessed WHERE seen != x'' AND proof = x''")
    found = (Unsigned(author, contact, entry.id_of(seen)) for author, contact, seen, signed in rows)
    return tuple(one for one, row in zip(found, rows, strict=True) if one.id != row[3])


def signed(tx: Tx, one: Unsigned) -> None:
    """It was signed, and its author is told, in this transaction."""
    tx.execute("UPDATE witnessed SET signed = ? WHERE author = ?", (one.id, one.author))


def cosigned(tx: Tx, arrival: Arrival) -> None:
    """A contact has seen an entry of our spine. Raises: Forged (not his word)."""
    said = arrival.said.content
    assert isinstance(said, Cosigned)
    word = said.cosignature
    if word.witness != arrival.contact.account:
        raise Forged
    spine.check_cosignature(word, word.subject, (arrival.device.device,))
    for own in spaces.of(tx, spaces.OURS):
        newest = entries.head(tx, own.log.number) if own.role is Role.SPINE else None
        if newest is None:
            continue
        first = max(0, newest.seq + 1 - LATE_ENTRIES)
        for held in entries.read(tx, own.log.number, first, LATE_ENTRIES, entries.MEMORY_BYTES_MAX):
            if entry.id_of(held.raw) == word.subject:
                tx.execute(
                    "INSERT OR REPLACE INTO cosignature (log, seq, contact, raw) VALUES (?, ?, ?, ?)",
                    (own.log.number, held.seq, arrival.contact.id, record.encode(word)),
                )
                tx.changed(logs.TOPIC, own.log.number)
                return


def cosignatures(tx: Tx, number: int, seq: int) -> tuple[tuple[int, spine.Cosignature], ...]:
    """(contact, his word) about an entry of our spine."""
    rows = tx.all("SELECT contact, raw FROM cosignature WHERE log = ? AND seq = ? ORDER BY contact", (number, seq))
    return tuple((contact, record.decode(spine.Cosignature, raw, COSIGNATURE_BYTES_MAX)) for contact, raw in rows)


def committed(tx: Tx, arrival: Arrival) -> Proof | None:
    """A contact's spine commits to a head of his log; returns the proof where it contradicts what he wrote elsewhere.

    Raises: PeerFault (not his, not a log that we have, not in his spine).
    """
    said = arrival.said.content
    assert isinstance(said, Committed)
    log = logs.by_id(tx, said.log)
    if log is None or log.own or log.author != arrival.device.device:
        raise NotShared
    key = spine.leaf_key(log.secret, log.id)
    header = said.committed.check(log.author, key, log.id)
    proof = (
        _forks(tx, log, header)
        or _contradicts(tx, log, key, said.committed)
        or _rolls_back(tx, log, key, said.committed, header)
    )
    if proof is not None:
        return proof
    tx.execute(
        "INSERT INTO commitment (log, seq, raw) VALUES (?, ?, ?) ON CONFLICT (log) DO UPDATE"
        " SET seq = excluded.seq, raw = excluded.raw WHERE excluded.seq >= commitment.seq",
        (log.number, said.committed.seq, record.encode(said.committed)),
    )
    return None


def commitment(tx: Tx, number: int) -> evidence.Committed | None:
    """The newest commitment that an author has shown of a log of his."""
    row = tx.one("SELECT raw FROM commitment WHERE log = ?", (number,))
    return None if row is None else record.decode(evidence.Committed, row[0], evidence.PROOF_BYTES_MAX)


def contradiction(tx: Tx, log: logs.Log, run: Sequence[Entry]) -> Proof | None:
    """The proof, where entries that came just now contradict what their author's spine had committed to."""
    row = tx.one("SELECT seq FROM commitment WHERE log = ?", (log.number,))
    if row is None or not run[0].body.seq <= row[0] + 1 <= run[-1].body.seq + 1:
        return None
    known = commitment(tx, log.number)
    assert known is not None
    return _contradicts(tx, log, spine.leaf_key(log.secret, log.id), known)


def _contradicts(tx: Tx, log: logs.Log, key: bytes, committed_: evidence.Committed) -> Proof | None:
    """Entries that we hold in the place of the head, or behind it, against what the spine says of it."""
    for seq in (committed_.seq, committed_.seq + 1):
        one = entries.entry_at(tx, log.number, seq)
        if one is None:
            continue
        proof = Contradiction(log.author, key, committed_, one.raw)
        if _holds(proof):
            return proof
    return None


def _forks(tx: Tx, log: logs.Log, header: Entry) -> Proof | None:
    """An entry of a spine against the one that we have in its place, and the one that we were told before."""
    held, told = logs.by_id(tx, header.body.log), commitment(tx, log.number)
    ours = None if held is None else entries.entry_at(tx, held.number, header.body.seq)
    for raw in (None if ours is None else ours.raw, None if told is None else told.entry):
        if raw is not None and raw != header.raw:
            proof = chains.Fork.of(raw, header.raw)
            if _holds(proof):
                return proof
    return None


def _rolls_back(tx: Tx, log: logs.Log, key: bytes, committed_: evidence.Committed, header: Entry) -> Proof | None:
    known = commitment(tx, log.number)
    if known is None:
        return None
    before = chains.recall(known.entry)
    pair = (known, committed_) if before.body.seq < header.body.seq else (committed_, known)
    proof = Rollback(log.author, key, log.id, *pair)
    return proof if _holds(proof) else None


def _holds(proof: Proof) -> bool:
    try:
        proof.check()
    except PeerFault:
        return False
    return True


def _save(tx: Tx, of: Space, state: Witness, doubt: Entry | None) -> None:
    assert state.pending is None
    tx.execute(
        "INSERT INTO witnessed (author, contact, seen, before, proof, doubt, signed) VALUES (?, ?, ?, ?, ?, ?, x'')"
        " ON CONFLICT (author) DO UPDATE SET contact = excluded.contact, seen = excluded.seen,"
        " before = excluded.before, proof = excluded.proof, doubt = excluded.doubt",
        (
            of.log.author,
            of.contact,
            _NONE if state.seen is None else state.seen.raw,
            wire.encode(state.before),
            _NONE if state.proof is None else state.proof.encode(),
            _NONE if doubt is None else doubt.raw,
        ),
    )
