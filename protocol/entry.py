"""Entries of logs: COSE_Sign1 with detached content, strictly read (docs/protocol/log.md 1 to 3).

    entry = 84  43 A1 01 27  A0  bstr(body)  58 40 signature        RFC 9052, without tag 18
    body  = [1, author, log, seq, prev, at_ms, [[log, seq, id], ...], kind, content length, content hash]

They are read by a grammar, not by the wire decoder, which would see a map in the headers and takes twice as long. Not
here: how entries hang together (log.py), what a sealed content says (the rooms), where they lie (store/entries.py).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from crypto import hashing, keys, sealing
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from protocol import wire
from protocol.faults import OverLimit

VERSION = 1
ID_BYTES = 32  # of an entry: BLAKE2b-256 over all its bytes
LOG_BYTES = 16  # of the id of a log
SEQ_MAX = 2**40 - 1  # a million entries a day for 3,000 years; the store keeps it beside a log's number in 64 bits
AT_MS_MAX = 2**48 - 1  # as wide as the time of a ULID
ACKS_MAX = 32  # logs acknowledged by one entry; the next one takes the rest
ENTRY_BYTES_MAX = 2_174  # 32 acks of 61 bytes, and all else at its longest
ENTRY_BYTES_MIN = 167  # every integer at its shortest and no prev
SAID_BYTES_MAX = 60 * 1024  # as a message; what is longer is a blob
PADDED_BYTES = tuple(128 << step for step in range(10))  # 128 to 65,536: ten lengths are all that a content tells
CONTENT_BYTES_MAX = PADDED_BYTES[-1] + 1024  # sealed, with room for the keys that a room puts in front

_HEADERS = bytes.fromhex("43a10127a0")  # protected {1: -8}, which is EdDSA; nothing unprotected
_START = b"\x84" + _HEADERS
_SIGNATURE_START = bytes((0x58, keys.SIGNATURE_BYTES))
_END_BYTES = len(_SIGNATURE_START) + keys.SIGNATURE_BYTES
# RFC 9052, 4.4: ["Signature1", protected, external_aad, payload]; the payload follows.
_STRUCTURE_START = keys.COSE_SIGN1 + _HEADERS[:4] + wire.encode(Label.LOG.value.encode())

# The grammar of an entry, each item in its one encoding (wire 1). What is left to check are the length of the payload,
# the number of acks, and the limits of numbers, which `Body` knows. Each choice is made by one byte, so the time to
# match is proportional to the length.
_UINT = rb"(?:[\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].|\x1a(?!\x00\x00).{4}|\x1b(?!\x00{4}).{8})"
_SHAPE = rb"""
    \x84 \x43\xa1\x01\x27 \xa0 (\x58[\x18-\xff]|\x59[\x01-\xff].)          # headers; the head of the payload
    \x8a \x01 \x58\x20(.{32}) \x50(.{16}) (UINT) (?:\xf6|\x58\x20(.{32}))  # version, author, log, seq, prev
    (UINT) ([\x80-\x97]|\x98[\x18-\xff])                                   # at; the head of the acks
    ((?:\x83 \x50.{16} UINT \x58\x20.{32})*)                               # log, seq and id of each
    ([\x00-\x02]) (UINT) \x58\x20(.{32})                                   # kind, content length, content hash
    \x58\x40 .{64}                                                         # signature
