"""One session of /weft/sync/1 with one device: what its machine asks for is carried out here, in order.

    stream ──frames──> Session ──effects──> database, other sittings, desks ──> Session ──frames──> stream

What came together is one transaction. A peer who does not read what he asked for stops the reading from the disk, and
nothing else. Not here: the machine (protocol/sync_session.py), who sits with whom (node/sync.py).
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from node import frames
from node.bell import Bell
from node.inward import Inward
from node.logs import giving
from node.logs.policy import Policy
from node.network import Stream
from protocol import sync
from protocol.faults import PeerFault, Unavailable
from protocol.grant import Role
from protocol.log import Head
from protocol.sync import Memory, Shared
from protocol.sync_log import Accuse, Checked, Effect, Effects, Held, Import, Progress, Read, Remember, Send, Unknown
from protocol.sync_session import Session
from protocol.talk import Side
from store import authoring, carried, entries, handovers, intake, logs, mutual, recovered, rounds, spaces
from store.database import Tx
from store.intake import Piece, Took

OUT_BYTES_MAX = 256 * 1024  # waits to be written before more is read from the disk
SILENT_S = 60.0  # for an answer to what was asked; then the session ends, and another is tried
REMEMBER_S = 30.0  # the last round is written down so long after it ended
WRITE_S = 60.0  # a quarter of a megabyte, over a slow link
AWAITED_MAX = 512  # rows of contents that are asked for once more in one session

Entries = Sequence[tuple[bytes, bytes | None]]


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end. contact, device: rows; account: 32 bytes; key: of the device."""

    contact: int
    account: bytes
    device: int
    key: bytes


