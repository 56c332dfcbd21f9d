"""Strangers attack a real node while an honest contact chats with it: nothing of theirs matters to the two.

What is awaited with a deadline: that a message arrives (15 s, siege.py), and a contact who was killed and restarted
comes in although others hold the door (3 s are promised, 10 are allowed here). Not here: broken cables and stale
addresses (test_lost_links.py), contacts who turn hostile (test_hostile_nodes.py).
"""

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from crypto import sealing
from lab import world
from lab.world import World, texts
from node import frames, gate, streams
from node.host import open_host
from node.network import Address, Link, Stream
from node.records import Records
from node.streams import MuxStream
from protocol import ids, invite, talk
from protocol.faults import PeerFault, Unavailable
from store import pairs, people
from store.database import Tx
from tests.node.test_guards import GARBAGE
from tests.stories import attackers
from tests.stories.attackers import DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW, frame
from tests.stories.siege import away, besieged, connected, forget_port, in_database, log_of, sockets_of
from tests.stories.test_conversations import settled

pytestmark = [pytest.mark.process, pytest.mark.socket]

SEED = b"a stranger's transport key, 32 by"[:32]
RECONNECTS_S = 10.0
AT_ONCE_S = 20.0  # less than the 30 s after which a stranger's link ends in any case
SOCKETS = 900
STRANGERS = 300
PROVERS = 15
CONTACTS = 4000
SOCKETS_HELD_MAX = 150  # of the 900, with a node's own
STREAMS = 10_000
FLOOD_BYTES = 200_000_000
PROTOCOLS = (talk.PROTOCOL, invite.PROTOCOL)

NONCE = b"\0\0\0\x20" + bytes(32)
FIRST_WORDS = {
    "nothing": b"",
    "half a length": b"\0\0",
    "half a frame": b"\0\0\0\x20" + bytes(31),
    "an empty frame": bytes(4),
    "a huge length": b"\xff" * 4,
    "a short nonce": b"\0\0\0\x1f" + bytes(31),
    "a long nonce": b"\0\0\0\x21" + bytes(33),
    "a nonce and no proof": NONCE,
}
PROOFS = (b"", b"\xff", bytes(31), bytes(32), bytes(33), bytes(72), bytes(600), b"\x9f" * 5000, bytes(17 * 1024))


