"""Who cannot read a contact, and has no bundle of his, asks him by mail to begin a session (mailbox 2.4)."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NamedTuple

import pytest

from crypto import keys
from protocol import identity, mailbox, parcel, record
from protocol.mailbox import Line
from store import collecting, healing, inboxes, mailing, parcels, sessions
from store.collecting import Collected
from store.database import Tx
from store.identity import Identity
from store.mailing import Planned
from tests.store import kit
from tests.store.kit import Side

MINUTE_S, DAY_S = 60.0, 86_400.0


class Broken(NamedTuple):
    """Ana, whose bundle of Bo is gone, and who knows two lines of his; and Bo's store."""

    ana: Side
    tx: Tx
    bo: Side
    his: Tx

    def plan(self) -> list[mailbox.Anew]:
        """What Ana asks for when she plans for Bo; both copies of it are the same."""
        before = len(parcels_of(self))
        reached = [box.id for box in inboxes.of(self.tx, self.ana.device)]
        ana = self.ana
        planned = mailing.plan(self.tx, ana.mine, ana.device, reached, ana.clock.ms, ana.entropy, keys.encapsulate)
        assert isinstance(planned, Planned)
        wishes = [mailbox.anew(one.inner) for one in parcels_of(self)[before:]]
        assert len(wishes) in (0, 2)
        assert len({one.sealing for one in parcels_of(self)[before:]}) <= 1
        return [one for one in wishes[:1] if one is not None]

    def hear(self, wish: mailbox.Anew) -> bool:
        """Bo collects a wish; whether he is to begin a session then."""
        bo, sealing = self.bo, self.bo.clock.ms
        letter = Collected(b"r" * parcel.RUN_BYTES, sealing, record.encode(wish))
        assert collecting.take(self.his, bo.rooms, bo.mine, bo.contact, [letter], sealing) == ()
        return sessions.needs_restart(self.his, bo.device, sealing)


def parcels_of(one: Broken) -> list[parcel.Parcel]:
    """What Ana has for the keepers, in the order in which it was made."""
    found = [
        parcel.unwrap(box.line.wrap_key, box.line.sender, put.envelope)
        for box in inboxes.of(one.tx, one.ana.device)
        for put in parcels.to_put(one.tx, box.id, 99)
    ]
    return sorted(found, key=lambda said: said.sealing)


@asynccontextmanager
async def open_broken() -> AsyncIterator[Broken]:
    async with kit.open_memory_pair() as (ana, bo):
        await kit.converse(ana, bo, 1)
        tx, his = await kit.grip(ana), await kit.grip(bo)
        draw = kit.entropy_of("lines")
        lines = [Line(draw(32), (), draw(32), draw(16), draw(32), draw(32), draw(16)) for _ in range(2)]
        inboxes.take(tx, ana.device, 1, lines, ana.entropy)
        tx.execute("UPDATE device SET bundle = x''")
        yield Broken(ana, tx, bo, his)


async def test_who_can_read_asks_for_nothing_and_who_cannot_asks_once_a_day() -> None:
    async with open_broken() as one:
        assert one.plan() == []
        healing.garbled(one.tx, one.ana.device, one.ana.clock.ms)
        assert one.plan() == []  # perhaps it becomes readable
        one.ana.clock.pass_s(2 * MINUTE_S)
        (first,) = one.plan()
        one.ana.clock.pass_s(DAY_S - 1)
        assert one.plan() == []
        one.ana.clock.pass_s(1)
        (second,) = one.plan()
        assert second.bundle.not_after_s > first.bundle.not_after_s


async def test_who_has_a_bundle_restarts_and_asks_nobody() -> None:
    async with open_broken() as one:
        sessions.store_bundle(one.tx, one.ana.device, one.bo.bundle_in(one.his), one.ana.clock.ms)
        healing.garbled(one.tx, one.ana.device, one.ana.clock.ms)
        one.ana.clock.pass_s(2 * MINUTE_S)
        assert one.plan() == []


async def test_who_is_asked_begins_a_session_once_for_each_newer_wish() -> None:
    async with open_broken() as one:
        one.his.execute("UPDATE device SET bundle = x''")
        older = mailbox.Anew(one.ana.bundle_in(one.tx))
        one.ana.clock.pass_s(DAY_S)
        wish = mailbox.Anew(one.ana.bundle_in(one.tx))
        assert one.hear(wish)
        bo = one.bo
        sessions.heal(one.his, bo.mine, bo.device, bo.clock.ms, bo.entropy, keys.encapsulate)
        bo.clock.pass_s(DAY_S)
        for known in (wish, older):
            bo.clock.pass_s(1)
            assert not one.hear(known)
        bo.clock.pass_s(1)
        assert one.hear(mailbox.Anew(one.ana.bundle_in(one.tx)))


async def test_a_wish_that_comes_behind_a_new_session_of_the_same_page_is_heard() -> None:
    async with open_broken() as one:
        ana, bo, inners = one.ana, one.bo, list[bytes]()
        sessions.store_bundle(one.tx, ana.device, bo.bundle_in(one.his), ana.clock.ms)
        healing.set_must(one.tx, ana.device, True)
        sessions.heal(one.tx, ana.mine, ana.device, ana.clock.ms, ana.entropy, keys.encapsulate)
        one.plan()
        inners.append(parcels_of(one)[0].inner)
        ana.clock.pass_s(DAY_S)
        inners.append(record.encode(mailbox.Anew(ana.bundle_in(one.tx))))  # her disk was put back since
        page = [Collected(b"r" * parcel.RUN_BYTES, n, inner) for n, inner in enumerate(inners)]
        ((_, accepted),) = collecting.take(one.his, bo.rooms, bo.mine, bo.contact, page, bo.clock.ms)
        assert accepted.renewed
        assert sessions.needs_restart(one.his, bo.device, bo.clock.ms)


HOSTILE: dict[str, Callable[[Broken], identity.Bundle]] = {
    "of another account": lambda one: one.bo.bundle_in(one.his),
    "with a changed key": lambda one: replace(one.ana.bundle_in(one.tx), signed=b"x" * 32),
    "that is over": lambda one: made(one, one.ana.mine, -1),
    "that lives too long": lambda one: made(one, one.ana.mine, identity.BUNDLE_LIFE_S + 90 * 86_400),
}


def made(one: Broken, mine: Identity, life_s: int) -> identity.Bundle:
    """A bundle of Ana's that is good for so long."""
    good = one.ana.bundle_in(one.tx)
    until_s = one.ana.clock.ms // 1000 + life_s
    numbers = (good.signed_number, good.signed, good.kem_number, good.kem)
    return identity.make_bundle(mine.device_key, mine.certificate, *numbers, None, until_s, good.list_hash)


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_bundle_that_is_none_of_the_contacts_is_not_heard(name: str) -> None:
    async with open_broken() as one:
        one.his.execute("UPDATE device SET bundle = x''")
        assert not one.hear(mailbox.Anew(HOSTILE[name](one)))
        assert one.his.one("SELECT COUNT(*) FROM device WHERE bundle != x''") == (0,)
