"""One stream at a keeper: what its other end asks, in order, and what is answered once it is on the disk (keep.md).

Nothing that a peer sends does more here than to end his stream. Not here: who may open one, ageing, permits
(server.py), what lies where (store/shelves.py).
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, assert_never

import trio

from crypto.faults import PeerFault
from node import frames
from node.frames import FrameReader
from node.network import PeerId, Stream
from protocol import keep, keep_proof, work
from protocol.faults import Unavailable
from protocol.keep import Answer, Shown, Status
from store import laid, permits, shelves
from store.database import Database, Tx
from store.faults import StoreFault
from store.shelves import Arriving, Owner

PROVE_S = 30.0  # for a claim or a good put, from the start of the stream
IDLE_S = 600.0  # for the next request of one who has proven something: longer than the longest wait
WRITE_S = 60.0  # for an answer to be taken: 60 KB over a bad line
LOOKS_MAX = 64  # on one stream
REFUSING = frozenset({Status.GONE, Status.REFUSED, Status.WORK, Status.BUSY})

T = TypeVar("T")


class House(Protocol):
    """What a visit needs of the keeper it is at."""

    @property
    def database(self) -> Database:
        """Where everything lies."""

    @property
    def peer(self) -> PeerId:
        """The keeper's own PeerId."""

    def age_s(self) -> int:
        """The keeper's clock."""

    def now_ms(self) -> int:
        """The machine's clock."""

    def news(self, owner_id: int) -> trio.Event:
        """What is set at the next news for an owner."""

    def tell(self, owner_id: int) -> None:
        """Tells who waits for it that there is something new for an owner."""


class Refused(PeerFault):
    """A peer asked too often for what it may not have."""


