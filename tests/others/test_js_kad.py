"""The DHT with js-libp2p in it: as a peer that keeps and finds records and providers, and as one that only asks.

Its checks of records are of its own (js/records.mjs, test_js_records.py). Everybody is on loopback.
"""

import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from os import urandom
from pathlib import Path

import pytest
import trio

from node import delimited, host, identify
from node.delimited import DelimitedReader
from node.host import Host
from node.identify import Offers
from node.kad import messages, space
from node.kad.dht import Kad, Mode
from node.kad.shelf import Rules
from node.network import Address, peer_text
from protocol import presence_record, rendezvous
from protocol.faults import Unavailable
from protocol.presence_record import Presence
from tests.others.js_peer import JsPeer, open_peer
from tests.protocol import meetings

pytestmark = [pytest.mark.process, pytest.mark.socket]

ANYWHERE = Address("/ip4/127.0.0.1/tcp/0")
PATIENCE_S = 60
RULES = Rules(rendezvous.check, rendezvous.newer)


def now_s() -> int:
    return int(time.time())


@dataclass(frozen=True)
class Lying:
    """A record of today, and where it lies."""

    key: bytes
    raw: bytes

    @property
    def wire_key(self) -> str:
        return space.record_key(self.key).decode()


def record(number: int, later: int = 0, secret: bytes = b"s") -> Lying:
    """A record that is good now. later: how much newer than others of that number."""
    epoch = rendezvous.epoch_of(now_s())
    keys = presence_record.keys_of((secret + bytes([number])) * 16, epoch)
    signer = rendezvous.appoint(keys.name, epoch, bytes([number]) * 32)
    said = Presence((meetings.whereabouts(said_s=now_s()),))
    sequence = rendezvous.next_sequence(now_s(), None) - 600 + later
    raw = presence_record.seal(signer, keys, said, sequence, urandom(24))
    return Lying(rendezvous.dht_key(keys.name.public), raw)


def forged(lying: Lying) -> bytes:
    return lying.raw[:-1] + bytes([lying.raw[-1] ^ 1])


@dataclass
class Weft:
    """One of ours in the DHT."""

    host: Host
    kad: Kad
    address: Address

    @property
    def dialled(self) -> str:
        return f"{self.address}/p2p/{peer_text(self.host.peer)}"

    async def knows(self, js: JsPeer) -> None:
        """Has a js host in its table."""
        self.kad.note_peer(js.peer, js.addresses)
        await self.has(1)

    async def has(self, peers: int) -> None:
        """Waits until so many are in its table."""

        async def are_there() -> bool:
            return self.kad.state().peers >= peers

        await until(are_there)


@asynccontextmanager
async def weft(seed: bytes, mode: Mode = Mode.SERVER) -> AsyncIterator[Weft]:
    async with host.open_host(seed * 32) as made, trio.open_nursery() as nursery:
        assert isinstance(made, Host)
        (address,) = await made.listen([ANYWHERE])
        kad = Kad(made, Offers(made, made.addresses), RULES, now_s, urandom, made.addresses, mode)
        nursery.start_soon(kad.run)
        with trio.fail_after(PATIENCE_S):
            yield Weft(made, kad, address)
        nursery.cancel_scope.cancel()


