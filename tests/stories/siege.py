"""A real node under attack while an honest contact chats with it, and what must be true of it afterwards.

The attackers' tools are in attackers.py, the attacks in test_attacks.py and its neighbours.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

import features
from cli.faults import Failure
from node import profile
from node.network import Address
from node.node import migrations
from store.database import Tx, Worker, open_database
from tests.stories.real import RealNode, open_pair

ARRIVES_S = 15.0  # one message under attack; on a quiet machine it takes milliseconds
RSS_ABOVE_MB_MAX = 60.0  # what an attack may cost above the idle node (docs/benchmarks.md, node.attack_rss)
BAD_LINES = ("Traceback", "crashed", '"level": "error"', '"level": "critical"')


@dataclass
class Chat:
    """Two nodes say numbered texts to each other in turn, each when the one before has arrived. Runs in a thread."""

    ana: RealNode
    bo: RealNode
    arrived: int = 0
    slowest_s: float = 0.0
    fault: str = ""
    _end: threading.Event = field(default_factory=threading.Event)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        """Talks until `end`; what goes wrong stands in `fault`."""
        try:
            with self.ana.client() as of_ana, self.bo.client() as of_bo:
                of_ana.watch("chat.received")
                of_bo.watch("chat.received")
                while not self._end.is_set():
                    self._say(of_ana, "bo", of_bo)
                    self._say(of_bo, "ana", of_ana)
                    self._end.wait(0.02)  # a conversation, no load test
        except (AssertionError, Failure, OSError) as broken:
            self.fault = str(broken) or repr(broken)
        with self._news:
            self._news.notify_all()

    def _say(self, author: Any, to: str, reader: Any) -> None:
        text = f"{to} {self.arrived}"
        began = time.monotonic()
        author.call("chat.send", to=to, text=text)
        for _, line in reader.changes(ARRIVES_S):
            assert line["text"] == text, f"{line['text']!r} arrived instead of {text!r}"
            break
        else:
            raise AssertionError(f"{text!r} did not arrive within {ARRIVES_S} s")
        with self._news:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.arrived += 1
            self._news.notify_all()

    def await_more(self, count: int) -> None:
        """Returns when so many more messages have arrived. Raises: AssertionError when the chat is broken."""
        with self._news:
            goal = self.arrived + count
            self._news.wait_for(lambda: self.arrived >= goal or bool(self.fault), 2 * ARRIVES_S * count)
            assert not self.fault, self.fault
            assert self.arrived >= goal

    def end(self) -> None:
        """Ends the thread after its present round."""
        self._end.set()


@dataclass
class Siege:
    """A node that is attacked (ana), her contact (bo), and their chat."""

    ana: RealNode
    bo: RealNode
    pid: int
    idle_mb: float
    chats: list[tuple[Chat, threading.Thread]] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """Where ana can be dialled."""
        return Address(self.ana.call("node.status")["addresses"][0])

    @property
    def port(self) -> int:
        return int(self.address.rsplit("/", 1)[1])

    def watch(self, pid: int) -> None:
        """From now on the attacked node is this program: its memory is counted from here."""
        self.pid = pid
        forget_peak(pid)
        self.idle_mb = memory_mb(pid, "VmHWM")

    def begin_chat(self) -> None:
        """Starts the honest chat."""
        chat = Chat(self.ana, self.bo)
        thread = threading.Thread(target=chat.run)
        thread.start()
        self.chats.append((chat, thread))

    def end_chat(self) -> None:
        """Ends it; everything said so far has arrived. Raises: AssertionError when it broke."""
        for chat, thread in self.chats:
            chat.end()
            thread.join(4 * ARRIVES_S)
            assert not chat.fault, chat.fault

    async def chat_goes_on(self, count: int = 10) -> None:
        """Returns when so many more messages have arrived, in order, each within 15 s of being said."""
        await trio.to_thread.run_sync(self.chats[-1][0].await_more, count)

    def peak_mb(self) -> float:
        """The most memory that the attacked node has had since the siege began, above its idle state."""
        return memory_mb(self.pid, "VmHWM") - self.idle_mb


@contextmanager
def besieged(home: Path) -> Iterator[Siege]:
    """A pair that chats; after the block nothing was lost, doubled or disordered, and the node is the same and small.

    The chat that runs at the end is ended; what it said must have arrived.
    """
    with open_pair(home) as (ana, bo):
        assert ana.program is not None
        pid = ana.program.pid
        siege = Siege(ana, bo, pid, 0.0)
        siege.begin_chat()
        try:
            siege.chats[0][0].await_more(4)
            siege.watch(pid)
            yield siege
        finally:
            for chat, _ in siege.chats:
                chat.end()
        siege.end_chat()
        assert ana.program is not None
        assert ana.program.poll() is None
        assert ana.call("node.status")["pid"] == siege.pid
        for first, reader in ((0, bo), (1, ana)):  # ana's numbers are even, bo's are odd
            assert heard(reader) == [
                f"{reader.name} {n}" for chat, _ in siege.chats for n in range(first, chat.arrived, 2)
            ]
        assert siege.peak_mb() <= RSS_ABOVE_MB_MAX
        assert_quiet(ana)


def heard(node: RealNode) -> list[str]:
    """All texts that others wrote to a node, in the order of their rows."""
    texts: list[str] = []
    after = 1
    with node.client() as client:
        while page := client.call("chat.inbox", after=after, limit=1000):
            texts += [row["text"] for row in page]
            after = page[-1]["seq"]
    return texts


def assert_quiet(node: RealNode) -> None:
    """Asserts that no bug of ours was logged, nor anything printed."""
    bad = [line for line in log_of(node).splitlines() if any(sign in line for sign in BAD_LINES)]
    assert bad == []
    assert (node.home / f"{node.name}.stderr").read_text() == ""


def log_of(node: RealNode) -> str:
    """All that a node has logged."""
    return (node.folder / "log" / "node.log").read_text()


def sockets_of(pid: int) -> int:
    """How many sockets a program holds open."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed while we look
            found += str(link.readlink()).startswith("socket:")
    return found


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    """A line of /proc/PID/status in MB: VmRSS is the memory now, VmHWM the most there was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"the node's program {pid} is gone")


def forget_peak(pid: int) -> None:
    """Lets VmHWM begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def in_database(node: RealNode, f: Callable[..., Any], *args: Any) -> Any:
    """What f(tx, …) returns in the database of a stopped node."""
    place = profile.named(node.name, {"WEFT_HOME": str(node.home)})
    key = profile.unlock(place, node.passphrase.encode())
    async with open_database(place.database, key, migrations(features.load()), Worker.INLINE) as database:
        return await database.transact(f, *args)


def forget_port(tx: Tx) -> None:
    """Lets the next start listen on another port: the address that others know is stale then."""
    tx.execute("DELETE FROM setting WHERE name = 'listen.port.last'")


async def connected(node: RealNode, other: str, within_s: float) -> None:
    """Returns when a node shows a contact online. Raises: AssertionError."""
    await trio.to_thread.run_sync(node.await_that, lambda: status_of(node, other)["online"], within_s)


async def away(node: RealNode, other: str, within_s: float) -> None:
    """Returns when a node shows a contact away. Raises: AssertionError."""
    await trio.to_thread.run_sync(node.await_that, lambda: not status_of(node, other)["online"], within_s)


def status_of(node: RealNode, other: str) -> dict[str, Any]:
    """What a node's status says of a contact."""
    (found,) = (one for one in node.call("node.status")["contacts"] if one["name"].lower() == other)
    return dict(found)
