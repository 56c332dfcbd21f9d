"""The inbox: what is final, what is held, what is kept to be heard later; cases 20, 26, 36a, 36b and 37."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

from crypto import ratchet
from protocol import content, envelope, ids, record
from protocol.content import Channel
from protocol.faults import PeerFault
from store import healing, inbox, outbox, people, quarantine, rebuild, sessions
from store.database import Tx
from store.people import ContactState
from tests.store import kit
from tests.store.kit import Hallo, Note, Side


@record.record
@dataclass(frozen=True, slots=True)
class Claim:
    """A content that names an account as its author, as a hostile one would."""

    KIND: ClassVar[int] = 9002
    CHANNELS: ClassVar[frozenset[Channel]] = frozenset({Channel.RATCHET})

    author: ids.Account
    text: Annotated[str, record.Utf8(100)]


async def say(side: Side, what: object, message_id: bytes | None = None) -> None:
    """Posts any content, also such that no room of ours would."""

    def post(tx: Tx) -> None:
        name = ids.MessageId(message_id or ids.new_message_id(side.clock.ms, side.entropy))
        raw = content.say(message_id=name, hlc_ms=side.clock.ms, device_seq=1, parents=(), content=what)
        posted = outbox.Posted(name, what.KIND, side.clock.ms, raw)  # type: ignore[attr-defined]
        outbox.post(tx, side.contact, (posted,), side.clock.ms)

    await side.run(post)


def everything(tx: Tx) -> list[object]:
    tables = (
        "message",
        "note",
        "session",
        "quarantine",
        "unheard",
        "px3_seen",
        "healing",
        "change",
        "lane",
        "delivery",
    )
    return [row for table in tables for row in tx.all(f"SELECT * FROM {table}")]


async def test_case_20_a_fault_between_the_steps_leaves_nothing_half_done(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("once", "twice")
        outgoing = await ana.seal()
        before = await bo.run(everything)

        def take_and_fail(tx: Tx) -> None:
            accepted = bo.accept_in(tx, *(one.envelope for one in outgoing))
            assert accepted.held == ()
            raise KeyError("the power went out here")

        for _ in range(5):
            with pytest.raises(KeyError):
                await bo.run(take_and_fail)
            assert await bo.run(everything) == before
        for _ in range(3):
            assert (await bo.accept(*(one.envelope for one in outgoing))).held == ()
        assert (await bo.notes())[2:] == ["once", "twice"]


async def test_a_room_that_fails_keeps_the_content_and_moves_the_ratchet(tmp_path: Path) -> None:
    def fail(tx: Tx, arrival: inbox.Arrival) -> None:
        kit.apply_note(tx, arrival)
        if arrival.said.content.text == "bad":
            raise ZeroDivisionError

    async with kit.open_pair(tmp_path) as (ana, bo):
        bo.rooms = inbox.Rooms(kit.KINDS, {Note.KIND: fail})
        await kit.converse(ana, bo)
        await ana.post("good", "bad", "fine")
        with bo.database.watch() as changes:
            assert (await kit.carry(ana, bo)).held == ()
            changes.receive_nowait()
        assert (await bo.notes())[2:] == ["good", "fine"]
        assert await bo.run(lambda tx: tx.all("SELECT kind, reason FROM unheard")) == [(9000, "ZeroDivisionError")]
        told = await bo.run(lambda tx: tx.all("SELECT topic FROM change WHERE topic = 'notes'"))
        assert len(told) == 4
        assert await bo.run(inbox.retry_unheard, kit.ROOMS, bo.clock.ms) == 1
        assert sorted((await bo.notes())[2:]) == ["bad", "fine", "good"]
        assert await bo.run(lambda tx: tx.all("SELECT * FROM unheard")) == []


async def test_a_kind_of_a_newer_version_is_heard_after_the_upgrade(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await say(ana, Claim(bo.mine.account, "later"))
        assert (await kit.carry(ana, bo)).held == ()
        assert await bo.run(inbox.retry_unheard, bo.rooms, bo.clock.ms) == 0
        newer = inbox.Rooms(content.Kinds((Note, Hallo, Claim)), {Claim.KIND: kit.apply_note})
        assert await bo.run(inbox.retry_unheard, newer, bo.clock.ms) == 1
        assert await bo.notes() == ["later"]
        await ana.run(outbox.requeue, ana.device)


async def test_case_36a_a_content_in_the_wrong_channel_is_refused(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await say(ana, Hallo("in an init of a talk"))
        assert (await kit.carry(ana, bo)).held == ()
        await bo.post("answer")
        await kit.carry(bo, ana)
        await say(ana, Hallo("in the ratchet"))
        await ana.post("after it")
        assert (await kit.carry(ana, bo)).held == ()
        assert await bo.notes() == ["after it"]
        raw = content.say(message_id=ids.MessageId(bytes(16)), hlc_ms=1, device_seq=1, parents=(), content=Note("x"))
        with pytest.raises(content.WrongChannel):
            kit.KINDS.hear(raw, Channel.INIT)


async def test_case_36b_an_answer_nobody_asked_for_is_ignored(tmp_path: Path) -> None:
    """A room that refuses by a PeerFault: nothing of the content stays, and the session goes on."""

    def ignore(tx: Tx, arrival: inbox.Arrival) -> None:
        kit.apply_note(tx, arrival)
        if arrival.said.content.text.startswith("unasked"):
            raise PeerFault

    async with kit.open_pair(tmp_path) as (ana, bo):
        bo.rooms = inbox.Rooms(kit.KINDS, {Note.KIND: ignore})
        await ana.post("unasked key", "hello")
        assert (await kit.carry(ana, bo)).held == ()
        assert await bo.notes() == ["hello"]
        assert len(await bo.run(lambda tx: tx.all("SELECT * FROM message WHERE device != 0"))) == 1
        assert await bo.run(lambda tx: tx.all("SELECT * FROM unheard")) == []


async def test_case_37_the_sender_is_the_sessions_whatever_the_content_says(tmp_path: Path) -> None:
    seen: list[inbox.Arrival] = []
    async with kit.open_pair(tmp_path) as (ana, bo):
        other = await bo.run(people.add_contact, ids.AccountId(b"z" * 32), "Zoe", ContactState.ACTIVE, "", bo.clock.ms)
        bo.rooms = inbox.Rooms(content.Kinds((Claim,)), {Claim.KIND: lambda tx, arrival: seen.append(arrival)})
        await say(ana, Claim(other.account, "I am Zoe"))
        await kit.carry(ana, bo)
        (arrival,) = seen
        assert arrival.contact.account == ana.mine.account != other.account
        assert arrival.device.device == ana.mine.device
        assert await bo.run(lambda tx: tx.all("SELECT contact FROM message WHERE device != 0")) == [(bo.contact,)]
        inner = envelope.disclose((ana.sealed)[0])
        assert isinstance(inner, envelope.Init)
        stolen = replace(inner, certificate=bo.mine.certificate)
        assert (await bo.accept(envelope.enclose(stolen))).held == ()  # dropped: not the device of this channel
        assert len(seen) == 1


def hostile(good: bytes) -> Iterator[bytes]:
    yield b""
    yield bytes(1024)
    yield good[:-1]
    yield good + b"\x00"
    yield b"\xff" * 1024
    yield bytes(65536)
    yield b"\x80" * 4096


async def test_case_26_nonsense_is_final_and_harms_nobody(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("good")
        (outgoing,) = await ana.seal()
        before = await bo.run(everything)
        accepted = await bo.accept(*hostile(outgoing.envelope))
        assert accepted.held == ()
        assert await bo.run(everything) == before
        message = envelope.disclose(outgoing.envelope)
        assert isinstance(message, envelope.Message)
        for at in (0, 30, 79):
            flipped = bytearray(message.header)
            flipped[at] ^= 1
            assert (await bo.accept(envelope.enclose(replace(message, header=bytes(flipped))))).held == (0,)
        assert (await bo.accept(outgoing.envelope)).held == ()
        assert (await bo.notes())[-1] == "good"


async def test_same_message_id_sealed_anew_is_taken_once(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("only once")
        for _ in range(4):
            outgoing = await ana.seal()
            assert (await bo.accept(*(one.envelope for one in outgoing))).held == ()
            await ana.run(outbox.requeue, ana.device)
        assert (await bo.notes()).count("only once") == 1


async def test_a_number_used_again_with_other_bytes_is_held_and_heals(tmp_path: Path) -> None:
    """A peer whose database was set back: its numbers come again, with other contents."""
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        (old,) = await ana.run(lambda tx: tx.all("SELECT state FROM session"))
        await ana.post("first future")
        await kit.carry(ana, bo)
        await ana.run(lambda tx: tx.execute("UPDATE session SET state = ?", old))
        await ana.post("second future")
        accepted = await kit.carry(ana, bo)
        assert accepted.held == (0,)
        assert accepted.unreadable
        bo.clock.pass_s(60)
        assert await bo.heal() is healing.Healing.RESTARTED
        await kit.carry(bo, ana)
        await kit.carry(ana, bo)
        assert (await bo.notes())[2:] == ["first future", "second future"]


async def test_forged_bodies_are_named_for_sealing_anew_and_pause_the_session(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post(*(str(n) for n in range(8)))
        outgoing = await ana.seal()
        forged = []
        for one in outgoing[:6]:
            message = envelope.disclose(one.envelope)
            assert isinstance(message, envelope.Message)
            forged.append(envelope.enclose(replace(message, body=message.body[:-1] + bytes((message.body[-1] ^ 1,)))))
        assert (await bo.accept(*forged)).held == tuple(range(6))
        kept = await bo.run(lambda tx: tx.all("SELECT bytes FROM quarantine"))
        assert len(kept) == 1  # the five failures are not kept; the sixth met the pause
        assert (await bo.accept(outgoing[7].envelope)).held == (0,)
        bo.clock.pass_s(601)
        assert await bo.run(inbox.retry_quarantine, bo.rooms, bo.mine, bo.device, bo.clock.ms) != ()
        assert (await bo.notes())[-1] == "7"


async def test_retries_cost_the_failure_budget_nothing(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("x")
        (one,) = await ana.seal()
        message = envelope.disclose(one.envelope)
        assert isinstance(message, envelope.Message)
        forged = envelope.enclose(replace(message, body=bytes(len(message.body))))
        await bo.run(quarantine.put, bo.contact, bo.device, [forged] * 20, bo.clock.ms)
        before = await bo.run(lambda tx: tx.all("SELECT state FROM session"))
        await bo.run(inbox.retry_quarantine, bo.rooms, bo.mine, bo.device, bo.clock.ms)
        assert await bo.run(lambda tx: tx.all("SELECT state FROM session")) == before
        assert (await bo.accept(one.envelope)).held == ()


@pytest.mark.depth
async def test_the_quarantine_is_bounded_and_loses_the_oldest(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (_, bo):
        small = [bytes([n % 256]) * 1024 for n in range(700)]
        await bo.run(quarantine.put, bo.contact, bo.device, small[:400], bo.clock.ms)
        await bo.run(quarantine.put, bo.contact, bo.device, small[400:], bo.clock.ms)
        rows = await bo.run(lambda tx: tx.all("SELECT envelope FROM quarantine ORDER BY seq"))
        assert [row[0] for row in rows] == small[-500:]
        assert await bo.run(quarantine.total) == 500 * 1024
        large = [bytes(65536)] * 200
        await bo.run(quarantine.put, bo.contact, bo.device, large, bo.clock.ms)
        assert await bo.run(quarantine.total) <= quarantine.CONTACT_BYTES_MAX
        for contact in range(100, 140):
            await bo.run(quarantine.put, contact, contact, large[:128], bo.clock.ms)
        total = await bo.run(lambda tx: tx.one("SELECT SUM(bytes) FROM quarantine"))
        assert total[0] == await bo.run(quarantine.total) <= quarantine.NODE_BYTES_MAX
        await bo.run(quarantine.forget_before, 139, bo.clock.ms + 1)
        assert await bo.run(lambda tx: tx.all("SELECT 1 FROM quarantine WHERE device = 139")) == []


async def test_rebuild_gives_the_same_view(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo, 3)
        await ana.post(*(f"line {n}" for n in range(20)))
        await kit.carry(ana, bo)
        before = await bo.run(lambda tx: tx.all("SELECT * FROM note ORDER BY seq"))
        assert await bo.run(rebuild.refold, bo.rooms, ("note",), (Note.KIND,)) == len(before) == 23
        assert await bo.run(lambda tx: tx.all("SELECT * FROM note ORDER BY seq")) == before
        assert await bo.run(rebuild.refold, bo.rooms, ("note",), (Note.KIND,)) == 23
        assert ratchet.MAX_SKIP == 2000
        assert await bo.run(sessions.needs_restart, bo.device, bo.clock.ms) is False
