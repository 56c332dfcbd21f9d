"""The rule of a witness: for each author one spine, and in it one place; checked, put on disk, and only then signed.

As the witnesses of transparency logs do (C2SP tlog-witness; docs/protocol/spine.md 4): whoever signs two entries in one
place, or an earlier one after a later one, witnesses nothing. The check and the writing are one transaction; the
signature is made after its commit. Not here: the signature itself (spine.cosign), where the state lies (store/).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocol import entry, log, spine
from protocol.entry import Entry
from protocol.log import Fork, Head

RUN_MAX = log.RUN_ENTRIES_MAX
BEFORE_MAX = 16  # spines of an author that are over and remembered as such


@dataclass(frozen=True, slots=True)
class Persist:
    """Put this on the disk as what was seen of the author's spine, in the transaction of the check."""

    seen: Entry


@dataclass(frozen=True, slots=True)
class Sign:
    """It is on the disk: sign this id, 32 bytes."""

    subject: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """What was shown does not reach what was seen: ask for the entries from this seq on."""

    first: int


@dataclass(frozen=True, slots=True)
class Accuse:
    """The author has forked his spine: keep this proof, and send it to his other contacts."""

    proof: Fork


@dataclass(frozen=True, slots=True)
class Doubt:
    """The author has begun another spine that does not follow the one seen: a person decides (`trust`)."""

    first: Entry


Effect = Persist | Sign | Ask | Accuse | Doubt


@dataclass(frozen=True, slots=True)
class Witness:
    """What one witness knows of one author's spine; the first three lie on the disk.

    seen: the newest entry, None before the first. before: the logs of spines that this one took the place of. proof:
    the author forked, and nothing is signed any more. pending: seen and perhaps not on the disk.
    """

    seen: Entry | None = None
    before: tuple[bytes, ...] = ()
    proof: Fork | None = None
    pending: Entry | None = None


def offer(state: Witness, run: Sequence[Entry]) -> tuple[Witness, tuple[Effect, ...]]:
    """What to do about entries of the author's spine, in a chain; all are his and the last one's signature was checked.

    run: 1 to 1,024, as log.check_piece gives them. What is older than the one seen is not signed and accuses nobody.
    Nothing is done while an earlier one is on its way to the disk. Raises: Malformed (an entry that no spine has),
    Forged (a bad signature inside the run, where it would have to serve as evidence).
    """
    assert 0 < len(run) <= RUN_MAX
    for header in run:
        spine.check_header(header)
    newest, seen = run[-1], state.seen
    if state.proof is not None or state.pending is not None or newest.body.log in state.before:
        return state, ()
    if seen is None:
        return _persist(state, newest)
    if newest.body.log != seen.body.log:
        return _successor(state, seen, run)
    there = next((one for one in run if one.body.seq == seen.body.seq), None)
    if there is not None and there.id != seen.id:
        # Its own signature may be bad though the run's last is good; then it proves nothing and is no spine to sign.
        entry.verify(there)
        proof = Fork.of(seen.raw, there.raw)
        return replace(state, proof=proof), (Accuse(proof),)
    if newest.body.seq < seen.body.seq:
        return state, ()
    if newest.id == seen.id:
        return state, (Sign(seen.id),)
    if there is None and run[0].body.seq > seen.body.seq + 1:
        return state, (Ask(seen.body.seq + 1),)
    if there is None and run[0].body.prev != seen.id:
        return state, (Ask(seen.body.seq),)  # the entry there is the other half of a proof
    return _persist(state, newest)


def persisted(state: Witness) -> tuple[Witness, tuple[Effect, ...]]:
    """The transaction that `Persist` asked for is committed: now, and not before, it is signed."""
    assert state.pending is not None
    return replace(state, seen=state.pending, pending=None), (Sign(state.pending.id),)


def trust(state: Witness, first: Entry) -> tuple[Witness, tuple[Effect, ...]]:
    """A person has decided that another spine of this author counts from now on; the one before is never signed again.

    first: as `Doubt` has it. A proof stays a proof: it is about the spine before.
    """
    return _persist(_turned(state), first)


def head(state: Witness) -> Head | None:
    """What this witness has of the spine, as others are told of it."""
    return None if state.seen is None else Head(state.seen.body.seq, state.seen.id)


def _persist(state: Witness, newest: Entry) -> tuple[Witness, tuple[Effect, ...]]:
    return replace(state, pending=newest), (Persist(newest),)


def _successor(state: Witness, seen: Entry, run: Sequence[Entry]) -> tuple[Witness, tuple[Effect, ...]]:
    """Another spine of the author: it follows by itself when its first entry acknowledges the newest of the one seen.

    Whoever had rolled back cannot do that without showing that he knows the newer one, and so what he had committed to.
    """
    if run[0].body.seq:
        return state, (Ask(0),)
    if not any((ack.log, ack.seq, ack.id) == (seen.body.log, seen.body.seq, seen.id) for ack in run[0].body.acks):
        return state, (Doubt(run[0]),)
    return _persist(_turned(state), run[-1])


def _turned(state: Witness) -> Witness:
    before = state.before if state.seen is None else (*state.before, state.seen.body.log)[-BEFORE_MAX:]
    return Witness(seen=state.seen, before=before)
