"""The local API: JSON-RPC 2.0, one object (or one array: a batch) a line, on a Unix socket that only its owner opens.

A connection reads all lines that are there, answers up to CALLS_MAX calls at once in the order in which they end,
and writes all answers and notifications that wait in one piece. A client that goes takes its calls with it.
`describe` and `watch` are answered here, everything else by the services. Not here: what a call may say
(node/methods.py), the text of a line (protocol/rpc.py), where the socket stands (node/profile.py).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from node import methods, supervisor
from node.methods import Method
from protocol import rpc
from protocol.faults import Unavailable, UserFault
from store.database import Database, Tx, changes_after, newest_change

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs that libp2p brings do not know trio's own

CONNECTIONS_MAX = 64  # doors, bots and scripts of one person; each costs about 20 kB
CALLS_MAX = 64  # calls in flight on one connection; the next line waits in the socket
WATCHES_MAX = 8  # subscriptions of one connection; each costs a read of the database a commit
CHANGES_MAX = 512  # changes read in one transaction, about 5 ms, so that mail is not held up by watchers
CHUNK_BYTES = 1 << 16  # one read of the socket
HALF_CLOSED_S = 0.5  # how long calls may go on when a client has closed its sending side (`nc -N`)
FLUSH_S = 1.0  # how long a client may take to read the last answers

Show = Callable[[Tx, int], dict[str, object] | None]
Passing = Callable[[], AbstractContextManager[trio.MemoryReceiveChannel[dict[str, object]]]]


class TooManyWatches(UserFault):
    """This connection watches as much as one connection may; open another one."""

    code = "watch.limit"
    next = "weft rpc --schema"


class UnknownTopic(UserFault):
    """There is nothing of that name to watch."""

    code = "watch.topic"
    next = "weft rpc --schema"
    exit = 2


class OldDoor(UserFault):
    """This weft and the running node are of different versions. Start the node anew: weft down, then weft up."""

    code = "version.mismatch"
    next = "weft down"
    exit = 8


@dataclass(frozen=True, slots=True)
class _Served:
    """What all connections share."""

    methods: Mapping[str, Method]
    description: dict[str, object]
    shows: Mapping[str, Show]
    passing: Mapping[str, Passing]
    database: Database

    @property
    def topics(self) -> tuple[str, ...]:
        """All that can be watched."""
        return (*self.shows, *self.passing)


@dataclass(frozen=True, slots=True)
class _Door:
    """One connection. out: lines to write; full means that the client does not read, and who answers waits."""

    served: _Served
    out: trio.MemorySendChannel[bytes]
    nursery: trio.Nursery
    calls: trio.Semaphore
    watches: trio.Semaphore


@dataclass(slots=True)
class _Feed:
    """A subscription: up to where its watcher was told, and which topics. lagged: he must read anew what was before."""

    cursor: int
    wanted: frozenset[str]
    lagged: bool


@dataclass(frozen=True, slots=True)
class _News:
    """What a watcher has not seen yet, up to the cursor. lagged: older changes are gone, the watcher must read anew."""

    cursor: int
    lagged: bool
    more: bool
    changes: tuple[tuple[int, str, dict[str, object]], ...]


async def serve(
    path: Path,
    services: Mapping[str, object],
    shows: Mapping[str, Show],
    database: Database,
    passing: Mapping[str, Passing] | None = None,
    *,
    task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves the API on a new socket at path until cancelled; started once it can be connected to.

    services: name -> object whose public async methods are the calls. shows: topic -> what a change of it looks like.
    passing: topic -> opens a channel of what is stored nowhere, so that only who watches at that moment hears of it.
    The directory of path is the owner's alone (0700).
    """
    table = methods.table(services)
    built_in = (methods.read("describe", describe), methods.read("watch", watch))
    brief = passing or {}
    description = methods.described([*table.values(), *built_in], (*shows, *brief))
    served = _Served({**table, **{method.name: method for method in built_in}}, description, shows, brief, database)
    limit = trio.Semaphore(CONNECTIONS_MAX)
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as listening:
        await listening.bind(os.fspath(path))
        os.chmod(path, 0o600)
        listening.listen(CONNECTIONS_MAX)

        async def meet(stream: trio.SocketStream) -> None:
            async with limit:
                await _serve_door(served, stream)

        async with trio.open_nursery() as nursery:
            listener = trio.SocketListener(listening)
            nursery.start_soon(trio.serve_listeners, meet, [listener])
            task_status.started()


async def describe() -> dict[str, object]:
    """Every method of this API with parameters, types, docstring and errors, and every topic of `watch`."""
    raise AssertionError("answered by _call")


