"""Two people whose stores share logs, without nodes: what a device says is heard, and entries are carried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from crypto.keys import SigningKey
from protocol import attestation, content, grant, ids, wire
from protocol import log as chains
from protocol.content import Channel
from protocol.entry import Entry
from protocol.grant import Grant, Role
from store import authoring, devices, entries, intake, people, spaces
from store.database import Tx
from store.inbox import Arrival
from store.intake import Piece, Took
from store.people import Contact, ContactState
from store.spaces import Space
from tests.store import kit
from tests.store.kit import Side

SECRET = b"secret of a log, 32 bytes long.."
KINDS = content.Kinds((*grant.CONTENTS, *attestation.CONTENTS))


@dataclass
class Sharers:
    """Ana, who writes, and Bo, who reads; to each the other is contact 1."""

    ana: Side
    bo: Side
    mine: Tx  # of Ana
    theirs: Tx  # of Bo

    @property
    def key(self) -> SigningKey:
        """Ana's device."""
        return self.ana.mine.device_key

    @property
    def now_ms(self) -> int:
        return self.ana.clock.ms

    def begin(self, name: str = "trip", role: Role = Role.NOTES, secret: bytes = SECRET) -> tuple[Space, Space]:
        """A log of Ana that Bo reads: hers, and as he has it."""
        anchor = people.contact(self.mine, self.ana.contact).account
        author = self.ana.mine.device
        own = spaces.begin(self.mine, author, role, name, secret, 0, anchor, (self.ana.contact,), 0, self.now_ms)
        self.hear(spaces.granted, spaces.grant(self.mine, own.log.number))
        return own, self.of(own)

    def of(self, own: Space) -> Space:
        """A log of Ana's as Bo has it."""
        return next(one for one in spaces.of(self.theirs, self.bo.contact) if one.log.id == own.log.id)

    def hear(self, apply: Any, said: object, to: Side | None = None) -> Any:
        """What the other side does with something that a device says; to: who hears it, Bo unless it is Ana."""
        side = to or self.bo
        tx = self.theirs if side is self.bo else self.mine
        contact, device = people.contact(tx, side.contact), devices.device(tx, side.device)
        message_id = ids.new_message_id(self.now_ms, side.entropy)
        raw = content.say(message_id=message_id, hlc_ms=self.now_ms, device_seq=1, parents=(), content=said)
        heard = KINDS.hear(raw, Channel.RATCHET)
        arrival = Arrival(contact, device, 1, heard, Channel.RATCHET, self.now_ms)
        return tx.attempt(apply, tx, arrival).unwrap()

    def write(self, own: Space, *texts: str) -> tuple[Entry, ...]:
        """Notes that Ana writes."""
        said = [wire.encode((320, text)) for text in texts]
        of = spaces.space(self.mine, own.log.number)
        return authoring.write(self.mine, of, said, self.key, self.now_ms, self.ana.entropy)

    def carry(self, own: Space, first: int = 0) -> Took | Exception:
        """What Ana has of a log goes to Bo."""
        held = entries.read(self.mine, own.log.number, first, 1024, 1 << 30)
        piece = Piece(self.of(own).log.number, tuple(one.raw for one in held), tuple(one.content for one in held))
        (took,) = intake.take(self.theirs, [piece], self.bo.mine.device_key, self.now_ms, self.bo.entropy)
        return took

    def texts(self, own: Space) -> list[str]:
        """What Ana's log says, in order; each content opens in the place where it stands."""
        of = spaces.space(self.mine, own.log.number)
        return list(texts_of(self.mine, of))

    def retaken(self, own: Space, raws: tuple[bytes, ...], contents: tuple[bytes | None, ...]) -> Took | Exception:
        """What becomes of a run of Ana's own log that somebody shows her."""
        piece = Piece(own.log.number, raws, contents)
        (took,) = intake.take(self.mine, [piece], self.key, self.now_ms, self.ana.entropy)
        return took


def texts_of(tx: Tx, of: Space) -> list[str]:
    """What the notes of a log say."""
    found = []
    for held in entries.read(tx, of.log.number, 0, 1024, 1 << 30):
        said = authoring.read(of, held)
        assert said is not None
        decoded: Any = wire.decode(said, 1 << 16)
        found.append(decoded[1])
    return found


def head_of(one: Entry) -> chains.Head:
    return chains.Head(one.body.seq, one.id)


def stranger(tx: Tx, name: str, state: ContactState = ContactState.ACTIVE) -> Contact:
    """Another contact, of whom no device is known."""
    account = name.encode().ljust(32, b".")
    return people.add_contact(tx, ids.AccountId(account), name, state, "", 1)


def told(role: Role = Role.NOTES, name: str = "trip", secret: bytes = SECRET, previous: bytes | None = None) -> Grant:
    return Grant(role, 0, secret, bytes(32), name, previous)


@asynccontextmanager
async def open_sharers() -> AsyncIterator[Sharers]:
    """Ana and Bo in memory."""
    async with kit.open_memory_pair() as (ana, bo):
        yield Sharers(ana, bo, await kit.grip(ana), await kit.grip(bo))
