"""Where the mail of all keepers comes together: in order, each letter once, and confirmed only when it is committed.

    collector's tasks ──page──> open ──> arrivals ──flush──> one transaction ──> committed ──> up to where each is done

docs/protocol/mailbox.md 4. Not here: the order (protocol/arrivals.py), what a page is (pages.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from node.delivery import Delivery
from node.inward import Inward
from node.keep import pages
from node.keep.pages import Opened
from node.keep.strangers import Strangers
from protocol.arrivals import Arrivals, Order
from protocol.faults import Unavailable
from protocol.keep import Item

ROW_BYTES = 512  # what a letter takes in memory beside its envelope


@dataclass
class Reception:
    """The mail that is on its way in. One for all keepers of a node."""

    inward: Inward
    delivery: Delivery
    strangers: Strangers
    _arrivals: Arrivals[Opened | None] = field(default_factory=Arrivals)
    _lock: trio.Lock = field(default_factory=trio.Lock)
    _moved: trio.Event = field(default_factory=trio.Event)

    def met(self, keeper_id: int) -> "Counter":
        """A keeper is connected: what it gives is counted from now on, until `lost`."""
        self._arrivals.met(keeper_id)
        return Counter(self, self._arrivals, keeper_id)

    def lost(self, keeper_id: int) -> None:
        """It is connected no more."""
        self._arrivals.lost(keeper_id)
        self._stir()

    async def push(self, counter: "Counter", items: Sequence[Item], *, more: bool) -> None:
        """Takes a page of a keeper. more: whether it has others. Raises: PeerFault, Unavailable, StoreFault."""
        opened = await self.inward.database.transact(pages.open_all, counter.keeper, tuple(items), self.inward.now())
        arrivals = self._current(counter)
        known = {one.seq: one for one in opened}
        for item in items:
            one = known.get(item.seq)
            said = None if one is None else one.parcel
            order = None if one is None or said is None else Order(one.contact, said.run, said.sealing)
            size = ROW_BYTES + len(item.envelope)
            arrivals.push(counter.keeper, item.seq, one, order, size, trio.current_time())
        if not more:
            arrivals.drained(counter.keeper)
        await self._flush()

    async def settled(self, counter: "Counter", seq: int) -> None:
        """Returns when all that a keeper gave up to here is committed. Raises: Unavailable, StoreFault."""
        while counter.upto() < seq:
            due = self._current(counter).due()
            with trio.move_on_at(float("inf") if due is None else due):
                await self._moved.wait()
            await self._flush()

    async def _flush(self) -> None:
        async with self._lock:
            arrivals = self._arrivals
            out = arrivals.flush(trio.current_time())
            if not out:
                return
            taken = [one.item for one in out if one.item is not None]
            try:
                contacts = await self.inward.database.transact(pages.take, self.inward, self.strangers, taken)
            except BaseException:
                self._arrivals = Arrivals()  # nobody knows what of it is committed: all keepers give it anew
                self._stir()
                raise
            arrivals.committed(out)
            self._stir()
        for contact_id in contacts:
            self.delivery.stir(contact_id)

    def _current(self, counter: "Counter") -> Arrivals[Opened | None]:
        """The arrivals in which a keeper is counted. Raises: Unavailable when they were given up."""
        if counter.arrivals is not self._arrivals:
            raise Unavailable("what this keeper gave is to be fetched anew")
        return self._arrivals

    def _stir(self) -> None:
        self._moved.set()
        self._moved = trio.Event()


@dataclass(frozen=True, slots=True)
class Counter:
    """How far one keeper is, since it was met."""

    reception: Reception
    arrivals: Arrivals[Opened | None]
    keeper: int

    def upto(self) -> int:
        """Up to where everything is committed; 0 for nothing. Raises: Unavailable when it is to be fetched anew."""
        return self.reception._current(self).upto(self.keeper)
