"""A small node for the command line's tests: the real local API, with rooms that keep lists; the test plays others."""

import inspect
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
from click.testing import CliRunner

from cli.__main__ import run
from cli.options import Door
from node import config, rpc
from store.database import Database, Tx, Worker, open_database
from store.faults import StoreDamaged
from store.schema import CORE
from tests.cli import acts_room, chats_room
from tests.cli.bills_room import BillsRoom
from tests.cli.contacts_room import ContactsRoom, contact
from tests.cli.faults import BackupExists, TooLong
from tests.cli.keepers_room import KeepersRoom
from tests.cli.logs_room import LogsRoom
from tests.cli.media_room import MediaRoom
from tests.cli.moments_room import MomentsRoom
from tests.cli.packets_room import PacketsRoom
from tests.cli.paths_room import PathsRoom
from tests.cli.payments_room import Debts
from tests.cli.profile_room import ProfileRoom
from tests.cli.reading_room import Reading
from tests.cli.shop_room import ShopRoom
from tests.cli.stickers_room import StickersRoom
from tests.cli.strangers import NearbyRoom
from tests.cli.typing_room import Typing

ACCOUNT = "wf1" + "q" * 57 + "f3"
WORDS = " ".join(["abandon"] * 23 + ["art"])


BACKUP = {"account": ACCOUNT, "name": "Ana", "made_ms": 0, "contacts": 1, "messages": 12, "bytes": 1_234_567}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


DHT = {
    "mode": "auto",
    "serves": True,
    "peers": 31,
    "keeps": 7,
    "why": "",
    "copies": 20,
    "published_ms": 1,
    "trouble": "",
}


