"""What a person can do in a chat: say something, read what came, see what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import trio

from features.chat import (
    acting,
    carried,
    composing,
    conversations,
    findable,
    index,
    keeping,
    lasting,
    linking,
    overlay,
    pinning,
    reading,
    vanishing,
    view,
    waiting,
    words,
)
from features.chat.content import How, Text
from features.chat.faults import NoPreview, Notice, Recalled
from features.chat.index import Filters
from features.chat.overlay import Version
from features.chat.view import Line
from node import speech
from node.core import Core
from protocol import ids
from protocol.faults import OverLimit, UserFault, quoted
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

    chats, draft, timer = keeping.chats, keeping.draft, keeping.timer
    pin, unpin, mute, unmute = keeping.pin, keeping.unpin, keeping.mute, keeping.unmute
    archive, unarchive = keeping.archive, keeping.unarchive
    star, unstar, starred = keeping.star, keeping.unstar, keeping.starred
    typing = composing.typing
    pin_message, unpin_message, pins = pinning.pin_message, pinning.unpin_message, pinning.pins

    def __init__(self, core: Core) -> None:
        self._core = core
        self.typists = composing.Typists(core)
        for room in ("media", "profile", "stickers"):
            core.services[room].lives = lasting.Lives()
        core.services["media"].is_kept = conversations.is_starred

    async def send(
        self, to: str, text: str, reply: str | None = None, preview: bool | None = None
    ) -> dict[str, object]:
        """Puts a text for a contact into the outbox, durable on return, and hands it over at once if he is there.

        reply: the id of a message of this conversation that the text answers, or the end of it. preview: whether the
        site of the first link in it is asked for one, for at most 10 s; None: as `links.preview` is set. `unseen` of
        the answer says why there is none.
        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, limit, message.unknown,
        message.ambiguous, message.recalled, id.malformed.
        """
        contact = await self._core.database.read(people.find_contact, to)
        said = _text(text)
        if reply is not None:
            answered = await self._found(reply)
            if answered.contact != contact.name:
                raise view.UnknownMessage(f"No message with {contact.name} ends with {quoted(reply)}.")
            said = replace(said, answers=ids.MessageId(ids.ulid_from(answered.id)))
        seen, why = await linking.look(self._core, contact, text, preview)
        return {**asdict(await self._said(contact, replace(said, preview=seen))), "unseen": why}

    async def preview(self, id: str) -> dict[str, str]:
        """Returns the picture of a link that a message shows: {"webp": hexadecimal}.

        Errors: message.unknown, message.ambiguous, message.no_preview, id.malformed.
        """
        line = await self.message(id)
        if line.preview is None or not line.preview.has_picture:
            raise NoPreview
        said = (await self._core.database.transact(overlay.hear, line.seq)).content
        assert isinstance(said, Text)
        assert said.preview is not None
        return {"webp": said.preview.picture.hex()}

    async def forward(self, id: str, to: str) -> Line:
        """Says what a message says to another contact, marked as forwarded; its author is not named.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, message.unknown,
        message.ambiguous, message.recalled, message.notice, id.malformed, media.gone.
        """
        contact = await self._core.database.read(people.find_contact, to)
        line = await self._found(id)
        if line.notice:
            raise Notice
        if line.file is not None:
            return await self.message((await self._core.services["media"].forward(line.id, to)).id)
        if any(one is not None for one in (line.card, line.place, line.sticker)):
            said = (await self._core.database.read(overlay.hear, line.seq)).content
            return await self._said(contact, replace(said, forwarded=1))
        return await self._said(contact, Text(line.text, None, How.FORWARDED))

    async def react(self, id: str, mark: str | None = None) -> Line:
        """Puts a reaction to a message in place of an earlier one: an emoji or a word; None takes it away.

        Errors: contact.blocked, contact.account_changed, limit, message.unknown, message.ambiguous, message.recalled,
        id.malformed.
        """
        return await self._acted(id, acting.react, mark)

    async def edit(self, id: str, text: str) -> Line:
        """Changes what a text of one's own says, on both sides; it is marked as edited.

        Errors: contact.blocked, contact.account_changed, limit, message.unknown, message.ambiguous, message.foreign,
        message.no_text, message.recalled, id.malformed.
        """
        return await self._acted(id, acting.edit, _text(text).text)

    async def recall(self, id: str) -> dict[str, object]:
        """Takes back a message of one's own, on both sides, within 2 minutes, a file within 3 hours; a notice stays.

        The answer is the notice; `said` is the text that was taken back, so that it can be sent anew: nothing else
        has it from now on. `was` is its state until now, which tells what the other side may have of it.
        Errors: contact.blocked, contact.account_changed, message.unknown, message.ambiguous, message.foreign,
        message.late, message.recalled, id.malformed.
        """
        before = await self._found(id)
        after = await self._acted(before.id, acting.recall)
        return {**asdict(after), "said": before.text, "was": before.state}

    async def delete(self, id: str) -> dict[str, str]:
        """Deletes a message here, and nowhere else: its text, its reactions and its history.

        Errors: message.unknown, message.ambiguous, message.undelivered, id.malformed.
        """
        now_ms = self._core.ground.now_ms()

        def remove(tx: Tx) -> Line:
            line = view.find(tx, id, now_ms)
            acting.delete(tx, line.seq)
            return line

        return {"id": (await self._core.database.transact(remove)).id}

    async def edits(self, id: str) -> list[Version]:
        """Returns all that a message has said, oldest first; the last is what it says now.

        Errors: message.unknown, message.ambiguous, id.malformed.
        """
        now_ms = self._core.ground.now_ms()

        def look(tx: Tx) -> tuple[Version, ...]:
            return overlay.versions(tx, view.find(tx, id, now_ms).seq)

        return list(await self._core.database.transact(look))

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
            return await self._core.database.transact(lambda tx: overlay.dressed(tx, view.unread(tx, limit)))
        return await self._core.database.transact(lambda tx: overlay.dressed(tx, view.inbox(tx, after, limit)))

    async def history(
        self, to: str, limit: int = 50, before: int | None = None, after: int | None = None
    ) -> list[Line]:
        """Returns the last lines of the conversation with a contact, oldest first.

        before: a row; the last lines before it. after: a row; the first lines behind it instead, and `before` is not
        heeded. The largest `seq` of a page leads to the next one.
        Errors: contact.unknown, contact.ambiguous.
        """
        now_ms = self._core.ground.now_ms()

        def lines(tx: Tx) -> tuple[Contact, list[Line]]:
            contact = people.find_contact(tx, to)
            if after is None:
                return contact, overlay.dressed(tx, view.history(tx, contact.id, before, limit, now_ms))
            onward = view.onward(tx, contact.id, max(0, min(after, ROW_MAX)), limit, now_ms)
            return contact, overlay.dressed(tx, onward)

        contact, found = await self._core.database.transact(lines)
        return await self._explained(found, contact)

    async def message(self, id: str) -> Line:
        """Returns one line by its id or the end of it (4 characters or more).

        Errors: message.unknown, message.ambiguous, id.malformed.
        """
        now_ms = self._core.ground.now_ms()
        (line,) = await self._core.database.transact(lambda tx: overlay.dressed(tx, [view.find(tx, id, now_ms)]))
        return line

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
        contact: only the chat with him. author: "me", or a contact. has: `file`, `link`, `picture`, `voice`, `video`,
        `card`, `place`, `sticker`.
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

    async def _say(self, contact_id: int, said: tuple[Any, ...]) -> tuple[speech.Spoken, ...]:
        """Posts what is said, and what follows from that in the conversation, in one transaction."""
        lasts_s = (await self._core.database.read(lasting.setting, contact_id)).seconds or None

        def follow(tx: Tx, spoken: tuple[speech.Spoken, ...]) -> None:
            conversations.said(tx, contact_id, tuple(one.text for one in said if isinstance(one, Text)))
            for one, what in zip(spoken, said, strict=True):
                carried.said(tx, contact_id, one.seq, what)
            lasting.posted(tx, contact_id, tuple(one.seq for one in spoken), lasts_s)

        return await self._core.delivery.say(contact_id, said, follow, lasts_s)

    async def _found(self, id: str) -> Line:
        """A line that says something. Raises: Recalled, and what `message` raises."""
        line = await self.message(id)
        if line.recalled:
            raise Recalled
        return line

    async def _said(self, contact: Contact, what: Any) -> Line:
        """Says a text, card, place or sticker to a contact."""
        (spoken,) = await self._say(contact.id, (what,))
        now_ms = self._core.ground.now_ms()

        def look(tx: Tx) -> list[Line]:
            found = view.line(tx, spoken.seq, now_ms)
            assert found is not None
            return overlay.dressed(tx, [found])

        (line,) = await self._explained(await self._core.database.read(look), contact)
        return line

    async def _acted(self, id: str, act: Callable[..., None], *args: object) -> Line:
        """Does something to the message of this id, and tells the other side in the same transaction."""
        now_ms, entropy = self._core.ground.now_ms(), self._core.ground.entropy("message")

        def both(tx: Tx) -> tuple[int, Line]:
            target = acting.target(tx, view.find(tx, id, now_ms).seq)
            act(tx, target, *args, now_ms, entropy)
            line = view.line(tx, target.seq, now_ms)
            assert line is not None
            return target.contact, overlay.dressed(tx, [line])[0]

        contact_id, line = await self._core.database.transact(both)
        self._core.delivery.stir(contact_id)
        return line

    async def _explained(self, lines: Sequence[Line], contact: Contact) -> list[Line]:
        """The lines, and where each waits, for what: not silence, but a reason."""
        if not any(map(_is_silent, lines)):
            return list(lines)
        if self._core.delivery.talks.online(contact.id):
            why = "on its way"
        else:
            names = await self._core.database.read(whereabouts.keepers_of, contact.id)
            why = waiting.why_queued(contact, [*names.values()], self._core.ground.now_ms())
        return [replace(one, reason=why) if _is_silent(one) else one for one in lines]


async def run(chat: Chat) -> None:
    """What the room does by itself, until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(vanishing.run, chat._core)
        nursery.start_soon(_index, chat)
        nursery.start_soon(chat.typists.run)


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
