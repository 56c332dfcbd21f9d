"""Files of evidence made by hand: a log of notes, the spine over it, cosignatures, and the proofs against somebody."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from crypto.keys import SigningKey
from protocol import entry, evidence, identity, ids, log, log_file, record, spine, wire
from protocol.entry import Entry, Kind
from protocol.identity import Certificate
from protocol.log_examination import Examination, Said
from protocol.log_file import Claimed, Covered, Item, NotEvidence, Shown
from protocol.spine import Cosignature, Line
from tests.protocol import chains, spines

NOTES = ("first", "second", "public")
NOTE_KIND = 320
ACCOUNT = SigningKey(bytes(31) + b"c")


class Handed(NamedTuple):
    """What Ana hands on. notes: entries 0 to 3 of her log; header: of her spine, which commits to the last."""

    notes: tuple[Entry, ...]
    header: Entry
    covered: Covered
    items: tuple[Item, ...]

    @property
    def raw(self) -> bytes:
        return file_of(self.items)


def bytes_of(item: Item) -> bytes:
    """One item as the writer makes it."""
    match item:
        case Claimed(entry=one):
            return log_file.entry(one.raw)
        case Shown(content=content, key=key):
            return log_file.shown(content, key)
        case Cosignature():
            return log_file.cosigned(item)
        case Covered(committed=committed, key=key):
            return log_file.covered(committed, key)
        case Certificate():
            return log_file.certificate(item)
        case _:
            return log_file.proof(item)


def file_of(items: Iterable[Item]) -> bytes:
    """The whole file."""
    return b"".join(map(bytes_of, items))


def said(text: str) -> bytes:
    """What a note says, before it is sealed; written by hand, so that nothing of a room is needed."""
    return wire.encode((NOTE_KIND, text))


def sealed(seq: int, text: str, key: SigningKey = chains.ANA, of: bytes = chains.LOG) -> bytes:
    """The content of a note in its place."""
    content_key = entry.content_key(chains.SECRET, of, seq)
    return entry.seal(content_key, key.public, of, seq, said(text), bytes((seq,)) * 24)


def note_key(seq: int, of: bytes = chains.LOG) -> bytes:
    return entry.content_key(chains.SECRET, of, seq)


def certificate(key: SigningKey = chains.ANA, account: SigningKey = ACCOUNT) -> Certificate:
    """An account's word that a device is its own."""
    return identity.certify(account, ids.DeviceId(key.public), bytes(32), 1, 0, 2**33)


def cosigned(subject: Entry, key: SigningKey = chains.BO, witness: bytes | None = None) -> Cosignature:
    """A device's word that it saw an entry; witness: its account, None for itself."""
    return spine.cosign(witness or key.public, chains.AT_MS + 1, subject.id, key)


def handed(key: SigningKey = chains.ANA) -> Handed:
    """A file with one item of each form, all of it good."""
    of = log.log_id(chains.SECRET, key.public, 0)
    contents = (sealed(0, NOTES[0], key, of), sealed(1, NOTES[1], key, of), said(NOTES[2]), b"kept back")
    notes: list[Entry] = []
    for seq, (content, kind) in enumerate(
        zip(contents, (Kind.SEALED, Kind.SEALED, Kind.PUBLIC, Kind.SEALED), strict=True)
    ):
        prev = notes[-1].id if notes else None
        notes.append(
            entry.write(chains.body(seq, prev, author=key.public, of=of, kind=kind, content=content), key),
        )
    lines = tuple(
        Line(spine.leaf_key(chains.SECRET, one), one, head)
        for one, head in ((of, chains.head_of(notes[-1])), (bytes(16), log.Head(7, bytes(32))))
    )
    spun = spines.spun(key, log.log_id(chains.SECRET, key.public, spines.SPINE_EPOCH), lines)
    covered = Covered(spun.committed(of), lines[0].key)
    wrote = spines.wrote(SigningKey(bytes(31) + b"l"))
    items = (
        *(Claimed(notes[0]), Shown(contents[0], note_key(0, of))),
        *(Claimed(notes[1]), Shown(contents[1], None)),
        *(Claimed(notes[2]), Shown(contents[2], None)),
        *(Claimed(notes[3]), covered, cosigned(spun.header)),
        certificate(key),
        *(Claimed(spun.header), Shown(spun.content, None), cosigned(spun.header), cosigned(spun.header, key)),
        *(wrote.fork(), wrote.contradiction(), wrote.rollback()),
    )
    return Handed(tuple(notes), spun.header, covered, items)


def examined(
    items: Iterable[Item] | bytes,
    author: bytes | None = None,
    devices: Mapping[bytes, Sequence[bytes]] | None = None,
) -> tuple[Examination, list[Said]]:
    """The examination of a file, and what was said in it."""
    raw = items if isinstance(items, bytes) else file_of(items)
    found, heard = Examination(author, devices), []
    try:
        for placed in log_file.read((raw,)):
            said_there = found.take(placed)
            if said_there is not None:
                heard.append(said_there)
    except NotEvidence as fault:
        found.stop(fault)
    return found, heard


def committed_bytes(one: evidence.Committed) -> bytes:
    """A commitment without its leaf key, which is no item."""
    return record.encode(one)
