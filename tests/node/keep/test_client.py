"""The asking end of a keeper, against one that says what the test tells it to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from crypto.faults import Forged, Malformed, PeerFault
from crypto.keys import SigningKey
from lab import network
from node import frames
from node.frames import FrameReader
from node.keep import client
from node.keep.client import KeeperStream, Kept, Posting
from node.network import Stream
from protocol import keep, keep_proof
from protocol.faults import Unavailable
from protocol.keep import Answer, Shown, Status
from tests.protocol.keeping import DOOR, ENVELOPE, NONCE, OWNER, PERMIT, PUT_KEY, QUEUE, READER, SENDER

Script = Callable[[FrameReader, Stream, list[keep.Request]], Awaitable[None]]


@asynccontextmanager
async def asking(
    script: Script, hello: keep.Reply | None = None
) -> AsyncIterator[tuple[KeeperStream, list[keep.Request]]]:
    """A stream to a keeper that follows a script, and what it heard."""
    heard: list[keep.Request] = []

    async def serve(_protocol: str, stream: Stream) -> None:
        await frames.write(stream, keep.encode(hello or keep.Hello(1, NONCE)))
        await script(FrameReader(stream, keep.FRAME_BYTES_MAX), stream, heard)

    async with network.open_network(seed=1) as sim:
        keeper, owner = sim.node("keeper", b"k" * 32), sim.node("owner", b"o" * 32)
        keeper.serve((keep.PROTOCOL,), serve)
        (address,) = await keeper.listen((sim.address("keeper"),))
        link = await owner.dial(address, keeper.peer)
        async with client.open_stream(link, owner.peer) as stream:
            yield stream, heard


def answers(*replies: keep.Reply) -> Script:
    """Reads a request for each reply, then ends the stream."""

    async def script(reader: FrameReader, stream: Stream, heard: list[keep.Request]) -> None:
        for reply in replies:
            raw = await reader.read()
            assert raw is not None
            heard.append(keep.decode_request(raw))
            await frames.write(stream, keep.encode(reply))

    return script


def ok(*numbers: int) -> tuple[keep.Reply, ...]:
    return tuple(Answer(n, Status.OK) for n in numbers)


ENDS = (SigningKey(b"k" * 32).public, SigningKey(b"o" * 32).public, NONCE)  # of both hosts, and the first stream


def claimed(permit: bytes = PERMIT, nonce: bytes = NONCE) -> Shown:
    """The good answer to a first claim."""
    return Shown(1, Status.OK, 0, keep_proof.claim_proof(permit, (*ENDS[:2], nonce), OWNER.public, 1, Status.OK))


def shown(heard: list[keep.Request], n: int, status: Status, value: int, put_key: bytes = PUT_KEY) -> Shown:
    """The good answer to put n, which was the n-th request."""
    put = heard[n - 1]
    assert isinstance(put, keep.Put)
    return Shown(n, status, value, keep_proof.put_proof(put_key, NONCE, put, n, status, value))


async def test_each_call_is_one_request_and_gives_back_what_was_answered(autojump_clock: MockClock) -> None:
    item = keep.Item(3, READER, ENVELOPE)
    replies = (*ok(2, 3), keep.Items((item,), 0), *ok(5, 6), keep.Lying(b"record"), keep.Used(1, 2, 3, 4))
    async with asking(answers(claimed(), *replies)) as (keeper, heard):
        assert await keeper.claim(OWNER, PERMIT, enrols=True) is Status.OK
        assert await keeper.open_queues((QUEUE,)) is Status.OK
        assert await keeper.close_queues((READER,)) is Status.OK
        assert await keeper.fetch(2, 58, 0) == keep.Items((item,), 0)
        assert await keeper.done(3) is Status.OK
        assert await keeper.lay((b"record",)) is Status.OK
        assert await keeper.look(bytes(32)) == b"record"
        assert await keeper.usage() == keep.Used(1, 2, 3, 4)
        claim, *others = heard
        assert isinstance(claim, keep.Claim)
        ends = (keeper.peer, keeper._mine, NONCE)
        keep_proof.check_claim(claim, *ends)
        assert keep_proof.is_permitted(claim, PERMIT, *ends)
        assert others == [
            keep.Open((QUEUE,)),
            keep.Close((READER,)),
            keep.Fetch(2, 58, 0),
            keep.Done(3),
            keep.Lay((b"record",)),
            keep.Look(bytes(32)),
            keep.Usage(),
        ]


async def test_what_is_refused_is_a_value(autojump_clock: MockClock) -> None:
    replies = tuple(Answer(n, Status.REFUSED) for n in range(2, 6))
    async with asking(answers(Shown(1, Status.REFUSED, 0, bytes(32)), *replies)) as (keeper, _):
        assert await keeper.claim(OWNER, PERMIT, enrols=False) is Status.REFUSED
        assert await keeper.fetch(0, 1, 0) is Status.REFUSED
        assert await keeper.usage() is Status.REFUSED
        assert await keeper.look(bytes(32)) is Status.REFUSED
        assert await keeper.done(1) is Status.REFUSED


async def test_puts_go_out_together_and_each_shows_its_own_number(autojump_clock: MockClock) -> None:
    async def script(reader: FrameReader, stream: Stream, heard: list[keep.Request]) -> None:
        while len(heard) < 3:  # nothing is answered before all has come
            heard += map(keep.decode_request, await reader.read_some() or ())
        said = ((Status.OK, 7), (Status.QUOTA, 5), (Status.OK, 9_999))
        await frames.write(stream, *(keep.encode(shown(heard, n, *one)) for n, one in enumerate(said, 1)))

    async with asking(script) as (keeper, heard):
        postings = [Posting(SENDER, PUT_KEY, bytes(size), 60, n) for n, size in enumerate((1024, 65536, 4096))]
        with trio.fail_after(60):
            kept = await keeper.put(postings)
        assert kept == (Kept(Status.OK, 7), Kept(Status.QUOTA, 0), Kept(Status.OK, 60))
        for n, (put, posting) in enumerate(zip(heard, postings, strict=True), 1):
            assert isinstance(put, keep.Put)
            assert keep_proof.is_put_by(put, PUT_KEY, NONCE, n)
            assert (put.envelope, put.ttl_s, put.work) == (posting.envelope, 60, posting.work)


HOSTILE_CLAIMS = {
    "no permit": claimed(bytes(32)),
    "of another stream": claimed(nonce=b"m" * 32),
    "of a refusal": replace(
        claimed(),
        proof=keep_proof.claim_proof(PERMIT, ENDS, OWNER.public, 1, Status.REFUSED),
    ),
    "of another owner": replace(
        claimed(),
        proof=keep_proof.claim_proof(PERMIT, ENDS, bytes(32), 1, Status.OK),
    ),
    "of another request": replace(
        claimed(),
        proof=keep_proof.claim_proof(PERMIT, ENDS, OWNER.public, 2, Status.OK),
    ),
    "of another keeper": replace(
        claimed(),
        proof=keep_proof.claim_proof(PERMIT, (bytes(32), *ENDS[1:]), OWNER.public, 1, Status.OK),
    ),
}


@pytest.mark.parametrize("said", HOSTILE_CLAIMS.values(), ids=HOSTILE_CLAIMS)
async def test_whoever_says_yes_to_a_claim_and_has_no_permit_is_no_keeper(
    autojump_clock: MockClock, said: Shown
) -> None:
    async with asking(answers(said)) as (keeper, _):
        with pytest.raises(Forged):
            await keeper.claim(OWNER, PERMIT, enrols=True)


@pytest.mark.parametrize("what", ["the key", "the number", "the status", "the time", "the stream", "the envelope"])
async def test_whoever_answers_a_put_and_has_no_key_keeps_nothing(autojump_clock: MockClock, what: str) -> None:
    async def script(reader: FrameReader, stream: Stream, heard: list[keep.Request]) -> None:
        heard += map(keep.decode_request, await reader.read_some() or ())
        (put,) = heard
        assert isinstance(put, keep.Put)
        good = (PUT_KEY, NONCE, put, 1, Status.OK, 60)
        bad = {
            "the key": (bytes(32), *good[1:]),
            "the number": (*good[:3], 2, *good[4:]),
            "the status": (*good[:4], Status.QUOTA, 60),
            "the time": (*good[:5], 59),
            "the stream": (PUT_KEY, b"m" * 32, *good[2:]),
            "the envelope": (*good[:2], replace(put, envelope=bytes(4096)), *good[3:]),
        }
        await frames.write(stream, keep.encode(Shown(1, Status.OK, 60, keep_proof.put_proof(*bad[what]))))

    async with asking(script) as (keeper, _):
        assert await keeper.put((Posting(SENDER, PUT_KEY, ENVELOPE, 60),)) == (Kept(Status.GONE, 0),)


async def test_puts_after_another_request_go_on_with_its_numbers(autojump_clock: MockClock) -> None:
    answers_ = (*ok(1), *(Shown(n, Status.OK, 0, bytes(32)) for n in (2, 3)))
    async with asking(answers(*answers_)) as (keeper, heard):
        await keeper.done(1)
        for n in (2, 3):
            await keeper.put((Posting(SENDER, PUT_KEY, ENVELOPE, 60),))
            put = heard[-1]
            assert isinstance(put, keep.Put)
            assert keep_proof.is_put_by(put, PUT_KEY, NONCE, n)


async def test_many_queues_take_several_requests_and_the_first_refusal_ends_it(autojump_clock: MockClock) -> None:
    doors = [replace(DOOR, sender=n.to_bytes(16, "big")) for n in range(9 * keep.DOORS_MAX)]
    queues = [
        replace(QUEUE, reader=n.to_bytes(16, "big"), doors=tuple(doors[n * keep.DOORS_MAX : (n + 1) * keep.DOORS_MAX]))
        for n in range(100)
    ]
    async with asking(answers(*ok(*range(1, 20)))) as (keeper, heard):
        assert await keeper.open_queues(queues) is Status.OK
        assert [queue for one in heard if isinstance(one, keep.Open) for queue in one.queues] == queues
        assert len(heard) < 10
    async with asking(answers(Answer(1, Status.OK), Answer(2, Status.REFUSED))) as (keeper, heard):
        assert await keeper.close_queues([n.to_bytes(16, "big") for n in range(3 * keep.READERS_MAX)]) is Status.REFUSED
        assert len(heard) == 2


@pytest.mark.parametrize(
    "reply",
    [
        *(Answer(2, Status.OK), Answer(0, Status.OK), Shown(1, Status.OK, 0, bytes(32)), keep.Items((), 0)),
        *(keep.Hello(1, NONCE), keep.Lying(b"")),
    ],
    ids=["the next number", "the number before", "one that shows", "items", "a second hello", "a record"],
)
async def test_an_answer_to_something_else_is_the_keepers_fault(autojump_clock: MockClock, reply: keep.Reply) -> None:
    async with asking(answers(reply)) as (keeper, _):
        with pytest.raises(PeerFault):
            await keeper.done(1)


async def test_a_keeper_that_does_not_greet_is_at_fault(autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(Malformed):
        async with asking(answers(), hello=keep.Items((), 0)):
            raise AssertionError("greeted")


@pytest.mark.parametrize("seqs", [(2, 1), (1, 1), (1, 3, 2)])
async def test_case_48_a_page_that_is_out_of_order_or_repeats_itself_is_the_keepers_fault(
    autojump_clock: MockClock, seqs: tuple[int, ...]
) -> None:
    page = keep.Items(tuple(keep.Item(seq, READER, ENVELOPE) for seq in seqs), 0)
    async with asking(answers(page)) as (keeper, _):
        with pytest.raises(PeerFault):
            await keeper.fetch(0, 58, 0)


async def test_a_stream_that_ends_is_unavailable(autojump_clock: MockClock) -> None:
    async def script(reader: FrameReader, _: Stream, __: list[keep.Request]) -> None:
        await reader.read()

    async with asking(script) as (keeper, _):
        with pytest.raises(Unavailable):
            await keeper.done(1)
