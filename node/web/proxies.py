"""Proxies for pages: SOCKS 5 (RFC 1928) and HTTP. The name of a site goes to the proxy as it is, nobody else hears it.

Not here: what is said to the site through it (fetching.py).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import trio

from node.web import addresses
from node.web.faults import Unseen
from protocol import url

SOCKS, HTTP = "socks5h", "http"
_HEAD_BYTES_MAX = 16 << 10
_SOCKS_WHY = {
    1: "the proxy failed",
    2: "the proxy does not allow it",
    3: "the proxy does not reach its network",
    4: "the proxy does not find or reach the site",
    5: "the site refuses the proxy",
    6: "the proxy waited in vain",
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it is, and what it speaks."""

    kind: str
    host: str
    port: int

    @property
    def text(self) -> str:
        """As in the setting."""
        return f"{self.kind}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def proxy_of(text: str) -> Proxy:
    """What a text names. Raises: ValueError with what is allowed."""
    try:
        split = urlsplit(text)
        kind, host, port = split.scheme.lower(), (split.hostname or "").lower(), split.port or 0
    except ValueError:
        kind, host, port = "", "", 0
    bare = split.path in ("", "/") and not split.query and not split.fragment if kind else False
    named = url.is_host(f"[{host}]" if ":" in host else host)
    if kind not in (SOCKS, HTTP) or not bare or not named or not port or "@" in text:
        raise ValueError("socks5h://HOST:PORT or http://HOST:PORT, without name and password")
    return Proxy(kind, host, port)


async def tunnel(stream: trio.SocketStream, proxy: Proxy, host: str, port: int) -> None:
    """Makes the stream one to this host. Raises: Unseen, trio.BrokenResourceError."""
    if proxy.kind == SOCKS:
        await _socks(stream, host, port)
    else:
        await _connect(stream, f"[{host}]" if ":" in host else host, port)


async def _socks(stream: trio.SocketStream, host: str, port: int) -> None:
    await stream.send_all(b"\x05\x01\x00")  # version 5; one way to say who we are: none
    if await _exactly(stream, 2) != b"\x05\x00":
        raise Unseen("the proxy is none of SOCKS 5, or wants a password")
    ip = addresses.ip_of(host)
    if ip is None:
        where = b"\x03" + bytes((len(host),)) + host.encode()
    else:
        where = (b"\x01" if ip.version == 4 else b"\x04") + ip.packed
    await stream.send_all(b"\x05\x01\x00" + where + port.to_bytes(2, "big"))
    version, answer, _, sort = await _exactly(stream, 4)
    if version != 5 or answer:
        raise Unseen(_SOCKS_WHY.get(answer, "the proxy does not do it"))
    size = {1: 4, 4: 16}.get(sort)
    await _exactly(stream, (size if size is not None else (await _exactly(stream, 1))[0]) + 2)  # who it is there


async def _connect(stream: trio.SocketStream, host: str, port: int) -> None:
    await stream.send_all(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows is the site's
        head += await _exactly(stream, 1)
        if len(head) > _HEAD_BYTES_MAX:
            raise Unseen("the proxy does not do it")
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or words[1] != b"200":
        raise Unseen("the proxy does not do it")


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = await stream.receive_some(count - len(got))
        if not part:
            raise Unseen("the proxy broke off")
        got += part
    return got
