"""A connection to the node: the only socket code of the doors. JSON-RPC 2.0 lines, standard library only.

Not here: what is asked (cli/commands/), what is shown (cli/show.py), starting a node (cli/start.py).
"""

import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cli import faults, places
from cli.faults import Failure

API = 1  # the version of the local API that this door speaks; the node refuses another one with exit code 8
CALL_S = 30.0  # an ordinary call takes milliseconds; a node that says nothing for so long hangs
CHUNK_BYTES = 1 << 16
RECONNECT_S = 60.0  # how long a follower waits for a node that went away
RETRY_S = 0.25
TICK_S = 0.5  # how often a person who waits sees the seconds
RECEIVED = "chat.received"  # topic: a message came
CHANGED = "chat.changed"  # topic: a message was edited or recalled, or somebody reacted to it
TYPING = "chat.typing"  # topic: a contact begins to type, or types no more; told as it happens, and never again
STATE = "delivery"  # topic: the state of one's own message changed

Answer = Any  # JSON
Change = tuple[str, dict[str, Any]]  # topic, data


class Client:
    """One connection, used by one thread. Changes that come while a call waits are kept for `changes`."""

    def __init__(self, profile: Path) -> None:
        """Connects to the node of the profile in this directory. Raises: Failure when there is none."""
        self.cursor = 0  # of the last change that `changes` gave
        self.lagged = False  # whether changes were lost since the cursor: what is shown must be read anew
        self._number = 0
        self._rest = b""
        self._lines: deque[dict[str, Any]] = deque()
        self._changes: deque[dict[str, Any]] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(os.fspath(places.socket_path(profile)))
        except (OSError, ValueError):  # absent, refused, or a path that no socket can have
            self._socket.close()
            raise faults.node_down() if places.has_identity(profile) else places.no_identity(profile) from None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(
        self, method: str, *, within_s: float = CALL_S, waiting: Callable[[float], None] | None = None, **params: object
    ) -> Answer:
        """The node's answer. Raises: Failure with what the node says, or when it goes away or says nothing.

        waiting: is told the seconds, twice a second, for calls that last.
        """
        self._number += 1
        asked = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params, "api": API}
        self.send(json.dumps(asked).encode() + b"\n")
        began = time.monotonic()
        deadline = began + within_s
        while True:
            said = self._next(deadline if waiting is None else min(deadline, time.monotonic() + TICK_S))
            if said is None and waiting is not None and time.monotonic() < deadline:
                waiting(time.monotonic() - began)
                continue
            if said is None:
                raise _silent(f"The node did not answer {method} within {within_s:.0f} s.")
            if said.get("id") == self._number and "method" not in said:
                break
            self._changes.append(said)
        if "error" in said:
            raise _failure(said["error"])
        return said["result"]

    def watch(self, *topics: str, cursor: int | None = None) -> None:
        """From now on `changes` gives what happens: after the cursor, or from now when it is None. No topics: all."""
        answer = self.call("watch", cursor=cursor, topics=list(topics) or None)
        self.cursor = answer["cursor"]
        self.lagged = answer["lagged"]

    def changes(self, within_s: float | None = None) -> Iterator[Change]:
        """What happens, as it happens, until the time is over (None: for ever).

        Raises: Failure when the node goes away, or cannot tell what happens.
        """
        deadline = None if within_s is None else time.monotonic() + within_s
        while True:
            said = self._changes.popleft() if self._changes else self._next(deadline)
            if said is None:
                return
            match said.get("method"):
                case "change":
                    self.cursor = said["params"]["cursor"]
                    yield said["params"]["topic"], said["params"]["data"]
                case "lagged":
                    self.cursor = said["params"]["cursor"]
                    self.lagged = True
                case "failed":
                    raise _failure({"data": said["params"]})

    def send(self, lines: bytes) -> None:
        """Writes finished lines. Raises: Failure when the node is gone."""
        self._socket.settimeout(CALL_S)
        try:
            self._socket.sendall(lines)
        except TimeoutError:
            raise _silent(f"The node took nothing for {CALL_S:.0f} s.") from None
        except OSError:
            raise _gone() from None

    def receive(self) -> bytes:
        """The bytes that are there, waiting for some; b"" when the node is gone. For bridges that read lines alone."""
        self._socket.settimeout(None)
        try:
            return self._socket.recv(CHUNK_BYTES)
        except OSError:
            return b""

    def hang_up(self) -> None:
        """Ends a `receive` that waits in another thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was over already

    def _next(self, deadline: float | None) -> dict[str, Any] | None:
        """The next line, or None at the deadline."""
        while not self._lines:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                chunk = self._socket.recv(CHUNK_BYTES)
            except TimeoutError:
                return None
            except OSError:
                chunk = b""
            if not chunk:
                raise _gone()
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(json.loads(line) for line in lines)
        return self._lines.popleft()


class Patience:
    """How long who stays connected waits for a node that went away: RECONNECT_S, if it was there before."""

    def __init__(self, gone: Callable[[str], None]) -> None:
        """gone: is told when the node goes away and comes back."""
        self._gone = gone
        self._was_there = False
        self._deadline = 0.0

    def there(self) -> None:
        """The node answers."""
        self._was_there = True
        if self._deadline:
            self._gone("The node is back.")
            self._deadline = 0.0

    def wait(self, failure: Failure) -> None:
        """Waits a little. Raises: the failure, when that is no node that went away, or when it stays away."""
        if failure.code not in ("node.gone", "node.down") or not self._was_there:
            raise failure
        if not self._deadline:
            self._deadline = time.monotonic() + RECONNECT_S
            self._gone(f"The node went away; waiting up to {RECONNECT_S:.0f} s for it…")
        if time.monotonic() > self._deadline:
            raise failure
        time.sleep(RETRY_S)


def follow(
    profile: Path,
    topics: tuple[str, ...],
    cursor: int,
    gone: Callable[[str], None],
    anew: str = "weft inbox, weft read NAME",
) -> Iterator[Change]:
    """Changes after the cursor for ever, also across restarts of the node, each at least once and in order.

    gone: is told when the node goes away and comes back. anew: the commands that show all.
    Raises: Failure when it stays away for RECONNECT_S.
    """
    patience = Patience(gone)
    while True:
        try:
            with Client(profile) as client:
                client.watch(*topics, cursor=cursor)
                patience.there()
                for change in client.changes():
                    cursor = client.cursor
                    if client.lagged:
                        client.lagged = False
                        gone(f"More happened than the node keeps for watchers; all of it: {anew}")
                    yield change
        except Failure as failure:
            patience.wait(failure)


def _silent(said: str) -> Failure:
    return Failure("node.silent", f"{said} What it had accepted is kept.", next="weft down", verb="Start it anew")


def _gone() -> Failure:
    said = "The node went away before it answered; what it had accepted is kept."
    return Failure("node.gone", said, next="weft status", exit=faults.NODE_DOWN)


def _failure(error: dict[str, Any]) -> Failure:
    told = error.get("data") or {}
    return Failure(
        str(told.get("code", "rpc")),
        str(told.get("message") or error.get("message", "The node refused this.")),
        next=str(told.get("next", "")),
        exit=int(told.get("exit", faults.FAILED)),
        data=told.get("data"),
    )
