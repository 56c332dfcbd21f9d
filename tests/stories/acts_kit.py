"""What stories about acts on messages share: doing them at random, holding some back, and what both sides show."""

import random
from dataclasses import dataclass, field
from typing import Any

from features.chat import acts
from lab.world import Person
from protocol.faults import UserFault
from store import lanes, outbox
from store.database import Tx

MARKS = ("👍", "❤️", "ok", None)
REFUSED = ("message.recalled", "message.foreign", "message.late", "message.undelivered", "message.no_text")
VERBS = ("send", "send", "reply", "react", "react", "edit", "edit", "recall", "forward", "delete")
_UNFINISHED = (
    "SELECT d.device, d.message FROM delivery d JOIN message m ON m.seq = d.message WHERE m.kind BETWEEN 120 AND 123"
    " OR m.kind IN (127, 411, 412)"
)


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def arrived(*people: Person) -> bool:
    """Nothing that was said or done waits in anybody's outbox."""
    for person in people:
        if person.node is None or await run(person, lambda tx: tx.all(_UNFINISHED)):
            return False
    return True


async def lines_of(person: Person, of: str) -> dict[str, dict[str, Any]]:
    """The lines of a conversation by id, in the order in which they are shown."""
    return {line["id"]: line for line in await person.call("chat.history", to=of, limit=1000)}


async def shown(person: Person, of: str, but: set[str]) -> list[Any]:
    """A conversation as both sides must show it: `mine` is said by name, and without what one of them has deleted."""
    found: list[Any] = []
    names = {True: person.name, False: of}
    for line in (await lines_of(person, of)).values():
        if line["id"] in but:
            continue
        answered = line["reply_to"]
        if answered is not None:
            answered = answered["id"] if answered["id"] in but else (answered["id"], answered["excerpt"])
        reactions = sorted((names[one["mine"]], one["mark"]) for one in line["reactions"])
        said = [one["text"] for one in await person.call("chat.edits", id=line["id"])]
        states = (line["text"], line["edited"], line["recalled"], line["forwarded"], line["pinned"])
        found.append((line["id"], names[line["mine"]], *states, answered, reactions, said))
    return found


async def pinned(person: Person, of: str, but: set[str]) -> list[str]:
    """The pinned messages of a conversation, the newest pin first, without what one of the two has deleted."""
    return [line["id"] for line in await person.call("chat.pins", to=of) if line["id"] not in but]


async def holds(person: Person, word: str) -> bool:
    """Whether anything that a person's database keeps of messages has this word."""

    def look(tx: Tx) -> bool:
        return tx.one("SELECT 1 FROM message WHERE instr(body, ?) > 0", (word.encode(),)) is not None

    found: bool = await run(person, look)
    return found


async def hold_back(person: Person, chance: random.Random, share: float = 0.5) -> list[tuple[int, int]]:
    """Takes some of what waits out of the lane, as what is held over there and sealed anew comes later."""

    def take(tx: Tx) -> list[tuple[int, int]]:
        taken = [row for row in tx.all(_UNFINISHED) if chance.random() < share]
        for device, message in taken:
            lanes.finish(tx, device, (message,))
        return [(device, message) for device, message in taken]

    found: list[tuple[int, int]] = await run(person, take)
    return found


async def let_go(person: Person, held: list[tuple[int, int]]) -> None:
    """Puts back what was taken out; it comes behind all that was said since."""

    def put(tx: Tx) -> None:
        for device, message in held:
            lanes.add(tx, device, (message,))
            outbox.requeue(tx, device)

    await run(person, put)
    held.clear()
    assert person.node is not None
    for contact in await person.node.core.services["contacts"].list():
        person.node.core.delivery.stir(await run(person, lambda tx, of=contact: _number(tx, of.name)))


def _number(tx: Tx, name: str) -> int:
    row = tx.one("SELECT id FROM contact WHERE name = ?", (name,))
    assert row is not None
    return int(row[0])


