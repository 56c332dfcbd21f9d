"""The preview of a link that is about to be said: whether one is wanted, and what is said where there is none.

Off by default, because the site then learns that somebody here looks at it. Nothing is ever fetched for what others
have said. Not here: how it is made (node/web/).
"""

from pathlib import Path

import trio

from node import config
from node.core import Core
from node.ground import aside
from node.web import links, seeing
from node.web.faults import Unseen
from protocol.preview import Preview
from store import settings
from store.people import STOPS, Contact, ContactState

SETTING, PROXY = "links.preview", "links.proxy"
LOOK_S = 10.0  # that a message waits for its preview, in all


async def look(core: Core, contact: Contact, text: str, is_wanted: bool | None) -> tuple[Preview | None, str]:
    """The preview of the first link in a text, or why there is none, as a sentence; "" where none is wanted.

    is_wanted: None for what the setting says.
    """
    values = config.effective(await core.database.transact(settings.all_set))
    wanted = values[SETTING] is True if is_wanted is None else is_wanted
    if not wanted or contact.state is ContactState.BLOCKED or contact.alarm == STOPS:  # it is refused: no site is asked
        return None, ""
    link = links.first(text)
    if link is None:
        return None, "No preview: there is no link to a page in it." if is_wanted else ""
    deadline = trio.current_time() + LOOK_S
    files = core.blobs.files
    await aside(core.ground, files.make_folder)

    def fresh() -> Path:
        return files.plain(core.ground.entropy("workshop"))

    try:
        at, proxy = links.parts(link), str(values[PROXY])
        return await seeing.seen(core.ground, core.web, core.workshop, fresh, at, proxy, deadline), ""
    except Unseen as why:
        return None, f"No preview: {why}."
    except trio.TooSlowError:
        return None, f"No preview: the site took longer than {LOOK_S:.0f} s."
