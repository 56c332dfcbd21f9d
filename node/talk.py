"""One proven stream with one device of a contact: envelopes out within a window, envelopes in, acknowledged.

Who opens it and when is in delivery.py; the proof before it in channel.py; the frames' bytes in protocol/talk.py; how
much may be in flight in window.py; when a silent one is asked and given up in silence.py.

    post / accept ──> ready ──write──> flight ──ack──> delivered
                        ^                │ held
                        └── seal <── outbox (queued: away, window full, or to be sealed anew)
"""

from collections import deque
from dataclasses import dataclass, field

import trio

from node import frames
from node.bell import Bell
from node.inward import Inward
from node.network import Address, Link, Stream
from node.silence import Attention, Silence
from node.typists import Typists
from node.window import Room, Window
from protocol import talk
from protocol.faults import PeerFault, Unavailable
from store import devices, outbox, sessions
from store.database import Tx
from store.devices import Device
from store.healing import Healing
from store.outbox import Outgoing

BATCH_ENVELOPES = 256  # accepted in one transaction: long enough to pay for the commit, short enough to answer others
FRAME_ENVELOPES_BYTES = 60_000  # an Envelopes frame with its length fits one write of 65,507 bytes
WRITE_S = 15.0  # a live link needs far less; then the other end does not read
ANSWERS_MAX = 256  # frames that wait to be written besides envelopes: more means that nobody reads them
HELLO_S = 10.0
LOOK_S = 5.0  # how soon a talk on which something has changed looks whether that waits for too long
UNACKED_S = 90.0  # mail that waits so long for any acknowledgement ends the stream: its other end lives, and is stuck
SENT_AFTER_S = 1.0  # an envelope without its acknowledgement after this time is shown as `sent`
ACK_DELAY_S = 0.005  # an acknowledgement waits so long for mail that comes behind it; nobody sees the difference
HELD_AGAIN_S = 60.0  # held envelopes are sealed anew after this time (delivery 4.3)


class Ended(Unavailable):
    """The other end closed the conversation."""

    def __init__(self, reason: str = "the other end closed the conversation") -> None:
        super().__init__(reason)


