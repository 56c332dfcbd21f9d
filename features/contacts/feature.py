"""The room of contacts: invitations, requests, cards, the pair's secrets, verification."""

from dataclasses import asdict

from features.contacts import cards, returning, service, view
from features.contacts.content import Introduction, Presence, Taken, Welcome, WordsCommit, WordsNonce, WordsReveal
from features.contacts.service import Contacts
from node.feature import Feature, Keeping
from node.network import Stream
from protocol import invite
from store import people
from store.database import Tx


def _show(tx: Tx, contact_id: int) -> dict[str, object] | None:
    """As in contacts.list, but for `online` and `busy`, which are no facts of the database: see node.status."""
    return asdict(cards.shown(people.contact(tx, contact_id), online=False, reason="", busy=False))


def _show_words(tx: Tx, contact_id: int) -> dict[str, object] | None:
    state = view.comparing(tx, contact_id)
    return {"name": people.contact(tx, contact_id).name, "words": "" if state is None else state.words}


async def _serve(contacts: Contacts, stream: Stream) -> None:
    await contacts.inviter.serve(stream)


FEATURE = Feature(
    name="contacts",
    contents=(Introduction, Welcome, Taken, Presence, WordsCommit, WordsNonce, WordsReveal),
    migrations=view.MIGRATIONS,
    apply=view.apply,
    open=Contacts,
    shows={people.CHANGED: _show, view.REQUESTED: _show, view.COMPARED: _show_words},
    serves={invite.PROTOCOL: _serve},
    run=service.run,
    keeping=Keeping(view.keep, view.asking_of, view.put_back),
    restored=returning.restored,
)
