"""The room of moments on in-memory databases without a network: people whose messages and feeds are carried by hand.

The service and its clerk are the real ones, and so are logs and outboxes. What is carried instead of sent: contents as
bytes, unsealed; entries with their signatures, between any two active contacts who both have a log, as sessions do.
Not here: what is expected (wall_model.py).
"""

import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import trio
from trio.testing import wait_all_tasks_blocked

from crypto import keys
from features.moments import ruling, service
from features.moments.feature import FEATURE
from features.moments.service import Moments
from lab import world
from node import speech
from node.ground import Ground
from node.inward import Inward
from node.sync import Sync
from node.talks import Talks
from protocol import content, grant
from protocol.content import Channel
from protocol.grant import Grant, Handover, Role
from store import entries, handovers, intake, lanes, logs, outbox, people, remarks, spaces
from store.database import Database, Tx, Worker
from store.entries import Held
from store.inbox import Arrival
from store.intake import Piece, Took
from store.people import ContactState
from store.spaces import Space
from tests.features.wall import PEOPLE, To, like_of
from tests.store import kit
from tests.store.kit import Clock, Side

KINDS = content.Kinds((*grant.CONTENTS, *FEATURE.contents))
MIGRATIONS = (*kit.MIGRATIONS, *FEATURE.migrations)
RULES = {"chats_only": "chats_only", "mine": "hide_mine", "theirs": "hide_theirs"}
WINDOWS = {seconds: name for name, seconds in ruling.WINDOWS.items()}
ROUNDS_MAX = 40  # until nothing is on its way any more
SHARED_MAX = 1000
T = TypeVar("T")


@dataclass
class Node:
    """One person's node. tx: for looks; known: name of a contact -> its row, and its device's."""

    side: Side
    tx: Tx
    sync: Sync
    moments: Moments
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.side.database


