"""Runs of entries that came from a peer, taken in: one transaction for all that came together.

What a log's owner must do besides keeping entries is done in the same transaction: our own log takes back what others
hold otherwise, a spine is witnessed, a proof freezes its log and warns of its author. Not here: the bytes of entries
(entries.py), who may send which log (protocol/sync.py), what follows for our own log (node/logs/desks.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from crypto.keys import Entropy, SigningKey
from protocol import evidence
from protocol.evidence import Proof
from protocol.faults import PeerFault
from protocol.grant import Role
from protocol.log import BrokenChain, Fork, Head
from store import authoring, doubts, entries, logs, people, reissuing, spaces, watches, witnessing
from store.database import Tx
from store.identity import load_identity
from store.spaces import Space

ALARM = "forked"  # of a contact: his device has signed two histories


class Piece(NamedTuple):
    """A run as it came. number: of the log; contents: as many as raws."""

    number: int
    raws: tuple[bytes, ...]
    contents: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Took:
    """What became of a piece. head: of the log now; proof: what froze it just now; is_parted: it does not follow.

    is_over: it is our own log, and others hold another entry than one that we had published. taken_back: so many of
    ours were taken back, and appended again.
    """

    head: Head | None
    proof: Proof | None = None
    is_parted: bool = False
    is_over: bool = False
    taken_back: int = 0


def take(
    tx: Tx, pieces: Sequence[Piece], key: SigningKey, now_ms: int, entropy: Entropy
) -> tuple[Took | PeerFault, ...]:
    """Takes pieces in, in order; what a peer did wrong with one is its outcome, and the others stay."""
    return tuple(_taken(tx, one, key, now_ms, entropy) for one in pieces)


def freeze(tx: Tx, proof: Proof, now_ms: int) -> bool:
    """Freezes the log of which something is proven and warns of its author; returns whether it was not known before."""
    froze = logs.freeze(tx, proof, now_ms)
    if froze:
        _, log_id = evidence.accused(proof)
        log = logs.by_id(tx, log_id)
        assert log is not None
        warn(tx, spaces.space(tx, log.number), proof)
    return froze


def warn(tx: Tx, of: Space, proof: Proof) -> None:
    """A contact's device has signed what cannot both be true: the person is told beside his name.

    Where it is his spine, nothing of him is witnessed any more (spine 4.3).
    """
    if of.contact != spaces.OURS:
        people.set_alarm(tx, of.contact, ALARM)
    if of.role is Role.SPINE and isinstance(proof, Fork):
        witnessing.forked(tx, of, proof)


def _taken(tx: Tx, piece: Piece, key: SigningKey, now_ms: int, entropy: Entropy) -> Took | PeerFault:
    of = spaces.space(tx, piece.number)
    result = tx.attempt(_own if of.log.own else _theirs, tx, of, piece, key, now_ms, entropy)
    try:
        return result.unwrap()
    except BrokenChain:
        return Took(entries.head(tx, piece.number), is_parted=True)
    except PeerFault as fault:
        return fault


def _theirs(tx: Tx, of: Space, piece: Piece, _key: SigningKey, now_ms: int, _entropy: Entropy) -> Took:
    taken = entries.take_in(tx, piece.number, piece.raws, piece.contents, now_ms)
    proof: Proof | None = taken.fork
    if of.role is Role.SPINE and taken.entries:
        witnessing.offer(tx, of, taken.entries)
    if proof is None and taken.entries:
        proof = witnessing.contradiction(tx, of.log, taken.entries)
        if proof is not None:
            logs.freeze(tx, proof, now_ms)
    if proof is not None:
        warn(tx, of, proof)
    return Took(entries.head(tx, piece.number), proof)


def _own(tx: Tx, of: Space, piece: Piece, key: SigningKey, now_ms: int, entropy: Entropy) -> Took:
    taken = entries.take_in(tx, piece.number, piece.raws, piece.contents, now_ms)
    count = 0
    if taken.parted is not None:
        if taken.parted <= of.log.published or of.log.state is not logs.State.OK:
            return Took(entries.head(tx, piece.number), is_over=True)
        ours = entries.retake(tx, piece.number, taken.parted, piece.raws, piece.contents, now_ms)
        if of.role is Role.LEDGER:
            me = load_identity(tx)
            assert me is not None
            reissuing.again(tx, of, ours, me, now_ms, entropy)
        else:
            authoring.rewrite(tx, of, of, ours, key, now_ms, entropy)
        count = len(ours)
    if taken.entries or count:
        watches.begin_anew(tx)  # parcel 3.3
    if of.role is Role.SPINE and (taken.entries or count):
        doubts.arise(tx)  # spine 3.1: what we did not write, or had forgotten, may commit to more than is known here
    return Took(entries.head(tx, piece.number), taken_back=count)
