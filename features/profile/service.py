"""What a person can do about profiles, remarks and tags. Every public method is a call of the local API."""

import base64
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import trio

from features.profile import places, view
from features.profile.content import ABOUT_CHARS_MAX, PHOTO_BYTES_MAX, ContactCard, Location
from features.profile.faults import AboutTooLong, BadPhoto, NoPhoto, NotIntroduced, UnknownCard, UnknownTag
from features.profile.picture import Avatar, made
from features.profile.places import Seen
from features.profile.view import Known, Received
from node import speech
from node.core import Core
from node.speech import Spoken
from protocol import ids
from protocol.faults import quoted
from store import identity, people, remarks
from store.database import Tx
from store.people import Contact, ContactState

LOOK_S = 3600.0  # for what rings no bell: who was told in vain is here again


@dataclass(frozen=True, slots=True)
class Shown:
    """A profile. name: what we call him, announced: what he calls himself; like: another contact who is called so.

    photo: its bytes, 0 for none. version: 0 where none came; then at_ms is 0 too.
    """

    name: str
    account: str
    announced: str
    like: str
    about: str
    photo: int
    version: int
    at_ms: int
    remark: str
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Marked:
    """What we wrote on a contact."""

    name: str
    account: str
    remark: str
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Introduced:
    """A card that a contact sent. claims: what it calls the account; known: our name for it, "" for no contact.

    message: the id of its line.
    """

    id: int
    contact: str
    claims: str
    account: str
    known: str
    at_ms: int
    message: str


Rows = list[dict[str, object]]


