"""Logs made by hand: authors, entries with a body of choice, chains, and bytes that only a liar would sign."""

from crypto import hashing
from crypto.keys import SigningKey
from protocol import entry, log, wire
from protocol.entry import Ack, Body, Entry, Kind
from protocol.log import Head

SECRET = b"secret of a pair, 32 bytes long."
ANA, BO = SigningKey(bytes(31) + b"a"), SigningKey(bytes(31) + b"b")
LOG = log.log_id(SECRET, ANA.public, 0)
OTHER = log.log_id(SECRET, ANA.public, 1)
AT_MS = 1_800_000_000_000
CONTENT = b"content"


def body(
    seq: int = 0,
    prev: bytes | None = None,
    *,
    author: bytes = ANA.public,
    of: bytes = LOG,
    at_ms: int = AT_MS,
    acks: tuple[Ack, ...] = (),
    kind: Kind = Kind.PUBLIC,
    content: bytes = CONTENT,
) -> Body:
    """A body of Ana's log."""
    return Body(author, of, seq, prev, at_ms, acks, kind, *entry.about(content))


def next_entry(
    head: Head | None, content: bytes = CONTENT, key: SigningKey = ANA, of: bytes = LOG, at_ms: int = AT_MS
) -> Entry:
    """The entry that follows a head."""
    seq, prev = (0, None) if head is None else (head.seq + 1, head.id)
    return entry.write(body(seq, prev, author=key.public, of=of, at_ms=at_ms, content=content), key)


def chain(
    count: int, head: Head | None = None, branch: bytes = b"", key: SigningKey = ANA, of: bytes = LOG
) -> tuple[Entry, ...]:
    """So many entries after a head; branch: what their contents say."""
    found = []
    for _ in range(count):
        one = next_entry(head, branch or CONTENT, key, of)
        head = Head(one.body.seq, one.id)
        found.append(one)
    return tuple(found)


def raws(entries: tuple[Entry, ...]) -> tuple[bytes, ...]:
    """Their bytes."""
    return tuple(one.raw for one in entries)


def head_of(one: Entry) -> Head:
    """The head that this entry is."""
    return Head(one.body.seq, one.id)


def structure(payload: bytes) -> bytes:
    """What is signed, written by hand: payload is the body's bytes."""
    return b"\x84\x6aSignature1\x43\xa1\x01\x27\x4aweft/1/log" + wire.encode(payload)


def signed(payload: bytes, key: SigningKey = ANA, headers: bytes = bytes.fromhex("43a10127a0")) -> bytes:
    """An entry with any payload and headers, under a good signature of the payload."""
    return b"\x84" + headers + wire.encode(payload) + b"\x58\x40" + key.sign_cose(structure(payload))


def payload(one: Entry) -> bytes:
    """The bytes of an entry's body."""
    found = wire.decode(one.raw[6:-66], 4096)
    assert isinstance(found, bytes)
    return found


def altered(one: Entry, index: int, value: wire.Value) -> bytes:
    """The entry with one item of its body replaced, signed by its author."""
    items = wire.decode(payload(one), 4096)
    assert isinstance(items, tuple)
    return signed(wire.encode((*items[:index], value, *items[index + 1 :])))


def unsigned(one: Entry) -> Entry:
    """The entry with a signature that does not verify, as its author may write it into his own chain."""
    raw = one.raw[:-64] + bytes(64)
    return Entry(raw, hashing.digest(raw), one.body)
