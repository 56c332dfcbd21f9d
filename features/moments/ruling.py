"""Calls of the local API on who sees what: `moments.NAME`, methods of the class in service.py."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from features.moments import audience, awaited, feeds, handing, writing
from features.moments.content import Forget
from features.moments.faults import BadWindow
from features.moments.feeds import By
from features.moments.shown import Rule
from node.core import Core
from store import people
from store.database import Tx
from store.people import Contact

DAY_S = 86_400
WINDOWS = {"3d": 3 * DAY_S, "1m": 30 * DAY_S, "6m": 180 * DAY_S, "all": 0}

T = TypeVar("T")


class Room(Protocol):
    """The service, as far as these need it."""

    _core: Core

    async def _write(self, step: Callable[[Tx, By], T]) -> T:
        """One transaction."""


async def rule(
    room: Room,
    name: str,
    chats_only: bool | None = None,
    hide_mine: bool | None = None,
    hide_theirs: bool | None = None,
) -> Rule:
    """Decides what holds with a contact, at once and also for what was before; None: as it is.

    chats_only: neither sees the other's. hide_mine: he sees none of ours. hide_theirs: his are not on our wall.
    Errors: contact.unknown, contact.ambiguous.
    """

    def decide(tx: Tx, by: By) -> Rule:
        contact = people.find_contact(tx, name)
        before = audience.rule(tx, contact)
        after = replace(
            before,
            chats_only=before.chats_only if chats_only is None else chats_only,
            hide_mine=before.hide_mine if hide_mine is None else hide_mine,
            hide_theirs=before.hide_theirs if hide_theirs is None else hide_theirs,
        )
        if after != before:
            audience.set_rule(tx, contact.id, after)
            handing.let_go(tx)
            if audience.is_barred(after) and not audience.is_barred(before) and audience.may_hear(contact):
                by.say(tx, contact.id, Forget())
                handing.has_forgotten(tx, contact.id)
        return after

    return await room._write(decide)


async def rules(room: Room) -> list[Rule]:
    """Returns what holds with those contacts with whom anything does."""
    return await room._core.database.read(lambda tx: list(audience.rules(tx)))


async def window(room: Room, last: str | None = None) -> dict[str, object]:
    """Decides, or says, how old a moment of ours may be that others see: {"window": "3d", "1m", "6m" or "all"}.

    Errors: moment.window, moment.feed.
    """
    if last is not None and last not in WINDOWS:
        raise BadWindow

    def decide(tx: Tx, by: By) -> dict[str, object]:
        if last is not None and WINDOWS[last] != feeds.window_s(tx):
            writing.set_window(tx, by, WINDOWS[last])
            awaited.windowed(tx, by.now_ms)
        seconds = feeds.window_s(tx)
        return {"window": next(name for name, one in WINDOWS.items() if one == seconds)}

    return await room._write(decide)


def parting(tx: Tx, contact: Contact) -> Forget | None:
    """What is said to who is about to be blocked, where he was shown anything."""
    known = tx.one("SELECT 1 FROM moment_met WHERE contact = ?", (contact.id,))
    return None if known is None else Forget()
