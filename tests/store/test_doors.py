"""Doors of invitations at keepers: which there are, what is asked for at each, and what opens what is left there."""

from pathlib import Path

from protocol import keep, knock
from protocol.ids import AccountId
from store import doors, findable, invitations, keepers, upkeep
from store.database import Tx
from store.doors import Knocked
from store.invitations import Invitation
from tests.store import kit
from tests.store.kit import Side

FIND, OTHER = b"f" * 32, b"F" * 32
DAY_S = 86_400


async def made(side: Side, long_term: bool = False, life_s: int = DAY_S) -> Invitation:
    now_ms = side.clock.ms
    one: Invitation = await side.run(
        invitations.create, side.mine, long_term, now_ms, now_ms // 1000 + life_s, side.entropy
    )
    return one


async def doors_of(side: Side, find: bytes = FIND, bits: int = 22) -> dict[bytes, keep.Door]:
    found: tuple[keep.Door, ...] = await side.run(doors.doors, find, side.clock.ms, bits)
    return {door.sender: door for door in found}


async def behind(side: Side, one: Invitation, find: bytes = FIND) -> Knocked | None:
    sender = knock.door_of(one.secret, find).sender
    found: Knocked | None = await side.run(doors.behind, find, sender, side.clock.ms)
    return found


async def test_each_invitation_has_a_door_until_it_ends_also_when_it_is_spent(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        once, many = await made(ana), await made(ana, long_term=True, life_s=2 * DAY_S)
        found = await doors_of(ana)
        assert {sender: (door.items, door.bits) for sender, door in found.items()} == {
            knock.door_of(once.secret, FIND).sender: (knock.ONCE_ITEMS, 0),
            knock.door_of(many.secret, FIND).sender: (knock.LONG_TERM_ITEMS, 0),
        }
        assert not set(found) & set(await doors_of(ana, OTHER))
        await ana.run(invitations.spend, once, AccountId(bytes(32)), ana.clock.ms)
        assert await doors_of(ana) == found
        ana.clock.ms += DAY_S * 1000
        assert set(await doors_of(ana)) == {knock.door_of(many.secret, FIND).sender}
        await ana.run(invitations.revoke, many.id)
        assert await doors_of(ana) == {}


async def test_who_only_knows_the_account_id_works_or_has_no_door(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        once = await made(ana)
        reserved: Invitation = await ana.run(findable.invitation, ana.mine, ana.clock.ms, ana.entropy)
        found = await doors_of(ana, bits=24)
        assert found[knock.door_of(reserved.secret, FIND).sender].bits == 24
        assert found[knock.door_of(once.secret, FIND).sender].bits == 0
        assert set(await doors_of(ana, bits=0)) == {knock.door_of(once.secret, FIND).sender}


async def test_what_is_left_opens_with_the_key_of_its_invitation_and_no_other(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        one, other = await made(ana), await made(ana)
        assert await behind(ana, one) is None  # it was told to nobody yet
        keys = [await ana.run(doors.key_of, each, ana.entropy) for each in (one, other, one)]
        assert keys[0] == keys[2] != keys[1]
        for each, key in ((one, keys[0]), (other, keys[1])):
            assert await behind(ana, each) == Knocked(each, key)
        assert await ana.run(doors.behind, FIND, bytes(16), ana.clock.ms) is None
        assert await ana.run(doors.behind, OTHER, knock.door_of(one.secret, FIND).sender, ana.clock.ms) is None


async def test_the_key_is_forgotten_with_the_invitation(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:
        one, other, third = await made(ana), await made(ana, life_s=3 * DAY_S), await made(ana, life_s=3 * DAY_S)
        for each in (one, other, third):
            await ana.run(doors.key_of, each, ana.entropy)
        await ana.run(invitations.revoke, third.id)
        ana.clock.ms += 2 * DAY_S * 1000
        assert await behind(ana, one) is None
        await ana.run(upkeep.tidy, ana.clock.ms, ana.entropy)
        assert await ana.run(named) == [other.id]


def named(tx: Tx) -> list[bytes]:
    return [bytes(row[0]) for row in tx.all("SELECT invitation FROM door")]


async def test_strangers_are_told_of_two_keepers_that_have_a_queue_for_them(tmp_path: Path) -> None:
    async with kit.open_side(tmp_path / "ana.db", "ana", kit.Clock()) as ana:

        def keep_at(tx: Tx) -> list[int]:
            made = []
            for n in range(3):
                peer, where = bytes((n,)) * 32, (f"/ip4/192.0.2.{n}/tcp/1",)
                one = keepers.add_own(tx, f"k{n}", bytes(32), bytes((n,)) * 32, peer, where, DAY_S, ana.clock.ms)
                keepers.use(tx, one.id, bytes((n,)) * 32)
                made.append(one.id)
            return made

        keeper_ids = await ana.run(keep_at)
        assert await ana.run(doors.places) == ()
        for at, keeper_id in enumerate(keeper_ids):
            await ana.run(keepers.want_queues, keeper_id, [keepers.OWN], ana.entropy)
            queue = (await ana.run(keepers.queues, keeper_id))[0]
            await ana.run(keepers.set_queues, [queue.id], keepers.QueueState.OPEN)
            assert len(await ana.run(doors.places)) == min(at + 1, 2)
        assert [one.find for one in await ana.run(doors.places)] == [bytes(32), b"\x01" * 32]
