"""The file of a backup: records as one stream of bytes, padded, sealed in chunks (docs/protocol/backup.md 1 and 2).

    file   = "weftbak" version 1 || nonce 24 || check 16 || sealed chunk ...
    stream = (length u32 || record) ... || zeros up to the Padme size

Both ends work chunk by chunk, so that memory does not grow with the profile. Nothing is compressed: what a stranger
wrote into a chat shall not show in the size. Not here: which records (backup_records.py), reading and writing files
(node/backup.py).
"""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from crypto import hashing, secretstream
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from protocol import record
from protocol.backup_records import KINDS, End, Order, Record, end_of

VERSION = 1
CHUNK_BYTES = 1 << 16
SEALED_BYTES = CHUNK_BYTES + secretstream.TAG_BYTES
PADDED_BYTES_MIN = CHUNK_BYTES  # a new profile and one with some hundred messages look alike
RECORD_BYTES_MAX = 96 * 1024  # a message has at most 60 KiB; a contact with eight lists 20
HEAD_BYTES = 8 + secretstream.NONCE_BYTES + 16

_MAGIC = b"weftbak"
_LENGTH_BYTES = 4
_CHECK_BYTES = 16


class NotBackup(Malformed):
    """This file is no backup of weft."""


class NewerBackup(Malformed):
    """This backup was made by a newer weft; update weft to read it."""


class CutOff(Malformed):
    """This backup is not whole: it is cut off, or something was added to it."""


class OtherWords(Forged):
    """This backup does not open with these words: it is another account's, or its first bytes are damaged."""


class Altered(Forged):
    """This backup was altered or damaged after it was made."""


class Composer:
    """Writes the file of a backup: `head`, then `add` for all records but the last, then `end`.

    secret: the 32 bytes of the recovery words. nonce: 24 random bytes, never used for another file.
    """

    __slots__ = ("_buffer", "_counts", "_sealer", "_size", "head")

    def __init__(self, secret: bytes, nonce: bytes) -> None:
        magic = _magic(VERSION)
        self.head = magic + nonce + _check(secret, magic + nonce)
        self._sealer = secretstream.Sealer(_key(secret), nonce, magic)
        self._buffer = bytearray()
        self._counts: dict[type, int] = {}
        self._size = 0

    def add(self, records: Iterable[Record]) -> bytes:
        """The next bytes of the file, perhaps none: whole chunks. The records are in order (backup 3.2)."""
        for rec in records:
            self._put(rec)
            self._counts[type(rec)] = self._counts.get(type(rec), 0) + 1
        return b"".join(self._chunks())

    def end(self) -> Iterator[bytes]:
        """The rest of the file: the last record, the padding, the last chunk."""
        self._put(end_of(self._counts))
        missing = _padded(self._size) - self._size
        while missing:
            zeros = min(missing, CHUNK_BYTES)
            self._buffer += bytes(zeros)
            missing -= zeros
            yield from self._chunks()
        yield self._sealer.seal_last(bytes(self._buffer))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")

    def _put(self, rec: Record) -> None:
        raw = record.encode(rec)
        assert len(raw) <= RECORD_BYTES_MAX
        self._buffer += len(raw).to_bytes(_LENGTH_BYTES, "big") + raw
        self._size += _LENGTH_BYTES + len(raw)

    def _chunks(self) -> Iterator[bytes]:
        """Sealed whole chunks; the last bytes stay, because the last chunk is never empty."""
        start = 0
        while len(self._buffer) - start > CHUNK_BYTES:
            yield self._sealer.seal(bytes(self._buffer[start : start + CHUNK_BYTES]))
            start += CHUNK_BYTES
        del self._buffer[:start]


class Reader:
    """Reads the file of a backup: made from its first bytes, then `take` for each chunk, then `finish`.

    secret: the 32 bytes of the recovery words. size: of the file, in bytes. order: what holds between the records.
    """

    __slots__ = ("_buffer", "_opener", "_padding", "_said", "_size", "order")

    def __init__(self, secret: bytes, head: bytes, size: int, order: Order) -> None:
        """Raises: NotBackup, NewerBackup, CutOff, OtherWords."""
        magic, nonce, check = head[:8], head[8:-_CHECK_BYTES], head[-_CHECK_BYTES:]
        if magic[:-1] != _MAGIC:
            raise NotBackup
        if len(head) != HEAD_BYTES:
            raise CutOff
        if magic[-1] > VERSION:
            raise NewerBackup
        if magic != _magic(VERSION):
            raise NotBackup
        self._size = _stream_size(size)
        if not hashing.same(check, _check(secret, magic + nonce)):
            raise OtherWords
        self._opener = secretstream.Opener(_key(secret), nonce, magic)
        self._buffer = b""
        self._said = 0
        self._padding = 0
        self.order = order

    def take(self, sealed: bytes) -> tuple[Record, ...]:
        """The records that end in the next sealed chunk: SEALED_BYTES, the last one fewer or as many.

        Raises: Altered for a chunk that is not the next one; Malformed, Forged, NewerContent for what is in it.
        """
        try:
            chunk = self._opener.open(sealed)
        except Forged:
            raise Altered from None
        self._buffer += chunk
        found: list[Record] = []
        while self.order.end is None and (raw := self._next()) is not None:
            rec: Any = record.decode_one_of(KINDS, raw, RECORD_BYTES_MAX)
            self.order.take(rec)
            found.append(rec)
        if self.order.end is not None:
            if self._buffer.strip(b"\x00"):
                raise Malformed
            self._padding += len(self._buffer)
            self._buffer = b""
        return tuple(found)

    def finish(self) -> End:
        """The last record, after the last chunk. Raises: CutOff, Malformed (padded in another way)."""
        end = self.order.end
        if end is None or not self._opener.is_over:
            raise CutOff
        if self._said + self._padding != self._size or self._size != _padded(self._said):
            raise Malformed
        return end

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")

    def _next(self) -> bytes | None:
        """The next whole record in the buffer."""
        if len(self._buffer) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if length > RECORD_BYTES_MAX:
            raise Malformed
        end = _LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        raw, self._buffer = self._buffer[_LENGTH_BYTES:end], self._buffer[end:]
        self._said += end
        return raw


def file_size(stream_bytes: int) -> int:
    """The size of the file of a backup whose records take so many bytes, their lengths included."""
    padded = _padded(stream_bytes)
    return HEAD_BYTES + padded + secretstream.TAG_BYTES * -(-padded // CHUNK_BYTES)


def _padded(stream_bytes: int) -> int:
    return secretstream.padded_size(max(stream_bytes, PADDED_BYTES_MIN))


def _stream_size(size: int) -> int:
    """How many bytes of stream are in a file of this size. Raises: CutOff when no backup has this size."""
    sealed = size - HEAD_BYTES
    found = sealed - secretstream.TAG_BYTES * -(-sealed // SEALED_BYTES)
    if found < PADDED_BYTES_MIN or file_size(found) != size:
        raise CutOff
    return found


def _magic(version: int) -> bytes:
    return _MAGIC + bytes((version,))


def _key(secret: bytes) -> bytes:
    return hashing.subkey(secret, Label.BACKUP, b"file")


def _check(secret: bytes, head: bytes) -> bytes:
    """Tells other words from damaged bytes; without the words it is as random as the nonce."""
    return hashing.mac(hashing.subkey(secret, Label.BACKUP, b"file-check"), head)[:_CHECK_BYTES]
