"""The file of a backup: round trips, and one hostile variant for each thing that could be wrong with one (case 31)."""

import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import secretstream
from crypto.faults import Forged, Malformed, PeerFault
from features.chat.content import Text
from features.contacts.content import Introduction
from protocol import backup, identity, ids, record, wire
from protocol import backup_records as kept
from protocol.backup_records import NewerContent, Order, RoomNote, Setting
from protocol.content import Kinds
from protocol.delivery import State
from tests.crypto.pairs import flipped
from tests.protocol import backups, samples
from tests.protocol.backups import ANA, BO, SECRET, contact, device, ended, head, message, secret, whole
from tests.protocol.circle import NOW_S, someone

EVE = someone("eve of the backup")
CHUNK = backup.CHUNK_BYTES


def long_chat(count: int = 40) -> list[str]:
    """Texts that fill several chunks."""
    return [f"{n} ".ljust(8000, "x") for n in range(count)]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=20),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=24, max_size=24),
)
def test_what_was_kept_comes_back(texts: list[str], words_secret: bytes, nonce: bytes) -> None:
    mine = backups.owner(words_secret)
    records = [head(account=mine.account, lists=(mine.devices,)), *whole(texts)[1:]]
    found, end = backups.read(backups.file_of(records, words_secret, nonce), words_secret)
    assert [*found] == ended(records)
    assert end.messages == len(texts)


def test_many_chunks_come_back_and_are_written_as_they_fill() -> None:
    records = whole(long_chat())
    composer = backup.Composer(SECRET, backups.NONCE)
    file = composer.head
    for one in records:
        more = composer.add([one])
        assert len(more) % backup.SEALED_BYTES == 0
        assert len(composer._buffer) <= CHUNK
        file += more
    file += b"".join(composer.end())
    assert file == backups.file_of(records)
    assert len(file) > 4 * CHUNK
    assert backups.read(file)[0] == ended(records)


def test_the_file_shows_nothing_but_that_it_is_a_backup() -> None:
    one, other = backups.file_of(whole()), backups.file_of(whole(), nonce=b"m" * 24)
    assert one[:8] == b"weftbak\x01"
    same = sum(a == b for a, b in zip(one[8:], other[8:], strict=True))
    assert same < len(one) // 100  # 1 in 256 by chance: no part of two backups of one account is alike
    for told in (b"hello", b"Ana", ANA.account, BO.account, b"s" * 32):
        assert told not in one


@given(st.integers(1, 60), st.integers(1, 9000), st.integers(0, 2**32))
def test_case_31_the_size_depends_only_on_the_padme_bucket(count: int, length: int, seed: int) -> None:
    chance = random.Random(seed)
    # The same lengths, once as the most compressible text there is and once as noise.
    repeated = whole(["a" * length] * count)
    noise = whole(["".join(chance.choices("abcdefghij", k=length)) for _ in range(count)])
    size = len(backups.stream_of(ended(repeated)))
    assert len(backups.stream_of(ended(noise))) == size
    bucket = secretstream.padded_size(max(size, CHUNK))
    for records in (repeated, noise):
        file = backups.file_of(records)
        assert len(file) == backup.file_size(size) == backup.file_size(bucket)


def test_case_31_what_others_write_into_a_chat_does_not_show_within_a_bucket() -> None:
    empty = len(backups.file_of(whole(())))
    assert all(len(backups.file_of(whole(["x" * n]))) == empty for n in range(0, 16_000, 500))


@given(st.integers(0, 10**9))
def test_the_size_of_a_file_tells_whether_it_is_whole(stream_bytes: int) -> None:
    size = backup.file_size(stream_bytes)
    assert backup._stream_size(size) == secretstream.padded_size(max(stream_bytes, CHUNK))
    for wrong in (size - 1, size + 1):
        with pytest.raises(backup.CutOff):
            backup._stream_size(wrong)


# --- hostile files -----------------------------------------------------------------------------------------------


