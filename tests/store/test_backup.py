"""What a backup keeps of a database, and how it comes back; who takes over what waits for a lost device."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import words
from crypto.faults import Malformed
from protocol import backup_records, ids
from protocol import identity as documents
from protocol.backup_records import Contact, Head, Message, Order, Record
from protocol.delivery import State
from store import backup, devices, identity, lanes, outbox, pairs, people
from store import settings as kept_settings
from store.database import Tx, Worker, open_database
from store.people import ContactState, Verified
from tests import depth
from tests.protocol import backups
from tests.store import kit
from tests.store.kit import Side

MEMORY = Path(":memory:")
ROOMS: tuple[tuple[str, bool, backup.Keep], ...] = (("notes", False, lambda _tx, contact: bytes((contact,))),)


def everything(tx: Tx, now_ms: int) -> tuple[list[Record], int]:
    """All records of a backup of this moment but the last, and in how many pages the messages came."""
    seen = backup.frame(tx, ("a.setting",), ROOMS, now_ms)
    records: list[Record] = [*seen.records]
    after, pages = 0, 0
    while True:
        page = backup.page(tx, seen, after)
        records += page.messages
        if not (after := page.after):
            return records, pages
        pages += 1


def put(tx: Tx, recovery: bytes, records: Sequence[Record], now_ms: int) -> identity.Identity:
    head = records[0]
    assert isinstance(head, Head)
    me = backup.begin(tx, recovery, head, now_ms, kit.entropy_of("another device"))
    backup.put(tx, kit.KINDS, records)
    return me


@asynccontextmanager
async def restored(side: Side, records: Sequence[Record], path: Path = MEMORY) -> AsyncIterator[Side]:
    """The side on another disk, from these records."""
    async with open_database(path, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        me = await database.transact(put, side.mine.recovery, records, side.clock.ms)
        entropy = kit.entropy_of(f"{side.name} again")
        yield Side(side.name, path, database, me, side.clock, entropy, side.contact, side.device)


async def full_of(ana: Side, bo: Side) -> None:
    """A profile with something of each kind in it."""
    await kit.converse(ana, bo)
    await ana.run(pairs.make_pair_secret, ana.contact, b"1" * 32, ana.clock.ms)
    await ana.run(pairs.take_pair_secret, ana.contact, 2, b"2" * 32, ana.clock.ms)
    await ana.run(people.set_verified, ana.contact, Verified.QR, ana.clock.ms)
    await ana.run(kept_settings.put, "a.setting", "on")
    await ana.run(kept_settings.put, "of this machine", "47474")
    blocked = await ana.run(people.add_contact, backups.BO.account, "Eve", ContactState.BLOCKED, "hi", ana.clock.ms)
    await ana.run(people.set_alarm, blocked.id, "restarted")
    await ana.post("waits")


@pytest.mark.parametrize("texts", [0, 3])
async def test_what_was_kept_comes_back_under_a_new_device(texts: int) -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await full_of(ana, bo)
        await ana.post(*(f"more {n}" for n in range(texts)))
        records, _ = await ana.run(everything, ana.clock.ms)
        ana.clock.pass_s(3600)
        async with restored(ana, records) as again:
            found, _ = await again.run(everything, ana.clock.ms)
            before, after = records[0], found[0]
            assert isinstance(before, Head)
            assert isinstance(after, Head)
            assert found[1:] == records[1:]
            assert (after.account, after.name, after.presence) == (before.account, before.name, before.presence)
            assert after.presence_epoch == ana.clock.ms // 1000
            assert again.mine.device != ana.mine.device
            assert again.mine.transport_seed != ana.mine.transport_seed
            *lists, newest = again.mine.lists
            assert tuple(lists) == ana.mine.lists
            assert newest.certificates == (documents.certificate_hash(again.mine.certificate),)
            lost = documents.Revocation(ana.mine.lists[-1].certificates[0], ana.clock.ms // 1000, documents.LOST)
            assert newest.revoked == (lost,)
            assert documents.follow(ana.mine.lists[-1], again.mine.lists) is documents.Standing.RECOVERED
            empty = "SELECT COUNT(*) FROM {}"
            for table in ("session", "px3_seen", "prekey", "quarantine", "invitation", "unheard"):
                assert await again.run(lambda tx, t=table: tx.one(empty.format(t))) == (0,)


def order_of(side: Side, records: Sequence[Record]) -> Order:
    order = Order(ids.AccountId(words.account_key(side.mine.recovery).public), kit.KINDS)
    for one in backups.ended(records):
        order.take(one)
    return order


async def test_what_a_database_gives_is_what_a_reader_takes() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await full_of(ana, bo)
        records, _ = await ana.run(everything, ana.clock.ms)
        assert order_of(ana, records).end == backup_records.End(1, 2, 2, 1, 2, 5)
        assert [one.value for one in records if isinstance(one, backup_records.Setting)] == ["on"]


async def test_messages_come_in_pages_of_a_million_bytes() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post(*("x" * 16_000 for _ in range(200)))
        records, pages = await ana.run(everything, ana.clock.ms)
        assert sum(isinstance(one, Message) for one in records) == 204
        assert pages == 4


async def test_what_comes_after_the_frame_is_not_in_the_backup() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        seen = await ana.run(backup.frame, (), (), ana.clock.ms)
        await ana.post("later")
        assert len((await ana.run(backup.page, seen, 0)).messages) == 4


Story = list[tuple[str, int]]


@given(
    st.lists(st.tuples(st.sampled_from(["ana", "bo", "ana waits", "secret", "alarm"]), st.integers(0, 9)), max_size=12)
)
@settings(max_examples=depth.EXAMPLES, deadline=None)
async def test_any_history_comes_back(story: Story) -> None:
    async with kit.open_memory_pair() as (ana, bo):
        for act, number in story:
            match act:
                case "ana" | "bo":
                    author, reader = (ana, bo) if act == "ana" else (bo, ana)
                    await author.post(f"{act} {number}")
                    await kit.carry(author, reader)
                case "ana waits":
                    await ana.post(f"waits {number}")
                case "secret":
                    await ana.run(pairs.take_pair_secret, ana.contact, number + 1, bytes((number,)) * 32, ana.clock.ms)
                case "alarm":
                    await ana.run(people.set_alarm, ana.contact, "new_device")
            ana.clock.pass_s(number)
        records, _ = await ana.run(everything, ana.clock.ms)
        order_of(ana, records)
        async with restored(ana, records) as again:
            found, _ = await again.run(everything, ana.clock.ms)
            assert found[1:] == records[1:]
            waiting = await ana.run(lanes.count, ana.device)
            assert await again.run(lanes.count, ana.device) == waiting


# --- states, devices, what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("waits", [(), (1,)])
async def test_what_was_not_delivered_waits_again(state: State, waits: tuple[int, ...]) -> None:
    message = backups.message(1, "x", waits=waits, state=state)
    records: list[Any] = [backups.head(), backups.contact(), backups.device(), message]
    async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        await database.transact(put, backups.SECRET, records, kit.START_MS)
        unfinished = state in (State.QUEUED, State.SENT, State.HELD, State.KEPT)
        row = await database.transact(lambda tx: tx.one("SELECT state FROM message"))
        assert row == (int(State.QUEUED) if unfinished else int(state),)
        rows = await database.transact(lambda tx: tx.all("SELECT device, message FROM delivery"))
        assert rows == ([(1, 1)] if waits or unfinished else [])


async def test_what_waits_for_a_revoked_or_unknown_device_waits_for_the_first_one_to_come() -> None:
    for devices_kept in ([], [backups.device(revoked=1)]):
        message = backups.message(1, "x", waits=(1,) if devices_kept else (0,))
        records: list[Any] = [backups.head(), backups.contact(), *devices_kept, message]
        async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
            await database.transact(put, backups.SECRET, records, kit.START_MS)
            assert await database.transact(lambda tx: tx.all("SELECT device, message FROM delivery")) == [(-1, 1)]


async def test_a_device_that_is_not_in_the_newest_list_comes_back_revoked() -> None:
    later = documents.next_list(
        backups.BO.account_key, backups.BO.devices, (backups.BO.certify(2),), (), kit.START_MS // 1000
    )
    records: list[Any] = [
        *(backups.head(), backups.contact(lists=(backups.BO.devices, later))),
        backups.device(),
    ]
    async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        await database.transact(put, backups.SECRET, records, kit.START_MS)
        assert (await database.transact(devices.device, 1)).revoked


@pytest.mark.parametrize("author", [0, 1])
async def test_two_messages_of_one_name_are_malformed(author: int) -> None:
    one = backups.message(1, "x", author=author)
    again = backups.message(1, "x", author=author)
    again = replace(again, number=2)
    async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        records: list[Any] = [backups.head(), backups.contact(), backups.device(), one, again]
        with pytest.raises(Malformed):
            await database.transact(put, backups.SECRET, records, kit.START_MS)


async def test_what_this_version_does_not_know_is_heard_after_an_upgrade() -> None:
    theirs = backups.message(1, "of a kind that these rooms do not have", author=1)
    async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        records: list[Any] = [backups.head(), backups.contact(), backups.device(), theirs]
        await database.transact(put, backups.SECRET, records, kit.START_MS)
        assert await database.transact(lambda tx: tx.all("SELECT message, reason FROM unheard")) == [(1, "unknown")]


def test_epochs_are_above_all_that_others_may_have_counted_to() -> None:
    now_s = kit.START_MS // 1000
    assert backup.epoch_min(3, kit.START_MS) == now_s
    assert backup.epoch_min(now_s + 5, kit.START_MS) == now_s + 6  # the clock was set back
    assert backup.epoch_min(2**32 - 2, 2**60) == backup.EPOCH_MAX


# --- at the contacts ---------------------------------------------------------------------------------------------


async def come_back(ana: Side, bo: Side) -> tuple[list[Record], devices.Device]:
    """Ana's backup of now, and the device that bo meets when it was restored."""
    records, _ = await ana.run(everything, ana.clock.ms)
    async with restored(ana, records) as again:
        met = await bo.run(people.meet, bo.contact, again.mine.certificate, again.mine.lists, bo.clock.ms)
    assert isinstance(met, devices.Device)
    return records, met


