"""The files of a keeper: sealed pieces that wait for an absent owner, beside the mail and after it (keep.md 8).

    Visit ── a piece, checked against its name ──> the file, fsync, then the bit in the keeper's database ──> the answer

One piece of one stream is written at a time, so files take the disk from no parcel for longer than that. What a file is
nobody here can know. Not here: rows (store/deposits.py), ageing and permits (server.py), mail (visit.py).
"""

import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import assert_never

import structlog
import trio

from crypto import chunks
from crypto.faults import Malformed
from node import frames, ground
from node.blobs.files import Files
from node.frames import FrameReader
from node.ground import Ground
from node.keep.visit import IDLE_S, PROVE_S, WRITE_S, House, Refused, claim_of
from node.network import Stream
from protocol import deposit, keep, keep_proof
from protocol.blob_stream import bytes_of
from protocol.deposit import Found, Had, Leave, Lies, Piece, Seek, Want, Withdraw
from protocol.faults import Unavailable
from protocol.keep import Answer, Claim, Shown, Status
from store import deposits, settings, shelves
from store.database import Database
from store.deposits import Deposit
from store.faults import StoreFault
from store.shelves import Owner

RESERVE_BYTES = 256 << 20  # of the disk, which no file takes: mail and the person's own things come first
VISITS_MAX = 16  # at once, each with a piece and a manifest in memory
SETTING = "keeper.files"  # MB of files for one owner
MB = 1_000_000
SPARE_S = 30.0  # without a request: such a stream ends where another wants its place
TRIES_MAX = 8  # requests of a stream that are refused
REFUSING = frozenset({Status.GONE, Status.REFUSED, Status.BUSY})

log = structlog.get_logger("keeping")


@dataclass(frozen=True, slots=True)
class Cellar:
    """Where a keeper has files. allowance: how many bytes of them one owner may have, 0 for none."""

    folder: Path
    allowance: Callable[[], Awaitable[int]]
    reserve_bytes: int = RESERVE_BYTES


def cellar_in(folder: Path, database: Database, default_mb: int) -> Cellar:
    """A cellar whose allowance is a setting in a database, or this many MB."""

    async def allowance() -> int:
        said = await database.read(settings.get, SETTING)
        return (default_mb if said is None else int(said)) * MB

    return Cellar(folder, allowance)


@dataclass
class Depot:
    """The files of a keeper. The folder is made with the first."""

    ground: Ground
    cellar: Cellar
    _files: Files = field(init=False)
    _writing: trio.Lock = field(default_factory=trio.Lock)

    def __post_init__(self) -> None:
        self._files = Files(self.cellar.folder)

    def has_room(self, more_bytes: int) -> bool:
        """Whether the disk has room for so many bytes, and its reserve beside them."""
        return shutil.disk_usage(self.cellar.folder.parent).free >= more_bytes + self.cellar.reserve_bytes

    async def write(self, number: int, place: int, sealed: bytes) -> None:
        """Returns when a piece is on the disk. Raises: OSError."""
        async with self._writing:
            await ground.aside(self.ground, self._write, name_of(number), place, sealed)

    async def read(self, found: Deposit, place: int) -> bytes:
        """A piece that is here. Raises: OSError."""
        length = deposit.piece_length(found.size, place)
        return await ground.aside(self.ground, self._files.read_at, name_of(found.id), place, length)

    async def remove(self, number: int) -> None:
        """Takes the file of a deposit away that is none any more; where that fails, `tidy` does it."""
        with suppress(OSError):
            await ground.aside(self.ground, self._files.remove, name_of(number))

    async def tidy(self, database: Database) -> None:
        """Takes away what belongs to no deposit. Raises: StoreFault."""
        try:
            there = await ground.aside(self.ground, self._files.all_names)
            known = {name_of(number) for number in await database.transact(deposits.numbers)}
            for name in there:
                if name not in known:
                    await ground.aside(self.ground, self._files.remove, name)
        except OSError as refused:
            log.error("a file of a keeper cannot be removed", reason=str(refused))

    def _write(self, name: str, place: int, sealed: bytes) -> None:
        self._files.write(name, [(place, sealed)])
        self._files.sync(name)


