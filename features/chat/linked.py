"""Whether a preview is of the first link in its own text: it is shown there, and nowhere else.

A sender can put any preview beside any text. If one of another address were shown, its host, which a person is told to
heed, would stand below a link that leads elsewhere. Pure. Not here: what he says of his link (linking.py).
"""

from node.web import links
from node.web.faults import Unseen


def is_of(text: str, url: str) -> bool:
    """Whether this address, in its one form, is what the first link in the text leads to."""
    link = links.first(text)
    try:
        return link is not None and links.parts(link).whole == url
    except Unseen:
        return False
