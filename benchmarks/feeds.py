"""The walls that moments.py measures: 200 authors with feeds of their own, and who has what of them.

Each author is an identity with a database of his own, in which the room writes posts as for `weft moments post`. What
he tells his readers, grant and chain, and his entries come into their stopped nodes' databases by the functions by
which they come in from him: the room's and the store's, nothing of the formats is known here.
"""

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

import features
from features.moments import below, hearing, pictures, reading, view, writing
from features.moments.audience import Audience, Kind
from features.moments.content import CONTENTS, Chains, Comment, Like, Post, Ref
from features.moments.feeds import By
from node import profile
from node.node import migrations
from protocol import moment
from protocol.blobs import Blob
from protocol.content import Channel, Kinds, Said
from protocol.file import File, Shape
from protocol.grant import Grant
from protocol.ids import MessageId
from store import entries, identity, intake, pairs, people, spaces
from store.database import Tx, Worker, open_database
from store.identity import Identity
from store.inbox import Arrival
from store.intake import Piece
from store.people import ContactState, Device

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_000
AUTHORS = 200
POSTS = 5  # of each, while the reader was away
PREVIEW_BYTES = 5_000  # of a picture: a WebP of 12 KiB at most
KINDS = Kinds(CONTENTS)
BATCH = 2_000  # posts of one transaction
NEVER_HEARD = "/ip4/127.0.0.1/tcp/9"  # an address that an author had a month ago


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody with a feed. chains: what he told each reader; held: his entries, each with its content."""

    me: Identity
    grant: Grant
    chains: Chains
    held: tuple[tuple[bytes, bytes], ...]
    ids: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """How long his entries are, from the second on."""
        return sum(len(raw) + len(content) for raw, content in self.held[1:])


def a_post(chance: random.Random, number: int, at_ms: int) -> Post:
    """A post of 80 to 200 characters: every second has no picture, of the others most have one, every fifth three."""
    text = "".join(chance.choices("etaoin shrdlu ", k=chance.randint(80, 200)))
    count = 0 if number % 2 else 3 if number % 10 == 0 else 1
    return Post(text.strip() or "nothing", at_ms, tuple(_picture(chance, place) for place in range(count)))


def _picture(chance: random.Random, place: int) -> File:
    blob = Blob(chance.randbytes(32), chance.randbytes(32), 900_000, chance.randbytes(32))
    preview = chance.randbytes(PREVIEW_BYTES)
    return File(blob, f"{place}.jpg", "image/jpeg", Shape.PICTURE, preview, "L6PZfSi_.AyE_3t7t7R**0o#DgR4", 1600, 1200)


def authors(folder: Path, readers: Sequence[Identity]) -> list[Author]:
    """The authors, each with one post of before and POSTS of while a reader was away."""
    return trio.run(_authors, folder, readers)


async def _authors(folder: Path, readers: Sequence[Identity]) -> list[Author]:
    tables, empty = migrations(features.load()), folder / "empty.db"
    async with open_database(empty, bytes(32), tables, Worker.INLINE):
        pass  # the tables are made once
    found = []
    for number in range(AUTHORS):
        place = folder / "author.db"
        shutil.copy(empty, place)
        async with open_database(place, bytes(32), tables, Worker.INLINE) as database:
            found.append(await database.transact(_write, number, readers))
        place.unlink()
    return found


def _write(tx: Tx, number: int, readers: Sequence[Identity]) -> Author:
    chance, month_ms = random.Random(number), NOW_MS - 30 * DAY_MS
    me = identity.create_identity(tx, os.urandom(32), f"Author {number:03}", month_ms - DAY_MS, os.urandom)
    contacts = [_befriend(tx, one, one.name, month_ms).contact for one in readers]
    refs = []
    for at in range(POSTS + 1):
        at_ms = month_ms - DAY_MS if at == 0 else month_ms + at * 5 * DAY_MS + number
        by = By(me, at_ms, os.urandom, os.urandom)
        row = writing.post(tx, by, a_post(chance, number + at, at_ms), Audience(Kind.ALL))
        one = view.moment(tx, row)
        assert one is not None
        refs.append(one.ref)
    (log,) = [one.log for one in spaces.of(tx, spaces.OURS)]
    held = tuple((one.raw, one.content or b"") for one in entries.read(tx, log.number, 0, POSTS + 2, 1 << 30))
    (raw,) = [raw for (raw,) in tx.all("SELECT body FROM message WHERE contact = ?", (contacts[0],))]
    told = KINDS.hear(raw, Channel.RATCHET).content
    assert isinstance(told, Chains)
    return Author(me, spaces.grant(tx, log.number), told, held, tuple(view.id_of(one).hex() for one in refs))


def who(home: Path, name: str) -> Identity:
    """Who a stopped node is."""

    def load(tx: Tx) -> Identity:
        found = identity.load_identity(tx)
        assert found is not None
        return found

    (found,) = trio.run(_in, home, name, load, [()])
    assert isinstance(found, Identity)
    return found


def meet(home: Path, name: str, every: Sequence[Author]) -> None:
    """The authors are contacts of a stopped node, each with one post."""
    trio.run(_in, home, name, _meet, [(one,) for one in every])


def bring(home: Path, name: str, every: Sequence[Author]) -> None:
    """A stopped node has all that they have posted, and reads it."""
    trio.run(_in, home, name, _bring, [(one, one.held[1:]) for one in every])


def fill(home: Path, name: str, count: int) -> None:
    """A stopped node has so many posts of its contacts, the oldest first, with 2 likes and a comment below each."""

    def contacts(tx: Tx) -> list[int]:
        return [one.id for one in people.contacts(tx)]

    async def run() -> None:
        (numbers,) = await _in(home, name, contacts, [()])
        chance = random.Random(5)
        batches = (range(at, min(at + BATCH, count)) for at in range(0, count, BATCH))
        await _in(home, name, _put, ((numbers, batch, count, chance) for batch in batches))

    trio.run(run)


def _put(tx: Tx, contacts: list[int], batch: range, count: int, chance: random.Random) -> None:
    feeds = {one: one.to_bytes(16, "big") for one in contacts}
    for number in batch:
        at_ms = NOW_MS - (count - number) * 300_000
        key, ref, whose = chance.randbytes(32), Ref(feeds[contacts[number % len(contacts)]], number), number
        said = a_post(chance, number, at_ms)
        row = view.put(tx, contacts[whose % len(contacts)], ref, key, moment.name_of(key), said, at_ms, ref)
        assert row is not None
        pictures.told(tx, row, contacts[whose % len(contacts)], said.media, at_ms)
        answers: tuple[Like | Comment, ...] = (Like(ref), Like(ref), Comment(ref, "how nice to see this, and so early"))
        for at, what in enumerate(answers):
            other = contacts[(whose + at + 1) % len(contacts)]
            where = Ref(feeds[other], 10**9 + 4 * number + at)
            below.put(tx, row, other, where, what, at_ms + at, chance.randbytes(32), chance.randbytes(24))


async def _in(home: Path, name: str, step: Any, every: Iterator[Any] | Sequence[Any]) -> list[Any]:
    place = profile.Profile(name, home / name)
    tables = migrations(features.load())
    async with open_database(place.database, profile.unlock(place, b""), tables, Worker.INLINE) as database:
        return [await database.transact(step, *one) for one in every]


def _meet(tx: Tx, one: Author) -> None:
    device = _befriend(tx, one.me, one.me.name, NOW_MS - 31 * DAY_MS)
    pairs.take_pair_secret(tx, device.contact, 1, os.urandom(32), NOW_MS - 31 * DAY_MS)
    people.set_route(tx, device.id, None, (NEVER_HEARD,))
    spaces.granted(tx, _arrival(tx, device, one.grant))
    hearing.apply(tx, _arrival(tx, device, one.chains))
    _bring(tx, one, one.held[:1])


def _bring(tx: Tx, one: Author, held: Sequence[tuple[bytes, bytes]]) -> None:
    me, contact = identity.load_identity(tx), people.by_account(tx, one.me.account)
    assert me is not None
    assert contact is not None
    of = next(of for of in spaces.of(tx, contact.id) if of.name == one.grant.name)
    piece = Piece(of.log.number, tuple(raw for raw, _ in held), tuple(content for _, content in held))
    (took,) = intake.take(tx, [piece], me.device_key, NOW_MS, os.urandom)
    assert isinstance(took, intake.Took)
    assert took.head is not None
    while reading.read(tx, of, NOW_MS):
        pass
    assert len(view.of(tx, contact.id)) == took.head.seq + 1


def _befriend(tx: Tx, other: Identity, name: str, now_ms: int) -> Device:
    contact = people.add_contact(tx, other.account, name, ContactState.ACTIVE, "", now_ms)
    device = people.meet(tx, contact.id, other.certificate, other.lists, now_ms)
    assert isinstance(device, Device)
    return device


def _arrival(tx: Tx, device: Device, what: Any) -> Arrival:
    said = Said(what.KIND, MessageId(b""), None, 0, 0, (), None, what, b"")
    return Arrival(people.contact(tx, device.contact), device, 0, said, Channel.RATCHET, NOW_MS - 31 * DAY_MS)
