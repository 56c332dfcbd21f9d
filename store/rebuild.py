"""Folds a room's tables anew from the messages that are kept.

A view is derived: dropped and folded again it must be the same (docs/protocol/store.md 7). Raw contents that nobody
understood yet are heard again by inbox.retry_unheard.
"""

from collections.abc import Sequence

import outcome

from protocol.content import Channel
from protocol.faults import PeerFault
from store import devices, people
from store.database import Tx
from store.inbox import Arrival, Rooms

PAGE = 500  # messages read at a time


def refold(tx: Tx, rooms: Rooms, tables: Sequence[str], kinds: Sequence[int]) -> int:
    """Empties the tables of a room and applies its kinds again, in the order of arrival; returns how many were applied.

    tables: names from the code, never from outside. What a room does not apply now stays as it is in `unheard`.
    """
    for table in tables:
        tx.execute(f'DELETE FROM "{table}"')
    wanted = ",".join(str(kind) for kind in kinds)
    after, count = 0, 0
    while page := tx.all(
        "SELECT seq, device, arrived_ms, body FROM message"
        f" WHERE seq > ? AND device != 0 AND kind IN ({wanted}) ORDER BY seq LIMIT {PAGE}",
        (after,),
    ):
        for seq, device_id, arrived_ms, body in page:
            after = seq
            try:
                said = rooms.kinds.hear(body, Channel.RATCHET)
            except PeerFault:
                continue  # it came before this version knew its kind, and is not of its shape
            apply = rooms.apply.get(said.kind)
            if said.content is None or apply is None:
                continue
            device = devices.device(tx, device_id)
            arrival = Arrival(people.contact(tx, device.contact), device, seq, said, Channel.RATCHET, arrived_ms)
            count += isinstance(tx.attempt(apply, tx, arrival), outcome.Value)
    return count
