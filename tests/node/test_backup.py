"""Backups as files: what is written, what is left when it cannot be, and a sentence for whatever is wrong with one."""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

import features
from crypto import words
from features.contacts.content import Presence
from features.profile.content import Profile
from node import backup, ground
from node.node import migrations
from protocol import backup_records as kept
from protocol import identity as documents
from protocol import ids, record, wire
from protocol.backup_records import RoomNote
from protocol.faults import UserFault
from store.database import Database, Tx, Worker, open_database
from store.identity import Identity
from tests.protocol import backups
from tests.protocol.backups import contact, device, ended, head, message, secret, whole

KEY = bytes(32)
ROOMS = features.load()
GROUND = replace(ground.real(), worker=Worker.INLINE)
WORDS = words.words_of(backups.SECRET)


@asynccontextmanager
async def opened(path: Path, worker: Worker = Worker.INLINE) -> AsyncIterator[Database]:
    async with open_database(path, KEY, migrations(ROOMS), worker) as database:
        yield database


@asynccontextmanager
async def profile_of(path: Path, worker: Worker = Worker.INLINE) -> AsyncIterator[tuple[Database, Identity]]:
    """A profile that was restored from the small backup."""
    file = path.with_suffix(".made")
    file.write_bytes(backups.file_of(whole()))
    async with opened(path, worker) as database:
        yield database, await backup.restore(database, file, backups.SECRET, ROOMS, GROUND.now_ms(), os.urandom)


@pytest.mark.parametrize("worker", list(Worker))
async def test_a_backup_is_a_file_of_its_owner_alone_and_nothing_else_is_left(tmp_path: Path, worker: Worker) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    async with profile_of(tmp_path / "x.db", worker) as (database, me):
        made = await backup.create(database, me, ROOMS, replace(GROUND, worker=worker), folder / "ana", replace=False)
    (file,) = folder.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("ana", 0o600)
    assert made == replace(backup.verify(file, backups.SECRET, ROOMS), made_ms=made.made_ms)
    assert (made.name, made.contacts, made.messages, made.bytes) == ("Ana", 1, 2, file.stat().st_size)


async def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "ana"
    file.write_text("something else")
    async with profile_of(tmp_path / "x.db") as (database, me):
        with pytest.raises(backup.BackupExists, match="left as it is") as refused:
            await backup.create(database, me, ROOMS, GROUND, file, replace=False)
        assert refused.value.next == f"weft backup create --force {file}"
        assert file.read_text() == "something else"
        link = tmp_path / "link"
        link.symlink_to("nowhere")
        with pytest.raises(backup.BackupExists):
            await backup.create(database, me, ROOMS, GROUND, link, replace=False)
        await backup.create(database, me, ROOMS, GROUND, file, replace=True)
        assert backup.verify(file, backups.SECRET, ROOMS).messages == 2


async def test_where_a_link_stands_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    link = tmp_path / "link"
    link.symlink_to(stick / "ana")  # nothing stands there yet
    async with profile_of(tmp_path / "x.db") as (database, me):
        for _ in range(2):
            await backup.create(database, me, ROOMS, GROUND, link, replace=True)
            assert link.is_symlink()
            assert backup.verify(stick / "ana", backups.SECRET, ROOMS).messages == 2
        assert [one.name for one in stick.iterdir()] == ["ana"]
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(backup.BackupUnwritable, match="no file"):
            await backup.create(database, me, ROOMS, GROUND, tmp_path / "pipe", replace=True)
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


