"""Fetches a page or a picture for a preview: HTTP over a connection of its own, whose address is judged, or a proxy's.

No cookies, no referrer, nothing that tells this node from another; nothing packed is accepted, so nothing unpacks to
more than it is. The caller sets the time. Not here: what is done with it (seeing.py), which hosts may be asked
(addresses.py).
"""

import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address

import h11
import trio

from node.web import addresses, links, proxies
from node.web.addresses import Ip
from node.web.faults import Unseen
from node.web.looking import Fetched, Wanted
from node.web.proxies import Proxy
from protocol.url import Parts

REDIRECTS_MAX = 3
TRIED_MAX = 3  # addresses of one site
TRY_S = 3.0  # for one of them
PIECES_MAX = 20_000  # of a body: a picture of 4 MiB that comes in packets has 3,000
OVERHEAD_BYTES_MAX = 128 << 10  # beside a body: heads, lengths of pieces
AGENT = "Mozilla/5.0 (compatible; weft)"
_READ_BYTES = 16 << 10
_LEADS_ON = frozenset((301, 302, 303, 307, 308))
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)

Resolve = Callable[[str, int], Awaitable[tuple[Ip, ...]]]


async def resolved(host: str, port: int) -> tuple[Ip, ...]:
    """The addresses of a name, as this machine's resolver has them. Raises: Unseen."""
    try:
        found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unseen(f"there is no site {host}, or no way to look it up") from None
    return tuple(dict.fromkeys(_ip(row[4][0]) for row in found))


def _ip(text: object) -> Ip:
    """An address as the system writes it, without the interface."""
    return ip_address(str(text).partition("%")[0])


