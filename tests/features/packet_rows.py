"""Rows of red packets without nodes: a database with people in it, packets, and what contacts say about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.packets import hearing, judging, view
from features.packets.content import Claim, Closed, Given, Granted, Packet, Reason, Refused
from features.packets.view import NEVER, OURS, Kept, Share
from ledger import packet
from protocol import ids
from protocol.content import Channel, Said
from store import connection, identity, migrations, people, schema
from store.conversations import SCHEMA
from store.database import Tx
from store.devices import Device
from store.inbox import Arrival
from store.people import ContactState
from tests.store.kit import KEY, START_MS, entropy_of

NAME = b"p" * 16
SEED = b"s" * 32
DAY_MS = 86_400_000
DEVICE: Any = Device  # never looked at by the room


@contextmanager
def open_tx() -> Iterator[Tx]:
    """A transaction that is never committed, of a new node."""
    opened = connection.connect(Path(":memory:"), KEY)
    try:
        migrations.run(opened, (*schema.CORE, *SCHEMA, *view.MIGRATIONS))
        opened.execute("BEGIN IMMEDIATE")
        tx = Tx(opened)
        identity.create_identity(tx, b"r" * 32, "Me", START_MS, entropy_of("me"))
        yield tx
    finally:
        opened.close()


def me(tx: Tx) -> bytes:
    """Our account."""
    found = identity.load_identity(tx)
    assert found is not None
    return found.account


def account(number: int) -> bytes:
    return number.to_bytes(32, "big")


def somebody(tx: Tx, number: int) -> int:
    """A contact."""
    name, of = f"c{number}", ids.AccountId(account(number))
    return people.add_contact(tx, of, name, ContactState.ACTIVE, "", START_MS).id


def hear(tx: Tx, contact_id: int, said: Any, now_ms: int = START_MS) -> tuple[Any, ...]:
    """A contact says something; what is answered at once."""
    what = Said(said.KIND, ids.MessageId(bytes(16)), None, now_ms, 1, (), None, said, b"")
    return hearing.apply(tx, Arrival(people.contact(tx, contact_id), DEVICE, 1, what, Channel.RATCHET, now_ms))


def lay(tx: Tx, named: list[int], total: int = 2_000, count: int = 5, *, is_random: bool = True) -> Kept:
    """A packet of ours."""
    promised = packet.promise(SEED, total, count, is_random=is_random)
    row = view.put(tx, Kept(0, OURS, NAME, "EUR", promised, SEED, "", START_MS, START_MS + DAY_MS, NEVER, ""))
    assert row is not None
    view.name(tx, row, named)
    found = view.packet(tx, row)
    assert found is not None
    return found


def answer(tx: Tx) -> Share | Reason | None:
    """The oldest claim is answered, as the service does it, without the payment; what it got."""
    claim = view.next_claim(tx)
    if claim is None:
        return None
    view.answered(tx, claim)
    found = judging.decide(tx, claim)
    if isinstance(found, Share):
        view.grant(tx, claim.packet, (found,))
    return found


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who has sent a packet of 20.00 in five shares, and all that an honest node of his says."""

    tx: Tx
    contact: int
    total: int = 2_000
    count: int = 5
    is_random: bool = True

    @property
    def promised(self) -> packet.Promise:
        return packet.promise(SEED, self.total, self.count, is_random=self.is_random)

    def told(self) -> Packet:
        one = self.promised
        return Packet(
            *(NAME, "EUR", one.total, one.count, int(one.is_random), one.root, one.seed_hash, START_MS + DAY_MS)
        )

    def given(self, *claims: tuple[bytes, bytes]) -> tuple[Given, ...]:
        """The shares that these claims get: account and nonce each."""
        nonces: list[bytes] = []
        taken: list[int] = []
        for _, nonce in claims:
            nonces.append(nonce)
            taken.append(packet.index(SEED, nonces, taken, self.count))
        return tuple(Given(who, nonce, at) for (who, nonce), at in zip(claims, taken, strict=True))

    def granted(self, place: int, one: Given) -> Granted:
        shares = packet.draw(SEED, self.total, self.count, is_random=self.is_random)
        salt, path = packet.opening(SEED, shares, one.index)
        return Granted(NAME, one.nonce, place, one.index, shares[one.index], salt, path, b"y" * 16)

    def closed(self, *given: Given) -> Closed:
        return Closed(NAME, SEED, given)

    def says(self, said: Packet | Claim | Granted | Refused | Closed) -> None:
        assert hear(self.tx, self.contact, said) == ()

    def kept(self) -> Kept:
        """The packet as it is here."""
        found = view.of(self.tx, self.contact, NAME)
        assert found is not None
        return found
