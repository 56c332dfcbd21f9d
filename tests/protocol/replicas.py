"""Nodes in memory that keep logs and carry out what sessions ask for, and the links between them, one frame at a time.

A link is a duplex that keeps order and is cut at any moment; what was on it is lost then. Frames travel as bytes. What
a node keeps lies on its disk at once, so a cut costs it only the session. Not here: the store (tests/store/).
"""

from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from crypto.keys import SigningKey
from protocol import entry, log, sync
from protocol.entry import Body, Entry, Kind
from protocol.log import BrokenChain, Fork, Head
from protocol.sync import Memory, Proof, Shared
from protocol.sync_log import Accuse, Checked, Effects, Held, Import, Progress, Read, Remember, Send
from protocol.sync_session import Session
from protocol.talk import Side

SECRET = b"secret of a space, 32 bytes long"


def key_of(name: str) -> SigningKey:
    """The device key of a node."""
    return SigningKey(name.encode().ljust(32, b"."))


def log_of(name: str) -> bytes:
    """The id of a node's own log."""
    return log.log_id(SECRET, key_of(name).public, 0)


def ends_of(name: str, peer: str, side: Side) -> bytes:
    """The keys of both ends of a session of a node."""
    ends = (key_of(name).public, key_of(peer).public)
    return b"".join(ends if side is Side.DIALLER else ends[::-1])


def logs_of(*names: str) -> dict[bytes, bytes]:
    """Their own logs, and who writes each."""
    return {log_of(name): key_of(name).public for name in names}


@dataclass
class Kept:
    """A log on a disk."""

    author: bytes
    entries: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    waiting: dict[int, tuple[bytes, bytes | None]] = field(default_factory=dict)
    proof: Proof | None = None

    @property
    def head(self) -> Head | None:
        if not self.entries:
            return None
        return Head(len(self.entries) - 1, entry.id_of(self.entries[-1][0]))


@dataclass
class Disk:
    """What a node keeps: logs by id, and memories by peer."""

    logs: dict[bytes, Kept] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)


class Replica:
    """A node. headers_only: names of peers who get no contents."""

    def __init__(self, name: str, logs: Mapping[bytes, bytes], headers_only: tuple[str, ...] = ()) -> None:
        self.name = name
        self.key = key_of(name)
        self.headers_only = headers_only
        self.disk = Disk({one: Kept(author) for one, author in logs.items()})
        self.sessions: dict[str, Session] = {}
        self.out: dict[str, deque[bytes]] = {}
        self.accused: dict[bytes, Proof] = {}
        self.checked: dict[str, tuple[bytes, ...]] = {}
        self.held: dict[tuple[str, bytes], int] = {}
        self.progress: list[Progress] = []
        self.sent_bytes = 0
        self.frames: list[sync.Frame] = []

    def shared(self, peer: str) -> tuple[Shared, ...]:
        return tuple(
            Shared(
                one,
                kept.author,
                SECRET,
                peer not in self.headers_only,
                kept.author == self.key.public,
                kept.head,
                kept.proof,
            )
            for one, kept in self.disk.logs.items()
        )

    def append(self, of: bytes, content: bytes, key: SigningKey | None = None) -> Entry:
        """An entry at the end of a log, told to all peers."""
        kept = self.disk.logs[of]
        seq, prev = (0, None) if kept.head is None else (kept.head.seq + 1, kept.head.id)
        author = key or self.key
        one = entry.write(Body(author.public, of, seq, prev, 0, (), Kind.PUBLIC, *entry.about(content)), author)
        kept.entries.append((one.raw, content))
        self._tell(of, [(one.raw, content)])
        return one

    def connect(self, peer: str, side: Side, nonce: bytes) -> None:
        session = Session(side, nonce, self.shared(peer), self.disk.memories.get(peer), ends_of(self.name, peer, side))
        self.sessions[peer] = session
        self.out[peer] = deque()
        self._carry(peer, session.begin())

    def cut(self, peer: str) -> None:
        self.sessions.pop(peer, None)
        self.out.pop(peer, None)

    def hear(self, peer: str, raw: bytes) -> None:
        """A frame of a peer; a PeerFault ends the session and nothing else."""
        session = self.sessions[peer]
        self._carry(peer, session.hear(sync.decode(raw)))

    def take_in(self, of: bytes, raws: tuple[bytes, ...], contents: tuple[bytes | None, ...]) -> None:
        """As store.entries.take_in. Raises: PeerFault."""
        kept = self.disk.logs[of]
        if kept.proof is not None:
            return
        run = log.check_piece(raws, kept.author, of)
        for one, content in zip(run, contents, strict=True):
            if content is not None:
                entry.check_content(one.body, content)
            self._put(kept, one, content)
            if kept.proof is not None:
                return
        while kept.proof is None and (following := kept.waiting.pop(len(kept.entries), None)):
            self._put(kept, entry.open(following[0], kept.author), following[1])

    def _put(self, kept: Kept, one: Entry, content: bytes | None) -> None:
        seq = one.body.seq
        there = kept.entries[seq] if seq < len(kept.entries) else kept.waiting.get(seq)
        if there is not None and there[0] != one.raw:
            proof = Fork.of(there[0], one.raw)
            proof.check()
            kept.proof = proof
        elif seq == len(kept.entries):
            log.follow(kept.head, one)
            kept.entries.append((one.raw, content))
        elif there is None:
            entry.verify(one)
            kept.waiting[seq] = (one.raw, content)
        elif there[1] is None and seq < len(kept.entries):
            kept.entries[seq] = (one.raw, content)

    def _carry(self, peer: str, effects: Effects) -> None:
        for effect in effects:
            session = self.sessions.get(peer)
            if session is None:
                return
            match effect:
                case Send(frame):
                    raw = sync.encode(frame)
                    assert len(raw) <= sync.FRAME_BYTES_MAX
                    self.sent_bytes += len(raw) + 4
                    self.frames.append(frame)
                    self.out[peer].append(raw)
                case Read(of, first, entries_max, bytes_max):
                    self._carry(peer, session.found(of, first, self._read(of, first, entries_max, bytes_max)))
                case Import(of, first, raws, contents):
                    assert raws
                    self._import(peer, session, of, raws, contents)
                case Accuse(of, proof):
                    self.disk.logs[of].proof = proof
                    self._flood(of, proof)
                case Remember(memory):
                    self.disk.memories[peer] = memory
                case Checked(ahead):
                    self.checked[peer] = ahead
                case Held(of, seq):
                    self.held[peer, of] = seq
                case Progress():
                    self.progress.append(effect)

    def _import(
        self, peer: str, session: Session, of: bytes, raws: tuple[bytes, ...], contents: tuple[bytes | None, ...]
    ) -> None:
        kept = self.disk.logs[of]
        before, was_frozen = len(kept.entries), kept.proof is not None
        try:
            self.take_in(of, raws, contents)
        except BrokenChain:
            self._carry(peer, session.parted(of))
            return
        if kept.proof is not None and not was_frozen:
            self._flood(of, kept.proof)
        self._carry(peer, session.imported(of, kept.head))
        if len(kept.entries) > before:
            self._tell(of, kept.entries[before:])

    def _tell(self, of: bytes, new: list[tuple[bytes, bytes | None]]) -> None:
        head = self.disk.logs[of].head
        assert head is not None
        for other, session in list(self.sessions.items()):
            self._carry(other, session.grew(of, new, head))

    def _flood(self, of: bytes, proof: Proof) -> None:
        self.accused[of] = proof
        for other, session in list(self.sessions.items()):
            self._carry(other, session.froze(of, proof))

    def _read(self, of: bytes, first: int, entries_max: int, bytes_max: int) -> list[tuple[bytes, bytes | None]]:
        found: list[tuple[bytes, bytes | None]] = []
        size = 0
        for raw, content in self.disk.logs[of].entries[first : first + entries_max]:
            size += len(raw) + len(content or b"")
            if found and size > bytes_max:
                break
            found.append((raw, content))
        return found


