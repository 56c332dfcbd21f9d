"""What strangers find us by: signers for days ahead that need no account key, one invitation until it is withdrawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from protocol import account_record, invite, rendezvous
from protocol.rendezvous import Signer
from store import findable, invitations
from store.database import Tx
from tests.store import kit
from tests.store.kit import Side

DAY_S = 86_400


def days(tx: Tx) -> list[int]:
    return [day for (day,) in tx.all("SELECT day FROM day_certificate ORDER BY day")]


async def certified(side: Side, after_days: int) -> list[int]:
    """The days that have a signer, counted from the first day, after so many have passed."""
    now_s = side.clock.ms // 1000 + after_days * DAY_S
    await side.run(findable.certify_ahead, side.mine, now_s, side.entropy)
    first = rendezvous.epoch_of(side.clock.ms // 1000)
    return [day - first for day in await side.run(days)]


async def test_sixty_days_are_certified_and_renewed_when_thirty_are_left(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        assert await certified(ana, 0) == [*range(61)]
        assert await certified(ana, 31) == [*range(31, 61)]
        assert await certified(ana, 32) == [*range(32, 93)]
        assert await certified(ana, 500) == [*range(500, 561)]
        assert await certified(ana, 480) == [*range(480, 541)]  # the clock had been wrong
        assert await certified(ana, 40) == [*range(40, 101)]


async def test_a_stored_signer_publishes_without_the_account_key(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        now_s = ana.clock.ms // 1000
        today = rendezvous.epoch_of(now_s)
        await ana.run(findable.certify_ahead, ana.mine, now_s, ana.entropy)
        signer: Signer = await ana.run(findable.signer_of, today + 1)
        assert signer.name == account_record.name_of(ana.mine.account, today + 1)
        link = invite.Link(True, now_s, ana.mine.account, bytes(16), bytes(32), ())
        said = account_record.Findable(invite.link_bytes(link), bytes(32), ())
        raw = account_record.seal(signer, ana.mine.account, today + 1, said, now_s, bytes(24))
        found = account_record.open_sealed(ana.mine.account, today + 1, raw, rendezvous.ends_s(today))
        assert found.link == link
        assert await ana.run(findable.signer_of, today + 61) is None


async def test_the_invitation_is_made_once_and_ends_when_it_is_withdrawn(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:

        async def made() -> invitations.Invitation:
            one: invitations.Invitation = await ana.run(findable.invitation, ana.mine, ana.clock.ms, ana.entropy)
            return one

        first = await made()
        assert first.long_term
        assert await made() == first
        assert await ana.run(findable.reserved) == first.id
        await ana.run(findable.withdraw)
        assert await ana.run(findable.reserved) is None
        assert await ana.run(invitations.open_invitations, ana.clock.ms) == ()
        second = await made()
        assert second.secret != first.secret
        ana.clock.pass_s(findable.INVITATION_LIFE_S + 1)
        assert replace(await made(), bundle=second.bundle) != second


@pytest.mark.parametrize(
    "query", ["DELETE FROM day_certificate WHERE day < 1", "SELECT * FROM day_certificate WHERE day = 1"]
)
async def test_days_are_found_by_their_number(tmp_path: Path, query: str) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        assert "USING INTEGER PRIMARY KEY" in str(await ana.run(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {query}")))
