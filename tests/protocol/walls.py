"""Feeds of many people without nodes: what each writes, and which keys each is handed by the rules of moments.

People are numbers. Everybody is taken to have every content; who opens one is decided by keys alone, and nobody here
asks the rules before he tries. Not here: what an honest reader drops and does not show (tests/features), how the room
hands keys out (features/moments).
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from protocol import moment
from protocol.moment import Slot, Spot

ALL = ""  # the audience of all contacts; tags have a name
TAGS_IN_SLOTS = moment.SLOTS - 1


@dataclass(frozen=True)
class To:
    """Whom a post is for, frozen. listed: whom it names, or, where `is_all`, whom it leaves out. tags: to be read by
    slots, where tags alone were named."""

    is_all: bool
    listed: frozenset[int] = frozenset()
    tags: tuple[str, ...] = ()

    def meant(self, reader: int) -> bool:
        """Whether it is for a contact."""
        return (reader in self.listed) != self.is_all


PUBLIC, PRIVATE = To(is_all=True), To(is_all=False)


@dataclass(frozen=True)
class Wrote:
    """An entry. about: what it answers, itself for a post. key: of the post that it is or is about."""

    author: int
    spot: Spot
    content: bytes
    to: To
    key: bytes
    wrap: bytes  # of all contacts, in this place
    about: "Wrote | None" = None


@dataclass
class Chain:
    """A chain of somebody else, from where it was handed out."""

    seq: int
    stands: bytes
    wraps: list[bytes] = field(default_factory=list)

    def wrap(self, seq: int) -> bytes | None:
        """The wrapping key of a place; None for those before it began."""
        if seq < self.seq:
            return None
        while len(self.wraps) <= seq - self.seq:
            self.wraps.append(moment.wrap_key(self.stands))
            self.stands = moment.step(self.stands)
        return self.wraps[seq - self.seq]


@dataclass
class Person:
    """Somebody with a feed. contacts: who reads it. mine: the chains of the feed, where it stands.

    chains, keys: what others handed out: by log, and by log and seq. posts: keys of posts that he has opened.
    """

    number: int
    secret: bytes
    contacts: set[int] = field(default_factory=set)
    tags: dict[str, set[int]] = field(default_factory=dict)
    feeds: int = 0
    seq: int = 0
    mine: dict[str, bytes] = field(default_factory=dict)
    wrote: list[Wrote] = field(default_factory=list)
    chains: dict[bytes, list[Chain]] = field(default_factory=dict)
    keys: dict[tuple[bytes, int], set[bytes]] = field(default_factory=dict)
    posts: set[bytes] = field(default_factory=set)

    @property
    def author(self) -> bytes:
        """His device."""
        return self.number.to_bytes(32, "big")

    @property
    def log(self) -> bytes:
        """The feed that he writes now."""
        return self.number.to_bytes(8, "big") + self.feeds.to_bytes(8, "big")


class Circle:
    """People, and what they do."""

    def __init__(self, count: int, seed: object) -> None:
        self.random = random.Random(str(seed))
        self.people = [Person(number, self.random.randbytes(32)) for number in range(count)]
        for one in self.people:
            self._begin(one)

    # --- who is whose contact

    def meet(self, one: int, other: int) -> None:
        """Two become contacts, or become it again."""
        self.join(one, other)
        self.join(other, one)

    def part(self, one: int, other: int) -> None:
        """Two are contacts no more."""
        self.leave(one, other)
        self.leave(other, one)

    def join(self, author: int, reader: int) -> None:
        """Somebody reads a feed from now on, and what the rules let him see of before."""
        self.people[author].contacts.add(reader)
        self.hand_out(author, reader, lambda _: True)

    def leave(self, author: int, reader: int) -> None:
        """Somebody reads a feed no more: it goes on with other chains."""
        one = self.people[author]
        one.contacts.discard(reader)
        one.feeds += 1
        self._begin(one)
        for name in one.mine:
            for each in sorted(one.contacts):
                if name == ALL or each in one.tags[name]:
                    self._hand(one, name, each)

    def forget(self, reader: int, author: int) -> None:
        """Somebody drops all that he has of another, as an honest node does when it is told to."""
        one, other = self.people[reader], self.people[author]
        logs = {wrote.spot.log for wrote in other.wrote} | {other.log}
        one.chains = {log: held for log, held in one.chains.items() if log not in logs}
        one.keys = {place: held for place, held in one.keys.items() if place[0] not in logs}
        one.posts -= {wrote.key for wrote in other.wrote if wrote.about is None}

    def tag(self, author: int, name: str, reader: int) -> None:
        """Somebody is in an audience from now on."""
        one = self.people[author]
        if name not in one.tags:
            one.tags[name], one.mine[name] = set(), self.random.randbytes(32)
        one.tags[name].add(reader)
        if reader in one.contacts:
            self._hand(one, name, reader)

    def untag(self, author: int, name: str, reader: int) -> None:
        """Somebody is in an audience no more: it has another chain, which those get who stay."""
        one = self.people[author]
        one.tags[name].discard(reader)
        one.mine[name] = self.random.randbytes(32)
        for each in sorted(one.tags[name] & one.contacts):
            self._hand(one, name, each)

    def hand_out(self, author: int, reader: int, is_shown: Callable[[Wrote], bool]) -> None:
        """What somebody is handed who becomes a reader: the chains where they stand, and the keys of what was before.

        is_shown: what is not too old.
        """
        one = self.people[author]
        for name in one.mine:
            if name == ALL or reader in one.tags[name]:
                self._hand(one, name, reader)
        for wrote in filter(is_shown, one.wrote):
            if wrote.about is not None:
                self._give(wrote, reader, wrote.wrap)
            elif wrote.to.meant(reader):
                self._give(wrote, reader, wrote.key)

    # --- what is written

    def post(self, author: int, to: To) -> Wrote:
        """A post."""
        one = self.people[author]
        spot, nonce = self._spot(one), self.random.randbytes(24)
        key = moment.own_key(one.secret, nonce)
        wrote = self._write(one, key, key, to, spot, nonce, self._slots(one, to, key, None), None)
        self._tell_list(wrote)
        one.posts.add(key)
        return wrote

    def replace(self, post: Wrote) -> Wrote:
        """A post as it reads from now on. Of tags no slot is used: who came into one since has its chain and is not
        meant, and who has left it is meant and has not."""
        one = self.people[post.author]
        spot, nonce = self._spot(one), self.random.randbytes(24)
        to = To(post.to.is_all, post.to.listed)
        slots = self._slots(one, to, post.key, moment.name_of(post.key))
        wrote = self._write(one, post.key, post.key, to, spot, nonce, slots, None)
        self._tell_list(wrote)
        return wrote

    def answer(self, author: int, post: Wrote) -> Wrote:
        """A comment, a like or the like: for who may see the post and is a contact of who answers."""
        one = self.people[author]
        wrap = moment.wrap_key(one.mine[ALL])
        slots = [Slot(wrap, moment.name_of(post.key))]
        key = moment.answer_key(post.key, wrap)
        return self._write(one, key, post.key, PUBLIC, self._spot(one), self.random.randbytes(24), slots, post)

    # --- what is opened

    def opens(self, reader: int, wrote: Wrote) -> bool:
        """Whether somebody opens a content with anything that he has: every wrapping key of the place on every slot,
        what he finds or was handed and every key of a post as a key, and each of these with each wrapping key and none.
        """
        one = self.people[reader]
        spot = wrote.spot
        handed = one.keys.get((spot.log, spot.seq), set())
        stepped = (chain.wrap(spot.seq) for chain in one.chains.get(spot.log, []))
        wraps = {wrap for wrap in stepped if wrap is not None} | handed
        if reader == wrote.author:
            wraps.add(wrote.wrap)
        found = {held for wrap in wraps if (held := moment.held(wrap, spot, wrote.content))}
        tries = found | wraps | one.posts
        tries |= {moment.answer_key(key, wrap) for key in one.posts | found for wrap in (*wraps, b"")}
        for key in tries:
            if moment.is_under(key, spot, wrote.content):
                moment.unseal(key, spot, wrote.content)
                if wrote.about is None:
                    one.posts.add(key)
                return True
        return False

    def who_opens(self, written: Iterable[Wrote]) -> list[set[int]]:
        """Who opens each of these. Everybody begins with the posts, and tries again as long as he finds more keys."""
        written = list(written)
        found: list[set[int]] = [set() for _ in written]
        for one in self.people:
            before = -1
            while before != (before := len(one.posts)):
                for place, wrote in enumerate(written):
                    if one.number not in found[place] and self.opens(one.number, wrote):
                        found[place].add(one.number)
        return found

    # --- inside

    def _begin(self, one: Person) -> None:
        one.seq = 0
        one.mine = {ALL: moment.first_chain(one.secret, one.log)}
        one.mine |= {name: self.random.randbytes(32) for name in one.tags}

    def _spot(self, one: Person) -> Spot:
        return Spot(one.author, one.log, one.seq)

    def _slots(self, one: Person, to: To, key: bytes, name: bytes | None) -> list[Slot]:
        """name: what all contacts find where the key is not for all of them, something random where None."""
        if to == PUBLIC:
            return [Slot(moment.wrap_key(one.mine[ALL]), key)]
        slots = [Slot(moment.wrap_key(one.mine[ALL]), name or self.random.randbytes(32))]
        if len(to.tags) <= TAGS_IN_SLOTS:
            slots += [Slot(moment.wrap_key(one.mine[tag]), key) for tag in to.tags]
        return slots

    def _write(
        self,
        one: Person,
        sealed_under: bytes,
        key: bytes,
        to: To,
        spot: Spot,
        nonce: bytes,
        slots: list[Slot],
        about: Wrote | None,
    ) -> Wrote:
        said = self.random.randbytes(self.random.randrange(40))
        content = moment.seal(sealed_under, spot, said, slots, nonce, self.random.randbytes)
        wrote = Wrote(one.number, spot, content, to, key, moment.wrap_key(one.mine[ALL]), about)
        one.wrote.append(wrote)
        one.seq += 1
        one.mine = {name: moment.step(chain) for name, chain in one.mine.items()}
        return wrote

    def _tell_list(self, wrote: Wrote) -> None:
        """In the ratchet, where no audience has a chain for it."""
        if wrote.to == PUBLIC or 0 < len(wrote.to.tags) <= TAGS_IN_SLOTS:
            return
        for each in sorted(self.people[wrote.author].contacts):
            if wrote.to.meant(each):
                self._give(wrote, each, wrote.key)

    def _hand(self, author: Person, name: str, reader: int) -> None:
        held = self.people[reader].chains.setdefault(author.log, [])
        held.append(Chain(author.seq, author.mine[name]))

    def _give(self, wrote: Wrote, reader: int, key: bytes) -> None:
        self.people[reader].keys.setdefault((wrote.spot.log, wrote.spot.seq), set()).add(key)