async def test_what_the_lost_device_did_not_acknowledge_waits_for_the_new_one() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        rows = await bo.post("queued", "sent", "held", "delivered")
        outgoing = await bo.seal()
        await bo.run(outbox.sent, (outgoing[1].seq,), bo.clock.ms)
        await bo.acked(outgoing[2:], held=[0])
        _, met = await come_back(ana, bo)
        assert await bo.run(lanes.count, bo.device) == 0
        assert await bo.run(lanes.count, met.id) == 3
        assert [await bo.state(seq) for seq in rows] == [State.QUEUED] * 3 + [State.DELIVERED]
        late = tuple(one.seq for one in outgoing[:1])
        await bo.run(outbox.acked, bo.device, late, (), bo.clock.ms)  # it had arrived, before the device was lost
        assert await bo.state(rows[0]) is State.DELIVERED


async def test_what_waited_is_handed_over_too_when_the_list_comes_after_the_device() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        await bo.post("waits")
        records, _ = await ana.run(everything, ana.clock.ms)
        async with restored(ana, records) as again:  # as by an invitation
            added = await bo.run(devices.add_device, bo.contact, again.mine.certificate)
            assert await bo.run(lanes.count, added.id) == 0
            await bo.run(people.pin_lists, bo.contact, again.mine.lists)
        assert await bo.run(lanes.count, added.id) == 1


