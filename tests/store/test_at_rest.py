"""What lies on the disk: the cases 19 and 55, and that no query grows with the history."""

import os
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from protocol import envelope
from store import (
    conversations,
    database,
    healing,
    inbox,
    invitations,
    outbox,
    pairs,
    people,
    rebuild,
    sessions,
    upkeep,
)
from store.database import Tx, Worker
from tests.store import kit
from tests.store.kit import Note, Side

CANARY = "nobody but Bo reads this: xyzzy-7f3a"


def nonces(sealed: list[bytes]) -> list[bytes]:
    """The nonces of all headers and bodies."""
    found: list[bytes] = []
    for one in sealed:
        inner = envelope.disclose(one)
        carried = inner.init if isinstance(inner, envelope.Restart) else inner
        message = carried.message if isinstance(carried, envelope.Init) else carried
        found += [message.header[:24], message.body[:24]]
    return found


async def test_case_19_yesterdays_database_repeats_no_nonce_and_heals_by_a_restart(tmp_path: Path) -> None:
    clock = kit.Clock()
    path, copy = tmp_path / "ana.db", tmp_path / "yesterday.db"
    sealed: list[bytes] = []
    async with kit.open_side(tmp_path / "bo.db", "Bo", clock) as bo:
        bo.entropy = os.urandom
        async with kit.open_side(path, "Ana", clock) as ana:
            ana.entropy = os.urandom
            await kit.acquaint(ana, bo)
            await kit.converse(ana, bo)
            sealed += ana.sealed
        shutil.copy(path, copy)
        clock.pass_s(86_400)
        async with kit.open_side(path, "Ana", clock) as ana:
            ana.entropy = os.urandom
            await kit.converse(ana, bo, 3)
            await ana.post("only in the lost day")
            await kit.carry(ana, bo)
            sealed += ana.sealed
        shutil.copy(copy, path)
        async with kit.open_side(path, "Ana", clock) as ana:
            ana.entropy = os.urandom
            await ana.post("after the restore")
            await bo.post("to the restored")
            for side, other in ((ana, bo), (bo, ana)):
                await kit.carry(side, other)
            assert "after the restore" not in await bo.notes()
            clock.pass_s(61)
            with bo.database.watch() as told, ana.database.watch() as told_ana:
                healed = [await side.heal() for side in (bo, ana)]
                assert healing.Healing.RESTARTED in healed
                for side in (ana, bo):
                    await side.run(outbox.requeue_held, side.device, clock.ms)
                for _ in range(2):
                    await kit.carry(bo, ana)
                    await kit.carry(ana, bo)
                told.receive_nowait()
                told_ana.receive_nowait()
            for side in (ana, bo):  # the person is told
                topics = await side.run(lambda tx: tx.all("SELECT DISTINCT topic FROM change"))
                assert (sessions.RESTARTED,) in topics
            assert (await bo.notes())[-1] == "after the restore"
            assert (await ana.notes())[-1] == "to the restored"
            assert await ana.sending() == await bo.sending()
            await kit.converse(ana, bo)
            sealed += ana.sealed
    used = nonces(sealed)
    assert len(used) == len(set(used)) > 20


def listed(folder: Path) -> list[Path]:
    """Every file: the databases and their logs."""
    return sorted(folder.iterdir())


@pytest.mark.parametrize("worker", list(Worker))
async def test_case_55_no_plaintext_and_no_key_lies_on_the_disk(tmp_path: Path, worker: Worker) -> None:
    async with kit.open_pair(tmp_path, worker) as (ana, bo):
        for n in range(40):
            await ana.post(f"{CANARY} {n}")
            await kit.carry(ana, bo)
        await ana.run(lambda tx: tx.execute("DELETE FROM message WHERE seq % 2 = 0"))
        secrets = [CANARY.encode(), ana.mine.recovery, ana.mine.device_key.seed, ana.mine.presence, kit.KEY]
        secrets += [CANARY.encode("utf-16-le"), ana.mine.account, ana.mine.device, b"CREATE TABLE", b"SQLite format"]
        files = listed(tmp_path)
        assert any(file.name.endswith("-wal") for file in files)
        for file in files:
            raw = file.read_bytes()
            assert raw or not file.name.endswith(".db")
            for secret in secrets:
                assert secret not in raw, file.name
    for file in listed(tmp_path):
        assert not any(secret in file.read_bytes() for secret in secrets), file.name


