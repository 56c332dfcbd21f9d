"""Sessions between two stores: the cases 3, 12, 21, 22 of docs/threats.md, the order of sessions, restarts."""

from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from protocol import envelope
from protocol.delivery import State
from store import devices, healing, outbox, pairs, quarantine, session_rows, sessions
from store.database import Tx
from store.inbox import Accepted
from store.sessions import Healing
from tests.store import kit
from tests.store.kit import Side

MINUTE_S = 60.0
DAY_S = 86_400.0


def count(tx: Tx, table: str) -> int:
    row = tx.one(f"SELECT COUNT(*) FROM {table}")
    assert row is not None
    return int(row[0])


async def unreadable(reader: Side, writer: Side) -> None:
    """The reader loses its sessions: what the writer says cannot be read any more."""
    await reader.run(lambda tx: tx.execute("DELETE FROM session"))
    await writer.post("lost on you")
    assert (await kit.carry(writer, reader)).held == (0,)


@pytest.mark.parametrize("one_time", [True, False])
async def test_case_3_same_init_twice_is_one_session_and_no_change(tmp_path: Path, one_time: bool) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        if one_time:
            expires_s = bo.clock.ms // 1000 + 86_400
            bundle = await bo.run(sessions.invitation_bundle, bo.mine, bo.clock.ms, expires_s, bo.entropy)
            await ana.run(sessions.store_bundle, ana.device, bundle, ana.clock.ms)
        await ana.post("first")
        (outgoing,) = await ana.seal()
        init = envelope.disclose(outgoing.envelope)
        assert isinstance(init, envelope.Init)
        assert (init.one_time_number is not None) == one_time
        assert (await bo.accept(outgoing.envelope)).held == ()
        before = await bo.run(lambda tx: tx.all("SELECT * FROM session") + tx.all("SELECT * FROM message"))
        for _ in range(3):
            assert await bo.accept(outgoing.envelope) == Accepted((), (), False)
        after = await bo.run(lambda tx: tx.all("SELECT * FROM session") + tx.all("SELECT * FROM message"))
        assert before == after
        assert await bo.run(count, "quarantine") == 0
        assert await bo.notes() == ["first"]


async def test_every_message_before_the_first_answer_carries_the_init_in_any_order(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await ana.post("one", "two", "three")
        outgoing = await ana.seal()
        assert all(isinstance(envelope.disclose(one.envelope), envelope.Init) for one in outgoing)
        for one in reversed(outgoing):
            assert (await bo.accept(one.envelope)).held == ()
        assert await bo.notes() == ["three", "two", "one"]
        assert await bo.run(count, "session") == 1
        await bo.post("answer")
        await kit.carry(bo, ana)
        await ana.post("four")
        (plain,) = await ana.seal()
        assert isinstance(envelope.disclose(plain.envelope), envelope.Message)


def schedules(steps: str) -> Iterator[str]:
    """Every way to interleave the steps of Ana (upper case) with the same steps of Bo (lower case)."""
    size = len(steps)
    for places in combinations(range(2 * size), size):
        ana, bo = iter(steps), iter(steps.lower())
        yield "".join(next(ana) if n in places else next(bo) for n in range(2 * size))


@pytest.mark.parametrize("steps", ["SSDD", "SDSD"])
async def test_case_12_simultaneous_inits_converge_in_every_interleaving(steps: str) -> None:
    """S: posts and seals one message; D: its oldest envelope reaches the other side."""
    async with kit.open_memory_pair() as (ana, bo):
        ana_tx, bo_tx = await kit.grip(ana), await kit.grip(bo)
        for schedule in schedules(steps):
            ana_tx.execute("BEGIN")
            bo_tx.execute("BEGIN")
            play(schedule, {"a": (ana, ana_tx), "b": (bo, bo_tx)})
            ana_tx.execute("ROLLBACK")
            bo_tx.execute("ROLLBACK")


def play(schedule: str, ends: dict[str, tuple[Side, Tx]]) -> None:
    pipes: dict[str, list[outbox.Outgoing]] = {"a": [], "b": []}
    sent = dict.fromkeys("ab", 0)
    for step in schedule:
        author = "a" if step.isupper() else "b"
        reader = "b" if author == "a" else "a"
        side, tx = ends[author]
        if step in "Ss":
            sent[author] += 1
            side.post_in(tx, f"{author}{sent[author]}")
            outgoing = side.seal_in(tx)
            assert isinstance(outgoing, tuple)
            pipes[author] += outgoing
        else:
            other, other_tx = ends[reader]
            one = pipes[author].pop(0)
            assert other.accept_in(other_tx, one.envelope).held == (), schedule
            side.acked_in(tx, [one])
    converged = {sessions.sending(tx, side.device) for side, tx in ends.values()}
    assert len(converged) == 1, schedule
    for author, reader in (("a", "b"), ("b", "a")):
        side, tx = ends[reader]
        texts = [text for (text,) in tx.all("SELECT text FROM note ORDER BY seq")]
        assert texts == [f"{author}{n + 1}" for n in range(sent[author])], schedule
        assert outbox.waiting(tx, side.device) == 0
    for author, reader in (("a", "b"), ("b", "a")):  # and what follows needs no init on the side that has converged
        ends[author][0].post_in(ends[author][1], "after")
        assert kit.exchange(*ends[author], *ends[reader]).held == ()


async def test_case_22_an_envelope_of_another_session_or_device_is_not_taken(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "a", "Ana", clock) as ana,
        kit.open_side(tmp_path / "b", "Bo", clock) as bo,
        kit.open_side(tmp_path / "c", "Chen", clock) as chen,
    ):
        await kit.acquaint(chen, bo)
        chen_at_bo = bo.device
        await kit.acquaint(ana, bo)
        await kit.converse(ana, bo)
        await ana.post("for Bo from Ana")
        (outgoing,) = await ana.seal()
        bo.device = chen_at_bo  # the channel is Chen's
        assert (await bo.accept(outgoing.envelope)).held == (0,)
        await chen.post("hello")
        (from_chen,) = await chen.seal()
        assert (await ana.accept(from_chen.envelope)).held == ()  # an init by somebody else: refused for good
        assert await ana.notes() == ["bo 0", "bo 1"]
        assert (await bo.notes())[-1] == "ana 1"


