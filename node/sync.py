"""Logs between this node and its contacts: one session beside each talk (docs/protocol/sync.md).

Who dialled the talk opens the stream, on the same link, so the same run of the same device is at its other end; it ends
with the talk. When other logs are to be shared than a session is about, it ends and another begins. Not here: a session
(logs/sitting.py), our own logs (logs/desks.py), spines and grants (logs/scribe.py).
"""

from dataclasses import dataclass, field

import structlog
import trio

from node.bell import Bell
from node.ground import jitter
from node.inward import Inward
from node.logs.desks import Desks
from node.logs.policy import Policy
from node.logs.sitting import Peer, Sitting
from node.network import Link, Stream
from node.supervisor import attempt, first
from node.talk import Talk
from protocol import sync
from protocol.faults import PeerFault, Unavailable
from protocol.talk import Side
from store import logs, people, spaces
from store.database import changes_after, newest_change

OPEN_S = 10.0
SEAT_S = 10.0  # a stream may come a little before the talk that it belongs to is known here
AGAIN_S = 1.0  # between two sessions with one device: others are to be shared
LEAST_S = 0.1  # between two that the other side begins: each reads the heads of all logs that he may know
FAULT_S = 5.0  # after one that failed, for a link may just be slow; each further failure doubles it
FAULT_S_MAX = 3600.0
CHANGES_MAX = 1000  # looked at together
TOPICS = frozenset({logs.TOPIC, spaces.CHANGED, people.CHANGED})

log = structlog.get_logger("sync")


@dataclass
class _Seat:
    """A talk that the other side dialled: its newest stream for sync is taken, and ends the session before it."""

    talk: Talk
    bell: Bell = field(default_factory=Bell)
    offered: tuple[Stream, trio.Event] | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)  # of the session that runs

    def offer(self, stream: Stream, over: trio.Event) -> None:
        """A stream has come; `over` is set when nobody needs it any more."""
        if self.offered is not None:
            self.offered[1].set()
        self.offered = stream, over
        self.scope.cancel()
        self.bell.ring()


@dataclass
class Sync:
    """All sessions of a node. progress: log -> (entries here, in all) of long logs that come in."""

    inward: Inward
    progress: dict[int, tuple[int, int]] = field(default_factory=dict)
    moved: Bell = field(default_factory=Bell)  # something is new of logs or contacts: for the scribe
    desks: Desks = field(init=False)
    policy: Policy = field(init=False)
    _sittings: dict[int, Sitting] = field(default_factory=dict)  # by device
    _seats: dict[int, _Seat] = field(default_factory=dict)
    _seated: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.desks = Desks(self.inward, self._tell, self._ask)
        self.policy = Policy(self.desks)

    async def run(self) -> None:
        """Tells sessions and desks what is new in the database, until cancelled."""
        database = self.inward.database
        with database.watch(TOPICS) as changes:
            cursor = await database.transact(newest_change)
            await self.desks.load()
            for sitting in [*self._sittings.values()]:
                sitting.end()
            while True:
                self.moved.ring()
                await changes.receive()
                while rows := await database.read(changes_after, cursor, CHANGES_MAX):
                    cursor = rows[-1][0]
                    await self._changed([(topic, key) for _, topic, key in rows])

    async def beside(self, talk: Talk, link: Link | None) -> None:
        """Keeps a session with the device of a talk, until cancelled. link: of the talk, where we dialled it."""
        if link is None:
            await self._wait_for_streams(talk)
            return
        failures = 0
        while True:
            began = trio.current_time()
            try:
                with trio.fail_after(OPEN_S):
                    stream = await link.open(sync.PROTOCOL)
                failures = 0 if await self._sit(talk, stream, Side.DIALLER) else failures + 1
            except* (Unavailable, trio.TooSlowError):
                failures += 1
            chance = jitter(self.inward.ground.entropy("sync"))
            pause_s = AGAIN_S if not failures else min(FAULT_S_MAX, FAULT_S * 2.0 ** (min(failures, 12) - 1))
            await trio.sleep_until(began + pause_s * (0.8 + 0.4 * chance))

    async def accept(self, stream: Stream) -> None:
        """Serves one inbound /weft/sync/1 beside its talk. Raises: PeerFault where there is no talk on this link."""
        over = trio.Event()
        with trio.move_on_after(SEAT_S) as waiting:
            while (seat := self._seat(stream)) is None:
                await self._seated.wait()
        if waiting.cancelled_caught:
            raise PeerFault("a stream about logs without a talk")
        assert seat is not None
        seat.offer(stream, over)
        await over.wait()

    # --- sessions

    async def _wait_for_streams(self, talk: Talk) -> None:
        seat = _Seat(talk)
        self._seats[talk.device.id] = seat
        self._seated.set()
        self._seated = trio.Event()
        over = trio.Event()
        try:
            while True:
                await seat.bell.wait()
                if seat.offered is not None:
                    (stream, over), seat.offered = seat.offered, None
                    began = trio.current_time()
                    with trio.CancelScope() as seat.scope:
                        await self._sit(talk, stream, Side.LISTENER)
                    over.set()
                    await trio.sleep_until(began + LEAST_S)
        finally:
            over.set()
            if seat.offered is not None:
                seat.offered[1].set()
            if self._seats.get(talk.device.id) is seat:
                del self._seats[talk.device.id]

    def _seat(self, stream: Stream) -> _Seat | None:
        return next((seat for seat in self._seats.values() if seat.talk.stream.is_beside(stream)), None)

    async def _sit(self, talk: Talk, stream: Stream, side: Side) -> bool:
        """One session, to its end; returns whether nothing was wrong with it."""
        contact = await self.inward.database.read(people.contact, talk.contact)
        peer = Peer(contact.id, contact.account, talk.device.id, talk.device.device)
        sitting = Sitting(self.inward, self.policy, peer, stream, side, self._note)
        self._sittings[talk.device.id] = sitting
        try:
            stream.vouch()
            return await attempt("sync", self._run, sitting) or False
        finally:
            if self._sittings.get(talk.device.id) is sitting:
                del self._sittings[talk.device.id]
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await stream.aclose()

    async def _run(self, sitting: Sitting) -> bool:
        try:
            await sitting.run()
            return True
        except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
            log.info("session about logs failed", contact=sitting.peer.contact, reason=str(first(faults)))
        return False

    def _note(self, number: int, here: int, total: int) -> None:
        if here >= total:
            self.progress.pop(number, None)
        else:
            self.progress[number] = (here, total)

    # --- news

    def _tell(self, number: int) -> None:
        for sitting in self._sittings.values():
            sitting.tell(number)
        self.moved.ring()

    def _ask(self, accounts: frozenset[bytes]) -> None:
        for sitting in self._sittings.values():
            if sitting.peer.account in accounts:
                sitting.end()

    async def _changed(self, changes: list[tuple[str, int]]) -> None:
        if any(topic == spaces.CHANGED for topic, _ in changes):
            await self.desks.load()
            for sitting in [*self._sittings.values()]:
                if await self.inward.database.transact(self.policy.ids, sitting.peer.contact) != sitting.numbers.keys():
                    sitting.end()
        for number in dict.fromkeys(key for topic, key in changes if topic == logs.TOPIC):
            await self.desks.grew(number)
            self._tell(number)
