"""rpc, completion, version: for scripts, shells and bug reports."""

import json
import os
import sys
import threading
from typing import BinaryIO

import click

from cli import completion as completing
from cli import faults, options, show
from cli.client import API, Client
from cli.faults import Failure
from cli.options import Door, Form
from protocol.version import VERSION

CHUNK_BYTES = 1 << 16


@options.command()
@click.option("--schema", is_flag=True, help="Write what the API can be asked, as one JSON object.")
@click.pass_obj
def rpc(door: Door, schema: bool) -> None:
    """Connects stdin and stdout to the node: JSON-RPC 2.0, one object a line."""
    with door.connect() as client:
        if schema:
            door.form = Form.JSON
            show.outcome(door, client.call("describe"), "")
            return
        bridge = _Bridge(client)
        typing = threading.Thread(target=bridge.take, args=(sys.stdin.fileno(),), daemon=True)
        typing.start()
        bridge.give(sys.stdout.buffer)
        if not bridge.settled():
            raise Failure(
                "node.gone",
                "The node went away; what it had accepted is kept.",
                next="weft status",
                exit=faults.NODE_DOWN,
            )


class _Bridge:
    """Lines to the node and back, until stdin has ended and every call is answered; with a watch, for ever."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._open = 0
        self._ended = False
        self._watches = False

    def take(self, stdin: int) -> None:
        """Sends what is read from this descriptor, until its end.

        Not from sys.stdin: Python aborts when it ends while a thread waits inside of that.
        """
        rest = b""
        while chunk := os.read(stdin, CHUNK_BYTES):
            *whole, rest = (rest + chunk).split(b"\n")
            self._send(whole)
        self._send([rest])
        with self._lock:
            self._ended = True
        if self.settled():
            self._client.hang_up()

    def _send(self, lines: list[bytes]) -> None:
        asked = [line for line in lines if line.strip()]
        with self._lock:
            self._open += sum(1 for line in asked if _is_answered(line))
            self._watches = self._watches or any(b'"watch"' in line for line in asked)
        if asked:
            self._client.send(b"".join(line + b"\n" for line in asked))

    def give(self, stdout: BinaryIO) -> None:
        """Writes what the node says, until there is no more to come."""
        rest = b""
        while chunk := self._client.receive():
            *whole, rest = (rest + chunk).split(b"\n")
            if whole:
                stdout.write(b"\n".join(whole) + b"\n")
                stdout.flush()
            answers = sum(1 for line in whole if b'"method":' not in line[:40])
            with self._lock:
                self._open -= answers
            if self.settled():
                return

    def settled(self) -> bool:
        """Whether nothing more is to come."""
        with self._lock:
            return self._ended and self._open <= 0 and not self._watches


@options.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion(door: Door, shell: str) -> None:
    """Writes a script that makes the Tab key complete weft's commands and your contacts' names."""
    script = completing.script(shell)
    show.outcome(door, {"shell": shell, "script": script}, script)


@options.command()
@click.pass_obj
def version(door: Door) -> None:
    """Shows the version of this command and of the node, if one runs."""
    told = None
    try:
        with door.connect() as client:
            told = client.call("node.version")
    except Failure as failure:
        if failure.exit != faults.NODE_DOWN:
            raise
    python = ".".join(str(part) for part in sys.version_info[:3])
    node = f"node {told['version']} (API {told['protocol']})" if told else "no node runs"
    whole = {"version": VERSION, "protocol": API, "python": python, "node": told}
    show.outcome(door, whole, f"weft {VERSION} (API {API}), Python {python}, {node}")


def _is_answered(line: bytes) -> bool:
    """Whether the node answers this line: all but notifications, and arrays of nothing but them."""
    try:
        said = json.loads(line)
    except ValueError:
        return True  # with an error
    calls = said if isinstance(said, list) and said else [said]
    return any(not isinstance(call, dict) or "id" in call or "method" not in call for call in calls)
