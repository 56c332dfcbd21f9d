"""A file of evidence: entries of logs as they are handed to somebody else (docs/protocol/log.md 6).

    file      = *( signed / proof / certificate )                    a CBOR sequence (RFC 8742), one item after another
    signed    = D2 entry [shown] *cosigned *( covered *cosigned )
    shown     = [content, content key or null]
    cosigned  = [2, ...]                                             of a spine entry
    covered   = [[3, ...], leaf key]                                 the entry is a head that a spine commits to
    proof     = [1, ...] / [4, ...] / [5, ...]
    certificate = [10, ...]                                          an account's word that a device is its own

The reader holds one item at a time, whatever the size of the file, and looks at the form alone. Not here: whether what
is said is true (log_examination.py), files (cli/evidence.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from crypto import sealing
from crypto.faults import Malformed
from protocol import entry as entries
from protocol import record, wire
from protocol.entry import Entry, Kind
from protocol.evidence import Committed, Contradiction, Proof, Rollback
from protocol.identity import Certificate
from protocol.log import Fork
from protocol.spine import KEY_BYTES as LEAF_KEY_BYTES
from protocol.spine import Cosignature

ITEM_BYTES_MAX = entries.CONTENT_BYTES_MAX + 64  # the longest content, its key, and the heads of both

_TAG = 0xD2  # 18, COSE_Sign1
_BODY_AT = 7  # of the bytes before an entry's payload, tag included
_BEFORE_BODY = bytes.fromhex("d28443a10127a0")
_END_BYTES = 66  # of the signature, with its head
_ARRAY, _NULL = 4, 0xF6
_RECORDS: Mapping[int, type[Any]] = {one.KIND: one for one in (Fork, Cosignature, Contradiction, Rollback, Certificate)}


class NotEvidence(Malformed):
    """These bytes are no file of evidence, or were damaged; nothing is read from here on."""

    def __init__(self, offset: int) -> None:
        """offset: of the item, in bytes from the beginning of the file."""
        super().__init__()
        self.offset = offset


class CutOff(NotEvidence):
    """This file of evidence ends inside an item; all before it was read."""


class Claimed(NamedTuple):
    """An entry of good form that anybody may have made: nobody has looked at its signature yet."""

    entry: Entry


class Shown(NamedTuple):
    """The content of the entry before it. key: 32 bytes that open a sealed one, None to keep it closed."""

    content: bytes
    key: bytes | None


class Covered(NamedTuple):
    """That a spine commits to the entry before it, as the head of its log. key: of the leaf, 32 bytes."""

    committed: Committed
    key: bytes


Item = Claimed | Shown | Cosignature | Covered | Proof | Certificate


class Placed(NamedTuple):
    """An item, and where in the file it begins, in bytes."""

    offset: int
    item: Item


def entry(raw: bytes) -> bytes:
    """The item of an entry. raw: its bytes, as entry.write has made them."""
    assert entries.ENTRY_BYTES_MIN <= len(raw) <= entries.ENTRY_BYTES_MAX
    return bytes((_TAG,)) + raw


def shown(content: bytes, key: bytes | None = None) -> bytes:
    """The item directly behind an entry that shows its content. key: 32 bytes, which open a sealed one."""
    assert len(content) <= entries.CONTENT_BYTES_MAX
    assert key is None or len(key) == sealing.KEY_BYTES
    return wire.encode((content, key))


def cosigned(cosignature: Cosignature) -> bytes:
    """The item of a cosignature, behind the spine entry that it is about, or behind what shows that entry."""
    return record.encode(cosignature)


def covered(committed: Committed, key: bytes) -> bytes:
    """The item behind an entry to which a spine commits. key: spine.leaf_key of its log, 32 bytes."""
    assert len(key) == LEAF_KEY_BYTES
    return wire.encode(((Committed.KIND, *record.fields(committed)), key))


def proof(found: Proof) -> bytes:
    """The item of a proof, which stands behind anything but belongs to nothing."""
    return record.encode(found)


def certificate(one: Certificate) -> bytes:
    """The item that says whose a device is. It stands behind anything but belongs to nothing."""
    return record.encode(one)


def read(chunks: Iterable[bytes]) -> Iterator[Placed]:
    """The items of a file, each as soon as its last byte is there. Memory: one item and one chunk.

    chunks: the bytes of the file in order, parted anywhere.
    Raises: NotEvidence, CutOff, with the place of the item, for all that the functions above would not have written in
    this order; what came before it was given.
    """
    held, begins, order = bytearray(), 0, _Order()
    wanted = 1
    for chunk in chunks:
        held += chunk
        at = 0
        while len(held) - at >= wanted:
            try:
                wanted = _extent(held, at)
                if wanted > len(held) - at:
                    break
                item = _item(bytes(held[at : at + wanted]))
                order.take(item)
            except Malformed:
                raise NotEvidence(begins + at) from None
            yield Placed(begins + at, item)
            at, wanted = at + wanted, 1
        del held[:at]
        begins += at
    if held:
        raise CutOff(begins)


class _Order:
    """What may stand behind what was read last."""

    __slots__ = ("_cosigned", "_covered", "_shown")

    def __init__(self) -> None:
        self._shown = self._cosigned = self._covered = False

    def take(self, item: Item) -> None:
        """Raises: Malformed for an item that belongs to nothing here."""
        match item:
            case Claimed(entry=one):
                self._shown, self._cosigned, self._covered = True, one.body.kind is Kind.SPINE, True
            case Shown():
                _require(self._shown)
                self._shown = False
            case Cosignature():
                _require(self._cosigned)
                self._shown = False
            case Covered():
                _require(self._covered)
                self._shown, self._cosigned = False, True
            case _:
                self._shown = self._cosigned = self._covered = False


def _require(allowed: bool) -> None:
    if not allowed:
        raise Malformed


def _item(raw: bytes) -> Item:
    """The item in these bytes, which end where it does. Raises: Malformed."""
    if raw[0] == _TAG:
        return Claimed(entries.parse_without_looking_at_the_signature(raw[1:]))
    match wire.decode(raw, ITEM_BYTES_MAX):
        case (bytes(content), key) if key is None or (type(key) is bytes and len(key) == sealing.KEY_BYTES):
            if len(content) <= entries.CONTENT_BYTES_MAX:
                return Shown(content, key)
        case (tuple(committed), bytes(key)) if len(key) == LEAF_KEY_BYTES:
            return Covered(record.parse(Committed, committed), key)
        case (int(kind), *values) if kind in _RECORDS:
            found: Item = record.parse_fields(_RECORDS[kind], tuple(values))
            return found
    raise Malformed


def _extent(held: bytearray, at: int) -> int:
    """How many bytes the item has that begins at this place; while not all are here, how many it has at least.

    Raises: Malformed for what no item begins with, and for what is longer than all of them.
    """
    if held[at] == _TAG:
        return _entry_extent(held, at)
    if held[at] >> 5 != _ARRAY:
        raise Malformed
    place, pending = at, 1  # items of which no byte was seen yet
    while pending:
        if place - at + pending > ITEM_BYTES_MAX:
            raise Malformed
        if place >= len(held):
            return place - at + pending
        major, argument = held[place] >> 5, held[place] & 31
        ends = place + 1
        if 24 <= argument < 28:
            ends += 1 << argument - 24
            if ends > len(held):
                return ends - at + pending - 1
            argument = int.from_bytes(held[place + 1 : ends], "big")
        elif argument >= 28:
            raise Malformed
        match major:
            case 0 | 1:  # an integer
                pass
            case 2 | 3:  # bytes, a text
                ends += argument
            case 4:
                pending += argument
            case _ if held[place] != _NULL:  # a map, a tag, whatever else is simple
                raise Malformed
        place, pending = ends, pending - 1
    if place - at > ITEM_BYTES_MAX:
        raise Malformed
    return place - at


def _entry_extent(held: bytearray, at: int) -> int:
    """The same for a tagged entry, by the length of its payload alone (log 1.1)."""
    if held[at : at + _BODY_AT] != _BEFORE_BODY[: len(held) - at]:
        raise Malformed
    head = held[at + _BODY_AT : at + _BODY_AT + 3]
    match bytes(head[:1]):
        case b"\x58" if len(head) >= 2:
            size = _BODY_AT + 2 + head[1] + _END_BYTES
        case b"\x59" if len(head) == 3:
            size = _BODY_AT + 3 + int.from_bytes(head[1:], "big") + _END_BYTES
        case b"" | b"\x58" | b"\x59":
            return _BODY_AT + 3
        case _:
            raise Malformed
    if size > 1 + entries.ENTRY_BYTES_MAX:
        raise Malformed
    return size