async def test_what_could_not_be_restored_is_not_said_to_be_kept(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    async with profile_of(tmp_path / "x.db") as (database, me):
        await database.transact(lambda tx: tx.execute("UPDATE message SET kind = kind + 1 WHERE seq = 2") and None)
        with pytest.raises(backup.BackupUnsound):
            await backup.create(database, me, ROOMS, GROUND, folder / "ana", replace=False)
    assert [*folder.iterdir()] == []


async def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    (folder / "a folder").mkdir(parents=True)
    async with profile_of(tmp_path / "x.db") as (database, me):
        for file in (folder / "none" / "ana", folder / "a folder", folder / ("x" * 300)):
            with pytest.raises(backup.BackupUnwritable, match=r"cannot be written \(\w"):
                await backup.create(database, me, ROOMS, GROUND, file, replace=True)
        assert [one.name for one in folder.rglob("*")] == ["a folder"]


async def test_a_backup_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    async with profile_of(tmp_path / "x.db") as (database, me):
        with trio.CancelScope() as scope:

            def cancelled(_: Tx, __: int) -> bytes | None:
                scope.cancel()
                return None

            keeping = replace(ROOMS[0].keeping, keep=cancelled)  # type: ignore[type-var]
            await backup.create(
                database, me, (replace(ROOMS[0], keeping=keeping),), GROUND, folder / "ana", replace=False
            )
        assert scope.cancelled_caught
    assert list(folder.iterdir()) == []


def strange(*notes: RoomNote) -> bytes:
    return backups.file_of([head(), contact(), device(), *notes])


def _ours_of(kind: int) -> kept.Message:
    body = wire.encode((kind, bytes(16), None, 5, 1, (), (), None))
    return message(1, "", message_id=ids.MessageId(bytes(16)), kind=kind, at_ms=5, body=body)


def _never_good() -> kept.Device:
    bo = backups.BO
    return device(certificate=documents.certify(bo.account_key, ids.DeviceId(b"d" * 32), b"i" * 32, 1, 50_000, 9))


GOOD = backups.file_of(whole())
TWICE = [message(1, "x"), replace(message(1, "x"), number=2)]
WRONG: dict[str, tuple[bytes, str, int]] = {
    "empty": (b"", "backup.foreign", 1),
    "a text": (b"hello\n" * 20_000, "backup.foreign", 1),
    "cut": (GOOD[:-100], "backup.cut", 1),
    "longer": (GOOD + b"x", "backup.cut", 1),
    "changed": (GOOD[:500] + bytes((GOOD[500] ^ 1,)) + GOOD[501:], "backup.damaged", 1),
    "other words": (
        backups.file_of([head(account=backups.owner(b"w" * 32).account), *whole()[1:]], b"w" * 32),
        "backup.words",
        4,
    ),
    "newer": (backups.sealed(backups.padded(backups.stream_of(ended(whole()))), version=2), "backup.newer", 8),
    "strange": (
        backups.sealed(backups.padded(backups.stream_of([head()]) + b"\x00\x00\x00\x01\xff")),
        "backup.strange",
        1,
    ),
    "forged": (backups.file_of([head(lists=(backups.BO.devices,))]), "backup.strange", 1),
    "a mark of chat": (strange(RoomNote("chat", 1, b"\x81\x20")), "backup.strange", 1),
    "a profile of ours": (strange(RoomNote("profile", 0, b"\x81\x20")), "backup.strange", 1),
    "its photo": (strange(RoomNote("profile", 0, record.encode(Profile(1, "Ana", "", b"x")))), "backup.strange", 1),
    "a time for files": (strange(RoomNote("media", 1, wire.encode((5,)))), "backup.strange", 1),
    "an asking": (strange(RoomNote("contacts", 1, wire.encode(("weft:i/x", "", 5)))), "backup.strange", 1),
    "ours in a wrong channel": (backups.file_of([head(), contact(), _ours_of(100)]), "backup.strange", 1),
    "a certificate that was never good": (backups.file_of([head(), contact(), _never_good()]), "backup.strange", 1),
    "ours of an unknown kind": (backups.file_of([head(), contact(), _ours_of(399)]), "backup.newer", 8),
}


@pytest.mark.parametrize("name", WRONG)
async def test_whatever_is_wrong_with_a_backup_is_one_sentence_and_a_code(tmp_path: Path, name: str) -> None:
    raw, code, exit_code = WRONG[name]
    file = tmp_path / "x.weft"
    file.write_bytes(raw)
    with pytest.raises(UserFault, match=r"^[A-Z].*\.$") as told:
        backup.verify(file, backups.SECRET, ROOMS)
    assert (told.value.code, told.value.exit) == (code, exit_code)
    async with opened(tmp_path / "x.db") as database:
        with pytest.raises(UserFault) as again:
            await backup.restore(database, file, backups.SECRET, ROOMS, 5, os.urandom)
    assert again.value.code == code


def test_what_is_no_file_is_unreadable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody writes into it: to wait for that would be to wait for ever
    for place in (tmp_path, tmp_path / "none", Path("/dev/null"), tmp_path / "pipe"):
        with pytest.raises(backup.BackupUnreadable):
            backup.verify(place, backups.SECRET, ROOMS)


LINK = wire.encode((ids.account_text(backups.ANA.account), "", 5))  # of another account than the contact's


@pytest.mark.parametrize("more", [[RoomNote("contacts", 1, LINK)], TWICE], ids=["another's link", "one id twice"])
async def test_what_only_the_tables_can_tell_is_found_when_it_is_restored(tmp_path: Path, more: list[Any]) -> None:
    records: list[Any] = [head(), contact(), device(), *more]
    file = tmp_path / "x.weft"
    file.write_bytes(backups.file_of(records))
    backup.verify(file, backups.SECRET, ROOMS)
    async with opened(tmp_path / "x.db") as database:
        with pytest.raises(backup.BackupStrange):
            await backup.restore(database, file, backups.SECRET, ROOMS, 5, os.urandom)


async def test_who_has_counted_his_secrets_to_the_end_keeps_nobody_from_coming_back(tmp_path: Path) -> None:
    file = tmp_path / "x.weft"
    file.write_bytes(backups.file_of([head(), contact(), secret(epoch=2**32 - 1), device()]))
    async with opened(tmp_path / "x.db") as database:
        await backup.restore(database, file, backups.SECRET, ROOMS, GROUND.now_ms(), os.urandom)
        assert await database.transact(lambda tx: tx.all("SELECT kind FROM message")) == [(Presence.KIND,)]


async def test_settings_that_this_version_does_not_have_or_take_are_left_alone(tmp_path: Path) -> None:
    """Some rows beside the settings are the node's own, and a node that finds no number there would never start."""
    set_by_hand = [("find.handle", "ana"), ("listen.port", "many"), ("listen.port.last", "x"), ("polls.on", "yes")]
    file = tmp_path / "x.weft"
    file.write_bytes(backups.file_of([head(), *(kept.Setting(*one) for one in set_by_hand)]))
    async with opened(tmp_path / "x.db") as database:
        await backup.restore(database, file, backups.SECRET, ROOMS, GROUND.now_ms(), os.urandom)
        assert await database.transact(lambda tx: tx.all("SELECT name, value FROM setting")) == [("find.handle", "ana")]


async def test_a_note_of_a_room_that_is_no_more_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.weft"
    file.write_bytes(strange(RoomNote("polls", 1, b"what it was")))
    assert backup.verify(file, backups.SECRET, ROOMS).contacts == 1
    async with opened(tmp_path / "x.db") as database:
        await backup.restore(database, file, backups.SECRET, ROOMS, GROUND.now_ms(), os.urandom)


def test_words_are_read_in_any_case_and_refused_without_being_said() -> None:
    assert backup.secret_of(f"  {WORDS.upper()}\n") == backups.SECRET
    for wrong, said in (("", "there are 0 words"), (WORDS.replace("abandon", "abandonn"), "is not in the list")):
        with pytest.raises(backup.BadWords, match=said) as told:
            backup.secret_of(wrong)
        assert told.value.exit == 4
        assert "abandonn" not in str(told.value)


@pytest.mark.parametrize("text", ["", "ana.weft", "./x", "~/x", "/x\0y"])
def test_a_path_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(backup.BadPath):
        backup.place_of(text)
    assert backup.place_of("/x/y") == Path("/x/y")
