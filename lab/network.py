"""SimNetwork: many hosts in one process, on a network that delays, loses, cuts, partitions, replays and restarts.

It keeps the promises of node/network.py (tests/node/test_network_contract.py) and makes every misfortune of a real
network repeatable: all chance comes from one seed, drawn per direction of each pair of hosts, so that one more message
between two of them moves nobody else. Nothing depends on hash() or on the order of a set. It runs under any trio clock.

    async with network.open_network(seed=7) as sim:
        async with sim.open_host("alice", seed32) as alice, sim.open_host("bob", other32) as bob: ...
        sim.cut("alice", "bob"); sim.heal("alice", "bob"); sim.kill("bob")

Not here: whole nodes on it (world.py), one connection and its streams (wire.py).
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import trio
from nacl.bindings import crypto_sign_seed_keypair

from lab import relays, replay
from lab.wire import End, SimStream, Wire, pair
from node.network import (
    STREAMS_INBOUND_MAX,
    STREAMS_OUTBOUND_MAX,
    Accept,
    Address,
    PeerId,
    address_of,
    circuit_of,
    parts_of,
)
from protocol.faults import PeerFault, Unavailable

PORT = 4001  # what port 0 becomes; the second listener of a host gets 4002
NOTICE_S = 15.0  # until an end of a cut cable gives up, as TCP_USER_TIMEOUT does; an idle one really takes 215 s
LOSS_NOTICE_S = 2.0  # at most, until an end of a lost link learns it; each end by itself, so both may live for a while
EPHEMERAL_PORT = 40_000

_ADDRESS_FIRST = int(IPv4Address("10.0.0.0"))

Seen = tuple[float, str, str, bytes]
"""What an observer notes: (time, name of the sender, name of the receiver, bytes of one piece)."""


@asynccontextmanager
async def open_network(seed: int) -> AsyncIterator["SimNetwork"]:
    """Yields a network of its own; at the end everything on it is cancelled."""
    async with trio.open_nursery() as nursery:
        yield SimNetwork(nursery, seed)
        nursery.cancel_scope.cancel()


class SimNetwork:
    """The cables. `delay`, `loss`, `replay`, `notice_s` and `tap` may be set at any time."""

    def __init__(self, nursery: trio.Nursery, seed: int) -> None:
        self.delay: tuple[float, float] = (0.001, 0.003)  # seconds of one way: least and most; each piece draws its own
        self.loss = 0.0  # chance, per piece of <= 64 KiB sent, that its link breaks for good and the piece is lost
        self.replay = 0.0  # chance, per stream closed by its opener, that a stranger plays its bytes to the same host
        self.notice_s = NOTICE_S
        self.tap: list[Seen] | None = None  # set it to [] to record
        self.sent_bytes: Counter[str] = Counter()  # by the name of the sender
        self._nursery = nursery
        self._seed = seed
        self._hosts: dict[str, SimHost] = {}
        self._beside: list[SimHost] = []  # further hosts of the same machines
        self._ips: dict[str, IPv4Address] = {}  # 10.0.0.N, given in order of first mention, for ever
        self._cuts: dict[tuple[str, str], None] = {}
        self._wires: list[Wire] = []  # those that are not yet gone at both ends, and some that are
        self._chance: dict[tuple[str, str], random.Random] = {}
        self._changed = trio.Event()

    def node(self, name: str, key_seed: bytes) -> "SimHost":
        """Returns a fresh host at this name's address; an older one of that name is killed first (a restart).

        key_seed: 32 bytes of its transport key, the same as before or another. Its tasks run until kill().
        """
        return self._open(self._nursery, name, key_seed)

    @asynccontextmanager
    async def open_host(self, name: str, key_seed: bytes) -> AsyncIterator["SimHost"]:
        """Yields a host as node/host.py's open_host does: at the end its links are gone and its tasks cancelled."""
        async with trio.open_nursery() as nursery:
            host = self._open(nursery, name, key_seed)
            try:
                yield host
            finally:
                host.leave()
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def open_beside(self, name: str, key_seed: bytes) -> AsyncIterator["SimHost"]:
        """Yields one more host of a machine that has one: the same address, another key, its own ports."""
        async with trio.open_nursery() as nursery:
            host = SimHost(self, nursery, name, self.ip(name), key_seed)
            self._beside.append(host)
            try:
                yield host
            finally:
                self._beside.remove(host)
                host.leave()
                nursery.cancel_scope.cancel()

    def address(self, name: str) -> Address:
        """Returns the address at which a host of this name listens by default; stable over restarts."""
        return address_of(self.ip(name), PORT)

    def cut(self, first: str, second: str) -> None:
        """Pulls the cable between two names: links stall, and are given up after notice_s; dials hang."""
        assert first != second
        self._cuts[_sorted(first, second)] = None
        for wire in self._between(first, second):
            wire.cut(self.notice_s)

    def heal(self, first: str, second: str) -> None:
        """Puts the cable back."""
        self._cuts.pop(_sorted(first, second), None)
        for wire in self._between(first, second):
            wire.heal()
        self._poke()

    def partition(self, *groups: Sequence[str]) -> None:
        """Cuts every cable between two different groups; inside a group nothing changes."""
        for place, group in enumerate(groups):
            for other in groups[place + 1 :]:
                for first in group:
                    for second in other:
                        self.cut(first, second)

    def heal_all(self) -> None:
        """Puts every cable back."""
        for first, second in list(self._cuts):
            self.heal(first, second)

    def kill(self, name: str) -> None:
        """Ends a host as SIGKILL does: its tasks stop, its calls fail, its links are gone, as peers soon learn."""
        for host in self.machine(name):
            host.stop()
        for wire in self._wires:
            if name in wire.route[1:-1]:
                wire.lose((0.0, 0.0))

    def _open(self, nursery: trio.Nursery, name: str, key_seed: bytes) -> "SimHost":
        self.kill(name)
        host = SimHost(self, nursery, name, self.ip(name), key_seed)
        self._hosts[name] = host
        return host

    def ip(self, name: str) -> IPv4Address:
        """Returns the IP address of this name, running or not."""
        if name not in self._ips:
            self._ips[name] = IPv4Address(_ADDRESS_FIRST + len(self._ips) + 1)
        return self._ips[name]

    def name_at(self, ip: IPv4Address | IPv6Address) -> str | None:
        """Returns whose address this is, or None."""
        return next((name for name, known in self._ips.items() if known == ip), None)

    def host_of(self, peer: PeerId) -> "SimHost | None":
        """Returns the host that runs now with this PeerId."""
        return next((host for host in self._hosts.values() if host.peer == peer and not host.is_stopped), None)

    def reached_by(self, name: str) -> tuple[str, ...]:
        """Returns the names of the other hosts that run and are not cut from this one; none when it does not run."""
        running = [other for other, host in self._hosts.items() if not host.is_stopped and other != replay.NAME]
        if name not in running:
            return ()
        return tuple(other for other in running if other != name and not self._is_cut(name, other))

    def listener(self, name: str, port: int) -> "SimHost | None":
        """Returns the host that answers at this port of this name's address now."""
        return next((host for host in self.machine(name) if host.listens(port)), None)

    def machine(self, name: str) -> "list[SimHost]":
        """Returns all hosts of this name."""
        first = [self._hosts[name]] if name in self._hosts else []
        return first + [host for host in self._beside if host.name == name]

    def _between(self, first: str, second: str) -> list[Wire]:
        """Returns the wires between two names, after forgetting those whose both ends are gone."""
        self._wires = [wire for wire in self._wires if not all(end.is_gone for end in wire.ends)]
        asked = _sorted(first, second)
        return [wire for wire in self._wires if any(_sorted(*hop) == asked for hop in pairwise(wire.route))]

    def _is_cut(self, first: str, second: str) -> bool:
        return _sorted(first, second) in self._cuts

    def _chance_of(self, sender: str, receiver: str) -> random.Random:
        pair_ = (sender, receiver)
        if pair_ not in self._chance:  # a string seed is hashed by random itself, the same under any PYTHONHASHSEED
            self._chance[pair_] = random.Random(f"{self._seed}:{sender}>{receiver}")
        return self._chance[pair_]

    def _poke(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def reach(self, dialler: "SimHost", listener: str) -> None:
        """Waits one way there and back. Raises: Unavailable when the cable stays cut for notice_s."""
        at = trio.current_time() + self.delay_s(dialler.name, listener) + self.delay_s(listener, dialler.name)
        deadline = trio.current_time() + self.notice_s
        while True:
            is_cut = self._is_cut(dialler.name, listener)
            if not is_cut and trio.current_time() >= at:
                return
            if is_cut and trio.current_time() >= deadline:
                raise Unavailable("nobody answers there")
            with trio.move_on_at(deadline if is_cut else at):
                await self._changed.wait()

    def connect(self, dialler: "SimHost", listener: "SimHost", address: Address, relay: str = "") -> End:
        """Lays a wire between two hosts, through a relay or directly, and returns the dialler's end."""
        wire = Wire(self, (dialler.name, relay, listener.name) if relay else (dialler.name, listener.name))
        port = EPHEMERAL_PORT + len(listener.ends)  # what the listener sees of a dialler: no address to dial
        wire.ends = [
            End(wire, dialler.name, listener.peer, address),
            End(wire, listener.name, dialler.peer, address if relay else address_of(dialler.ip, port)),
        ]
        for host, end in zip((dialler, listener), wire.ends, strict=True):
            host.ends = [old for old in host.ends if not old.is_gone]
            host.ends.append(end)
        self._wires.append(wire)
        return wire.ends[0]

    # What a wire asks of its network (lab/wire.py, Laws).

    def delay_s(self, sender: str, receiver: str) -> float:
        """Returns the seconds that one piece takes; each call draws anew."""
        return self._chance_of(sender, receiver).uniform(*self.delay)

    def sent(self, stream: SimStream, data: bytes) -> bool:
        """Notes a piece that was sent; False when its link broke and the piece is lost."""
        sender, receiver = stream.end.host, stream.end.wire.other(stream.end).host
        self.sent_bytes[sender] += len(data)
        if self.tap is not None:
            self.tap.append((trio.current_time(), sender, receiver, data))
        if self.replay and len(stream.recorded) < replay.BYTES_MAX:
            stream.recorded += data
        chance = self._chance_of(sender, receiver)
        if self.loss and chance.random() < self.loss:
            stream.end.wire.lose((chance.uniform(0, LOSS_NOTICE_S), chance.uniform(0, LOSS_NOTICE_S)))
            return False
        return True

    def closed(self, stream: SimStream) -> None:
        """Is told when an end of a stream closes; sends the replaying attacker."""
        receiver = stream.end.wire.other(stream.end).host
        chance = self._chance_of(stream.end.host, receiver)
        if stream.recorded and self.replay and chance.random() < self.replay:
            recorded = bytes(stream.recorded[: replay.BYTES_MAX])
            after_s = chance.uniform(0, replay.AFTER_S)
            seed = self._chance_of(replay.NAME, receiver).randbytes(32)
            self._nursery.start_soon(replay.play, self, receiver, seed, stream.protocol, recorded, after_s)

    async def open_stream(self, opener: End, protocol: str) -> SimStream:
        """Returns the opener's end of a new stream that the other host serves. Raises: Unavailable."""
        wire = opener.wire
        served = wire.other(opener)
        wire.forget_closed()
        if sum(stream.end is opener for stream in wire.streams) >= STREAMS_OUTBOUND_MAX:
            raise Unavailable("too many streams are open on this link")
        await opener.travel(served)
        host = next((one for one in self.machine(served.host) if one.peer == opener.peer), None)
        accept = None if host is None else host.accepts.get(protocol)
        if host is None or accept is None or host.count_accepted(served.peer) >= STREAMS_INBOUND_MAX:
            await served.travel(opener)
            raise Unavailable(f"the peer does not speak {protocol}, or takes no more streams from us")
        mine, theirs = pair(wire, opener, protocol)
        host.start(accept, theirs)
        try:
            await served.travel(opener)
        except BaseException:
            mine.close()
            raise
        return mine


class SimHost:
    """One host on the network: implements node.network.Network. Made by SimNetwork.node and open_host."""

    def __init__(self, sim: SimNetwork, nursery: trio.Nursery, name: str, ip: IPv4Address, key_seed: bytes) -> None:
        self.name = name
        self.ip = ip
        self.peer = PeerId(crypto_sign_seed_keypair(key_seed)[0])
        self.accepts: dict[str, Accept] = {}
        self.ends: list[End] = []  # of every link, dialled or accepted
        self.is_stopped = False
        self.announced: tuple[Address, ...] = ()  # circuits at relays that know it
        self._sim = sim
        self._nursery = nursery
        self._ports: list[int] = []
        self._accepted: dict[int, tuple[trio.CancelScope, SimStream]] = {}  # tasks that serve streams, by a counter
        self._count = 0

    def serve(self, protocols: Sequence[str], accept: Accept) -> None:
        """From now on hands streams of these protocols to `accept`."""
        for protocol in protocols:
            self.accepts[protocol] = accept

    def unserve(self, protocols: Sequence[str]) -> None:
        """From now on refuses streams of these protocols."""
        for protocol in protocols:
            self.accepts.pop(protocol, None)

    async def listen(self, addresses: Sequence[Address]) -> tuple[Address, ...]:
        """Returns the bound addresses: this host's own or 0.0.0.0. Raises: Unavailable when none can be bound."""
        await trio.lowlevel.checkpoint()
        bound: list[Address] = []
        for address in addresses:
            ip, port = parts_of(address)
            taken = [port for host in self._sim.machine(self.name) for port in host._ports]
            if port == 0:
                port = max(taken, default=PORT - 1) + 1
            is_free = port not in taken and port < 65_536
            if (ip == self.ip or ip.is_unspecified) and is_free and not self.is_stopped:
                self._ports.append(port)
                bound.append(address_of(ip, port))
        if not bound:
            raise Unavailable("not one of the addresses can be listened on")
        return tuple(bound)

    async def dial(self, address: Address, expected: PeerId | None) -> End:
        """Returns a link to whoever listens at `address`. Raises: Unavailable."""
        await trio.lowlevel.checkpoint()
        if circuit_of(address) is not None:
            return await relays.dial(self._sim, self, address, expected)
        ip, port = parts_of(address)
        name = self._sim.name_at(ip)
        if name is None:
            await trio.sleep(self._sim.notice_s)
            raise Unavailable("nobody answers there")
        if name != self.name:
            await self._sim.reach(self, name)
        listener = self._sim.listener(name, port)
        if self.is_stopped or listener is None:
            raise Unavailable("the connection was refused")
        if listener.peer == self.peer:
            raise Unavailable("that address is our own")
        if expected is not None and listener.peer != expected:
            raise Unavailable("another peer answers there")
        return self._sim.connect(self, listener, address)

    def addresses(self) -> tuple[Address, ...]:
        """Returns where others can dial this host now."""
        return (*(address_of(self.ip, port) for port in self._ports), *self.announced)

    def move(self, port: int) -> None:
        """Takes the host to another network: it listens at this port alone, and its links stall and are given up."""
        self._ports = [port]
        for end in self.ends:
            end.wire.cut(self._sim.notice_s)

    def listens(self, port: int) -> bool:
        """Returns whether a dial to this port would be answered."""
        return port in self._ports and not self.is_stopped

    def start(self, accept: Accept, stream: SimStream) -> None:
        """Starts the task that serves a stream which a peer opened."""
        self._count += 1
        self._nursery.start_soon(self._serve, accept, stream, self._count)
        self._accepted[self._count] = (trio.CancelScope(), stream)

    def count_accepted(self, peer: PeerId) -> int:
        """Returns how many streams this peer holds open towards us."""
        return sum(stream.peer == peer for _, stream in self._accepted.values())

    def leave(self) -> None:
        """Ends all links and cancels all tasks; peers still get what was sent."""
        for end in self.ends:
            end.wire.close(end)
        self.stop()

    def stop(self) -> None:
        """Ends all links and cancels all tasks as a kill does; peers may miss what was sent last."""
        self.is_stopped = True
        for end in self.ends:
            end.wire.drop(end)
        for scope, _ in self._accepted.values():
            scope.cancel()

    async def _serve(self, accept: Accept, stream: SimStream, number: int) -> None:
        scope = self._accepted[number][0]
        try:
            with scope:
                await accept(stream.protocol, stream)
        except* (PeerFault, Unavailable):
            pass  # the peer's fault or nobody's: its stream is closed, as Accept promises
        finally:
            stream.close()
            del self._accepted[number]


def _sorted(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first < second else (second, first)
