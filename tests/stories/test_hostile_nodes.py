"""A contact turns hostile: a program with all his keys stands in for his node, before a real node that chats on."""

import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from node import channel
from node.host import open_host
from protocol import talk
from protocol.faults import Unavailable
from protocol.identity import LISTS_MAX, Bundle
from store import identity as identities
from store import pairs, people, sessions
from store.database import Tx
from store.pairs import ChanKey
from tests.stories.real import RealNode, is_active
from tests.stories.siege import Siege, away, besieged, connected, heard, in_database, status_of
from tests.stories.wiretap import Impostor

pytestmark = [pytest.mark.process, pytest.mark.socket]

START_S = 30.0
DROPPED_S = 40.0  # a write is given 15 s, on a machine that has other work
TEXTS, TEXT_BYTES = 500, 16_384  # of the largest bucket: the 16 that a talk begins with fill what a stream takes unread
TIMES = 12
ONE_STAYS_S = 15.0  # less than the silence after which an old talk ends in any case


@asynccontextmanager
async def a_contact_named_eve(siege: Siege) -> AsyncIterator[RealNode]:
    """A third node, contact of ana's."""
    eve = RealNode(siege.ana.home, "eve")
    try:
        eve.init()
        eve.up()
        eve.call("contacts.add", link=siege.ana.call("contacts.invite")["link"], name="ana")
        for node, other in ((siege.ana, "eve"), (eve, "ana")):
            await trio.to_thread.run_sync(node.await_that, lambda n=node, o=other: is_active(n, o), START_S)
        await connected(siege.ana, "eve", START_S)
        yield eve
    finally:
        if eve.program is not None:
            eve.kill()


@dataclass(frozen=True)
class Secrets:
    """What a profile proves a channel to its contact ana with, what it may give her, and its transport key."""

    chan: ChanKey
    introduction: talk.Introduction
    bundle: Bundle
    seed: bytes


@asynccontextmanager
async def turned_hostile(secrets: Secrets, siege: Siege) -> AsyncIterator[Impostor]:
    """A talk with ana by somebody who has all of Eve's secrets."""
    chance = random.Random(os.urandom(8))
    async with open_host(secrets.seed) as host:
        link = await host.dial(siege.address, None)
        stream = await link.open(talk.PROTOCOL)
        proven = await channel.dial(host, stream, secrets.chan, secrets.introduction, chance.randbytes)
        impostor = Impostor(stream, proven.reader, secrets.bundle, chance)
        await impostor.say(talk.Hello((1,), chance.randbytes(16), (), None, 0, talk.WINDOW_ENVELOPES))
        yield impostor
        await link.aclose()


async def stolen_from(eve: RealNode) -> Secrets:
    """Ends her node and opens its database."""
    eve.kill()
    secrets: Secrets = await in_database(eve, _secrets)
    return secrets


def _secrets(tx: Tx) -> Secrets:
    me = identities.load_identity(tx)
    assert me is not None
    chan = pairs.dial_key(tx, people.find_contact(tx, "ana").id)
    assert chan is not None
    bundle = sessions.own_bundle(tx, me, time.time_ns() // 1_000_000, os.urandom)
    return Secrets(chan, talk.Introduction(me.certificate, me.lists[-LISTS_MAX:]), bundle, me.transport_seed)


async def test_a_contact_that_stops_reading_costs_no_memory_and_nobody_waits_for_him(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        async with a_contact_named_eve(siege) as eve:
            secrets = await stolen_from(eve)
            texts = [f"{n} ".ljust(TEXT_BYTES, "x") for n in range(TEXTS)]
            async with turned_hostile(secrets, siege) as impostor, trio.open_nursery() as nursery:
                nursery.start_soon(_speak_on, impostor)
                await connected(siege.ana, "eve", START_S)
                for start in range(0, TEXTS, 50):
                    siege.ana.call("chat.send_all", to="eve", texts=texts[start : start + 50])
                await siege.chat_goes_on()
                await away(siege.ana, "eve", DROPPED_S)
                assert status_of(siege.ana, "eve")["reason"]
                nursery.cancel_scope.cancel()
            await siege.chat_goes_on()
            eve.up()
            await trio.to_thread.run_sync(eve.await_that, lambda: len(heard(eve)) == TEXTS, 2 * START_S)
            assert heard(eve) == texts


async def _speak_on(impostor: Impostor) -> None:
    """Never silent, so that it is for not reading alone that she is dropped."""
    with suppress(Unavailable):
        while True:
            await impostor.say(talk.Pong(1))
            await trio.sleep(1)


async def test_a_contact_that_asks_and_does_not_read_loses_the_talk(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        async with a_contact_named_eve(siege) as eve:
            secrets = await stolen_from(eve)
            async with turned_hostile(secrets, siege) as impostor, trio.open_nursery() as nursery:
                await connected(siege.ana, "eve", START_S)
                nursery.start_soon(_ask_without_end, impostor)
                await away(siege.ana, "eve", DROPPED_S)
                assert status_of(siege.ana, "eve")["reason"]
                nursery.cancel_scope.cancel()
            await siege.chat_goes_on()


async def _ask_without_end(impostor: Impostor) -> None:
    with suppress(Unavailable):
        while True:
            await impostor.say(*[talk.Ping(1)] * 1000)


async def test_a_contact_that_floods_what_nobody_can_read_disturbs_nobody(tmp_path: Path) -> None:
    with besieged(tmp_path) as siege:
        async with a_contact_named_eve(siege) as eve:
            secrets = await stolen_from(eve)
            async with turned_hostile(secrets, siege) as impostor, trio.open_nursery() as nursery:
                nursery.start_soon(impostor.listen)
                for _ in range(100):
                    await impostor.flood(50)
                await siege.chat_goes_on()
                nursery.cancel_scope.cancel()
            eve.up()
            await connected(siege.ana, "eve", START_S)


async def test_a_contact_that_comes_again_and_again_has_one_talk(tmp_path: Path) -> None:
    """Each says that it was started later; the talk before it ends, and its link is a stranger's from then on."""
    with besieged(tmp_path) as siege:
        async with a_contact_named_eve(siege) as eve:
            secrets = await stolen_from(eve)

            async def come(over: trio.Event, task_status: Any) -> None:
                with suppress(Unavailable):
                    async with turned_hostile(secrets, siege) as impostor:
                        task_status.started()
                        while await impostor.stream.receive_some(1 << 16):
                            await impostor.say(talk.Pong(1))
                over.set()

            async with trio.open_nursery() as nursery:
                lives = [trio.Event() for _ in range(TIMES)]
                for over in lives:
                    await nursery.start(come, over)
                with trio.fail_after(ONE_STAYS_S):
                    for over in lives[:-1]:
                        await over.wait()
                assert not lives[-1].is_set()
                await siege.chat_goes_on()
                nursery.cancel_scope.cancel()
