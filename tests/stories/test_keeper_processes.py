"""A keeper as a process: killed between accept and answer, on a full disk, with a wrong clock, and read by a thief."""

import random
import resource
import socket
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from sqlcipher3 import dbapi2

from crypto import sealing
from node.network import PeerId, peer_text
from protocol import content, ids, keep, presence_record, rendezvous
from protocol.faults import Unavailable
from protocol.invite import Endpoint
from protocol.keep import Status
from protocol.keep_code import Code
from protocol.presence_record import Presence
from store import connection
from tests import depth
from tests.protocol import meetings
from tests.protocol.circle import NOW_MS, someone
from tests.store.keep_kit import queue
from tests.stories import keeper_kit
from tests.stories.keeper_kit import everything, posting
from tests.stories.real import RealNode
from tests.stories.test_disks import room

pytestmark = [pytest.mark.process, pytest.mark.socket]

KILL_S_MAX = 0.01  # after a put began: it takes about so long
ROUND, TOGETHER = 60, 4  # envelopes, and how many of them are put at a time
WEEK_S = 7 * 86_400
PUBLISHED_S = 60.0
SIZES = (1024, 1024, 4096, 16384)
WIDE = {"items": 2000, "door_items": 2000, "size": 2**26}


async def test_killed_between_accept_and_answer_it_has_what_it_said_it_has(tmp_path: Path) -> None:
    chance = random.Random(7)
    with keeper_kit.keeper(tmp_path) as node:
        code = keeper_kit.start(node)
        async with keeper_kit.owner(code) as owner:
            assert await owner.open_queues((queue(1, **WIDE),)) is Status.OK  # type: ignore[arg-type]
        cut = 0
        for point in range(2 + depth.KILLS // 4):
            postings = [posting(1, f"{point}/{n}", chance.choice(SIZES)) for n in range(ROUND)]
            texts = [f"{point}/{n}" for n in range(ROUND)]
            last = TOGETHER * chance.randrange(ROUND // TOGETHER)
            kept = await until_killed(node, code, postings, last, chance.uniform(0, KILL_S_MAX))
            cut += len(kept) < ROUND
            code = keeper_kit.start(node)
            async with keeper_kit.owner(code, enrols=False) as owner:
                found = await everything(owner)
                assert set(kept) <= set(found) <= set(texts)
                assert len(set(found)) == len(found)
                again = await owner.put(postings)  # whoever got no answer puts again
                assert {one.status for one in again} == {Status.OK}
                assert sorted(await everything(owner)) == sorted(texts)
                assert await owner.done(2**53 - 1) is Status.OK
        assert cut, "no kill met a put"


async def until_killed(node: RealNode, code: Code, postings: list[Any], last: int, after_s: float) -> list[str]:
    """Puts, a few at a time, until the keeper is killed, so long after `last` was put; what was answered OK."""
    kept: list[str] = []
    async with trio.open_nursery() as nursery:
        begun = trio.Event()

        async def kill() -> None:
            await begun.wait()
            await trio.sleep(after_s)
            node.kill()

        async def put() -> None:
            async with keeper_kit.stream(code) as sender:
                nursery.start_soon(kill)
                for start in range(0, ROUND, TOGETHER):
                    some = postings[start : start + TOGETHER]
                    if start == last:
                        begun.set()
                    try:
                        answers = await sender.put(some)
                    except Unavailable:
                        assert begun.is_set(), "the keeper ended by itself"
                        return
                    assert {one.status for one in answers} == {Status.OK}
                    kept.extend(one.envelope.decode().rstrip(".") for one in some)

        nursery.start_soon(put)
    return kept


async def test_a_record_that_its_owner_lays_is_found_there(tmp_path: Path) -> None:
    with keeper_kit.keeper(tmp_path) as node:
        code = keeper_kit.start(node)
        key, raw = record_of_today()
        async with keeper_kit.owner(code) as owner:
            assert await owner.lay((raw,)) is Status.OK
        async with keeper_kit.stream(code) as seeker:
            assert await seeker.look(key) == raw
        node.down()


def record_of_today() -> tuple[bytes, bytes]:
    """Where a good record lies, and the record."""
    now_s = int(time.time())
    epoch = rendezvous.epochs_published(now_s)[-1]  # at midnight one that has just begun
    keys = presence_record.keys_of(meetings.PRESENCE, epoch)
    signer = rendezvous.appoint(keys.name, epoch, meetings.SEED)
    said, sequence = Presence((meetings.whereabouts(said_s=now_s),)), rendezvous.next_sequence(now_s, None)
    raw = presence_record.seal(signer, keys, said, sequence, meetings.NONCE)
    return rendezvous.dht_key(keys.name.public), raw


async def test_on_a_full_disk_it_says_so_gives_out_what_it_has_and_goes_on(tmp_path: Path) -> None:
    with keeper_kit.keeper(tmp_path) as node:
        code = keeper_kit.start(node)
        async with keeper_kit.owner(code) as owner:
            await owner.open_queues((queue(1, **WIDE),))  # type: ignore[arg-type]
            assert (await owner.put([posting(1, "before")]))[0].status is Status.OK
            room(node, (node.folder / "keeper.db-wal").stat().st_size)
            answers = await owner.put([posting(1, n, 65536) for n in range(10)])
            assert {one.status for one in answers} == {Status.FULL}
            assert await everything(owner) == ["before"]
            assert (await owner.put([posting(1, "still", 65536)]))[0].status is Status.FULL
            room(node, resource.RLIM_INFINITY)
            assert (await owner.put([posting(1, "after")]))[0].status is Status.OK
            assert await everything(owner) == ["before", "after"]
        node.down()


async def test_with_a_clock_that_is_wrong_by_a_week_nothing_is_dropped(tmp_path: Path) -> None:
    with keeper_kit.keeper(tmp_path) as node:
        code = keeper_kit.start(node)
        async with keeper_kit.owner(code) as owner:
            await owner.open_queues((queue(1),))
            short = posting(1, "a")._replace(ttl_s=3 * keep.DAY_S)
            assert (await owner.put([short]))[0].kept_s == 3 * keep.DAY_S
        for off_s in (WEEK_S, -WEEK_S, 0):
            node.down()
            node.prefix = clock_that_is_off(tmp_path, off_s)
            code = keeper_kit.start(node)
            async with keeper_kit.owner(code, enrols=False) as owner:
                assert await everything(owner) == ["a"]
                (again,) = await owner.put([short])
                assert 3 * keep.DAY_S - 60 <= again.kept_s <= 3 * keep.DAY_S
        node.down()


def clock_that_is_off(folder: Path, off_s: int) -> tuple[str, ...]:
    """Words before the command that give its process another time: no system gives one process a clock of its own."""
    script = folder / "machine.py"
    script.write_text(
        "import runpy, sys, time\n"
        f"true = time.time_ns\ntime.time_ns = lambda: true() + {off_s} * 10**9\n"
        "sys.argv = sys.argv[2:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    return (sys.executable, str(script))


async def test_case_51_whoever_has_its_disk_and_its_key_finds_nobody(tmp_path: Path) -> None:
    """All files of a keeper, and its database decrypted: no account, device, name, text, message id or PeerId."""
    ana, bo = someone("ana"), someone("bo")
    key, message_id = b"w" * 32, ids.MessageId(b"message id of 16")
    said = content.say(
        message_id=message_id,
        hlc_ms=NOW_MS,
        device_seq=1,
        parents=(),
        content=example(),
    )
    named = (
        ana.account
        + bo.account
        + ana.certificate.device
        + bo.certificate.device
        + b"Ana of Athens, Bo of Bergen"
        + said
    )
    envelope = sealing.seal(key, bytes(24), sealing.pad(named, tuple(size - 40 for size in sealing.BUCKETS)))
    with keeper_kit.keeper(tmp_path) as node:
        code = keeper_kit.start(node)
        async with keeper_kit.owner(code) as owner:
            await owner.open_queues((queue(1),))
            owner_peer = owner._mine
        async with keeper_kit.stream(code) as sender:
            sender_peer = sender._mine
            put = posting(1, "x")._replace(envelope=envelope)
            assert (await sender.put([put]))[0].status is Status.OK
            assert len(envelope) in sealing.BUCKETS
        node.down()
    files = b"".join(path.read_bytes() for path in sorted((tmp_path / "keeper").rglob("*")) if path.is_file())
    opened = decrypted(tmp_path / "keeper")
    assert envelope in opened  # it is all there
    assert envelope not in files
    names = {
        "account": (ana.account, bo.account),
        "account in text": (ids.account_text(ana.account).encode(), ids.account_text(bo.account).encode()),
        "device": (ana.certificate.device, bo.certificate.device),
        "name": (b"Ana of Athens", b"Bo of Bergen"),  # long enough that random bytes do not say them
        "text": (TEXT.encode(),),
        "message id": (message_id, ids.ulid(message_id).encode()),
        "PeerId": (owner_peer, sender_peer, *(peer_text(PeerId(one)).encode() for one in (owner_peer, sender_peer))),
    }
    for what, needles in names.items():
        for needle in needles:
            for where in (files, opened):
                assert needle not in where, what
                assert needle.hex().encode() not in where, what


TEXT = "nobody but Bo shall read this"


def example() -> Any:
    """A content of a message."""
    from features.chat.content import Text

    return Text(TEXT)


def decrypted(folder: Path) -> bytes:
    """Every value of every table of a keeper's database, as whoever has its key reads them."""
    key = (folder / "keeper.key").read_bytes()
    with closing(connection.connect(folder / "keeper.db", key)) as opened:
        tables = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for name in tables for row in opened.execute(f'SELECT * FROM "{name}"')]
    assert len(rows) > 5
    return b"\n".join(one if isinstance(one, bytes) else str(one).encode() for row in rows for one in row)


async def test_another_key_does_not_open_it(tmp_path: Path) -> None:
    with keeper_kit.keeper(tmp_path) as node:
        keeper_kit.start(node)
        node.down()
    with pytest.raises(dbapi2.DatabaseError), closing(dbapi2.connect(str(tmp_path / "keeper" / "keeper.db"))) as opened:
        opened.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()


async def test_after_a_restart_it_is_the_same_keeper_at_the_same_place(tmp_path: Path) -> None:
    with keeper_kit.keeper(tmp_path) as node:
        code = keeper_kit.start(node)
        assert node.call("keep.status")["items"] == 0
        assert node.call("node.stop") == {}
        node._wait(0)
        assert keeper_kit.start(node) == code
        async with keeper_kit.owner(code) as owner:
            await owner.open_queues((queue(1),))
            await owner.put([posting(1, "a")])
        told = node.call("keep.status")
        assert (told["items"], told["bytes"], told["queues"]) == (1, 1024, 1)
        node.down()


def test_the_addresses_that_its_person_gave_are_those_of_the_next_start_too(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other, keeper_kit.keeper(tmp_path) as node:
        ports = [other.getsockname()[1], free_port()]
        assert fails_at(node, f"192.0.2.9:{ports[0]}") == "node.listen"  # taken: this is not remembered
        given = Endpoint(bytes((192, 0, 2, 7)), ports[1])
        for said in ({"addresses": f"192.0.2.7:{ports[1]}"}, {}, {}):
            code = keeper_kit.start(node, **said)
            assert code.endpoints == (given,)
            node.kill()
        assert keeper_kit.start(node, addresses="auto").endpoints == (Endpoint(bytes((127, 0, 0, 1)), ports[1]),)
        node.down()
        assert keeper_kit.start(node).endpoints == (Endpoint(bytes((127, 0, 0, 1)), ports[1]),)
        node.down()


def free_port() -> int:
    """A port that nobody has now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        port: int = one.getsockname()[1]
        return port


def fails_at(node: RealNode, addresses: str) -> str:
    """Starts a keeper that cannot start; the code of its fault."""
    told = node._start("keep", {"addresses": addresses})
    node._wait(1)
    return str(told["error"]["code"])


def test_a_profile_with_an_identity_is_no_place_for_a_keeper(tmp_path: Path) -> None:
    node = RealNode(tmp_path, "ana")
    node.init()
    before = sorted(node.folder.iterdir())
    told = node._start("keep", {})
    node._wait(1)
    assert told["error"]["code"] == "keeper.identity"
    assert sorted(node.folder.iterdir()) == before


def test_its_record_comes_into_the_dht(tmp_path: Path) -> None:
    ana = RealNode(tmp_path, "ana")
    with keeper_kit.keeper(tmp_path) as node:
        try:
            ana.init()
            ana.up()
            ana.call("node.configure", name="dht.mode", value="server")
            status = ana.call("node.status")
            keeper_kit.start(node, bootstrap=f"{status['addresses'][0]}/p2p/{status['peer']}")
            until = time.monotonic() + PUBLISHED_S
            while not (told := node.call("keep.status"))["copies"]:
                assert time.monotonic() < until, told
                time.sleep(0.2)
            assert told["published"] == "yes"
            node.down()
        finally:
            ana.kill()
