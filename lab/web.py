"""The web of a simulated world: pages that a story has put there. Nobody is connected to.

Not here: rules of addresses, redirects, proxies and limits (node/web/).
"""

from dataclasses import dataclass, field

import trio

from node.web.faults import Unseen
from node.web.looking import Fetched, Wanted
from protocol import url
from protocol.url import Parts


@dataclass
class Sites:
    """It is a `Web` of node/web. asked: addresses and proxies, in order; takes_s: how long each answer takes."""

    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # address: what it is, and its bytes
    asked: list[tuple[str, str]] = field(default_factory=list)
    takes_s: float = 0.1

    def put(self, at: str, mime: str, raw: bytes) -> None:
        """From now on this stands there."""
        assert url.parts(at) is not None
        self.pages[at] = (mime, raw)

    async def fetch(self, at: Parts, proxy: str, wanted: Wanted) -> Fetched:
        """What stands there. Raises: Unseen."""
        self.asked.append((at.whole, proxy))
        await trio.sleep(self.takes_s)
        if at.whole not in self.pages:
            raise Unseen(f"{at.shown} answers 404")
        mime, raw = self.pages[at.whole]
        return Fetched(at, mime, "", raw[: wanted.bytes_max])
