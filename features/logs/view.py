"""The logs of this node as people see them: which there are, how far they came, what is in them.

Nothing is stored here: logs, entries, witnesses and proofs are the store's. What a door shows of them is made of rows
when it is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crypto.faults import Forged, Malformed
from features.logs.content import NOTE_BYTES_MAX, Note
from protocol import entry, record
from protocol import log as chains
from protocol.entry import Kind
from protocol.evidence import Contradiction, Proof, Rollback
from protocol.faults import UserFault, quoted
from protocol.grant import Role
from protocol.log import Fork
from protocol.spine import decode as commitment_of
from store import authoring, entries, people, spaces, witnessing
from store.database import Tx
from store.entries import Held
from store.logs import State
from store.spaces import Space

SHORT_CHARS = 8
PREFIX_CHARS_MIN = 4
ENTRIES_MAX = 1000  # of one answer
NOTE_FORM_BYTES_MAX = NOTE_BYTES_MAX + 16
STATES = {State.OK: "ok", State.FROZEN: "frozen", State.OVER: "over"}


class UnknownLog(UserFault):
    """There is no such log here."""

    code = "log.unknown"
    next = "weft log list"
    exit = 5


class AmbiguousLog(UserFault):
    """Several logs are called so; give more of the id."""

    code = "log.ambiguous"
    next = "weft log list"
    exit = 5


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as people see it. kind: "note", "spine", "moment" (of a feed), or "sealed": not to be read here.

    text: of a note; size: logs that a spine entry commits to; content: "here", "awaited" or "deleted"; cosigned: names
    of the contacts who have seen this entry of our spine.
    """

    seq: int
    id: str
    at_ms: int
    kind: str
    text: str
    size: int | None
    content: str
    acks: int
    cosigned: tuple[str, ...]


def find(tx: Tx, text: str) -> Space:
    """The log of this name ("trip" of ours, "bo/trip" of a contact's), or whose id begins so.

    Raises: UnknownLog, AmbiguousLog.
    """
    wanted = text.strip().casefold()
    every = spaces.every(tx)
    named = [one for one in every if full_name(tx, one).casefold() == wanted]
    current = [one for one in named if one.log.state is not State.OVER]
    if len(current or named) >= 1:
        return (current or named)[-1]  # of several of one name the newest; the others by their ids
    found = [one for one in every if len(wanted) >= PREFIX_CHARS_MIN and one.log.id.hex().startswith(wanted)]
    if not found:
        raise UnknownLog(f"There is no log {quoted(text)} here.")
    if len(found) > 1:
        raise AmbiguousLog(f"{len(found)} logs begin with {quoted(text)}.", ids=[one.log.id.hex() for one in found[:8]])
    return found[0]


def full_name(tx: Tx, one: Space) -> str:
    """The name of a log here: as its author called it, behind the contact's name where it is not ours."""
    return one.name if one.contact == spaces.OURS else f"{people.contact(tx, one.contact).name}/{one.name}"


def lines(tx: Tx, one: Space, first: int, count: int) -> Iterator[Line]:
    """Entries of a log from this seq on, at most 1,000."""
    names: dict[int, str] = {}
    for held in entries.read(tx, one.log.number, max(0, first), min(count, ENTRIES_MAX), entries.MEMORY_BYTES_MAX):
        cosigned = []
        if one.role is Role.SPINE and one.contact == spaces.OURS:
            for contact_id, _ in witnessing.cosignatures(tx, one.log.number, held.seq):
                cosigned.append(names.setdefault(contact_id, people.contact(tx, contact_id).name))
        content = entries.kept(tx, one.log.number, held.seq).name.lower()
        yield _line(one, held, content, tuple(cosigned))


def last(tx: Tx, one: Space, count: int) -> Iterator[Line]:
    """The newest entries of a log, at most 1,000: of one that is still coming, those that came before the others."""
    wanted = min(count, ENTRIES_MAX)
    early = entries.ahead(tx, one.log.number, wanted)
    here, _ = newest(tx, one)
    left = wanted - len(early)
    if left:
        yield from lines(tx, one, here - left, left)
    for held in early:
        yield _line(one, held, "awaited" if held.content is None else "here", ())


def note_of(one: Space, held: Held) -> Note | None:
    """The note that an entry says; None for anything else, and where its content is not here or not ours to read."""
    if one.role is Role.FEED:  # its contents have another form, and keys of their own
        return None
    try:
        said = authoring.read(one, held)
        return None if said is None else record.decode(Note, said, NOTE_FORM_BYTES_MAX)
    except (Forged, Malformed):
        return None


def said(note: Note) -> bytes:
    """What an entry with this note says, before its seal."""
    return record.encode(note)


def accusation(tx: Tx, one: Space, proof: Proof) -> tuple[str, tuple[int, ...]]:
    """What a proof shows, in plain words, and the places that it is about."""
    who = "This device" if one.contact == spaces.OURS else people.contact(tx, one.contact).name
    match proof:
        case Fork():
            _, last = proof.check()
            what = "two entries that both claim to be" if one.role is not Role.SPINE else "two spines in"
            return f"{who} has signed {what} number {last.body.seq} of this log.", (last.body.seq,)
        case Contradiction():
            _, last = proof.check()
            place = proof.committed.seq
            return (
                f"{who} has signed an entry number {last.body.seq} that cannot stand in the log that his spine commits"
                f" to at number {place}.",
                (place, last.body.seq),
            )
        case Rollback():
            places = (proof.earlier.seq, proof.later.seq)
            return (
                f"{who} has taken entries back: his spine committed to number {places[0]} of this log, and later to"
                f" number {places[1]}.",
                places,
            )


def _line(one: Space, held: Held, content: str, cosigned: tuple[str, ...]) -> Line:
    body = chains.recall(held.raw).body
    note = note_of(one, held) if body.kind is Kind.SEALED else None
    size: int | None = None
    if body.kind is Kind.SPINE and held.content is not None:
        size = commitment_of(held.content).size
    kind = _kind(one, body.kind) if note is None else "note"
    return Line(
        seq=held.seq,
        id=entry.id_of(held.raw).hex(),
        at_ms=body.at_ms,
        kind=kind,
        text="" if note is None else note.text,
        size=size,
        content=content,
        acks=len(body.acks),
        cosigned=cosigned,
    )


def _kind(one: Space, kind: Kind) -> str:
    if kind is Kind.SPINE:
        return "spine"
    return "moment" if kind is Kind.SEALED and one.role is Role.FEED else "sealed"


def state(one: Space) -> str:
    """Whether a log grows: "ok", "frozen" or "over"."""
    return STATES[one.log.state]


def newest(tx: Tx, one: Space) -> tuple[int, int]:
    """How many entries of a log are here, and when its newest says that it was written (ms), 0 for none."""
    head = entries.head(tx, one.log.number)
    if head is None:
        return 0, 0
    last = entries.entry_at(tx, one.log.number, head.seq)
    assert last is not None
    return head.seq + 1, last.body.at_ms
