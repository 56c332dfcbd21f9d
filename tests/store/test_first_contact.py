"""The whole way between two stores: an invitation, the first session, messages both ways, acknowledgements."""

from pathlib import Path

import trio

from crypto import keys
from protocol import content, ids, invite
from protocol.delivery import State
from store import devices, invitations, outbox, pairs, people, sessions
from store.database import Tx, Worker
from store.people import ContactState
from tests.store import kit
from tests.store.kit import Hallo, Note


async def test_invitation_to_conversation(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "ana.db", "Ana", clock) as ana,
        kit.open_side(tmp_path / "bo.db", "Bo", clock, Worker.THREAD) as bo,
    ):
        expires_s = clock.ms // 1000 + 86_400
        made = await bo.run(invitations.create, bo.mine, False, clock.ms, expires_s, bo.entropy)
        bundle = await bo.run(invitations.fetched, bo.mine, made, clock.ms, bo.entropy)
        assert bundle is not None
        assert bundle == made.bundle
        assert bundle.one_time is not None

        def ask(tx: Tx) -> tuple[int, int, object]:
            contact = people.add_contact(tx, bo.mine.account, "Bo", ContactState.ASKED, "", clock.ms)
            device = devices.add_device(tx, contact.id, bundle.certificate)
            sid = sessions.asking(tx, ana.mine, device, bundle, clock.ms, ana.entropy, keys.encapsulate)
            raw = content.say(
                message_id=ids.new_message_id(clock.ms, ana.entropy),
                hlc_ms=clock.ms,
                device_seq=0,
                parents=(),
                content=Hallo("it is me"),
            )
            return contact.id, device.id, outbox.seal_init(tx, sid, raw, ana.entropy, clock.ms)

        ana.contact, ana.device, init = await ana.run(ask)
        await ana.post("already waiting")

        def answer(tx: Tx) -> tuple[int, int, invite.Verdict, bytes]:
            verdict = invitations.spend(tx, made, ana.mine.account, clock.ms)
            contact = people.add_contact(tx, ana.mine.account, "", ContactState.ACTIVE, "", clock.ms)
            device = devices.add_device(tx, contact.id, init.certificate)
            people.pin_lists(tx, contact.id, ana.mine.lists)
            opened = sessions.answer_init(tx, bo.mine, device, init, clock.ms)
            return contact.id, device.id, verdict, opened.plaintext

        bo.contact, bo.device, verdict, plaintext = await bo.run(answer)
        assert verdict is invite.Verdict.STORED
        assert kit.KINDS.hear(plaintext, content.Channel.INIT).content == Hallo("it is me")
        boot = await ana.run(pairs.dial_key, ana.contact)
        assert boot.epoch == 0
        assert [one.key for one in await bo.run(pairs.chan_keys, 0, 500)] == [boot.key]

        await bo.post("welcome")
        await kit.carry(bo, ana)
        assert await ana.notes() == ["welcome"]
        await kit.carry(ana, bo)
        assert await bo.notes() == ["already waiting"]
        await kit.converse(ana, bo, 3)
        assert await ana.notes() == ["welcome", "bo 0", "bo 1", "bo 2"]
        assert await ana.sending() == await bo.sending()
        for side in (ana, bo):
            assert await side.run(outbox.waiting, side.device) == 0
            states = await side.run(lambda tx: tx.all("SELECT DISTINCT state FROM message"))
            assert states == [(State.DELIVERED,)]


async def test_bulk_one_way_in_one_small_bucket_each(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post(*(f"line {n}" for n in range(200)))
        first = await kit.carry(ana, bo, 64)
        assert first.held == ()
        outgoing = await ana.seal(64)
        # Acknowledged KEM fields are not repeated: nobody has answered in between.
        assert {len(one.envelope) for one in outgoing} == {1024}
        await bo.accept(*(one.envelope for one in outgoing))
        await ana.acked(outgoing)
        await kit.carry(ana, bo)
        assert (await bo.notes())[2:] == [f"line {n}" for n in range(200)]


async def test_note_without_session_or_bundle_asks_for_a_bundle(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with kit.open_side(tmp_path / "a", "Ana", clock) as ana, kit.open_side(tmp_path / "b", "Bo", clock) as bo:
        await kit.know(ana, bo)
        await kit.know(bo, ana)
        await ana.post("hello")
        assert await ana.run(ana.seal_in) == outbox.NeedBundle(ana.device)
        await bo.give_bundle(ana)
        assert (await kit.carry(ana, bo)).held == ()
        assert await bo.notes() == ["hello"]
        with trio.fail_after(5):
            assert await ana.seal() == ()
        assert Note.KIND == 9000