def name_of(number: int) -> str:
    """The name of the file of a deposit; a number is given once."""
    return f"{number:x}"


class DepotVisit:
    """A stream of /weft/deposit/1 that is being served."""

    def __init__(
        self,
        house: House,
        depot: Depot,
        stream: Stream,
        secrets: tuple[bytes, bytes],
        proven: Callable[[], None],
    ) -> None:
        """secrets: 32 random bytes for the nonce, and 32 others, a key that nobody has. proven: see visit.py."""
        self._house = house
        self._depot = depot
        self._stream = stream
        self._nonce, self._noise = secrets
        self._proven = proven
        self._reader = FrameReader(stream, deposit.FRAME_BYTES_MAX)
        self._is_proven = False
        self._owner: Owner | None = None
        self._left: Deposit | None = None  # by a sender, on this stream
        self._found: Deposit | None = None  # by the owner
        self._n = 0
        self._refusals = 0
        self._waits_since = trio.current_time()  # for a request; inf while one is dealt with

    @property
    def rank(self) -> tuple[bool, float]:
        """Who has shown nothing comes before who has, and who waits longest for a request before all others."""
        return self._is_proven, self._waits_since

    @property
    def is_spare(self) -> bool:
        """Whether it may end in favour of another: it has shown nothing yet, or nothing of a request comes."""
        is_silent = trio.current_time() - self._waits_since >= SPARE_S and not self._reader.begun
        return not self._is_proven or is_silent

    async def run(self) -> None:
        """Serves until the stream ends or is silent for too long. Raises: PeerFault, Unavailable."""
        began = trio.current_time()
        await self._write(keep.Hello(keep.VERSION, self._nonce))
        while True:
            raw, self._waits_since = None, trio.current_time() if self._is_proven else began
            with trio.move_on_at(self._waits_since + (IDLE_S if self._is_proven else PROVE_S)):
                raw = await self._reader.read()
            if raw is None:
                return
            if self._is_proven:
                self._waits_since = float("inf")
            self._n += 1
            await self._answer(deposit.decode_request(raw))

    async def _answer(self, request: deposit.Request) -> None:
        match request:
            case Claim():
                await self._claim(request)
            case Leave():
                await self._leave(request)
            case Piece(place):
                await self._say(await self._take(place))
            case Withdraw():
                await self._withdraw(request)
            case Seek(name):
                await self._seek(name)
            case Want(places):
                await self._give(places)
            case Had(name):
                await self._had(name)
            case _:
                assert_never(request)

    async def _claim(self, claimed: Claim) -> None:
        ends = (bytes(self._house.peer), bytes(self._stream.peer), self._nonce)
        status, permit, owner = await claim_of(self._house, claimed, ends, self._noise)
        if owner is not None:
            self._owner = owner
            self._prove()
        proof = keep_proof.claim_proof(permit, ends, claimed.owner, self._n, status)
        await self._write(Shown(self._n, status, 0, proof))
        self._count(status)

    # --- a sender

    async def _leave(self, asked: Leave) -> None:
        self._left = None
        begun = await self._begin(asked)
        if begun.key:
            self._prove()
        self._left = begun.found
        bits = b"" if begun.found is None else bytes_of(begun.found.bits)
        key = begun.key or self._noise
        proof = deposit.lies_proof(key, self._nonce, asked, self._n, begun.status, begun.kept_s, bits)
        await self._write(Lies(self._n, begun.status, begun.kept_s, bits, proof))
        self._count(begun.status)

    async def _begin(self, asked: Leave) -> deposits.Begun:
        database, age_s = self._house.database, self._house.age_s()
        try:
            begun = await database.transact(
                deposits.begin, asked, self._n, self._nonce, age_s, await self._depot.cellar.allowance()
            )
        except StoreFault:
            return await database.read(deposits.turned_away, asked, self._n, self._nonce, Status.FULL)
        found = begun.found
        if found is not None and not self._depot.has_room(
            found.size * (found.count - found.bits.bit_count()) // found.count
        ):
            with suppress(StoreFault):  # what lies of it stays: there may be room later
                await database.transact(deposits.unbegun, found.id)
            return deposits.Begun(Status.FULL, begun.key)
        return begun

    async def _take(self, place: int) -> Status:
        """Takes a piece of what was left last. Raises: Malformed where it is not what its name says."""
        sealed = await self._body()
        left = self._left
        if left is None:
            return Status.REFUSED
        if place >= left.count or len(sealed) != deposit.piece_length(left.size, place):
            raise Malformed
        if chunks.name(sealed) != _name(left, place):
            raise Malformed
        if left.bits >> place & 1:
            return Status.OK
        if self._depot.has_room(len(sealed)):
            try:
                await self._depot.write(left.id, place, sealed)
                if await self._house.database.transact(deposits.came, left.id, place, self._house.age_s()):
                    self._left = replace(left, bits=left.bits | 1 << place)
                    return Status.OK
                await self._depot.remove(left.id)  # it was taken back, or had, meanwhile
                self._left = None
                return Status.GONE
            except (StoreFault, OSError) as broken:
                log.error("a piece cannot be kept", reason=str(broken))
        return Status.FULL

    async def _body(self) -> bytes:
        """The frame behind a Piece. Raises: Malformed, Unavailable."""
        with trio.move_on_after(WRITE_S):
            sealed = await self._reader.read()
            if sealed is None:
                raise Malformed
            return sealed
        raise Unavailable("a piece does not come")

    async def _withdraw(self, asked: Withdraw) -> None:
        status, key, number = Status.FULL, b"", 0
        with suppress(StoreFault):
            status, key, number = await self._house.database.transact(deposits.withdraw, asked, self._n, self._nonce)
        if key:
            self._prove()
        if number:
            await self._depot.remove(number)
        proof = deposit.withdraw_proof(key or self._noise, self._nonce, asked, self._n, status)
        await self._write(Shown(self._n, status, 0, proof))
        self._count(status)

    # --- the owner

    async def _seek(self, name: bytes) -> None:
        self._found = None
        if not await self._is_living():
            await self._say(Status.REFUSED)
            return
        assert self._owner is not None
        self._found = await self._house.database.read(deposits.seek, self._owner, name, self._house.age_s())
        if self._found is None:
            await self._write(Found(b"", b""))
        else:
            await self._write(Found(bytes_of(self._found.bits), self._found.manifest))

    async def _give(self, places: tuple[int, ...]) -> None:
        """Gives pieces in order, each read when the one before it was taken."""
        found = self._found
        if found is None or not all(found.bits >> place & 1 for place in places):
            await self._say(Status.REFUSED)
            return
        for place in places:
            try:
                sealed = await self._depot.read(found, place)
            except OSError as broken:
                raise Unavailable("a file of pieces cannot be read") from broken
            await self._write(Piece(place), sealed)

    async def _had(self, name: bytes) -> None:
        if not await self._is_living():
            await self._say(Status.REFUSED)
            return
        assert self._owner is not None
        try:
            number = await self._house.database.transact(deposits.had, self._owner, name)
        except StoreFault:
            await self._say(Status.FULL)
            return
        if number:
            await self._depot.remove(number)
        self._found = None
        await self._say(Status.OK)

    async def _is_living(self) -> bool:
        """Whether this stream is an owner's whose permit was not withdrawn meanwhile."""
        return self._owner is not None and await self._house.database.read(shelves.is_living, self._owner.id)

    # --- both

    def _prove(self) -> None:
        if not self._is_proven:
            self._is_proven = True
            self._stream.vouch()
            self._proven()

    def _count(self, status: Status) -> None:
        """Counts an answer. Raises: Refused, which ends the stream."""
        self._refusals += status in REFUSING
        if self._refusals >= TRIES_MAX:
            raise Refused

    async def _say(self, status: Status) -> None:
        await self._write(Answer(self._n, status))
        self._count(status)

    async def _write(self, reply: deposit.Reply, *sealed: bytes) -> None:
        with trio.move_on_after(WRITE_S) as patience:
            await frames.write(self._stream, deposit.encode(reply), *sealed)
        if patience.cancelled_caught:
            raise Unavailable("a peer does not take the answers of a keeper")


def _name(left: Deposit, place: int) -> bytes:
    """By what the piece in a place is known."""
    return left.manifest[place * chunks.ID_BYTES : (place + 1) * chunks.ID_BYTES]
