"""Calls of the local API on what is kept of conversations: `chat.NAME`, methods of the class in service.py.

What they write: conversations.py.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from features.chat import conversations, lasting, overlay, view
from features.chat.content import TIMER_S_MAX
from features.chat.conversations import FOREVER_MS, Conversation
from features.chat.view import Line
from node.core import Core
from protocol.faults import UserFault
from store import people
from store.database import Tx

TIMER_S_MIN = 5  # less cannot be read
MUTE_S_MAX = 366 * 86_400  # who wants it longer says no time at all


T = TypeVar("T")


class BadMute(UserFault):
    """A conversation is muted for a second to a year, or without a time until it is unmuted; nothing was changed."""

    code = "limit"
    next = "weft chats mute NAME"
    exit = 2


class BadTimer(UserFault):
    """Messages disappear 5 seconds to a year after they were read, or stay (0 seconds); nothing was changed."""

    code = "limit"
    next = "weft chats timer NAME"
    exit = 2


class Chatting(Protocol):
    """What the calls below need of the service they are methods of."""

    @property
    def _core(self) -> Core: ...


async def chats(chat: Chatting, archived: bool = False, limit: int = 1000) -> list[Conversation]:
    """Returns the conversations: pinned ones first, then the one with the newest line; or those that are archived."""
    now_ms = chat._core.ground.now_ms()
    return list(await chat._core.database.transact(conversations.listed, archived, limit, now_ms))


async def pin(chat: Chatting, to: str) -> Conversation:
    """Keeps the conversation with a contact before all others.

    Errors: contact.unknown, contact.ambiguous.
    """
    return await _change(chat, to, conversations.pin, True)


async def unpin(chat: Chatting, to: str) -> Conversation:
    """Lets the conversation with a contact stand among the others again.

    Errors: contact.unknown, contact.ambiguous.
    """
    return await _change(chat, to, conversations.pin, False)


async def mute(chat: Chatting, to: str, for_s: int | None = None) -> Conversation:
    """Lets the conversation with a contact ring no more, for so many seconds or until `unmute`.

    Watchers of `chat.received` are told all the same, with `muted` in what they are told.
    Errors: contact.unknown, contact.ambiguous, limit.
    """
    if for_s is not None and not 1 <= for_s <= MUTE_S_MAX:
        raise BadMute
    now_ms = chat._core.ground.now_ms()
    until_ms = FOREVER_MS if for_s is None else now_ms + for_s * 1000
    return await _change(chat, to, partial(conversations.mute, now_ms=now_ms), until_ms)


async def unmute(chat: Chatting, to: str) -> Conversation:
    """Lets the conversation with a contact ring again.

    Errors: contact.unknown, contact.ambiguous.
    """
    return await _change(chat, to, partial(conversations.mute, now_ms=chat._core.ground.now_ms()), 0)


async def archive(chat: Chatting, to: str) -> Conversation:
    """Puts the conversation with a contact away until something new is said in it; a muted one until `unarchive`.

    Errors: contact.unknown, contact.ambiguous.
    """
    return await _change(chat, to, conversations.archive, True)


async def unarchive(chat: Chatting, to: str) -> Conversation:
    """Takes the conversation with a contact back among the others.

    Errors: contact.unknown, contact.ambiguous.
    """
    return await _change(chat, to, conversations.archive, False)


async def draft(chat: Chatting, to: str, text: str | None = None) -> Conversation:
    """Keeps a text that is not sent yet, "" for none, or with null says which there is; sending it ends it.

    Errors: contact.unknown, contact.ambiguous, limit.
    """
    if text is None:
        return await _change(chat, to, _nothing, None)
    return await _change(chat, to, conversations.draft, text)


async def timer(chat: Chatting, to: str, seconds: int | None = None) -> Conversation:
    """Lets what both say from now on disappear so long after it was read; 0: it stays; null: shows what is so.

    The other side is told, and both see a line that says so.
    Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, limit.
    """
    if seconds is None:
        return await _change(chat, to, _nothing, None)
    if not (seconds == 0 or TIMER_S_MIN <= seconds <= TIMER_S_MAX):
        raise BadTimer
    database, me = chat._core.database, chat._core.identity.account
    contact = await database.read(people.find_contact, to)
    known = await database.read(lasting.setting, contact.id)
    if known.seconds != seconds:
        said = lasting.next_timer(known, seconds)
        await chat._core.delivery.say(contact.id, (said,), lambda tx, _: lasting.fold(tx, contact.id, said, me))
    return await database.transact(conversations.conversation, contact, chat._core.ground.now_ms())


async def star(chat: Chatting, id: str) -> Line:
    """Marks a line, so that `chat.starred` lists it; by its id or the end of it.

    Errors: message.unknown, message.ambiguous, id.malformed.
    """
    return await _star(chat, id, True)


async def unstar(chat: Chatting, id: str) -> Line:
    """Takes the mark from a line.

    Errors: message.unknown, message.ambiguous, id.malformed.
    """
    return await _star(chat, id, False)


async def starred(chat: Chatting, contact: str | None = None, limit: int = 50, before: int | None = None) -> list[Line]:
    """Returns the lines with a star, newest first, of one contact or of all. before: only lines before this row.

    Errors: contact.unknown, contact.ambiguous.
    """
    now_ms = chat._core.ground.now_ms()

    def look(tx: Tx) -> tuple[Line, ...]:
        of = None if contact is None else people.find_contact(tx, contact).id
        return conversations.starred(tx, of, before, limit, now_ms)

    return list(await chat._core.database.transact(look))


async def _change(chat: Chatting, to: str, change: Callable[[Tx, int, T], None], value: T) -> Conversation:
    """Decides something about the conversation with a contact, and returns how it stands then."""
    now_ms = chat._core.ground.now_ms()

    def both(tx: Tx) -> Conversation:
        contact = people.find_contact(tx, to)
        change(tx, contact.id, value)
        return conversations.conversation(tx, contact, now_ms)

    return await chat._core.database.transact(both)


async def _star(chat: Chatting, id: str, is_starred: bool) -> Line:
    now_ms = chat._core.ground.now_ms()

    def both(tx: Tx) -> Line:
        line = view.find(tx, id, now_ms)
        conversations.star(tx, line.seq, is_starred)
        return overlay.dressed(tx, [line])[0]

    return await chat._core.database.transact(both)


def _nothing(_tx: Tx, _contact_id: int, _value: None) -> None:
    """What is only looked at."""
