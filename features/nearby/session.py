"""One time of being visible: masks that change every half hour, packets, cells, cards, greetings on their way.

    slot n            slot n+1
    mask A: announced, provided, shows its card ──> answers greetings of before ──> closed
                      mask B: announced, provided, ...

Everything in it ends when `run` is cancelled. Not here: what is answered (answering.py), what a person asks
(service.py).
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
import trio

from crypto import keys
from features.nearby import question, view
from features.nearby.answering import Answerer
from features.nearby.content import State
from features.nearby.masks import Mask, worn
from features.nearby.sightings import Near, Sighting, Sightings
from features.nearby.view import Greeting, Keys, Standing
from node import ground, lan
from node.bell import Bell
from node.core import Core
from node.lan import Heard, Interface
from node.lookup import Lookup, Provider
from node.network import Address, PeerId, Stream
from protocol import beacon, invite, nearby
from protocol.faults import PeerFault, Unavailable, UserFault
from protocol.nearby import Cell, Verdict

if TYPE_CHECKING:
    from trio_typing import TaskStatus

ANSWERED_MAX = 256  # newcomers that are remembered as answered
CLOCK_S = 60.0  # how often the clock is looked at: it may be set while we wait for the next slot
LOOKS_MAX = 8  # cards that are asked for at once
LOOK_S = 12.0  # for all cards together; who has shown one is asked first
SEARCH_S = 8.0  # for all lookups of a search together
SEARCH_AGAIN_S = 20.0  # a search asks some hundred streams of others: whoever looks more often sees the last one
FOUND_MAX = 64  # of one search that are dialled
PROVIDE_S = 30.0
PROVIDE_AGAIN_S = 5.0  # after a failure: a node that has just started knows no peer yet; doubles
PROVIDE_AGAIN_S_MAX = 60.0
SPREAD_S = 20.0  # over which nodes provide after a change of slot
ASK_S = 5.0  # how long after a greeting one asks for the decision,
ASK_S_MAX = 30.0  # and how rarely in the end
GROWTH = 1.5

log = structlog.get_logger("nearby")


@dataclass
class Session:
    """Being visible once. `run` works until cancelled; `ready` is set when one is visible."""

    core: Core
    standing: Standing
    sightings: Sightings = field(default_factory=Sightings)
    ready: trio.Event = field(default_factory=trio.Event)
    _provide_trouble: str = ""
    _search_trouble: str = ""
    _masks: dict[int, Mask] = field(default_factory=dict)
    _answerer: Answerer = field(init=False)
    _searched_at: float = -SEARCH_AGAIN_S
    _answered: deque[PeerId] = field(default_factory=lambda: deque(maxlen=ANSWERED_MAX))
    _look: Bell = field(default_factory=Bell)
    _greet: Bell = field(default_factory=Bell)
    _followed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._answerer = Answerer(self.core, self.standing, self.sightings)

    @property
    def mask(self) -> Mask:
        """The newest mask. Raises: Unavailable when the session is ending."""
        if not self._masks:
            raise Unavailable("nearby mode has just ended")
        return self._masks[max(self._masks)]

    @property
    def cell(self) -> Cell | None:
        """The cell in which one is visible, None for the local network alone."""
        return nearby.cell_from(self.standing.cell) if self.standing.cell else None

    @property
    def cell_trouble(self) -> str:
        """Why the cell does not work, for a person; "" while it does."""
        return self._provide_trouble or self._search_trouble

    async def run(self) -> None:
        """Is visible until cancelled, or until it is time by the clock. Raises: Unavailable when no port can be had."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_at_new)
            nursery.start_soon(self._follow_greetings)
            try:
                await self._change_masks(nursery)
            finally:
                self.core.beacon.beside(None)  # before the hosts are closed, which may take a moment
            nursery.cancel_scope.cancel()

    # --- masks

    async def _change_masks(self, nursery: trio.Nursery) -> None:
        while self.core.ground.now_ms() < self.standing.until_ms:
            slot = nearby.slot(self._now_s())
            entropy = self.core.ground.entropy("nearby masks")
            for made in await self.core.database.transact(view.masks, slot, entropy):
                if made.slot not in self._masks:
                    await nursery.start(self._wear, made)
            if not self.ready.is_set():
                self.core.beacon.beside(self)
                self.ready.set()
            else:
                self.core.beacon.announce()
            while nearby.slot(self._now_s()) == slot and self.core.ground.now_ms() < self.standing.until_ms:
                await self._tick()

    async def _tick(self) -> None:
        """Waits until the next slot, but not so long that a clock that was set would not be noticed."""
        await trio.sleep(min(CLOCK_S, nearby.SLOT_S - self.core.ground.now_ms() / 1000 % nearby.SLOT_S))

    async def _wear(self, made: Keys, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Wears a mask until the slot after its own has ended."""
        core = self.core
        async with worn(core.open_network, made, core.listening(), self._serve) as mask:
            await core.database.transact(view.keep_port, made.slot, mask.port)
            self._masks[made.slot] = mask
            try:
                is_first = not self.ready.is_set()
                task_status.started()
                async with trio.open_nursery() as nursery:
                    if self.cell is not None and nearby.slot(self._now_s()) == made.slot:
                        nursery.start_soon(self._provide, mask, self.cell, is_first)
                    while nearby.slot(self._now_s()) in (made.slot, made.slot + 1):
                        await self._tick()
                    nursery.cancel_scope.cancel()
            finally:
                del self._masks[made.slot]

    async def _serve(self, mask: Mask, stream: Stream) -> None:
        await self._answerer.serve(mask, stream, is_newest=mask.slot == max(self._masks, default=mask.slot))

    async def _provide(self, mask: Mask, cell: Cell, is_first: bool) -> None:
        """Says in the DHT, until its slot ends, that a mask is visible in a cell."""
        core = self.core
        if core.open_lookup is None:
            self._provide_trouble = "this node uses no DHT"
            return
        async with core.open_lookup(mask.network) as lookup:
            mask.lookup = lookup
            if not is_first:
                await trio.sleep(SPREAD_S * ground.jitter(core.ground.entropy("nearby jitter")))
            pause_s = PROVIDE_AGAIN_S
            while nearby.slot(self._now_s()) == mask.slot:
                try:
                    with trio.fail_after(PROVIDE_S):
                        await lookup.provide(nearby.cell_key(cell, mask.slot))
                except (Unavailable, trio.TooSlowError) as fault:
                    self._provide_trouble = str(fault) or "the DHT does not answer"
                    await trio.sleep(pause_s)
                    pause_s = min(2 * pause_s, PROVIDE_AGAIN_S_MAX)
                else:
                    self._provide_trouble = self._search_trouble = ""
                    break
            while nearby.slot(self._now_s()) == mask.slot:
                await self._tick()
            mask.lookup = None

    # --- the local network: implements node.beacon.Beside

    def packet(self, here: Interface) -> bytes | None:
        """Returns our packet for an interface, None where the mask does not listen."""
        mask = self._masks.get(nearby.slot(self._now_s()))
        there = lan.narrowed(here, mask.bound).addresses if mask is not None else ()
        if mask is None or not there:
            return None
        said = beacon.Announcement(self._now_s(), mask.port, mask.network.peer, there)
        return nearby.packet(said, self.core.ground.entropy("nearby packet")(24))

    def hear(self, heard: Heard, here: Interface) -> None:
        """Takes a packet: who says that he is there is looked at. Raises: PeerFault for what is to be ignored."""
        said = nearby.announced(heard.packet, self._now_s())
        is_own = any(mask.network.peer == said.peer for mask in self._masks.values())
        if is_own or heard.source not in said.addresses or not lan.is_near(heard.source, here):
            return
        peer, address = PeerId(said.peer), lan.dialled_at(heard.source, said.port, heard.interface)
        if self._see(peer, Near.NETWORK, (address,)):
            self._look.ring()
            self._answer(peer)

    def _answer(self, peer: PeerId) -> None:
        """Lets a newcomer know of us: once, also if he cannot be dialled and is new each time that he is heard."""
        if peer not in self._answered:
            self._answered.append(peer)
            self.core.beacon.announce()

    # --- who is there

    async def look_around(self) -> tuple[Sighting, ...]:
        """Those who are visible now, the nearest first: everybody is asked for his card again."""
        lookup = next((mask.lookup for mask in self._masks.values() if mask.lookup is not None), None)
        is_due = trio.current_time() - self._searched_at >= SEARCH_AGAIN_S
        if self.cell is not None and lookup is not None and is_due:
            self._searched_at = trio.current_time()
            await self._search(lookup, self.cell)
        places = trio.Semaphore(LOOKS_MAX)
        with trio.move_on_after(LOOK_S):
            async with trio.open_nursery() as nursery:
                for one in self.sightings.everybody():
                    await places.acquire()
                    nursery.start_soon(self._look_one, one, places)
        return tuple(self.sightings.visible())

    async def _search(self, lookup: Lookup, cell: Cell) -> None:
        """Looks a cell and its neighbours up, in this slot and the one before."""
        found: dict[PeerId, tuple[Near, Provider]] = {}
        slot = nearby.slot(self._now_s())
        trouble = "the DHT does not answer"

        async def find(there: Cell, near: Near, half: int) -> None:
            nonlocal trouble
            try:
                providers = await lookup.find(nearby.cell_key(there, half))
            except Unavailable as fault:
                trouble = trouble and str(fault)
            else:
                trouble = ""
                for one in providers:
                    if one.addresses and (one.peer not in found or near < found[one.peer][0]):
                        found[one.peer] = near, one

        with trio.move_on_after(SEARCH_S):
            async with trio.open_nursery() as nursery:
                for there in (cell, *nearby.around(cell)):
                    for half in (slot, slot - 1):
                        nursery.start_soon(find, there, Near.CELL if there == cell else Near.NEXT, half)
        self._search_trouble = trouble
        own = {mask.network.peer for mask in self._masks.values()}
        near_first = sorted(found.values(), key=lambda one: (one[0], one[1].peer))
        for near, one in [row for row in near_first if row[1].peer not in own][:FOUND_MAX]:
            self._see(one.peer, near, one.addresses)

    def _see(self, peer: PeerId, near: Near, addresses: tuple[Address, ...]) -> bool:
        return self.sightings.see(peer, near, addresses, trio.current_time(), self.core.ground.now_ms())

    async def _look_at_new(self) -> None:
        """Asks whoever is heard for the first time for his card; no more tasks than are at work, in a flood too."""
        async with trio.open_nursery() as nursery:
            places = trio.Semaphore(LOOKS_MAX)
            while True:
                await places.acquire()
                one = self.sightings.unseen()
                if one is None:
                    places.release()
                    await self._look.wait()
                else:
                    nursery.start_soon(self._look_one, one, places)

    async def _look_one(self, one: Sighting, places: trio.Semaphore) -> None:
        """Asks for a card, and frees its place; who shows none is forgotten."""
        try:
            if await self.core.database.transact(view.is_blocked, one.peer):
                raise Unavailable("he is blocked")
            asked = nearby.CardWanted()
            card, where = await question.ask(self.mask.network, one.addresses, one.peer, asked, nearby.Card)
            self.sightings.show(one.peer, card, where, trio.current_time(), self.core.ground.now_ms())
        except (PeerFault, Unavailable):
            self.sightings.forget(one.peer)
        finally:
            places.release()

    # --- greetings of ours

    def follow(self) -> None:
        """A greeting of ours is new: its answer is asked for."""
        self._greet.ring()

    async def _follow_greetings(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                for one in await self.core.database.transact(view.greetings):
                    if one.mine and one.state in (State.UNSENT, State.WAITING) and one.id not in self._followed:
                        self._followed.add(one.id)
                        nursery.start_soon(self._follow_one, one.id)
                await self._greet.wait()

    async def _follow_one(self, greeting_id: int) -> None:
        """Asks for a decision until there is one."""
        pause_s = ASK_S
        while True:
            await trio.sleep(pause_s * (0.8 + 0.4 * ground.jitter(self.core.ground.entropy("nearby jitter"))))
            one = await self.core.database.transact(view.greeting, greeting_id)
            if one is None or one.state not in (State.UNSENT, State.WAITING):
                return
            pause_s = min(ASK_S_MAX, pause_s * GROWTH)
            try:
                if one.state is State.UNSENT:
                    await self.say(one)
                elif (link := await self._decision(one)) is not None:
                    await self._become_contacts(one, link)
            except (PeerFault, Unavailable) as fault:
                log.debug("greeting not answered", reason=str(fault))

    async def say(self, one: Greeting) -> Verdict:
        """Brings a greeting of ours to whom it is for. Raises: Unavailable, PeerFault."""
        entropy = self.core.ground.entropy("nearby")
        mask = self.mask
        words = nearby.Words(one.ticket, keys.DhKey(one.secret).public, self.standing.name or None, one.text)
        ends = mask.network.peer + one.peer
        sealed = nearby.seal_words(words, one.box, ends, keys.DhKey(entropy(32)), entropy(24))
        heard, _ = await question.ask(mask.network, _addresses(one), PeerId(one.peer), sealed, nearby.Heard)
        if heard.verdict is Verdict.TAKEN:
            await self.core.database.transact(view.move, one.id, State.WAITING)
        return heard.verdict

    async def _decision(self, one: Greeting) -> invite.Link | None:
        asked = nearby.Asking(one.ticket)
        reply, _ = await question.ask(self.mask.network, _addresses(one), PeerId(one.peer), asked, nearby.Reply)
        link = nearby.open_decision(reply, keys.DhKey(one.secret), one.ticket).link
        if link is None:
            return None
        try:
            return invite.link_from(link)
        except UserFault as fault:
            await self.core.database.transact(view.move, one.id, State.FAILED, f"the answer is no invitation: {fault}")
            return None

    async def _become_contacts(self, one: Greeting, link: invite.Link) -> None:
        """Follows the invitation of an acceptance: from here on the room of contacts has it."""
        transact = self.core.database.transact
        if link.long_term:
            await transact(view.move, one.id, State.FAILED, "the answer is not an invitation for you alone")
            return
        try:
            await self.core.services["contacts"].add(invite.link_text(link), greeting=one.text)
        except UserFault as fault:
            await transact(view.move, one.id, State.FAILED, str(fault))
        else:
            await transact(view.accept, one.id, invite.link_text(link), b"")

    def _now_s(self) -> int:
        return self.core.ground.now_ms() // 1000


def _addresses(one: Greeting) -> tuple[Address, ...]:
    return tuple(map(Address, one.addresses))
