"""What a backup keeps of moments, as bytes: nothing is taken that no weft has written."""

from collections.abc import Callable
from typing import Any

import pytest

from features.moments import returning
from features.moments.audience import Kind
from protocol import backup_records, entry, record, wire
from protocol.faults import PeerFault
from protocol.identity import Certificate
from protocol.ids import AccountId, DeviceId

_DEVICE = record.encode(Certificate(AccountId(bytes(32)), DeviceId(bytes(32)), bytes(32), 1, 0, 1, bytes(64)))
_FEED = (0, 7, bytes(32))
_LIST = (int(Kind.THESE), "bo", (1, 2))
_GOOD = (bytes(32), 0, 0, 0, (_DEVICE,), (_FEED,), (_LIST,), ((0, 5, 0),))


def _with(at: int, value: Any) -> Any:
    return (*_GOOD[:at], value, *_GOOD[at + 1 :])


@pytest.mark.parametrize(
    "said",
    [
        b"",
        7,
        (),
        _GOOD[:-1],
        (*_GOOD, 0),
        _with(0, bytes(31)),
        _with(0, "secret"),
        _with(1, -1),
        _with(1, 1 << 32),
        _with(2, -1),
        _with(2, 1 << 53),
        _with(3, -1),
        _with(3, 1 << 53),
        _with(4, 0),
        _with(4, ()),
        _with(4, (7,)),
        _with(4, (_DEVICE[:-1],)),
        _with(4, (b"x" * 2000,)),
        _with(5, 0),
        _with(5, ((-1, 7, bytes(32)),)),
        _with(6, 0),
        _with(5, (_FEED, _FEED)),
        _with(5, (_FEED[:2],)),
        _with(5, ((1, 7, bytes(32)),)),
        _with(5, ((0, -1, bytes(32)),)),
        _with(5, ((0, 1 << 53, bytes(32)),)),
        _with(5, ((0, 7, bytes(33)),)),
        _with(5, ()),  # a post stands in a feed that is not there
        _with(6, ()),
        _with(6, ((int(Kind.ALL), "all", ()),)),
        _with(6, ((int(Kind.PRIVATE), "private", ()),)),
        _with(6, ((9, "bo", ()),)),
        _with(6, ((int(Kind.THESE), "x" * 61, ()),)),
        _with(6, ((int(Kind.THESE), "bo", (2, 1)),)),
        _with(6, ((int(Kind.THESE), "bo", (1, 1)),)),
        _with(6, ((int(Kind.THESE), "bo", (0,)),)),
        _with(6, ((int(Kind.THESE), "bo", (1 << 40,)),)),
        _with(6, ((int(Kind.THESE), "bo", (b"",)),)),
        _with(7, 0),
        _with(7, ((0, 5),)),
        _with(7, ((1, 5, 0),)),
        _with(7, ((0, 5, 1),)),
        _with(7, ((-1, 5, 0),)),
        _with(7, ((0, -1, 0),)),
        _with(7, ((0, entry.SEQ_MAX + 1, 0),)),
        _with(7, ((0, 5, -1),)),
    ],
)
def test_what_no_weft_has_kept_of_ourselves_is_refused(said: Any) -> None:
    assert returning.check_own(wire.encode(_GOOD)).window_s == 0
    with pytest.raises(PeerFault):
        returning.check_own(wire.encode(said))


@pytest.mark.parametrize("said", [b"", 7, (), (1, 0, 0), (1, 0, 0, 0, 0), (2, 0, 0, 0), (0, -1, 0, 0), (0, 0, "", 0)])
def test_what_no_weft_has_kept_of_a_contact_is_refused(said: Any) -> None:
    assert returning.check(wire.encode((1, 0, 1, 0))) == (True, False, True, False)
    with pytest.raises(PeerFault):
        returning.check(wire.encode(said))


@pytest.mark.parametrize("check", [returning.check, returning.check_own])
def test_bytes_that_are_no_record_are_refused(check: Callable[[bytes], object]) -> None:
    for raw in (b"", b"\xff", b"\x84\x01\x00\x00\x00\x00", bytes(backup_records.NOTE_BYTES_MAX + 1)):
        with pytest.raises(PeerFault):
            check(raw)
