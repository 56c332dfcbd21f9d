"""Who types to us at this moment, and telling a contact that we do: only with `chat.typing`, and stored nowhere.

Who does not tell does not see. What is shown ends LASTS_S after the last notice, or when a message comes. Not here: the
notices themselves, and how often there may be one (node/typists.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import trio

from features.chat import view
from node import config
from node.bell import Bell
from node.core import Core
from node.till import is_open_to
from node.typists import GAP_S, Notice
from store import people, settings
from store.database import Tx

SETTING = "chat.typing"
RECEIVED = frozenset({"chat.received"})
LASTS_S = 2 * GAP_S
TOLD_MAX = 64  # that wait for a watcher; who does not read misses more
NEWEST_ROWS = 64  # of a conversation: whether a message came since a notice, which is seconds old


class Chatting(Protocol):
    """What the call below needs of the service that it is a method of."""

    @property
    def _core(self) -> Core: ...


@dataclass(frozen=True, slots=True)
class _Shown:
    """One who types. until: by the clock for waiting; since_ms: no message of his has come since."""

    name: str
    until: float
    since_ms: int


@dataclass
class Typists:
    """Contact -> what is shown of him now."""

    core: Core
    _shown: dict[int, _Shown] = field(default_factory=dict)
    _watchers: dict[int, trio.MemorySendChannel[dict[str, object]]] = field(default_factory=dict)
    _watched: int = 0
    _bell: Bell = field(default_factory=Bell)

    @contextmanager
    def watch(self) -> Iterator[trio.MemoryReceiveChannel[dict[str, object]]]:
        """A channel of {"contact", "typing"}: somebody begins to type, or does not any more."""
        send, receive = trio.open_memory_channel[dict[str, object]](TOLD_MAX)
        self._watched += 1
        number = self._watched
        self._watchers[number] = send
        try:
            yield receive
        finally:
            del self._watchers[number]
            send.close()
            receive.close()

    async def run(self) -> None:
        """Heeds notices and ends what is shown, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed)
            nursery.start_soon(self._end)

    async def _heed(self) -> None:
        async for notice in self.core.delivery.talks.typists.came:
            name = await self.core.database.read(_wanted, notice.contact)
            if name is not None:
                self._show(name, notice)

    def _show(self, name: str, notice: Notice) -> None:
        ago_ms = int((trio.current_time() - notice.at) * 1000)
        since_ms = self.core.ground.now_ms() - ago_ms
        is_new = notice.contact not in self._shown
        self._shown[notice.contact] = _Shown(name, notice.at + LASTS_S, since_ms)
        if is_new:
            self._tell(name, True)
        self._bell.ring()

    async def _end(self) -> None:
        """Looks while somebody is shown, at the next end or when a message has come."""
        database = self.core.database
        while True:
            await self._bell.wait()
            with database.watch(RECEIVED) as lines:
                while self._shown:
                    for contact_id, shown in [*self._shown.items()]:
                        if trio.current_time() >= shown.until or await database.read(_has_said, contact_id, shown):
                            del self._shown[contact_id]
                            self._tell(shown.name, False)
                    with trio.move_on_at(min((one.until for one in self._shown.values()), default=0.0)):
                        await lines.receive()

    def _tell(self, name: str, is_typing: bool) -> None:
        for send in self._watchers.values():
            with suppress(trio.WouldBlock):
                send.send_nowait({"contact": name, "typing": is_typing})


async def typing(chat: Chatting, to: str) -> dict[str, bool]:
    """Tells a contact who is connected that one types to him, if the setting `chat.typing` is on; every 4 s at most.

    To be called again while one types; what he sees ends by itself 8 s after the last. `told`: whether he is told.
    Errors: contact.unknown, contact.ambiguous.
    """
    contact = await chat._core.database.read(people.find_contact, to)
    is_wanted = await chat._core.database.read(_wanted, contact.id) is not None
    return {"told": is_wanted and chat._core.delivery.talks.tell_typing(contact.id)}


def _wanted(tx: Tx, contact_id: int) -> str | None:
    """The name of a contact to whom we tell, and so whom we see; None for nobody."""
    contact = people.contact(tx, contact_id)
    tells = is_open_to(contact) and config.effective(settings.all_set(tx))[SETTING] is True
    return contact.name if tells else None


def _has_said(tx: Tx, contact_id: int, shown: _Shown) -> bool:
    """Whether a line of this contact has come since the notice."""
    found = tx.one(
        "SELECT 1 FROM (SELECT * FROM message WHERE contact = ? ORDER BY seq DESC LIMIT ?) m"
        f" WHERE m.device != 0 AND m.arrived_ms >= ? AND {view.HEARD} LIMIT 1",
        (contact_id, NEWEST_ROWS, shown.since_ms),
    )
    return found is not None
