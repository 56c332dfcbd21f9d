"""The baseline of messages.py: the least that does the same work. Two processes, trio TCP, PyNaCl's SecretBox, SQLite.

Each message of 100 bytes is stored under a random id (synchronous=FULL) before it is sent, sealed, stored at the other
end before it is acknowledged by a sealed receipt, and marked as delivered when that comes. Commits are grouped, writes
are not. No ratchet, no contacts, no encrypted disk, no local API: what is left is the floor on this machine.
`python -m benchmarks.bare FOLDER oneway|pingpong` is the receiving end.
"""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from struct import Struct

import trio
from nacl.secret import SecretBox

KEY = bytes(range(32))
WINDOW = 512
BATCH = 64  # messages in one transaction, as many as the node's feeder puts into one call
TEXT = b"x" * 100
FOR_EVER = 10**9  # the receiving end answers until it is ended
_HEAD = Struct(">I")


def oneway(folder: Path, count: int) -> float:
    """Messages a second, one way, with a window of 512."""
    return _with_receiver(folder, count, WINDOW)


def pingpong(folder: Path, count: int) -> float:
    """Messages a second when each end answers what it has stored: count each way, every one of them receipted."""
    return 2 * _with_receiver(folder, count, None)


def _with_receiver(folder: Path, count: int, window: int | None) -> float:
    """Times the sending end; window None: ping-pong."""
    command = [sys.executable, "-m", "benchmarks.bare", str(folder), "pingpong" if window is None else "oneway"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as receiver:
        try:
            assert receiver.stdout is not None
            return trio.run(_timed, folder, int(receiver.stdout.readline()), count, window)
        finally:
            receiver.kill()


async def _timed(folder: Path, port: int, count: int, window: int | None) -> float:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        database = _database(folder / f"sender-{time.monotonic_ns()}.db")
        began = time.perf_counter()
        if window is None:
            await _post(stream, database)
            await _answer(stream, database, count)
        else:
            await _send(stream, database, count, window)
        return count / (time.perf_counter() - began)


async def _post(stream: trio.SocketStream, database: sqlite3.Connection) -> None:
    said = os.urandom(16)
    with database:
        database.execute("INSERT INTO message (id, text, delivered) VALUES (?, ?, 0)", (said, TEXT))
    await stream.send_all(_frame(SecretBox(KEY), said + TEXT))


async def _answer(stream: trio.SocketStream, database: sqlite3.Connection, count: int) -> None:
    """Stores what comes (a message, the receipt of our own, or both), gives a receipt, and says the next."""
    box = SecretBox(KEY)
    buffer = b""
    heard = 0
    while heard < count:
        frames, buffer = _opened(box, buffer + await stream.receive_some(65536))
        said = [(one[:16], one[16:]) for one in frames if len(one) > 16]
        receipts = [(one,) for one in frames if len(one) == 16]
        with database:
            database.executemany("INSERT INTO message (id, text, delivered) VALUES (?, ?, 1)", said)
            database.executemany("UPDATE message SET delivered = 1 WHERE id = ?", receipts)
        for message_id, _ in said:
            await stream.send_all(_frame(box, message_id))
            heard += 1
            if heard < count:
                await _post(stream, database)


async def _send(stream: trio.SocketStream, database: sqlite3.Connection, count: int, window: int) -> None:
    box = SecretBox(KEY)
    posted = acked = 0
    buffer = b""
    while acked < count:
        batch = min(BATCH, window - (posted - acked), count - posted)
        if batch > 0:
            ids = [os.urandom(16) for _ in range(batch)]
            with database:
                database.executemany(
                    "INSERT INTO message (id, text, delivered) VALUES (?, ?, 0)", [(n, TEXT) for n in ids]
                )
            for one in ids:
                await stream.send_all(_frame(box, one + TEXT))
            posted += batch
            if posted < count and posted - acked < window:
                continue
        buffer += await stream.receive_some(65536)
        receipts, buffer = _opened(box, buffer)
        with database:
            database.executemany("UPDATE message SET delivered = 1 WHERE id = ?", [(one,) for one in receipts])
        acked += len(receipts)


async def _receive(folder: Path, work: str) -> None:
    database = _database(folder / f"receiver-{time.monotonic_ns()}.db")
    box = SecretBox(KEY)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listener.socket.getsockname()[1], flush=True)
    async with await listener.accept() as stream:
        if work == "pingpong":
            await _answer(stream, database, FOR_EVER)
        buffer = b""
        async for chunk in stream:
            said, buffer = _opened(box, buffer + chunk)
            if said:
                rows = [(one[:16], one[16:]) for one in said]
                with database:
                    database.executemany("INSERT INTO message (id, text, delivered) VALUES (?, ?, 1)", rows)
                for one in said:
                    await stream.send_all(_frame(box, one[:16]))


def _frame(box: SecretBox, said: bytes) -> bytes:
    sealed = bytes(box.encrypt(said))
    return _HEAD.pack(len(sealed)) + sealed


def _opened(box: SecretBox, buffer: bytes) -> tuple[list[bytes], bytes]:
    """What the whole frames in the buffer say, and the rest."""
    said: list[bytes] = []
    at = 0
    while len(buffer) - at >= 4 and len(buffer) - at - 4 >= (size := _HEAD.unpack_from(buffer, at)[0]):
        said.append(box.decrypt(buffer[at + 4 : at + 4 + size]))
        at += 4 + size
    return said, buffer[at:]


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE message (seq INTEGER PRIMARY KEY, id BLOB UNIQUE, text BLOB, delivered INTEGER)")
    return database


if __name__ == "__main__":
    trio.run(_receive, Path(sys.argv[1]), sys.argv[2])
