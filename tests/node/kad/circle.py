"""Many real hosts in one process, each with a DHT, on loopback; and records that are made for tests alone.

A test record is `owner key 32 || signature 64 || sequence u64 || expiry u64 || content`, under the key SHA-256(owner):
the least that has an owner, an order and an end. protocol/rendezvous.py has the real one.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any

import trio
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from node.host import open_host
from node.identify import Offers
from node.kad.dht import Kad, Mode
from node.kad.places import PlaceOf, network_of
from node.kad.shelf import Rules
from node.network import Address, Network, PeerId
from protocol.faults import Expired, Forged, Malformed

NOW_S = 1_800_000_000
DAY_S = 86_400
PATIENCE_S = 60
ANYWHERE = Address("/ip4/127.0.0.1/tcp/0")


@dataclass(frozen=True)
class Note:
    """A test record, read."""

    sequence: int
    expiry_s: int
    content: bytes


def owner(number: int) -> SigningKey:
    return SigningKey(number.to_bytes(32))


def key_of(who: SigningKey) -> bytes:
    return sha256(bytes(who.verify_key)).digest()


def note(who: SigningKey, content: bytes, sequence: int = 1, expiry_s: int = NOW_S + DAY_S) -> bytes:
    said = sequence.to_bytes(8) + expiry_s.to_bytes(8) + content
    return bytes(who.verify_key) + who.sign(said).signature + said


def check(key: bytes, raw: bytes, now_s: int) -> Note:
    if len(raw) < 112:
        raise Malformed
    name, signature, said = raw[:32], raw[32:96], raw[96:]
    if sha256(name).digest() != key:
        raise Forged
    try:
        VerifyKey(name).verify(said, signature)
    except BadSignatureError as error:
        raise Forged from error
    found = Note(int.from_bytes(said[:8]), int.from_bytes(said[8:16]), said[16:])
    if found.expiry_s <= now_s:
        raise Expired
    return found


def newer(one: Note, other: Note) -> bool:
    return (one.sequence, one.content) > (other.sequence, other.content)


RULES = Rules(check, newer)


@dataclass
class Member:
    """One host of the circle. `scope` is its life: cancelled, it is killed."""

    network: Network
    kad: Kad
    address: Address
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def peer(self) -> PeerId:
        return self.network.peer


@asynccontextmanager
async def member(
    seed: bytes, mode: Mode = Mode.SERVER, address: Address = ANYWHERE, place_of: PlaceOf = network_of
) -> AsyncIterator[Member]:
    async with open_host(seed) as network, trio.open_nursery() as nursery:
        (bound,) = await network.listen([address])
        offers = Offers(network, network.addresses)
        random = Random(seed)
        kad = Kad(network, offers, RULES, lambda: NOW_S, random.randbytes, network.addresses, mode, place_of)
        nursery.start_soon(kad.run)
        yield Member(network, kad, bound)
        nursery.cancel_scope.cancel()


async def lives(
    nursery: trio.Nursery, seed: bytes, place_of: PlaceOf = network_of, address: Address = ANYWHERE
) -> Member:
    """A member that lives until its scope is cancelled, or the nursery."""

    async def live(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        with trio.CancelScope() as scope:
            async with member(seed, Mode.SERVER, address, place_of) as made:
                made.scope = scope
                task_status.started(made)
                await trio.sleep_forever()

    made: Member = await nursery.start(live)
    return made


@asynccontextmanager
async def circle(count: int, seed: int = 1, place_of: PlaceOf = network_of) -> AsyncIterator[list[Member]]:
    """Members that know one another as a DHT lets them: each began with one or two of those before."""
    random = Random(seed)
    members: list[Member] = []
    async with trio.open_nursery() as nursery:
        for number in range(count):
            one = await lives(nursery, seed_of(seed, number), place_of)
            await join(one, random.sample(members, min(2, len(members))))
            members.append(one)
        yield members
        nursery.cancel_scope.cancel()


async def join(one: Member, others: Sequence[Member]) -> None:
    """Lets a member know others, and waits until it has heard from them."""
    for other in others:
        one.kad.note_peer(other.peer, (other.address,))
    await until(lambda: one.kad.state().peers >= len(others))


async def until(is_so: Callable[[], bool]) -> None:
    """Returns when something has come about inside the product, which has no bell for tests."""
    while not is_so():  # noqa: ASYNC110
        await trio.sleep(0.02)


def seed_of(seed: int, number: int) -> bytes:
    return sha256(b"%d/%d" % (seed, number)).digest()
