"""What rooms say to a contact before he is blocked: his last words from us, if he is here to get them.

Who is not here is told nothing any more: to somebody who is blocked nothing is sent.
"""

from collections.abc import Callable, Sequence
from typing import Any

import trio

from node import speech
from node.core import Core
from protocol.delivery import State
from store import outbox
from store.database import Tx
from store.people import STOPS, Contact, ContactState

PATIENCE_S = 2.0  # that a block waits for them

Word = Callable[[Tx, Contact], Any | None]
"""The content that a room says, None for nothing."""


async def say(core: Core, contact: Contact, words: Sequence[Word]) -> None:
    """Says what rooms have to say, and waits for a moment until it has arrived."""
    is_open = contact.state is ContactState.ACTIVE and contact.alarm != STOPS
    if not is_open or not core.delivery.talks.online(contact.id):
        return

    def post(tx: Tx) -> int | None:
        said = tuple(one for one in (word(tx, contact) for word in words) if one is not None)
        if not said:
            return None
        return speech.say(tx, contact.id, said, core.ground.now_ms(), core.ground.entropy("message"))[-1].seq

    with core.database.watch(frozenset({outbox.CHANGED})) as changes:
        seq = await core.database.transact(post)
        if seq is None:
            return
        core.delivery.stir(contact.id)
        with trio.move_on_after(PATIENCE_S):
            while not await core.database.read(_has_arrived, seq):
                await changes.receive()


def _has_arrived(tx: Tx, seq: int) -> bool:
    row = tx.one("SELECT state FROM message WHERE seq = ?", (seq,))
    return row is None or row[0] == int(State.DELIVERED)