class Visit:
    """A stream that is being served."""

    def __init__(self, house: House, stream: Stream, nonce: bytes, noise: bytes, proven: Callable[[], None]) -> None:
        """nonce: 32 random bytes; noise: 32 others, a key that nobody has. proven: called once, when the other end
        has shown a key.
        """
        self._house = house
        self._stream = stream
        self._nonce = nonce
        self._noise = noise
        self._proven = proven
        self._reader = FrameReader(stream, keep.FRAME_BYTES_MAX)
        self._ahead: list[bytes] | None = []  # what came while an answer waited; None: the stream has ended
        self._is_proven = False
        self._owner: Owner | None = None
        self._n = 0  # requests so far
        self._refusals = 0
        self._looks = 0

    async def run(self) -> None:
        """Serves until the stream ends or is silent for too long. Raises: PeerFault, Unavailable."""
        began = trio.current_time()
        await self._write(keep.Hello(keep.VERSION, self._nonce))
        while True:
            raws = None
            with trio.move_on_at(trio.current_time() + IDLE_S if self._is_proven else began + PROVE_S):
                raws = await self._next()
            if raws is None:
                return
            requests = [keep.decode_request(raw) for raw in raws]
            while requests:
                puts: list[keep.Put] = []
                for request in requests:
                    if not isinstance(request, keep.Put):
                        break
                    puts.append(request)
                if puts:
                    await self._put(puts)
                    del requests[: len(puts)]
                else:
                    await self._answer(requests.pop(0), is_last=not requests)

    async def _next(self) -> list[bytes] | None:
        """The frames that came together; None at the end."""
        if self._ahead:
            ahead, self._ahead = self._ahead, []
            return ahead
        return None if self._ahead is None else await self._reader.read_some()

    async def _answer(self, request: keep.Request, is_last: bool) -> None:
        """Answers one request that is no put. is_last: whether no other has come after it yet."""
        self._n += 1
        match request:
            case keep.Claim():
                await self._claim(request)
            case keep.Look(name):
                self._looks += 1
                if self._looks > LOOKS_MAX:
                    await self._say(Status.BUSY)
                    return
                await self._write(keep.Lying(await self._house.database.read(laid.look, name, self._house.age_s())))
            case keep.Open(queues):
                await self._say(await self._own(shelves.open_queues, queues))
            case keep.Close(readers):
                await self._say(await self._own_slices(_close, readers))
            case keep.Done(up_to, note):
                await self._say(await self._own_slices(_done, up_to, note))
            case keep.Lay(records):
                age_s = self._house.age_s()  # which the thread of the database cannot ask
                await self._say(await self._own(_lay, records, self._house.now_ms() // 1000, age_s))
            case keep.Usage():
                used = await self._own(_used)
                await (self._say(used) if isinstance(used, Status) else self._write(used))
            case keep.Fetch():
                page = await self._fetch(request, is_last)
                await (self._say(page) if isinstance(page, Status) else self._write(page))
            case keep.Put():
                raise AssertionError("puts are answered together")
            case _:
                assert_never(request)

    async def _claim(self, claimed: keep.Claim) -> None:
        """Answers a claim; who has no permit cannot tell our answer from that of anybody."""
        ends = (bytes(self._house.peer), bytes(self._stream.peer), self._nonce)
        status, permit, owner = await claim_of(self._house, claimed, ends, self._noise)
        if owner is not None:
            self._owner = owner
            self._prove()
        proof = keep_proof.claim_proof(permit, ends, claimed.owner, self._n, status)
        self._count(status)
        await self._write(Shown(self._n, status, 0, proof))
        self._end_if_refused()

    async def _put(self, puts: Sequence[keep.Put]) -> None:
        """Answers puts that came together, after one transaction."""
        arriving = tuple(
            Arriving(put, n, self._nonce, keep_proof.envelope_id(put.envelope))
            for n, put in enumerate(puts, self._n + 1)
        )
        days = work.days(self._house.now_ms() // 1000)
        try:
            taken = await self._house.database.transact(shelves.put, arriving, self._house.age_s(), days)
        except StoreFault:
            taken = await self._house.database.read(shelves.turned_away, arriving)
        for owner_id in dict.fromkeys(one.owner for one in taken if one.owner):
            self._house.tell(owner_id)
        if any(one.status not in (Status.GONE, Status.FULL) for one in taken):
            self._prove()
        answers = []
        for asked, one in zip(puts, taken, strict=True):
            self._n += 1
            key = one.key or self._noise
            proof = keep_proof.put_proof(key, self._nonce, asked, self._n, one.status, one.kept_s)
            answers.append(Shown(self._n, one.status, one.kept_s, proof))
            if self._count(one.status):
                break
        await self._write(*answers)
        self._end_if_refused()

    async def _fetch(self, asked: keep.Fetch, is_last: bool) -> keep.Items | Status:
        """What lies there; where nothing does, what comes until the time is over, or the next request is there."""
        until = trio.current_time() + asked.wait_s
        while True:
            news = None
            if self._owner is not None and is_last and trio.current_time() < until:
                news = self._house.news(self._owner.id)  # before it is looked: what comes after is not missed
            page = await self._own(_fetch, asked.after, asked.count)
            if news is None or isinstance(page, Status) or page.items:
                return page
            is_last = await self._wait(news, until)

    async def _wait(self, news: trio.Event, until: float) -> bool:
        """Returns at the news, at the end of the time, or when something is asked; whether nothing was."""
        fault: PeerFault | Unavailable | None = None
        with trio.move_on_at(until):
            async with trio.open_nursery() as nursery:

                async def listen() -> None:
                    nonlocal fault
                    try:
                        self._ahead = await self._reader.read_some()
                    except (PeerFault, Unavailable) as caught:
                        fault = caught
                    nursery.cancel_scope.cancel()

                nursery.start_soon(listen)
                await news.wait()
                nursery.cancel_scope.cancel()
        if fault is not None:
            raise fault
        return self._ahead == []

    async def _own(self, f: Callable[..., T], *args: Any) -> T | Status:
        """What f(tx, owner, ...) returns; REFUSED where the stream is nobody's, FULL where the disk takes nothing."""
        if self._owner is None:
            return Status.REFUSED
        try:
            return await self._house.database.transact(_of_living, self._owner, f, *args)
        except StoreFault:
            return Status.FULL
        except PeerFault:  # a record that is none
            return Status.REFUSED

    async def _own_slices(self, f: Callable[..., bool], *args: Any) -> Status:
        """Does a slice after the other, until f says that there is no more."""
        while True:
            more = await self._own(f, *args)
            if more is not True:
                return more if isinstance(more, Status) else Status.OK

    def _prove(self) -> None:
        if not self._is_proven:
            self._is_proven = True
            self._stream.vouch()
            self._proven()

    def _count(self, status: Status) -> bool:
        """Counts an answer; whether it is the last on this stream."""
        self._refusals += status in REFUSING
        return self._refusals >= keep.REFUSALS_MAX

    def _end_if_refused(self) -> None:
        if self._refusals >= keep.REFUSALS_MAX:
            raise Refused

    async def _say(self, status: Status) -> None:
        self._count(status)
        await self._write(Answer(self._n, status))
        self._end_if_refused()

    async def _write(self, *replies: keep.Reply) -> None:
        with trio.move_on_after(WRITE_S) as patience:
            await frames.write(self._stream, *map(keep.encode, replies))
        if patience.cancelled_caught:
            raise Unavailable("a peer does not take the answers of a keeper")


async def claim_of(
    house: House, claimed: keep.Claim, ends: tuple[bytes, bytes, bytes], noise: bytes
) -> tuple[Status, bytes, Owner | None]:
    """Whether a claim is good, the permit by which that is shown, else the noise, and whose it is."""
    try:
        keep_proof.check_claim(claimed, *ends)
        found, permit, ended = await house.database.transact(_claimed, claimed, ends, house.now_ms())
    except PeerFault:
        return Status.REFUSED, noise, None
    except StoreFault:
        return Status.FULL, noise, None
    if ended:
        house.tell(ended)  # whoever waits as the one before learns that he is none any more
    if found is None:
        return Status.REFUSED, noise, None
    return Status.OK, permit, found


def _claimed(
    tx: Tx, claimed: keep.Claim, ends: tuple[bytes, bytes, bytes], now_ms: int
) -> tuple[Owner | None, bytes, int | None]:
    """Whose stream it is from now on, his permit, and who is no owner any more because of it."""
    ended = None
    permit = None if claimed.permit_id is None else permits.named(tx, claimed.permit_id)
    if permit is not None and keep_proof.is_permitted(claimed, permit.secret, *ends):
        ended = shelves.enrol(tx, permit.id, claimed.owner)
    found = shelves.owner(tx, claimed.owner)
    if found is None:
        return None, b"", ended
    return found, permits.seen(tx, found.permit, now_ms), ended


def _of_living(tx: Tx, mine: Owner, f: Callable[..., T], *args: Any) -> T | Status:
    """What f returns for an owner who is still one: his permit may have been withdrawn while he is here."""
    return f(tx, mine, *args) if shelves.is_living(tx, mine.id) else Status.REFUSED


def _fetch(tx: Tx, mine: Owner, after: int, count: int) -> keep.Items:
    return shelves.fetch(tx, mine.id, after, count)


def _used(tx: Tx, mine: Owner) -> keep.Used:
    return shelves.used(tx, mine.id)


def _lay(tx: Tx, mine: Owner, records: Sequence[bytes], now_s: int, age_s: int) -> Status:
    return laid.lay(tx, mine.id, records, now_s, age_s)


def _done(tx: Tx, mine: Owner, up_to: int, note: bytes) -> bool:
    return shelves.done(tx, mine.id, up_to, note)


def _close(tx: Tx, mine: Owner, readers: Sequence[bytes]) -> bool:
    return any(shelves.close(tx, mine.id, reader) for reader in readers)
