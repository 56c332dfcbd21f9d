"""What a person can do in a chat: say something, read what came, see what became of it."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import trio

from features.chat import conversations, index, keeping, lasting, reading, vanishing, view, words
from features.chat.content import Text
from features.chat.view import Line
from node import speech
from node.core import Core
from protocol import ids
from protocol.faults import OverLimit, UserFault
from store import people, whereabouts
from store.database import Database, Tx
from store.people import Contact

SEND_MAX = 512  # texts of one call: one window of a talk, one transaction
QUIET_S = 5.0  # without a new message before the index is caught up with: longer than most pauses of a conversation
BUSY_ROUNDS_MAX = 12  # after a minute it is caught up with although messages still come, so that it never lags far


class TooManyTexts(UserFault):
    """One call takes 1 to 512 texts; nothing was sent. Send the rest with another call."""

    code = "limit"
    next = "weft send NAME -"
    exit = 2


class BadText(UserFault):
    """A text has at most 16 KiB of UTF-8; nothing was sent. Send it in parts, for example each line by itself."""

    code = "limit"
    next = "weft send NAME --lines"
    exit = 2


class Chat:
    """Chats with contacts. Every method is a call of the local API, `chat.NAME`."""

    chats, draft, timer = keeping.chats, keeping.draft, keeping.timer
    pin, unpin, mute, unmute = keeping.pin, keeping.unpin, keeping.mute, keeping.unmute
    archive, unarchive = keeping.archive, keeping.unarchive
    star, unstar, starred = keeping.star, keeping.unstar, keeping.starred

    def __init__(self, core: Core) -> None:
        self._core = core

    async def send(self, to: str, text: str) -> Line:
        """Puts a text for a contact into the outbox, durable on return, and hands it over at once if he is there.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, limit.
        """
        contact = await self._core.database.read(people.find_contact, to)
        (spoken,) = await self._say(contact.id, (_text(text),))
        found = await self._core.database.read(view.line, spoken.seq, self._core.ground.now_ms())
        assert found is not None
        (line,) = await self._explained([found], contact)
        return line

    async def send_all(self, to: str, texts: list[str]) -> list[dict[str, object]]:
        """Sends up to 512 texts in order, all of them or none, and returns id and seq of each.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, limit.
        """
        if not 1 <= len(texts) <= SEND_MAX:
            raise TooManyTexts
        contact = await self._core.database.read(people.find_contact, to)
        spoken = await self._say(contact.id, tuple(_text(text) for text in texts))
        return [{"id": ids.ulid(one.message_id), "seq": one.seq} for one in spoken]

    async def inbox(self, unread: bool = False, limit: int = 100, after: int = 0) -> list[Line]:
        """Returns what others wrote, in the order of arrival: the newest, those after row `after`, or the unread."""
        if unread:
            return list(await self._core.database.transact(view.unread, limit))
        return list(await self._core.database.transact(view.inbox, after, limit))

    async def history(self, to: str, limit: int = 50, before: int | None = None) -> list[Line]:
        """Returns the last lines of the conversation with a contact, oldest first.

        Errors: contact.unknown, contact.ambiguous.
        """
        now_ms = self._core.ground.now_ms()

        def lines(tx: Tx) -> tuple[Contact, tuple[Line, ...]]:
            contact = people.find_contact(tx, to)
            return contact, view.history(tx, contact.id, before, limit, now_ms)

        contact, found = await self._core.database.transact(lines)
        return await self._explained(found, contact)

    async def message(self, id: str) -> Line:
        """Returns one line by its id or the end of it (4 characters or more).

        Errors: message.unknown, message.ambiguous, id.malformed.
        """
        return await self._core.database.transact(view.find, id, self._core.ground.now_ms())

    async def search(
        self, query: str, contact: str | None = None, limit: int = 50, before: int | None = None
    ) -> list[dict[str, object]]:
        """Returns the lines that have all words of a query, newest first, of one contact or of all.

        Every message that was stored before the call is looked at. The last word may be the beginning of a longer one.
        `excerpt` of a line is the part around the first match, in pieces: the second, fourth … are what matched.
        before: a row; only lines before it, to go on where the last answer ended.
        Errors: contact.unknown, contact.ambiguous, limit, search.words.
        """
        asked = words.asked(query)
        database = self._core.database
        of = None if contact is None else (await database.read(people.find_contact, contact)).id
        upto, now_ms = await database.read(index.newest), self._core.ground.now_ms()

        def look(tx: Tx) -> tuple[Line, ...] | None:
            return index.find(tx, asked, of, before, limit, now_ms) if index.catch_up(tx, upto) else None

        while (lines := await database.transact(look)) is None:
            pass
        found: list[dict[str, object]] = []
        for line in lines:
            found.append({**asdict(line), "excerpt": words.excerpt(line.text, asked)})
            await trio.lowlevel.checkpoint()  # a thousand long texts take seconds, and others want their turn
        return found

    async def read(self, to: str) -> dict[str, int]:
        """Marks the conversation with a contact as read, returns how many lines were new.

        With the setting `chat.receipts` the contact is told so.
        Errors: contact.unknown, contact.ambiguous.
        """

        def mark(tx: Tx) -> tuple[int, int]:
            contact = people.find_contact(tx, to)
            count, is_told = reading.read(tx, self._core, contact)
            return count, contact.id if is_told else 0

        count, told = await self._core.database.transact(mark)
        if told:
            self._core.delivery.stir(told)
        return {"read": count}

    async def _say(self, contact_id: int, said: tuple[Text, ...]) -> tuple[speech.Spoken, ...]:
        """Posts texts, and what follows from that in the conversation, in one transaction."""
        lasts_s = (await self._core.database.read(lasting.setting, contact_id)).seconds or None

        def follow(tx: Tx, spoken: tuple[speech.Spoken, ...]) -> None:
            conversations.said(tx, contact_id, tuple(one.text for one in said))
            lasting.posted(tx, contact_id, tuple(one.seq for one in spoken), lasts_s)

        return await self._core.delivery.say(contact_id, said, follow, lasts_s)

    async def _explained(self, lines: Sequence[Line], contact: Contact) -> list[Line]:
        """The lines, and where each waits, for what: not silence, but a reason."""
        if not any(map(_is_silent, lines)):
            return list(lines)
        if self._core.delivery.talks.online(contact.id):
            why = "on its way"
        else:
            names = await self._core.database.read(whereabouts.keepers_of, contact.id)
            why = view.why_queued(contact, [*names.values()], self._core.ground.now_ms())
        return [replace(one, reason=why) if _is_silent(one) else one for one in lines]


async def run(chat: Chat) -> None:
    """What the room does by itself, until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(vanishing.run, chat._core)
        nursery.start_soon(_index, chat)


async def _index(chat: Chat) -> None:
    """Catches up with the index whenever no message has come for a while, until cancelled.

    So a conversation does not pay for it, an idle node sleeps, and a search finds hardly anything left to index.
    """
    database = chat._core.database
    while True:
        with database.watch() as changes:  # only while there is nothing to do: each commit would wake this task
            upto = await database.read(index.newest)
            while not await database.transact(index.catch_up, upto):
                pass
            await changes.receive()
        await _quiet(database)


async def _quiet(database: Database) -> None:
    """Returns when no message came for 5 s, after a minute at the latest."""
    for _ in range(BUSY_ROUNDS_MAX):
        before = await database.read(index.newest)
        await trio.sleep(QUIET_S)
        if before == await database.read(index.newest):
            return


def _is_silent(line: Line) -> bool:
    return line.mine and line.state == "queued" and not line.reason


def _text(text: str) -> Text:
    """The content of one line. Raises: BadText."""
    try:
        return Text(text)
    except OverLimit:
        raise BadText from None