async def is_told_of(js: JsPeer, *ours: Weft) -> None:
    """Waits until a js host has these in its table."""
    for one in ours:
        await js.call("dial", address=one.dialled)
    wanted = {peer_text(one.host.peer) for one in ours}

    async def are_there() -> bool:
        return wanted <= set(await js.call("table"))

    await until(are_there)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Asks until it is true: nobody tells us when another program has got somewhere."""
    while not await true():
        await pause()


async def pause() -> None:
    await trio.sleep(0.05)


async def test_it_keeps_our_record_and_another_of_ours_gets_it_from_it_alone(packages: Path, tmp_path: Path) -> None:
    async with open_peer(packages, tmp_path, b"j" * 32, server=True) as js:
        lying = record(1)
        async with weft(b"a", Mode.CLIENT) as giver:
            await giver.knows(js)
            assert await giver.kad.put(lying.key, lying.raw) == 1
        async with weft(b"b", Mode.CLIENT) as asker:
            await asker.knows(js)
            assert await asker.kad.get(lying.key) == lying.raw
            assert await asker.kad.get(record(2).key) is None
            assert asker.kad.state().records == 0


async def test_it_gets_a_record_that_ours_hold_and_gives_us_its_own(packages: Path, tmp_path: Path) -> None:
    async with (
        weft(b"a") as ana,
        weft(b"b") as bo,
        open_peer(packages, tmp_path, b"j" * 32, server=True) as js,
    ):
        bo.kad.note_peer(ana.host.peer, [ana.address])
        mine, theirs = record(1), record(2)
        await bo.has(1)
        assert await bo.kad.put(mine.key, mine.raw) == 1
        await is_told_of(js, ana, bo)
        (found,) = await js.call("get", key=mine.wire_key)
        assert found[0] in [peer_text(one.host.peer) for one in (ana, bo)]
        assert found[1] == mine.raw.hex()
        took = await js.call("put", key=theirs.wire_key, record=theirs.raw.hex())
        assert sorted(took) == sorted(peer_text(one.host.peer) for one in (ana, bo))
        assert ana.kad.state().records == 2
        assert await bo.kad.get(theirs.key) == theirs.raw


async def test_a_client_of_theirs_puts_and_gets_and_is_in_no_table(packages: Path, tmp_path: Path) -> None:
    async with weft(b"a") as ana, open_peer(packages, tmp_path, b"j" * 32) as js:
        await is_told_of(js, ana)
        lying = record(1)
        assert await js.call("put", key=lying.wire_key, record=lying.raw.hex()) == [peer_text(ana.host.peer)]
        assert (await js.call("get", key=lying.wire_key))[-1][1] == lying.raw.hex()
        assert ana.kad.state().records == 1
        assert ana.kad.state().peers == 0


async def test_the_newest_record_wins_whoever_has_it(packages: Path, tmp_path: Path) -> None:
    """And an old one takes nobody's place: neither in theirs, as far as it asks others, nor in ours."""
    async with weft(b"a") as ana, open_peer(packages, tmp_path, b"j" * 32, server=True) as js:
        await is_told_of(js, ana)
        await ana.knows(js)
        old, new = record(1), record(1, later=60)
        assert await js.call("put", key=old.wire_key, record=old.raw.hex()) == [peer_text(ana.host.peer)]
        assert await ana.kad.put(new.key, new.raw) == 1
        assert (await js.call("get", key=new.wire_key))[-1][1] == new.raw.hex()
        await js.call("put", key=old.wire_key, record=old.raw.hex())
        assert (await js.call("get", key=new.wire_key))[-1][1] == new.raw.hex()
        assert await ana.kad.put(new.key, new.raw) == 1
        assert await ana.kad.get(new.key) == new.raw


async def test_each_refuses_the_others_bad_records(packages: Path, tmp_path: Path) -> None:
    async with weft(b"a") as ana, open_peer(packages, tmp_path, b"j" * 32, server=True) as js:
        await is_told_of(js, ana)
        await ana.knows(js)
        lying, other = record(1), record(2)
        for bad, key in ((forged(lying), lying), (lying.raw, other)):
            assert await js.call("put", key=key.wire_key, record=bad.hex()) == []
            with pytest.raises(Unavailable):  # js keeps what its own user puts, unseen: it answers with that, and
                await ana.kad.get(key.key)  # who answers with a bad record counts as one who does not answer
        assert ana.kad.state().records == 0


