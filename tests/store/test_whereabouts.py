"""Who has a message of ours, by the names that the person knows, and what is said of one that was given up."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from protocol import identity as documents
from protocol import ids, mailbox
from protocol.delivery import EXPIRE_MS, State
from protocol.mailbox import Line
from store import devices, inboxes, outbox, parcels, people, whereabouts
from store.database import Tx
from store.people import ContactState
from store.whereabouts import Kept
from tests.store import kit
from tests.store.kit import START_MS, Side

DAY_MS = 86_400_000
CHEN = ids.AccountId(b"c" * 32)
STRANGER = ids.AccountId(b"s" * 32)
UNTIL_MS = 1_797_897_600_000  # 22 Dec 2026


def line_at(number: int, account: bytes) -> Line:
    """A line at a keeper of this account."""
    key = bytes((number,)) * 32
    mark = mailbox.mark_of(key, ids.AccountId(account))
    return Line(key, (), key, bytes((number,)) * 16, key, key, mark)


def tell(tx: Tx, ana: Side, *accounts: bytes) -> tuple[int, ...]:
    """Bo tells Ana his lines; their ids."""
    people.add_contact(tx, CHEN, "chen", ContactState.ACTIVE, "", START_MS)
    lines = tuple(line_at(number, account) for number, account in enumerate(accounts))
    inboxes.take(tx, ana.device, 1, lines, ana.entropy)
    return tuple(box.id for box in inboxes.of(tx, ana.device))


def leave(tx: Tx, ana: Side, message: int, lines: tuple[int, ...], until_ms: int) -> None:
    """Keepers have a message, each a day less long than the one before."""
    for place, one in enumerate(lines):
        number = inboxes.next_numbers(tx, one, 1)
        parcels.add(tx, one, number, ana.device, message, START_MS, b"envelope")
        parcels.answered(tx, one, number, until_ms - place * DAY_MS, START_MS)


async def test_a_keeper_is_named_by_its_mark(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        lines = await ana.run(tell, ana, CHEN, bo.mine.account, ana.mine.account)
        names = await ana.run(whereabouts.keepers_of, ana.contact)
        assert names == dict(zip(lines, ("chen", "Bo's own node", "you"), strict=True))
        chen = await ana.run(people.find_contact, "chen")
        await ana.run(people.rename, chen.id, "Chen Li")
        assert (await ana.run(whereabouts.keepers_of, ana.contact))[lines[0]] == "Chen Li"
        assert await ana.run(whereabouts.keepers_of, chen.id) == {}


async def test_whom_nobody_here_knows_stays_unknown(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):
        lines = await ana.run(tell, ana, STRANGER)
        assert await ana.run(whereabouts.keepers_of, ana.contact) == {lines[0]: "a keeper of Bo's"}


async def said(ana: Side, message: int, now_ms: int = START_MS) -> str:
    """What is said of a message."""

    def look(tx: Tx) -> str:
        return whereabouts.said(whereabouts.kept(tx, message, whereabouts.keepers_of(tx, ana.contact), now_ms))

    found: str = await ana.run(look)
    return found


async def test_it_is_said_who_has_a_message_and_until_when(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        lines = await ana.run(tell, ana, CHEN, bo.mine.account, STRANGER)
        one, two, three, none = await ana.post("one", "two", "three", "none")
        await ana.run(leave, ana, one, lines[:1], UNTIL_MS)
        await ana.run(leave, ana, two, lines[:2], UNTIL_MS)
        await ana.run(leave, ana, three, lines, UNTIL_MS)
        assert await said(ana, one) == "kept by chen until 22 Dec"
        assert await said(ana, two) == "kept by chen and Bo's own node until 22 Dec"
        assert await said(ana, three) == "kept by chen, Bo's own node and a keeper of Bo's until 22 Dec"
        assert await said(ana, none) == ""
        assert [await ana.state(message) for message in (one, none)] == [State.KEPT, State.QUEUED]


async def test_whose_day_is_over_has_it_no_more_although_nothing_was_tidied(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        lines = await ana.run(tell, ana, CHEN, bo.mine.account)
        (one,) = await ana.post("one")
        await ana.run(leave, ana, one, lines, UNTIL_MS)
        assert await said(ana, one, UNTIL_MS - DAY_MS - 1) == "kept by chen and Bo's own node until 22 Dec"
        assert await said(ana, one, UNTIL_MS - DAY_MS) == "kept by chen until 22 Dec"
        assert await said(ana, one, UNTIL_MS) == ""


def test_two_copies_at_one_name_are_said_once() -> None:
    twice = (Kept("a keeper of bo's", UNTIL_MS), Kept("a keeper of bo's", UNTIL_MS))
    assert whereabouts.said(twice) == "kept by a keeper of bo's until 22 Dec"


ENDS: tuple[tuple[int, tuple[bytes, ...], int, str], ...] = (
    (0, (), 0, "Bo was never here"),
    (UNTIL_MS - 40 * DAY_MS, (), 0, "Bo was last seen on 12 Nov"),
    (0, (CHEN,), START_MS + DAY_MS, "Bo was never here; chen had it until 22 Sep"),
    (0, (CHEN,), START_MS + EXPIRE_MS + DAY_MS, "Bo was never here; chen has it until 22 Oct"),
    (0, (CHEN, STRANGER), START_MS + 40 * DAY_MS, "Bo was never here; chen and a keeper of Bo's have it until 31 Oct"),
)


@pytest.mark.parametrize(("seen_ms", "accounts", "until_ms", "why"), ENDS, ids=[why for *_, why in ENDS])
async def test_what_expired_says_why(
    tmp_path: Path, seen_ms: int, accounts: tuple[bytes, ...], until_ms: int, why: str
) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):
        (message,) = await ana.post("hi")
        if accounts:
            lines = await ana.run(tell, ana, *accounts)
            await ana.run(leave, ana, message, lines, until_ms)
        if seen_ms:
            await ana.run(people.saw, ana.contact, seen_ms)
        await ana.run(outbox.expire, START_MS + EXPIRE_MS + 1)
        row: Any = await ana.run(lambda tx: tx.one("SELECT state, reason FROM message WHERE seq = ?", (message,)))
        assert row == (State.EXPIRED, f"not delivered within 30 days: {why}")
        assert await ana.run(lambda tx: parcels.where(tx, message, 0)) == ()
        await ana.run(outbox.expire, START_MS + 2 * EXPIRE_MS)
        assert (await ana.run(lambda tx: tx.one("SELECT reason FROM message WHERE seq = ?", (message,))))[0] == row[1]


async def test_what_expired_at_two_devices_still_says_who_had_it(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        draw, now_s = kit.entropy_of("another device"), START_MS // 1000
        key = bo.mine.account_key()
        other = documents.certify(key, ids.DeviceId(draw(32)), draw(32), 2, now_s - 9, now_s + 99_999)
        await ana.run(devices.add_device, ana.contact, other)
        (message,) = await ana.post("hi")
        await ana.run(leave, ana, message, await ana.run(tell, ana, CHEN), START_MS + DAY_MS)
        await ana.run(outbox.expire, START_MS + EXPIRE_MS + 1)
        row: Any = await ana.run(lambda tx: tx.one("SELECT reason FROM message WHERE seq = ?", (message,)))
        assert row[0].endswith("; chen had it until 22 Sep")


def test_a_day_is_that_of_the_calendar() -> None:
    for day in range(0, 60_000, 1):
        ms = day * DAY_MS + 86_399_999
        then = datetime.fromtimestamp(ms // 1000, UTC)
        assert whereabouts.day(ms) == f"{then.day} {then:%b}"
