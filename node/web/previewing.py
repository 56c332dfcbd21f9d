"""The preview of a link that is about to be said: whether one is wanted, and why there is none.

Off by default, because the site then learns that somebody here looks at it. Nothing is ever fetched for what others
have said. Not here: how it is made (seeing.py), which link it is of (the rooms).
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

SETTING, PROXY = "links.preview", "links.proxy"
LOOK_S = 10.0  # that what is said waits for its preview, in all


async def is_wanted(core: Core, said: bool | None) -> bool:
    """Whether a site is to be asked. said: of this one link; None for what the setting says."""
    values = config.effective(await core.database.read(settings.all_set))
    return values[SETTING] is True if said is None else said


async def look(core: Core, link: str) -> tuple[Preview | None, str]:
    """The preview of a link as it was typed, or why there is none, as a sentence."""
    proxy = str(config.effective(await core.database.read(settings.all_set))[PROXY])
    deadline = trio.current_time() + LOOK_S
    files = core.blobs.files
    await aside(core.ground, files.make_folder)

    def fresh() -> Path:
        return files.plain(core.ground.entropy("workshop"))

    try:
        at = links.parts(link)
        return await seeing.seen(core.ground, core.web, core.workshop, fresh, at, proxy, deadline), ""
    except Unseen as why:
        return None, f"No preview: {why}."
    except trio.TooSlowError:
        return None, f"No preview: the site took longer than {LOOK_S:.0f} s."
