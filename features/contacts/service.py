"""What a person can do about contacts: invite, add, decide on requests, name, verify, block."""

from dataclasses import asdict

import trio

from crypto import hashing, safety
from features.contacts import adding, laying, parting, seeking, view
from features.contacts.asking import Asker
from features.contacts.cards import Shown, safety_code, shown, welcome
from features.contacts.content import GREETING_BYTES_MAX, Presence, WordsCommit, WordsNonce
from features.contacts.faults import (
    NotConnected,
    NotRequest,
    OwnInvitation,
    TooLong,
    UnknownInvitation,
    UnknownWay,
)
from features.contacts.inviting import Inviter
from features.contacts.publishing import Publisher
from node import speech
from node.core import Core
from node.talks import SILENT
from protocol import identity, ids, invite
from protocol.faults import quoted
from store import devices, findable, invitations, pairs, people, presence
from store.database import Tx
from store.people import Contact, ContactState, Verified

ONCE_S_MAX = 14 * 86_400  # invite 1: a one-time invitation lives at most 14 days
LONG_S_MAX = 3650 * 86_400  # a link says its end in 32 bits
DAY_S = 86_400

Rows = list[dict[str, object]]
Found = list[Shown]  # inside the class, `list` is a call of the local API


class Contacts:
    """The people this account knows. Every public method is a call of the local API, `contacts.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.asker = Asker(core)
        self.inviter = Inviter(core)
        self.publisher = Publisher(core)
        self.partings: list[parting.Word] = []  # of other rooms, which add theirs when they open
        core.beacon.heeding.append(self.asker.network_changed)
        core.collector.reception.strangers.heard = self.inviter.knocked
        core.collector.reception.strangers.moved = self.publisher.bell
        if core.publisher is not None:
            core.publisher.heeding.append(self.publisher.bell)

    # --- invitations

    async def invite(self, kind: str = "once", expires_s: int = DAY_S) -> dict[str, object]:
        """Makes an invitation. kind: "once" (first come, at most 14 days) or "long-term" (makes requests).

        Errors: limit, usage.
        """
        if kind not in ("once", "long-term"):
            raise UnknownWay(f"An invitation is once or long-term, not {quoted(kind)}; nothing was made.")
        if kind == "once" and not 0 < expires_s <= ONCE_S_MAX:
            raise TooLong(
                "A one-time invitation lives at most 14 days; nothing was made.", next="weft invite --expires 14d"
            )
        if not 0 < expires_s <= LONG_S_MAX:
            said = "A long-term invitation lives at most 10 years; nothing was made."
            raise TooLong(said, next="weft invite --long-term --expires 365d")
        core = self._core
        now_ms = core.ground.now_ms()
        made = await core.database.transact(
            invitations.create,
            core.identity,
            kind == "long-term",
            now_ms,
            now_ms // 1000 + expires_s,
            core.ground.entropy("invitation"),
        )
        self.publisher.bell.ring()
        addresses = await core.database.transact(laying.endpoints, core.network.addresses(), core.collector.reached())
        link = invite.Link(
            long_term=made.long_term,
            expiry_s=made.expires_s,
            account=core.identity.account,
            secret=made.secret,
            peer=core.network.peer,
            addresses=addresses,
        )
        return {
            "id": ids.ulid(made.id),
            "link": invite.link_text(link),
            "kind": kind,
            "expires_ms": made.expires_s * 1000,
            "addresses": len(addresses),
        }

    async def invitations(self) -> Rows:
        """Returns the invitations that still live: id, kind, end, and who used it."""

        def living(tx: Tx) -> Rows:
            reserved = findable.reserved(tx)  # not made by a person: see find.account
            return [
                {
                    "id": ids.ulid(one.id),
                    "kind": "long-term" if one.long_term else "once",
                    "expires_ms": one.expires_s * 1000,
                    "spent_by": "" if one.spent_by is None else ids.account_text(one.spent_by),
                }
                for one in invitations.open_invitations(tx, self._core.ground.now_ms())
                if one.id != reserved
            ]

        return await self._core.database.transact(living)

    async def revoke(self, id: str) -> dict[str, object]:
        """Ends an invitation: from now on its link is answered like an unknown one.

        Errors: invitation.unknown, id.malformed.
        """
        wanted = ids.matches(id)

        def end(tx: Tx) -> str:
            reserved = findable.reserved(tx)
            for one in invitations.open_invitations(tx, self._core.ground.now_ms()):
                if ids.ulid(one.id).endswith(wanted) and one.id != reserved:
                    invitations.revoke(tx, one.id)
                    return ids.ulid(one.id)
            raise UnknownInvitation(f"No living invitation ends with {quoted(id)}; nothing was changed.")

        ended = await self._core.database.transact(end)
        self.publisher.bell.ring()
        return {"id": ended}

    async def add(self, link: str, name: str | None = None, greeting: str = "", replace: bool = False) -> Shown:
        """Follows an invitation link, or asks an account by its id, until it is answered, also across restarts.

        Who is a contact already, and is not connected, agrees with us anew and stays what he is (verified too).
        name: what I call this contact. replace: take over the name of a contact with another account; it must then be
        verified or trusted again.
        Errors: link.bad, link.newer, link.expired, account.malformed, contact.self, contact.exists,
        contact.another_account, limit.
        """
        core = self._core
        now_ms = core.ground.now_ms()
        who = adding.wanted(link, now_ms // 1000)
        if who.account == core.identity.account:
            raise OwnInvitation("That is your own account id; nothing was added." if adding.is_account(link) else None)
        if len(greeting.encode()) > GREETING_BYTES_MAX:
            raise TooLong(f"A greeting is at most {GREETING_BYTES_MAX} bytes; nothing was sent.")

        known = await core.database.transact(people.by_account, who.account)
        adding.require_not_met(known, known is not None and core.delivery.talks.online(known.id))
        contact = await core.database.transact(adding.follow, who, name, greeting, replace, now_ms)
        core.delivery.reasons.pop(contact.id, None)  # of what was asked before
        self.asker.follow(contact.id)
        return await self._show(contact.id)

    async def find(self, handle: str) -> Rows:
        """Returns who claims a handle in the DHT: at most 8 accounts with the names they give themselves, unverified.

        Errors: handle.malformed, lookup.unavailable.
        """
        found = await seeking.claims(self._core, handle)
        return [{"account": ids.account_text(claim.account), "claims": claim.name} for claim in found]

    # --- requests

    async def requests(self) -> Found:
        """Returns those who ask to become contacts, with their greetings."""
        return [one for one in await self.list() if one.state == "request"]

    async def accept(self, id_or_name: str, name: str | None = None) -> Shown:
        """Makes a request's sender a contact.

        Errors: contact.unknown, contact.ambiguous, contact.not_request, contact.name_taken.
        """
        core = self._core

        def agree(tx: Tx) -> int:
            contact = _request(tx, id_or_name)
            if name is not None:
                people.rename(tx, contact.id, name)
            people.set_state(tx, contact.id, ContactState.ACTIVE, "")
            now_ms, entropy = core.ground.now_ms(), core.ground.entropy("pair")
            card = welcome(tx, core.identity, contact.id, now_ms, entropy)
            speech.say(tx, contact.id, (card,), now_ms, entropy)
            return contact.id

        contact_id = await core.database.transact(agree)
        core.delivery.reach(contact_id)
        return await self._show(contact_id)

    async def reject(self, id_or_name: str) -> Shown:
        """Refuses a request; nothing is sent back. Errors: contact.unknown, contact.ambiguous, contact.not_request."""

        def refuse(tx: Tx) -> int:
            contact = _request(tx, id_or_name)
            people.set_state(tx, contact.id, ContactState.REFUSED, "you rejected the request")
            return contact.id

        return await self._show(await self._core.database.transact(refuse))

    # --- contacts

    async def list(self) -> Found:
        """Returns everybody this account knows or is about to know, by name."""

        def all_of_them(tx: Tx) -> tuple[Contact, ...]:
            return tuple(sorted(people.contacts(tx), key=lambda contact: contact.name.casefold()))

        found = await self._core.database.transact(all_of_them)
        silent = await self._core.delivery.talks.look()
        return [self._shown(contact, contact.id in silent) for contact in found]

    async def show(self, name: str) -> dict[str, object]:
        """Returns one contact with its devices and the safety number. Errors: contact.unknown, contact.ambiguous."""
        contact = await self._core.database.transact(people.find_contact, name)
        known = await self._core.database.transact(devices.devices_of, contact.id)
        silent = await self._core.delivery.talks.look()
        return {
            **asdict(self._shown(contact, contact.id in silent)),
            "devices": [
                {"device": one.device.hex()[:16], "addresses": [*one.addresses], "revoked": one.revoked}
                for one in known
            ],
            "safety_number": safety.safety_number(self._core.identity.account, contact.account),
        }

    async def rename(self, name: str, new: str) -> Shown:
        """Changes what I call a contact; nobody else sees it.

        Errors: contact.unknown, contact.ambiguous, contact.name_taken, limit.
        """

        def change(tx: Tx) -> int:
            contact = people.find_contact(tx, name)
            people.rename(tx, contact.id, new)
            return contact.id

        return await self._show(await self._core.database.transact(change))

    async def block(self, name: str) -> Shown:
        """Ends the conversation; the other sees us as away, and cannot recognise this node any more.

        Errors: contact.unknown, contact.ambiguous.
        """
        contact = await self._core.database.read(people.find_contact, name)
        await parting.block(self._core, contact, self.partings)
        return await self._show(contact.id)

    async def unblock(self, name: str) -> Shown:
        """Resumes a conversation that was blocked. Errors: contact.unknown, contact.ambiguous."""
        core = self._core
        entropy, now_ms = core.ground.entropy("pair"), core.ground.now_ms()

        def resume(tx: Tx) -> int:
            contact = people.find_contact(tx, name)
            if contact.state is ContactState.BLOCKED:
                agreed = pairs.dial_key(tx, contact.id, ignoring_state=True) is not None
                state = ContactState.ACTIVE if agreed else ContactState.REFUSED
                people.set_state(tx, contact.id, state, "")
                if agreed:  # he has the key of before, and would not recognise this node
                    speech.say(tx, contact.id, (Presence(*presence.own(tx)),), now_ms, entropy)
            return contact.id

        contact_id = await self._core.database.transact(resume)
        self._core.delivery.reach(contact_id)
        return await self._show(contact_id)

    # --- who is it

    async def safety(self, name: str) -> dict[str, object]:
        """Returns the 60 digits and the QR text that are the same on both sides.

        Errors: contact.unknown, contact.ambiguous.
        """
        contact = await self._core.database.transact(people.find_contact, name)
        their_list = await self._core.database.transact(people.newest_list_hash, contact.id)
        own_list = identity.list_hash(self._core.identity.lists[-1])
        return {
            "digits": safety.safety_number(self._core.identity.account, contact.account),
            "qr": safety_code((self._core.identity.account, own_list), (contact.account, their_list)),
        }

    async def verify(self, name: str, how: str = "digits") -> Shown:
        """Keeps that the contact was compared, and how: words, digits or qr. An alarm about the account ends with it.

        Errors: contact.unknown, contact.ambiguous, usage.
        """
        ways = {one.name.lower(): one for one in Verified if one is not Verified.NO}
        if how not in ways:
            raise UnknownWay(
                f"A contact is verified by words, digits or qr, not by {quoted(how)}; nothing was changed."
            )

        def mark(tx: Tx) -> int:
            contact = people.find_contact(tx, name)
            people.set_verified(tx, contact.id, ways[how], self._core.ground.now_ms())
            people.set_alarm(tx, contact.id, "")
            view.forget_comparing(tx, contact.id)
            return contact.id

        return await self._show(await self._core.database.transact(mark))

    async def unverify(self, name: str) -> Shown:
        """Takes the verified mark back; an alarm stays. Errors: contact.unknown, contact.ambiguous."""

        def unmark(tx: Tx) -> int:
            contact = people.find_contact(tx, name)
            people.set_verified(tx, contact.id, Verified.NO, self._core.ground.now_ms())
            return contact.id

        return await self._show(await self._core.database.transact(unmark))

    async def trust(self, name: str) -> Shown:
        """Accepts what an alarm reported; the contact stays unverified. Errors: contact.unknown, contact.ambiguous."""

        def accept(tx: Tx) -> int:
            contact = people.find_contact(tx, name)
            people.set_alarm(tx, contact.id, "")
            return contact.id

        return await self._show(await self._core.database.transact(accept))

    async def compare(self, name: str) -> dict[str, object]:
        """Compares three words live: returns them once the other side runs the same; the caller sets the deadline.

        Errors: contact.unknown, contact.ambiguous, contact.offline.
        """
        core = self._core
        contact = await core.database.transact(people.find_contact, name)
        if not core.delivery.talks.online(contact.id):
            raise NotConnected(f"{contact.name} is not connected, and words are compared live; nothing was changed.")
        with core.database.watch() as changes:
            await core.database.transact(self._begin_comparing, contact.id, core.ground.entropy("words")(32))
            core.delivery.stir(contact.id)
            while True:
                state = await core.database.transact(view.comparing, contact.id)
                if state is not None and state.words:
                    return {"words": state.words.split(" ")}
                await changes.receive()

    def _begin_comparing(self, tx: Tx, contact_id: int, nonce: bytes) -> None:
        now_ms, entropy = self._core.ground.now_ms(), self._core.ground.entropy("words")
        state = view.comparing(tx, contact_id)
        if state is not None and not state.nonce and not state.words:  # they began: answer with our nonce
            view.store_comparing(tx, contact_id, view.Comparing(nonce, state.commitment, b"", ""))
            what: WordsNonce | WordsCommit = WordsNonce(state.commitment, nonce)
        else:
            commitment = hashing.hash_of(hashing.Label.SAS, nonce)
            view.store_comparing(tx, contact_id, view.Comparing(nonce, commitment, b"", ""))
            what = WordsCommit(commitment)
        speech.say(tx, contact_id, (what,), now_ms, entropy)

    async def _show(self, contact_id: int) -> Shown:
        return self._shown(await self._core.database.transact(people.contact, contact_id))

    def _shown(self, contact: Contact, is_silent: bool = False) -> Shown:
        delivery = self._core.delivery
        is_online = delivery.talks.online(contact.id)
        why = "" if is_online else delivery.reasons.get(contact.id, "")
        return shown(contact, is_online, SILENT if is_online and is_silent else why, contact.id in self.asker.working)


async def run(contacts: Contacts) -> None:
    """Follows what nobody has answered yet, and keeps in the DHT what strangers find us by, until cancelled."""
    await parting.carry_out(contacts._core)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(contacts.asker.run)
        nursery.start_soon(contacts.publisher.run)


def _request(tx: Tx, id_or_name: str) -> Contact:
    """The request of this name or account. Raises: UserFault (unknown, ambiguous), NotRequest."""
    contact = people.find_contact(tx, id_or_name)
    if contact.state is not ContactState.REQUEST:
        raise NotRequest(f"{contact.name} is {contact.state.name.lower()}, not a request; nothing was changed.")
    return contact
