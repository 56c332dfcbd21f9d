"""Small sites and proxies on this machine, over real sockets, each as good or as bad as a test wants it."""

import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.web import links
from node.web.addresses import Ip
from node.web.fetching import Fetcher
from protocol.url import Parts

HERE = "127.0.0.1"
HEAD_BYTES_MAX = 1 << 16
HTML = b"<head><title>A page</title></head>"

Behave = Callable[[trio.abc.Stream, bytes], Awaitable[None]]


@dataclass
class Site:
    """What a small server was asked. heads: of requests, in order."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    def at(self, target: str = "/", scheme: str = "http", host: str = "site.example") -> Parts:
        return links.parts(f"{scheme}://{host}:{self.port}{target}")


@asynccontextmanager
async def site(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """A server that reads one request of each connection and then behaves so."""
    made = Site()

    async def serve(plain: trio.SocketStream) -> None:
        stream: trio.abc.Stream = plain if tls is None else trio.SSLStream(plain, tls, server_side=True)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            head = b""
            while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
                part = await stream.receive_some(4096)
                if not part:
                    return
                head += part
            made.heads.append(head)
            await behave(stream, head)
            if tls is None:
                await plain.send_eof()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host=HERE))
        made.port = listeners[0].socket.getsockname()[1]
        yield made
        nursery.cancel_scope.cancel()


def says(body: bytes, mime: str = "text/html; charset=utf-8", status: str = "200 OK", more: str = "") -> Behave:
    """Answers each request alike."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode()

    async def behave(stream: trio.abc.Stream, _head: bytes) -> None:
        await stream.send_all(head + body)

    return behave


def leads_to(place: str, status: str = "302 Found") -> Behave:
    """Answers that it is elsewhere."""
    return says(b"", status=status, more=f"Location: {place}\r\n")


def once(mime: str, body: bytes) -> Behave:
    """Answers without saying how long it is."""

    async def behave(stream: trio.abc.Stream, _head: bytes) -> None:
        await stream.send_all(f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n\r\n".encode() + body)

    return behave


def endlessly(mime: str, head: bytes = b"", piece: bytes = b"x" * 65_536) -> Behave:
    """Answers, and never ends."""

    async def behave(stream: trio.abc.Stream, _head: bytes) -> None:
        await stream.send_all(f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n\r\n".encode() + head)
        while True:
            await stream.send_all(piece)

    return behave


async def silent(_stream: trio.abc.Stream, _head: bytes) -> None:
    """Never answers."""
    await trio.sleep_forever()


def routed(**behaviours: Behave) -> Behave:
    """By the first word of the path."""

    async def behave(stream: trio.abc.Stream, head: bytes) -> None:
        word = head.split(b" ")[1].decode().strip("/").partition("?")[0] or "root"
        await behaviours[word](stream, head)

    return behave


def fetcher(*names: str, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> Fetcher:
    """One that may ask 127.0.0.1 and nobody else, and knows these names as that; the others as 127.0.0.2."""

    async def resolve(host: str, _port: int) -> tuple[Ip, ...]:
        return (ip_address(HERE if host in names else "127.0.0.2"),)

    return Fetcher(lambda ip: ip == IPv4Address(HERE), resolve, trust, lambda _own, _other: False)


@asynccontextmanager
async def socks(target: int) -> AsyncIterator[Site]:
    """A proxy of SOCKS 5, which leads everywhere to this port. heads: the requests, byte by byte as they came."""
    made = Site()

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            hello = await stream.receive_some(3)
            await stream.send_all(b"\x05\x00")
            made.heads.append(hello + await stream.receive_some(4096))
            site = await trio.open_tcp_stream(HERE, target)
            await stream.send_all(b"\x05\x00\x00\x01" + bytes(6))
            await both_ways(stream, site)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host=HERE))
        made.port = listeners[0].socket.getsockname()[1]
        yield made
        nursery.cancel_scope.cancel()


async def both_ways(one: trio.SocketStream, other: trio.SocketStream) -> None:
    """Carries bytes until one of them ends."""

    async def carry(source: trio.SocketStream, to: trio.SocketStream, scope: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for part in source:
                await to.send_all(part)
        scope.cancel()

    async with other, trio.open_nursery() as nursery:
        nursery.start_soon(carry, one, other, nursery.cancel_scope)
        nursery.start_soon(carry, other, one, nursery.cancel_scope)


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a site of this name, and of who trusts the one that has vouched for it."""
    now = datetime.datetime.now(datetime.UTC)

    def signed(subject: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        made = x509.CertificateBuilder(
            issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weft tests")]),
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(days=1),
            not_valid_after=now + datetime.timedelta(days=1),
        )
        if key is by:
            made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        else:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        return made.sign(by, hashes.SHA256())

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    vouching, shown = signed("weft tests", root, root), signed(name, leaf, root)
    pem = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / f"{name}.pem"
    file.write_bytes(leaf.private_bytes(pem, form, plain) + shown.public_bytes(pem))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    return serving, ssl.create_default_context(cadata=vouching.public_bytes(pem).decode())
