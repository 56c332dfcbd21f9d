"""Sessions of sync over the real store: what one asks for is what the other can take in (sync.md, log.md 5)."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from crypto.faults import PeerFault
from protocol import log, sync
from protocol.entry import Entry, Kind
from protocol.log import BrokenChain, Fork, Head
from protocol.sync import Memory, Proof, Shared
from protocol.sync_fetch import FAR_ENTRIES, NEWEST_ENTRIES
from protocol.sync_log import Accuse, Checked, Effects, Import, Read, Remember, Send
from protocol.sync_session import Session
from protocol.talk import Side
from store import entries, logs
from store.database import Tx
from tests.protocol import chains
from tests.protocol.chains import ANA, AT_MS, CONTENT, LOG, SECRET
from tests.store import log_kit

RUN = log.RUN_ENTRIES_MAX


class Store:
    """A node's store with Ana's log, and the session that it is in. shown: what a session may show, if not the head."""

    def __init__(self, tx: Tx, own: bool = False) -> None:
        self.tx = tx
        self.number = logs.begin(tx, LOG, ANA.public, b"", own=own).number
        self.memory: Memory | None = None
        self.shown: Head | None = None
        self.out: deque[bytes] = deque()
        self.waited: list[int] = []
        self.ahead: tuple[bytes, ...] = ()
        self.taken_back = 0

    @property
    def head(self) -> Head | None:
        return entries.head(self.tx, self.number)

    @property
    def proof(self) -> Proof | None:
        return logs.proof(self.tx, self.number)

    def begin(self, side: Side) -> None:
        own = logs.log(self.tx, self.number).own
        shared = Shared(LOG, ANA.public, SECRET, True, own, self.shown or self.head, self.proof)
        self.session = Session(side, side.value.encode()[:8].ljust(8), (shared,), self.memory, bytes(64))
        self.carry(self.session.begin())

    def carry(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Send(frame):
                    self.out.append(sync.encode(frame))
                case Read(_, first, entries_max, bytes_max):
                    held = entries.read(self.tx, self.number, first, entries_max, bytes_max)
                    self.carry(self.session.found(LOG, first, [(one.raw, one.content) for one in held]))
                case Import(_, _, raws, contents):
                    self.take(raws, contents)
                case Accuse(_, proof):
                    assert isinstance(proof, Fork)
                    logs.freeze(self.tx, proof, AT_MS)
                case Remember(memory):
                    self.memory = memory
                case Checked(ahead):
                    self.ahead = ahead

    def take(self, raws: tuple[bytes, ...], contents: tuple[bytes | None, ...]) -> None:
        try:
            taken = self.tx.attempt(entries.take_in, self.tx, self.number, raws, contents, AT_MS).unwrap()
        except BrokenChain:
            self.carry(self.session.parted(LOG))
            return
        if taken.parted is not None:  # publishing.Retake
            self.taken_back = entries.take_back(self.tx, self.number, taken.parted)
            entries.take_in(self.tx, self.number, raws, contents, AT_MS)
        self.waited.append(taken.waiting)
        if taken.fork is not None:
            self.carry(self.session.froze(LOG, taken.fork))
        self.carry(self.session.imported(LOG, self.head))


def meet(one: Store, other: Store) -> None:
    """A session between both until nothing is on its way."""
    for store, side in ((one, Side.DIALLER), (other, Side.LISTENER)):
        store.out.clear()
        store.begin(side)
    while one.out or other.out:
        for sender, reader in ((one, other), (other, one)):
            if sender.out:
                reader.carry(reader.session.hear(sync.decode(sender.out.popleft())))


def fill(store: Store, run: tuple[Entry, ...], content: bytes = CONTENT) -> None:
    for at in range(0, len(run), RUN):
        log_kit.take(store.tx, store.number, run[at : at + RUN], content)


@pytest.fixture
def stores() -> Iterator[tuple[Store, Store]]:
    with ExitStack() as doors:
        first, second = (doors.enter_context(log_kit.open_tx()) for _ in range(2))
        yield Store(first), Store(second)


def test_a_log_of_years_arrives_newest_first(stores: tuple[Store, Store]) -> None:
    one, other = stores
    fill(one, chains.chain(FAR_ENTRIES + 3 * NEWEST_ENTRIES))
    meet(one, other)
    assert log_kit.raws(other.tx, other.number) == log_kit.raws(one.tx, one.number)
    assert other.waited[0] == NEWEST_ENTRIES
    assert other.waited[-1] == 0
    assert not log_kit.waiting(other.tx, other.number)
    assert one.memory is not None
    assert other.memory is not None
    assert one.memory.round == other.memory.round


@pytest.mark.parametrize("lengths", [(1, 1), (1, 4), (4, 1), (3, 5)])
def test_branches_are_proven_whatever_their_lengths(stores: tuple[Store, Store], lengths: tuple[int, int]) -> None:
    both = chains.chain(3)
    for store, count, say in zip(stores, lengths, (b"one", b"other"), strict=True):
        fill(store, both)
        fill(store, chains.chain(count, chains.head_of(both[-1]), say), say)
    meet(*stores)
    for store in stores:
        assert store.proof is not None
        assert {found.body.author for found in store.proof.check()} == {ANA.public}
    assert stores[0].proof == stores[1].proof


def test_an_author_who_was_set_back_gets_his_own_entries_back(stores: tuple[Store, Store]) -> None:
    with log_kit.open_tx() as tx:
        author, contact = Store(tx, own=True), stores[1]
        drafts = [entries.Draft(Kind.PUBLIC, CONTENT)] * 3
        old = entries.append(author.tx, author.number, drafts, ANA, AT_MS)
        logs.publish(author.tx, author.number, 2)
        fill(contact, (*old, *chains.chain(2, chains.head_of(old[-1]))))
        # One more, since he was set back, which is not shown: the log is not open (spine.md 6.2).
        entries.append(author.tx, author.number, [entries.Draft(Kind.PUBLIC, b"new words")], ANA, AT_MS)
        author.shown = chains.head_of(old[-1])
        meet(author, contact)
        assert author.ahead == (LOG,)
        assert author.taken_back == 1
        assert log_kit.raws(author.tx, author.number) == log_kit.raws(contact.tx, contact.number)
        assert author.proof is None
        assert contact.proof is None


def test_a_peer_who_gives_a_false_content_changes_nothing(stores: tuple[Store, Store]) -> None:
    one, other = stores
    fill(one, chains.chain(2))
    one.begin(Side.DIALLER)
    other.begin(Side.LISTENER)
    for sender, reader in ((one, other), (other, one)) * 2:
        while sender.out:
            reader.carry(reader.session.hear(sync.decode(sender.out.popleft())))
    run = sync.decode(one.out.popleft())
    assert isinstance(run, sync.Run)
    with pytest.raises(PeerFault):
        other.carry(other.session.hear(sync.Run(run.tag, run.first, run.entries, (b"another",) * 2)))
    assert other.head is None
