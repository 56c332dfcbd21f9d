"""Backups as honest ones are, and files around any bytes: for laws, golden samples, and to be changed by tests."""

from collections.abc import Sequence
from typing import Any

from crypto import secretstream, words
from crypto.keys import DhKey, KemKey, SigningKey
from features.chat.content import Text
from protocol import backup, content, ids, record
from protocol import backup_records as kept
from protocol.backup_records import Contact, Device, End, Head, Message, Order, PairSecret, RoomNote, Setting
from protocol.delivery import State
from tests.crypto.pairs import entropy_of
from tests.protocol.circle import NOW_MS, Someone, someone

SECRET = bytes(range(32))
NONCE = b"n" * secretstream.NONCE_BYTES
KINDS = content.Kinds((Text,))
BO = someone("bo of the backup")


def owner(secret: bytes = SECRET) -> Someone:
    """The person whose words have this secret."""
    entropy = entropy_of("owner of the backup")
    return Someone(
        entropy,
        words.account_key(secret),
        SigningKey(entropy(32)),
        DhKey(entropy(32)),
        DhKey(entropy(32)),
        KemKey(entropy(64)),
    )


ANA = owner()


def head(**changed: Any) -> Head:
    facts = {"account": ANA.account, "made_ms": NOW_MS, "name": "Ana", "presence": b"p" * 32, "presence_epoch": 3}
    return Head(**{**facts, "lists": (ANA.devices,), **changed})


def contact(of: Someone = BO, number: int = 1, name: str = "Bo", **changed: Any) -> Contact:
    facts = {
        "number": number,
        "account": of.account,
        "name": name,
        "announced": "Bo",
        "state": 4,
        "verified": 2,
        "verified_ms": NOW_MS - 9,
        "alarm": "",
        "greeting": "",
        "created_ms": NOW_MS - 90,
        "seen_ms": NOW_MS - 1,
        "reason": "",
        "presence": b"b" * 32,
        "presence_epoch": 2,
        "lists": (of.devices,),
    }
    return Contact(**{**facts, **changed})


def device(of: Someone = BO, number: int = 1, contact: int = 1, **changed: Any) -> Device:
    facts = {"certificate": of.certificate, "peer": b"P" * 32, "next_peer": None, "revoked": 0}
    addresses = ("/ip4/192.0.2.1/tcp/4001",)
    return Device(**{**facts, "number": number, "contact": contact, "addresses": addresses, **changed})


def secret(contact: int = 1, epoch: int = 1) -> PairSecret:
    return PairSecret(contact, epoch, b"s" * 32, 1, 1, NOW_MS - 80, 0)


def message(number: int, text: str, *, author: int = 0, waits: tuple[int, ...] = (), **changed: Any) -> Message:
    name = ids.MessageId(number.to_bytes(16, "big"))
    raw = content.say(message_id=name, hlc_ms=NOW_MS + number, device_seq=1, parents=(), content=Text(text))
    facts = {
        "number": number,
        "message_id": name,
        "contact": 1,
        "device": author,
        "kind": Text.KIND,
        "state": State.QUEUED if waits else State.DELIVERED,
        "at_ms": NOW_MS + number,
        "arrived_ms": NOW_MS + number,
        "state_ms": NOW_MS + number,
        "reason": "",
        "body": raw,
        "waits": waits,
    }
    return Message(**{**facts, **changed})


def whole(texts: Sequence[str] = ("hello", "hello yourself")) -> list[kept.Record]:
    """A small profile: one contact, one device, and a chat in which both speak in turn."""
    said = [message(n, text, author=(n + 1) % 2) for n, text in enumerate(texts, 1)]
    note = RoomNote("chat", 1, b"\x81\x01")
    return [head(), Setting("find.handle", "ana"), contact(), secret(), device(), note, *said]


def file_of(records: Sequence[kept.Record], secret: bytes = SECRET, nonce: bytes = NONCE) -> bytes:
    """The file of these records, without the last one, which is made."""
    composer = backup.Composer(secret, nonce)
    return composer.head + composer.add(records) + b"".join(composer.end())


def stream_of(records: Sequence[object]) -> bytes:
    """The stream of these records, the last one too, before it is padded."""
    return b"".join(framed(record.encode(one)) for one in records)


def framed(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def padded(stream: bytes) -> bytes:
    return stream.ljust(secretstream.padded_size(max(len(stream), backup.PADDED_BYTES_MIN)), b"\x00")


def sealed(stream: bytes, secret: bytes = SECRET, version: int = backup.VERSION) -> bytes:
    """The file around any stream, as who has the words could make it."""
    magic = backup._magic(version)
    sealer = secretstream.Sealer(backup._key(secret), NONCE, magic)
    chunks = [stream[at : at + backup.CHUNK_BYTES] for at in range(0, len(stream), backup.CHUNK_BYTES)]
    parts = [magic + NONCE + backup._check(secret, magic + NONCE)]
    return b"".join([*parts, *map(sealer.seal, chunks[:-1]), sealer.seal_last(chunks[-1])])


def ended(records: Sequence[kept.Record]) -> list[kept.Record]:
    """These records with their last one."""
    counts: dict[type, int] = {}
    for one in records:
        counts[type(one)] = counts.get(type(one), 0) + 1
    return [*records, kept.end_of(counts)]


def read(file: bytes, secret: bytes = SECRET, order: Order | None = None) -> tuple[list[kept.Record], End]:
    """The records in a file, and the last one. Raises: PeerFault."""
    order = order or Order(ids.AccountId(words.account_key(secret).public), KINDS)
    reader = backup.Reader(secret, file[: backup.HEAD_BYTES], len(file), order)
    found: list[kept.Record] = []
    for at in range(backup.HEAD_BYTES, len(file), backup.SEALED_BYTES):
        found += reader.take(file[at : at + backup.SEALED_BYTES])
    return found, reader.finish()
