"""Notices that somebody types: how often one is sent to a contact, and how often his are heeded. In memory alone.

A notice is a frame of a live talk (protocol/talk.py), so who is away never gets one, and nothing of it is ever stored.
Not here: whether a person wants to tell or see any of it, and what is shown (features/chat/composing.py).
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import trio

GAP_S = 4.0  # between two notices to a contact: what one of them shows lasts twice as long
HEED_S = 2.0  # between two of a contact that are heeded: less than GAP_S, for on the way they come closer together
CAME_MAX = 64  # that wait to be heeded; more at once are forgotten, for the next one of each is seconds away


class Notice(NamedTuple):
    """A contact types to us. at: by the clock for waiting (trio)."""

    contact: int
    at: float


@dataclass
class Typists:
    """Contact -> when he was told, and when he was heeded, last: two numbers of each, whatever he sends."""

    _told: dict[int, float] = field(default_factory=dict)
    _heeded: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._heard, self.came = trio.open_memory_channel[Notice](CAME_MAX)

    def is_due(self, contact_id: int) -> bool:
        """Whether the last notice to a contact is old enough for another one."""
        return trio.current_time() >= self._told.get(contact_id, -GAP_S) + GAP_S

    def told(self, contact_id: int) -> None:
        """A contact was just told."""
        self._told[contact_id] = trio.current_time()

    def heard(self, contact_id: int) -> None:
        """A notice came: it is passed on, unless one of the same contact was a moment ago."""
        now = trio.current_time()
        if now < self._heeded.get(contact_id, -HEED_S) + HEED_S:
            return
        self._heeded[contact_id] = now
        with suppress(trio.WouldBlock):
            self._heard.send_nowait(Notice(contact_id, now))