async def test_a_device_that_was_there_before_the_lost_one_inherits_nothing() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        entropy = kit.entropy_of("a second device")
        key, now_s = ana.mine.account_key(), ana.clock.ms // 1000
        second = documents.certify(key, ids.DeviceId(entropy(32)), entropy(32), 2, now_s - 9, now_s + 99_999)
        two = documents.next_list(key, ana.mine.lists[-1], (ana.mine.certificate, second), (), now_s)
        met = await bo.run(people.meet, bo.contact, second, (two,), bo.clock.ms)
        await bo.post("for both")
        one = documents.next_list(key, two, (ana.mine.certificate,), (), now_s)
        await bo.run(people.pin_lists, bo.contact, (one,))
        assert await bo.run(lanes.count, bo.device) == 1
        assert await bo.run(lanes.count, met.id) == 1  # it is given up after 30 days, as what nobody fetches


async def test_what_an_account_said_by_its_lost_device_is_known_from_the_new_one() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("said twice")
        records, _ = await ana.run(everything, ana.clock.ms)
        await kit.carry(ana, bo)
        async with restored(ana, records) as again:
            met = await bo.run(people.meet, bo.contact, again.mine.certificate, again.mine.lists, bo.clock.ms)
            bo.device = met.id
            await bo.give_bundle(again)
            await again.give_bundle(bo)
            await again.post("said once")
            await kit.carry(again, bo)
            assert await again.run(lanes.count, again.device) == 0
        assert await bo.notes() == ["ana 0", "ana 1", "said twice", "said once"]


async def test_the_question_whether_an_account_said_it_before_is_answered_by_indexes() -> None:
    async with kit.open_memory_pair() as (ana, _):
        sql = (
            "SELECT 1 FROM device d CROSS JOIN message m ON m.device = d.id WHERE d.contact = 1 AND m.message_id = x''"
        )
        steps = await ana.run(lambda tx: [step for *_, step in tx.all(f"EXPLAIN QUERY PLAN {sql}")])
        assert all("SEARCH" in step for step in steps)
        assert "message_once (device=? AND message_id=?)" in steps[1]


def test_a_contact_of_a_backup_shows_no_secret() -> None:
    assert isinstance(backups.contact(), Contact)
    assert "bbbb" not in repr(backups.contact())
    assert "ssss" not in repr(backups.secret())
