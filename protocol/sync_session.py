"""One session of /weft/sync/1 as a machine: frames and news in, frames and work out (docs/protocol/sync.md 3 to 5).

Each side fetches what it lacks. What is to be done comes back as effects, in order; whoever carries them out sends one
before the next, so that a slow reader slows the reading, and answers a Read with `found`, an Import with `imported`.
Not here: waiting for a peer who says nothing (the caller's deadline), what becomes of entries (store/entries.py).
"""

from collections.abc import Sequence
from typing import assert_never

from crypto.faults import Forged
from protocol import evidence, sync
from protocol.log import Head
from protocol.sync import Done, Frame, Have, Hello, Live, Memory, Proof, Proven, Run, Shared, Standing, Want
from protocol.sync_fetch import Fetching
from protocol.sync_log import (
    NONE,
    UNKNOWN,
    Accuse,
    Checked,
    Effect,
    Effects,
    Held,
    Log,
    OutOfTurn,
    Progress,
    Remember,
    Send,
    Unknown,
)
from protocol.sync_serve import Serving
from protocol.talk import Side

PROOFS_MAX = 64  # beyond one for each log; each costs two or three signatures
HAVES_MAX = 2 * (sync.LOGS_MAX // sync.HAVE_LOGS_MAX) + 2  # of the rounds of a session: a short one, then all


class Session:
    """One session. shared: what the policy allows for this peer; memory: of the last session with him.

    nonce: 8 random bytes. ends: the keys of the two devices, the dialler's first. Faults that its inputs raise are
    PeerFaults, and end the session. It is about these logs as long as it lasts: when the policy allows another, the
    caller begins another session.
    """

    def __init__(self, side: Side, nonce: bytes, shared: Sequence[Shared], memory: Memory | None, ends: bytes) -> None:
        assert len(nonce) == sync.NONCE_BYTES
        assert len(ends) == sync.ENDS_BYTES
        assert len(shared) <= sync.LOGS_MAX
        self._side, self._nonce, self._ends = side, nonce, ends
        self._other = Side.LISTENER if side is Side.DIALLER else Side.DIALLER
        self._logs = {one.log: Log(one, b"", one.head, one.proof) for one in shared}
        # A memory of other logs says nothing about these: who was given one more since then has to compare.
        known = memory is not None and {one.log for one in memory.mine} == self._logs.keys()
        self._memory = memory if known else None
        self._own = tuple(one for one in self._logs.values() if one.shared.own)
        self._frontier: bytes | None = None
        self._hello = Hello(nonce, self._digest())
        self._late: dict[bytes, Log] = {}  # grew between the two hellos
        self._theirs: dict[bytes, Log] = {}
        self._nonces = b""
        self._fetching, self._serving = Fetching(), Serving()
        self._haves = self._proofs = 0
        self._has_all = False  # we know all that he has
        self._has_heard_all = False  # he has named every log that he knows of these
        self._is_amiss = False  # he does not know a log of ours that he may have: the next session compares all again
        self._has_told = self._has_told_all = False  # he knows what we have that changed, or all
        self._has_moved = False  # something was said beyond hello, so the end of it is said too
        self._proofs_told: dict[bytes, None] = {}
        self._my_done: tuple[bytes, tuple[Standing, ...]] | None = None
        self._their_done: bytes | None = None
        self._remembered: Memory | None = None
        self._named: list[bytes] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked for, nothing being taken in or read: there is nothing to wait for."""
        return self._has_all and self._fetching.is_idle and self._serving.is_idle

    def seq(self, log: bytes) -> int:
        """The newest entry of a log that this peer has been, or may be, shown here; -1 for none."""
        return self._logs[log].seq

    def theirs(self, log: bytes) -> int:
        """The newest entry of a log that the peer has said to have; -1 for none."""
        return max(self._logs[log].theirs, NONE)

    def is_newest_there(self, log: bytes, head: Head) -> bool:
        """Whether the peer has said that this entry is the newest that he has of a log."""
        one = self._logs[log]
        return one.theirs == head.seq and one.mark == sync.mark(one.shared.secret, head.id, self._nonces)

    def is_unknown(self, log: bytes) -> bool:
        """Whether the peer has neither named a log nor asked for it."""
        one = self._logs[log]
        return one.theirs == one.served == UNKNOWN

    def named(self) -> tuple[bytes, ...]:
        """The logs that the peer has named since this was asked last, each once in a session: he knows their secrets.

        By tags of his own side alone: that two digests are equal shows nothing, he may have said ours again.
        """
        named, self._named = tuple(self._named), []
        return named

    def unnamed(self) -> tuple[bytes, ...]:
        """The logs that the peer has not named, where he has named all that he knows; those that are frozen apart."""
        if not self._has_heard_all:
            return ()
        return tuple(log for log, one in self._logs.items() if not one.is_shown and one.proof is None)

    def begin(self) -> Effects:
        """The first frame."""
        return (Send(self._hello),)

    def hear(self, frame: Frame) -> Effects:
        """What a frame of the peer leads to. Raises: PeerFault."""
        if isinstance(frame, Hello) == bool(self._nonces):
            raise OutOfTurn
        match frame:
            case Hello():
                return self._greeted(frame)
            case Have():
                return (*self._compare(frame), *self._ended())
            case Want():
                return self._serving.add([self._known(tag) for tag in frame.tags], frame)
            case Run():
                return (*self._fetching.given(self._known(frame.tag), frame), *self._ended())
            case Proven():
                return (*self._accused(frame.proof), *self._ended())
            case Live():
                return self._pushed(frame)
            case Done():
                return self._done(frame)
            case _:
                assert_never(frame)

    def found(self, log: bytes, first: int, entries: Sequence[tuple[bytes, bytes | None]]) -> Effects:
        """The entries, with their contents, that a Read asked for; fewer or none when there are no more."""
        self._has_moved = True
        return (*self._serving.found(log, first, entries), *self._ended())

    def imported(self, log: bytes, head: Head | None) -> Effects:
        """What an Import gave was taken in.

        head: of the log now, as far as this peer may be shown it; what is kept aside behind a gap leaves it as it was.
        """
        one = self._logs[log]
        self._has_moved = True
        self._moved(one, head)
        self._fetching.imported(one)
        progress = (Progress(log, one.seq + 1, one.theirs + 1),) if one.is_far else ()
        one.is_far &= one.seq < one.theirs
        return (*progress, *self._ended())

    def holds(self, log: bytes) -> Effects:
        """Tells the author of a log what is on our disk of it now: of what he pushes, only a digest did (5.4)."""
        one = self._logs[log]
        return () if one.head is None or one.proof is not None else (Send(self._have((one,), None, sync.PART_NEWS)),)

    def parted(self, log: bytes) -> Effects:
        """What an Import gave follows another entry than our newest: his in that place is asked for (sync 4.4)."""
        self._fetching.parted(self._logs[log])
        return self._ended()

    def grew(self, log: bytes, entries: Sequence[tuple[bytes, bytes | None]], head: Head) -> Effects:
        """Entries with contents that a log has got from elsewhere, or that this peer may now see; the last is its head.

        The entries of our own log come here when publishing.py offers them to him, not when they are appended.
        """
        one = self._logs[log]
        self._moved(one, head)
        if one.proof is not None or one.told >= head.seq or self._is_strange(one):
            return ()
        if not self._nonces:
            self._late[log] = one
        if not (self._has_told or self._has_all):
            return ()
        self._has_moved = True
        if len(entries) == 1 and one.told == head.seq - 1:
            one.told = head.seq
            raw, content = entries[0]
            return (Send(Live(one.mine, head.seq, raw, content if one.shared.with_contents else None)),)
        return (Send(self._have((one,), None, sync.PART_NEWS)),)

    def froze(self, log: bytes, proof: Proof) -> Effects:
        """A log was proven forked, here or by somebody else: the peer learns it before anything else."""
        one = self._logs[log]
        if one.proof is not None:
            return ()
        self._freeze(one, proof)
        if not self._nonces:
            self._late[log] = one
            return ()
        return (*self._prove(one), *self._ended())

    def again(self, log: bytes, first: int, last: int) -> Effects:
        """Asks for entries that we have, for their contents; nothing where the peer has not said to have them."""
        one = self._logs[log]
        if one.proof is None and last <= one.theirs:
            self._fetching.repeat(one, first, last)
        return self._ended()

    # --- what the peer says

    def _greeted(self, hello: Hello) -> Effects:
        nonces = (self._nonce, hello.nonce) if self._side is Side.DIALLER else (hello.nonce, self._nonce)
        self._nonces = b"".join((*nonces, self._ends))
        for one in self._logs.values():
            secret, log = one.shared.secret, one.shared.log
            one.mine = sync.tag(secret, log, self._side, self._nonces)
            self._theirs[sync.tag(secret, log, self._other, self._nonces)] = one
        is_same = hello.digest == self._hello.digest
        if not is_same and (self._memory is None or hello.digest != self._memory.theirs):
            return self._tell(self._memory)
        # sync 3.2: he has nothing that we have not, so nothing is asked for; whether we have is for him to say.
        self._has_all = True
        effects: list[Effect] = []
        if is_same:
            for log, one in self._logs.items():
                if log not in self._late and one.head is not None:  # of an empty one nothing was said
                    one.theirs = one.told = one.seq
            effects += [Held(one.shared.log, one.theirs) for one in self._own if one.theirs >= 0]
        for one in self._late.values():
            late = self._prove(one) if one.proof is not None else (Send(self._have((one,), None, sync.PART_NEWS)),)
            effects += late
        return (*effects, Checked(()))

    def _compare(self, have: Have) -> Effects:
        if have.part != sync.PART_NEWS:
            self._haves += 1
            if self._haves > HAVES_MAX:
                raise OutOfTurn
        effects: list[Effect] = []
        for tag, seq, mark in zip(have.tags, have.seqs, have.marks, strict=True):
            one = self._theirs.get(tag)
            if one is not None:
                self._note(one)
                veil = sync.veil(one.shared.secret, one.shared.log, self._other, self._nonces)
                effects += self._met(one, seq ^ veil, mark)
        if have.part == sync.PART_LAST:
            effects += self._compared(have.since)
        return tuple(effects)

    def _compared(self, since: bytes | None) -> Effects:
        """The end of his heads. since: of the round since which they are; we may not have ended that one."""
        is_known = self._memory is not None and since == self._memory.round
        told: Effects = ()
        if not is_known:  # sync 3.4: he does not know our round, or we do not know his
            told = self._tell(None)
        elif not self._has_told:
            told = self._tell(self._memory)
        self._has_heard_all |= since is None
        if self._has_all or not (is_known or since is None):
            return told
        self._has_all = True
        ahead = (one.shared.log for one in self._own if one.theirs > one.seq or one.is_other)
        return (*told, Checked(tuple(ahead)))

    def _met(self, one: Log, seq: int, mark: bytes) -> Effects:
        if seq >= one.theirs:
            one.theirs, one.mark = seq, mark
        one.told = max(one.told, min(seq, one.seq))
        if one.proof is not None:
            return self._prove(one)
        if seq > one.seq:
            self._fetching.plan(one)
        elif one.head is not None and seq == one.seq:
            if sync.mark(one.shared.secret, one.head.id, self._nonces) != mark:
                one.is_other = True
                self._fetching.probe(one)
            elif one.shared.own:
                return (Held(one.shared.log, seq),)
        return ()

    def _pushed(self, live: Live) -> Effects:
        one = self._known(live.tag)
        one.theirs, one.told = max(one.theirs, live.seq), max(one.told, live.seq)
        return self._fetching.take(one, live.seq, (live.entry,), (live.content,))

    def _accused(self, proof: Proof) -> Effects:
        self._proofs += 1
        if self._proofs > PROOFS_MAX + len(self._logs):
            raise OutOfTurn
        author, log = evidence.accused(proof)
        one = self._logs.get(log)
        if one is None:
            return ()
        if author != one.shared.author:
            raise Forged
        self._proofs_told[log] = None
        if one.proof is not None:
            return ()
        self._freeze(one, proof)
        return (Accuse(log, proof),)

    def _done(self, done: Done) -> Effects:
        self._their_done = done.digest
        is_same = done.digest == self._digest()
        held: list[Effect] = []
        for one in self._own:
            # He asked before he was done, so what he asked for is on his disk; what was pushed only his digest tells.
            reached = one.seq if is_same else min(one.served, one.seq)
            if reached >= 0 and reached >= one.theirs:
                one.theirs = reached
                held.append(Held(one.shared.log, reached))
            elif one.theirs == UNKNOWN and one.is_named and not is_same:
                self._is_amiss = True
                held.append(Unknown(one.shared.log))
        return (*held, *self._ended())

    # --- what we say

    def _tell(self, memory: Memory | None) -> Effects:
        """Proofs, then our heads: those that changed since a round, or all; each at most once in a session."""
        if self._has_told_all:
            return ()
        self._has_told = self._has_moved = True
        self._has_told_all = memory is None
        before = {} if memory is None else {one.log: one for one in memory.mine}
        new = [one for one in self._logs.values() if before.get(one.shared.log) != one.standing]
        proofs = [effect for one in new if one.proof is not None for effect in self._prove(one)]
        heads = [one for one in new if one.proof is None and one.head is not None]
        starts = range(0, len(heads), sync.HAVE_LOGS_MAX) or range(1)
        since = None if memory is None else memory.round
        return (
            *proofs,
            *(Send(self._have(heads[at : at + sync.HAVE_LOGS_MAX], since, int(at != starts[-1]))) for at in starts),
        )

    def _have(self, logs: Sequence[Log], since: bytes | None, part: int) -> Have:
        tags, seqs, marks = [], [], []
        for one in logs:
            assert one.head is not None
            secret = one.shared.secret
            one.is_named |= part != sync.PART_NEWS
            tags.append(one.mine)
            seqs.append(one.head.seq ^ sync.veil(secret, one.shared.log, self._side, self._nonces))
            marks.append(sync.mark(secret, one.head.id, self._nonces))
        return Have(since, tuple(tags), tuple(seqs), tuple(marks), part)

    def _prove(self, one: Log) -> Effects:
        assert one.proof is not None
        if one.shared.log in self._proofs_told:
            return ()
        self._proofs_told[one.shared.log] = None
        return (Send(Proven(one.proof)),)

    def _ended(self) -> Effects:
        """Asks for what is left; else says that we have all, and ends the round when he has said so too (sync 3.5)."""
        effects: list[Effect] = list(self._fetching.ask())
        if not (self._has_moved and self._has_all and self._fetching.is_idle) or self._fetching.is_incomplete:
            return tuple(effects)
        if self._my_done is None or self._my_done[0] != self._digest():
            self._my_done = (self._digest(), tuple(one.standing for one in self._logs.values()))
            effects.append(Send(Done(self._my_done[0])))
        if self._their_done is not None and not self._is_amiss:
            digest, mine = self._my_done
            ends = (digest, self._their_done) if self._side is Side.DIALLER else (self._their_done, digest)
            memory = Memory(sync.round_of(*ends), self._their_done, mine)
            if memory != self._remembered:
                self._remembered = memory
                effects.append(Remember(memory))
        return tuple(effects)

    # --- what is known

    def _known(self, tag: bytes) -> Log:
        one = self._theirs.get(tag)
        if one is None:
            raise OutOfTurn
        self._note(one)
        return one

    def _note(self, one: Log) -> None:
        if not one.is_shown:
            one.is_shown = True
            self._named.append(one.shared.log)

    def _moved(self, one: Log, head: Head | None) -> None:
        one.head = head
        self._frontier = None

    def _is_strange(self, one: Log) -> bool:
        """Whether he was told of somebody else's log, has shown all that he has, and does not share it."""
        is_unknown = one.theirs == one.served == UNKNOWN
        return one.is_named and is_unknown and not one.shared.own and self._has_heard_all and bool(self._their_done)

    def _freeze(self, one: Log, proof: Proof) -> None:
        one.proof = proof
        one.todo.clear()
        self._frontier = None
        self._has_moved = True

    def _digest(self) -> bytes:
        if self._frontier is None:
            self._frontier = sync.digest(one.standing for one in self._logs.values())
        return self._frontier
