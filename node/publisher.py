"""Publishes where this device is to be dialled, for contacts alone: one record an account and day, in the DHT.

    start, another address, another presence key ──> now      tomorrow's: some time between 22:00 and 23:00 UTC
    every 12 h ± 20 %, sooner while few keep it  ──> again    the DHT does not answer: 2 s, 10 s … 5 min

Not here: the record (protocol/presence_record.py), who keeps it (node/lookup.py), how contacts find it (finder.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
import trio

from node import ground
from node.bell import Bell
from node.ground import Ground
from node.lookup import Lookup
from node.network import Address, PeerId
from protocol import ids, presence_record, rendezvous
from protocol.faults import PeerFault, Unavailable
from protocol.presence_record import Presence, Whereabouts
from protocol.rendezvous import Signer
from store import presence
from store.database import Database, Tx

AGAIN_S = 12 * 3600.0  # the keepers pass a record on among themselves; this is for when they all left
JITTER = 0.2
FEW = 4  # a record that fewer peers took is given again soon, when more of them may be known
FEW_AGAIN_S = 600.0  # then twice as long each time
LOOK_S = 600.0  # how often the clock is looked at: a day may have begun while the machine slept
SPREAD_S = 3600.0  # tomorrow's records do not all come at 22:00
SETTLE_S = 0.5  # addresses come and go together
GAP_S = 5.0  # between two rounds, however often addresses change
CALL_S = 30.0  # for one call of the DHT
RETRY_S = (2.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # after the first failure in a row, the second, …

log = structlog.get_logger("publisher")


@dataclass(frozen=True, slots=True)
class Published:
    """A record that was taken. again_at: trio's time; copies: how many peers said that they keep it."""

    secret: bytes = field(repr=False)
    addresses: tuple[Address, ...]
    said_s: int
    sequence: int
    copies: int
    rounds: int
    again_at: float


def presence_facts(tx: Tx) -> tuple[bytes, bool]:
    """Our presence key, and whether a contact has it."""
    return presence.own(tx)[1], presence.is_shared(tx)


