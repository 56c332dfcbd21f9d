"""The streams about files that a keeper serves at once: few, and those that need their places have them."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.keep import deposit_client, depot, server
from protocol.faults import Unavailable
from protocol.keep import Status
from tests.node.keep.files_kit import fetched, leave
from tests.node.keep.kit import OWNER, Place, open_keeper, posting
from tests.node.keep.test_depot import EVERY, ONE, open_doors


async def test_no_more_streams_than_fit_into_memory(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.sim.open_host("many", b"many".ljust(32)) as host:
        await open_doors(place)
        link = await host.dial(place.host.addresses()[0], place.host.peer)
        async with AsyncExitStack() as held:
            for _ in range(server.VISITS_PER_PEER_MAX):
                one = await held.enter_async_context(deposit_client.open_stream(link, host.peer))
                await one.leave(ONE.parting(1))
            with pytest.raises(Unavailable):  # of one peer
                async with deposit_client.open_stream(link, host.peer):
                    pass
            for number in range(depot.VISITS_MAX - server.VISITS_PER_PEER_MAX):
                one = await held.enter_async_context(place.deposits(f"peer {number}"))
                await one.leave(ONE.parting(1))
            await _is_turned_away(place, "late")
            async with place.stream("sender") as letters:  # mail is served all the same
                assert (await letters.put([posting(1, "mail")]))[0].status is Status.OK
            await one.give(0, ONE.pieces[0])
            assert await one.answer() is Status.OK
            await trio.sleep(depot.SPARE_S - 1.0)
            await one.give(1, ONE.pieces[1])
            assert await one.answer() is Status.OK
            await trio.sleep(3.0)
            for number in range(depot.VISITS_MAX - 1):  # in the places of those who ask for nothing any more
                late = await held.enter_async_context(place.deposits(f"late {number}"))
                await late.leave(ONE.parting(1))
            await _is_turned_away(place, "too late")
            await one.give(2, ONE.pieces[2])
            assert await one.answer() is Status.OK


async def _is_turned_away(place: Place, name: str) -> None:
    async with place.sim.open_host(name, name.encode().ljust(32)) as host:
        way = await host.dial(place.host.addresses()[0], place.host.peer)
        with pytest.raises(Unavailable):
            async with deposit_client.open_stream(way, host.peer):
                pass


async def test_strangers_who_hold_all_places_keep_no_sender_and_no_owner_out(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with AsyncExitStack() as held:
            strangers = [
                await held.enter_async_context(place.deposits(f"stranger {number}"))
                for number in range(depot.VISITS_MAX)
            ]
            sender = await held.enter_async_context(place.deposits("sender"))
            more = [
                await held.enter_async_context(place.deposits(f"more {number}"))
                for number in range(depot.VISITS_MAX - 1)
            ]
            assert (await leave(sender, ONE)).status is Status.OK
            for one in strangers:
                with pytest.raises(Unavailable):
                    await one.seek(bytes(16))
            owner = await held.enter_async_context(place.deposits("owner"))
            assert await owner.claim(OWNER, place.permit) is Status.OK
            assert await fetched(owner, ONE) == EVERY
            assert await more[-1].seek(bytes(16)) is Status.REFUSED
