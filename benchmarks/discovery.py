"""dht.get, dht.put, dht.get_after_deaths: what lookups cost among real hosts on loopback, all in this one process.

After them come the figures of shipped nodes: dht.connect (finding.py), relay.oneway (relaying.py) and, last because it
takes 35 minutes, idle.bytes_per_day (idle.py).

Every host is our own (TCP, Noise, Yamux, the DHT as the node runs it). dht.get and dht.put: 32 hosts, records of 1 KB,
readers that do not hold the record, beside the same with py-libp2p's own KadDHT among 32 hosts of its own.
dht.get_after_deaths: 100 hosts, 30 of them end at once, then each of 100 records is asked for by a host that lives;
the 95th percentile, and the share that was found.
"""

import statistics
import time
from random import Random
from typing import Any

import trio
from libp2p.peer.peerinfo import PeerInfo
from multiaddr import Multiaddr

from benchmarks import figures, finding, idle, relaying
from node import guards
from node.kad import space
from tests.node.kad.circle import NOW_S, Member, circle, key_of, note, owner, seed_of
from tests.node.kad.stock import Stock, our_protocol, stock

HOSTS = 32
HOSTS_OF_A_TOWN = 100
DEAD = 0.3
RECORDS = 30
CONTENT = bytes(900)
GET_S_MAX = 30.0  # whoever has not found it by then has not found it


def main() -> None:
    """Prints the figures."""
    puts, gets = trio.run(_ours)
    their_puts, their_gets = trio.run(_theirs)
    figures.show("dht.put", puts, "ms", "lower", "py-libp2p KadDHT", their_puts, hosts=HOSTS)
    figures.show("dht.get", gets, "ms", "lower", "py-libp2p KadDHT", their_gets, hosts=HOSTS)
    times, found = trio.run(_after_deaths)
    late = statistics.quantiles(times, n=20)[-1]
    figures.show(
        "dht.get_after_deaths",
        [late],
        "ms",
        "lower",
        gets=len(times),
        found=found / len(times),
        median_ms=round(statistics.median(times)),
        slowest_ms=round(max(times)),
        hosts=HOSTS_OF_A_TOWN,
        dead=int(DEAD * HOSTS_OF_A_TOWN),
    )
    for one in (finding, relaying, idle):
        one.main()


async def _ours() -> tuple[list[float], list[float]]:
    """Milliseconds of each put and of each get."""
    puts: list[float] = []
    gets: list[float] = []
    async with circle(HOSTS) as members:
        for number in range(RECORDS):
            began = time.perf_counter()
            await members[number % HOSTS].kad.put(key_of(owner(number)), note(owner(number), CONTENT))
            puts.append(1000 * (time.perf_counter() - began))
        for number in range(RECORDS):
            reader = Random(number).choice([one for one in members if not _holds(one, number)])
            began = time.perf_counter()
            got = await reader.kad.get(key_of(owner(number)))
            gets.append(1000 * (time.perf_counter() - began))
            assert got == note(owner(number), CONTENT)
    return puts, gets


async def _theirs() -> tuple[list[float], list[float]]:
    """The same among hosts of py-libp2p. A reader there forgets its own copy first: it would answer itself."""
    puts: list[float] = []
    gets: list[float] = []
    with our_protocol():
        async with trio.open_nursery() as nursery:
            hosts: list[Stock] = []
            for number in range(HOSTS):
                one: Stock = await nursery.start(_live, seed_of(2, number))
                for other in Random(number).sample(hosts, min(2, len(hosts))):
                    await one.host.connect(PeerInfo(guards.id_of(other.peer), [Multiaddr(other.address)]))
                if hosts:
                    await one.dht.peer_routing.find_closest_peers_network(one.host.get_id().to_bytes())
                hosts.append(one)
            for number in range(RECORDS):
                wire_key = space.record_key(key_of(owner(number))).decode()
                began = time.perf_counter()
                await hosts[number % HOSTS].dht.put_value(wire_key, note(owner(number), CONTENT))
                puts.append(1000 * (time.perf_counter() - began))
                reader = hosts[(number + HOSTS // 2) % HOSTS]
                reader.dht.value_store.store.pop(wire_key.encode(), None)
                began = time.perf_counter()
                await reader.dht.get_value(wire_key)
                gets.append(1000 * (time.perf_counter() - began))
            nursery.cancel_scope.cancel()
    return puts, gets


async def _live(seed: bytes, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    async with stock(seed) as one:
        task_status.started(one)
        await trio.sleep_forever()


async def _after_deaths() -> tuple[list[float], int]:
    """Milliseconds of each get, found or not, and how many found."""
    random = Random(1)
    times: list[float] = []
    found = 0
    async with circle(HOSTS_OF_A_TOWN) as members:
        for number, one in enumerate(members):
            await one.kad.put(key_of(owner(number)), note(owner(number), CONTENT))
        dead = random.sample(members, int(DEAD * HOSTS_OF_A_TOWN))
        for one in dead:
            one.scope.cancel()
        alive = [one for one in members if one not in dead]
        for number in range(HOSTS_OF_A_TOWN):
            began = time.perf_counter()
            got = None
            with trio.move_on_after(GET_S_MAX):
                got = await random.choice(alive).kad.get(key_of(owner(number)))
            times.append(1000 * (time.perf_counter() - began))
            found += got == note(owner(number), CONTENT)
    return times, found


def _holds(one: Member, number: int) -> bool:
    return one.kad._shelf.get(key_of(owner(number)), NOW_S) is not None