""".replace(b"UINT", _UINT)
_ENTRY = re.compile(_SHAPE, re.DOTALL | re.VERBOSE)
_ACK = re.compile(rb"\x83\x50(.{16})(UINT)\x58\x20(.{32})".replace(b"UINT", _UINT), re.DOTALL)
# What stands behind the log in an entry that was parsed before, up to the acks.
_RECALLED = re.compile(
    rb"UINT(?:\xf6|\x58\x20.{32})(UINT)([\x80-\x97]|\x98.)((?:\x83\x50.{16}UINT\x58\x20.{32})*)".replace(
        b"UINT", _UINT
    ),
    re.DOTALL,
)
_ONE_ACK = b"\x81"
_PAYLOAD_AT, _BYTES_SHORT = len(_START), 0x58
_SHORT, _LONG = (head + 2 + 2 + keys.PUBLIC_BYTES + 1 + LOG_BYTES for head in (2, 3))  # up to the seq
_ACK_LOG, _ACK_SEQ, _ACK_ID = slice(2, 18), slice(18, -34), slice(-32, None)


class Kind(IntEnum):
    """What an entry shows of itself in the clear."""

    SEALED = 0  # its real kind is inside the content
    SPINE = 1
    PUBLIC = 2


class Ack(NamedTuple):
    """An entry of another log that the author had seen. log: 16 bytes, id: 32."""

    log: bytes
    seq: int
    id: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """What an author signs. author: his device key, 32 bytes; log: 16; prev: the entry before, 32, None for the first.

    at_ms: the author's clock, trusted by nobody. content_length, content_hash: of the detached content, as `about` has
    them. The constructor refuses what the wire does not allow: OverLimit.
    """

    author: bytes
    log: bytes
    seq: int
    prev: bytes | None
    at_ms: int
    acks: tuple[Ack, ...]
    kind: Kind
    content_length: int
    content_hash: bytes

    def __post_init__(self) -> None:
        if not _is_allowed(self):
            raise OverLimit("An entry of a log is larger or stranger than the protocol allows.", field="entry")


@dataclass(frozen=True, slots=True)
class Entry:
    """A signed entry. raw: its bytes, the only truth; id: 32 bytes; body: what they say."""

    raw: bytes
    id: bytes
    body: Body


def about(content: bytes) -> tuple[int, bytes]:
    """Length and hash (32 bytes) of a content, as a body names them."""
    return len(content), hashing.digest(content)


def id_of(raw: bytes) -> bytes:
    """The 32-byte id of an entry, from all its bytes (log 1.5)."""
    return hashing.digest(raw)


def write(body: Body, key: keys.SigningKey) -> Entry:
    """The entry that says this, signed (RFC 9052, 4.4). key: the author's own."""
    assert key.public == body.author
    payload = wire.encode(wire.encode((VERSION, *_values(body))))
    raw = _START + payload + _SIGNATURE_START + key.sign_cose(_STRUCTURE_START + payload)
    return Entry(raw, id_of(raw), body)


def open(raw: bytes, author: bytes) -> Entry:  # noqa: A001 - callers say entry.open
    """The entry in these bytes, which this device key has signed (log 1).

    author: 32 bytes. Raises: Malformed, Forged (another author, a bad signature).
    """
    found = parse_without_looking_at_the_signature(raw)
    if found.body.author != author:
        raise Forged
    verify(found)
    return found


def verify(entry: Entry) -> None:
    """Returns when the author that an entry names has signed it. Raises: Forged."""
    structure = _STRUCTURE_START + entry.raw[len(_START) : -_END_BYTES]
    keys.verify_cose(entry.body.author, structure, entry.raw[-keys.SIGNATURE_BYTES :])


def parse_without_looking_at_the_signature(raw: bytes) -> Entry:
    """An entry of well-formed bytes that anybody may have made. Only log.py calls this, for a run with a signed end,
    and log_file.py, which hands it on as nothing but claimed.

    Raises: Malformed for all bytes that `write` would not have made, whatever the signature.
    """
    match = _ENTRY.fullmatch(raw) if len(raw) <= ENTRY_BYTES_MAX else None
    if match is None:
        raise Malformed
    size, author, log, seq, prev, at_ms, count, acks, kind, length, content_hash = match.groups()
    seen = tuple(Ack(of, _argument(at), id_) for of, at, id_ in _ACK.findall(acks)) if acks else ()
    if _argument(size) != len(raw) - _END_BYTES - match.end(1) or _argument(count) != len(seen):
        raise Malformed
    try:
        place = (author, log, _argument(seq), prev, _argument(at_ms))
        body = Body(*place, seen, _KINDS[kind], _argument(length), content_hash)
    except OverLimit:
        raise Malformed from None
    return Entry(raw, id_of(raw), body)


def recall_acks(raw: bytes) -> tuple[int, tuple[Ack, ...]]:
    """When it was written, by its author's clock, and what it acknowledges, of an entry that was parsed before: a
    fold reads a hundred thousand. Never of peers' bytes."""
    match = _RECALLED.match(raw, _PAYLOAD_AT + (_SHORT if raw[_PAYLOAD_AT] == _BYTES_SHORT else _LONG))
    assert match is not None
    at, count, acks = match.groups()
    if count == _ONE_ACK:
        return _argument(at), (Ack(acks[_ACK_LOG], _argument(acks[_ACK_SEQ]), acks[_ACK_ID]),)
    return _argument(at), tuple([Ack(of, _argument(seq), id_) for of, seq, id_ in _ACK.findall(acks)])