class World:
    """Replicas and the links between them."""

    def __init__(self, replicas: tuple[Replica, ...]) -> None:
        self.nodes = {one.name: one for one in replicas}
        self.links: list[tuple[str, str]] = []
        self._nonce = 0

    def connect(self, dialler: str, listener: str) -> None:
        """A new session between two; the one there was is cut."""
        self.cut(dialler, listener)
        self.links.append((dialler, listener))
        for name, peer, side in ((dialler, listener, Side.DIALLER), (listener, dialler, Side.LISTENER)):
            self._nonce += 1
            self.nodes[name].connect(peer, side, self._nonce.to_bytes(8, "big"))

    def cut(self, one: str, other: str) -> None:
        self.links = [link for link in self.links if set(link) != {one, other}]
        self.nodes[one].cut(other)
        self.nodes[other].cut(one)

    def step(self, choice: int) -> bool:
        """Delivers the first frame of one of the directions that have one; whether there was any."""
        full = [
            (sender, reader)
            for link in self.links
            for sender, reader in (link, link[::-1])
            if self.nodes[sender].out.get(reader)
        ]
        if not full:
            return False
        sender, reader = full[choice % len(full)]
        self.nodes[reader].hear(sender, self.nodes[sender].out[reader].popleft())
        return True

    def rest(self) -> None:
        """Connects everybody with everybody, until all is told."""
        for dialler in self.nodes:
            for listener in self.nodes:
                if dialler < listener:
                    self.connect(dialler, listener)
                    self.settle()

    def settle(self, steps_max: int = 100_000) -> None:
        """Delivers all that is on its way, and what comes of it."""
        for number in range(steps_max):
            if not self.step(number):
                return
        raise AssertionError("frames without end")

    def restore(self, name: str, disk: Disk) -> None:
        """Puts an old disk back; all sessions of the node end."""
        for link in [link for link in self.links if name in link]:
            self.cut(*link)
        self.nodes[name].disk = deepcopy(disk)


def disk_of(node: Replica) -> Disk:
    """A copy of what a node keeps."""
    return deepcopy(node.disk)
