"""What the rest of the node asks of the web: the real one is fetching.py, that of a simulated world lab/web.py."""

from dataclasses import dataclass
from typing import Protocol

from protocol.url import Parts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. bytes_max: of its body; is_cut: whether its beginning will do."""

    accept: str
    bytes_max: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. at: where from, after all that led on; mime, charset: as its server says, in small letters."""

    at: Parts
    mime: str
    charset: str
    raw: bytes


class Web(Protocol):
    """Fetches one thing from a site. The caller sets the time."""

    async def fetch(self, at: Parts, proxy: str, wanted: Wanted) -> Fetched:
        """What stands there. proxy: the setting `links.proxy`, "" for none. Raises: Unseen."""