async def test_it_refuses_a_bad_record_as_a_gift_and_keeps_the_good_one(packages: Path, tmp_path: Path) -> None:
    async with weft(b"a") as ana, open_peer(packages, tmp_path, b"j" * 32, server=True) as js:
        lying = record(1)
        link = await ana.host.dial(js.addresses[0], js.peer)
        for raw, is_kept in ((lying.raw, True), (forged(lying), False)):
            stream = await link.open(messages.PROTOCOL)
            gift = messages.Message(messages.Kind.PUT_VALUE, space.record_key(lying.key), raw)
            await delimited.write(stream, messages.encode(gift, now_s()))
            answer = DelimitedReader(stream, messages.ANSWER_BYTES_MAX)
            if is_kept:
                assert messages.decode(await answer.demand()).record == raw
                continue
            with pytest.raises(Unavailable):
                await answer.demand()
        await ana.knows(js)
        assert await ana.kad.get(lying.key) == lying.raw


async def test_who_is_to_be_found_is_found_by_both(packages: Path, tmp_path: Path) -> None:
    async with weft(b"a") as ana, open_peer(packages, tmp_path, b"j" * 32, server=True) as js:
        await is_told_of(js, ana)
        await ana.knows(js)
        ours, theirs = sha256(b"ours").digest(), sha256(b"theirs").digest()
        assert await ana.kad.provide(ours) == 1
        found = await js.call("find", key=ours.hex())
        assert [peer_text(ana.host.peer), [ana.address]] in found
        assert await js.call("provide", key=theirs.hex()) == [peer_text(ana.host.peer)]

        async def is_found() -> bool:  # it waits for no answer when it gives
            return bool(await ana.kad.find(theirs))

        await until(is_found)
        assert [(one.peer, one.addresses) for one in await ana.kad.find(theirs)] == [(js.peer, js.addresses)]


async def test_through_one_of_ours_it_learns_of_all_of_them_and_they_of_it(packages: Path, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ours = [await stack.enter_async_context(weft(seed)) for seed in (b"a", b"b", b"c")]
        js = await stack.enter_async_context(open_peer(packages, tmp_path, b"j" * 32, server=True))
        for one in ours[1:]:
            one.kad.note_peer(ours[0].host.peer, [ours[0].address])
        for one in ours:
            await one.has(2)
        await is_told_of(js, ours[0])
        wanted = {peer_text(one.host.peer) for one in ours}

        async def are_found() -> bool:  # it asks only who is nearer than who named him, and others later
            return set(await js.call("closest", key=record(1).wire_key)) == wanted

        await until(are_found)
        for one in ours:
            await one.has(3)  # js asked them all, so they looked who it is


async def test_one_of_theirs_that_is_killed_or_stopped_holds_nobody_up(packages: Path, tmp_path: Path) -> None:
    async with weft(b"a") as ana, weft(b"b") as bo, open_peer(packages, tmp_path, b"j" * 32, server=True) as js:
        bo.kad.note_peer(ana.host.peer, [ana.address])
        await is_told_of(js, ana, bo)
        await ana.has(2)
        await bo.has(2)
        await js.kill()
        lying = record(3)
        assert await ana.kad.put(lying.key, lying.raw) == 1
        assert await bo.kad.get(lying.key) == lying.raw


async def test_what_it_reads_of_us_names_the_dht_and_nothing_of_the_account(packages: Path, tmp_path: Path) -> None:
    async with weft(b"a") as ana, open_peer(packages, tmp_path, b"j" * 32) as js:
        ana.host.serve(["/weft/talk/1"], refuse)
        await js.call("dial", address=ana.dialled)
        said = await js.call("identify", peer=peer_text(ana.host.peer))
        assert sorted(said["protocols"]) == sorted([messages.PROTOCOL, identify.IDENTIFY, identify.PING])


async def refuse(_protocol: str, _stream: object) -> None:
    return


def test_the_wire_key_is_what_the_page_says() -> None:
    key = sha256(b"k").digest()
    assert space.record_key(key).decode() == "/weft/" + urlsafe_b64encode(key).decode().rstrip("=")
