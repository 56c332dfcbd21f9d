"""What a person can do in a chat: say something, read what came, see what became of it."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import trio

from features.chat import findable, index, view, words
from features.chat.content import Text
from features.chat.index import Filters
from features.chat.view import Line
from node.core import Core
from protocol import ids
from protocol.faults import OverLimit, UserFault
from store import people, whereabouts
from store.database import Database, Tx
from store.people import Contact

SEND_MAX = 512  # texts of one call: one window of a talk, one transaction
ROW_MAX = 2**62  # more rows than there will ever be
QUIET_S = 5.0  # without a new message before the index is caught up with: longer than most pauses of a conversation
ME = "me"  # as an author: I, also where a contact is called so
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

    def __init__(self, core: Core) -> None:
        self._core = core

    async def send(self, to: str, text: str) -> Line:
        """Puts a text for a contact into the outbox, durable on return, and hands it over at once if he is there.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, limit.
        """
        contact = await self._core.database.read(people.find_contact, to)
        (spoken,) = await self._core.delivery.say(contact.id, (_text(text),))
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
        spoken = await self._core.delivery.say(contact.id, tuple(_text(text) for text in texts))
        return [{"id": ids.ulid(one.message_id), "seq": one.seq} for one in spoken]

    async def inbox(self, unread: bool = False, limit: int = 100, after: int = 0) -> list[Line]:
        """Returns what others wrote, in the order of arrival: the newest, those after row `after`, or the unread."""
        if unread:
            return list(await self._core.database.transact(view.unread, limit))
        return list(await self._core.database.transact(view.inbox, after, limit))

    async def history(
        self, to: str, limit: int = 50, before: int | None = None, after: int | None = None
    ) -> list[Line]:
        """Returns the last lines of the conversation with a contact, oldest first.

        before: a row; the last lines before it. after: a row; the first lines behind it instead, and `before` is not
        heeded. The largest `seq` of a page leads to the next one.
        Errors: contact.unknown, contact.ambiguous.
        """
        now_ms = self._core.ground.now_ms()

        def lines(tx: Tx) -> tuple[Contact, tuple[Line, ...]]:
            contact = people.find_contact(tx, to)
            if after is not None:
                return contact, view.onward(tx, contact.id, max(0, min(after, ROW_MAX)), limit, now_ms)
            return contact, view.history(tx, contact.id, before, limit, now_ms)

        contact, found = await self._core.database.transact(lines)
        return await self._explained(found, contact)

    async def message(self, id: str) -> Line:
        """Returns one line by its id or the end of it (4 characters or more).

        Errors: message.unknown, message.ambiguous, id.malformed.
        """
        return await self._core.database.transact(view.find, id, self._core.ground.now_ms())

    async def search(
        self,
        query: str = "",
        contact: str | None = None,
        limit: int = 50,
        before: int | None = None,
        author: str | None = None,
        has: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> list[dict[str, object]]:
        """Returns the lines that have all words of a query and pass all filters, newest first.

        Every message that was stored before the call is looked at. The last word may be the beginning of a longer one.
        A query without words is for filters alone.
        contact: only the chat with him. author: "me", or a contact. has: `file`, `link`, `picture`, `voice`, `video`.
        since_ms, until_ms: said (`at_ms`) at the one or after it, and before the other.
        `excerpt` of a line is the part around the first match, in pieces: the second, fourth … are what matched.
        before: a row; only lines before it, to go on where the last answer ended.
        Errors: contact.unknown, contact.ambiguous, limit, search.words, search.has.
        """
        is_filtered = any(one is not None for one in (contact, author, has, since_ms, until_ms))
        asked = words.ANYTHING if is_filtered and not query.strip() else words.asked(query)
        database = self._core.database
        trait = None if has is None else findable.trait(has)
        is_mine = None if author is None else author.casefold() == ME
        named = [one for one in (contact, None if is_mine else author) if one is not None]
        chats = tuple([(await database.read(people.find_contact, one)).id for one in named])
        filters = Filters(chats, is_mine, trait, since_ms, until_ms)
        upto, now_ms = await database.read(index.newest), self._core.ground.now_ms()

        def look(tx: Tx) -> tuple[Line, ...] | None:
            return index.find(tx, asked, filters, before, limit, now_ms) if index.catch_up(tx, upto) else None

        while (lines := await database.transact(look)) is None:
            pass
        found: list[dict[str, object]] = []
        for line in lines:
            found.append({**asdict(line), "excerpt": words.excerpt(line.text, asked)})
            await trio.lowlevel.checkpoint()  # a thousand long texts take seconds, and others want their turn
        return found

    async def read(self, to: str) -> dict[str, int]:
        """Marks the conversation with a contact as read, returns how many lines were new.

        Errors: contact.unknown, contact.ambiguous.
        """

        def mark(tx: Tx) -> int:
            return view.read(tx, people.find_contact(tx, to).id)

        return {"read": await self._core.database.transact(mark)}

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
