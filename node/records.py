"""Noise records over a TCP socket, or over a stream through a relay: whole ones in and out, and no call that is torn.

After libp2p's Noise handshake this takes the place of its record layer, with the same bytes on the wire (u16 length,
ciphertext, at most 65,535 bytes: libp2p Noise spec, "Wire Format"). libp2p's own writes a record with send_all, and a
cancelled send_all leaves half a record behind: every deadline on a write would cost the link. Here a sealed record
stays in memory until the kernel has taken all of it, whoever waited for it. It also reads as much as there is, not
twice per record. Figures: docs/protocol/frames.md. Not here: the handshake (guards.py), streams (yamux.py).
"""

from collections.abc import Callable
from typing import Protocol

import trio

from crypto.faults import Malformed
from protocol.faults import Unavailable

RECORD_BYTES_MAX = 65_535
PLAIN_BYTES_MAX = RECORD_BYTES_MAX - 16  # less the Poly1305 tag
BACKLOG_BYTES_MAX = 256 * 1024  # unsent bytes at which a stream's sender waits
FLOOD_BYTES_MAX = 1024 * 1024  # unsent bytes at which the link ends: a peer makes us answer and does not read
RECEIVE_BYTES = 128 * 1024  # per socket read: two full records

_LENGTH_BYTES = 2
_RECORDS_PER_SEND = 4  # 256 KiB per system call at most

Seal = Callable[[bytes], bytes]
"""Turns a plaintext of at most 65,519 bytes into a ciphertext, or back; each call uses the next nonce."""


class Wire(Protocol):
    """What carries the bytes of records: a `Socket`, or a MuxStream of a link to a relay (streams.py)."""

    async def receive_some(self, bytes_max: int) -> bytes:
        """Returns 1 to bytes_max bytes, b"" at the end. Raises: Unavailable."""

    async def send_some(self, data: memoryview) -> int:
        """Sends the beginning of data, returns how many bytes; a cancelled call has sent none. Raises: Unavailable."""

    async def aclose(self) -> None:
        """Ends both directions without waiting. May be repeated."""


class Socket:
    """A TCP socket as a Wire."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def receive_some(self, bytes_max: int) -> bytes:
        """Returns 1 to bytes_max bytes, b"" at the end. Raises: Unavailable."""
        try:
            return await self.stream.receive_some(bytes_max)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Unavailable("the connection broke") from error

    async def send_some(self, data: memoryview) -> int:
        """Hands the kernel what it takes of data, returns how many bytes. Raises: Unavailable."""
        try:
            return await self.stream.socket.send(data)
        except (OSError, trio.ClosedResourceError) as error:
            raise Unavailable("the connection broke") from error

    async def aclose(self) -> None:
        """Closes the socket."""
        await trio.aclose_forcefully(self.stream)


class Records:
    """Both directions of one link's wire. One task reads, one task runs `write_rest`, any task may send."""

    def __init__(self, wire: Wire, seal: Seal, unseal: Seal) -> None:
        """seal: never fails. unseal: raises PeerFault for a forged record."""
        self.wire = wire
        self._seal = seal
        self._unseal = unseal
        self._received = bytearray()
        self._pending = bytearray()  # put, not yet sealed
        self._sealed = memoryview(b"")  # sealed, not yet taken by the kernel
        self._put = 0  # plain bytes ever put
        self._taken = 0  # of them, those whose record the kernel has taken whole
        self._is_sending = False
        self._is_broken = False
        self._work = trio.lowlevel.ParkingLot()  # where write_rest waits
        self._room = trio.lowlevel.ParkingLot()  # where senders wait for the backlog to shrink

    @property
    def backlog(self) -> int:
        """Plain bytes put that the kernel has not taken."""
        return self._put - self._taken

    async def receive(self) -> bytes:
        """Returns the plaintext of the records that are here, waiting for one; b"" when the peer closed the socket.

        Raises: PeerFault for a forged record or an end inside one; Unavailable when the socket broke.
        """
        while True:
            plain = self._take_records()
            if plain:
                return plain
            data = await self.wire.receive_some(RECEIVE_BYTES)
            if not data:
                if self._received:
                    raise Malformed("a connection ended in the middle of a record")
                return b""
            self._received += data

    def put(self, data: bytes) -> None:
        """Queues data behind what is queued; `flush` or `write_rest` sends it."""
        self._pending += data
        self._put += len(data)

    def kick(self) -> None:
        """Lets write_rest send what is queued; for those who may not wait."""
        if not self._is_sending:
            self._work.unpark()

    async def flush(self) -> None:
        """Sends what is queued now, unless another task is already sending: then that one sends it.

        Cancelled, it leaves the rest to write_rest; nothing is lost or torn. Raises: Unavailable when the socket broke.
        """
        if self._is_broken:
            raise Unavailable("the connection broke")
        if self._is_sending:
            return
        goal = self._put
        self._is_sending = True
        try:
            while self._taken < goal:
                await self._send_once()
        except Unavailable:
            self._is_broken = True
            raise
        finally:
            self._is_sending = False
            if self._sealed or self._pending:
                self._work.unpark()
            if self._room:
                self._room.unpark_all()

    async def wait_for_room(self) -> None:
        """Returns when less than 256 KiB are unsent. Raises: Unavailable when the socket broke."""
        while self.backlog >= BACKLOG_BYTES_MAX:
            if self._is_broken:
                raise Unavailable("the connection broke")
            await self._room.park()

    async def write_rest(self) -> None:
        """Sends what others queued and did not send, until cancelled. Raises: Unavailable when the socket broke."""
        while True:
            while self._is_sending or not (self._sealed or self._pending):
                await self._work.park()
            await self.flush()

    async def drain(self) -> None:
        """Returns when all that was queued is sent. Raises: Unavailable when the socket broke."""
        while self.backlog:
            if self._is_sending:
                await self._room.park()
            else:
                await self.flush()

    async def aclose(self) -> None:
        """Closes the socket; waiting senders learn it. May be repeated."""
        self._is_broken = True
        self._room.unpark_all()
        await self.wire.aclose()

    def _take_records(self) -> bytes:
        """Returns the plaintext of all whole records received. Raises: PeerFault for a forged one."""
        received = self._received
        plains: list[bytes] = []
        start = 0
        with memoryview(received) as view:  # a slice of the bytearray itself would be one more copy
            while len(received) >= start + _LENGTH_BYTES:
                begin = start + _LENGTH_BYTES
                end = begin + ((received[start] << 8) | received[start + 1])
                if len(received) < end:
                    break
                plains.append(self._unseal(bytes(view[begin:end])))
                start = end
        if start:
            del received[:start]
        return plains[0] if len(plains) == 1 else b"".join(plains)

    async def _send_once(self) -> None:
        """Seals the next records if none wait, and hands the kernel what it takes."""
        if not self._sealed:
            sealed = bytearray()
            for _ in range(_RECORDS_PER_SEND):
                with memoryview(self._pending) as view:
                    record = self._seal(bytes(view[:PLAIN_BYTES_MAX]))
                sealed += len(record).to_bytes(_LENGTH_BYTES)
                sealed += record
                if len(self._pending) <= PLAIN_BYTES_MAX:
                    self._pending.clear()
                    break
                del self._pending[:PLAIN_BYTES_MAX]
            self._sealed = memoryview(sealed)
        count = await self.wire.send_some(self._sealed)
        self._sealed = self._sealed[count:]
        if not self._sealed:
            self._taken = self._put - len(self._pending)
