"""Sync beside talks, in whole nodes: who may open it, what garbage costs, and who does not read."""

import random
from contextlib import suppress
from functools import partial

import pytest
import trio

from features.logs.content import Note
from lab import world
from lab.wire import SimStream
from lab.world import Person, World, befriend
from node import frames
from node.logs.sitting import OUT_BYTES_MAX, Peer, Sitting
from node.network import Address, Link, PeerId, Stream
from protocol import content, entry, record, sync
from protocol.carrying import Carried
from protocol.content import Channel
from protocol.entry import Body, Kind
from protocol.faults import Unavailable
from protocol.ids import MessageId
from protocol.sync import Frame, Have, Hello, Want
from protocol.talk import Side
from store import carried, devices, entries, people
from store.database import Tx
from store.inbox import Arrival
from tests.stories.log_kit import all_hold, notes, own, proofs, row

DIGEST = bytes(32)


async def pair(w: World, count: int = 5) -> tuple[Person, Person]:
    """Ana with a log that bo reads, and bo, who has all of it."""
    ana, bo = await w.person("ana"), await w.person("bo")
    await befriend(ana, bo)
    await ana.call("logs.begin", name="trip", readers=["bo"])
    for n in range(count):
        await ana.call("logs.write", log="trip", text=f"note {n}")
    await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], count))
    return ana, bo


async def still_goes(w: World, ana: Person, bo: Person, text: str = "after") -> None:
    """Ana's node lives, talks, and her log goes on to bo."""
    await ana.call("logs.write", log="trip", text=text)

    async def there() -> bool:
        """bo has what ana wrote since"""
        return text in await notes(bo, "ana/trip")

    await w.until(there, patience_s=7200.0)
    await ana.call("chat.send", to="bo", text=text)

    async def heard() -> bool:
        """bo has the message"""
        assert bo.node is not None
        return any(line.text == text for line in await bo.node.core.services["chat"].history("ana"))

    await w.until(heard)


async def all_published(author: Person, count: int) -> bool:
    """the anchor is known to have so many entries"""
    return int((await row(author, "trip"))["published"]) == count


def link_of(person: Person) -> Link:
    """The link on which the only talk of somebody goes."""
    assert person.node is not None
    (live,) = person.node.core.delivery.talks
    assert isinstance(live.stream, SimStream)
    return live.stream.end


def dialler_of(*people: Person) -> Person:
    """Who of two has dialled their talk."""
    for person in people:
        assert person.node is not None
        (live,) = person.node.core.delivery.talks
        if live.dialled:
            return person
    raise AssertionError


def test_a_stranger_who_opens_it_is_turned_away_and_costs_a_wait() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        stranger = w.network.node("eve", random.Random(7).randbytes(32))
        link = await stranger.dial(w.network.address("ana"), None)
        stream = await link.open(sync.PROTOCOL)
        await frames.write(stream, sync.encode(Hello(bytes(8), DIGEST)))
        began = trio.current_time()
        assert await stream.receive_some(100) == b""
        assert trio.current_time() - began < 15
        await still_goes(w, ana, bo)

    world.run(story, 61)


def test_garbage_ends_the_session_and_nothing_else() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        chance = random.Random(62)
        dialler = dialler_of(ana, bo)
        frame_of_two_gigabytes = (2**31).to_bytes(4, "big")
        for garbage in (b"", b"\x00", bytes(100), chance.randbytes(1000), b"\xff" * sync.FRAME_BYTES_MAX, None):
            stream = await link_of(dialler).open(sync.PROTOCOL)
            with trio.fail_after(5):
                assert isinstance(await heard_of(stream), Hello)  # a session has begun, and reads this next
                if garbage is None:
                    await stream.send_all(frame_of_two_gigabytes)
                else:
                    await frames.write(stream, garbage)
                with suppress(Unavailable):
                    assert await stream.receive_some(100) == b""
            await stream.aclose()
        await still_goes(w, ana, bo)

    world.run(story, 62)


