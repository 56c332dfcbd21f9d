"""The peers by which the DHT is joined again: the 64 that answered last, and the devices of contacts."""

from pathlib import Path

from store import peers, people
from store.database import Tx
from store.peers import PEERS_MAX, Peer
from store.people import ContactState
from tests.store import kit


def peer(number: int, port: int = 1) -> Peer:
    return Peer(number.to_bytes(32), (f"/ip4/192.0.2.1/tcp/{port}",))


async def test_those_that_answered_last_stay_the_newest_first(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        await ana.run(peers.remember, [peer(number) for number in range(50)], 1_000_000)
        await ana.run(peers.remember, [peer(number) for number in range(100, 130)], 2_000_000)
        kept = await ana.run(peers.remembered)
        assert len(kept) == PEERS_MAX
        assert kept == (*map(peer, range(100, 130)), *map(peer, range(34)))
        await ana.run(peers.remember, [peer(33, port=2)], 3_000_000)
        kept = await ana.run(peers.remembered)
        assert kept[0] == peer(33, port=2)
        assert len(kept) == len({one.peer for one in kept}) == PEERS_MAX


async def test_more_than_a_table_holds_is_cut_off(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        many = [Peer(bytes(32), tuple(f"/ip4/192.0.2.{host}/tcp/1" for host in range(20))), *map(peer, range(1, 100))]
        await ana.run(peers.remember, many, 1_000_000)
        kept = await ana.run(peers.remembered)
        assert kept == (Peer(bytes(32), many[0].addresses[: peers.ADDRESSES_MAX]), *map(peer, range(1, PEERS_MAX)))


async def test_devices_of_contacts_are_named_and_those_of_nobody_else(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):

        def place(tx: Tx) -> None:
            tx.execute("UPDATE device SET peer = ?", (bytes(32),))

        await ana.run(place)
        assert [one.peer for one in await ana.run(peers.of_contacts, 10)] == [bytes(32)]
        assert await ana.run(peers.of_contacts, 0) == ()
        (contact,) = await ana.run(people.contacts)
        await ana.run(people.set_state, contact.id, ContactState.BLOCKED, "")
        assert await ana.run(peers.of_contacts, 10) == ()
