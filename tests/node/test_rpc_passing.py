"""`watch` of what is stored nowhere: told as it happens, with the cursor of what was told before, and never again."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trio

from node import rpc
from store.database import Worker, open_database
from store.schema import CORE
from tests.node.test_rpc import ROWS, Notes, calling
from tests.node.test_rpc_watch import _changes


class Brief:
    """A source of such things."""

    def __init__(self) -> None:
        self.sends: list[trio.MemorySendChannel[dict[str, object]]] = []
        self.opened = 0
        self._moved = trio.Event()

    @contextmanager
    def watch(self) -> Iterator[trio.MemoryReceiveChannel[dict[str, object]]]:
        send, receive = trio.open_memory_channel[dict[str, object]](8)
        self.sends.append(send)
        self.opened += 1
        self._moved.set()
        try:
            yield receive
        finally:
            self.sends.remove(send)
            self._moved.set()

    async def tell(self, number: int, opened: int, watchers: int) -> None:
        """Tells so many watchers, once so many have come in all and those who left are gone."""
        while (self.opened, len(self.sends)) != (opened, watchers):
            await self._moved.wait()
            self._moved = trio.Event()
        for send in self.sends:
            send.send_nowait({"number": number})


async def test_what_is_kept_nowhere_is_told_to_who_watches_now(tmp_path: Path) -> None:
    brief, shows = Brief(), {"notes.added": lambda tx, key: {"seq": key}}
    path = tmp_path / "rpc.sock"
    async with open_database(tmp_path / "weft.db", bytes(32), (*CORE, ROWS), Worker.INLINE) as database:
        notes = Notes(database)
        serve = partial(rpc.serve, path, {"notes": notes}, shows, database, {"brief.thing": brief.watch})
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve)
                async with calling(path) as caller, calling(path) as other:
                    assert (await caller.call("describe"))["result"]["topics"] == ["brief.thing", "notes.added"]
                    await caller.call("watch", topics=["brief"])
                    await other.call("watch")
                    await brief.tell(1, 2, 2)
                    thing = {"cursor": 0, "topic": "brief.thing", "data": {"number": 1}}
                    assert await _changes(caller, 1) == await _changes(other, 1) == [thing]
                    await notes.add("one")
                    assert [one["topic"] for one in await _changes(other, 1)] == ["notes.added"]
                    await brief.tell(2, 2, 2)
                    thing = {"cursor": 1, "topic": "brief.thing", "data": {"number": 2}}
                    assert await _changes(other, 1) == [thing]
                async with calling(path) as caller:
                    await caller.call("watch", cursor=0)
                    await brief.tell(3, 3, 1)
                    told = await _changes(caller, 2)
                    assert sorted(one["topic"] for one in told) == ["brief.thing", "notes.added"]
                nursery.cancel_scope.cancel()
