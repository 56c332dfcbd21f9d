"""Whom `weft add` is about, and what is written down when it begins. What follows is asking.py's."""

import shlex
from dataclasses import dataclass

from crypto.faults import Forged
from features.contacts import view
from features.contacts.faults import AlreadyContact, AnotherAccount
from protocol import account_record, ids, invite
from store import people
from store.database import Tx
from store.people import Contact, ContactState

_ACCOUNT_PREFIX = "wf1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account, and the text that is followed to it: an invitation link, or the account id itself."""

    account: ids.AccountId
    followed: str


def is_account(followed: str) -> bool:
    """Whether an account is followed by its id, and not by a link."""
    return followed.strip().lower().startswith(_ACCOUNT_PREFIX)


def wanted(text: str, now_s: int) -> Wanted:
    """Whom a person means. Raises: BadLink, NewerLink, ExpiredLink, BadAccount."""
    if is_account(text):
        account = ids.account_from(text)
        try:
            account_record.name_of(account, 0)
        except Forged:
            raise ids.BadAccount("This is no account id: no account has such a key; nothing was done.") from None
        return Wanted(account, ids.account_text(account))
    link = invite.link_from(text)
    invite.check_alive(link, now_s)
    return Wanted(link.account, text.strip())


def follow(tx: Tx, who: Wanted, name: str | None, greeting: str, replace: bool, now_ms: int) -> Contact:
    """The contact that is asked from now on. name, replace: as in contacts.add.

    Who is a contact already stays one, with all that is known of him: the two agree on a new secret (invite 5.4).
    Raises: AnotherAccount, and what store/people.py raises about names and numbers.
    """
    contact = people.by_account(tx, who.account)
    if contact is None:
        alarm = _clear_name(tx, name, replace)
        contact = people.add_contact(tx, who.account, name or "", ContactState.ASKED, "", now_ms)
        people.set_alarm(tx, contact.id, alarm)
    else:
        if name is not None and name.casefold() != contact.name.casefold():
            if alarm := _clear_name(tx, name, replace):
                people.set_alarm(tx, contact.id, alarm)
            people.rename(tx, contact.id, name)
        state = ContactState.ACTIVE if contact.state is ContactState.ACTIVE else ContactState.ASKED
        people.set_state(tx, contact.id, state, "")
    view.ask(tx, contact.id, who.followed, greeting, now_ms)
    return contact


def require_not_met(contact: Contact | None, is_online: bool) -> None:
    """Returns when it makes sense to ask this one: nobody, or who is not connected. Raises: AlreadyContact."""
    if contact is not None and contact.state is ContactState.ACTIVE and is_online:
        raise AlreadyContact(
            f"{contact.name} is a contact already, and connected; nothing was changed.",
            next=f"weft chat {shlex.quote(contact.name)}",
        )


def _clear_name(tx: Tx, name: str | None, replace: bool) -> str:
    """Makes room for a new contact's name; returns the alarm it starts with (case 34). Raises: AnotherAccount."""
    if name is None:
        return ""
    holder = next((one for one in people.contacts(tx) if one.name.casefold() == name.casefold()), None)
    if holder is None:
        return ""
    if not replace:
        raise AnotherAccount(
            f"{holder.name} is a contact with another account; nothing was added.",
            next=shlex.join(("weft", "contacts", "rename", holder.name, f"{holder.name}-old")),
        )
    people.rename(tx, holder.id, people.free_name(tx, f"{holder.name} (old)"))
    return "account_changed"
