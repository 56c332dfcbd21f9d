"""What a contact, or whoever has his keys, puts into his queue at a keeper: nothing answers it, and it stops nothing.

Cases 22 and 24 by mail. What a keeper does with what lies there: test_lying_keepers.py; on streams: test_attacks.py.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import trio

from crypto import sealing
from lab import world
from lab.world import Person, World, befriend, texts
from node.keep import client
from node.keep.client import Posting
from protocol import envelope, keep, parcel, record
from protocol.envelope import Message
from protocol.keep import Status
from protocol.mailbox import Line
from protocol.parcel import Parcel
from store import devices, inboxes, people
from store.database import Tx
from tests.stories.crowd_kit import HOUR_S, has_lines, states
from tests.stories.stranger_kit import core_of, kept
from tests.stories.test_lying_keepers import blamed

SOON_S = 50.0  # sooner than a session is begun anew

Make = Callable[[Line, Parcel], bytes]
"""An envelope for a queue, made of a good parcel that lies there."""


def garbage(_: Line, __: Parcel) -> bytes:
    return bytes(range(256)) * 4


def nonsense(line: Line, said: Parcel) -> bytes:
    return wrapped(line, replace(said, inner=b"nonsense"))


def bad_header(line: Line, said: Parcel) -> bytes:
    return changed(line, said, lambda one: Message(flipped(one.header), one.body))


def bad_body(line: Line, said: Parcel) -> bytes:
    return changed(line, said, lambda one: Message(one.header, flipped(one.body)))


def unknown_session(line: Line, said: Parcel) -> bytes:
    return changed(line, said, lambda one: Message(bytes(len(one.header)), bytes(len(one.body))))


NEVER_ANSWERED: tuple[Make, ...] = (garbage, nonsense)
UNREADABLE: tuple[Make, ...] = (bad_header, bad_body, unknown_session)


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes((raw[-1] ^ 1,))


def changed(line: Line, said: Parcel, change: Callable[[Message], Message]) -> bytes:
    inner = envelope.disclose(sealing.pad(said.inner))
    assert isinstance(inner, Message)
    return wrapped(line, replace(said, inner=record.encode(change(inner))))


def wrapped(line: Line, said: Parcel) -> bytes:
    """In a run of its own, and older than the good one: it comes first."""
    older = replace(said, run=b"m" * parcel.RUN_BYTES, number=1, sealing=said.sealing - 1, heads=())
    return parcel.wrap(line.wrap_key, line.sender, older, b"n" * sealing.NONCE_BYTES)


@pytest.mark.depth
def test_case_24_whatever_cannot_be_read_is_answered_by_nothing_and_stops_nothing() -> None:
    seen: dict[Make, tuple[int, ...]] = {make: _lived(make) for make in (*NEVER_ANSWERED, *UNREADABLE)}
    clean = _lived(None)
    assert {one[0] for one in seen.values()} == {clean[0]}, "something was said at once"
    assert {seen[make] for make in NEVER_ANSWERED} == {clean}
    assert len({seen[make] for make in UNREADABLE}) == 1, "they can be told apart"


def _lived(make: Make | None) -> tuple[int, ...]:
    """How much lies at the keeper for the sender: soon after the owner has collected, and an hour later, twice."""
    counts: list[int] = []

    async def story(w: World) -> None:
        ana, bo, chen = await _three(w)
        await ana.stop()
        await _leave(bo, "good")
        line, said = await _good(bo, chen)
        await bo.stop()
        if make is not None:
            await put(w, chen, line, make(line, said))
        await ana.start()
        await w.until(lambda: _has(ana, "bo", ["good"]))
        for pause_s in (SOON_S, HOUR_S, HOUR_S):
            await trio.sleep(pause_s)
            counts.append(await _for(chen, "bo"))
        await bo.start()
        await w.until(lambda: _is_said(bo, "delivered"))
        await bo.call("chat.send", to="ana", text="more")
        await w.until(lambda: _has(ana, "bo", ["good", "more"]))

    world.run(story, seed=24)
    return tuple(counts)


@pytest.mark.parametrize("is_keeper", [True, False], ids=["moved by the keeper", "wrapped anew by its contact"])
def test_case_22_what_lies_in_another_queue_is_nobodys(is_keeper: bool) -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await _three(w)
        dora = await w.person("dora")
        await befriend(ana, dora)
        await w.until(lambda: has_lines(dora, ana, 1))
        await ana.stop()
        await _leave(dora, "of dora")
        dora_line, dora_said = await _good(dora, chen)
        raw = await _raw(chen)
        await _leave(bo, "of bo")
        line = await _line(bo)
        await put(w, chen, line, raw if is_keeper else wrapped(line, dora_said))
        assert line.sender != dora_line.sender
        await ana.start()
        await w.until(lambda: _has(ana, "bo", ["of bo"]))
        await w.until(lambda: _has(ana, "dora", ["of dora"]))
        await trio.sleep(2 * HOUR_S)
        assert await texts(ana, "bo") == ["of bo"]
        assert await texts(ana, "dora") == ["of dora"]
        assert ("does not open" in await blamed(ana)) == is_keeper

    world.run(story, seed=22)


async def _three(w: World) -> tuple[Person, Person, Person]:
    """Ana and Bo, whose mail Chen keeps; they have talked, so that their session is answered."""
    ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
    await befriend(ana, bo)
    await kept(ana, chen)
    await kept(bo, chen)
    await w.until(lambda: has_lines(bo, ana, 1))
    await w.until(lambda: has_lines(ana, bo, 1))
    await trio.sleep(60.0)
    return ana, bo, chen


async def _leave(sender: Person, text: str) -> None:
    await sender.call("chat.send", to="ana", text=text)
    await sender.world.until(lambda: _is_said(sender, "kept"))


async def _is_said(sender: Person, state: str) -> bool:
    return (await states(sender, "ana"))[-1] == state


async def _has(reader: Person, of: str, expected: list[str]) -> bool:
    return list(await texts(reader, of)) == expected


async def _line(sender: Person) -> Line:
    """Where a contact can leave Ana mail."""

    def look(tx: Tx) -> Line:
        (device,) = devices.devices_of(tx, people.find_contact(tx, "ana").id)
        return inboxes.of(tx, device.id)[0].line

    found: Line = await core_of(sender).database.transact(look)
    return found


async def _raw(keeper: Person) -> bytes:
    """The newest that lies at a keeper."""
    sql = "SELECT envelope FROM parcel ORDER BY rowid DESC LIMIT 1"
    (raw,) = await core_of(keeper).keeping.database.transact(lambda tx: tx.one(sql))
    return bytes(raw)


async def _good(sender: Person, keeper: Person) -> tuple[Line, Parcel]:
    line = await _line(sender)
    return line, parcel.unwrap(line.wrap_key, line.sender, await _raw(keeper))


async def put(w: World, keeper: Person, line: Line, raw: bytes) -> None:
    """Somebody who has the keys of a queue puts this there."""
    place = core_of(keeper).network
    async with w.network.open_host("mallory", b"mallory".ljust(32)) as host:
        link = await host.dial(place.addresses()[0], place.peer)
        async with client.open_stream(link, host.peer) as stream:
            (answer,) = await stream.put([Posting(line.sender, line.put_key, raw, keep.DAY_S)])
            assert answer.status is Status.OK


async def _for(keeper: Person, name: str) -> int:
    """How many envelopes lie at a keeper for somebody."""

    def look(tx: Tx) -> int:
        return people.find_contact(tx, name).id

    contact_id = await core_of(keeper).database.transact(look)
    uses = await core_of(keeper).keeping.usage()
    return sum(one.items for one in uses if one.contact == contact_id)
