"""A js-libp2p host in a process of its own, told what to do over its standard input (js/peer.mjs).

The packages are as their makers publish them, at the versions of js/package-lock.json; npm fetches them once into a
folder of this machine's caches, outside the tree. Not here: what the hosts are asked (test_js.py, test_js_kad.py).
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import trio

from node.network import Address, PeerId, peer_of_text

SOURCES = Path(__file__).parent / "js"
LOCK = SOURCES / "package-lock.json"
FETCH_S = 180  # for npm on a slow line
PATIENCE_S = 60  # for one answer; the host itself gives up after 20 s
LINE_BYTES_MAX = 1 << 20
LOOPBACK = "/ip4/127.0.0.1/tcp/0"


class Failed(Exception):
    """What the host answered instead of an answer."""


def modules() -> Path:
    """The folder with the packages, fetched when they are not there. Raises: OSError, subprocess.SubprocessError."""
    version = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    home = platformdirs.user_cache_path("weft-tests") / f"js-{version}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            fresh = Path(folder) / "fresh"
            fresh.mkdir()
            for name in ("package.json", LOCK.name):
                shutil.copy(SOURCES / name, fresh)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=fresh, check=True, capture_output=True, timeout=FETCH_S)
            if not home.exists():  # another test run may have been faster
                os.rename(fresh, home)
    return home / "node_modules"


@dataclass
class JsPeer:
    """A running host. Calls may overlap."""

    program: trio.Process
    peer: PeerId = field(init=False)
    addresses: tuple[Address, ...] = field(init=False)  # where it listens, without /p2p
    _waiting: dict[int, trio.MemorySendChannel[dict[str, Any]]] = field(default_factory=dict)
    _asked: int = 0

    async def call(self, act: str, **words: Any) -> Any:
        """Lets the host do one thing and returns what came of it. Raises: Failed."""
        assert self.program.stdin is not None
        self._asked += 1
        number = self._asked
        sending, receiving = trio.open_memory_channel[dict[str, Any]](1)
        self._waiting[number] = sending
        line = json.dumps({"id": number, "act": act, **words}) + "\n"
        with trio.fail_after(PATIENCE_S):
            await self.program.stdin.send_all(line.encode())
            answer = await receiving.receive()
        if "fault" in answer:
            raise Failed(answer["fault"])
        return answer["answer"]

    async def kill(self) -> None:
        """Ends it with SIGKILL."""
        self.program.kill()
        await self.program.wait()

    async def listen(self) -> None:
        """Hands answers to those who wait for them, until the program ends; then nobody waits any more."""
        assert self.program.stdout is not None
        said = bytearray()
        async for piece in self.program.stdout:
            said += piece
            assert len(said) < LINE_BYTES_MAX
            while b"\n" in said:
                line, _, said = said.partition(b"\n")
                answer = json.loads(line)
                self._waiting.pop(answer["id"]).send_nowait(answer)
        for sending in self._waiting.values():
            sending.close()


@asynccontextmanager
async def open_peer(
    packages: Path, place: Path, seed: bytes, *, server: bool = False, relay: bool = False, listen: str = LOOPBACK
) -> AsyncIterator[JsPeer]:
    """A host with this key (32 bytes) until the block ends.

    packages: of modules(). place: a folder for its program. server: it serves the DHT. relay: it relays others.
    """
    home = place / f"js-{seed.hex()[:16]}"
    home.mkdir(parents=True)
    for source in SOURCES.glob("*.mjs"):
        shutil.copy(source, home)
    (home / "node_modules").symlink_to(packages)
    with (home / "stderr").open("wb") as errors:
        program = await trio.lowlevel.open_process(
            ["node", "--import", "./promises.mjs", "peer.mjs"],
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    peer = JsPeer(program)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.listen)
            listening = [listen] if listen else []
            began = await peer.call("start", seed=seed.hex(), listen=listening, server=server, relay=relay)
            peer.peer = peer_of_text(began["peer"])
            peer.addresses = tuple(Address(one.partition("/p2p/")[0]) for one in began["addresses"])
            yield peer
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):  # a process that was killed does not keep anybody waiting
            await peer.kill()
