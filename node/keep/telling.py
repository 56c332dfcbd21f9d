"""Tells contacts where they can leave us mail, whenever that is not what they know (docs/protocol/mailbox.md 2)."""

from node import speech
from node.inward import Inward
from protocol import mailbox
from store import devices, keepers, lines, people
from store.database import Tx
from store.people import ContactState


def tell(tx: Tx, inward: Inward) -> tuple[int, ...]:
    """Says to each contact the lines that are others than he was told; returns those contacts, to be stirred."""
    told = []
    used = keepers.used(tx)
    for contact in people.contacts(tx):
        if contact.state is not ContactState.ACTIVE or contact.alarm == people.STOPS:
            continue
        living = [one.id for one in devices.devices_of(tx, contact.id) if not one.revoked]
        if not living:
            continue
        found = lines.of(tx, contact.id, inward.identity.account, used)
        version, before = lines.told(tx, contact.id)
        if lines.encoded(found, living[-1]) != before:
            version = max(version + 1, inward.now())
            lines.tell(tx, contact.id, version, lines.encoded(found, living[-1]))
            said = mailbox.Inbox(version, found)
            speech.say(tx, contact.id, (said,), inward.now(), inward.ground.entropy("message"))
            told.append(contact.id)
    return tuple(told)