@cache
def trusted() -> ssl.SSLContext:
    """TLS as this system trusts it."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Fetcher:
    """It is a `Web` (looking.py). allows: which addresses are connected to; trust: whose certificates are good.

    is_beside: whether what is reached from an address of ours is too near to be asked.
    """

    allows: Callable[[Ip], bool] = addresses.is_public
    resolve: Resolve = resolved
    trust: Callable[[], ssl.SSLContext] = field(default=trusted)
    is_beside: Callable[[Ip, Ip], bool] = addresses.is_beside

    async def fetch(self, at: Parts, proxy: str, wanted: Wanted) -> Fetched:
        """What stands there, or where it leads to in at most three steps. Raises: Unseen."""
        through = proxies.proxy_of(proxy) if proxy else None
        for _ in range(REDIRECTS_MAX + 1):
            try:
                found = await self._answer(at, through, wanted)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError) as broken:
                raise Unseen(_why(at, broken)) from None
            if isinstance(found, Fetched):
                return found
            at = links.onward(at, found)
        raise Unseen(f"{at.shown} leads on and on")

    async def _answer(self, at: Parts, proxy: Proxy | None, wanted: Wanted) -> Fetched | str:
        """What a site answers: a body, or where it leads to."""
        async with self._opened(at, proxy) as stream:
            is_absolute = proxy is not None and proxy.kind == proxies.HTTP and at.scheme == "http"
            line = h11.Connection(h11.CLIENT)
            asked = h11.Request(
                method="GET",
                target=at.whole if is_absolute else at.target,
                headers=[
                    ("Host", at.shown),
                    ("User-Agent", AGENT),
                    ("Accept", wanted.accept),
                    ("Accept-Encoding", "identity"),
                    ("Connection", "close"),
                ],
            )
            await stream.send_all((line.send(asked) or b"") + (line.send(h11.EndOfMessage()) or b""))
            return await _heard(stream, line, at, wanted)

    @asynccontextmanager
    async def _opened(self, at: Parts, proxy: Proxy | None) -> AsyncIterator[trio.abc.Stream]:
        """A stream to the site, sealed where its address says so. Raises: Unseen, and what breaks it."""
        plain = await self._direct(at) if proxy is None else await self._through(at, proxy)
        stream: trio.abc.Stream = plain
        try:
            if at.scheme == "https":
                trust = await trio.to_thread.run_sync(self.trust)  # it reads all certificates of the system once
                sealed = trio.SSLStream(plain, trust, server_hostname=at.host, https_compatible=True)
                await sealed.do_handshake()
                stream = sealed
            yield stream
        finally:
            await trio.aclose_forcefully(plain)

    async def _direct(self, at: Parts) -> trio.SocketStream:
        """A connection to an address that is allowed, and to no other."""
        written = addresses.ip_of(at.host)
        if addresses.is_hidden(at.host):
            raise Unseen(f"{at.shown} is reached through a proxy alone (links.proxy)")
        found = (written,) if written is not None else await self.resolve(at.host, at.port)
        allowed = [ip for ip in found if self.allows(ip)]
        if not allowed:
            raise Unseen(f"{at.shown} is in a private network, where weft asks nobody")
        for ip in allowed[:TRIED_MAX]:
            with trio.move_on_after(TRY_S), suppress(OSError):
                stream = await trio.open_tcp_stream(str(ip), at.port)
                is_good = False
                try:
                    own, other = (_ip(name[0]) for name in (stream.socket.getsockname(), stream.socket.getpeername()))
                    is_good = self.allows(other) and not self.is_beside(own, other)
                    if is_good:
                        return stream
                finally:
                    if not is_good:
                        await trio.aclose_forcefully(stream)
                if self.allows(other):
                    raise Unseen(f"{at.shown} is this machine, or in its network, where weft asks nobody")
        raise Unseen(f"{at.shown} does not answer")

    async def _through(self, at: Parts, proxy: Proxy) -> trio.SocketStream:
        """A connection through the proxy, which looks the name up; what is surely private it is not asked for."""
        written = addresses.ip_of(at.host)
        if not (addresses.is_public_name(at.host) if written is None else self.allows(written)):
            raise Unseen(f"{at.shown} is in a private network, where weft asks nobody")
        try:
            stream = await trio.open_tcp_stream(proxy.host, proxy.port)
        except OSError:
            raise Unseen(f"the proxy {proxy.text} does not answer") from None
        try:
            if proxy.kind == proxies.SOCKS or at.scheme == "https":
                await proxies.tunnel(stream, proxy, at.host, at.port)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream


async def _heard(stream: trio.abc.Stream, line: h11.Connection, at: Parts, wanted: Wanted) -> Fetched | str:
    """Reads an answer, no more of it than is wanted. Raises: Unseen, h11.ProtocolError, trio.BrokenResourceError."""
    head: h11.Response | None = None
    body, pieces, read = bytearray(), 0, 0
    while True:
        event = line.next_event()
        pieces += 1
        if event is h11.NEED_DATA:
            part = await stream.receive_some(_READ_BYTES)
            read += len(part)
            line.receive_data(part)
        elif isinstance(event, h11.Response):
            head = event
            if head.status_code in _LEADS_ON:
                return _place(head)
            _check(head, at, wanted)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        elif isinstance(event, h11.ConnectionClosed):
            raise Unseen(f"{at.shown} broke off")
        is_over = len(body) > wanted.bytes_max or read > wanted.bytes_max + OVERHEAD_BYTES_MAX or pieces > PIECES_MAX
        if is_over and head is not None and wanted.is_cut:
            break
        if is_over:
            raise Unseen(f"{at.shown} gives more than weft takes")
    assert head is not None
    mime, _, more = _header(head, b"content-type").partition(";")
    charset = _CHARSET.search(more)
    said = charset[1].lower() if charset else ""
    return Fetched(at, mime.strip().lower(), said, bytes(body[: wanted.bytes_max]))


def _check(head: h11.Response, at: Parts, wanted: Wanted) -> None:
    """Raises: Unseen for an answer that is none, is packed, or is too much by its own word."""
    if head.status_code != 200:
        raise Unseen(f"{at.shown} answers {head.status_code}")
    if _header(head, b"content-encoding").strip().lower() not in ("", "identity"):
        raise Unseen(f"{at.shown} sends it packed, which weft does not unpack")
    length = _header(head, b"content-length")
    if not wanted.is_cut and length.isdigit() and int(length) > wanted.bytes_max:
        raise Unseen(f"{at.shown} gives more than weft takes")


def _header(head: h11.Response, name: bytes) -> str:
    """The first header of a name; "" for none."""
    return next((value.decode("latin-1") for key, value in head.headers if key == name), "")


def _place(head: h11.Response) -> str:
    """Where it leads to. Sites write it in UTF-8, as browsers read it, though a header has no such letters."""
    said = _header(head, b"location").encode("latin-1")
    try:
        return said.decode()
    except UnicodeDecodeError:
        return said.decode("latin-1")


def _why(at: Parts, broken: Exception) -> str:
    cause = broken.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate of {at.shown} is not good ({cause.verify_message.rstrip('.')})"
    if isinstance(cause, ssl.SSLError):
        return f"{at.shown} has no https that weft speaks"
    if isinstance(broken, h11.ProtocolError):
        return f"what {at.shown} answers is no answer"
    return f"{at.shown} broke off"
