"""The baseline of node.py's attacks: a host as libp2p makes it, in a program of its own.

`python -m benchmarks.stock PORT` listens there, serves one protocol whose streams it does not read, and says when it is
ready.
"""

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
NOTICED_S = 1.0  # the end of a killed program's connections is noticed in milliseconds
AGAIN_S = 0.5
SERVED, DIALLER = b"s" * 32, b"d" * 32


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


async def _reconnect_s(port: int, cap_s: float) -> float:
    peer = PeerInfo(ID.from_pubkey(create_new_key_pair(SERVED).public_key), [Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")])
    host = _host(DIALLER)
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


def _host(seed: bytes) -> Any:
    keys = create_new_key_pair(seed)
    return new_host(key_pair=keys, sec_opt={NOISE: Noise(keys, create_noise_key_pair().private_key)})


async def _serve(port: int) -> None:
    async def leave_unread(_stream: Any) -> None:
        await trio.sleep_forever()

    host = _host(SERVED)
    host.set_stream_handler(TProtocol(PROTOCOL), leave_unread)
    async with host.run([Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")]):
        print("ready", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_serve, int(sys.argv[1]))
