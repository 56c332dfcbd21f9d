"""Fetching from real sites on this machine: what is said to them, and what the bad ones achieve."""

import gzip
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from node.web import addresses
from node.web.faults import Unseen
from node.web.fetching import AGENT, Fetcher
from node.web.looking import Fetched, Wanted
from node.web.seeing import PAGE, PICTURE
from protocol.url import Parts
from tests.node.web.sites import (
    HTML,
    Behave,
    certificates,
    endlessly,
    fetcher,
    leads_to,
    once,
    routed,
    says,
    silent,
    site,
    socks,
)

pytestmark = pytest.mark.socket
FETCHER = fetcher("site.example", "other.example")


async def fetched(at: Parts, wanted: Wanted = PAGE, proxy: str = "", by: Fetcher = FETCHER) -> Fetched:
    with trio.fail_after(20):
        return await by.fetch(at, proxy, wanted)


async def why(at: Parts, wanted: Wanted = PAGE, proxy: str = "", by: Fetcher = FETCHER) -> str:
    """Why nothing is seen."""
    with pytest.raises(Unseen) as unseen:
        await fetched(at, wanted, proxy, by)
    return str(unseen.value).replace(f":{at.port}", "")


async def test_a_site_learns_nothing_but_what_is_asked_for() -> None:
    async with site(says(HTML, "Text/HTML; Charset=UTF-8", more="Set-Cookie: a=b\r\n")) as there:
        for _ in range(2):
            found = await fetched(there.at("/x?y=z"))
        assert (found.raw, found.mime, found.charset, found.at) == (HTML, "text/html", "utf-8", there.at("/x?y=z"))
        assert (
            there.heads
            == [
                f"GET /x?y=z HTTP/1.1\r\nHost: site.example:{there.port}\r\nUser-Agent: {AGENT}\r\n"
                f"Accept: {PAGE.accept}\r\n"
                "Accept-Encoding: identity\r\nConnection: close\r\n\r\n".encode()
            ]
            * 2
        )


async def test_by_itself_it_asks_nobody_near() -> None:
    async with site(says(HTML)) as there:
        for host in ("127.0.0.1", "localhost"):
            at = there.at(host=host)
            assert await why(at, by=Fetcher()) == f"{host} is in a private network, where weft asks nobody"
        assert there.heads == []


async def test_what_is_reached_from_its_own_address_is_not_asked_whatever_that_is() -> None:
    near = replace(FETCHER, is_beside=addresses.is_beside)
    async with site(says(HTML)) as there:
        assert (
            await why(there.at(), by=near) == "site.example is this machine, or in its network, where weft asks nobody"
        )
        assert there.heads == []


async def test_a_site_that_leads_to_a_machine_nearby_leads_nowhere() -> None:
    for place in ("http://127.0.0.2:8080/", "http://near.example/", "http://[::1]:8080/", "//10.0.0.1/"):
        async with site(leads_to(place)) as there:
            assert "is in a private network" in await why(there.at())
            assert len(there.heads) == 1
    async with site(leads_to("file:///etc/passwd")) as there:
        assert await why(there.at()) == "only http and https are looked at"


async def test_a_name_that_changes_between_two_questions_is_judged_each_time() -> None:
    told = ["127.0.0.1", "127.0.0.2"]
    base = fetcher("site.example")

    async def resolve(host: str, port: int) -> "tuple[object, ...]":
        return await base.resolve("site.example" if told.pop(0) == "127.0.0.1" else "near.example", port)

    changing = replace(base, resolve=resolve)  # type: ignore[arg-type]
    async with site(leads_to("/again")) as there:
        assert await why(there.at(), by=changing) == "site.example is in a private network, where weft asks nobody"
        assert (len(there.heads), told) == (1, [])


async def test_where_it_leads_may_be_written_in_letters() -> None:
    steps: dict[str, Behave] = {"root": leads_to("/seite-\u00fc"), "seite-%C3%BC": says(HTML)}
    async with site(routed(**steps)) as there:
        assert (await fetched(there.at())).at == there.at("/seite-%C3%BC")


