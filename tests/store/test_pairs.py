"""The secrets of a pair: who dials with what, what a listener accepts."""

from pathlib import Path

from store import devices, pairs, people
from store.pairs import PREVIOUS_MS
from store.people import ContactState
from tests.store import kit

LOW, HIGH = b"\x01" * 32, b"\x02" * 32


async def test_maker_waits_for_the_taker_and_the_taker_does_not_wait(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        now = ana.clock.ms
        boot = (await ana.run(pairs.dial_key, ana.contact)).key
        epoch = await ana.run(pairs.make_pair_secret, ana.contact, LOW, now)
        assert (await ana.run(pairs.dial_key, ana.contact)).key == boot
        assert {one.key for one in await ana.run(pairs.chan_keys, 0, 500)} == {boot, LOW}
        await bo.run(pairs.take_pair_secret, bo.contact, epoch, LOW, now)
        assert (await bo.run(pairs.dial_key, bo.contact)).key == LOW
        assert {one.key for one in await bo.run(pairs.chan_keys, 0, 500)} == {boot, LOW}
        await ana.run(pairs.pair_secret_taken, ana.contact, epoch, now)
        assert (await ana.run(pairs.dial_key, ana.contact)).key == LOW
        for side in (ana, bo):
            await side.run(pairs.forget_boot, side.contact)
            (only,) = await side.run(pairs.chan_keys, 0, 500)
            assert (only.key, only.epoch, only.session) == (LOW, epoch, None)
            assert LOW.hex() not in repr(only)


async def test_of_two_secrets_for_one_epoch_the_smaller_stays_on_both_sides(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        now = ana.clock.ms
        assert await ana.run(pairs.make_pair_secret, ana.contact, LOW, now) == 1
        assert await bo.run(pairs.make_pair_secret, bo.contact, HIGH, now) == 1
        await ana.run(pairs.take_pair_secret, ana.contact, 1, HIGH, now)
        await bo.run(pairs.take_pair_secret, bo.contact, 1, LOW, now)
        await ana.run(pairs.pair_secret_taken, ana.contact, 1, now)
        for side in (ana, bo):
            assert await side.run(pairs.pair_secret, side.contact) == (1, LOW)


async def test_the_previous_secret_opens_for_thirty_days(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):
        now = ana.clock.ms
        for secret in (LOW, HIGH):
            epoch = await ana.run(pairs.make_pair_secret, ana.contact, secret, now)
            await ana.run(pairs.pair_secret_taken, ana.contact, epoch, now)
        assert [one.epoch for one in await ana.run(pairs.chan_keys, 0, 500)] == [2, 1]
        await ana.run(pairs.forget_old, now + PREVIOUS_MS)
        assert len(await ana.run(pairs.chan_keys, 0, 500)) == 2
        await ana.run(pairs.forget_old, now + PREVIOUS_MS + 1)
        assert [one.key for one in await ana.run(pairs.chan_keys, 0, 500)] == [HIGH]


async def test_secrets_that_are_set_aside_still_open_and_are_used_again_once_they_did(tmp_path: Path) -> None:
    """Whoever answered an invitation may not have been the contact: then he comes with the secret that he has."""
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        now = ana.clock.ms
        boot = (await ana.run(pairs.dial_key, ana.contact)).key
        epoch = await ana.run(pairs.make_pair_secret, ana.contact, LOW, now)
        await ana.run(pairs.pair_secret_taken, ana.contact, epoch, now)
        assert (await ana.run(pairs.dial_key, ana.contact)).key == LOW
        await ana.run(pairs.set_aside, ana.contact)
        assert (await ana.run(pairs.dial_key, ana.contact)).key == boot
        assert {one.key for one in await ana.run(pairs.chan_keys, 0, 500)} == {boot, LOW}
        await ana.run(pairs.pair_secret_taken, ana.contact, epoch, now)
        assert (await ana.run(pairs.dial_key, ana.contact)).key == LOW


async def test_pages_hold_whole_contacts_and_leave_out_closed_ones(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):
        now = ana.clock.ms
        for n in range(10):
            contact = await ana.run(
                people.add_contact,
                bytes([n]) * 32,
                f"c{n}",
                ContactState.BLOCKED if n == 4 else ContactState.ACTIVE,
                "",
                now,
            )
            for epoch in (1, 2):
                await ana.run(pairs.make_pair_secret, contact.id, bytes([n, epoch]) * 16, now)
        found: list[int] = []
        after = 0
        while page := await ana.run(pairs.chan_keys, after, 5):
            found += [one.contact for one in page]
            after = page[-1].contact
        assert len(found) == 18
        assert found == sorted(found)
        blocked = (await ana.run(people.find_contact, "c4")).id
        assert blocked not in found
        assert await ana.run(pairs.dial_key, blocked) is None


async def test_the_contact_of_a_peer_comes_first(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):
        await ana.run(pairs.make_pair_secret, ana.contact, LOW, ana.clock.ms)
        assert await ana.run(pairs.chan_keys_of_peer, b"p" * 32) == ()
        await ana.run(devices.set_route, ana.device, b"p" * 32)
        await ana.run(devices.heard_hello, ana.device, (), b"n" * 32, 0, ana.clock.ms)
        for peer in (b"p" * 32, b"n" * 32):
            (only,) = await ana.run(pairs.chan_keys_of_peer, peer)
            assert (only.contact, only.key) == (ana.contact, LOW)