async def watch(cursor: int | None = None, topics: list[str] | None = None) -> dict[str, object]:
    """Streams changes from now on as notifications `change` with {"cursor", "topic", "data"}.

    cursor: of the last change seen: everything after it comes first, so a watcher that reconnects misses nothing;
    null = from now. topics: names, or the part before the dot for all of a room; null = all. Who types
    (`chat.typing`) is kept nowhere: it has the cursor of the change before it, and who was away missed it.
    The answer is {"cursor": n, "lagged": bool}; lagged: changes after `cursor` are no longer kept, so read anew.
    Raises: UnknownTopic, TooManyWatches
    """
    del cursor, topics
    raise AssertionError("answered by _call")


async def _serve_door(served: _Served, stream: trio.SocketStream) -> None:
    # 64 lines may wait, so that one write carries many of them.
    out, waiting = trio.open_memory_channel[bytes](CALLS_MAX)
    try:
        async with stream, trio.open_nursery() as writing:
            writing.start_soon(_write, stream, waiting)
            async with out, trio.open_nursery() as nursery:
                door = _Door(served, out, nursery, trio.Semaphore(CALLS_MAX), trio.Semaphore(WATCHES_MAX))
                await _read(door, stream)
                with trio.move_on_after(HALF_CLOSED_S):
                    for _ in range(CALLS_MAX):
                        await door.calls.acquire()
                nursery.cancel_scope.cancel()
            writing.cancel_scope.deadline = trio.current_time() + FLUSH_S
    except* (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the client is gone; its calls were cancelled with the nursery


async def _write(stream: trio.SocketStream, waiting: trio.MemoryReceiveChannel[bytes]) -> None:
    async for line in waiting:
        piece = [line]
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while len(piece) < CALLS_MAX:
                piece.append(waiting.receive_nowait())
        await stream.send_all(b"".join(piece))


async def _read(door: _Door, stream: trio.SocketStream) -> None:
    """Starts what the lines ask for, until the client has no more to say or says too much in one line."""
    rest = b""
    while chunk := await stream.receive_some(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                await door.calls.acquire()
                door.nursery.start_soon(_answer, door, line)
        if len(rest) > rpc.LINE_BYTES_MAX:
            await door.out.send(rpc.refusal(None, rpc.PARSE, "A line of the API has at most 1 MiB."))
            return


async def _answer(door: _Door, line: bytes) -> None:
    """Answers one line and frees its place. A batch is worked in its order and answered in one line."""
    asked = rpc.parse(line)
    feeds: list[_Feed] = []
    if isinstance(asked, tuple):
        answers = [await _answer_one(door, one, feeds) for one in asked]
        given = [answer for answer in answers if answer]
        answer = rpc.batch(given) if given else b""
    else:
        answer = await _answer_one(door, asked, feeds)
    if answer:
        await door.out.send(answer)
    door.calls.release()
    for feed in feeds:  # only now, so that no change is written before the answer
        door.nursery.start_soon(_supply, door, feed)
        for topic in door.served.passing:
            if topic in feed.wanted:
                door.nursery.start_soon(supervisor.attempt, "watch", _pass_on, door, feed, topic)


async def _answer_one(door: _Door, asked: rpc.Request | rpc.Refusal, feeds: list[_Feed]) -> bytes:
    """The line that answers a call, empty for a notification."""
    if isinstance(asked, rpc.Refusal):
        return asked.line
    answer = await supervisor.attempt(asked.method, _attempt, door, asked, feeds)
    if answer is None:
        said = "The node failed at this; what it had accepted before is kept. Its log says where."
        told = {"code": "internal", "message": said, "next": "weft status", "exit": 1, "data": {}}
        answer = rpc.refusal(asked.id, rpc.INTERNAL, said, told)
    return answer if asked.answered else b""


async def _attempt(door: _Door, asked: rpc.Request, feeds: list[_Feed]) -> bytes:
    try:
        return rpc.result(asked.id, await _call(door, asked, feeds))
    except UserFault as fault:
        return rpc.refusal(asked.id, _number(fault), str(fault), _told(fault))
    except Unavailable as fault:
        told = {"code": "unavailable", "message": str(fault), "next": "weft status", "exit": 1, "data": {}}
        return rpc.refusal(asked.id, rpc.UNAVAILABLE, str(fault), told)


async def _call(door: _Door, asked: rpc.Request, feeds: list[_Feed]) -> object:
    if asked.api not in (None, rpc.API):
        raise OldDoor(node=rpc.API, door=asked.api)
    method = door.served.methods.get(asked.method)
    if method is None:
        raise methods.UnknownMethod(f"This node has no method {asked.method[:60]!r}.", method=asked.method[:60])
    arguments = methods.arguments(method, asked.params)
    match method.name:
        case "describe":
            return door.served.description
        case "watch":
            feed = await _subscribe(door, **arguments)  # type: ignore[arg-type]  # checked against watch's annotations
            feeds.append(feed)
            return {"cursor": feed.cursor, "lagged": feed.lagged}
        case _:
            return await method.call(**arguments)


def _number(fault: UserFault) -> int:
    match fault:
        case methods.UnknownMethod():
            return rpc.METHOD
        case methods.BadCall():
            return rpc.PARAMS
        case _:
            return rpc.FAULT


def _told(fault: UserFault) -> dict[str, object]:
    return {"code": fault.code, "message": str(fault), "next": fault.next, "exit": fault.exit, "data": fault.data}


async def _subscribe(door: _Door, cursor: int | None = None, topics: Sequence[str] | None = None) -> _Feed:
    database, shows, every = door.served.database, door.served.shows, door.served.topics
    for topic in topics or ():
        if not any(topic in (known, known.partition(".")[0]) for known in every):
            raise UnknownTopic(f"There is no topic {topic[:60]!r} to watch.", topics=sorted(every))
    wanted = frozenset(
        known for known in every if topics is None or known in topics or known.partition(".")[0] in topics
    )
    try:
        door.watches.acquire_nowait()
    except trio.WouldBlock:
        raise TooManyWatches from None
    newest = await database.read(newest_change)
    if cursor is None:
        return _Feed(newest, wanted, lagged=False)
    if not 0 <= cursor <= newest:
        return _Feed(newest, wanted, lagged=True)  # a cursor of another database
    news = await database.read(_read_news, cursor, wanted, shows, 1)
    return _Feed(newest if news.lagged else cursor, wanted, news.lagged)


async def _supply(door: _Door, feed: _Feed) -> None:
    """Feeds the watcher. A bug in showing a change ends the connection, and the door comes again with its cursor."""
    await supervisor.attempt("watch", _feed_or_say, door, feed)
    door.nursery.cancel_scope.cancel()


async def _feed_or_say(door: _Door, feed: _Feed) -> None:
    """Feeds the watcher, or says why there is no more to come: to come again would not help."""
    try:
        await _feed(door, feed)
    except UserFault as fault:
        await door.out.send(rpc.notification("failed", _told(fault)))
        await trio.sleep(HALF_CLOSED_S)  # the connection ends with this; let it be read


async def _feed(door: _Door, feed: _Feed) -> bytes:
    """Writes changes as they are committed, all that is there in one piece, until the client is gone."""
    database, shows = door.served.database, door.served.shows
    with database.watch() as wakes:
        while True:
            news = await database.read(_read_news, feed.cursor, feed.wanted, shows, CHANGES_MAX)
            said = [
                rpc.notification("change", {"cursor": seq, "topic": topic, "data": data})
                for seq, topic, data in news.changes
            ]
            if news.lagged:
                said.insert(0, rpc.notification("lagged", {"cursor": news.cursor}))
            if said:
                await door.out.send(b"".join(said))
            feed.cursor = news.cursor  # only now: what is told beside this must not say that it was told
            if not news.more:
                await wakes.receive()


async def _pass_on(door: _Door, feed: _Feed, topic: str) -> None:
    """Tells the watcher what is stored nowhere, as it happens, until the client is gone."""
    with door.served.passing[topic]() as told:
        async for happened in told:
            row = {"cursor": feed.cursor, "topic": topic, "data": happened}
            await door.out.send(rpc.notification("change", row))


def _read_news(tx: Tx, cursor: int, wanted: frozenset[str], shows: Mapping[str, Show], limit: int) -> _News:
    """Reads on from the cursor. A thing that changed several times is shown once, at its last place, as it is now."""
    rows = changes_after(tx, cursor, limit)
    if not rows:
        return _News(cursor, False, False, ())
    lagged = rows[0][0] > cursor + 1  # numbers have no gaps but those of old rows that were dropped
    last = {(topic, key): seq for seq, topic, key in rows if topic in wanted}
    changes = []
    for seq, topic, key in rows:
        if last.get((topic, key)) == seq:
            data = shows[topic](tx, key)
            if data is not None:
                changes.append((seq, topic, data))
    return _News(rows[-1][0], lagged, len(rows) == limit, tuple(changes))
