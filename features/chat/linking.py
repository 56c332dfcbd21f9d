"""The preview of the first link in a text that is about to be said. How it is made: node/web/previewing.py."""

from node.core import Core
from node.web import links, previewing
from protocol.preview import Preview
from store.people import STOPS, Contact, ContactState


async def look(core: Core, contact: Contact, text: str, is_wanted: bool | None) -> tuple[Preview | None, str]:
    """The preview of the first link in a text, or why there is none, as a sentence; "" where none is wanted.

    is_wanted: None for what the setting says.
    """
    wanted = await previewing.is_wanted(core, is_wanted)
    if not wanted or contact.state is ContactState.BLOCKED or contact.alarm == STOPS:  # it is refused: no site is asked
        return None, ""
    link = links.first(text)
    if link is None:
        return None, "No preview: there is no link to a page in it." if is_wanted else ""
    return await previewing.look(core, link)