def test_who_opens_another_stream_ends_the_session_that_he_had() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        link = link_of(dialler_of(ana, bo))
        first = await link.open(sync.PROTOCOL)
        with trio.fail_after(5):
            assert isinstance(await heard_of(first), Hello)
            second = await link.open(sync.PROTOCOL)
            assert isinstance(await heard_of(second), Hello)
            with suppress(Unavailable):
                assert await first.receive_some(100) == b""
        await still_goes(w, ana, bo)

    world.run(story, 64)


def test_who_opens_one_stream_after_the_other_gets_ten_sessions_a_second() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        link = link_of(dialler_of(ana, bo))
        began, count = trio.current_time(), 6  # less than a second: his own node would begin again then
        for _ in range(count):
            stream = await link.open(sync.PROTOCOL)
            assert isinstance(await heard_of(stream), Hello)
            await stream.aclose()
        assert trio.current_time() - began >= (count - 1) / 10
        await still_goes(w, ana, bo)

    world.run(story, 65)


def test_what_contradicts_mail_that_came_meanwhile_ends_the_session_and_accuses_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        assert ana.node is not None
        assert bo.node is not None
        await w.until(partial(all_published, ana, 5))
        said = await ana.node.core.database.transact(_written_elsewhere, ana)
        await ana.call("logs.write", log="trip", text="mine")  # is on its way when bo is given what she wrote elsewhere
        await bo.node.core.database.transact(_carried_to, bo, said)
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], 7), patience_s=7200.0)
        assert (await notes(bo, "ana/trip"))[5:] == ["elsewhere", "mine"]
        for person in (ana, bo):
            assert not (await proofs(person))["proofs"]
        (trouble,) = (await proofs(ana))["troubles"]
        assert trouble["name"] == "trip"

    world.run(story, 66)


def _written_elsewhere(tx: Tx, person: Person) -> Carried:
    """What another machine with a person's profile writes behind what is here, as it offers it by mail."""
    assert person.node is not None
    of, me = own(tx, "trip"), person.node.core.identity
    head = entries.head(tx, of.log.number)
    assert head is not None
    key = entry.content_key(of.log.secret, of.log.id, head.seq + 1)
    text = record.encode(Note("elsewhere"))
    sealed = entry.seal(key, of.log.author, of.log.id, head.seq + 1, text, bytes(24))
    body = Body(me.device, of.log.id, head.seq + 1, head.id, 0, (), Kind.SEALED, *entry.about(sealed))
    return Carried(of.log.id, bytes(16), head.seq + 1, (entry.write(body, me.device_key).raw,), (sealed,))


def _carried_to(tx: Tx, person: Person, said: Carried) -> None:
    """It comes to a contact by mail."""
    assert person.node is not None
    core = person.node.core
    ana = people.find_contact(tx, "ana")
    (device,) = devices.devices_of(tx, ana.id)
    raw = content.say(message_id=MessageId(bytes(16)), hlc_ms=1, device_seq=1, parents=(), content=said)
    heard = core.delivery.inward.kinds.hear(raw, Channel.RATCHET)
    arrival = Arrival(ana, device, 1, heard, Channel.RATCHET, person.now_ms())
    carried.take(tx, arrival, core.identity, person.entropy("test"))


async def heard_of(stream: Stream) -> Frame:
    """The next frame of a stream."""
    raw = await frames.FrameReader(stream, sync.FRAME_BYTES_MAX).read()
    assert raw is not None
    return sync.decode(raw)


class _Bare:
    """What a stream is beside what comes and goes on it."""

    def __init__(self) -> None:
        self.peer = PeerId(bytes(32))
        self.is_relayed = False
        self.remote: Address | None = None
        self.link: Link | None = None

    def is_beside(self, other: object) -> bool:
        return other is self

    def vouch(self) -> None:
        return

    def welcome(self) -> None:
        return

    async def aclose(self) -> None:
        return


