"""A block: the last words that rooms have for a contact, if he is here to get them, and then the end.

    said and noted ──up to 2 s──> blocked          with nothing to say, or to nobody here: blocked at once

Who is not here is told nothing any more: to somebody who is blocked nothing is sent. Whoever has been told something is
blocked, whatever becomes of the call or the node: he has forgotten what rooms believe that he has.
"""

from collections.abc import Callable, Sequence
from typing import Any

import trio

from features.contacts import view
from features.contacts.content import Presence
from node import speech
from node.core import Core
from protocol.delivery import State
from store import outbox, people, presence
from store.database import Tx
from store.people import STOPS, Contact, ContactState

PATIENCE_S = 2.0  # that a block waits for the last words

Word = Callable[[Tx, Contact], Any | None]
"""The content that a room says, None for nothing."""


async def block(core: Core, contact: Contact, words: Sequence[Word]) -> None:
    """Blocks a contact, once rooms have said what they have to say. Who asked for it and goes does not end it."""
    with trio.CancelScope(shield=True):  # at most PATIENCE_S long
        await _say(core, contact, words)
        await _end(core, contact.id)


async def carry_out(core: Core) -> None:
    """Blocks those whose block was under way when the node ended."""
    for contact_id in await core.database.read(_under_way):
        await _end(core, contact_id)


async def _say(core: Core, contact: Contact, words: Sequence[Word]) -> None:
    """Says what rooms have to say, and waits for a moment until it has arrived."""
    is_open = contact.state is ContactState.ACTIVE and contact.alarm != STOPS
    if not is_open or not core.delivery.talks.online(contact.id):
        return

    def post(tx: Tx) -> int | None:
        said = tuple(one for one in (word(tx, contact) for word in words) if one is not None)
        if not said:
            return None
        tx.execute("INSERT OR REPLACE INTO parting (contact) VALUES (?)", (contact.id,))
        return speech.say(tx, contact.id, said, core.ground.now_ms(), core.ground.entropy("message"))[-1].seq

    with core.database.watch(frozenset({outbox.CHANGED})) as changes:
        seq = await core.database.transact(post)
        if seq is None:
            return
        core.delivery.stir(contact.id)
        with trio.move_on_after(PATIENCE_S):
            while not await core.database.read(_has_arrived, seq):
                await changes.receive()


async def _end(core: Core, contact_id: int) -> None:
    entropy, now_ms = core.ground.entropy("pair"), core.ground.now_ms()

    def end(tx: Tx) -> list[int]:
        people.set_state(tx, contact_id, ContactState.BLOCKED, "you blocked this contact")
        view.asked(tx, contact_id)
        tx.execute("DELETE FROM parting WHERE contact = ?", (contact_id,))
        epoch, key = presence.renew(tx, entropy(32))
        others = [one.id for one in people.contacts(tx) if one.state is ContactState.ACTIVE]
        for other in others:
            speech.say(tx, other, (Presence(epoch, key),), now_ms, entropy)
        return others

    others = await core.database.transact(end)
    core.delivery.part(contact_id)
    for other in others:
        core.delivery.stir(other)


def _under_way(tx: Tx) -> list[int]:
    return [contact_id for (contact_id,) in tx.all("SELECT contact FROM parting ORDER BY contact")]


def _has_arrived(tx: Tx, seq: int) -> bool:
    row = tx.one("SELECT state FROM message WHERE seq = ?", (seq,))
    return row is None or row[0] == int(State.DELIVERED)
