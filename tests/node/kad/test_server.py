"""The serving side on streams that are played to it: answers, and how long and how often it listens."""

import pytest
import trio
from trio.testing import MockClock

from node import delimited
from node.kad import messages, rates, server, space
from node.kad.messages import Kind, Message, Peer
from node.kad.rates import TooOften
from node.kad.server import Server, TooMany
from node.kad.shelf import Shelf
from node.kad.table import Table
from node.network import Address, PeerId, Stream, peer_multihash
from protocol.faults import Malformed, PeerFault
from tests.node.kad.circle import NOW_S, RULES, key_of, note, owner
from tests.node.kad.test_table import peer
from tests.node.test_frames import Wire

OWN, ASKER = PeerId(b"o" * 32), PeerId(b"a" * 32)
REMOTE = Address("/ip4/9.8.7.6/tcp/1")
WHO = owner(1)
WIRE_KEY = space.record_key(key_of(WHO))


class Held(Wire):
    """A stream whose peer says some pieces and then holds it open for ever."""

    peer = ASKER
    remote = REMOTE

    async def receive_some(self, bytes_max: int) -> bytes:
        if not self.pieces:
            await trio.sleep_forever()
        return await super().receive_some(bytes_max)


class Serving:
    """A server whose table knows some peers, and who asked it something good."""

    def __init__(self, known: int = 0) -> None:
        self.table = Table(OWN)
        for number in range(1, known + 1):
            self.table.hear(peer(number), 0)
        self.shelf = Shelf(OWN, RULES)
        self.noted: list[Stream] = []
        self.server = Server(self.table, self.shelf, lambda: NOW_S, self.noted.append)

    def ask(self, question: Message, remote: Address | None = REMOTE) -> Message | None:
        return self.server.answer(question, ASKER, remote)


def framed(*questions: Message) -> list[bytes]:
    return [delimited.framed(messages.encode(one, NOW_S)) for one in questions]


PING, FIND = Message(Kind.PING), Message(Kind.FIND_NODE, peer_multihash(OWN))


async def test_a_stream_that_is_silent_is_left_after_ten_seconds(autojump_clock: MockClock) -> None:
    serving = Serving()
    held = Held(*framed(PING, PING))
    began = trio.current_time()
    await serving.server.accept(messages.PROTOCOL, held)
    assert trio.current_time() - began == pytest.approx(server.PATIENCE_S, abs=0.1)
    assert [messages.decode(one[1:]) for one in held.writes] == [PING, PING]
    assert serving.noted == [held, held]


async def test_one_peer_holds_eight_streams_and_gets_them_back(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with trio.open_nursery() as nursery:
        for _ in range(server.STREAMS_PER_PEER_MAX):
            nursery.start_soon(serving.server.accept, messages.PROTOCOL, Held())
        await trio.sleep(1)
        with pytest.raises(TooMany):
            await serving.server.accept(messages.PROTOCOL, Held())
    await serving.server.accept(messages.PROTOCOL, Held())


async def test_a_stream_is_good_for_64_questions(autojump_clock: MockClock) -> None:
    serving = Serving()
    held = Held(*framed(*[PING] * 100))
    await serving.server.accept(messages.PROTOCOL, held)
    assert len(held.writes) == server.QUESTIONS_PER_STREAM_MAX


async def test_who_gives_too_often_waits_and_who_floods_is_refused(autojump_clock: MockClock) -> None:
    serving = Serving()
    gift = Message(Kind.PUT_VALUE, WIRE_KEY, note(WHO, b"x"))
    refused = 0

    async def give() -> None:
        nonlocal refused
        try:
            await serving.server.accept(messages.PROTOCOL, Held(*framed(*[gift] * 20)))
        except TooOften:
            refused += 1

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(server.STREAMS_PER_PEER_MAX):
            nursery.start_soon(give)
    assert refused
    given = 8 * 20 - rates.GIFTS_PER_PEER.burst
    assert trio.current_time() - began < given / rates.GIFTS_PER_PEER.per_s


def test_the_nearest_are_named_without_who_asks() -> None:
    serving = Serving(known=50)
    serving.table.hear(Peer(ASKER, (REMOTE,)), 0)
    answer = serving.ask(FIND)
    assert answer is not None
    known = [one for one in serving.table.nearest(space.target_of(FIND.key), 99) if one.id != ASKER]
    assert list(answer.closer) == known[: messages.PEERS_MAX]


def test_who_asks_from_afar_is_told_nobody_in_our_house() -> None:
    serving = Serving(known=3)
    house = Peer(PeerId(b"h" * 32), (Address("/ip4/192.168.1.1/tcp/1"),))
    serving.table.hear(house, 0)
    for remote, is_told in ((REMOTE, False), (None, False), (Address("/ip4/192.168.1.7/tcp/1"), True)):
        answer = serving.ask(FIND, remote)
        assert answer is not None
        assert (house in answer.closer) == is_told
        assert len(answer.closer) == 3 + is_told


def test_a_record_and_a_provider_are_given_back() -> None:
    serving = Serving(known=3)
    raw = note(WHO, b"x")
    assert serving.ask(Message(Kind.PUT_VALUE, WIRE_KEY, raw)) == Message(Kind.PUT_VALUE, WIRE_KEY, raw)
    got = serving.ask(Message(Kind.GET_VALUE, WIRE_KEY))
    assert got is not None
    assert (got.record, len(got.closer)) == (raw, 3)
    place = space.provider_key(bytes(32))
    mine = Peer(ASKER, (REMOTE, Address("/ip4/10.0.0.1/tcp/1")))
    assert serving.ask(Message(Kind.ADD_PROVIDER, place, providers=(mine,))) is not None
    named = serving.ask(Message(Kind.GET_PROVIDERS, place))
    assert named is not None
    assert named.providers == (Peer(ASKER, (REMOTE,)),)  # who asks from afar is told no address of a house


@pytest.mark.parametrize(
    "question",
    [
        Message(Kind.FIND_NODE),
        Message(Kind.GET_VALUE, b"/pk/x"),
        Message(Kind.GET_PROVIDERS, b"x"),
        Message(Kind.PUT_VALUE, WIRE_KEY),
        Message(Kind.PUT_VALUE, b"/ipns/x", b"x"),
        Message(Kind.ADD_PROVIDER, space.provider_key(bytes(32))),
        Message(Kind.ADD_PROVIDER, space.provider_key(bytes(32)), providers=(peer(1),)),
    ],
)
def test_a_question_that_cannot_be_answered_is_the_askers_fault(question: Message) -> None:
    with pytest.raises(PeerFault):
        Serving().ask(question)


async def test_a_question_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed):
        await Serving().server.accept(messages.PROTOCOL, Held(delimited.varint(messages.REQUEST_BYTES_MAX + 1)))
