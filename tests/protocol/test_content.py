"""Contents: the head, the kinds of rooms, the channels they may come by (cases 26, 36a, 37)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Malformed
from protocol import content, record, wire
from protocol.content import Channel, Kinds, WrongChannel
from protocol.faults import OverLimit, PeerFault
from protocol.ids import MessageId


@record.record
@dataclass(frozen=True, slots=True)
class Note:
    KIND: ClassVar[int] = 401
    CHANNELS: ClassVar[frozenset[Channel]] = frozenset({Channel.RATCHET})

    text: Annotated[str, record.Utf8(70_000)]
    page: Annotated[int, record.Range(0, 9)] = 0


@record.record
@dataclass(frozen=True, slots=True)
class Knock:
    KIND: ClassVar[int] = 402
    CHANNELS: ClassVar[frozenset[Channel]] = frozenset({Channel.INIT})


KINDS = Kinds((Note, Knock))
ID = MessageId(bytes(range(16)))
PARENT = MessageId(b"p" * 16)


def said(what: Any = None, **changed: Any) -> bytes:
    head: dict[str, Any] = {"message_id": ID, "hlc_ms": 5, "device_seq": 6, "parents": (PARENT,)}
    return content.say(**{**head, "content": what or Note("hi"), **changed})


def test_what_is_said_is_heard() -> None:
    raw = said(conversation=b"c" * 32, expire_s=60)
    heard = KINDS.hear(raw, Channel.RATCHET)
    assert (heard.kind, heard.message_id, heard.conversation) == (401, ID, b"c" * 32)
    assert (heard.hlc_ms, heard.device_seq, heard.parents, heard.expire_s) == (5, 6, (PARENT,), 60)
    assert (heard.content, heard.raw) == (Note("hi"), raw)
    assert wire.decode(raw, 1000) == (401, ID, b"c" * 32, 5, 6, (PARENT,), ("hi",), 60)


def test_last_fields_that_say_what_their_absence_says_are_not_written() -> None:
    """So a version that has no such field yet understands what does not use it."""
    assert wire.decode(said(Note("hi", 0)), 1000)[6] == ("hi",)  # type: ignore[index]
    assert wire.decode(said(Note("hi", 1)), 1000)[6] == ("hi", 1)  # type: ignore[index]
    written_out = wire.encode((401, ID, None, 5, 6, (PARENT,), ("hi", 0), None))  # as versions before wrote it
    assert KINDS.hear(written_out, Channel.RATCHET).content == Note("hi")


@given(st.text(max_size=200), st.integers(0, 9), st.lists(st.binary(min_size=16, max_size=16), max_size=8))
def test_any_note_comes_through(text: str, page: int, parents: list[bytes]) -> None:
    heard = KINDS.hear(said(Note(text, page), parents=tuple(parents)), Channel.RATCHET)
    assert heard.content == Note(text, page)
    assert heard.parents == tuple(parents)


def test_case_36a_a_content_in_the_wrong_channel_is_refused() -> None:
    assert KINDS.hear(said(Knock()), Channel.INIT).content == Knock()
    for what, channel in ((Knock(), Channel.RATCHET), (Note("x"), Channel.INIT)):
        with pytest.raises(WrongChannel):
            KINDS.hear(said(what), channel)
    assert issubclass(WrongChannel, PeerFault)


@pytest.mark.parametrize("channel", Channel)
def test_an_unknown_kind_is_kept_and_not_understood(channel: Channel) -> None:
    raw = wire.encode((999, ID, None, 5, 6, (), ("anything", (1, (2,))), None))
    heard = KINDS.hear(raw, channel)
    assert (heard.kind, heard.content, heard.raw) == (999, None, raw)


def test_a_known_kind_with_fields_of_a_later_version_is_kept() -> None:
    raw = wire.encode((401, ID, None, 5, 6, (), ("text", 1, "new field"), None))
    assert KINDS.hear(raw, Channel.RATCHET).content is None
    with pytest.raises(WrongChannel):
        KINDS.hear(raw, Channel.INIT)
    shorter = wire.encode((401, ID, None, 5, 6, (), ("text",), None))
    assert KINDS.hear(shorter, Channel.RATCHET).content == Note("text")


GOOD: tuple[Any, ...] = (401, ID, None, 5, 6, (), ("hi", 0), None)
WRONG: tuple[tuple[int, Any], ...] = (
    (0, 99),
    (0, 65_536),
    (0, None),
    (0, b"401"),
    (1, ID + b"x"),
    (1, ID[:-1]),
    (1, None),
    (1, "0123456789abcdef"),
    (2, b"c" * 31),
    (2, 0),
    (3, -1),
    (3, 2**48),
    (3, None),
    (4, -1),
    (4, 2**53),
    (5, (PARENT,) * 9),
    (5, (b"short",)),
    (5, None),
    (5, PARENT),
    (6, None),
    (6, "hi"),
    (6, ()),
    (6, (b"hi", 0)),
    (6, ("hi", 10)),
    (6, ("hi", None)),
    (7, 0),
    (7, 2**32),
    (7, -1),
    (7, ()),
)


@pytest.mark.parametrize(("index", "value"), WRONG)
def test_a_head_or_a_field_outside_its_limits_is_malformed(index: int, value: Any) -> None:
    KINDS.hear(wire.encode(GOOD), Channel.RATCHET)
    with pytest.raises(Malformed):
        KINDS.hear(wire.encode((*GOOD[:index], value, *GOOD[index + 1 :])), Channel.RATCHET)


@pytest.mark.parametrize("value", [GOOD[:-1], (*GOOD, None), (), None, 401, ((GOOD),)])
def test_another_shape_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        KINDS.hear(wire.encode(value), Channel.RATCHET)


def test_a_content_of_60_kib_is_said_and_one_byte_more_is_not() -> None:
    spare = content.CONTENT_BYTES_MAX - len(said(Note("x" * 60_000), parents=()))
    raw = said(Note("x" * (60_000 + spare)), parents=())
    assert len(raw) == content.CONTENT_BYTES_MAX
    assert KINDS.hear(raw, Channel.RATCHET).content == Note("x" * (60_000 + spare))
    with pytest.raises(OverLimit):
        said(Note("x" * (60_001 + spare)), parents=())
    with pytest.raises(Malformed):
        KINDS.hear(wire.encode((*GOOD[:6], ("x" * (60_001 + spare), 0), None)), Channel.RATCHET)


@pytest.mark.parametrize(
    "changed",
    [
        {"message_id": b"short"},
        {"parents": (PARENT,) * 9},
        {"hlc_ms": -1},
        {"device_seq": 2**53},
        {"expire_s": 0},
        {"conversation": b"c"},
    ],
)
def test_we_cannot_say_what_they_could_not_hear(changed: dict[str, Any]) -> None:
    with pytest.raises(OverLimit):
        said(**changed)


def test_two_rooms_that_claim_one_kind_stop_the_start() -> None:
    class Thief(Note):
        pass

    class Low:
        KIND = 99
        CHANNELS = frozenset({Channel.RATCHET})

    class Unreachable:
        KIND = 403
        CHANNELS: frozenset[Channel] = frozenset()

    for classes in ((Note, Thief), (Note, Note), (Low,), (Unreachable,)):
        with pytest.raises(ValueError, match="kind"):
            Kinds(classes)


def test_what_is_said_does_not_show_in_a_repr() -> None:
    assert "psst" not in repr(KINDS.hear(said(Note("psst")), Channel.RATCHET))


@pytest.mark.parametrize("expire_s", [None, 1, 23, 24, 0xF6, 255, 256, 0x12F6, 65_536, 0x1234_56F6, 2**32 - 1])
@pytest.mark.parametrize("text", ["x", "\x18", "x\x19x", "\x1axxx"])
def test_whether_a_content_is_to_disappear_is_seen_at_its_end(expire_s: int | None, text: str) -> None:
    assert content.passes(said(Note(text), expire_s=expire_s)) is (expire_s is not None)