class Deaf(_Bare):
    """A stream whose other end reads our hello, asks for a log over and over, and reads nothing more."""

    def __init__(self, secret: bytes, log: bytes, last: int, ends: bytes) -> None:
        super().__init__()
        self.is_full = trio.Event()
        self._last = b""
        self._asked: tuple[bytes, bytes, int, bytes] | None = (secret, log, last, ends)
        self._send, self._receive = trio.open_memory_channel[bytes](100)

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._asked is None:
            self.is_full.set()
            await trio.sleep(1.0)  # its last question comes later than this: so it is not given up for its silence
            self._send.send_nowait(self._last)
            await trio.sleep_forever()
        secret, log, last, ends = self._asked
        hello = sync.decode(data[4:])
        assert isinstance(hello, Hello)
        tag = sync.tag(secret, log, Side.DIALLER, bytes(8) + hello.nonce + ends)
        said: list[Frame] = [Hello(bytes(8), DIGEST), Have(None, (), (), (), sync.PART_LAST)]
        for frame in (*said, *[Want((tag,), (0,), (last,))] * (sync.RANGES_MAX - 1)):
            raw = sync.encode(frame)
            self._send.send_nowait(len(raw).to_bytes(4, "big") + raw)
            self._last = len(raw).to_bytes(4, "big") + raw
        self._asked = None

    async def receive_some(self, bytes_max: int) -> bytes:
        return (await self._receive.receive())[:bytes_max]


def test_who_asks_for_all_and_reads_nothing_holds_a_quarter_of_a_megabyte_and_is_given_up() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, 1)
        await ana.call("logs.write_all", log="trip", texts=["x" * 10_000] * 300)
        await w.until(partial(all_published, ana, 301))
        assert ana.node is not None
        core = ana.node.core
        space = await core.database.transact(own, "trip")
        contact = await core.database.transact(people.find_contact, "bo")
        stream = Deaf(space.log.secret, space.log.id, 300, bytes(32) + core.identity.device)
        peer = Peer(contact.id, contact.account, 1, bytes(32))
        sitting = Sitting(core.delivery.inward, core.sync.policy, peer, stream, Side.LISTENER, _note)
        with pytest.RaisesGroup(trio.TooSlowError, flatten_subgroups=True):
            await sitting.run()
        assert stream.is_full.is_set()
        assert sitting._out_bytes <= OUT_BYTES_MAX + 2 * sync.FRAME_BYTES_MAX
        await still_goes(w, ana, bo)

    world.run(story, 63)


class Gone(_Bare):
    """A stream that takes nothing any more, as its other end has ended it: in order, or by breaking it off."""

    def __init__(self, is_orderly: bool) -> None:
        super().__init__()
        self._is_orderly = is_orderly
        self._refused = trio.Event()

    async def send_all(self, _data: bytes) -> None:
        self._refused.set()
        raise Unavailable("the stream is closed")

    async def receive_some(self, _bytes_max: int) -> bytes:
        await self._refused.wait()
        await trio.sleep(0.1)  # a writer learns it first
        if not self._is_orderly:
            raise Unavailable("the stream was reset")
        return b""


@pytest.mark.parametrize("is_orderly", [True, False])
def test_a_session_that_the_other_ends_is_no_fault_although_something_was_on_its_way(is_orderly: bool) -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w, 1)
        assert ana.node is not None
        core = ana.node.core
        contact = await core.database.transact(people.find_contact, "bo")
        peer = Peer(contact.id, contact.account, 1, bytes(32))
        sitting = Sitting(core.delivery.inward, core.sync.policy, peer, Gone(is_orderly), Side.DIALLER, _note)
        if is_orderly:
            await sitting.run()
        else:
            with pytest.RaisesGroup(pytest.RaisesExc(Unavailable, match="reset"), flatten_subgroups=True):
                await sitting.run()

    world.run(story, 64)


def _note(_log: int, _here: int, _total: int) -> None:
    """Nobody looks at how far it came."""
