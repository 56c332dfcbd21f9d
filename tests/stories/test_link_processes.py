"""A link between two real nodes: fetched through a real proxy, read by the real workshop; and what is near is not."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from PIL import Image

from tests.node.web.sites import Behave, routed, says, site, socks
from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]


@contextmanager
def proxied(behave: Behave) -> Iterator[tuple[int, list[bytes]]]:
    """A site behind a proxy: the port of the proxy, and what it was asked."""
    ready, over = threading.Event(), trio.Event()
    found: list[tuple[int, list[bytes], trio.lowlevel.TrioToken]] = []

    async def serve() -> None:
        async with site(behave) as there, socks(there.port) as proxy:
            found.append((proxy.port, proxy.heads, trio.lowlevel.current_trio_token()))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(20)
    port, heads, token = found[0]
    try:
        yield port, heads
    finally:
        token.run_sync_soon(over.set)
        thread.join(20)


def test_a_preview_goes_through_the_proxy_alone_and_arrives(tmp_path: Path) -> None:
    raw = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 30, 9)).save(raw, "JPEG")
    page = b"<title>A \x1b[31mpage\xe2\x80\xae</title><meta property='og:image' content='/p.jpg'>"
    behave = routed(root=says(page), **{"p.jpg": says(raw.getvalue(), "image/jpeg")})
    with open_pair(tmp_path) as (ana, bo), proxied(behave) as (port, heads):
        ana.call("node.configure", name="links.preview", value="on")
        sent = ana.call("chat.send", to="bo", text=f"http://127.0.0.1:{port}/ is mine")
        assert sent["unseen"] == f"No preview: 127.0.0.1:{port} is in a private network, where weft asks nobody."
        ana.call("node.configure", name="links.proxy", value=f"socks5h://127.0.0.1:{port}")
        sent = ana.call("chat.send", to="bo", text="look: http://site.example/")
        assert sent["unseen"] == ""
        assert (sent["preview"]["host"], sent["preview"]["title"]) == ("site.example", "A [31mpage")
        bo.await_that(lambda: has_it(bo, sent["id"]), 20)
        theirs = bo.call("chat.message", id=sent["id"])
        assert theirs["preview"] == sent["preview"]
        webp = bytes.fromhex(bo.call("chat.preview", id=sent["id"])["webp"])
        assert Image.open(io.BytesIO(webp)).size == (320, 240)
        assert [one[8:20] for one in heads] == [b"site.example"] * 2
        assert not list(ana.folder.rglob("*.plain"))


def has_it(node: RealNode, ident: str) -> bool:
    return any(one["id"] == ident for one in node.call("chat.inbox"))