@dataclass
class Publisher:
    """The record of this device. `run` works until cancelled.

    bell: rung by others when our addresses, or the network, may be other ones; if they are, it publishes.
    heeding: rung by this then, for the rooms whose records say where we are too. facts: the secret of the record, and
    whether anybody has it who could look for us.
    """

    ground: Ground
    database: Database
    device: ids.DeviceId
    peer: PeerId
    lookup: Lookup
    addresses: Callable[[], tuple[Address, ...]]
    bell: Bell = field(default_factory=Bell)
    heeding: list[Bell] = field(default_factory=list)
    facts: Callable[[Tx], tuple[bytes, bool]] = presence_facts
    fault: str = ""  # why nobody keeps our record, for a person
    published_ms: int = 0  # when it was taken last
    double: Whereabouts | None = None  # what somebody else wrote as this device, later than we did: a copied profile
    _published: dict[int, Published] = field(default_factory=dict)  # day -> what lies there
    _signers: dict[bytes, Signer] = field(default_factory=dict)  # name -> of this run
    _spread: dict[int, float] = field(default_factory=dict)  # day -> 0 to 1, when in the hour it is published first

    @property
    def copies(self) -> int:
        """How many peers said that they keep today's record; 0 where there is none."""
        today = self._published.get(rendezvous.epoch_of(self._now_s()))
        return 0 if today is None else today.copies

    async def look_for_double(self) -> bool:
        """Looks whether another node writes as this device, for `double`; False: nothing lies there to tell by.

        Raises: Unavailable, TooSlowError.
        """
        today = rendezvous.epoch_of(self._now_s())
        before = self._published.get(today)
        if before is None:
            return False
        keys = presence_record.keys_of(before.secret, today)
        with trio.fail_after(CALL_S):
            said, _ = _read(await self.lookup.get(rendezvous.dht_key(keys.name.public)), keys, self._now_s())
        self._compare(said, before)
        return said is not None

    async def run(self) -> None:
        """Works until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_key)
            failures = 0
            while True:
                pause_s = LOOK_S
                try:
                    await self._round()
                    self.fault, failures = "", 0
                except (Unavailable, trio.TooSlowError) as fault:
                    self._note(str(fault) or "the DHT does not answer in time")
                    pause_s, failures = RETRY_S[min(failures, len(RETRY_S) - 1)], failures + 1
                ended = trio.current_time()
                with trio.move_on_after(pause_s):
                    await self.bell.wait()
                    failures = 0
                    await trio.sleep_until(max(ended + GAP_S, trio.current_time() + SETTLE_S))
                    for other in self.heeding:
                        other.ring()

    async def _follow_key(self) -> None:
        """Wakes the other task when the presence key was replaced, or is held by somebody for the first time."""
        known: tuple[bytes, bool] | None = None
        with self.database.watch() as changes:
            while True:
                facts = await self.database.transact(self.facts)
                if known is not None and facts != known:
                    self.bell.ring()
                known = facts
                await changes.receive()
                await trio.sleep(SETTLE_S)  # during a flood of messages it is looked at twice a second, not oftener

    async def _round(self) -> None:
        """Publishes what is due. Raises: Unavailable, TooSlowError."""
        now_s = self._now_s()
        self._published = {day: one for day, one in self._published.items() if day >= rendezvous.epoch_of(now_s)}
        secret, is_shared = await self.database.transact(self.facts)
        here = self.addresses()[: rendezvous.ADDRESSES_MAX]
        for day, one in list(self._published.items()):
            if one.secret != secret:  # whoever holds the old key, a blocked one for instance, does not find us by it
                await self._publish(day, one.secret, ())
                del self._published[day]
        if not is_shared or not here:
            return
        for day in rendezvous.epochs_published(now_s):
            before = self._published.get(day)
            if before is not None and before.addresses == here and trio.current_time() < before.again_at:
                continue
            if before is not None or now_s >= self._begins_s(day):
                await self._publish(day, secret, here)

    async def _publish(self, day: int, secret: bytes, here: tuple[Address, ...]) -> None:
        """Puts our line into the record of a day. Raises: Unavailable, TooSlowError."""
        now_s, before = self._now_s(), self._published.get(day)
        keys = presence_record.keys_of(secret, day)
        key = rendezvous.dht_key(keys.name.public)
        with trio.fail_after(CALL_S):
            said, known = _read(await self.lookup.get(key), keys, now_s)
        if before is not None:
            self._compare(said, before)
        sequences = [one for one in (known, before.sequence if before else None) if one is not None]
        sequence = rendezvous.next_sequence(now_s, max(sequences, default=None))
        whole = presence_record.merge(Whereabouts(self.device, self.peer, here, now_s), said, now_s)
        entropy = self.ground.entropy("publisher")
        if keys.name.public not in self._signers:
            self._signers = {name: one for name, one in self._signers.items() if one.until_s > now_s}
            self._signers[keys.name.public] = rendezvous.appoint(keys.name, day, entropy(32))
        record = presence_record.seal(self._signers[keys.name.public], keys, whole, sequence, entropy(24))
        with trio.fail_after(CALL_S):
            copies = await self.lookup.put(key, record)
        rounds = before.rounds + 1 if before is not None and before.addresses == here else 0
        pause_s = min(AGAIN_S, FEW_AGAIN_S * 2.0 ** min(rounds, 10)) if copies < FEW else AGAIN_S
        pause_s *= 1 - JITTER + 2 * JITTER * ground.jitter(entropy)
        self._published[day] = Published(secret, here, now_s, sequence, copies, rounds, trio.current_time() + pause_s)
        self.published_ms = self.ground.now_ms()
        log.info("published", addresses=len(here), copies=copies)

    def _compare(self, said: Presence | None, before: Published) -> None:
        """Keeps what stands there as this device and is not of ours."""
        lines = () if said is None else said.devices
        later = next((one for one in lines if one.device == self.device and one.said_s > before.said_s), None)
        if later is not None and self.double is None:
            log.warning("somebody else writes as this device", said_s=later.said_s)
        self.double = later or self.double

    def _begins_s(self, day: int) -> float:
        """When a record of this day is published first: for today at once, for tomorrow in the hour after 22:00."""
        if day not in self._spread:
            self._spread = {old: at for old, at in self._spread.items() if old >= day - 1}
            self._spread[day] = ground.jitter(self.ground.entropy("publisher"))
        return rendezvous.ends_s(day - 1) - rendezvous.AHEAD_S + self._spread[day] * SPREAD_S

    def _now_s(self) -> int:
        return self.ground.now_ms() // 1000

    def _note(self, fault: str) -> None:
        if fault != self.fault:  # said once, not at every attempt
            log.info("not published", reason=fault)
        self.fault = fault


def _read(raw: bytes | None, keys: rendezvous.Keys, now_s: int) -> tuple[Presence | None, int | None]:
    """What lies there and its sequence; a bad record counts as none, one that only does not open by its sequence."""
    if raw is None:
        return None, None
    sequence: int | None = None
    try:
        found = rendezvous.check(rendezvous.dht_key(keys.name.public), raw, now_s)
        sequence = found.sequence
        return rendezvous.open_sealed(found, keys.seal, Presence), sequence
    except PeerFault:
        return None, sequence
