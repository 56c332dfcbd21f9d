"""Calls of the local API on pinned messages: `chat.NAME`, methods of the class in service.py.

What they do: acting.py; which are pinned: pins.py. `chat.pin` and `chat.unpin` are about conversations (keeping.py).
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from features.chat import acting
from features.chat import pins as pinned
from features.chat.view import Line
from node.core import Core
from store import people


class Chatting(Protocol):
    """What the calls below need of the service they are methods of."""

    @property
    def _core(self) -> Core: ...

    def _acted(self, id: str, act: Callable[..., None], *args: object) -> Awaitable[Line]: ...


async def pin_message(chat: Chatting, id: str) -> Line:
    """Pins a message for both sides, by its id or the end of it; 50 of a conversation at most.

    Errors: contact.blocked, contact.account_changed, limit, message.unknown, message.ambiguous, message.recalled,
    id.malformed.
    """
    return await chat._acted(id, acting.pin, True)


async def unpin_message(chat: Chatting, id: str) -> Line:
    """Takes the pin from a message for both sides, whoever has pinned it.

    Errors: contact.blocked, contact.account_changed, message.unknown, message.ambiguous, message.recalled,
    id.malformed.
    """
    return await chat._acted(id, acting.pin, False)


async def pins(chat: Chatting, to: str) -> list[Line]:
    """Returns the pinned messages of the conversation with a contact, the newest pin first, 50 at most.

    Errors: contact.unknown, contact.ambiguous.
    """
    now_ms = chat._core.ground.now_ms()
    return await chat._core.database.transact(lambda tx: pinned.listed(tx, people.find_contact(tx, to).id, now_ms))
