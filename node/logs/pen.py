"""What rooms do with logs of our own: begin one, write into one, begin its successor. Each is durable on return.

What is written goes to the log's anchor first and then to all its readers (docs/protocol/spine.md 6), whenever they are
here. Not here: what is said (the rooms), when it may be shown (desks.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.inward import Inward
from node.logs.desks import Desks
from protocol.entry import Entry
from protocol.grant import Role
from store import authoring, spaces
from store.database import Tx
from store.spaces import Space

BRIEF_MAX = 4  # entries that are written at once instead of waking the database's thread


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes into our own logs."""

    inward: Inward
    desks: Desks

    async def begin(self, role: Role, name: str, readers: Sequence[int], anchor: bytes) -> Space:
        """A new log for these contacts, who are told. anchor: the account of one of them, who gets each entry first."""
        me, entropy = self.inward.identity, self.inward.ground.entropy("logs")

        def make(tx: Tx) -> Space:
            secret = entropy(authoring.SECRET_BYTES)
            return spaces.begin(tx, me.device, role, name, secret, 0, anchor, readers, 0, self.inward.now())

        return await self.inward.database.transact(make)

    async def write(self, number: int, said: Sequence[bytes]) -> tuple[Entry, ...]:
        """Appends entries that say this to a log of ours, all or none. Raises: LogFrozen, OverLimit."""
        key, entropy = self.inward.identity.device_key, self.inward.ground.entropy("logs")

        def append(tx: Tx) -> tuple[Entry, ...]:
            return authoring.write(tx, spaces.space(tx, number), said, key, self.inward.now(), entropy)

        database = self.inward.database
        return await (database.brief if len(said) <= BRIEF_MAX else database.transact)(append)

    async def reopen(self, number: int, anchor: bytes | None, without: frozenset[int] = frozenset()) -> None:
        """Begins the successor of a log: its anchor is not waited for, or these readers shall read on no more.

        anchor: an account, None for any.
        """
        await self.desks.give_up(number, anchor, without)
