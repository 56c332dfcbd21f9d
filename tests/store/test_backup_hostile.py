"""What a hostile contact may leave in a database does not spoil the backup of it, nor the way back."""

import tracemalloc
from pathlib import Path
from typing import Any

from crypto.keys import SigningKey
from protocol import backup_records, content, ids, wire
from protocol import identity as documents
from protocol.backup_records import Device as KeptDevice
from protocol.backup_records import Message, Order, PairSecret
from store import backup, devices, identity, inbox, outbox, pairs, people, rebuild
from store.database import Tx, Worker, open_database
from store.people import ContactState
from tests.protocol import backups
from tests.store import kit
from tests.store.test_backup import everything, order_of, put

MEMORY = Path(":memory:")


def _device_of(key: SigningKey, serial: int, now_s: int) -> documents.Certificate:
    entropy = kit.entropy_of(f"device {serial}")
    return documents.certify(key, ids.DeviceId(entropy(32)), entropy(32), serial, now_s - 9, now_s + 99_999)


async def test_secrets_that_a_contact_made_by_the_hundred_do_not_fill_the_backup() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        for epoch in range(2, 300):
            await ana.run(pairs.take_pair_secret, ana.contact, epoch, bytes((epoch % 256,)) * 32, ana.clock.ms)
        records, _ = await ana.run(everything, ana.clock.ms)
        epochs = [one.epoch for one in records if isinstance(one, PairSecret)]
        assert epochs == [*range(300 - backup_records.SECRETS_MAX, 300)]


async def test_devices_that_are_revoked_and_said_nothing_are_left_out() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        key, now_s, before = bo.mine.account_key(), bo.clock.ms // 1000, bo.mine.lists[-1]
        for serial in range(2, 12):
            one = _device_of(key, serial, now_s)
            before = documents.next_list(key, before, (one,), (), now_s)
            met = await ana.run(people.meet, ana.contact, one, (before,), ana.clock.ms)
            assert isinstance(met, devices.Device)
        records, _ = await ana.run(everything, ana.clock.ms)
        kept_devices = [one for one in records if isinstance(one, KeptDevice)]
        assert [one.certificate for one in kept_devices] == [
            bo.mine.certificate,
            one,
        ]  # the first one has said something
        order_of(ana, records)


async def test_what_waits_for_more_devices_than_an_account_has_is_kept_for_the_newest() -> None:
    """Before his first list is seen, whoever answers our link may show another device each time."""
    async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        me = await database.transact(identity.create_identity, b"w" * 32, "Ana", kit.START_MS, kit.entropy_of("ana"))

        def ask(tx: Tx) -> None:
            bo = people.add_contact(tx, backups.BO.account, "Bo", ContactState.ASKED, "", kit.START_MS)
            for serial in range(12):
                people.add_device(tx, bo.id, _device_of(backups.BO.account_key, serial, kit.START_MS // 1000))
            body = content.say(
                message_id=ids.MessageId(bytes(16)), hlc_ms=5, device_seq=1, parents=(), content=kit.Note("hi")
            )
            outbox.post(tx, bo.id, [outbox.Posted(ids.MessageId(bytes(16)), kit.Note.KIND, 5, body)], kit.START_MS)

        await database.transact(ask)
        records, _ = await database.transact(everything, kit.START_MS)
        (message,) = [one for one in records if isinstance(one, Message)]
        assert message.waits == tuple(range(4, 13))
        order = Order(me.account, kit.KINDS)
        for one in backups.ended(records):
            order.take(one)


async def test_a_page_holds_no_more_in_memory_than_it_gives() -> None:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post(*("x" * 16_000 for _ in range(400)))
        seen = await ana.run(backup.frame, (), (), ana.clock.ms)
        await ana.run(backup.page, seen, 0)
        tracemalloc.start()
        try:
            found = await ana.run(backup.page, seen, 0)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sum(len(one.body) for one in found.messages) > backup.PAGE_BYTES - 20_000
        assert peak < 2 * backup.PAGE_BYTES


async def test_what_a_contact_said_in_a_wrong_shape_comes_back_unheard() -> None:
    body = wire.encode((kit.Note.KIND, bytes(16), None, 5, 1, (), (b"no text",), None))
    theirs = backups.message(
        1, "", author=1, message_id=ids.MessageId(bytes(16)), kind=kit.Note.KIND, at_ms=5, body=body
    )
    async with open_database(MEMORY, kit.KEY, kit.MIGRATIONS, Worker.INLINE) as database:
        records: list[Any] = [backups.head(), backups.contact(), backups.device(), theirs]
        await database.transact(put, backups.SECRET, records, kit.START_MS)
        assert await database.transact(lambda tx: tx.all("SELECT message FROM unheard")) == [(1,)]
        assert await database.transact(inbox.retry_unheard, kit.ROOMS, kit.START_MS) == 0
        assert await database.transact(rebuild.refold, kit.ROOMS, ("note",), (kit.Note.KIND,)) == 0