async def test_it_follows_three_steps_and_no_fourth() -> None:
    steps: dict[str, Behave] = {"root": leads_to("/b"), "b": leads_to("/c", "301 Moved"), "c": leads_to("/d", "308 So")}
    async with site(routed(**steps, d=says(HTML))) as there:
        assert (await fetched(there.at())).at == there.at("/d")
    async with site(routed(**steps, d=leads_to("/e"), e=says(HTML))) as there:
        assert await why(there.at()) == "site.example leads on and on"
        assert len(there.heads) == 4


async def test_a_page_without_end_is_cut_and_a_picture_is_refused() -> None:
    async with site(endlessly("text/html", HTML)) as there:
        found = await fetched(there.at())
        assert len(found.raw) == PAGE.bytes_max
        assert found.raw.startswith(HTML)
        assert await why(there.at(), PICTURE) == "site.example gives more than weft takes"
    huge = "Transfer-Encoding: chunked\r\n"
    for body in (b"1\r\nx\r\n" * 200_000, b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n"):
        behave = endlessly(f"image/png\r\n{huge[:-2]}", piece=body)
        async with site(behave) as there:
            assert await why(there.at(), PICTURE) == "site.example gives more than weft takes"
    flood = b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n"  # which ends, but costs more than what is in it
    async with site(once("image/png\r\nTransfer-Encoding: chunked", flood)) as there:
        assert await why(there.at(), PICTURE) == "site.example gives more than weft takes"
    for more, is_taken in ((0, True), (1, False)):
        body = bytes(PICTURE.bytes_max + more)
        for behave in (once("image/png", body), says(body, "image/png")):
            async with site(behave) as there:
                if is_taken:
                    assert (await fetched(there.at(), PICTURE)).raw == body
                else:
                    assert await why(there.at(), PICTURE) == "site.example gives more than weft takes"


async def test_heads_without_end_are_no_answer() -> None:
    async with site(endlessly("text/html\r\nX: " + "x" * 200_000)) as there:
        assert await why(there.at()) == "what site.example answers is no answer"

    async def never_comes(stream: trio.abc.Stream, _head: bytes) -> None:
        while True:
            await stream.send_all(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)

    async with site(never_comes) as there:
        assert await why(there.at()) == "site.example gives more than weft takes"


async def test_what_is_packed_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    async with site(says(bomb, more="Content-Encoding: gzip\r\n")) as there:
        assert await why(there.at()) == "site.example sends it packed, which weft does not unpack"


async def test_a_site_that_says_nothing_takes_the_time_that_it_is_given() -> None:
    async with site(silent) as there:
        with trio.move_on_after(0.2) as clock:
            await FETCHER.fetch(there.at(), "", PAGE)
        assert clock.cancelled_caught


async def test_an_answer_that_has_no_page() -> None:
    for status in ("404 Not Found", "204 No Content", "206 Partial Content"):
        async with site(says(b"", status=status)) as there:
            assert await why(there.at()) == f"site.example answers {status[:3]}"


async def test_what_is_no_http_is_no_answer() -> None:
    async def speaks(stream: trio.abc.Stream, _head: bytes) -> None:
        await stream.send_all(b"220 mail.example ESMTP\r\n")

    async def breaks(stream: trio.abc.Stream, _head: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")

    async with site(speaks) as there:
        assert await why(there.at()) == "what site.example answers is no answer"
    async with site(breaks) as there:
        assert await why(there.at()) == "what site.example answers is no answer"
    gone = there.at()
    assert await why(gone) == "site.example does not answer"


async def test_only_a_good_certificate_is_believed(tmp_path: Path) -> None:
    tls, trust = certificates(tmp_path, "site.example")
    trusting = fetcher("site.example", "other.example", trust=lambda: trust)
    async with site(says(HTML), tls) as there:
        at = there.at(scheme="https")
        assert (await fetched(at, by=trusting)).raw == HTML
        said = await why(at)
        assert said.startswith("the certificate of site.example is not good (")
        said = await why(there.at(scheme="https", host="other.example"), by=trusting)
        assert "certificate of other.example is not good (Hostname mismatch" in said
        assert len(there.heads) == 1  # to the others nothing was said
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with site(says(HTML), old) as there:
        assert await why(there.at(scheme="https"), by=trusting) == "site.example has no https that weft speaks"
    async with site(leads_to(f"http://site.example:{there.port}/"), tls) as there:
        assert await why(there.at(scheme="https"), by=trusting) == "the site leads from https to http"


# --- proxies ---------------------------------------------------------------------------------------------------------


async def unasked(host: str, _port: int) -> "tuple[object, ...]":
    raise AssertionError(f"this machine was asked for {host}")


BLIND = Fetcher(resolve=unasked)  # type: ignore[arg-type]


async def test_a_socks_proxy_gets_the_name_and_nobody_else_does(tmp_path: Path) -> None:
    tls, trust = certificates(tmp_path, "site.example")
    async with site(says(HTML)) as there, socks(there.port) as proxy:
        found = await fetched(there.at("/x"), proxy=f"socks5h://127.0.0.1:{proxy.port}", by=BLIND)
        assert found.raw == HTML
        asked = b"\x05\x01\x00\x05\x01\x00\x03\x0csite.example" + there.port.to_bytes(2, "big")
        assert proxy.heads == [asked]
        assert there.heads[0].startswith(b"GET /x HTTP/1.1\r\n")
    async with site(says(HTML), tls) as there, socks(there.port) as proxy:
        sealed = Fetcher(resolve=unasked, trust=lambda: trust)  # type: ignore[arg-type]
        at = there.at(scheme="https")
        assert (await fetched(at, proxy=f"socks5h://127.0.0.1:{proxy.port}", by=sealed)).raw == HTML


async def test_a_name_that_a_proxy_alone_knows_is_told_to_no_resolver() -> None:
    for host in ("weft7k2qexample.onion", "weft.i2p"):
        at = Parts("http", host, 80, "/")
        assert await why(at, by=BLIND) == f"{host} is reached through a proxy alone (links.proxy)"
    async with site(says(HTML)) as there, socks(there.port) as proxy:
        at = Parts("http", "weft7k2qexample.onion", 80, "/")
        assert (await fetched(at, proxy=f"socks5h://127.0.0.1:{proxy.port}", by=BLIND)).raw == HTML


async def test_an_http_proxy_gets_the_name_too(tmp_path: Path) -> None:
    async with site(says(HTML)) as proxy:
        at = proxy.at("/x", host="site.example")
        assert (await fetched(at, proxy=f"http://127.0.0.1:{proxy.port}", by=BLIND)).raw == HTML
        assert proxy.heads[0].startswith(f"GET http://site.example:{proxy.port}/x HTTP/1.1\r\n".encode())
    async with site(says(b"", status="403 Forbidden")) as proxy:
        at = proxy.at(scheme="https")
        assert await why(at, proxy=f"http://127.0.0.1:{proxy.port}", by=BLIND) == "the proxy does not do it"
        assert proxy.heads[0].startswith(f"CONNECT site.example:{proxy.port} HTTP/1.1\r\nHost: ".encode())


async def test_a_proxy_is_not_asked_for_what_is_near_and_never_gone_around() -> None:
    async with site(says(HTML)) as there, socks(there.port) as proxy:
        through = f"socks5h://127.0.0.1:{proxy.port}"
        for host in ("127.0.0.1", "localhost", "router", "nas.local"):
            assert "is in a private network" in await why(there.at(host=host), proxy=through, by=BLIND)
        assert proxy.heads == []
    assert (await why(there.at(), proxy=through)).startswith("the proxy socks5h://127.0.0.1:")
    assert there.heads == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\x05\xff", "the proxy is none of SOCKS 5, or wants a password"),
        (b"HTTP/1.1 400", "the proxy is none of SOCKS 5, or wants a password"),
        (b"\x05\x00\x05\x04\x00\x01", "the proxy does not find or reach the site"),
        (b"\x05\x00\x05\x63\x00\x01", "the proxy does not do it"),
        (b"\x05\x00\x05", "the proxy broke off"),
        (b"", "the proxy broke off"),
    ],
)
async def test_a_proxy_that_does_not_serve(answer: bytes, said: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(3)
        await stream.send_all(answer)
        await stream.send_eof()
        await stream.receive_some(100)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        at = Parts("http", "site.example", 8080, "/")
        assert await why(at, proxy=f"socks5h://127.0.0.1:{port}", by=BLIND) == said
        nursery.cancel_scope.cancel()
