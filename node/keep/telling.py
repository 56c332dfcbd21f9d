"""Tells contacts where they can leave us mail, whenever that is not what they know (docs/protocol/mailbox.md 2)."""

from node import speech
from node.inward import Inward
from protocol import mailbox
from store import devices, lines, people
from store.database import Tx
from store.people import ContactState


def tell(tx: Tx, inward: Inward) -> tuple[int, ...]:
    """Says to each contact the lines that are others than he was told; returns those contacts, to be stirred."""
    told = []
    for contact in people.contacts(tx):
        if contact.state is not ContactState.ACTIVE or contact.alarm == people.STOPS:
            continue
        if not devices.devices_of(tx, contact.id):
            continue
        found = lines.of(tx, contact.id, inward.identity.account)
        version, before = lines.told(tx, contact.id)
        if lines.encoded(found) != before:
            version = max(version + 1, inward.now())
            lines.tell(tx, contact.id, version, found)
            said = mailbox.Inbox(version, found)
            speech.say(tx, contact.id, (said,), inward.now(), inward.ground.entropy("message"))
            told.append(contact.id)
    return tuple(told)