@dataclass
class NodeRoom:
    """node.*"""

    world: "World"
    values: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    way: dict[str, object] = field(default_factory=dict)  # what is said of every contact's
    addresses: list[str] = field(default_factory=lambda: ["/ip4/192.168.1.5/tcp/4001"])
    dht: dict[str, object] = field(default_factory=lambda: {**DHT})
    findings: list[dict[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)  # backups that were written
    logs: dict[str, list[dict[str, object]]] = field(default_factory=lambda: {"befell": [], "waiting": []})
    debts: dict[str, Any] = field(default_factory=lambda: {"offers": 0, "asked": 0, "paused": []})
    keepers: int = 2
    keeping: dict[str, list[Any]] = field(default_factory=lambda: {"faults": [], "asks": []})
    hangs: bool = False  # whether it answers no more

    async def status(self) -> dict[str, object]:
        """The node."""
        rows = [
            {name: row[name] for name in ("name", "state", "online", "seen_ms", "reason")}
            | {"path": "", "waiting": 2}
            | self.way
            for row in self.world.contacts.rows
        ]
        return {
            "name": "Ana",
            "account": ACCOUNT,
            "profile": "default",
            "pid": 4121,
            "up_since_ms": 1_790_000_000_000,
            "addresses": self.addresses,
            "peer": "12D3KooWKBQU",
            "nearby": "off",
            "beacon": "on",
            "dht": self.dht,
            "contacts": rows,
            "queued": 2,
            "kept": self.way.get("kept", 0),
            "keepers": self.keepers,
            "keeping": self.keeping,
            "logs": self.logs,
            "debts": self.debts,
            "trouble": self.trouble,
            "version": "0.1.0",
            "protocol": 1,
        }

    async def doctor(self, door: str = "") -> dict[str, object]:
        """What the test found."""
        return {"findings": [*self.findings], "ok": True, "door": door}

    async def stop(self) -> dict[str, object]:
        """Stops."""
        (self.world.directory / "run" / "pid").unlink()
        return {}

    async def version(self) -> dict[str, object]:
        """Which version."""
        if self.hangs:
            await trio.sleep_forever()
        return {"version": "0.1.0", "protocol": 1}

    async def config(self, name: str | None = None) -> dict[str, object]:
        """The settings."""
        values = config.effective(self.values)
        return {name: values[config.setting(name).name]} if name is not None else {**values}

    async def configure(self, name: str, value: str) -> dict[str, object]:
        """Sets one."""
        parsed = config.parse(name, value)
        self.values[name] = value
        return {name: parsed}

    async def words(self) -> dict[str, object]:
        """The words."""
        return {"words": WORDS}

    async def backup(self, file: str, replace: bool = False) -> dict[str, object]:
        """As the real one says it."""
        if not replace and file in self.files:
            raise BackupExists
        self.files.append(file)
        return {**BACKUP, "file": file}


@dataclass
class ChatRoom(Typing, acts_room.Acts, Reading):
    """chat.*; fate: what becomes of a message that is sent, at once. why: why it waits, as the answer says."""

    world: "World"
    lines: list[dict[str, Any]] = field(default_factory=list)
    former: dict[str, list[str]] = field(default_factory=dict)  # what lines said before
    fate: Callable[[dict[str, Any]], object] = dict.copy  # nothing becomes of it
    posted: trio.Event = field(default_factory=trio.Event)
    looked: trio.Event = field(default_factory=trio.Event)  # at what came
    why: str = ""
    unseen: str = ""  # why there is no preview
    wished: list[bool | None] = field(default_factory=list)  # whether previews were
    webp: str = ""  # the picture of a link
    asked: dict[str, Any] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    breaks_at: int = 2**62
    kept: dict[str, dict[str, object]] = field(default_factory=dict)  # what was decided, by name
    stars: set[int] = field(default_factory=set)

    chats, draft, star, unstar = chats_room.chats, chats_room.draft, chats_room.star, chats_room.unstar
    pin, unpin, mute, unmute = chats_room.pin, chats_room.unpin, chats_room.mute, chats_room.unmute
    archive, unarchive, starred = chats_room.archive, chats_room.unarchive, chats_room.starred
    timer = chats_room.timer

    async def send(self, to: str, text: str, reply: str | None = None, preview: bool | None = None) -> dict[str, Any]:
        """Sends."""
        answer: dict[str, Any] = {} if reply is None else {"reply_to": acts_room.answered(self.message_of(reply))}
        self.wished.append(preview)
        answer |= {"unseen": self.unseen} if self.unseen else {}
        return {**(await self._post(to, [text]))[0], **answer}

    async def preview(self, id: str) -> dict[str, str]:
        """The picture of a link."""
        self.message_of(id)
        return {"webp": self.webp}

    async def send_all(self, to: str, texts: list[str]) -> list[dict[str, object]]:
        """Sends all."""
        return [{"id": line["id"], "seq": line["seq"]} for line in await self._post(to, texts)]

    async def inbox(self, unread: bool = False, limit: int = 100, after: int = 0) -> list[dict[str, Any]]:
        """What came."""
        self.looked.set()
        found = [line for line in self.lines if not line["mine"] and line["seq"] > after]
        return [line for line in found if line["unread"] or not unread][-limit:]

    async def read(self, to: str) -> dict[str, int]:
        """Marks."""
        count = 0
        for line in self.lines:
            if line["contact"].lower() == to.lower() and line["unread"]:
                line["unread"] = False
                count += 1
        return {"read": count}

    async def _post(self, to: str, texts: list[str]) -> list[dict[str, Any]]:
        name = self.world.contacts.row_of(to)["name"]
        if any(len(text.encode()) > 16 << 10 for text in texts):
            raise TooLong
        posted = [self._add(name, text, mine=True, state="queued") for text in texts]
        answers = [line | {"reason": self.why} for line in posted]
        for line in posted:
            self.fate(line)
        self.posted.set()
        await self.world.changed("delivery", *(line["seq"] for line in posted))
        return answers

    async def receive(self, name: str, text: str, **more: Any) -> dict[str, Any]:
        """A message comes; more: of it."""
        line = self._add(name, text, mine=False, state="received")
        line.update(more)
        await self.world.changed("chat.received", line["seq"])
        return line

    def shown(self, seq: int) -> dict[str, Any]:
        """What watchers see of a line."""
        if self.lines[seq - 1]["text"] == "(damaged)":
            raise StoreDamaged
        line = self.lines[seq - 1]
        return {**line, "muted": self.kept.get(line["contact"], {}).get("muted", False)}

    async def become(self, seq: int, state: str, reason: str = "") -> None:
        """A message's state changes."""
        self.lines[seq - 1].update(state=state, reason=reason)
        await self.world.changed("delivery", seq)

    def _add(self, name: str, text: str, mine: bool, state: str) -> dict[str, Any]:
        seq = len(self.lines) + 1
        line = {
            "id": f"01J000000000000000{seq:08}",
            "short": f"{seq:08}",
            "seq": seq,
            "contact": name,
            "mine": mine,
            "text": text,
            "at_ms": 1_790_000_000_000,
            "arrived_ms": 1_790_000_000_000,
            "state": state,
            "state_ms": 1_790_000_000_000,
            "reason": "",
            "unread": not mine,
        }
        self.lines.append(line)
        return line


class World:
    """A node and the terminal before it."""

    def __init__(self, home: Path, database: Database | None) -> None:
        self.door = Door(environ={"WEFT_HOME": str(home), "USER": "ana", "PATH": "/usr/bin:/bin"})
        self.directory = home / "default"
        self.database = database
        self.node = NodeRoom(self)
        self.contacts = ContactsRoom(self)
        self.chat = ChatRoom(self)
        self.nearby = NearbyRoom()
        self.logs = LogsRoom()
        self.keepers = KeepersRoom()
        self.debts = Debts()
        self.bills = BillsRoom()
        self.packets = PacketsRoom()
        self.shop, self.paths = ShopRoom(), PathsRoom()
        self.media, self.profile, self.stickers = MediaRoom(), ProfileRoom(), StickersRoom()
        self.moments = MomentsRoom(world=self)
        self.serving = trio.CancelScope()

    async def start(self, nursery: trio.Nursery) -> None:
        """Serves the API; ends with `self.serving`."""
        assert self.database is not None
        self.serving = trio.CancelScope()
        path = self.directory / "run" / "rpc.sock"
        path.unlink(missing_ok=True)
        services = {"node": self.node, "contacts": self.contacts, "chat": _Calls(self.chat), "nearby": self.nearby}
        services |= {"logs": self.logs, "keepers": self.keepers, "bills": self.bills, "packets": self.packets}
        services |= {"shop": self.shop, "paths": self.paths, "media": self.media, "profile": self.profile}
        services |= {"stickers": self.stickers, "moments": self.moments}
        services |= self.debts.services()
        shows: dict[str, rpc.Show] = {
            "chat.received": lambda _, seq: self.chat.shown(seq),
            "chat.changed": lambda _, seq: self.chat.lines[seq - 1],
            "delivery": lambda _, seq: self.chat.lines[seq - 1],
            "path": lambda _, row: self.paths.rows[row - 1],
            "contacts.changed": lambda _, seq: self.contacts.rows[seq - 1],
            "shop.purchases": lambda _, seq: self.shop.orders[seq - 1],
            "payment": lambda _, seq: None,
            "media.progress": lambda _, number: dict(self.media.rows[number - 1]),
            "media.given": lambda _, number: dict(self.media.rows[number - 1]),
            "media.kept": lambda _, number: dict(self.media.rows[number - 1]),
            "moments.changed": lambda _, number: dict(self.moments.rows[number - 1]),
            "moments.noticed": lambda _, number: dict(self.moments.told[number - 1]),
        }
        database = self.database

        async def serve(task_status: Any) -> None:
            with self.serving:
                passing = {"chat.typing": self.chat.watch_typists}
                await rpc.serve(path, services, shows, database, passing, task_status=task_status)

        await nursery.start(lambda *, task_status: serve(task_status))

    async def weft(self, *words: str, stdin: str | bytes = "", environ: Mapping[str, str] | None = None) -> Ran:
        """Runs a command line."""
        return await trio.to_thread.run_sync(lambda: self.weft_now(*words, stdin=stdin, environ=environ))

    def weft_now(self, *words: str, stdin: str | bytes = "", environ: Mapping[str, str] | None = None) -> Ran:
        """The same without a loop."""
        door = replace(self.door, environ={**self.door.environ, **(environ or {})})
        with CliRunner().isolation(input=stdin) as (out, err, _):
            code = run(list(words), door)
            return Ran(code, out.getvalue().decode(), err.getvalue().decode())

    async def changed(self, topic: str, *keys: int) -> None:
        assert self.database is not None
        await self.database.transact(_tell, topic, keys)


def stopped(tmp_path: Path) -> World:
    """A terminal without a node; `identity` says whether one could be started."""
    return World(tmp_path / "home", None)


def make_identity(world: World) -> None:
    """What `weft init` leaves."""
    (world.directory / "run").mkdir(parents=True, exist_ok=True)
    (world.directory / "vault").write_bytes(b"vault")
    (world.directory / "key").write_bytes(b"key")


@asynccontextmanager
async def node(tmp_path: Path, *names: str) -> AsyncIterator[World]:
    """A node that runs, with these contacts."""
    async with open_database(tmp_path / "weft.db", bytes(32), CORE, Worker.INLINE) as database:
        world = World(tmp_path / "home", database)
        make_identity(world)
        (world.directory / "run" / "pid").write_text("4121\n")
        world.contacts.rows.extend(contact(name) for name in names)
        async with trio.open_nursery() as nursery:
            await world.start(nursery)
            with trio.fail_after(30):
                yield world
            nursery.cancel_scope.cancel()


class _Calls:
    """The calls of the chat, without what the test plays."""

    def __init__(self, chat: ChatRoom) -> None:
        for name, call in inspect.getmembers(chat, inspect.iscoroutinefunction):
            if name not in ("receive", "become"):
                setattr(self, name, call)


def _tell(tx: Tx, topic: str, keys: tuple[int, ...]) -> None:
    for key in keys:
        tx.changed(topic, key)
