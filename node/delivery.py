"""Keeps a talk with every contact's devices, and hands what is said to the talk or leaves it in the outbox.

One talk is in talk.py, the proof before it in channel.py, the states of a delivery in protocol/delivery.py.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from node import channel, dialler, frames, ground, speech, supervisor
from node.away import Away
from node.bell import Bell
from node.inward import Inward
from node.network import CIRCUIT, Address, Link, Network, Stream
from node.talk import Ended, Talk
from node.talks import ALIVE_S, Talks
from node.ways import Missed, Ways
from protocol import delivery, talk
from protocol.faults import PeerFault, Unavailable
from store import devices, outbox, pairs, people
from store.database import Tx
from store.faults import StoreFault

DIALS_MAX = 16  # at once: a node that starts with 5,000 contacts must not open 5,000 sockets
DIAL_S = 10.0  # connecting and proving, over a slow link
MOVED_S = 3.0  # how long a talk has to answer after the network changed: its cable may be gone
STEADY_S = 5.0  # a talk that ends sooner counts as a failure, so that two nodes that disagree do not spin
RELAYED_MAX = 64  # proven inbound talks through relays that wait to be looked at for a better way
BETTER_S = 60.0  # until a direct way is tried again while a talk goes through a relay; each failure doubles it
BETTER_S_MAX = 1800.0
POSTED_GAP_S = 1.0  # a message to somebody away dials at once, but not more often than this

log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach a contact now: the key that proves the channel, and a device's addresses."""

    chan: pairs.ChanKey
    addresses: tuple[Address, ...]


Beside = Callable[[Talk, Link | None], Awaitable[None]]
"""What runs beside a talk, until it is cancelled with it. The link is the talk's, where we dialled it."""


