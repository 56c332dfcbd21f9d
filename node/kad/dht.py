"""The DHT of one host: libp2p's Kademlia as weft speaks it. Implements node/lookup.py's Lookup; `run` is its service.

    client   asks; is in nobody's table, keeps nothing, answers nothing
    server   answers too; with it identify and ping are on
    auto     server, until somebody finds that we cannot be reached from outside
    off      neither

A host that cannot be dialled does no harm as a server: nobody takes it into a table without having dialled it. Source:
docs/protocol/dht.md, decision 0012. Not here: the lookups (lookups.py), what is kept (shelf.py), what is asked for and
when (node/finder.py), reachability (node/relay/).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import trio

from crypto import keys
from node import ground
from node.identify import Offers
from node.kad import messages, space
from node.kad.callers import Callers
from node.kad.links import Links
from node.kad.lookups import Lookups
from node.kad.messages import Kind, Message, Peer
from node.kad.places import PlaceOf, network_of, tellable
from node.kad.server import Server
from node.kad.shelf import Rules, Shelf
from node.kad.table import Table
from node.kad.walk import Walk
from node.lookup import Provider
from node.network import Address, Network, PeerId, peer_multihash
from protocol.faults import PeerFault, Unavailable

LOOKUPS_MAX = 8  # at a time; more of them wait
NEAR_MAX = 20  # of the table, with which a walk begins
FEW = 4  # with fewer peers in the table we look for more, often
JOIN_NEAR = 8  # peers that hear of us when we come, and in whose tables we are then
REFRESH_S = 1800.0  # py-libp2p's 600 s would be 12 MB a day among 32 nodes; who asks is looked at in between
RETRY_S_MIN, RETRY_S_MAX = 5.0, 300.0  # while the table is nearly empty
PAUSE_S_MIN = 0.2  # between two rounds, however often we are told of peers
ROUND_S = 60.0  # for one look around
SHUNNED_S = 120.0  # after a failure a peer is asked when nobody else is left; then as before
SHUNNED_MAX = 512
KNOWN_MAX = 64  # peers to begin with, learnt elsewhere; the longest unnamed one is forgotten
ERRANDS_MAX = 64  # that wait: corrections, and looks at who was late; more are dropped
RUNNERS = 2
KEYS_TRIED = 32  # until one lies in the bucket that is to be refreshed


class Mode(Enum):
    """What this host does in the DHT; the values are those of the setting dht.mode."""

    AUTO = "auto"
    SERVER = "server"
    CLIENT = "client"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class State:
    """What `status` and `doctor` show. answered_s: seconds since a peer last answered us; None: none ever did."""

    mode: Mode
    is_serving: bool
    peers: int
    records: int
    providers: int
    answered_s: float | None


class Kad:
    """The DHT of one host."""

    def __init__(
        self,
        network: Network,
        offers: Offers,
        rules: Rules,
        now_s: Callable[[], int],
        entropy: keys.Entropy,
        addresses: Callable[[], Sequence[Address]],
        mode: Mode,
        place_of: PlaceOf = network_of,
    ) -> None:
        """rules: protocol/rendezvous. addresses: where we can be dialled, for provide(); asked each time."""
        self._own = network.peer
        self._offers = offers
        self._rules = rules
        self._now_s = now_s
        self._entropy = entropy
        self._addresses = addresses
        self._mode = mode
        self._place_of = place_of
        self._is_reachable: bool | None = None
        self._is_running = False
        self._is_serving = False
        self._answered_at: float | None = None
        self._known: dict[PeerId, Peer] = {}
        self._shunned: dict[PeerId, float] = {}  # until when, the first to end first
        self._table = Table(self._own, place_of)
        self._shelf = Shelf(self._own, rules)
        self._links = Links(network, now_s)
        self._callers = Callers(self._table, self._greet)
        self._server = Server(self._table, self._shelf, now_s, self._callers.note)
        self._lookups = Lookups(self._start, self._ask, self._give, self._be_late, self._distrust, rules, now_s)
        self._limit = trio.CapacityLimiter(LOOKUPS_MAX)
        self._changed = trio.Event()  # since run() looked around last; replaced by it
        self._errands, self._errand = trio.open_memory_channel[tuple[Peer, Message]](ERRANDS_MAX)

    # --- node/lookup.py ----------------------------------------------------------------------------------------------

    async def put(self, key: bytes, record: bytes) -> int:
        """Gives a record to the 20 nearest peers; returns how many keep it. We keep it too when we serve.

        Raises: Unavailable when not one does.
        """
        self._require_on()
        if self._is_serving:
            self._keep(key, record)
        async with self._limit:
            kept = await self._lookups.put(key, record)
        if not kept:
            raise Unavailable("no peer of the DHT keeps the record")
        return kept

    async def get(self, key: bytes) -> bytes | None:
        """The newest record that other peers hold. Raises: Unavailable when none answers."""
        self._require_on()
        async with self._limit:
            tally = await self._lookups.get(key)
        if tally.best is not None:
            question = Message(Kind.PUT_VALUE, space.record_key(key), tally.best)
            for peer in tally.behind():
                self._run_errand(peer, question)
        return tally.best

    async def provide(self, key: bytes) -> int:
        """Says to the 20 nearest peers that we are to be found under a key. Raises: Unavailable when none takes it."""
        self._require_on()
        async with self._limit:
            took = await self._lookups.provide(key, self._as_known_to)
        if not took:
            raise Unavailable("no peer of the DHT takes it")
        return took

    async def find(self, key: bytes) -> tuple[Provider, ...]:
        """Who says that he is to be found under a key, without ourselves. Raises: Unavailable when none answers."""
        self._require_on()
        async with self._limit:
            return await self._lookups.find(key)

    # --- for those who switch it and look at it ----------------------------------------------------------------------

    def set_mode(self, mode: Mode) -> None:
        """Switches at once; what lies here for others is forgotten when we no longer serve."""
        self._mode = mode
        self._switch()
        self._changed.set()

    def note_reachability(self, is_reachable: bool) -> None:
        """Takes it whether others can dial us; decides in mode auto."""
        self._is_reachable = is_reachable
        self._switch()

    def note_peer(self, peer: PeerId, addresses: Sequence[Address]) -> None:
        """Takes a peer that may serve the DHT, to begin with: a bootstrap, a contact, one remembered from before."""
        self._known.pop(peer, None)
        self._known[peer] = Peer(peer, tuple(addresses)[: messages.ADDRESSES_MAX])
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        if len(self._table) < FEW:
            self._changed.set()

    def peers(self, count: int) -> tuple[Provider, ...]:
        """The peers that answered last, to begin with after the next start."""
        return tuple(Provider(peer.id, peer.addresses) for peer in self._table.recent(count))

    def state(self) -> State:
        """What it does and has now."""
        ago = None if self._answered_at is None else trio.current_time() - self._answered_at
        return State(self._mode, self._is_serving, len(self._table), self._shelf.records, self._shelf.providers, ago)

    async def run(self) -> None:
        """Serves, keeps the table fresh and runs errands until cancelled."""
        self._is_running = True
        self._switch()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._links.run)
                nursery.start_soon(self._callers.run)
                for _ in range(RUNNERS):
                    nursery.start_soon(self._run_errands)
                await self._stay()
        finally:
            self._is_running = False
            self._switch()

    # --- asking ------------------------------------------------------------------------------------------------------

    async def _ask(self, peer: Peer, *questions: Message) -> Message:
        """One question to one peer, which is in the table when it answers and out of it when it does not."""
        try:
            return await self._give(peer, *questions)
        except (PeerFault, Unavailable):
            self._table.fail(peer.id)
            raise

    async def _give(self, peer: Peer, *questions: Message) -> Message:
        """As _ask, but who refuses stays in the table: he may have no room, or something newer."""
        try:
            answer, address = await self._links.ask(peer, *questions)
        except (PeerFault, Unavailable):
            self._shun(peer.id)
            raise
        now = trio.current_time()
        self._answered_at = now
        self._shunned.pop(peer.id, None)
        self._table.hear(Peer(peer.id, (address, *peer.addresses)), now)
        return replace(
            answer, closer=self._told(answer.closer, address), providers=self._told(answer.providers, address)
        )

    async def _greet(self, peer: Peer) -> None:
        await self._ask(peer, Message(Kind.FIND_NODE, peer_multihash(self._own)))

    def _told(self, peers: Sequence[Peer], address: Address) -> tuple[Peer, ...]:
        """What a peer at `address` may tell us of others."""
        found = (Peer(peer.id, tellable(peer.addresses, address)) for peer in peers if peer.id != self._own)
        return tuple(peer for peer in found if peer.addresses)

    def _as_known_to(self, peer: Peer) -> Peer:
        return Peer(self._own, tellable(self._addresses(), peer.addresses[0]))

    def _start(self, target: int, wanted: int, at_once: int) -> Walk:
        """A walk that knows the nearest of the table; while that is nearly empty, also what was learnt elsewhere."""
        now = trio.current_time()
        self._shunned = {peer: until for peer, until in self._shunned.items() if until > now}
        walk = Walk(target, wanted, self._own, at_once, tuple(self._shunned), self._place_of)
        walk.learn(self._table.nearest(target, NEAR_MAX))
        if len(self._table) < FEW:
            walk.learn(self._known.values())
        return walk

    def _shun(self, peer: PeerId) -> None:
        self._shunned.pop(peer, None)
        self._shunned[peer] = trio.current_time() + SHUNNED_S
        if len(self._shunned) > SHUNNED_MAX:
            del self._shunned[next(iter(self._shunned))]

    def _distrust(self, peer: PeerId) -> None:
        """Puts out a peer that lied."""
        self._shun(peer)
        self._table.fail(peer)

    def _be_late(self, peers: Sequence[Peer]) -> None:
        """Takes it who was not waited for: an errand looks whether they live at all."""
        for peer in peers:
            self._shun(peer.id)
            self._run_errand(peer, Message(Kind.PING))

    # --- the service -------------------------------------------------------------------------------------------------

    async def _stay(self) -> None:
        """Looks around again and again: seldom when there are peers, often while there are none."""
        retry_s = RETRY_S_MIN
        while True:
            if self._mode is not Mode.OFF:
                try:
                    with trio.move_on_after(ROUND_S):
                        await self._look_around()
                except Unavailable:
                    pass  # nobody answers yet: the pause is short
                self._shelf.expire(self._now_s())
            is_alone = len(self._table) < FEW
            pause_s = retry_s if is_alone else REFRESH_S
            retry_s = min(RETRY_S_MAX, 2 * retry_s) if is_alone else RETRY_S_MIN
            await trio.sleep(PAUSE_S_MIN)
            with trio.move_on_after(pause_s * (0.8 + 0.4 * ground.jitter(self._entropy))):
                await self._changed.wait()
            self._changed = trio.Event()

    async def _look_around(self) -> None:
        """Finds the peers nearest to us, who hear of us by it, and some in the bucket that was silent for longest."""
        await self._lookups.near(peer_multihash(self._own), JOIN_NEAR)
        stalest = self._table.stalest()
        drawn = (space.provider_key(self._entropy(space.BITS // 8)) for _ in range(KEYS_TRIED))
        for key in drawn:
            if stalest is not None and self._table.bucket_of(space.target_of(key)) == stalest[0]:
                await self._lookups.near(key, FEW)
                return

    async def _run_errands(self) -> None:
        async for peer, question in self._errand:
            try:
                await (self._ask if question.kind is Kind.PING else self._give)(peer, question)
            except (PeerFault, Unavailable):
                continue  # it is out of the table, or keeps what it has

    def _run_errand(self, peer: Peer, question: Message) -> None:
        try:
            self._errands.send_nowait((peer, question))
        except trio.WouldBlock:
            return  # another reader corrects it, or its owner when he publishes again

    def _switch(self) -> None:
        """Begins or ends serving, as mode and reachability say."""
        wants = self._mode is Mode.SERVER or (self._mode is Mode.AUTO and self._is_reachable is not False)
        should = self._is_running and wants
        if should == self._is_serving:
            return
        self._is_serving = should
        if should:
            self._offers.offer([messages.PROTOCOL], self._server.accept)
        else:
            self._offers.withdraw([messages.PROTOCOL])
            self._shelf.clear()

    def _keep(self, key: bytes, record: bytes) -> None:
        """Keeps a record of our own as a holder does. A bad one is our bug: it raises here, before others refuse it."""
        try:
            self._shelf.put(key, record, self._own, "own", self._now_s())
        except PeerFault as fault:
            raise Unavailable(f"the record would be refused: {fault}") from fault

    def _require_on(self) -> None:
        if self._mode is Mode.OFF:
            raise Unavailable("the DHT is switched off")
