"""Invitations: the same bytes for everybody who fetches, spent once, a second account named; prekeys behind them."""

from dataclasses import replace
from pathlib import Path

import pytest

from crypto import keys
from crypto.faults import Replayed
from protocol import envelope
from protocol.identity import Bundle
from protocol.invite import Verdict
from store import devices, invitations, outbox, people, prekeys, sessions, upkeep
from store.database import Tx
from store.faults import TooManyInvitations
from store.people import ContactState, Verified
from store.prekeys import OneTimeSpent, PrekeysGone
from tests.store import kit
from tests.store.kit import Side

DAY_MS = 86_400_000


async def make(side: Side, long_term: bool = False, days: int = 1) -> invitations.Invitation:
    expires_s = (side.clock.ms + days * DAY_MS) // 1000
    made: invitations.Invitation = await side.run(
        invitations.create, side.mine, long_term, side.clock.ms, expires_s, side.entropy
    )
    return made


async def ask(asker: Side, inviter: Side, bundle: Bundle) -> envelope.Init:
    """A new session with the inviter under this bundle, and its first init."""

    def begin(tx: Tx) -> envelope.Init:
        contact = people.by_account(tx, inviter.mine.account) or people.add_contact(
            tx, inviter.mine.account, "", ContactState.ASKED, "", asker.clock.ms
        )
        device = devices.add_device(tx, contact.id, inviter.mine.certificate)
        sid = sessions.start(
            tx,
            asker.mine,
            device,
            bundle,
            asker.clock.ms,
            asker.entropy,
            keys.encapsulate,
        )
        return outbox.seal_init(tx, sid, b"hello", asker.entropy, asker.clock.ms)

    init: envelope.Init = await asker.run(begin)
    return init


async def take(inviter: Side, asker: Side, init: envelope.Init) -> sessions.Opened:
    def answer(tx: Tx) -> sessions.Opened:
        contact = people.by_account(tx, asker.mine.account) or people.add_contact(
            tx, asker.mine.account, "", ContactState.ACTIVE, "", inviter.clock.ms
        )
        device = devices.add_device(tx, contact.id, init.certificate)
        return sessions.answer_init(tx, inviter.mine, device, init, inviter.clock.ms)

    opened: sessions.Opened = await inviter.run(answer)
    return opened


async def test_every_fetch_gives_the_same_bytes_twenty_times(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "b", "Bo", kit.Clock()) as bo:
        made = await make(bo)
        for _ in range(invitations.FETCHES_MAX):
            (living,) = await bo.run(invitations.open_invitations, bo.clock.ms)
            assert await bo.run(invitations.fetched, bo.mine, living, bo.clock.ms, bo.entropy) == made.bundle
        (living,) = await bo.run(invitations.open_invitations, bo.clock.ms)
        assert await bo.run(invitations.fetched, bo.mine, living, bo.clock.ms, bo.entropy) is None
        assert made.secret.hex() not in repr(made)


async def test_spent_once_and_a_second_account_is_named(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "a", "Ana", clock) as ana,
        kit.open_side(tmp_path / "b", "Bo", clock) as bo,
        kit.open_side(tmp_path / "c", "Chen", clock) as chen,
    ):
        made = await make(bo)
        contact = await bo.run(people.add_contact, ana.mine.account, "Ana", ContactState.ACTIVE, "", clock.ms)
        await bo.run(people.set_verified, contact.id, Verified.DIGITS, clock.ms)
        assert await bo.run(invitations.spend, made, ana.mine.account, clock.ms) is Verdict.STORED
        assert await bo.run(invitations.spend, made, ana.mine.account, clock.ms) is Verdict.STORED
        assert (await bo.run(people.contact, contact.id)).verified is Verified.DIGITS
        assert await bo.run(invitations.spend, made, chen.mine.account, clock.ms) is Verdict.SPENT
        first = await bo.run(people.contact, contact.id)
        assert (first.verified, first.alarm) == (Verified.NO, "link_twice")
        assert await bo.run(people.by_account, chen.mine.account) is None
        (living,) = await bo.run(invitations.open_invitations, clock.ms)
        assert (living.spent_by, living.second) == (ana.mine.account, chen.mine.account)
        clock.pass_s(86_400)
        assert await bo.run(invitations.open_invitations, clock.ms) == ()
        assert await bo.run(invitations.spend, living, ana.mine.account, clock.ms) is Verdict.EXPIRED


