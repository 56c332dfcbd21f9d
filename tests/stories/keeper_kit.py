"""A keeper of one's own as a process, and hosts of this test that ask it over real sockets."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from crypto.keys import SigningKey
from node import dialler
from node.host import open_host
from node.keep import client
from node.keep.client import KeeperStream, Posting
from node.network import Address, PeerId
from protocol import invite, keep, keep_code
from protocol.keep import Status
from protocol.keep_code import Code
from tests.store import keep_kit
from tests.stories.real import RealNode

OWNER = SigningKey(b"O" * 32)
OWNER_SEED, SENDER_SEED = b"owner's host".ljust(32), b"sender's host".ljust(32)


@contextmanager
def keeper(home: Path) -> Iterator[RealNode]:
    """A profile for a keeper; what still runs at the end is killed."""
    node = RealNode(home, "keeper")
    try:
        yield node
    finally:
        if node.program is not None:
            node.kill()


def start(node: RealNode, **said: str) -> Code:
    """Starts the keeper; what its code says."""
    told: dict[str, Any] = node._start("keep", said)
    assert told.get("ready"), told
    return keep_code.of_text(told["code"])


@asynccontextmanager
async def stream(code: Code, seed: bytes = SENDER_SEED) -> AsyncIterator[KeeperStream]:
    """A stream of a host with this transport key to the keeper."""
    addresses = [Address(invite.address_text(one)) for one in code.endpoints]
    async with open_host(seed) as host:
        link = await dialler.dial(host, addresses, PeerId(code.peer))
        async with client.open_stream(link, host.peer) as opened:
            yield opened


@asynccontextmanager
async def owner(code: Code, enrols: bool = True) -> AsyncIterator[KeeperStream]:
    """A stream that has claimed."""
    async with stream(code, OWNER_SEED) as opened:
        assert await opened.claim(OWNER, code.permit, enrols=enrols) is Status.OK
        yield opened


async def everything(opened: KeeperStream) -> list[str]:
    """The texts of all that lies there."""
    texts: list[str] = []
    after = 0
    while True:
        page = await opened.fetch(after, keep.FETCH_ITEMS_MAX, 0)
        assert isinstance(page, keep.Items)
        texts += [item.envelope.decode().rstrip(".") for item in page.items]
        if not page.more:
            return texts
        after = page.items[-1].seq


def posting(door: int, text: object, size: int = 1024) -> Posting:
    """An envelope for a door of keep_kit, for a month."""
    envelope = keep_kit.envelope(text, size)
    return Posting(keep_kit.sender_of(door), keep_kit.put_key_of(door), envelope, 30 * keep.DAY_S)
