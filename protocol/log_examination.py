"""What a file of evidence shows: the items in order, each checked by itself, and what was found (log.md 6.4 and 6.5).

What is wrong does not end an examination: it is a finding with its place. Memory grows with the number of logs alone,
never with the entries. Not here: the form of the items and their order (log_file.py), what contents mean (the rooms).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, assert_never

from crypto.faults import Forged, PeerFault
from protocol import entry, evidence, identity, log, spine
from protocol.entry import Entry, Kind
from protocol.evidence import Contradiction, Proof, Rollback
from protocol.identity import Certificate
from protocol.log import Fork, Head
from protocol.log_file import Claimed, Covered, NotEvidence, Placed, Shown
from protocol.spine import Cosignature

LOGS_MAX = 10_000  # about 10 MB; a device writes some thousand in its life
FINDINGS_MAX = 1_000  # kept, and as many proofs; the others are counted
WITNESSES_MAX = 16  # named for each log


class Wrong(Enum):
    """What can be wrong with an item."""

    BYTES = "bytes"  # from here on it is no file of evidence
    SIGNATURE = "signature"  # the author that the entry names did not sign it
    AUTHOR = "author"  # signed, but not by the one who was asked about
    ORDER = "order"  # an entry of the same place, or of a later one, came before
    CHAIN = "chain"  # it does not follow the entry before it
    SPINE = "spine"  # it may not stand in a spine
    CONTENT = "content"  # the entry names another
    KEY = "key"  # does not open the content
    COSIGNATURE = "cosignature"  # about something else, or by none of the witness's devices
    COVERED = "covered"  # no spine of this author commits to the entry by this
    PROOF = "proof"  # convicts nobody
    CERTIFICATE = "certificate"  # the account that it names did not sign it
    LOGS = "logs"  # one more log than is examined


class Finding(NamedTuple):
    """Something wrong. offset: of the item, in bytes; log, 16 bytes, and seq: what an entry there says, else None."""

    offset: int
    wrong: Wrong
    log: bytes | None
    seq: int | None


class Convicted(NamedTuple):
    """A proof that holds: this author, 32 bytes, did what it says in this log, 16 bytes. offset: of the item."""

    offset: int
    proof: type[Fork | Contradiction | Rollback]
    author: bytes
    log: bytes


class Said(NamedTuple):
    """What an author has said in an entry that he has signed. said: the open content, an array with its kind first."""

    author: bytes
    log: bytes
    seq: int
    at_ms: int
    kind: Kind
    said: bytes


@dataclass(slots=True)
class Log:
    """What was found of one log. Counts are of entries with a good signature, and of what is good about them.

    first: the seq with which it begins here; head: the newest entry. gaps: places where entries are missing between
    two; breaks: findings of order and chain. opened: sealed contents whose key was shown. covered: to how many a spine
    commits; covered_seq: the newest of these. unproven: cosignatures of accounts whose devices are not known here.
    witnesses: at most 16 who cosigned, each with the time that he named last.
    """

    author: bytes
    id: bytes
    first: int
    head: Head
    entries: int = 0
    gaps: int = 0
    breaks: int = 0
    contents: int = 0
    opened: int = 0
    covered: int = 0
    covered_seq: int | None = None
    cosigned: int = 0
    unproven: int = 0
    witnesses: dict[bytes, int] = field(default_factory=dict)


class Examination:
    """Takes the items of one file in order; afterwards it says what they show.

    author: the device key, 32 bytes, by whom all entries should be; None for anybody. devices: account -> the device
    keys of its list, for cosignatures that name an account; one that names a device needs nothing.
    """

    def __init__(self, author: bytes | None = None, devices: Mapping[bytes, Sequence[bytes]] | None = None) -> None:
        self._author = author
        self._devices = devices or {}
        self._logs: dict[tuple[bytes, bytes], Log] = {}
        self._entry: Entry | None = None  # to which the next items belong; None: to one that is not good
        self._subject: Entry | None = None  # of the next cosignatures
        self.findings: list[Finding] = []
        self.wrong = 0  # findings, also those that were not kept
        self.convicted: list[Convicted] = []
        self.proofs = 0  # that hold, also those that were not kept
        self.certificates: list[Certificate] = []  # that are good; the first thousand

    @property
    def is_good(self) -> bool:
        """Whether nothing was found wrong. What a proof that holds says is wrong with its author, not with the file."""
        return not self.wrong

    @property
    def logs(self) -> tuple[Log, ...]:
        """The logs, in the order in which they came."""
        return tuple(self._logs.values())

    def take(self, placed: Placed) -> Said | None:
        """Examines the next item; what was said in it, where an entry, its content and its key are good."""
        match placed.item:
            case Claimed(entry=one):
                self._take_entry(placed.offset, one)
            case Shown() as shown:
                return self._take_content(placed.offset, shown)
            case Cosignature() as cosignature:
                self._take_cosignature(placed.offset, cosignature)
            case Covered() as covered:
                self._take_covered(placed.offset, covered)
            case Fork() | Contradiction() | Rollback() as proof:
                self._take_proof(placed.offset, proof)
            case Certificate() as certificate:
                self._take_certificate(placed.offset, certificate)
            case _:
                assert_never(placed.item)
        return None

    def stop(self, fault: NotEvidence) -> None:
        """Notes where the file could not be read any further."""
        self._entry = self._subject = None
        self._find(fault.offset, Wrong.BYTES)

    def _take_entry(self, offset: int, one: Entry) -> None:
        self._entry = self._subject = None
        try:
            entry.verify(one)
        except Forged:
            self._find(offset, Wrong.SIGNATURE, one)
            return
        name = (one.body.author, one.body.log)
        found = self._logs.get(name)
        if found is None:
            if len(self._logs) == LOGS_MAX:
                self._find(offset, Wrong.LOGS, one)
                return
            found = self._logs[name] = Log(*name, one.body.seq, Head(one.body.seq, one.id))
        else:
            self._follow(offset, found, one)
        found.entries += 1
        self._entry = one
        if self._author is not None and one.body.author != self._author:
            self._find(offset, Wrong.AUTHOR, one)
        if one.body.kind is Kind.SPINE:
            self._subject = one
            try:
                spine.check_header(one)
            except PeerFault:
                self._find(offset, Wrong.SPINE, one)

    def _follow(self, offset: int, found: Log, one: Entry) -> None:
        if one.body.seq <= found.head.seq:
            found.breaks += 1
            self._find(offset, Wrong.ORDER, one)
            return
        if one.body.seq > found.head.seq + 1:
            found.gaps += 1
        else:
            try:
                log.follow(found.head, one)
            except log.BrokenChain:
                found.breaks += 1
                self._find(offset, Wrong.CHAIN, one)
        found.head = Head(one.body.seq, one.id)

    def _take_content(self, offset: int, shown: Shown) -> Said | None:
        one = self._entry
        if one is None:
            return None
        body, found = one.body, self._log(one)
        try:
            entry.check_content(body, shown.content)
        except Forged:
            self._find(offset, Wrong.CONTENT, one)
            return None
        found.contents += 1
        said = shown.content
        if body.kind is Kind.SEALED:
            if shown.key is None:
                return None
            try:
                said = entry.unseal(shown.key, body.author, body.log, body.seq, shown.content)
            except PeerFault:
                self._find(offset, Wrong.KEY, one)
                return None
            found.opened += 1
        elif shown.key is not None:  # there is nothing to open
            self._find(offset, Wrong.KEY, one)
        if body.kind is Kind.SPINE:
            try:
                spine.decode(shown.content)
            except PeerFault:
                self._find(offset, Wrong.SPINE, one)
            return None
        return Said(body.author, body.log, body.seq, body.at_ms, body.kind, said)

    def _take_cosignature(self, offset: int, cosignature: Cosignature) -> None:
        one, subject = self._entry, self._subject
        if one is None or subject is None:
            return
        found = self._log(one)
        known = self._devices.get(cosignature.witness)
        try:
            spine.check_cosignature(cosignature, subject.id, known or (cosignature.witness,))
        except Forged:
            if known is None and cosignature.subject == subject.id:
                found.unproven += 1
            else:
                self._find(offset, Wrong.COSIGNATURE, one)
            return
        found.cosigned += 1
        if cosignature.witness in found.witnesses or len(found.witnesses) < WITNESSES_MAX:
            found.witnesses[cosignature.witness] = cosignature.time_ms

    def _take_covered(self, offset: int, covered: Covered) -> None:
        one, self._subject = self._entry, None
        if one is None:
            return
        committed = covered.committed
        try:
            header = committed.check(one.body.author, covered.key, one.body.log)
        except PeerFault:
            self._find(offset, Wrong.COVERED, one)
            return
        if Head(committed.seq, committed.head) != Head(one.body.seq, one.id):
            self._find(offset, Wrong.COVERED, one)
            return
        self._subject = header
        found = self._log(one)
        found.covered += 1
        found.covered_seq = max(one.body.seq, found.covered_seq or 0)

    def _take_proof(self, offset: int, proof: Proof) -> None:
        self._entry = self._subject = None
        try:
            author, of = evidence.accused(proof)
        except PeerFault:
            self._find(offset, Wrong.PROOF)
            return
        self.proofs += 1
        if len(self.convicted) < FINDINGS_MAX:
            self.convicted.append(Convicted(offset, type(proof), author, of))

    def _take_certificate(self, offset: int, one: Certificate) -> None:
        self._entry = self._subject = None
        try:
            identity.check_certificate(one, one.account, one.not_before_s)  # whether its time is now, nobody asks here
        except PeerFault:
            self._find(offset, Wrong.CERTIFICATE)
            return
        if len(self.certificates) < FINDINGS_MAX:
            self.certificates.append(one)

    def _log(self, one: Entry) -> Log:
        return self._logs[one.body.author, one.body.log]

    def _find(self, offset: int, wrong: Wrong, one: Entry | None = None) -> None:
        self.wrong += 1
        if len(self.findings) < FINDINGS_MAX:
            of, seq = (None, None) if one is None else (one.body.log, one.body.seq)
            self.findings.append(Finding(offset, wrong, of, seq))