async def test_one_time_keys_serve_one_account_and_a_retry_of_it(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "a", "Ana", clock) as ana,
        kit.open_side(tmp_path / "b", "Bo", clock) as bo,
        kit.open_side(tmp_path / "c", "Chen", clock) as chen,
    ):
        made = await make(bo)
        init = await ask(ana, bo, made.bundle)
        assert (await take(bo, ana, init)).plaintext == b"hello"
        with pytest.raises(Replayed):
            await take(bo, ana, init)
        again = await ask(ana, bo, made.bundle)  # the same account from another start
        assert (await take(bo, ana, again)).plaintext == b"hello"
        theft = await ask(chen, bo, made.bundle)
        with pytest.raises(OneTimeSpent):
            await take(bo, chen, theft)
        assert await bo.run(people.by_account, chen.mine.account) is None  # all of it is undone
        mixed = replace(theft, one_time_number=None)
        with pytest.raises(PrekeysGone):
            await take(bo, chen, mixed)


async def test_revoked_and_expired_keys_are_gone(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with kit.open_side(tmp_path / "a", "Ana", clock) as ana, kit.open_side(tmp_path / "b", "Bo", clock) as bo:
        made, other = await make(bo), await make(bo)
        early, late = await ask(ana, bo, made.bundle), await ask(ana, bo, other.bundle)
        await bo.run(invitations.revoke, made.id)
        await bo.run(invitations.revoke, b"unknown")
        with pytest.raises(PrekeysGone):
            await take(bo, ana, early)
        clock.pass_s(86_400)
        with pytest.raises(PrekeysGone):
            await take(bo, ana, late)
        await bo.run(upkeep.tidy, clock.ms, bo.entropy)
        assert await bo.run(lambda tx: tx.all("SELECT * FROM prekey WHERE one_time = 1")) == []
        assert await bo.run(lambda tx: tx.all("SELECT * FROM invitation")) == []


async def test_long_term_links_are_never_spent_and_signed_anew(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        made = await make(bo, long_term=True, days=400)
        assert made.bundle.one_time is None
        assert await bo.run(invitations.spend, made, ana.mine.account, bo.clock.ms) is Verdict.WAITING
        assert await bo.run(invitations.fetched, bo.mine, made, bo.clock.ms, bo.entropy) == made.bundle
        bo.clock.pass_s(8 * 86_400)
        fresh = await bo.run(invitations.fetched, bo.mine, made, bo.clock.ms, bo.entropy)
        assert fresh is not None
        assert fresh.not_after_s > made.bundle.not_after_s
        assert fresh.signed_number != made.bundle.signed_number
        (living,) = await bo.run(invitations.open_invitations, bo.clock.ms)
        assert living.bundle == fresh


async def test_at_most_256_live(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "b", "Bo", kit.Clock()) as bo:

        def many(tx: Tx) -> None:
            for _ in range(invitations.LIVING_MAX):
                invitations.create(tx, bo.mine, True, bo.clock.ms, bo.clock.ms // 1000 + 60, bo.entropy)
            with pytest.raises(TooManyInvitations):
                invitations.create(tx, bo.mine, True, bo.clock.ms, bo.clock.ms // 1000 + 60, bo.entropy)

        await bo.run(many)


async def test_prekeys_rotate_weekly_and_are_kept_for_ninety_days(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        first = await bo.run(prekeys.own_bundle, bo.mine, bo.clock.ms, bo.entropy)
        init = await ask(ana, bo, first)
        assert first.signed_number == (await bo.run(bo.bundle_in)).signed_number
        bo.clock.pass_s(7 * 86_400)
        assert first.signed_number != (await bo.run(bo.bundle_in)).signed_number
        assert await bo.run(sessions.bundle_due, bo.mine, bo.device, bo.clock.ms, bo.entropy) is not None
        assert await bo.run(sessions.bundle_due, bo.mine, bo.device, bo.clock.ms, bo.entropy) is None
        bo.clock.pass_s(80 * 86_400)
        assert (await take(bo, ana, init)).plaintext == b"hello"
        assert await bo.run(lambda tx: tx.all("SELECT * FROM px3_seen")) != []
        bo.clock.pass_s(4 * 86_400)
        await bo.run(upkeep.tidy, bo.clock.ms, bo.entropy)
        assert await bo.run(lambda tx: tx.all("SELECT * FROM px3_seen")) == []
        with pytest.raises(PrekeysGone):
            await take(bo, ana, replace(init, ephemeral=keys.DhKey(bytes(32)).public))