def test_a_file_cut_off_at_any_boundary_is_refused() -> None:
    file = backups.file_of(whole(long_chat()))
    starts = range(backup.HEAD_BYTES, len(file), backup.SEALED_BYTES)
    for start in (0, 1, 7, 8, 32, backup.HEAD_BYTES - 1, *starts):
        for size in (start - 1, start, start + 1):
            if 0 <= size < len(file):
                with pytest.raises((backup.CutOff, backup.NotBackup)):
                    backups.read(file[:size])
    with pytest.raises(backup.CutOff):
        backups.read(file + b"\x00")


def test_a_file_cut_off_to_a_size_that_a_backup_can_have_is_refused() -> None:
    file = backups.file_of(whole(long_chat()))
    body = len(file) - backup.HEAD_BYTES
    sizes = [backup.file_size(n) for n in range(CHUNK, body, 512)]
    for size in sorted({size for size in sizes if size < len(file)}):
        with pytest.raises((backup.CutOff, backup.Altered)):
            backups.read(file[:size])


def test_every_flipped_bit_is_refused() -> None:
    file = backups.file_of(whole())
    chance = random.Random(31)
    bits = [*range(backup.HEAD_BYTES * 8), *(chance.randrange(len(file) * 8) for _ in range(300))]
    for bit in bits:
        with pytest.raises((backup.NotBackup, backup.NewerBackup, backup.OtherWords, backup.Altered)):
            backups.read(flipped(file, bit))


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 2, 1, 3), (0, 0, 1, 2), (0, 1, 3, 2)])
def test_swapped_and_repeated_chunks_are_refused(order: Sequence[int]) -> None:
    file = backups.file_of(whole(long_chat()))
    starts = range(backup.HEAD_BYTES, len(file), backup.SEALED_BYTES)
    chunks = [file[at : at + backup.SEALED_BYTES] for at in starts]
    changed = [chunks[place] for place in order] + chunks[4:]
    with pytest.raises((backup.Altered, backup.CutOff)):
        backups.read(file[: backup.HEAD_BYTES] + b"".join(changed))


def test_chunks_of_another_backup_of_the_same_account_are_refused() -> None:
    one, other = backups.file_of(whole(long_chat())), backups.file_of(whole(long_chat()), nonce=b"m" * 24)
    cut = backup.HEAD_BYTES + backup.SEALED_BYTES
    with pytest.raises(backup.Altered):
        backups.read(one[:cut] + other[cut:])


@pytest.mark.parametrize("file", [b"", b"PK\x03\x04" + bytes(200_000), b"weftvlt\x01" + bytes(200_000), bytes(70_000)])
def test_a_file_of_another_kind_is_named_so(file: bytes) -> None:
    with pytest.raises(backup.NotBackup):
        backups.read(file)


def test_other_words_a_newer_version_and_an_older_one_are_named_so() -> None:
    file = backups.file_of(whole())
    with pytest.raises(backup.OtherWords):
        backups.read(file, b"w" * 32)
    stream = backups.padded(backups.stream_of(ended(whole())))
    with pytest.raises(backup.NewerBackup):
        backups.read(backups.sealed(stream, version=2))
    with pytest.raises(backup.NotBackup):
        backups.read(backups.sealed(stream, version=0))
    assert backups.read(backups.sealed(stream))[1].messages == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda stream: stream[:-1] + b"\x01",  # padded with something else
        lambda stream: stream.ljust(secretstream.padded_size(len(stream) + 1), b"\x00"),  # padded too much
        lambda stream: backups.padded(backups.framed(b"\x81") + stream),
        lambda stream: backups.padded((1 << 31).to_bytes(4, "big") + stream),  # a length that it claims
        lambda stream: backups.padded(bytes(4) + stream),
        lambda stream: backups.padded(b"\x00" + stream),
    ],
)
def test_a_stream_that_we_would_not_write_is_malformed(change: Callable[[bytes], bytes]) -> None:
    good = backups.padded(backups.stream_of(ended(whole())))
    with pytest.raises(Malformed):
        backups.read(backups.sealed(change(good)))