@dataclass
class Sitting:
    """A session that runs. progress: called with (log, entries here, entries in all) of a long log."""

    inward: Inward
    policy: Policy
    peer: Peer
    stream: Stream
    side: Side
    progress: Callable[[int, int, int], None]
    numbers: dict[bytes, int] = field(default_factory=dict)  # id of a log -> its number; those of this session
    _session: Session = field(init=False)
    _logs: dict[int, spaces.Space] = field(default_factory=dict)
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _out: deque[bytes] = field(default_factory=deque)
    _out_bytes: int = 0
    _read: Read | None = None  # what is to be read for the peer, one at a time
    _written: Bell = field(default_factory=Bell)  # there is something to write
    _drained: Bell = field(default_factory=Bell)  # something is to be read, or was written
    _grown: dict[int, None] = field(default_factory=dict)  # numbers of logs of which something is new
    _news: Bell = field(default_factory=Bell)
    _first: dict[int, None] = field(default_factory=dict)  # logs of ours whose first entries were announced
    _announced: Bell = field(default_factory=Bell)
    _importing: dict[int, None] = field(default_factory=dict)
    _offers: int = 0  # entries of logs whose anchor we are, that his mail had brought when the session began
    _memory: Memory | None = None
    _remembered: Bell = field(default_factory=Bell)
    _busy: Bell = field(default_factory=Bell)  # something is waited for
    _heard_at: float = 0.0

    def tell(self, number: int) -> None:
        """Something is new of a log: entries, or a proof."""
        if number in self._logs:
            self._grown[number] = None
            self._news.ring()

    def end(self) -> None:
        """Ends the session in order: others are to be shared than it is about."""
        self._scope.cancel()

    async def run(self) -> None:
        """The session, to its end. Raises: PeerFault, Unavailable, or groups of them."""
        with self._scope:
            await self.policy.desks.close_for(self.peer.account)
            shared, memory = await self.inward.database.transact(self._begin)
            nonce = self.inward.ground.entropy("sync")(sync.NONCE_BYTES)
            ends = (self.inward.identity.device, self.peer.key)
            both = b"".join(ends if self.side is Side.DIALLER else ends[::-1])
            self._session = Session(self.side, nonce, shared, memory, both)
            self._heard_at = trio.current_time()
            try:
                async with trio.open_nursery() as nursery:
                    for task in (self._write, self._serve, self._spread, self._watch, self._suspect, self._keep):
                        nursery.start_soon(task)
                    await self._perform(self._session.begin())
                    await self._hear()
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                    await self._remember()

    def _begin(self, tx: Tx) -> tuple[tuple[Shared, ...], Memory | None]:
        """What the peer may know now, and what is known of the last round with him."""
        shared = self.policy.shared(tx, self.peer.contact, self.peer.account)
        for one, _ in shared:
            self.numbers[one.log.id] = one.log.number
            self._logs[one.log.number] = one
        self._offers = carried.offers(tx, self.peer.contact)
        return tuple(said for _, said in shared), rounds.last(tx, self.peer.device)

    def _head(self, tx: Tx, number: int) -> Head | None:
        """The newest entry of a log that this peer may be shown."""
        return self.policy.head(tx, self._logs[number], self.peer.account)

    # --- inwards

    async def _hear(self) -> None:
        reader = frames.FrameReader(self.stream, sync.FRAME_BYTES_MAX)
        while (got := await reader.read_some()) is not None:
            self._heard_at = trio.current_time()
            effects: list[Effect] = []
            for raw in got:
                effects += self._session.hear(sync.decode(raw))
            if named := self._of_others(self._session.named()):
                await self.inward.database.transact(mutual.saw, self.peer.contact, named, self.inward.now())
            await self._perform(effects)

    def _of_others(self, said: Sequence[bytes]) -> list[int]:
        """Those of these logs that are spines or feeds of others: of them it is kept who has named them."""
        found = (self._logs[self.numbers[log]] for log in said)
        return [one.log.number for one in found if one.role in giving.SHOWN and not one.log.own]

    async def _watch(self) -> None:
        """Ends the session where something is waited for and nothing comes."""
        while True:
            await self._busy.wait()
            while not self._session.is_idle:
                if trio.current_time() >= self._heard_at + SILENT_S:
                    raise Unavailable("the other end does not answer about logs")
                await trio.sleep_until(self._heard_at + SILENT_S)

    async def _perform(self, effects: Sequence[Effect]) -> None:
        todo = deque(effects)
        while todo:
            match todo.popleft():
                case Send(frame):
                    raw = sync.encode(frame)
                    self._out.append(raw)
                    self._out_bytes += len(raw)
                    self._written.ring()
                case Read() as read:
                    assert self._read is None
                    self._read = read
                    self._drained.ring()
                case Import() as first:
                    batch = [first]
                    while todo and isinstance(following := todo[0], Import):
                        batch.append(following)
                        todo.popleft()
                    todo.extendleft(reversed(await self._take(batch)))
                case Accuse(log, proof):
                    await self.inward.database.transact(intake.freeze, proof, self.inward.now())
                    if self._logs[self.numbers[log]].log.own:
                        await self.policy.desks.parted(self.numbers[log])
                case Progress(log, here, total):
                    self.progress(self.numbers[log], here, total)
                case Checked(ahead):
                    await self._compare(frozenset(ahead))
                    if unnamed := self._of_others(self._session.unnamed()):
                        await self.inward.database.transact(mutual.missed, self.peer.contact, unnamed)
                    await self._lacks()
                    todo.extend(await self._contents())
                case Held(log, seq):
                    number = self.numbers[log]
                    await self.policy.desks.held(self.peer.account, number, self.peer.contact, seq)
                case Unknown(log):  # an old disk was put back there: he is told again of what he may have
                    await self.inward.database.transact(self._forgotten, self.numbers[log])
                case Remember(memory):
                    self._memory = memory
                    self._remembered.ring()
        if not self._session.is_idle:
            self._busy.ring()

    async def _lacks(self) -> None:
        """What the peer holds of feeds of others is known now: where one goes on, he may not have heard of it."""
        feeds = [
            log
            for log, number in self.numbers.items()
            if self._logs[number].role is Role.FEED
            and self._logs[number].contact not in (spaces.OURS, self.peer.contact)
        ]
        theirs = {self.numbers[log]: self._session.theirs(log) for log in feeds}
        if any(seq < 0 for seq in theirs.values()):
            here = {self.numbers[log]: self._session.seq(log) for log in feeds}
            await self.inward.database.transact(handovers.lacks, self.peer.contact, theirs, here, self.inward.now())

    def _forgotten(self, tx: Tx, number: int) -> None:
        spaces.forgotten(tx, number, self.peer.contact)
        rounds.forget(tx, self.peer.device)
        self._memory = None

    async def _compare(self, ahead: frozenset[bytes]) -> None:
        """What the peer holds of our own logs is known now; for the anchor of a log this opens it."""
        for log, number in self.numbers.items():
            if self._logs[number].log.own:
                theirs = self._session.theirs(log)
                is_ours = log not in ahead or await self.inward.database.transact(self._has_newest, log, theirs)
                await self.policy.desks.compared(self.peer.account, number, theirs, is_ours)
            elif log not in ahead:
                await self._recovered(number)

    async def _recovered(self, number: int) -> None:
        """All that the peer holds of a log is here: of a half that a lost device of ours wrote, all."""
        of = self._logs[number]
        if of.role is Role.LEDGER and of.contact == spaces.OURS:
            await self.inward.database.transact(recovered.note, number)

    def _has_newest(self, tx: Tx, log: bytes, theirs: int) -> bool:
        """Whether the peer's newest entry of a log of ours is here: he may have got more than we had known of him."""
        one = entries.entry_at(tx, self.numbers[log], theirs)
        return one is not None and self._session.is_newest_there(log, Head(theirs, one.id))

    async def _contents(self) -> Effects:
        """Asks once more for contents that others who gave us the entries did not have."""
        wanted: list[tuple[bytes, int, int]] = []

        def awaited(tx: Tx) -> None:
            for log, number in self.numbers.items():
                upto = min(self._session.seq(log), self._session.theirs(log)) + 1
                found = giving.wanted(tx, self._logs[number], self.peer.contact, upto, self.inward.now())
                wanted.extend((log, first, last) for first, last in found)

        await self.inward.database.transact(awaited)
        return tuple(effect for one in wanted[:AWAITED_MAX] for effect in self._session.again(*one))

    async def _take(self, batch: Sequence[Import]) -> Sequence[Effect]:
        pieces = [Piece(self.numbers[one.log], one.raws, one.contents) for one in batch]
        self._importing.update(dict.fromkeys(one.number for one in pieces))
        effects: list[Effect] = []
        try:
            results = await self.inward.database.transact(self._take_in, pieces)
            if results is None:
                self.end()
                return ()
            for one, result in zip(batch, results, strict=True):
                effects += await self._taken(one.log, result)
        finally:
            for piece in pieces:
                self._importing.pop(piece.number, None)
            self._news.ring()
        return effects

    def _take_in(self, tx: Tx, pieces: Sequence[Piece]) -> tuple[Took | PeerFault, ...] | None:
        """None where the peer's mail, since the session began, has brought what one of these contradicts.

        Then another machine of his writes too: nothing of this stream is taken, and nobody accused (carrying 4.2).
        """
        if carried.offers(tx, self.peer.contact) != self._offers and any(self._is_other(tx, one) for one in pieces):
            return None
        key, entropy = self.inward.identity.device_key, self.inward.ground.entropy("logs")
        return intake.take(tx, pieces, key, self.inward.now(), entropy)

    def _is_other(self, tx: Tx, piece: Piece) -> bool:
        """Whether we are the anchor of the log, and hold other entries than these."""
        of = self._logs[piece.number]
        if of.contact != self.peer.contact or of.anchor != self.inward.identity.account:
            return False
        try:
            return carried.fit(tx, of, piece.raws) is carried.Fit.OTHER
        except PeerFault:
            return False  # and it is found again by who takes it in

    async def _taken(self, log: bytes, result: Took | PeerFault) -> Effects:
        number = self.numbers[log]
        if isinstance(result, PeerFault):
            raise result
        if result.is_over:
            await self.policy.desks.parted(number)
            return self._session.imported(log, await self.inward.database.read(self._head, number))
        if result.is_parted:
            return self._session.parted(log)
        proven = () if result.proof is None else self._session.froze(log, result.proof)
        if not self._logs[number].log.own:
            if result.head is not None and self._session.theirs(log) <= result.head.seq:
                await self._recovered(number)
            told = self._session.imported(log, result.head)
            is_asked = self._logs[number].role is Role.LEDGER and self._logs[number].contact == self.peer.contact
            return (*proven, *told, *(self._session.holds(log) if is_asked else ()))
        # What he holds is published; what was appended again behind it he is told of as of any other news.
        told = self._session.imported(log, await self.inward.database.read(_published, number))
        await self.policy.desks.took(number, self.peer.account)
        return (*proven, *told)

    # --- outwards

    async def _write(self) -> None:
        """Sends what is queued. Who reads learns how a stream has ended that takes no more: in order, or broken off."""
        with suppress(Unavailable):
            while True:
                await self._written.wait()
                while self._out:
                    out = list(self._out)
                    self._out.clear()
                    with trio.fail_after(WRITE_S):
                        await frames.write(self.stream, *out)
                    self._out_bytes -= sum(map(len, out))
                    self._drained.ring()

    async def _serve(self) -> None:
        """Reads for the peer what he asked for, as long as he reads it."""
        while True:
            await self._drained.wait()
            while self._read is not None and self._out_bytes < OUT_BYTES_MAX:
                read, self._read = self._read, None
                found = await self.inward.database.transact(self._entries, read)
                await self._perform(self._session.found(read.log, read.first, found))

    def _entries(self, tx: Tx, read: Read) -> Entries:
        """What a peer asked for, as far as he may be shown it."""
        number = self.numbers[read.log]
        head = self._head(tx, number)
        count = 0 if head is None else min(read.entries_max, head.seq - read.first + 1)
        found = entries.read(tx, number, read.first, max(0, count), read.bytes_max)
        return giving.given(tx, self._logs[number], self.peer.contact, found, self.inward.now())

    async def _spread(self) -> None:
        """Tells the peer what has come from elsewhere, or was written here."""
        while True:
            await self._news.wait()
            while (number := next((one for one in self._grown if one not in self._importing), None)) is not None:
                del self._grown[number]
                await self._perform(await self._fresh(number))

    async def _fresh(self, number: int) -> Effects:
        log = self._logs[number].log.id
        before = self._session.seq(log)

        def look(tx: Tx) -> tuple[sync.Proof | None, Head | None, Entries]:
            head = self._head(tx, number)
            is_next = head is not None and head.seq == before + 1
            found = entries.read(tx, number, before + 1, 1, sync.FRAME_BYTES_MAX) if is_next else ()
            given = giving.given(tx, self._logs[number], self.peer.contact, found, self.inward.now())
            return logs.proof(tx, number), head, given

        proof, head, found = await self.inward.database.read(look)
        if proof is not None:
            return self._session.froze(log, proof)
        if number in self._importing:  # the session learns by itself of what its peer has brought
            self._grown[number] = None
            return ()
        seq = self._session.seq(log)
        if head is None or head.seq <= seq:
            return ()
        if seq < 0 and self._logs[number].log.own:
            self._first[number] = None
            self._announced.ring()
        return self._session.grew(log, found if seq == before else (), head)

    async def _suspect(self) -> None:
        """Grants a log anew to whom its first entries were announced in vain: an old disk was put back there."""
        while True:
            await self._announced.wait()
            await trio.sleep(SILENT_S)
            first = [*self._first]
            self._first.clear()
            for number in first:
                if self._session.is_unknown(self._logs[number].log.id):
                    await self.inward.database.transact(self._forgotten, number)

    # --- what is kept of it

    async def _keep(self) -> None:
        while True:
            await self._remembered.wait()
            await trio.sleep(REMEMBER_S)
            await self._remember()

    async def _remember(self) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            await self.inward.database.transact(rounds.keep, self.peer.device, memory)


def _published(tx: Tx, number: int) -> Head | None:
    return authoring.head_shown(tx, number, logs.log(tx, number).published)
