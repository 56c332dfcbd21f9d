"""Finds contacts who are away from where they were: by the records that they leave in the DHT.

    a dial failed, or began 2 s ago ────> look ──> addresses ──> delivery dials them beside those it knows
                                           └── nothing new: 8 s, 20 s, 30 s …; after 10 min every 5 min, after 1 h
    another network: all over again            every 30 min, after 6 h every 4 h
    a message was posted: one look at once

Who moves publishes and dials at once (publisher.py, delivery.py), so the other finds him at his next look: within
30 s, unless he was away for long and his dials reach nobody. Not here: what is believed (nothing before the channel
proof), the record (protocol/presence_record.py).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain, zip_longest

import structlog
import trio

from crypto.faults import Malformed
from node import ground
from node.bell import Bell
from node.delivery import Delivery
from node.ground import Ground
from node.lookup import Lookup
from node.network import Address, Network, circuit_of
from node.ways import FOUND_MAX
from protocol import presence_record, rendezvous
from protocol.faults import PeerFault, Unavailable
from protocol.presence_record import Presence
from store import presence
from store.database import Database

HEAD_START_S = 2.0  # for the addresses that are known: most contacts are where they were
LOOKS_MAX = 4  # at once
CALL_S = 20.0  # for one call of the DHT
FIRST_S = (8.0, 20.0)
OFTEN_S, OFTEN_FOR_S = 30.0, 600.0
SOMETIMES_S, SOMETIMES_FOR_S = 300.0, 3600.0
SELDOM_S, SELDOM_FOR_S = 1800.0, 6 * 3600.0
RARELY_S = 4 * 3600.0  # who was away for long comes back by his own dial, and looks for us as soon as he does
UNAVAILABLE_S = (2.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # after the first time in a row, the second, …
HURRY_S = 30.0  # a message that is posted makes us look at once, if we have not for so long
HURRY_PART = 10  # or for this part of the pause that we are in: he may be written to every second
NEW_GAP_S = 2.0  # between two looks, whatever happens
JITTER = 0.2

log = structlog.get_logger("finder")


@dataclass(slots=True)
class Sought:
    """A contact who is looked for. Times: at is trio's, ms is wall time, 0 for never.

    answer: what the last look gave, for a person. said_ms: when the record that was found last says it was written.
    """

    began_at: float
    looks: int = 0
    failures: int = 0
    looked_at: float = float("-inf")
    looked_ms: int = 0
    found_ms: int = 0
    said_ms: int = 0
    next_at: float = 0.0
    answer: str = ""
    addresses: tuple[Address, ...] = ()
    sequence: int = -1
    pause_s: float = 0.0
    bell: Bell = field(default_factory=Bell)
    is_running: bool = False

    def begin(self, now: float) -> None:
        """He is away since now, or the network is another one."""
        self.began_at, self.looks, self.failures = now, 0, 0
        self.next_at = max(now, self.looked_at + NEW_GAP_S)
        self.bell.ring()

    def hurry(self) -> None:
        """Somebody wants him."""
        self.next_at = min(self.next_at, self.looked_at + max(HURRY_S, self.pause_s / HURRY_PART))
        self.bell.ring()


def pause_s(looks: int, spent_s: float, jitter: float) -> float:
    """Seconds until the next look, after so many (from 1) in an absence that lasts spent_s. jitter: 0 to 1, random."""
    if looks <= len(FIRST_S):
        wait_s = FIRST_S[looks - 1]
    elif spent_s < OFTEN_FOR_S:
        wait_s = OFTEN_S
    else:
        steps = ((SOMETIMES_FOR_S, SOMETIMES_S), (SELDOM_FOR_S, SELDOM_S))
        wait_s = next((wait_s for until_s, wait_s in steps if spent_s < until_s), RARELY_S)
    return wait_s * (1 - JITTER + 2 * JITTER * jitter)


@dataclass
class Finder:
    """Looks for contacts who are away. `run` works until cancelled."""

    ground: Ground
    network: Network
    database: Database
    delivery: Delivery
    lookup: Lookup
    network_changed: Bell = field(default_factory=Bell)  # rung from outside
    sought: dict[int, Sought] = field(default_factory=dict)  # contact -> how it goes, also after he was found
    _limit: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(LOOKS_MAX))

    def next_look_s(self, contact_id: int) -> float | None:
        """In how many seconds a contact is looked for; None where nobody does."""
        one = self.sought.get(contact_id)
        if one is None or not one.is_running or not self.delivery.is_missing(contact_id):
            return None
        return max(0.0, one.next_at - trio.current_time())

    async def run(self) -> None:
        """Looks for each contact that delivery dials in vain, until cancelled."""
        for contact_id in self.sought:  # of a run that crashed
            self.delivery.missed.note(contact_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_network)
            while True:
                for missing in await self.delivery.missed.take():
                    now = trio.current_time()
                    one = self.sought.setdefault(missing.contact, Sought(now))
                    if missing.is_new or not one.is_running:
                        one.begin(now)
                        one.next_at = max(one.next_at, now + HEAD_START_S)
                    elif not missing.has_failed:
                        one.hurry()
                    if missing.has_failed and not one.looks:
                        one.next_at = max(now, one.looked_at + NEW_GAP_S)
                        one.bell.ring()
                    if not one.is_running:
                        one.is_running = True
                        nursery.start_soon(self._seek, missing.contact, one)

    async def _heed_network(self) -> None:
        """Looks for everybody who is away as if he had just gone, whenever the network has changed."""
        while True:
            await self.network_changed.wait()
            for one in self.sought.values():
                if one.is_running:
                    one.begin(trio.current_time())

    async def _seek(self, contact_id: int, one: Sought) -> None:
        """Looks for a contact until he is there, or is not to be reached any more."""
        try:
            while True:
                while trio.current_time() < one.next_at:
                    with trio.move_on_at(one.next_at):
                        await one.bell.wait()
                if not self.delivery.is_missing(contact_id):
                    return
                await self._look(contact_id, one)
        finally:
            one.is_running = False

    async def _look(self, contact_id: int, one: Sought) -> None:
        """One look, and when the next one is due."""
        chance = ground.jitter(self.ground.entropy("finder"))
        try:
            async with self._limit:
                found = await self._ask(contact_id)
            one.looks += 1
            one.failures = 0
            one.pause_s = pause_s(one.looks, trio.current_time() - one.began_at, chance)
            self._take(contact_id, one, found)
        except (Unavailable, trio.TooSlowError) as fault:
            one.pause_s = UNAVAILABLE_S[min(one.failures, len(UNAVAILABLE_S) - 1)] * (1 + JITTER * chance)
            one.failures += 1
            one.answer = str(fault) or "the DHT does not answer in time"
        log.info("looked", contact=contact_id, found=not one.answer)
        one.looked_at, one.looked_ms = trio.current_time(), self.ground.now_ms()
        one.next_at = one.looked_at + one.pause_s

    async def _ask(self, contact_id: int) -> tuple[Presence, int] | None:
        """The newest record of a contact that is good, and its sequence. Raises: Unavailable, TooSlowError."""
        kept = await self.database.read(presence.of, contact_id)
        if kept is None:
            raise Unavailable("he has not given us the key to his record yet")
        now_s = self.ground.now_ms() // 1000
        found: list[tuple[Presence, int]] = []
        for day in rendezvous.epochs_asked(now_s):
            keys = presence_record.keys_of(kept[1], day)
            with trio.fail_after(CALL_S):
                raw = await self.lookup.get(rendezvous.dht_key(keys.name.public))
            try:
                if raw is not None:
                    found.append(presence_record.open_sealed(keys, raw, now_s))
            except PeerFault as fault:
                log.info("a record that is none", contact=contact_id, reason=str(fault))
        return max(found, key=lambda one: one[1], default=None)

    def _take(self, contact_id: int, one: Sought, found: tuple[Presence, int] | None) -> None:
        """Hands the addresses of a record to delivery, when they are new or it is the first look."""
        if found is None:
            one.answer = "no record of his is there"
            return
        record, sequence = found
        addresses = self._dialable(record)
        is_news = (addresses, sequence) != (one.addresses, one.sequence) or one.looks == 1
        one.addresses, one.sequence = addresses, sequence
        one.found_ms = self.ground.now_ms()
        one.said_ms = 1000 * max(line.said_s for line in record.devices)
        one.answer = "" if addresses else "his record names no address that can be dialled"
        if addresses and is_news:
            log.info("found", contact=contact_id, addresses=len(addresses))
            self.delivery.found(contact_id, addresses)

    def _dialable(self, record: Presence) -> tuple[Address, ...]:
        """The addresses of a record that are some, and not our own: of each device the first, then the second, …"""
        turns = chain.from_iterable(zip_longest(*(line.addresses for line in record.devices)))
        return dialable((text for text in turns if text is not None), self.network.addresses())


def dialable(texts: Iterable[str], own: Collection[str]) -> tuple[Address, ...]:
    """The first 8 of these, in their order and each once, that are addresses and not our own."""
    others = dict.fromkeys(text for text in texts if text not in own)
    return tuple(Address(text) for text in others if _is_address(text))[:FOUND_MAX]


def _is_address(text: str) -> bool:
    try:
        circuit_of(text)
    except Malformed:
        return False
    return True