class Profiles:
    """How this account and its contacts present themselves, and what we wrote on them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.lives: speech.Lives | None = None  # how long what is said stays; the room of chats says it
        self._avatar: Avatar = partial(made, core.ground, core.workshop)  # the one place that makes a photo of a file

    # --- what only we see

    async def remark(self, name: str, text: str = "") -> Marked:
        """Writes a remark on a contact, which is a further name for him; "" takes it away. Nobody else sees it.

        Errors: contact.unknown, contact.ambiguous, contact.remark, contact.name_taken.
        """

        def write(tx: Tx) -> Marked:
            contact = people.find_contact(tx, name)
            remarks.put(tx, contact.id, text)
            return marked(tx, contact)

        return await self._core.database.transact(write)

    async def tag(self, name: str, tag: str) -> Marked:
        """Writes a tag on a contact, at most 16. Nobody else sees it.

        Errors: contact.unknown, contact.ambiguous, contact.tag, limit.
        """

        def write(tx: Tx) -> Marked:
            contact = people.find_contact(tx, name)
            remarks.add_tag(tx, contact.id, tag)
            return marked(tx, contact)

        return await self._core.database.transact(write)

    async def untag(self, name: str, tag: str) -> Marked:
        """Takes a tag from a contact. Errors: contact.unknown, contact.ambiguous, tag.unknown."""

        def erase(tx: Tx) -> Marked:
            contact = people.find_contact(tx, name)
            if not remarks.drop_tag(tx, contact.id, tag):
                raise UnknownTag(f"{contact.name} has no tag {quoted(tag)}; nothing was changed.")
            return marked(tx, contact)

        return await self._core.database.transact(erase)

    async def tags(self, tag: str | None = None) -> Rows:
        """Returns all tags, or this one, each with the names of its contacts: [{"tag", "contacts"}].

        Errors: tag.unknown.
        """

        def of_all(tx: Tx) -> Rows:
            found: dict[str, tuple[str, list[str]]] = {}
            names = {one.id: one.name for one in people.contacts(tx)}
            for contact_id, marks in remarks.everybody(tx).items():
                for text in marks.tags:
                    found.setdefault(text.casefold(), (text, []))[1].append(names[contact_id])
            wanted = None if tag is None else tag.strip().casefold()
            if wanted is not None and wanted not in found:
                raise UnknownTag(f"No contact has the tag {quoted(tag or '')}.")
            return [
                {"tag": text, "contacts": sorted(of, key=str.casefold)}
                for folded, (text, of) in sorted(found.items())
                if wanted in (None, folded)
            ]

        return await self._core.database.transact(of_all)

    async def marks(self) -> list[Marked]:
        """Returns the contacts on whom something is written."""

        def all_of_them(tx: Tx) -> list[Marked]:
            return [marked(tx, people.contact(tx, contact_id)) for contact_id in remarks.everybody(tx)]

        return await self._core.database.transact(all_of_them)

    # --- what others see

    async def show(self, name: str | None = None) -> Shown:
        """Returns the profile of a contact, or our own. Errors: contact.unknown, contact.ambiguous."""

        def find(tx: Tx) -> Shown:
            return self._own(tx) if name is None else shown(tx, people.find_contact(tx, name))

        return await self._core.database.transact(find)

    async def photo(self, name: str | None = None) -> dict[str, object]:
        """Returns the photo of a contact, or our own, in base64: {"webp"}.

        Errors: contact.unknown, contact.ambiguous, profile.no_photo.
        """

        def find(tx: Tx) -> bytes:
            known = view.own(tx) if name is None else view.theirs(tx, people.find_contact(tx, name).id)
            if known is None or not known.photo:
                raise NoPhoto
            return known.photo

        return {"webp": base64.b64encode(await self._core.database.transact(find)).decode()}

    async def set(self, name: str | None = None, about: str | None = None, photo: str | None = None) -> Shown:
        """Sets what is given of our profile, and tells every contact, at once or as soon as they are reached.

        photo: the path of a picture's file; "" takes the photo away.
        Errors: limit, profile.about, profile.photo, profile.unreadable.
        """
        picture = b"" if not photo else await self._avatar(Path(photo))
        if len(picture) > PHOTO_BYTES_MAX:
            raise BadPhoto
        if about is not None:
            about = about.strip()
            if len(about) > ABOUT_CHARS_MAX or not _is_text(about):
                raise AboutTooLong
        core, now_ms = self._core, self._core.ground.now_ms()

        def change(tx: Tx) -> Shown:
            before = view.own(tx) or _nothing_said(tx, core)
            after = replace(
                before,
                name=before.name if name is None else name.strip(),
                about=before.about if about is None else about,
                photo=before.photo if photo is None else picture,
            )
            if after != before:
                identity.set_own_name(tx, core.identity, after.name, now_ms)
                view.keep_own(tx, replace(after, version=before.version + 1, at_ms=now_ms))
            return self._own(tx)

        answer = await core.database.transact(change)
        await self.settle()
        return answer

    # --- introductions

    async def introduce(self, name: str, to: str) -> dict[str, object]:
        """Sends the card of a contact to another one: his account, and what he calls himself.

        Returns {"contact": who gets it, "claims", "account", "id": of the message}.
        Errors: contact.unknown, contact.ambiguous, card.pair, contact.blocked, contact.account_changed.
        """

        def say(tx: Tx) -> tuple[int, dict[str, object]]:
            reader, one = people.find_contact(tx, to), people.find_contact(tx, name)
            if one.id == reader.id or one.state is not ContactState.ACTIVE:
                raise NotIntroduced
            card = ContactCard(one.account, one.announced or one.name)
            spoken = self._say(tx, reader.id, card)
            account, message_id = ids.account_text(one.account), ids.ulid(spoken.message_id)
            return reader.id, {"contact": reader.name, "claims": card.name, "account": account, "id": message_id}

        contact_id, answer = await self._core.database.transact(say)
        self._core.delivery.stir(contact_id)
        return answer

    async def cards(self) -> list[Introduced]:
        """Returns the cards that contacts sent us, the newest first; at most 100 of each."""

        def all_of_them(tx: Tx) -> list[Introduced]:
            return [introduced(tx, one) for one in view.cards(tx)]

        return await self._core.database.transact(all_of_them)

    async def forget(self, id: int) -> Introduced:
        """Takes a card off the list. Errors: card.unknown."""

        def drop(tx: Tx) -> Introduced:
            one = view.card(tx, id)
            if one is None:
                raise UnknownCard
            view.drop_card(tx, id)
            return introduced(tx, one)

        return await self._core.database.transact(drop)

    # --- places

    async def send_location(self, to: str, latitude: str, longitude: str, accuracy_m: int = 0, label: str = "") -> Seen:
        """Sends a contact a place, once. latitude, longitude: decimal degrees; accuracy_m: 0 for none.

        Errors: contact.unknown, contact.ambiguous, location.place, limit, contact.blocked, contact.account_changed.
        """
        core, now_ms = self._core, self._core.ground.now_ms()
        place = (places.microdegrees(latitude, 90), places.microdegrees(longitude, 180))
        said = Location(*place, accuracy_m, label.strip(), now_ms)

        def say(tx: Tx) -> tuple[int, Seen]:
            contact = people.find_contact(tx, to)
            spoken = self._say(tx, contact.id, said)
            kept = view.location(tx, view.keep_location(tx, contact.id, spoken.seq, said, mine=True))
            assert kept is not None
            return contact.id, places.seen(tx, kept)

        contact_id, answer = await core.database.transact(say)
        core.delivery.stir(contact_id)
        return answer

    async def locations(self, name: str | None = None, limit: int = 50) -> list[Seen]:
        """Returns the newest places of a conversation, or of all, the newest first.

        Errors: contact.unknown, contact.ambiguous.
        """

        def newest(tx: Tx) -> list[Seen]:
            contact_id = None if name is None else people.find_contact(tx, name).id
            return [places.seen(tx, one) for one in view.locations(tx, contact_id, max(0, limit))]

        return await self._core.database.transact(newest)

    async def settle(self) -> None:
        """Says our profile to every contact who has not got this version of it."""
        while told := await self._core.database.transact(self._tell):
            for contact_id in told:
                self._core.delivery.stir(contact_id)

    def _say(self, tx: Tx, contact_id: int, what: ContactCard | Location) -> Spoken:
        """Says a line of the conversation."""
        now_ms, entropy = self._core.ground.now_ms(), self._core.ground.entropy("message")
        return speech.say_as_lasting(tx, self.lives, contact_id, what, now_ms, entropy)

    def _tell(self, tx: Tx) -> tuple[int, ...]:
        """Says it to some of them, who are told; each time in the place of what an older message says."""
        mine = view.own(tx)
        if mine is None:
            return ()
        view.met_devices(tx)
        entropy, now_ms = self._core.ground.entropy("profile"), self._core.ground.now_ms()
        due = view.untold(tx, mine.version)
        for contact_id, device_id in due:
            (spoken,) = speech.say(tx, contact_id, (mine.said,), now_ms, entropy)
            view.told(tx, contact_id, mine.version, spoken.seq, device_id)
        return tuple(contact_id for contact_id, _ in due)

    def _own(self, tx: Tx) -> Shown:
        mine = view.own(tx) or _nothing_said(tx, self._core)
        account = ids.account_text(self._core.identity.account)
        about = (mine.about, len(mine.photo), mine.version, mine.at_ms)
        return Shown(mine.name, account, mine.name, "", *about, "", [])


async def run(room: Profiles) -> None:
    """Tells our profile to whoever has become a contact, until cancelled."""
    with room._core.database.watch(frozenset({people.CHANGED, view.CHANGED})) as changes:
        while True:
            await room.settle()
            with trio.move_on_after(LOOK_S):
                await changes.receive()


def shown(tx: Tx, contact: Contact) -> Shown:
    """A contact's profile as people see it."""
    known = view.theirs(tx, contact.id) or Known(0, contact.announced, "", b"", 0)
    marks = remarks.of(tx, contact.id)
    return Shown(
        name=contact.name,
        account=ids.account_text(contact.account),
        announced=contact.announced,
        like=_like(tx, contact),
        about=known.about,
        photo=len(known.photo),
        version=known.version,
        at_ms=known.at_ms,
        remark=marks.remark,
        tags=[*marks.tags],
    )


