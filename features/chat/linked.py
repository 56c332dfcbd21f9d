"""Which preview of a message is shown: that of the first link in its own text, and of no other.

A sender can put any preview beside any text. If one of another address were shown, its host, which a person is told to
heed, would stand below a link that leads elsewhere. Pure. Not here: what he says of his link (linking.py).
"""

from features.chat.content import Text
from node.web import links
from node.web.faults import Unseen
from protocol.preview import Preview


def preview(said: Text) -> Preview | None:
    """The preview of a text, None for none or one of something else."""
    link = links.first(said.text) if said.preview is not None else None
    if said.preview is None or link is None:
        return None
    try:
        return said.preview if links.parts(link).whole == said.preview.url else None
    except Unseen:
        return None
