"""Keeps envelopes and files for others: /weft/keep/1 and /weft/deposit/1 are served as long as somebody has a permit
here (docs/protocol/keep.md).

    permit(contact) ──> its database is opened, or made, and the protocol served       a node that keeps for nobody
    revoke(contact) ──> his queues end; who waits for them learns it                   has neither

The database is apart from the person's own, and may be on another disk. Not here: one stream (visit.py), files
(depot.py), what lies there (store/shelves.py), whom a person lets keep with him (features/keepers/).
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import structlog
import trio

from node.bell import Bell
from node.ground import Ground
from node.keep import depot
from node.keep.depot import Cellar, Depot, DepotVisit
from node.keep.visit import Visit
from node.network import Network, PeerId, Stream
from protocol import deposit, keep
from protocol.faults import Unavailable, UserFault
from store import deposits, keeping, laid, permits, shelves
from store.database import Database
from store.faults import StoreFault
from store.permits import Use

OpenKeeping = Callable[[], AbstractAsyncContextManager[Database]]
"""Opens the database of a keeper, or makes it."""

TEND_S = 900.0  # what expired is gone so soon after; where its room is needed, at once
TRY_S = 30.0  # while the disk takes nothing: so soon it is known that it does again
VISITS_MAX = 2_000  # at once: a thousand owners who wait, and those who put
VISITS_PER_PEER_MAX = 8
UNPROVEN_MAX = 256  # of them, who have shown nothing yet
NOISE_BYTES = 32
PAUSE_S = 0.05  # between two slices of what is taken away: others get their turn

log = structlog.get_logger("keeping")


class Crowded(Unavailable):
    """Too many ask this keeper at once."""


class KeepsForNobody(UserFault):
    """This node has no place where it could keep anything for others, so nothing was agreed."""

    code = "keeper.none"
    next = "weft status"


class Keeping:
    """What a node keeps for others. `run` works until cancelled; the other methods wait for it."""

    def __init__(
        self,
        ground: Ground,
        network: Network,
        open_keeping: OpenKeeping | None,
        has_keeping: Callable[[], bool],
        cellar: Cellar | None = None,
    ) -> None:
        """open_keeping: None where nothing can be kept. has_keeping: whether there is a database already. cellar: None
        where no files are kept."""
        self._ground = ground
        self._network = network
        self._open = open_keeping
        self._has = has_keeping
        self._entropy = ground.entropy("keeping")
        self._depot = None if cellar is None else Depot(ground, cellar)
        self._depot_visits: dict[trio.CancelScope, DepotVisit] = {}
        self._database: Database | None = None
        self._opened = trio.Event()
        self._fault: UserFault | None = None  # why it could not be opened
        self._wanted = Bell()
        self._due = Bell()
        self._age = (0, 0.0)  # of the keeper in seconds, at this time of trio's
        self._visits: Counter[PeerId] = Counter()
        self._unproven = 0
        self._here: dict[trio.CancelScope, None] = {}  # of the visits
        self._left = Bell()
        self._news: dict[int, trio.Event] = {}
        self.is_serving = False

    # --- for the rooms

    async def permit(self, contact_id: int, space_bytes: int, ttl_s: int) -> bytes:
        """The permit of a contact, 32 bytes: the one that he has, with other limits, or a new one.

        contact_id: permits.OWN for the person's own devices. Raises: KeepsForNobody, StoreFault.
        """
        database = await self._ready()
        secret = await database.transact(permits.make, contact_id, space_bytes, ttl_s, self._entropy(keep.PERMIT_BYTES))
        self._turn(is_on=True)
        return secret

    async def revoke(self, contact_id: int) -> None:
        """Ends what a contact may have here, and all that he has. Well where he has nothing. Raises: StoreFault."""
        if self._database is None and not self._has():
            return
        database = await self._ready()
        ended = await database.transact(permits.withdraw, contact_id)
        if ended is not None:
            self.tell(ended)
            self._due.ring()
        self._turn(is_on=await database.transact(permits.count) > 0)

    async def usage(self) -> tuple[Use, ...]:
        """What everybody who has a permit has here. Raises: StoreFault."""
        if self._database is None and not self._has():
            return ()
        return await (await self._ready()).transact(permits.uses)

    async def files(self, contact_id: int) -> tuple[int, int]:
        """(bytes, files) that lie here for a contact. Raises: StoreFault."""
        if self._database is None and not self._has():
            return 0, 0
        return await (await self._ready()).transact(deposits.used, contact_id)

    async def give(self, space_bytes: int) -> None:
        """From now on the file may grow to so many bytes. Raises: KeepsForNobody, StoreFault."""
        await (await self._ready()).transact(keeping.give, space_bytes)

    async def given(self) -> int:
        """To how many bytes the file may grow. Raises: StoreFault."""
        if self._database is None and not self._has():
            return keeping.SPACE_BYTES
        return await (await self._ready()).transact(keeping.space)

    # --- for the node

    async def run(self) -> None:
        """Serves who has a permit, and takes away what is too old, until cancelled."""
        if self._open is None:
            return
        if not self._has():
            await self._wanted.wait()
        try:
            async with self._open() as database:
                age_s = await database.transact(keeping.begin, self.now_ms() // 1000)
                self._age = (age_s, trio.current_time())
                self._database, self._fault = database, None
                try:
                    self._turn(is_on=await database.transact(permits.count) > 0)
                    self._opened.set()
                    await self._tend(database)
                finally:
                    await self._leave(database)
        except UserFault as fault:
            self._fault = fault
            raise
        finally:
            opened, self._opened = self._opened, trio.Event()
            opened.set()

    async def accept(self, protocol: str, stream: Stream) -> None:
        """Serves one inbound stream. Raises: PeerFault; Unavailable, also where too many are here."""
        if (
            self._database is None
            or self._visits.total() >= VISITS_MAX
            or self._visits[stream.peer] >= VISITS_PER_PEER_MAX
            or self._unproven >= UNPROVEN_MAX
            or (protocol == deposit.PROTOCOL and not self._has_place())
        ):
            raise Crowded
        stream.welcome()
        self._visits[stream.peer] += 1
        self._unproven += 1
        is_unproven = True

        def proven() -> None:
            nonlocal is_unproven
            is_unproven = False
            self._unproven -= 1

        scope = trio.CancelScope()
        self._here[scope] = None
        try:
            visit = self._visit(protocol, stream, proven)
            if isinstance(visit, DepotVisit):
                self._depot_visits[scope] = visit
            with scope:
                await visit.run()
        finally:
            del self._here[scope]
            self._depot_visits.pop(scope, None)
            self._left.ring()
            self._unproven -= is_unproven
            self._visits[stream.peer] -= 1
            if not self._visits[stream.peer]:
                del self._visits[stream.peer]

    @property
    def trouble(self) -> str:
        """What the disk did last, where it takes nothing since; "" where it does."""
        found = None if self._database is None else self._database.trouble
        return "" if found is None else f"What you keep for others: {found.lasting[0].lower()}{found.lasting[1:]}"

    # --- for a visit

    @property
    def database(self) -> Database:
        """Where everything lies. Raises: Unavailable when the node ends."""
        if self._database is None:
            raise Unavailable("this keeper is closed")
        return self._database

    @property
    def peer(self) -> PeerId:
        """Our own PeerId."""
        return self._network.peer

    def age_s(self) -> int:
        """The keeper's clock (keep 6.2): while it runs, the machine's is not asked."""
        age_s, at = self._age
        return age_s + int(trio.current_time() - at)

    def now_ms(self) -> int:
        """The machine's clock."""
        return self._ground.now_ms()

    def news(self, owner_id: int) -> trio.Event:
        """What is set at the next news for an owner."""
        return self._news.setdefault(owner_id, trio.Event())

    def tell(self, owner_id: int) -> None:
        """Wakes who waits for news of an owner."""
        waited_for = self._news.pop(owner_id, None)
        if waited_for is not None:
            waited_for.set()

    # --- inside

    def _has_place(self) -> bool:
        """Whether one more stream about files can be served, in the place of one that is needed least if need be."""
        held = {scope: one for scope, one in self._depot_visits.items() if not scope.cancel_called}
        if len(held) < depot.VISITS_MAX:
            return True
        spare = [scope for scope, one in held.items() if one.is_spare]
        if spare:
            min(spare, key=lambda scope: held[scope].rank).cancel()
        return bool(spare)

    def _visit(self, protocol: str, stream: Stream, proven: Callable[[], None]) -> Visit | DepotVisit:
        nonce, noise = self._entropy(keep.NONCE_BYTES), self._entropy(NOISE_BYTES)
        if protocol == deposit.PROTOCOL:
            assert self._depot is not None
            return DepotVisit(self, self._depot, stream, (nonce, noise), proven)
        return Visit(self, stream, nonce, noise, proven)

    @property
    def _protocols(self) -> tuple[str, ...]:
        return (keep.PROTOCOL,) if self._depot is None else (keep.PROTOCOL, deposit.PROTOCOL)

    async def _ready(self) -> Database:
        """The open database; opens it where it is not. Raises: KeepsForNobody, UserFault where it cannot be opened."""
        if self._open is None:
            raise KeepsForNobody
        self._wanted.ring()
        if self._database is None:
            await self._opened.wait()
        if self._database is None:
            raise self._fault or Unavailable("this keeper is closed")
        return self._database

    def _turn(self, is_on: bool) -> None:
        if is_on == self.is_serving:
            return
        self.is_serving = is_on
        if is_on:
            self._network.serve(self._protocols, self.accept)
        else:
            self._network.unserve(self._protocols)

    async def _tend(self, database: Database) -> None:
        """Writes down the age, and takes away what expired or is nobody's, until cancelled."""
        while True:
            with suppress(StoreFault):  # a full disk: it is tried again
                await database.transact(keeping.tick, self.age_s(), self.now_ms() // 1000)
                await self._take_away(database, shelves.expire, self.age_s())
                await self._take_away(database, laid.expire, self.age_s())
                await self._take_away(database, shelves.sweep)
                await self._take_away(database, deposits.expire, self.age_s())
                await self._take_away(database, deposits.sweep)
                if self._depot is not None:
                    await self._depot.tidy(database)
            with trio.move_on_after(TEND_S):
                await self._pause(database)

    async def _pause(self, database: Database) -> None:
        """Returns when something is due, or is to be tried again since the disk has failed."""

        async def heed() -> None:
            await database.failed()
            await trio.sleep(TRY_S)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(heed)
            await self._due.wait()
            nursery.cancel_scope.cancel()

    async def _take_away(self, database: Database, f: Callable[..., bool], *args: int) -> None:
        """Takes slice after slice away."""
        is_more = True
        while is_more:
            is_more = await database.transact(f, *args)
            await trio.sleep(PAUSE_S if is_more else 0.0)

    async def _leave(self, database: Database) -> None:
        """Ends all visits, and waits for what is under way: then nobody uses the database any more."""
        self._turn(is_on=False)
        self._database = None
        with trio.CancelScope(shield=True):
            for scope in self._here:
                scope.cancel()
            while self._here:
                await self._left.wait()
            with suppress(StoreFault):
                await database.transact(keeping.tick, self.age_s(), self.now_ms() // 1000)
