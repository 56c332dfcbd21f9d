"""A keeper whose database works on a thread of its own, as on real nodes: there nobody can ask trio for anything.

In a world the database works in line, so what a transaction asks of trio is answered there and nowhere else.
"""

from pathlib import Path

from protocol import keep
from protocol.keep import Status
from store.database import Worker
from tests.node.keep import kit
from tests.node.keep.kit import Clock, open_keeper, posting, texts
from tests.protocol import meetings
from tests.protocol.circle import NOW_S
from tests.store.keep_kit import queue


async def test_every_request_is_answered(tmp_path: Path) -> None:
    lying = meetings.presence()
    clock = Clock(NOW_S * 1000 - kit.START_MS)
    async with open_keeper(tmp_path, clock, worker=Worker.THREAD) as place, place.owner() as owner:
        assert await owner.open_queues((queue(1), queue(2))) is Status.OK
        assert [one.status for one in await owner.put([posting(1, "a"), posting(1, "b")])] == [Status.OK, Status.OK]
        assert texts(await owner.fetch(0, 9, 0)) == ["a", "b"]
        assert await owner.done(1) is Status.OK
        assert await owner.lay((lying.raw,)) is Status.OK
        assert await owner.look(lying.key) == lying.raw
        assert await owner.close_queues([queue(2).reader]) is Status.OK
        assert isinstance(used := await owner.usage(), keep.Used)
        assert (used.items, used.queues) == (1, 1)