@dataclass
class Talk:
    """A live stream with a device. Made by open_talk's caller, run by `run`, fed by `hand`."""

    inward: Inward
    stream: Stream
    reader: frames.FrameReader
    device: Device
    run: bytes
    dialled: bool
    attention: Attention
    typists: Typists
    way: Address  # where the other end is, for a person; "" where that cannot be told
    link: Link | None  # to ask the other end something beside this; None where that cannot be done
    addresses: tuple[str, ...]
    theirs: talk.Hello | None = None
    backlog: bool = True
    ready: list[Outgoing] = field(default_factory=list)
    _window: Window = field(default_factory=Window)
    _unmarked: deque[tuple[float, int]] = field(default_factory=deque)
    _received: int = 0
    _answers: list[talk.Frame] = field(default_factory=list)
    _bell: Bell = field(default_factory=Bell)  # there is something to write
    _written: Bell = field(default_factory=Bell)  # envelopes were handed over
    _settled: Bell = field(default_factory=Bell)  # acknowledgements came
    _stirred: Bell = field(default_factory=Bell)  # silence may be too long sooner than was thought
    _acked: list[int] = field(default_factory=list)
    _held: list[int] = field(default_factory=list)
    _silence: Silence = field(init=False)
    _heard: trio.Event | None = None  # for who waits for any word
    _pings: int = 0
    _waits_since: float = 0.0  # when the mail in flight was written, or some of it acknowledged last
    _unreadable: bool = False
    _begun: bool = False  # from here on what is said is sealed at once: earlier it would overtake what waits
    _refilling: bool = False  # the outbox is being sealed from
    _more: bool = False  # the outbox held more than the window took

    def __post_init__(self) -> None:
        self._silence = Silence(self.attention, self.dialled)

    @property
    def contact(self) -> int:
        return self.device.contact

    @property
    def is_doubtful(self) -> bool:
        """Whether nothing was heard for so long that it must be asked who is there."""
        return self._silence.is_old(trio.current_time())

    def reserve(self, count_max: int) -> Room:
        """Reserves as many of these places as the window has, until `release`.

        None before what was sealed for an older stream waits again, and none while the outbox is sealed from: of two
        who seal at once the later one may hand over first, and a message would overtake.
        """
        room = self._window.room() if self._begun and not self._refilling else Room(0, 0)
        reserved = room._replace(envelopes=min(room.envelopes, count_max))
        self._window.reserve(reserved.envelopes)
        return reserved

    def release(self, room: Room) -> None:
        """Gives back what was reserved; what found no room meanwhile is looked at again."""
        self._window.release(room.envelopes)
        if self._more:
            self.wake()

    def hand(self, outgoing: tuple[Outgoing, ...]) -> None:
        """Takes envelopes that were sealed for this device in a committed transaction."""
        self._window.enter(outgoing)
        self.ready.extend(outgoing)
        self._bell.ring()

    def wake(self) -> None:
        """Something for this device may wait in the outbox."""
        self.backlog = True
        self._bell.ring()

    def tell_typing(self) -> bool:
        """Tells the other end that one types to it; False where it does not know that word, or reads nothing now."""
        is_told = self.theirs is not None and talk.TYPING_SINCE in self.theirs.versions and not self._answers
        if is_told:
            self._answer(talk.Typing())
        return is_told

    def stir(self) -> None:
        """Mail has moved or somebody looks at who is there: silence is noticed sooner from now on."""
        self._stirred.ring()

    async def greet(self) -> talk.Hello:
        """Sends our hello and returns theirs. Raises: Unavailable (also: no hello in time), PeerFault."""
        hello = await self.inward.database.transact(self._hello)
        with trio.fail_after(HELLO_S):
            await frames.write(self.stream, talk.encode(hello))
            first = await self.reader.read()
        if first is None:
            raise Ended
        theirs = talk.decode(first)
        if not isinstance(theirs, talk.Hello):
            raise PeerFault("the first frame of a talk is not a hello")
        self.theirs = theirs
        self._window.limit = theirs.window
        self._silence.begin(trio.current_time())
        await self.inward.database.transact(
            devices.heard_hello, self.device.id, theirs.addresses, theirs.next_peer, theirs.counter, self.inward.now()
        )
        return theirs

    async def converse(self) -> None:
        """Moves envelopes both ways until the stream ends. Raises: Unavailable (always, at last) or PeerFault."""
        await self.inward.database.transact(outbox.requeue, self.device.id)
        self.backlog = self._begun = True
        self._bell.ring()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            nursery.start_soon(self._watch_silence)
            nursery.start_soon(self._mark_sent)
            nursery.start_soon(self._write_acks)
            await self._read()

    def _hello(self, tx: Tx) -> talk.Hello:
        counter = devices.device(tx, self.device.id).counter
        bundle = sessions.bundle_due(tx, self.inward.identity, self.device.id, self.inward.now(), self.inward.entropy)
        if bundle is not None:  # store 6: unasked when the one they hold is older than 7 days
            self._answer(talk.BundleGiven(bundle))
        return talk.Hello(
            versions=talk.VERSIONS,
            run=self.run,
            addresses=self.addresses,
            next_peer=None,
            counter=counter,
            window=talk.WINDOW_ENVELOPES,
        )

    def _answer(self, frame: talk.Frame) -> None:
        """Something to write that is no envelope. Raises: PeerFault when the other end asks and does not read."""
        if len(self._answers) >= ANSWERS_MAX:
            raise PeerFault("the other end asks more than it reads")
        self._answers.append(frame)
        self._bell.ring()

    async def alive(self, within_s: float) -> bool:
        """Whether the other end says anything within this time; it is asked to."""
        heard = self._heard = self._heard if self._heard is not None else trio.Event()
        self._ask()
        with trio.move_on_after(within_s):
            await heard.wait()
        return heard.is_set()

    def _ask(self) -> None:
        self._pings += 1
        self._silence.ask(trio.current_time())
        self.stir()
        self._answer(talk.Ping(self._pings))

    # --- outwards

    async def _write(self) -> None:
        while True:
            await self._bell.wait()
            while (out := self._compose()) or self.backlog:
                if out:
                    with trio.fail_after(WRITE_S):
                        await frames.write(self.stream, *out)
                if self.backlog:
                    await self._refill()
                    if not self.ready and not self._answers:
                        break

    def _compose(self) -> list[bytes]:
        """All that can be written now: answers, then the envelopes handed over, in the order of the outbox."""
        out = [talk.encode(frame) for frame in self._answers]
        self._answers.clear()
        if not self.ready:
            return out
        batch, self.ready = sorted(self.ready, key=lambda outgoing: outgoing.seq), []
        due = trio.current_time() + SENT_AFTER_S
        self._silence.moved_at = trio.current_time()
        self.stir()
        chunk: list[bytes] = []
        size = 0
        first = self._window.next_number
        if not self._window.is_waiting:
            self._waits_since = trio.current_time()
        for outgoing in batch:
            if chunk and size + len(outgoing.envelope) > FRAME_ENVELOPES_BYTES:
                out.append(talk.encode(talk.Envelopes(first, tuple(chunk))))
                chunk, size, first = [], 0, self._window.next_number
            self._unmarked.append((due, self._window.number(outgoing)))
            chunk.append(outgoing.envelope)
            size += len(outgoing.envelope)
        out.append(talk.encode(talk.Envelopes(first, tuple(chunk))))
        self._written.ring()
        return out

    async def _refill(self) -> None:
        """Seals what waits in the outbox, as much as the window takes; more when acknowledgements free it."""
        room = Room(0, 0) if self._window.is_reserved else self.reserve(talk.WINDOW_ENVELOPES)
        if room.envelopes == 0:
            self.backlog, self._more = False, True  # an acknowledgement makes room, or `release` calls again
            return
        self.backlog = False  # before the wait: what is posted meanwhile finds no room and wakes us for a second round
        self._refilling = True
        try:
            sealed = await self.inward.seal(self.device.id, room)
        finally:
            self._refilling = False
            self._window.release(room.envelopes)
        if isinstance(sealed, outbox.NeedBundle):
            self._answer(talk.BundleWanted())
            return
        self._window.enter(sealed)
        self.ready.extend(sealed)
        self._more = len(sealed) == room.envelopes or sum(len(one.envelope) for one in sealed) >= room.bytes
        self.backlog = self.backlog or self._more

    async def _mark_sent(self) -> None:
        """Shows as `sent` what was handed over and not acknowledged within a second; most never gets here."""
        while True:
            await self._written.wait()
            while self._unmarked:
                await trio.sleep_until(self._unmarked[0][0])
                due: list[int] = []
                while self._unmarked and self._unmarked[0][0] <= trio.current_time():
                    _, number = self._unmarked.popleft()
                    if (waits := self._window.in_flight(number)) is not None:
                        due.append(waits.seq)
                if due:
                    await self.inward.database.transact(outbox.sent, tuple(due), self.inward.now())

    # --- inwards

    async def _read(self) -> None:
        while True:
            got = await self.reader.read_some()
            if got is None:
                raise Ended
            self._silence.heard_at = trio.current_time()
            if self._heard is not None:
                self._heard.set()
                self._heard = None
            await self._take([talk.decode(raw) for raw in got])

    async def _take(self, got: list[talk.Frame]) -> None:
        """One read of the stream: its envelopes in few transactions, its acknowledgements in one."""
        envelopes: list[bytes] = []
        for frame in got:
            match frame:
                case talk.Envelopes(first=first, envelopes=more):
                    if first != self._received + len(envelopes) + 1:
                        raise PeerFault("envelopes out of their order on one stream")
                    envelopes += more
                case talk.Ack():
                    self._settle(frame)
                case talk.BundleWanted():
                    self._answer(talk.BundleGiven(await self.inward.own_bundle(self.device.id)))
                case talk.BundleGiven(bundle=bundle):
                    if await self.inward.take_bundle(self.device, bundle):  # else no other bundle is asked for at once
                        await self._heal()
                        self.backlog = True
                case talk.Ping(n=n):
                    self._answer(talk.Pong(n))
                case talk.Pong():
                    pass
                case talk.Typing():
                    self.typists.heard(self.contact)
                case talk.Bye(reason=reason):
                    raise Ended(reason)
                case talk.Hello():
                    raise PeerFault("a second hello on one stream")
        for start in range(0, len(envelopes), BATCH_ENVELOPES):
            await self._accept(envelopes[start : start + BATCH_ENVELOPES])
        self._bell.ring()

    def _settle(self, ack: talk.Ack) -> None:
        """Frees the window at once; what it means is written with the next mail, or a few milliseconds later."""
        acked, held = self._window.settle(ack)
        if acked or held:
            self._waits_since = trio.current_time()
        self._acked += acked
        self._held += held
        self.backlog = self.backlog or self._more
        self._settled.ring()

    def take_acks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The tickets that were acknowledged, and those that the other end holds, since this was asked last."""
        acked, held = tuple(self._acked), tuple(self._held)
        self._acked.clear()
        self._held.clear()
        return acked, held

    async def _write_acks(self) -> None:
        """Writes acknowledgements that no mail has taken along: an answer often follows, and one commit serves both."""
        while True:
            await self._settled.wait()
            await trio.sleep(ACK_DELAY_S)
            acked, held = self.take_acks()
            if acked or held:
                await self.inward.take(self.device.id, (), acked, held)

    async def _accept(self, envelopes: list[bytes]) -> None:
        self._silence.moved_at = trio.current_time()
        self.stir()
        taken = await self.inward.take(self.device.id, tuple(envelopes), *self.take_acks())
        numbers = tuple(self._received + 1 + index for index in taken.held)
        self._received += len(envelopes)
        self._answer(talk.Ack(self._received, numbers))
        if taken.waits:
            self.backlog = True
        if taken.unreadable:
            self._unreadable = True

    async def _heal(self) -> None:
        """Starts a new session where this device's mail has been unreadable for a minute (docs/protocol/store.md 5)."""
        if not self._unreadable:
            return
        match await self.inward.restart(self.device.id):
            case Healing.RESTARTED:
                self._unreadable = False
                self.wake()
            case Healing.NO_BUNDLE:
                self._answer(talk.BundleWanted())
            case Healing.READABLE:
                self._unreadable = False
            case Healing.NOT_YET:
                pass

    async def _watch_silence(self) -> None:
        again_at = trio.current_time() + HELD_AGAIN_S
        silence, window = self._silence, self._window
        while True:
            now = trio.current_time()
            due = min(again_at, silence.ends_at(), silence.asks_at(now, window.is_waiting))
            if window.is_waiting or self._unreadable:
                due = min(due, now + LOOK_S)
            with trio.move_on_at(due):
                await self._stirred.wait()
                await trio.sleep(LOOK_S)
            now = trio.current_time()
            if now >= silence.ends_at():
                raise Unavailable("the other end is silent")
            if window.is_waiting and now >= self._waits_since + UNACKED_S:
                raise Unavailable("the other end answers and acknowledges nothing")
            if now >= silence.asks_at(now, window.is_waiting):
                self._ask()
            await self._heal()
            if now >= again_at:
                again_at = now + HELD_AGAIN_S
                if await self.inward.requeue_held(self.device.id):
                    self.wake()