async def test_unreadable_for_a_minute_is_healed_by_a_restart(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await unreadable(bo, ana)
        assert await bo.heal() is Healing.NOT_YET
        bo.clock.pass_s(MINUTE_S)
        assert await bo.run(sessions.needs_restart, bo.device, bo.clock.ms)
        assert await bo.heal() is Healing.RESTARTED
        assert await bo.heal() is Healing.READABLE
        (carrier,) = await bo.seal()
        inner = envelope.disclose(carrier.envelope)
        assert isinstance(inner, envelope.Restart)
        assert inner.init.counter == 1
        accepted = await ana.accept(carrier.envelope)
        assert accepted.held == ()
        await bo.acked([carrier])
        await kit.carry(ana, bo)
        assert (await bo.notes())[-1] == "lost on you"
        assert await ana.sending() == await bo.sending()
        await kit.converse(ana, bo)
        assert await bo.run(count, "session") == 1
        assert await ana.run(count, "session") == 2


async def test_a_restart_without_a_bundle_asks_for_one(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await unreadable(bo, ana)
        bo.clock.pass_s(15 * DAY_S)  # the stored bundle has expired
        assert await bo.heal() is Healing.NO_BUNDLE
        await ana.give_bundle(bo)
        assert await bo.heal() is Healing.RESTARTED


async def test_case_21_a_flood_makes_one_restart_in_ten_minutes_then_fewer(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        restarts: list[int] = []
        for minute in range(24 * 60):
            await bo.run(healing.garbled, bo.device, bo.clock.ms)
            bo.clock.pass_s(MINUTE_S)
            if minute % 60 == 0:
                await ana.give_bundle(bo)
            if await bo.heal() is Healing.RESTARTED:
                restarts.append(minute)
        gaps = [after - before for before, after in pairwise(restarts)]
        assert gaps[0] >= 10
        assert all(after >= 2 * before - 1 for before, after in pairwise(gaps))
        assert len(restarts) <= 8
        assert healing.backoff_ms(50) == 86_400_000


async def test_case_21_two_broken_sides_do_not_storm(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        restarts = 0
        for _ in range(180):
            for side, other in ((ana, bo), (bo, ana)):
                await side.run(healing.garbled, side.device, side.clock.ms)
                restarts += await side.heal() is Healing.RESTARTED
                await kit.carry(side, other)
            ana.clock.pass_s(MINUTE_S)
        assert restarts <= 10


async def test_a_restart_that_counts_too_low_only_receives_and_is_answered_by_a_higher_one(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        for _ in range(2):  # Bo restarts twice: counter 2 is known to both
            await unreadable(bo, ana)
            bo.clock.pass_s(3 * DAY_S)
            await ana.give_bundle(bo)
            assert await bo.heal() is Healing.RESTARTED
            await kit.carry(bo, ana)
            await kit.carry(ana, bo)
        old = await bo.sending()

        def forget(tx: Tx) -> None:  # Ana's database is set back to before all that
            tx.execute("DELETE FROM session")
            tx.execute("UPDATE device SET counter = 0")
            tx.execute("UPDATE healing SET counter = 0, restarts = 0, garbled_ms = 1, healed_ms = 0")

        await ana.run(forget)
        await bo.give_bundle(ana)
        await ana.give_bundle(bo)
        assert await ana.heal() is Healing.RESTARTED
        await ana.post("from the past")
        accepted = await kit.carry(ana, bo)
        assert accepted.held == ()
        assert accepted.unreadable
        assert (await bo.notes())[-1] == "from the past"
        assert await bo.sending() == old
        bo.clock.pass_s(3 * DAY_S)
        await ana.give_bundle(bo)
        assert await bo.heal() is Healing.RESTARTED
        await kit.carry(bo, ana)
        assert await ana.sending() == await bo.sending() != old
        await kit.converse(ana, bo)
        assert not await bo.run(sessions.needs_restart, bo.device, bo.clock.ms)


async def test_restarts_of_both_sides_at_once_converge(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.run(healing.garbled, ana.device, ana.clock.ms)
        await bo.run(healing.garbled, bo.device, bo.clock.ms)
        ana.clock.pass_s(MINUTE_S)
        assert await ana.heal() is await bo.heal() is Healing.RESTARTED
        from_ana, from_bo = await ana.seal(), await bo.seal()
        assert (await bo.accept(*(one.envelope for one in from_ana))).unreadable is False
        assert (await ana.accept(*(one.envelope for one in from_bo))).unreadable is False
        await ana.acked(from_ana)
        await bo.acked(from_bo)
        assert await ana.sending() == await bo.sending()
        await kit.converse(ana, bo)
        assert not await ana.run(sessions.needs_restart, ana.device, ana.clock.ms)


async def test_hello_counts_for_the_next_restart_but_does_not_make_one_too_low(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await unreadable(bo, ana)
        bo.clock.pass_s(MINUTE_S)
        assert await bo.heal() is Healing.RESTARTED
        counter = (await bo.run(devices.device, bo.device)).counter
        await ana.run(devices.heard_hello, ana.device, (), None, counter, ana.clock.ms)  # the hello is faster
        accepted = await kit.carry(bo, ana)
        assert accepted.unreadable is False
        assert await ana.sending() == await bo.sending()


async def test_sessions_beyond_four_and_a_month_are_deleted(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        for _ in range(8):
            await bo.run(healing.garbled, bo.device, bo.clock.ms)
            bo.clock.pass_s(3 * DAY_S)
            await ana.give_bundle(bo)
            assert await bo.heal() is Healing.RESTARTED
            await kit.carry(bo, ana)
        assert await bo.run(count, "session") == 1 + session_rows.RECEIVING_MAX
        bo.clock.pass_s(40 * DAY_S)
        await bo.run(session_rows.prune, bo.device, bo.clock.ms)
        assert await bo.run(count, "session") == 1
        assert await bo.sending() == await ana.sending()


async def test_boot_is_kept_until_a_pair_secret_is_proven(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        boot = await ana.run(pairs.dial_key, ana.contact)
        assert boot is not None
        assert boot.epoch == 0
        assert boot.key == (await bo.run(pairs.dial_key, bo.contact)).key
        await ana.run(pairs.forget_boot, ana.contact)
        assert await ana.run(pairs.dial_key, ana.contact) is None


async def test_held_messages_are_read_from_the_quarantine_after_the_init(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        seqs = await ana.post("one", "two")
        first, second = await ana.seal()
        await ana.acked([first])  # an acknowledgement that was never given: what follows has no init
        third_seq = await ana.post("three")
        (third,) = await ana.seal()
        assert isinstance(envelope.disclose(third.envelope), envelope.Message)
        accepted = await bo.accept(third.envelope)
        assert accepted.held == (0,)
        assert accepted.unreadable
        assert await bo.run(quarantine.total) == len(third.envelope)
        await ana.acked([third], held=[0])
        assert await ana.state(third_seq[0]) is State.HELD
        accepted = await bo.accept(second.envelope)
        assert accepted.held == ()
        assert len(accepted.read) == 1
        assert await bo.notes() == ["two", "three"]
        assert await bo.run(quarantine.total) == 0
        await ana.run(outbox.received_receipt, ana.device, accepted.read, ana.clock.ms)
        assert await ana.state(third_seq[0]) is State.DELIVERED
        assert await ana.state(seqs[1]) is State.QUEUED