def check_content(body: Body, content: bytes) -> None:
    """Returns when these bytes are the content that a body names (log 3.1). Raises: Forged."""
    if len(content) != body.content_length or hashing.digest(content) != body.content_hash:
        raise Forged


def content_key(secret: bytes, log: bytes, seq: int) -> bytes:
    """The 32-byte key of one content, for logs that all who hold a secret may read (log 3.3).

    secret: 32 bytes, the subkey of the log's space; log: 16.
    """
    return content_keys(secret, log)(seq)


def content_keys(secret: bytes, log: bytes) -> Callable[[int], bytes]:
    """The same for each place of one log, for who reads many."""
    drawn, purpose = hashing.subkeys(secret, Label.LOG), b"content" + log
    return lambda seq: drawn(purpose + seq.to_bytes(8, "big"))


def seal(key: bytes, author: bytes, log: bytes, seq: int, said: bytes, nonce: bytes) -> bytes:
    """A sealed content of this place: nonce, ciphertext and tag over the padded bytes (log 3.2).

    key: 32 bytes. said: at most 60 KiB, an array whose first item is the real kind. nonce: 24 bytes, fresh random ones
    each time: an entry that was taken back leaves its place, and with it its key, to another.
    Raises: OverLimit.
    """
    if len(said) > SAID_BYTES_MAX:
        raise OverLimit("An entry of a log holds at most 60 KiB.", field="content")
    return sealing.seal(key, nonce, sealing.pad(said, PADDED_BYTES), _place(author, log, seq))


def unseal(key: bytes, author: bytes, log: bytes, seq: int, content: bytes) -> bytes:
    """What `seal` was given in the same place. The content was checked against its body, or is not to be trusted yet.

    Raises: Forged, Malformed.
    """
    return sealing.unpad(sealing.open_sealed(key, content, _place(author, log, seq)), PADDED_BYTES)


_KINDS = {bytes((kind,)): kind for kind in Kind}


def _place(author: bytes, log: bytes, seq: int) -> bytes:
    return author + log + seq.to_bytes(8, "big")


def _values(body: Body) -> tuple[wire.Value, ...]:
    acks = tuple((ack.log, ack.seq, ack.id) for ack in body.acks)
    first = (body.author, body.log, body.seq, body.prev, body.at_ms)
    return (*first, acks, int(body.kind), body.content_length, body.content_hash)


def _argument(head: bytes) -> int:
    """What the head of an item says (RFC 8949, section 3): a value, a length or a count."""
    return head[0] & 0x1F if len(head) == 1 else int.from_bytes(head[1:], "big")


def _is_allowed(body: Body) -> bool:
    # Exact types, as everywhere on the wire: what a decoder gives may be anything. Written out, because an import of
    # years asks it for every entry.
    author, log, prev, content_hash = body.author, body.log, body.prev, body.content_hash
    return (
        type(author) is type(log) is type(content_hash) is bytes
        and len(author) == keys.PUBLIC_BYTES
        and len(log) == LOG_BYTES
        and len(content_hash) == hashing.HASH_BYTES
        and type(body.seq) is type(body.at_ms) is type(body.content_length) is int
        and 0 <= body.seq <= SEQ_MAX
        and 0 <= body.at_ms <= AT_MS_MAX
        and 0 <= body.content_length <= CONTENT_BYTES_MAX
        and (prev is None if body.seq == 0 else type(prev) is bytes and len(prev) == ID_BYTES)
        and type(body.acks) is tuple
        and len(body.acks) <= ACKS_MAX
        and all(map(_is_ack, body.acks))
        and type(body.kind) is Kind
    )


def _is_ack(ack: Ack) -> bool:
    return (
        type(ack.log) is type(ack.id) is bytes
        and len(ack.log) == LOG_BYTES
        and len(ack.id) == ID_BYTES
        and type(ack.seq) is int
        and 0 <= ack.seq <= SEQ_MAX
    )