def test_a_stream_without_its_last_record_is_cut_off() -> None:
    stream = backups.stream_of(whole())
    filler = b"x" * 60_000
    for number in (3, 4):
        stream += backups.framed(record.encode(message(number, filler.decode()[:15_000])))
    bucket = secretstream.padded_size(max(len(stream), CHUNK))
    rest = (bucket - len(stream) - 4).to_bytes(4, "big")  # a record that never comes
    with pytest.raises((backup.CutOff, Malformed)):
        backups.read(backups.sealed(stream + rest + b"\x01" * (bucket - len(stream) - 4)))
    with pytest.raises(backup.CutOff):
        backups.read(backups.sealed(stream + (90_000).to_bytes(4, "big") + b"\x01" * (bucket - len(stream) - 4)))


# --- hostile records: one change for each check ------------------------------------------------------------------

FORGED_LIST = replace(BO.devices, time_s=NOW_S + 5)
LATER = identity.next_list(BO.account_key, BO.devices, (BO.certificate,), (), NOW_S + 5)


def swapped(records: list[kept.Record], one: int, other: int) -> list[kept.Record]:
    changed = [*records]
    changed[one], changed[other] = changed[other], changed[one]
    return changed


WRONG: dict[str, Callable[[], list[kept.Record]]] = {
    "no head": lambda: whole()[1:],
    "two heads": lambda: [head(), *whole()],
    "another account": lambda: [head(account=EVE.account, lists=(EVE.devices,)), *whole()[1:]],
    "own lists of another account": lambda: [head(lists=(EVE.devices,)), *whole()[1:]],
    "kinds out of order": lambda: swapped(whole(), 2, 4),
    "messages out of order": lambda: swapped(whole(), 6, 7),
    "a setting twice": lambda: [head(), Setting("a", ""), Setting("a", "")],
    "a contact twice": lambda: [head(), contact(), contact(number=2, name="Bo 2")],
    "a name twice": lambda: [head(), contact(), contact(EVE, 2, "BO")],
    "oneself as a contact": lambda: [head(), contact(ANA)],
    "a list that the contact did not sign": lambda: [head(), contact(lists=(FORGED_LIST,))],
    "a list of somebody else": lambda: [head(), contact(lists=(EVE.devices,))],
    "lists in the wrong order": lambda: [head(), contact(lists=(LATER, BO.devices))],
    "a presence key without its epoch": lambda: [head(), contact(presence_epoch=0)],
    "an epoch without its presence key": lambda: [head(), contact(presence=None)],
    "a secret of nobody": lambda: [head(), contact(), secret(contact=2)],
    "a secret twice": lambda: [head(), contact(), secret(), secret()],
    "a device of nobody": lambda: [head(), contact(), device(contact=2)],
    "a device of somebody else": lambda: [head(), contact(), device(EVE)],
    "a device twice": lambda: [head(), contact(), device(), device(number=2)],
    "a note of nobody": lambda: [head(), contact(), RoomNote("chat", 2, b"")],
    "a message of nobody": lambda: [head(), contact(), message(1, "x", contact=2)],
    "a message by no device": lambda: [head(), contact(), device(), message(1, "x", author=2)],
    "a message by another's device": lambda: [
        *(head(), contact(), contact(EVE, 2, "Eve"), device(), device(EVE, 2, 2)),
        message(1, "x", author=2),
    ],
    "a message for no device": lambda: [head(), contact(), device(), message(1, "x", waits=(2,))],
    "a message for a device twice": lambda: [head(), contact(), device(), message(1, "x", waits=(1, 1))],
    "another's message that waits": lambda: [head(), contact(), device(), message(1, "x", author=1, waits=(1,))],
    "a message of another name": lambda: [head(), contact(), message(1, "x", message_id=ids.MessageId(b"m" * 16))],
    "a message of another kind": lambda: [head(), contact(), message(1, "x", kind=121)],
    "a message of another time": lambda: [head(), contact(), message(1, "x", at_ms=5)],
    "a body that is no content": lambda: [head(), contact(), message(1, "x", body=b"\x80")],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_backup_that_contradicts_itself_is_refused(name: str) -> None:
    records = WRONG[name]()
    with pytest.raises((Malformed, Forged)):
        backups.read(backups.sealed(backups.padded(backups.stream_of(ended(records)))))


@pytest.mark.parametrize("field", ["settings", "contacts", "secrets", "devices", "notes", "messages"])
def test_counts_that_are_not_those_of_the_records_are_refused(field: str) -> None:
    *records, end = ended(whole())
    assert isinstance(end, kept.End)
    wrong: Any = {field: getattr(end, field) + 1}
    with pytest.raises(Malformed):
        backups.read(backups.sealed(backups.padded(backups.stream_of([*records, replace(end, **wrong)]))))


def test_more_contacts_than_there_can_be_are_refused() -> None:
    order = Order(ANA.account, backups.KINDS)
    order.take(head())
    order.counts[kept.Contact] = kept.CONTACTS_MAX
    with pytest.raises(Malformed):
        order.take(contact())


def test_what_a_newer_weft_said_is_named_so_and_what_others_said_is_kept() -> None:
    records: list[kept.Record] = [head(), contact(), device(), message(1, "theirs", author=1)]
    order = Order(ANA.account, Kinds(()))
    assert backups.read(backups.file_of(records), order=order)[1].messages == 1
    with pytest.raises(NewerContent):
        backups.read(backups.file_of([*records, message(2, "ours")]), order=Order(ANA.account, Kinds(())))


def test_a_contact_whose_device_has_the_key_of_an_account_spoils_no_backup() -> None:
    now = (NOW_S - 9, NOW_S + 99_999)
    for key in (EVE.account, BO.account, ANA.account):  # her own, which she may use so, and keys of others
        certificate = identity.certify(EVE.account_key, ids.DeviceId(key), b"i" * 32, 1, *now)
        found: list[kept.Record] = [
            head(),
            contact(),
            contact(EVE, 2, "Eve"),
            device(EVE, 1, 2, certificate=certificate),
        ]
        assert backups.read(backups.file_of(found))[0] == ended(found)


def test_what_others_said_is_kept_though_this_version_would_not_take_it_now() -> None:
    """It came when its kind was not known yet, so nobody could tell."""
    for kind, fields in ((120, (b"no text",)), (100, ())):
        body = wire.encode((kind, bytes(16), None, 5, 1, (), fields, None))
        theirs = message(1, "", author=1, message_id=ids.MessageId(bytes(16)), kind=kind, at_ms=5, body=body)
        order = Order(ANA.account, Kinds((Text, Introduction)))
        records: list[kept.Record] = [head(), contact(), device(), theirs]
        assert backups.read(backups.file_of(records), order=order)[1].messages == 1
        with pytest.raises(PeerFault):
            backups.read(backups.file_of([*records[:3], replace(theirs, device=0)]), order=order)


def test_what_waits_for_the_first_device_of_a_contact_is_kept() -> None:
    records: list[kept.Record] = [head(), contact(lists=(), state=0), message(1, "first", waits=(0,))]
    found, _ = backups.read(backups.file_of(records))
    assert found == ended(records)
    assert message(1, "x", waits=(0,)).state is State.QUEUED


@pytest.mark.parametrize("cls", kept.CLASSES, ids=lambda cls: cls.__name__)
def test_a_record_of_any_content_is_a_typed_fault_or_fits(cls: type) -> None:
    for number in range(20):
        rec = samples.sample(cls, samples.Seeded(f"backup {cls.__name__} {number}"))
        stream = backups.stream_of([*([] if cls is kept.Head else [head()]), rec])
        with pytest.raises(PeerFault):  # no sample is signed, or ends a backup rightly
            backups.read(backups.sealed(backups.padded(stream)))


def test_neither_end_is_pickled_or_shows_its_key() -> None:
    composer = backup.Composer(SECRET, backups.NONCE)
    file = backups.file_of(whole())
    reader = backup.Reader(SECRET, file[: backup.HEAD_BYTES], len(file), Order(ANA.account, backups.KINDS))
    for end in (composer, reader):
        assert SECRET.hex() not in repr(end)
        with pytest.raises(TypeError):
            pickle.dumps(end)