# Not here: prekeys (13 weeks and 256 invitations) and what there is once for a contact.
GROWS = ("message", "change", "delivery", "quarantine", "px3_seen", "session", "pair_secret", "note", "device")


async def scenario(ana: Side, bo: Side) -> None:
    """Uses everything that runs while a node runs."""
    await kit.converse(ana, bo)
    await ana.post("a", "b", "c")
    outgoing = await ana.seal()
    await ana.run(outbox.sent, tuple(one.seq for one in outgoing), ana.clock.ms)
    await bo.accept(*(one.envelope for one in outgoing), outgoing[0].envelope[:-1] + b"\x01")
    await ana.acked(outgoing, held=[2])
    await ana.run(outbox.received_receipt, ana.device, (b"x" * 16,), ana.clock.ms)
    await ana.run(outbox.read, ana.device, (b"x" * 16,), ana.clock.ms)
    await ana.run(outbox.requeue_held, ana.device, ana.clock.ms)
    await ana.run(outbox.requeue, ana.device)
    await ana.run(outbox.waiting, ana.device)
    await ana.run(conversations.advance, ana.contact, 3, ana.clock.ms)
    await bo.run(lambda tx: tx.execute("DELETE FROM session"))
    await kit.carry(ana, bo)
    bo.clock.pass_s(100)
    await bo.heal()
    await kit.carry(bo, ana)
    await bo.run(inbox.retry_quarantine, bo.rooms, bo.mine, bo.device, bo.clock.ms)
    await bo.run(inbox.retry_unheard, bo.rooms, bo.clock.ms)
    await bo.run(rebuild.refold, bo.rooms, ("note",), (Note.KIND,))
    await ana.run(pairs.make_pair_secret, ana.contact, b"s" * 32, ana.clock.ms)
    await ana.run(pairs.pair_secret_taken, ana.contact, 1, ana.clock.ms)
    await ana.run(pairs.dial_key, ana.contact)
    await ana.run(pairs.chan_keys_of_peer, b"p" * 32)
    await ana.run(pairs.forget_boot, ana.contact)
    await ana.run(people.find_contact, "bo")
    made = await ana.run(invitations.create, ana.mine, False, ana.clock.ms, ana.clock.ms // 1000 + 100, ana.entropy)
    await ana.run(invitations.spend, made, bo.mine.account, ana.clock.ms)
    await ana.run(database.changes_after, 3, 10)
    await ana.run(database.oldest_change)


async def test_no_query_walks_through_the_history(tmp_path: Path) -> None:
    """The plan of every statement that the store has run: none scans a table that grows."""
    async with kit.open_pair(tmp_path) as (ana, bo):
        statements: dict[str, None] = {}
        grips: list[Any] = [await kit.grip(side) for side in (ana, bo)]
        connections = [one.execute.__self__ for one in grips]
        for connection in connections:
            connection.set_trace_callback(lambda sql: statements.setdefault(sql))
        await scenario(ana, bo)
        for connection in connections:
            connection.set_trace_callback(None)
        verbs = ("SELECT", "UPDATE", "DELETE")
        looked = [sql for sql in statements if sql.startswith(verbs) and sql != "DELETE FROM session"]
        # The whole view is dropped in a rebuild, which is the point of it.
        looked = [sql for sql in looked if sql != 'DELETE FROM "note"']

        def scans(tx: Tx) -> list[tuple[str, str]]:
            found: list[tuple[str, str]] = []
            for sql in looked:
                for _, _, _, step in tx.all(f"EXPLAIN QUERY PLAN {sql}"):
                    words = step.split()
                    if words[0] == "SCAN" and words[1] in (*GROWS, "m", "d", "s"):
                        found.append((step, sql))
            return found

        assert len(looked) > 60
        assert await ana.run(scans) == []


async def test_what_runs_a_few_times_a_day_is_quick_beside_a_long_history(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.run(upkeep.tidy, ana.clock.ms, ana.entropy)
        await ana.run(outbox.expire, ana.clock.ms)
        times = [row[0] for row in await ana.run(lambda tx: tx.all("SELECT at_ms FROM message ORDER BY seq"))]
        assert all(before <= after for before, after in pairwise(times))
