"""The outbox: states of a delivery, rounds, tickets, what is sealed anew."""

from pathlib import Path

import pytest

from protocol import delivery, envelope, ids
from protocol.delivery import State
from store import lanes, outbox
from store.database import Tx
from store.outbox import NeedBundle
from tests.store import kit


async def test_states_move_as_the_table_says(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        one, two, three = await ana.post("1", "2", "3")
        outgoing = await ana.seal()
        assert await ana.state(one) is State.QUEUED
        tickets = tuple(each.seq for each in outgoing)
        assert list(tickets) == sorted(tickets)
        await ana.run(outbox.sent, tickets[:2], ana.clock.ms + 1000)
        assert [await ana.state(seq) for seq in (one, two, three)] == [State.SENT, State.SENT, State.QUEUED]
        await ana.acked(outgoing, held=[1])
        assert [await ana.state(seq) for seq in (one, two, three)] == [State.DELIVERED, State.HELD, State.DELIVERED]
        await ana.run(outbox.sent, tickets, ana.clock.ms)
        assert await ana.state(two) is State.HELD
        assert await ana.run(outbox.waiting, ana.device) == 1
        assert await ana.run(outbox.requeue_held, ana.device, ana.clock.ms)
        assert not await ana.run(outbox.requeue_held, ana.device, ana.clock.ms)
        assert await ana.state(two) is State.QUEUED
        again = await ana.seal()
        assert [lanes.message_of(each.seq) for each in again] == [two]
        await ana.acked(again)
        await ana.acked(outgoing)  # late and double acknowledgements change nothing
        assert await ana.state(two) is State.DELIVERED
        row = await ana.run(lambda tx: tx.one("SELECT message_id FROM message WHERE seq = ?", (two,)))
        await ana.run(outbox.read, ana.device, (ids.MessageId(row[0]), ids.MessageId(bytes(16))), ana.clock.ms)
        assert await ana.state(two) is State.READ
        await ana.acked(again)
        assert await ana.state(two) is State.READ


async def test_each_message_is_sealed_once_a_round_and_anew_in_the_next(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post(*"abcdef")
        first = await ana.seal(4)
        assert len(first) == 4
        second = await ana.seal(4)
        assert len(second) == 2
        assert await ana.seal() == ()
        await ana.run(outbox.sent, (first[0].seq,), ana.clock.ms)
        await ana.acked(first[1:3])
        await ana.run(outbox.requeue, ana.device)  # the stream has ended
        round_two = await ana.seal()
        assert [lanes.message_of(one.seq) for one in round_two] == [
            lanes.message_of(one.seq) for one in (first[0], first[3], *second)
        ]
        assert not {one.envelope for one in round_two} & {one.envelope for one in (*first, *second)}
        await ana.run(outbox.sent, (first[0].seq,), ana.clock.ms)  # of the round before: says nothing now
        assert await ana.state(lanes.message_of(first[0].seq)) is State.QUEUED
        await bo.accept(*(one.envelope for one in (*first, *second)))
        await bo.accept(*(one.envelope for one in round_two))
        assert (await bo.notes())[2:] == list("abcdef")
        await ana.acked(first)  # an acknowledgement of the older stream is true all the same
        await ana.acked(round_two)
        assert await ana.run(outbox.waiting, ana.device) == 0


async def test_count_and_bytes_limit_a_batch(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post(*("x" * 3000 for _ in range(8)))

        def seal(tx: Tx, count: int, size: int) -> int:
            sealed = outbox.seal(tx, ana.mine, ana.device, count, size, ana.clock.ms, ana.entropy, bo.entropy)  # type: ignore[arg-type]
            assert not isinstance(sealed, NeedBundle)
            return len(sealed)

        assert await ana.run(seal, 0, 1 << 20) == 0
        assert await ana.run(seal, 512, 0) == 0
        assert await ana.run(seal, 512, 4096) == 1
        assert await ana.run(seal, 512, 4097) == 2
        assert await ana.run(seal, 512, 1 << 20) == 5


async def test_thirty_days_without_delivery_are_given_up(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        (old,) = await ana.post("old")
        ana.clock.pass_s(86_400)
        (young,) = await ana.post("young")
        await ana.run(outbox.expire, ana.clock.ms)
        assert await ana.state(old) is State.QUEUED
        ana.clock.ms += delivery.EXPIRE_MS - 3_600_000
        await ana.run(outbox.expire, ana.clock.ms)
        assert [await ana.state(seq) for seq in (old, young)] == [State.EXPIRED, State.QUEUED]
        assert "30 days" in (await ana.run(lambda tx: tx.one("SELECT reason FROM message WHERE seq = ?", (old,))))[0]
        await bo.give_bundle(ana)
        await kit.carry(ana, bo)
        assert await bo.notes() == ["young"]


async def test_what_was_given_up_and_was_read_all_the_same_is_delivered(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "a", "Ana", clock) as ana,
        kit.open_side(tmp_path / "b", "Bo", clock) as bo,
        kit.open_side(tmp_path / "c", "Chen", clock) as chen,
    ):
        await kit.acquaint(ana, chen)
        chen_at_ana = ana.device
        await kit.acquaint(ana, bo)
        (seq,) = await ana.post("kept for weeks")
        await ana.run(outbox.expire, clock.ms + delivery.EXPIRE_MS + 1)
        sql = "SELECT message_id, state, reason FROM message WHERE seq = ?"
        message_id, _, reason = await ana.run(lambda tx: tx.one(sql, (seq,)))
        await ana.run(outbox.received_receipt, chen_at_ana, (message_id,), clock.ms)
        assert await ana.run(lambda tx: tx.one(sql, (seq,))) == (message_id, State.EXPIRED, reason)
        await ana.run(outbox.received_receipt, ana.device, (message_id,), clock.ms)
        assert await ana.run(lambda tx: tx.one(sql, (seq,))) == (message_id, State.DELIVERED, "")
        (seq,) = await ana.post("kept for weeks, and then read")
        await ana.run(outbox.expire, clock.ms + delivery.EXPIRE_MS + 1)
        message_id, _, reason = await ana.run(lambda tx: tx.one(sql, (seq,)))
        assert reason
        await ana.run(outbox.read, ana.device, (message_id,), clock.ms)
        assert await ana.run(lambda tx: tx.one(sql, (seq,))) == (message_id, State.READ, "")


async def test_case_36b_receipts_nobody_waits_for_are_ignored(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "a", "Ana", clock) as ana,
        kit.open_side(tmp_path / "b", "Bo", clock) as bo,
        kit.open_side(tmp_path / "c", "Chen", clock) as chen,
    ):
        await kit.acquaint(ana, chen)
        chen_at_ana = ana.device
        await kit.acquaint(ana, bo)
        (seq,) = await ana.post("for Bo")
        row = await ana.run(lambda tx: tx.one("SELECT message_id FROM message WHERE seq = ?", (seq,)))
        named = (ids.MessageId(row[0]), ids.MessageId(bytes(16)))
        await ana.run(outbox.received_receipt, chen_at_ana, named, clock.ms)
        await ana.run(outbox.read, chen_at_ana, named, clock.ms)
        assert await ana.state(seq) is State.QUEUED
        await ana.run(outbox.received_receipt, ana.device, named, clock.ms)
        assert await ana.state(seq) is State.DELIVERED


async def test_changes_are_told_for_what_moved(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        (seq,) = await ana.post("x")
        outgoing = await ana.seal()
        with ana.database.watch() as changes:
            await ana.acked(outgoing)
            newest = changes.receive_nowait()
        row = await ana.run(lambda tx: tx.one("SELECT topic, key FROM change WHERE seq = ?", (newest,)))
        assert row == (outbox.CHANGED, seq)


@pytest.mark.parametrize("size", [1, 900, 4000, 16 * 1024])
async def test_envelopes_come_in_buckets_and_content_comes_back(tmp_path: Path, size: int) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("x" * size)
        (one,) = await ana.seal()
        assert len(one.envelope) in (1024, 4096, 16384, 65536)
        assert isinstance(envelope.disclose(one.envelope), envelope.Message)
        await bo.accept(one.envelope)
        assert (await bo.notes())[-1] == "x" * size


async def test_kem_fields_are_repeated_until_they_are_acknowledged(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await ana.post("init")
        await kit.carry(ana, bo)
        await bo.post("first", "second")
        first, second = await bo.seal()
        assert {len(first.envelope), len(second.envelope)} == {4096}  # the responder's first turn offers a KEM key
        await bo.acked([second], held=[0])  # held: not read, so it proves nothing
        await bo.post("third")
        (third,) = await bo.seal()
        assert len(third.envelope) == 4096
        await bo.acked([third])
        await bo.post("fourth")
        (fourth,) = await bo.seal()
        assert len(fourth.envelope) == 1024
        for one in (third, fourth, first, second):  # the third was read: that is what its acknowledgement said
            assert (await ana.accept(one.envelope)).held == ()
        assert await ana.notes() == ["third", "fourth", "first", "second"]
        await kit.converse(ana, bo)
