"""The dial-back: to the address that is seen and no other, rarely, and only what comes back counts."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from node.host import Host
from node.network import Address, Stream, parts_of
from node.relay import dialback
from node.relay.dialback import DIALBACK, Dialback
from protocol.faults import Unavailable
from tests.node.relay.hosts import HOLDER, OTHER, PATIENCE_S, opened

pytestmark = pytest.mark.socket


@dataclass
class Two:
    """Who asks, and a witness who offers to dial back."""

    asker: Host
    asking: Dialback
    port: int
    witness: Host
    witness_address: Address


@asynccontextmanager
async def two() -> AsyncIterator[Two]:
    with trio.fail_after(PATIENCE_S):
        async with opened(HOLDER) as (asker, address), opened(OTHER) as (witness, witness_address):
            offered = Dialback(witness, os.urandom, lambda: True)
            witness.serve([DIALBACK], offered.accept)
            asking = Dialback(asker, os.urandom, lambda: False)
            yield Two(asker, asking, parts_of(address)[1], witness, witness_address)


async def test_who_can_be_dialled_hears_so_and_serves_nothing_afterwards() -> None:
    async with two() as t:
        link = await t.asker.dial(t.witness_address, None)
        assert await t.asking.ask(link, t.port)
        assert DIALBACK not in t.asker._accepts


async def test_who_cannot_be_dialled_hears_so() -> None:
    async with two() as t:
        unused = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = unused[0].socket.getsockname()[1]
        await unused[0].aclose()
        assert not await t.asking.ask(await t.asker.dial(t.witness_address, None), port)


async def test_a_place_is_dialled_once_in_a_while() -> None:
    async with two() as t:
        link = await t.asker.dial(t.witness_address, None)
        assert await t.asking.ask(link, t.port)
        with pytest.raises(Unavailable, match="does not try"):
            await t.asking.ask(link, t.port)


async def test_low_ports_are_not_dialled() -> None:
    async with two() as t:
        with pytest.raises(Unavailable, match="does not try"):
            await t.asking.ask(await t.asker.dial(t.witness_address, None), 80)


async def test_only_the_address_that_asks_is_dialled_and_only_its_own_host() -> None:
    """A message has no room for another address; another host behind the same address is not spoken to."""
    async with two() as t, opened(b"3" * 32) as (bystander, bystander_address):
        opened_there: list[str] = []

        async def note(protocol: str, stream: Stream) -> None:
            opened_there.append(protocol)

        bystander.serve([DIALBACK], note)
        link = await t.asker.dial(t.witness_address, None)
        assert not await t.asking.ask(link, parts_of(bystander_address)[1])
        assert opened_there == []


async def test_a_witness_that_says_yes_and_dials_nobody_is_not_believed() -> None:
    async def lie(protocol: str, stream: Stream) -> None:
        await stream.receive_some(100)
        await stream.send_all(b"\x01")

    async with two() as t:
        t.witness.serve([DIALBACK], lie)
        assert not await t.asking.ask(await t.asker.dial(t.witness_address, None), t.port)


async def test_a_witness_that_answers_on_our_own_link_is_not_believed() -> None:
    async def lie(protocol: str, stream: Stream) -> None:
        asked = await stream.receive_some(100)
        assert stream.link is not None
        back = await stream.link.open(DIALBACK)
        await back.send_all(b"\x01" + asked[1:17])
        await back.receive_some(1)
        await stream.send_all(b"\x01")

    async with two() as t:
        t.witness.serve([DIALBACK], lie)
        assert not await t.asking.ask(await t.asker.dial(t.witness_address, None), t.port)


@pytest.mark.parametrize("said", [b"", b"\x00", b"\x07" * 19, b"\x01" + bytes(16), b"\x00" + bytes(16)])
async def test_garbage_is_answered_with_nothing(said: bytes) -> None:
    async with two() as t:
        stream = await (await t.asker.dial(t.witness_address, None)).open(DIALBACK)
        await stream.send_all(said)
        with trio.move_on_after(0.3):
            assert await stream.receive_some(1) == b""
    assert len(said) <= 1 + dialback.NONCE_BYTES + 2
