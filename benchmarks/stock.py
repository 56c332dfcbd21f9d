"""The baseline of node.py's attacks and of media.py: a host as libp2p makes it, in a program of its own.

`python -m benchmarks.stock PORT` listens there and says when it is ready. It serves one protocol whose streams it does
not read, and one on which it answers a byte with as many zeros as anybody reads.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from multiaddr import Multiaddr

PROTOCOL = "/weft/talk/1"  # the attackers of benchmarks/node.py name it
ZEROS = "/weft/zeros/1"
PIECE = bytes(60_000)  # a write of such a length is what py-libp2p moves fastest
NOTICED_S = 1.0  # the end of a killed program's connections is noticed in milliseconds
AGAIN_S = 0.5
SERVED, DIALLER = b"s" * 32, b"d" * 32


def free_port() -> int:
    """A TCP port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A host in a program of its own, until the block ends."""
    command = [sys.executable, "-m", "benchmarks.stock", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        try:
            assert program.stdout is not None
            program.stdout.readline()
            yield program
        finally:
            program.kill()


def reconnect_s(port: int, cap_s: float) -> float:
    """Seconds until connect() works again once a peer was killed, dialled in vain and started; at most cap_s."""
    return trio.run(_reconnect_s, port, cap_s)


def stream_s(port: int, count: int) -> float:
    """Seconds until so many bytes have come on one stream: Noise and Yamux, nothing checked and nothing written."""
    with running(port):
        return trio.run(_stream_s, port, count)


async def _stream_s(port: int, count: int) -> float:
    peer, host = _peer(port), _host(DIALLER)
    async with host.run([]):
        await host.connect(peer)
        stream = await host.new_stream(peer.peer_id, [TProtocol(ZEROS)])
        await stream.write(b"?")
        began, left = trio.current_time(), count
        while left > 0:
            left -= len(await stream.read(min(left, 1 << 18)))
        return trio.current_time() - began


async def _reconnect_s(port: int, cap_s: float) -> float:
    peer, host = _peer(port), _host(DIALLER)
    async with host.run([]):
        with running(port):
            await host.connect(peer)
        await trio.sleep(NOTICED_S)
        assert not await _connects(host, peer)
        with running(port):
            began = trio.current_time()
            while trio.current_time() < began + cap_s:
                if await _connects(host, peer):
                    break
                await trio.sleep(AGAIN_S)
            return trio.current_time() - began


async def _connects(host: Any, peer: PeerInfo) -> bool:
    try:
        await host.connect(peer)
    except Exception:  # libp2p fails in some forty ways
        return False
    return True


def _peer(port: int) -> PeerInfo:
    served = create_new_key_pair(SERVED).public_key
    return PeerInfo(ID.from_pubkey(served), [Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")])


def _host(seed: bytes) -> Any:
    keys = create_new_key_pair(seed)
    return new_host(key_pair=keys, sec_opt={NOISE: Noise(keys, create_noise_key_pair().private_key)})


async def _serve(port: int) -> None:
    async def leave_unread(_stream: Any) -> None:
        await trio.sleep_forever()

    async def pour(stream: Any) -> None:
        await stream.read(1)
        while True:
            await stream.write(PIECE)

    host = _host(SERVED)
    host.set_stream_handler(TProtocol(ZEROS), pour)
    host.set_stream_handler(TProtocol(PROTOCOL), leave_unread)
    async with host.run([Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")]):
        print("ready", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_serve, int(sys.argv[1]))