@dataclass
class Delivery:
    """The talks of a node. `run` works until cancelled; `accept` serves inbound streams."""

    inward: Inward
    network: Network
    run_id: bytes
    beside: Beside
    reasons: dict[int, str] = field(default_factory=dict)  # contact -> why the last attempt failed, for a person
    talks: Talks = field(default_factory=Talks)
    ways: Ways = field(default_factory=Ways)
    missed: Missed = field(default_factory=Missed)  # for who looks them up elsewhere
    away: Away = field(default_factory=Away)  # for who leaves them mail
    _waits: dict[int, trio.CancelScope] = field(default_factory=dict)  # contact -> ends when he is dialled next
    _bells: dict[int, Bell] = field(default_factory=dict)  # contact -> wakes its reaching task
    _doorkeeper: channel.Doorkeeper = field(init=False)
    _dials: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(DIALS_MAX))

    def __post_init__(self) -> None:
        self._doorkeeper = channel.Doorkeeper(self.network, self.inward.database, self.inward.ground.entropy("channel"))
        # unbounded in theory, by the number of contacts in fact: a contact that has a bell is not sent again
        self._wanted, self._wants = trio.open_memory_channel[int](math.inf)
        # as `_wanted`: one link a relayed talk at a time, and each is taken at once
        self._better, self._betters = trio.open_memory_channel[tuple[int, Link]](math.inf)
        self._through, self.through_relays = trio.open_memory_channel[tuple[int, Stream]](RELAYED_MAX)

    # --- what rooms use

    async def say(
        self,
        contact_id: int,
        contents: tuple[Any, ...],
        follow: speech.Follow = speech.nothing_follows,
        expire_s: int | None = None,
    ) -> tuple[speech.Spoken, ...]:
        """Posts room contents, durable on return; what is connected gets it at once.

        follow: what the room writes with them, in the same transaction. expire_s: their life once they were read.
        Raises: UserFault (over a limit, blocked, account changed).
        """
        talks = self.talks.of(contact_id)
        rooms = {one.device.id: one.reserve(len(contents)) for one in talks}
        try:
            spoken, sealed = await self.inward.say(contact_id, contents, rooms, follow, expire_s)
        finally:
            for one in talks:
                one.release(rooms[one.device.id])
        for one in talks:
            outgoing = sealed.get(one.device.id, ())
            if isinstance(outgoing, outbox.NeedBundle) or len(outgoing) < len(contents):
                one.wake()
            if not isinstance(outgoing, outbox.NeedBundle):
                one.hand(outgoing)
        if not talks:
            self.away.hint(contact_id)
            self.reach(contact_id)
        return spoken

    def met(self, contact_id: int, addresses: tuple[Address, ...]) -> None:
        """A beacon of the contact was heard: it is dialled there first, at once unless a talk is live."""
        self.ways.meet(contact_id, addresses)
        if not self.talks.online(contact_id):
            self.reach(contact_id)

    def found(self, contact_id: int, addresses: tuple[Address, ...]) -> None:
        """A record of the contact was found: he is dialled there too, at once unless a talk is live."""
        self.ways.find(contact_id, addresses)
        if not self.talks.online(contact_id):
            self.reach(contact_id)

    def is_missing(self, contact_id: int) -> bool:
        """Whether the contact is to be reached, and is not."""
        return contact_id in self._bells and not self.talks.online(contact_id)

    def next_dial_s(self, contact_id: int) -> float | None:
        """In how many seconds a contact who is away is dialled again, 0 while he is; None where nobody dials him."""
        if not self.is_missing(contact_id):
            return None
        waits = self._waits.get(contact_id)
        return 0.0 if waits is None else max(0.0, waits.deadline - trio.current_time())

    async def look_again(self) -> None:
        """The network has changed: what beacons said is old, talks must show that they live, all others are tried."""
        self.ways.leave()
        async with trio.open_nursery() as nursery:
            for one in self.talks:
                nursery.start_soon(self._ask_whether_it_lives, one)
            await self.reach_all()

    async def _ask_whether_it_lives(self, one: Talk) -> None:
        if not await one.alive(MOVED_S) and self.talks.is_live(one):
            self.reasons[one.contact] = "no answer after the network changed"
            self.talks.end(one)

    def reach(self, contact_id: int) -> None:
        """Starts to reach a contact, or wakes the task that does: an address, a key or a message is new."""
        if contact_id in self._bells:
            self._bells[contact_id].ring()
        else:
            self._bells[contact_id] = Bell()
            self._wanted.send_nowait(contact_id)

    def stir(self, contact_id: int) -> None:
        """Something was posted to the contact in another transaction than say()'s."""
        talks = self.talks.of(contact_id)
        for one in talks:
            one.wake()
        if not talks:
            self.away.hint(contact_id)
            self.reach(contact_id)

    def part(self, contact_id: int) -> None:
        """Ends the talks with a contact: he was blocked."""
        for one in self.talks.of(contact_id):
            self.talks.end(one)
            self.talks.forget(one)
        self.reach(contact_id)  # which ends there, when he is not to be reached

    # --- the work

    async def reach_all(self) -> None:
        """Reaches every contact now: something has changed for all of them, as the network or the disk."""
        for contact in await self.inward.database.read(people.contacts):
            self.reach(contact.id)

    async def run(self) -> None:
        """Reaches every contact, until cancelled."""
        await self.reach_all()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._join_better, nursery)
            async for contact_id in self._wants:
                nursery.start_soon(self._reach, contact_id)

    async def accept(self, stream: Stream) -> None:
        """Serves one inbound /weft/talk/1. Raises: PeerFault, Unavailable (the network closes the stream then)."""
        try:
            with trio.fail_after(DIAL_S + channel.REFUSAL_DELAY_S):
                proven = await self._doorkeeper.admit(stream, self.inward.introduction())
            way = stream.remote if stream.link is None else stream.link.address
            await self._converse(stream, proven, way or Address(""), None)
        except* trio.TooSlowError as slow:
            raise Unavailable("the other end took too long") from slow

    async def _reach(self, contact_id: int) -> None:
        """Dials a contact whenever no talk is live, until he is not to be reached any more."""
        bell = self._bells[contact_id]
        failures = 0
        is_rung = True
        try:
            while (route := await self.inward.database.read(_route, contact_id)) is not None:
                if self.talks.online(contact_id):
                    failures = 0
                    await bell.wait()
                    continue
                if failures == 0 or is_rung:
                    self.missed.note(contact_id, is_new=failures == 0)
                began = trio.current_time()
                met = await self._attempt(contact_id, route)
                failures = 0 if met and trio.current_time() - began >= STEADY_S else failures + 1
                if not met and not self.talks.online(contact_id):
                    self.away.missed(contact_id)
                if not met and failures == 1:
                    self.missed.note(contact_id, has_failed=True)
                chance = ground.jitter(self.inward.ground.entropy("jitter"))
                wait_s = delivery.redial_after_s(failures, len(self._bells), chance)
                began = trio.current_time()
                with trio.move_on_after(wait_s) as waiting:
                    self._waits[contact_id] = waiting
                    await bell.wait()
                is_rung = not waiting.cancelled_caught
                await trio.sleep(max(0.0, min(wait_s, POSTED_GAP_S) - (trio.current_time() - began)))
        finally:
            self._waits.pop(contact_id, None)
            del self._bells[contact_id]  # also when it crashes: `run` begins anew, and then it is reached again

    def _hurry(self) -> None:
        """Somebody is there, where nobody was: maybe the network was gone. All others are dialled within a minute."""
        for waits in self._waits.values():
            within_s = delivery.REDIAL_S * ground.jitter(self.inward.ground.entropy("jitter"))
            waits.deadline = min(waits.deadline, trio.current_time() + within_s)

    async def _seek_better(self, contact_id: int) -> None:
        """While a talk goes through a relay: dials his direct addresses from time to time, and at each hint."""
        failures = 0
        while True:
            pause_s = min(BETTER_S_MAX, BETTER_S * 2.0 ** min(failures, 10))
            with trio.move_on_after(pause_s * (0.8 + 0.4 * ground.jitter(self.inward.ground.entropy("jitter")))):
                await self.ways.hint(contact_id)
            failures += 1
            route = await self.inward.database.read(_route, contact_id)
            told = () if route is None else self.ways.of(contact_id, route.addresses)
            with suppress(Unavailable, trio.TooSlowError):
                async with self._dials:
                    with trio.fail_after(DIAL_S):
                        link = await dialler.dial(self.network, [one for one in told if CIRCUIT not in one], None)
                self._better.send_nowait((contact_id, link))

    async def _join_better(self, nursery: trio.Nursery) -> None:
        async for contact_id, link in self._betters:
            nursery.start_soon(self.join, contact_id, link)

    async def join(self, contact_id: int, link: Link) -> None:
        """Talks with a contact on a link that stands already, to its end: a better way than the one in use."""
        route = await self.inward.database.read(_route, contact_id)
        if route is None:
            await link.aclose()
            return
        await self._attempt(contact_id, route, link)
        if not self.talks.online(contact_id):
            self.reach(contact_id)

    async def _attempt(self, contact_id: int, route: Route, link: Link | None = None) -> bool:
        """One dial, unless a link stands, and, if it succeeds, the whole talk. Returns whether the contact was met."""
        met = False
        try:
            if link is None:
                async with self._dials:
                    with trio.fail_after(DIAL_S):
                        told = self.ways.of(contact_id, route.addresses)
                        link = await dialler.dial(self.network, told, None)
            try:
                with trio.fail_after(DIAL_S):
                    stream = await link.open(talk.PROTOCOL)
                    mine = self.inward.introduction()
                    entropy = self.inward.ground.entropy("channel")
                    proven = await channel.dial(self.network, stream, route.chan, mine, entropy)
                met = True
                await self._converse(stream, proven, link.address, link)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                    await link.aclose()
        except* channel.Unproven:
            if not self.talks.online(contact_id):
                self.reasons[contact_id] = "his node answered but did not recognise us yet"
        except* StoreFault as faults:
            self._note(contact_id, faults, "this node can keep nothing now")
        except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
            if not self.talks.online(contact_id):
                self._note(contact_id, faults)
        return met

    def _note(self, contact_id: int, faults: BaseExceptionGroup[Any], reason: str = "") -> None:
        reason = reason or _reason(faults)
        if self.reasons.get(contact_id) != reason:  # said once, not at every attempt
            log.info("not connected", contact=contact_id, reason=reason)
        self.reasons[contact_id] = reason

    async def _converse(self, stream: Stream, proven: channel.Proven, way: Address, link: Link | None) -> None:
        """The talk after the proof, from hello to its end. link: where we dialled it.

        Raises: PeerFault, Unavailable, or groups of them.
        """
        met, dialled = await self.inward.meet(proven), link is not None
        one = Talk(
            inward=self.inward,
            stream=stream,
            reader=proven.reader,
            device=met,
            run=self.run_id,
            dialled=dialled,
            attention=self.talks.attention,
            typists=self.talks.typists,
            way=way,
            link=stream.link if link is None else link,
            addresses=tuple(self.network.addresses())[: talk.ADDRESSES_MAX],
        )
        with trio.fail_after(DIAL_S):
            await one.greet()
        if not await self._wins(one):
            await frames.write(stream, talk.encode(talk.Bye("another stream of the same run stays")))
            return
        if not any(self.talks):
            self._hurry()
        with trio.CancelScope() as scope:
            self.talks.begin(one, scope)
            self.away.met(met.contact)
            self.reasons.pop(met.contact, None)
            if not dialled:  # else the task that reaches him is this one, and it is not to cut short its own waiting
                self.reach(met.contact)
                if stream.is_relayed:
                    with suppress(trio.WouldBlock):  # so many at once: these stay relayed
                        self._through.send_nowait((met.contact, stream))
            try:
                if await self.inward.seen(met.contact):
                    log.info("talk begins", contact=met.contact, dialled=dialled)
                    async with trio.open_nursery() as nursery:
                        if stream.is_relayed:
                            nursery.start_soon(self._seek_better, met.contact)
                        nursery.start_soon(self.beside, one, link)
                        await one.converse()
            except* (PeerFault, Unavailable, trio.TooSlowError) as faults:
                if self.talks.is_live(one):
                    self._note(met.contact, faults)
                raise
            finally:
                if self.talks.is_live(one):
                    self.talks.forget(one)
                    if not dialled:
                        self.reach(met.contact)
                log.info("talk ends", contact=met.contact)
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                    if self.talks.get(met.id) is None:  # else a newer stream carries on
                        await self.inward.parted(met, *one.take_acks())

    async def _wins(self, one: Talk) -> bool:
        """Decides between a new stream and a live one of the same device (talk 6.1); ends the loser if it is old."""
        while (old := self.talks.get(one.device.id)) is not None and old.theirs is not None and one.theirs is not None:
            is_rival = old.theirs.run == one.theirs.run and self._rank(old) < self._rank(one)
            stays = is_rival and await old.alive(ALIVE_S)
            if not self.talks.is_live(old):
                continue  # a third stream came while the old one was asked: it is the one to beat now
            if not stays:
                self.talks.end(old)
            return not stays
        return True

    def _rank(self, one: Talk) -> tuple[bool, bytes]:
        """Which of two streams of the same run stays, the same at both ends: the direct one, then by who dialled it."""
        return one.stream.is_relayed, self.network.peer if one.dialled else one.stream.peer


def _reason(faults: BaseExceptionGroup[Any]) -> str:
    """Why there is no talk, for a person: never a word of the peer's."""
    match supervisor.first(faults):
        case Ended():
            return "his node ended the conversation"
        case trio.TooSlowError():
            return "no answer in time"
        case fault:
            return str(fault)


def _route(tx: Tx, contact_id: int) -> Route | None:
    """Where and with which key a contact is dialled; None where he is not to be reached (blocked, request, refused)."""
    chan = pairs.dial_key(tx, contact_id)
    if chan is None:
        return None
    return Route(chan, tuple(Address(a) for a in devices.addresses_of(tx, contact_id)))
