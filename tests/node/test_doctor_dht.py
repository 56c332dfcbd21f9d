"""The doctor on the DHT and on a copied profile: every verdict, and both as a running node finds them."""

import pytest

from lab import world
from lab.world import World
from node.core import Core
from node.doctor import dht
from node.doctor.dht import Probe
from node.doctor.findings import Level
from protocol import ids, presence_record, rendezvous
from protocol.presence_record import Presence, Whereabouts
from tests.stories.test_found import acquainted, key_of, lies_at, published

LINE = Whereabouts(ids.DeviceId(b"d" * 32), b"p" * 32, ("/ip4/44.0.0.9/tcp/4001",), 1_790_000_000)


@pytest.mark.parametrize(
    ("probe", "level", "words"),
    [
        (Probe(8, True, 0.12), Level.OK, "3 peers known; 8 peers kept a record, and it came back, all in 0.1 s"),
        (Probe(1, False, 0.12), Level.WARNING, "1 peer took a record, and it did not come back"),
        (Probe(fault="nobody answers"), Level.WARNING, "nobody answers"),
    ],
)
def test_what_became_of_the_record(probe: Probe, level: Level, words: str) -> None:
    found = dht.tried(probe, 3)
    assert (found.name, found.level, words in found.sentence) == ("dht", level, True)
    assert bool(found.next) == (level is Level.WARNING)


def test_a_dht_that_is_off_or_empty_names_the_command() -> None:
    assert (dht.switched_off().level, dht.switched_off().next) == (Level.OK, "weft config set dht.mode auto")
    found = dht.unreached("no peer answered yet")
    assert (found.level, "no peer answered yet" in found.sentence) == (Level.WARNING, True)
    assert found.next.startswith("weft config set dht.bootstrap ")


def test_a_second_copy_is_named_with_its_time_and_place() -> None:
    found = dht.double(LINE, 1000 * LINE.said_s + 180_000, is_known=True)
    assert (found.name, found.level, found.next) == ("second copy", Level.WARNING, "weft down")
    assert "last 3 min ago" in found.sentence
    assert "/ip4/44.0.0.9/tcp/4001" in found.sentence
    assert dht.double(None, 0, is_known=True).level is Level.OK
    assert dht.double(None, 0, is_known=False).level is Level.UNKNOWN


def test_whoever_writes_as_this_device_is_found_and_our_own_restart_is_not() -> None:
    async def story(w: World) -> None:
        alice, _, table = await acquainted(w)
        await w.until(lambda: published(alice, table))

        def core() -> Core:
            assert alice.node is not None
            return alice.node.core

        publisher = core().publisher
        assert publisher is not None
        assert await publisher.look_for_double()
        assert publisher.double is None
        await alice.stop()
        await alice.start()  # its first look finds what it wrote before
        publisher = core().publisher
        assert publisher is not None
        assert not await publisher.look_for_double()

        async def has_published() -> bool:
            return core().publisher.copies > 0  # type: ignore[union-attr]

        await w.until(has_published)
        assert await publisher.look_for_double()
        assert publisher.double is None

        keys, now_s = await key_of(alice), alice.now_ms() // 1000
        copied = Whereabouts(core().identity.device, core().network.peer, LINE.addresses, now_s + 60)
        signer = rendezvous.appoint(keys.name, keys.epoch, bytes(32))
        sequence = rendezvous.next_sequence(now_s, now_s + 300)
        table.keep(lies_at(keys), presence_record.seal(signer, keys, Presence((copied,)), sequence, bytes(24)))
        assert await publisher.look_for_double()
        assert publisher.double == copied

    world.run(story, seed=431)


def test_a_record_of_nobody_goes_out_and_comes_back_and_tells_when_it_does_not() -> None:
    async def story(w: World) -> None:
        alice, _, table = await acquainted(w)
        assert alice.node is not None
        core = alice.node.core
        assert core.lookup is not None
        probe = await dht.probed(core, core.lookup)
        assert (probe.is_back, probe.fault, probe.copies > 0) == (True, "", True)
        table.is_down = True
        assert "answers" in (await dht.probed(core, core.lookup)).fault

    world.run(story, seed=432)