def introduced(tx: Tx, one: Received) -> Introduced:
    """A card as people see it."""
    known = people.by_account(tx, one.account)
    sender, called = people.contact(tx, one.contact).name, "" if known is None else known.name
    account, message_id = ids.account_text(one.account), ids.ulid(one.message)
    return Introduced(one.id, sender, one.name, account, called, one.at_ms, message_id)


def marked(tx: Tx, contact: Contact) -> Marked:
    """What we wrote on a contact, as people see it."""
    marks = remarks.of(tx, contact.id)
    return Marked(contact.name, ids.account_text(contact.account), marks.remark, [*marks.tags])


def _like(tx: Tx, contact: Contact) -> str:
    """The contact whose name or remark this one gives himself; "" where nobody is called so."""
    folded = contact.announced.casefold()
    for one in people.contacts(tx) if folded and remarks.is_taken(tx, folded, contact.id) else ():
        if one.id != contact.id and folded in (one.name.casefold(), remarks.of(tx, one.id).remark.casefold()):
            return one.name
    return ""


def _nothing_said(tx: Tx, core: Core) -> Known:
    """What is shown of us before a profile was set."""
    return Known(0, identity.renamed(tx, core.identity).name, "", b"", 0)


def _is_text(text: str) -> bool:
    """Whether this can be said: half of a character cannot."""
    return not any("\ud800" <= one <= "\udfff" for one in text)
