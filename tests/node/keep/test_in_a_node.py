"""A node keeps for others once its rooms give a permit, and after each start from then on; before, it has no file."""

import trio

from lab import world
from lab.world import Person, World
from node.keep import client
from node.keep.server import TRY_S
from node.service import NodeService
from protocol import keep
from protocol.keep import Status
from tests.node.keep.kit import GIB, MONTH_S, OWNER, posting, texts
from tests.store.keep_kit import queue


async def fetched(
    ana: Person, bo: Person, permit: bytes, *, enrols: bool = False, text: str = ""
) -> list[str] | Status:
    """What lies at Ana's node for bo's owner key, after a text was put."""
    assert ana.node is not None
    assert bo.node is not None
    network = bo.node.core.network
    link = await network.dial(ana.node.addresses[0], ana.node.core.network.peer)
    try:
        async with client.open_stream(link, network.peer) as stream:
            status = await stream.claim(OWNER, permit, enrols=enrols)
            if status is not Status.OK:
                return status
            if text:
                await stream.open_queues((queue(1),))
                await stream.put([posting(1, text)])
            return texts(await stream.fetch(0, 9, 0))
    finally:
        await link.aclose()


def test_a_disk_that_takes_nothing_for_others_is_told_until_it_does_again() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        assert ana.node is not None
        core = ana.node.core

        async def trouble() -> str:
            found = (await NodeService(core, "ana", 0).status())["trouble"]
            assert isinstance(found, str)
            return found

        permit = await core.keeping.permit(1, GIB, MONTH_S)
        assert await fetched(ana, bo, permit, enrols=True, text="a") == ["a"]
        assert await trouble() == ""
        disk = core.keeping.database._connection
        disk.execute("PRAGMA max_page_count = 1")  # SQLite then says what it says of a full disk
        for n in range(40):
            await fetched(ana, bo, permit, text=f"{n}" * 300)
        assert (await trouble()).startswith("What you keep for others: the disk is full")
        disk.execute("PRAGMA max_page_count = 1073741823")
        await trio.sleep(TRY_S + 1.0)
        assert await trouble() == ""

    world.run(story, seed=2)


def test_a_node_keeps_for_whom_it_gave_a_permit_and_goes_on_after_a_restart() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        file = w.folder / "ana.keeping.db"
        assert ana.node is not None
        assert not file.exists()
        assert keep.PROTOCOL not in w.network._hosts["ana"].accepts
        with trio.fail_after(60):
            permit = await ana.node.core.keeping.permit(1, GIB, MONTH_S)
        assert file.exists()
        assert await fetched(ana, bo, permit, enrols=True, text="a") == ["a"]
        await ana.kill()
        await ana.start()

        async def serves() -> bool:
            """ana keeps again, without being asked"""
            return keep.PROTOCOL in w.network._hosts["ana"].accepts

        await w.until(serves)
        assert await fetched(ana, bo, permit) == ["a"]
        assert ana.node is not None
        (use,) = await ana.node.core.keeping.usage()
        assert (use.contact, use.items) == (1, 1)

    world.run(story, seed=1)