class Rooms:
    """A Wall of rooms. Everything runs in a thread with trio in it, one call at a time.

    seed: of the order in which trio wakes tasks.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.clock = Clock()
        self.nodes: dict[str, Node] = {}
        self._over = trio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()
        assert len(self.nodes) == len(PEOPLE)

    def close(self) -> None:
        """Ends all nodes."""
        trio.from_thread.run_sync(self._over.set, trio_token=self._token)
        self._thread.join()

    def _run(self) -> None:
        world.seed_scheduler(self.seed)
        try:
            trio.run(self._live)
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            for name in PEOPLE:
                side = await stack.enter_async_context(
                    kit.open_side(Path(":memory:"), name, self.clock, Worker.INLINE, MIGRATIONS)
                )
                self.nodes[name] = node = self._node(side, await kit.grip(side))
                nursery.start_soon(service.run, node.moments)
            self._ready.set()
            await self._over.wait()
            nursery.cancel_scope.cancel()

    def _node(self, side: Side, tx: Tx) -> Node:
        ground = Ground(lambda: self.clock.ms, lambda _: side.entropy, keys.encapsulate, Worker.INLINE)
        sync = Sync(Inward(ground, side.database, side.mine, KINDS, (FEATURE,)))
        core: Any = SimpleNamespace(
            ground=ground,
            database=side.database,
            identity=side.mine,
            sync=sync,
            delivery=SimpleNamespace(stir=lambda _: None, talks=Talks()),  # `settle` looks at every outbox
            services={"contacts": SimpleNamespace(partings=[])},
        )
        return Node(side, tx, sync, Moments(core))

    def _call(self, f: Callable[..., Awaitable[T]], *args: Any) -> T:
        return trio.from_thread.run(f, *args, trio_token=self._token)

    # --- people

    def befriend(self, one: str, other: str) -> None:
        for mine, theirs in ((one, other), (other, one)):
            self._call(self._know, self.nodes[mine], self.nodes[theirs])

    async def _know(self, mine: Node, theirs: Node) -> None:
        await kit.know(mine.side, theirs.side)
        mine.known[theirs.side.name] = mine.side.contact, mine.side.device

    def tag(self, who: str, tag: str, whom: str) -> None:
        self._write(who, remarks.add_tag, self._contact(who, whom), tag.removeprefix("#"))

    def untag(self, who: str, tag: str, whom: str) -> None:
        self._write(who, remarks.drop_tag, self._contact(who, whom), tag.removeprefix("#"))

    def rule(self, who: str, whom: str, rule: str, holds: bool) -> None:
        self._ask(who, "rule", name=whom, **{RULES[rule]: holds})

    def window(self, who: str, seconds: int) -> None:
        self._ask(who, "window", last=WINDOWS[seconds])

    def block(self, who: str, whom: str) -> None:
        self._write(who, people.set_state, self._contact(who, whom), ContactState.BLOCKED, "blocked")

    def unblock(self, who: str, whom: str) -> None:
        self._write(who, people.set_state, self._contact(who, whom), ContactState.ACTIVE, "")

    def wait(self, seconds: int) -> None:
        self.clock.pass_s(seconds)

    # --- moments

    def post(self, who: str, label: str, to: To) -> None:
        named = list(to.named)
        whom = {"excepted": named} if to.is_all else {"to": named or ["private"]}
        self._ask(who, "post", text=label, **whom)

    def edit(self, who: str, label: str, words: str) -> None:
        self._ask(who, "edit", id=self._moment(who, label), text=f"{label} {words}")

    def comment(self, who: str, post: str, label: str) -> None:
        self._ask(who, "comment", id=self._moment(who, post), text=label)

    def like(self, who: str, post: str) -> None:
        self._ask(who, "like", id=self._moment(who, post))

    def unlike(self, who: str, post: str) -> None:
        self._ask(who, "unlike", id=self._moment(who, post))

    def hide(self, who: str, post: str, answer: str) -> None:
        self._ask(who, "hide", id=self._comment(who, post, answer))

    def delete(self, who: str, label: str) -> None:
        self._ask(who, "delete", id=self._moment(who, label))

    def take_back(self, who: str, post: str, comment: str) -> None:
        self._ask(who, "delete", id=self._comment(who, post, comment))

    # --- what is seen

    def visible(self, who: str) -> dict[str, str]:
        found = {}
        for line in self._ask(who, "list", limit=1000):
            label, _, words = line.text.partition(" ")
            assert label not in found
            found[label] = words
        return found

    def visible_answers(self, who: str, post: str) -> set[str]:
        shown = self._ask(who, "show", id=self._moment(who, post))
        return {one.text for one in shown.comments} | {like_of(post, name or who) for name in shown.moment.likes}

    def _moment(self, who: str, label: str) -> str:
        (found,) = (line.id for line in self._ask(who, "list", limit=1000) if line.text.partition(" ")[0] == label)
        return str(found)

    def _comment(self, who: str, post: str, label: str) -> str:
        shown = self._ask(who, "show", id=self._moment(who, post))
        (found,) = (one.id for one in shown.comments if one.text == label)
        return str(found)

    def _contact(self, who: str, whom: str) -> int:
        return self.nodes[who].known[whom][0]

    def _ask(self, who: str, verb: str, **params: Any) -> Any:
        return self._call(self._asked, getattr(self.nodes[who].moments, verb), params)

    async def _asked(self, method: Callable[..., Awaitable[Any]], params: dict[str, Any]) -> Any:
        """An answer of the local API, once the clerks are quiet: what nobody has yet may be written again elsewhere."""
        await wait_all_tasks_blocked()
        return await method(**params)

    def _write(self, who: str, f: Callable[..., Any], *args: Any) -> None:
        self._call(self.nodes[who].database.transact, f, *args)

    # --- what comes to whom

    def settle(self) -> None:
        self._call(self._settle)

    async def _settle(self) -> None:
        """Carries everything that is on its way until nothing is."""
        for _ in range(ROUNDS_MAX):
            await wait_all_tasks_blocked()
            moved = []
            for author in self.nodes.values():
                for name in author.known:
                    reader = self.nodes[name]
                    if _are_here(author, reader):
                        moved += [await self._deliver(author, reader), await self._show(author, reader)]
            moved += [await self._scribe(one) for one in self.nodes.values()]  # what is new for it waits longest
            if not any(moved):
                return
        raise AssertionError("something is always on its way")

    async def _scribe(self, one: Node) -> bool:
        """As node/logs/scribe.py: logs go on without who is no contact any more, readers are granted them."""
        gone = spaces.gone(one.tx)
        without: dict[int, set[int]] = {}
        for number, contact_id in gone:
            without.setdefault(number, set()).add(contact_id)
        for number, contacts in without.items():
            await one.sync.desks.give_up(number, None, frozenset(contacts))
        if untold := spaces.untold(one.tx):
            await one.database.transact(self._grant, one, untold)
        return bool(untold or gone)

    def _grant(self, tx: Tx, one: Node, untold: Sequence[tuple[int, int]]) -> None:
        for number, contact_id in untold:
            handed = handovers.of(tx, number)
            said = (spaces.grant(tx, number), *(() if handed is None else (handed,)))
            speech.say(tx, contact_id, said, self.clock.ms, one.side.entropy)
            spaces.told(tx, number, contact_id)

    async def _deliver(self, author: Node, reader: Node) -> bool:
        """What waits in an outbox comes as bytes, each in a transaction of its own."""
        _, device_id = author.known[reader.side.name]
        waiting = list(lanes.waiting(author.tx, device_id, lanes.CARRIER, SHARED_MAX))
        for message, body in waiting:
            assert body is not None
            await reader.database.transact(self._hear, reader.known[author.side.name], message, body)
            await author.database.transact(outbox.left, device_id, message, self.clock.ms)
        return bool(waiting)

    def _hear(self, tx: Tx, sender: tuple[int, int], seq: int, body: bytes) -> None:
        contact_id, device_id = sender
        heard = KINDS.hear(body, Channel.RATCHET)
        contact, device = people.contact(tx, contact_id), people.device(tx, device_id)
        arrival = Arrival(contact, device, seq, heard, Channel.RATCHET, self.clock.ms)
        below = {Grant: spaces.granted, Handover: handovers.heard}
        apply = below.get(type(heard.content), FEATURE.apply)
        assert not tx.attempt(apply, tx, arrival).unwrap()

    async def _show(self, author: Node, reader: Node) -> bool:
        """What one holds of the feeds that both know, and the other does not, comes to him."""
        mine = _shared(author.tx, author.known[reader.side.name][0])
        theirs = _shared(reader.tx, reader.known[author.side.name][0])
        moved = False
        for log_id in sorted(mine.keys() & theirs.keys()):
            run = _run(author.tx, mine[log_id], _lacks(reader.tx, theirs[log_id].log.number))
            if run:
                if mine[log_id].log.own:  # what is shown to somebody is published
                    await author.database.transact(logs.publish, mine[log_id].log.number, run[-1].seq)
                await reader.database.transact(self._take, reader, theirs[log_id].log.number, run)
                moved = True
        return moved

    def _take(self, tx: Tx, reader: Node, number: int, run: Sequence[Held]) -> None:
        piece = Piece(number, tuple(one.raw for one in run), tuple(one.content for one in run))
        (took,) = intake.take(tx, [piece], reader.side.mine.device_key, self.clock.ms, reader.side.entropy)
        assert isinstance(took, Took)
        assert took.proof is None
        assert not took.is_parted


def _are_here(author: Node, reader: Node) -> bool:
    """Whether two are contacts for each other, so that they talk."""
    rows = ((author, reader), (reader, author))
    found = [people.contact(mine.tx, mine.known[theirs.side.name][0]) for mine, theirs in rows]
    return all(one.state is ContactState.ACTIVE for one in found)


def _shared(tx: Tx, contact_id: int) -> dict[bytes, Space]:
    known = spaces.known_to(tx, contact_id, SHARED_MAX)
    return {one.log.id: one for one in known if one.role is Role.FEED}


def _lacks(tx: Tx, number: int) -> tuple[int, tuple[int, ...]]:
    """The next seq of a log, and those before it whose contents are not here."""
    head = entries.head(tx, number)
    following = 0 if head is None else head.seq + 1
    return following, entries.awaited(tx, number, 0, following)


def _run(tx: Tx, of: Space, lacks: tuple[int, tuple[int, ...]]) -> tuple[Held, ...]:
    """The run in which all stands that is here of that."""
    following, awaited = lacks
    held = entries.read(tx, of.log.number, 0, SHARED_MAX, 1 << 30)
    useful = [one.seq for one in held if one.seq >= following or (one.seq in awaited and one.content is not None)]
    return held[useful[0] :] if useful else ()
