"""Whether one is visible, and that it ends: by itself, at once when told to, and not later because a node was away.

Not here: what happens while one is (session.py), what a person asks (service.py).
"""

from dataclasses import dataclass, field

import structlog
import trio

from features.nearby import view
from features.nearby.content import FOR_S_MAX, State
from features.nearby.faults import CannotOpen, NotVisible
from features.nearby.session import Session
from features.nearby.view import Standing
from node.bell import Bell
from node.core import Core
from node.supervisor import first
from protocol.faults import Unavailable
from store import invitations
from store.database import Tx

OPEN_S = 20.0  # until the throw-away host listens
LEFT_MS_MAX = FOR_S_MAX * 1000 + 60_000  # if more is left, the clock was set back meanwhile
AGAIN_S = 30.0  # a port that could not be had after a restart is tried again

log = structlog.get_logger("nearby")


@dataclass
class Visibility:
    """The session of now, if any. `run` works until cancelled; `begin` and `end` switch."""

    core: Core
    session: Session | None = None
    known: trio.Event = field(default_factory=trio.Event)  # since this start it was looked up whether one is visible
    _fault: str = ""
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _switch: Bell = field(default_factory=Bell)
    _news: Bell = field(default_factory=Bell)  # a session is ready, or could not be opened
    _opened: int = 0  # the newest session that became ready,
    _failed: int = 0  # and the newest that could not be opened
    _ended: trio.Event = field(default_factory=trio.Event)
    _turn: trio.Lock = field(default_factory=trio.Lock)

    def now(self) -> Session:
        """The session of now. Raises: NotVisible."""
        if self.session is None or not self.session.ready.is_set():
            raise NotVisible
        return self.session

    def left_ms(self, standing: Standing) -> int:
        """How long one is still visible."""
        return max(0, standing.until_ms - self.core.ground.now_ms())

    @property
    def trouble(self) -> str:
        """What does not work although it should, for a person; "" for nothing."""
        session = self.session
        if session is None:
            return self._fault
        return "; ".join(filter(None, (self.core.beacon.fault, session.cell_trouble)))

    async def begin(self, until_ms: int, name: str, cell: str) -> None:
        """Is visible from now on, with new keys and nothing of an earlier time. Raises: CannotOpen."""

        def renew(tx: Tx) -> int:
            _revoke(tx)
            return view.begin(tx, until_ms, name, cell)

        async with self._turn:
            number = await self.core.database.transact(renew)
            await self._leave()
            self._switch.ring()
            with trio.move_on_after(OPEN_S):
                while number not in (self._opened, self._failed):
                    await self._news.wait()
            if self._opened != number:
                await self._end()
                raise CannotOpen

    async def end(self) -> None:
        """Ends it: on return nothing is sent or answered any more, the hosts are closed and the keys forgotten."""
        async with self._turn:
            await self._end()

    async def run(self) -> None:
        """Is visible as long as the database says, from a start of the node on too."""
        while True:
            standing = await self.core.database.transact(self._standing)
            self.known.set()
            if standing is not None:
                await self._live(standing)
                with trio.move_on_after(AGAIN_S if self._fault else 0):
                    await self._switch.wait()
            else:
                self._fault = ""
                await self._switch.wait()

    def _standing(self, tx: Tx) -> Standing | None:
        """How one is visible now; what is over is forgotten."""
        found = view.standing(tx, self.core.ground.now_ms(), LEFT_MS_MAX)
        if found is None:
            _forget(tx)
        return found

    async def _live(self, standing: Standing) -> None:
        """One session, to its end or its failure."""
        self._fault, self._ended = "", trio.Event()
        self.session = Session(self.core, standing)
        log.info("visible nearby", minutes=self.left_ms(standing) // 60_000)
        try:
            with trio.move_on_after(self.left_ms(standing) / 1000) as self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._tell_when_ready, self.session)
                    await self.session.run()
                    nursery.cancel_scope.cancel()
        except* Unavailable as faults:
            self._fault, self._failed = str(first(faults)), standing.id
            log.warning("not visible nearby", reason=self._fault)
        finally:
            self.session = None
            self._news.ring()
            self._ended.set()

    async def _tell_when_ready(self, session: Session) -> None:
        await session.ready.wait()
        self._opened = session.standing.id
        self._news.ring()

    async def _end(self) -> None:
        await self.core.database.transact(_forget)
        await self._leave()

    async def _leave(self) -> None:
        """Leaves the session of now, if there is one."""
        if self.session is not None:
            self._scope.cancel()
            await self._ended.wait()


def _forget(tx: Tx) -> None:
    _revoke(tx)
    view.end(tx)


def _revoke(tx: Tx) -> None:
    """Ends the invitations that were laid ready and that nobody has fetched."""
    for one in view.greetings(tx):
        if one.state is State.ACCEPTED and not one.mine:
            invitations.revoke(tx, one.invitation)