async def test_no_bytes_on_any_protocol_end_the_node(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        link = invite.link_from(siege.ana.call("contacts.invite", kind="long-term")["link"])
        for protocol in PROTOCOLS:
            for end in (Stream.aclose, _reset, _leave):
                await _speak(siege.address, protocol, end)
        for plain in (b"", b"\xff", bytes(1000), b"\x9f" * 5000, b"\x81" * 15_000):
            await _ask_with(siege.address, link, plain)
        await _negotiate_nonsense(siege.address)
        await siege.chat_goes_on()


async def _reset(stream: Stream) -> None:
    assert isinstance(stream, MuxStream)
    stream.reset()


async def _leave(stream: Stream) -> None:
    """Ends the whole link without a word."""
    assert isinstance(stream, MuxStream)
    await stream._session.records.aclose()


async def _speak(address: Address, protocol: str, end: Callable[[Stream], Awaitable[None]]) -> None:
    """Says each thing as another stranger, because of one only few are heard, and ends the stream in this way."""
    said = [*FIRST_WORDS.values(), *(NONCE + len(proof).to_bytes(4) + proof for proof in PROOFS)]
    for words in said:
        async with open_host(os.urandom(32)) as stranger:
            stream = await (await stranger.dial(address, None)).open(protocol)
            with suppress(Unavailable):
                await stream.send_all(words)
                await end(stream)


async def _ask_with(address: Address, link: invite.Link, plain: bytes) -> None:
    """Follows a good link, and seals nonsense where the init belongs."""
    async with open_host(os.urandom(32)) as stranger:
        stream = await (await stranger.dial(address, None)).open(invite.PROTOCOL)
        reader = frames.FrameReader(stream, invite.FRAME_BYTES_MAX)
        await frames.write(stream, bytes(32))
        theirs = await reader.read()
        assert theirs is not None
        transcript = talk.transcript(stranger.peer, stream.peer, bytes(32), theirs)
        keys = invite.InviteKeys.of(link.secret)
        await frames.write(stream, invite.asker_mac(keys, transcript))
        assert len(await reader.read() or b"") > 1000
        await frames.write(stream, sealing.seal(keys.init, bytes(24), plain, transcript))
        assert await reader.read() is None


async def _negotiate_nonsense(address: Address) -> None:
    """Names protocols that are none, in every way that libp2p's reader may not expect."""
    header = b"\x13/multistream/1.0.0\n"
    for words in (b"\xff" * 20, bytes(20), header + b"\xff\xff\xff\xff\x0f", header + b"\x03\xff\xfe\n", header[:9]):
        async with attackers.records(address, SEED) as link:
            link.put(frame(DATA, SYN, 1, len(words), words) + frame(DATA, SYN | FIN, 3, len(words), words))
            link.put(frame(WINDOW, SYN | RST, 5, 0) + frame(WINDOW, SYN | FIN, 7, 0))
            await link.flush()
            await link.receive()


async def test_garbage_on_the_port_ends_nothing(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        bombs = {
            **GARBAGE,
            "a varint without end": b"\xff" * 100_000,
            "zeros without end": bytes(5_000_000),
            "a truncated noise message": b"\x13/multistream/1.0.0\n\x07/noise\n\x00\xff" + bytes(40),
            "nothing": b"",
        }
        for garbage in bombs.values():
            for end in (trio.SocketStream.aclose, attackers.break_off):
                stream = await attackers.tcp(siege.address)
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(garbage)
                await end(stream)
        for kind in range(6):
            async with attackers.records(siege.address, SEED) as link:
                link.put(frame(kind, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF) + os.urandom(2000))
                await link.flush()
                assert await attackers.link_ended(link, 30) or kind == GO_AWAY
        await siege.chat_goes_on()


async def test_ten_thousand_streams_cost_their_opener_the_link(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        for seed in (b"1" * 32, b"2" * 32):
            async with attackers.records(siege.address, seed) as link, trio.open_nursery() as nursery:
                nursery.start_soon(_open_streams, link, STREAMS)
                assert await attackers.link_ended(link, AT_ONCE_S)
                nursery.cancel_scope.cancel()
        await siege.chat_goes_on()


async def _open_streams(link: Records, count: int) -> None:
    with suppress(Unavailable):
        for number in range(1, 2 * count, 2):
            link.put(frame(WINDOW, SYN, number, 0))
            await link.flush()


@pytest.mark.parametrize("number", [1, 3], ids=["a stream that nobody reads", "a stream that is none"])
async def test_who_overruns_a_window_loses_the_link_and_fills_no_memory(tmp_path: Path, number: int) -> None:
    """The first stream is not read for a second: that is how long the refusal of a false proof takes."""
    words = attackers.named(talk.PROTOCOL) + NONCE + (600).to_bytes(4) + bytes(600)
    piece = frame(DATA, 0, number, streams.DATA_BYTES_MAX, bytes(streams.DATA_BYTES_MAX))
    with besieged(tmp_path) as siege:
        async with attackers.records(siege.address, SEED) as link, trio.open_nursery() as nursery:
            link.put(frame(DATA, SYN, 1, len(words), words))

            async def flood() -> None:
                with suppress(Unavailable):
                    for _ in range(FLOOD_BYTES // len(piece)):
                        link.put(piece)
                        await link.flush()

            nursery.start_soon(flood)
            assert await attackers.link_ended(link, AT_ONCE_S)
            nursery.cancel_scope.cancel()
        await siege.chat_goes_on()


@pytest.mark.parametrize("greed", [attackers.ALLOWED, attackers.MORE], ids=["all they may", "more"])
async def test_many_strangers_who_send_and_hold_all_they_can_fill_no_memory(
    tmp_path: Path, greed: attackers.Greed
) -> None:
    """Each shows proofs at both doors with more behind them than a proof needs, half a record, and reads nothing."""
    with besieged(tmp_path) as siege:
        async with trio.open_nursery() as nursery:
            for number in range(STRANGERS):
                nursery.start_soon(attackers.hold_all, siege.address, number.to_bytes(32), greed)
            await trio.sleep(10)  # they come again when they are sent away
            await siege.chat_goes_on()
            nursery.cancel_scope.cancel()


async def test_who_makes_us_answer_and_does_not_read_loses_the_link(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        async with attackers.records(siege.address, SEED) as link:
            with trio.fail_after(60), pytest.raises(Unavailable):
                await _ping_without_end(link)
        await siege.chat_goes_on()


async def _ping_without_end(link: Records) -> None:
    while True:
        link.put(frame(PING, SYN, 0, 7) * 5000)
        await link.flush()


@pytest.mark.parametrize("first_word", [b"", b"\x13/multistream/1.0.0\n"], ids=["silent", "one word"])
async def test_nine_hundred_idle_sockets_keep_nobody_out(tmp_path: Path, first_word: bytes) -> None:
    """They are renewed as they are closed; the contact comes from the same address, is killed and comes again."""
    with besieged(tmp_path) as siege:
        async with trio.open_nursery() as nursery:
            address = siege.address
            for _ in range(SOCKETS):
                nursery.start_soon(_hold_sockets, address, first_word)
            await siege.chat_goes_on()
            siege.end_chat()
            for move in (False, True):
                siege.bo.kill()
                await away(siege.ana, "bo", RECONNECTS_S)
                if move:
                    await in_database(siege.bo, forget_port)  # then ana cannot find him: he must get in
                await trio.to_thread.run_sync(siege.bo.up)
                await connected(siege.ana, "bo", RECONNECTS_S)
                await connected(siege.bo, "ana", RECONNECTS_S)
            siege.begin_chat()
            await siege.chat_goes_on(50)  # both may have dialled: by now one of the two streams is left
            ended = log_of(siege.ana).count("talk ends")
            await siege.chat_goes_on(100)
            assert log_of(siege.ana).count("talk ends") == ended  # his link is not one of those that have to go
            assert sockets_of(siege.pid) < SOCKETS_HELD_MAX
            nursery.cancel_scope.cancel()


async def _hold_sockets(address: Address, first_word: bytes) -> None:
    """One socket, and a new one whenever it is closed."""
    while True:
        with suppress(OSError, trio.BrokenResourceError):
            async with await attackers.tcp(address) as stream:
                await stream.send_all(first_word)
                await attackers.ended(stream, 600)
        await trio.sleep(1)


async def test_strangers_on_every_protocol_delay_nobody(tmp_path: Path) -> None:
    """Thousands of contacts make a look at a proof cost 50 ms; a few strangers show as many as they can."""
    with besieged(tmp_path) as siege:
        siege.end_chat()
        siege.ana.down()
        await in_database(siege.ana, _know_many, CONTACTS)
        siege.ana.up()
        assert siege.ana.program is not None
        siege.watch(siege.ana.program.pid)
        await connected(siege.ana, "bo", RECONNECTS_S)
        siege.begin_chat()
        address = siege.address
        async with trio.open_nursery() as nursery:
            for number in range(PROVERS):
                nursery.start_soon(_prove_nothing, address, bytes([number]) * 32)
            await siege.chat_goes_on(4)
            await trio.sleep(4)  # a queue stands before each door by then
            await siege.chat_goes_on()
            nursery.cancel_scope.cancel()


def _know_many(tx: Tx, count: int) -> None:
    """Contacts who are never met nor dialled: each is one more key that a stranger's proof is held against."""
    for number in range(count):
        account = ids.AccountId(number.to_bytes(32))
        one = people.add_contact(tx, account, f"nobody {number}", people.ContactState.ACTIVE, "", 0)
        pairs.make_pair_secret(tx, one.id, os.urandom(32), 0)


async def _prove_nothing(address: Address, seed: bytes) -> None:
    """Shows false proofs at every door as fast as it is let, on as many streams as it is given, and holds the rest."""
    while True:
        with suppress(Unavailable):
            async with open_host(seed) as stranger:
                await _show_at_all(await stranger.dial(address, None), Counter())
        await trio.sleep(0.5)


async def _show_at_all(link: Link, answers: Counter[str]) -> None:
    """Shows three proofs at a time at each door until the link ends, and counts what is answered to them."""

    async def show(protocol: str) -> None:
        while True:
            with suppress(Unavailable, PeerFault):
                stream = await link.open(protocol)
                await frames.write(stream, os.urandom(32), os.urandom(600))
                reader = frames.FrameReader(stream, talk.FRAME_BYTES_MAX)
                await reader.read()  # his nonce
                while await reader.read() is not None:
                    answers[protocol] += 1
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        for protocol in PROTOCOLS:
            for _ in range(gate.VISITS_PER_PEER_MAX):
                nursery.start_soon(show, protocol)
        await link.closed()
        nursery.cancel_scope.cancel()


def test_a_stranger_on_every_protocol_delays_nobody_and_burns_no_core() -> None:
    """What costs is the look at all contacts for each proof. In a world, where it takes no time: each has its answer.

    That a look which takes time is followed by four times as long a pause is shown in tests/node/test_gate.py.
    """

    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await world.befriend(alice, bob)
        answers: Counter[str] = Counter()

        async def prove(number: int) -> None:
            async with w.network.open_host(f"stranger {number}", number.to_bytes(32)) as stranger:
                while True:
                    with suppress(Unavailable):
                        await _show_at_all(await stranger.dial(w.network.address("alice"), None), answers)
                    await trio.sleep(0.5)

        async with trio.open_nursery() as nursery:
            for number in range(4 * PROVERS):
                nursery.start_soon(prove, number)
            await trio.sleep(5)
            before = answers.copy()
            await trio.sleep(10)
            looks = answers - before
            await bob.call("chat.send", to="alice", text="through the crowd")
            await w.until(lambda: settled(alice, bob), patience_s=3)
            nursery.cancel_scope.cancel()
        assert await texts(alice, "bob") == ["through the crowd"]
        looks_max = 10 / gate.PAUSE_S_MIN + 1
        assert all(looks_max / 2 < looks[protocol] <= looks_max for protocol in PROTOCOLS), looks

    world.run(story, seed=36)