@dataclass
class Doings:
    """What two people do to their messages at random. words: of each message, all that it ever said.

    pinning: decides after each thing whether something is pinned too, or not any more; None: never.
    """

    chance: random.Random
    pinning: random.Random | None = None
    words: dict[str, list[str]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)  # recalled by their authors
    deleted: dict[str, set[str]] = field(default_factory=dict)  # by whom: ids
    unsaid: set[str] = field(default_factory=set)  # recalled, and deleted by their authors before they had arrived
    count: int = 0
    verbs: tuple[str, ...] = VERBS

    def word(self) -> str:
        """A word that nobody has said yet."""
        self.count += 1
        return f"w{self.count}x"

    async def attempt(self, person: Person, of: str) -> None:
        """One thing at random, and maybe a pin. What cannot be done, as to a recalled message, is an answer too."""
        await self._attempt(person, of)
        if self.pinning is None or self.pinning.random() < 0.6:
            return
        lines = [*await lines_of(person, of)][-4:]
        if not lines:
            return
        try:
            verb = self.pinning.choice(("chat.pin_message", "chat.unpin_message"))
            await person.call(verb, id=self.pinning.choice(lines))
        except UserFault as fault:
            if fault.code not in REFUSED:
                raise

    async def _attempt(self, person: Person, of: str) -> None:
        lines = [*(await lines_of(person, of)).values()]
        line = self.chance.choice(lines[-6:]) if lines else None
        verb = self.chance.choice(self.verbs)
        if verb == "place":
            word = self.word()
            sent = await person.call("profile.send_location", to=of, latitude="1", longitude="2", label=word)
            self.words[sent["message"]] = [word]
            return
        if line is None or verb == "send":
            await self._say(person, of, None)
            return
        try:
            await self._act(person, of, verb, line["id"])
        except UserFault as fault:
            if fault.code not in REFUSED:
                raise

    async def _say(self, person: Person, of: str, reply: str | None) -> None:
        word = self.word()
        said = await person.call("chat.send", to=of, text=word, reply=reply)
        self.words[said["id"]] = [word]

    async def _act(self, person: Person, of: str, verb: str, line: str) -> None:
        match verb:
            case "reply":
                await self._say(person, of, line)
            case "react":
                await person.call("chat.react", id=line, mark=self.chance.choice(MARKS))
            case "edit":
                word = self.word()
                await person.call("chat.edit", id=line, text=word)
                self.words[line].append(word)
            case "recall":
                await person.call("chat.recall", id=line)
                self.dead.add(line)
            case "forward":
                said = await person.call("chat.forward", id=line, to=of)
                self.words[said["id"]] = [said["place"]["label"] if said["place"] else said["text"]]
            case _:
                if self.chance.random() < 0.3:
                    before = await person.call("chat.message", id=line)
                    await person.call("chat.delete", id=line)
                    self.deleted.setdefault(person.name, set()).add(line)
                    if before["mine"] and before["recalled"] and before["state"] not in ("delivered", "read"):
                        self.unsaid.add(line)

    async def check(self, one: Person, other: Person) -> None:
        """Both show the same, find what they show, and nothing is left of what is gone; also once made anew."""
        gone = {line for lines in self.deleted.values() for line in lines}
        before = await shown(one, other.name, gone)
        assert before == await shown(other, one.name, gone)
        assert len(before) == len(self.words.keys() - gone)
        assert {line[0] for line in before if line[4]} == self.dead - gone
        assert await pinned(one, other.name, gone) == await pinned(other, one.name, gone)
        for person, friend in ((one, other), (other, one)):
            there = await lines_of(person, friend.name)
            assert {*await pinned(person, friend.name, set())} == {row["id"] for row in there.values() if row["pinned"]}
            mine = self.deleted.get(person.name, set())
            assert self.words.keys() - mine - self.unsaid <= there.keys() <= self.words.keys() - mine
            for line in there.values():
                if not line["recalled"]:
                    query = line["place"]["label"] if line["place"] else line["text"]
                    assert line["id"] in {row["id"] for row in await person.call("chat.search", query=query)}
            placed = {row["message"] for row in await person.call("profile.locations", limit=1000)}
            assert placed == {line["id"] for line in there.values() if line["place"]}
            living = there.keys() - self.dead
            kept = {word for line in living for word in self.words[line]}
            for lost in self.dead | mine:
                for word in self.words[lost]:
                    assert word in kept or not await holds(person, word), (person.name, lost, word)
                    assert word in kept or await person.call("chat.search", query=word) == []
            everything = await person.call("chat.history", to=friend.name, limit=1000)
            await run(person, acts.rebuild)
            assert await person.call("chat.history", to=friend.name, limit=1000) == everything
