"""Which logs a peer may know, how far, and whether with what they say: asked when a session begins, and at each news.

A log of ours goes to the readers to whom it was granted, as far as its desk allows; what others write to whoever names
it by its tag, which takes its secret. Of a spine nobody gets more than the headers. Not here: who was granted what
(store/spaces.py), how far our own may be shown (desks.py).
"""

from dataclasses import dataclass, field

from node.logs.desks import Desks
from protocol import sync
from protocol.grant import Role
from protocol.log import Head
from protocol.sync import Shared
from store import authoring, entries, logs, spaces
from store.database import Tx
from store.spaces import Space

HEADERS_ALONE = frozenset({Role.SPINE})  # a witness needs no more, and learns no more (spine 1.4)


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of a node.

    known: logs by number, the same objects for all sessions: nothing changes of what they are asked for.
    """

    desks: Desks
    known: dict[int, Space] = field(default_factory=dict)

    def shared(self, tx: Tx, contact_id: int, account: bytes) -> tuple[tuple[Space, Shared], ...]:
        """The logs of which a contact may know, at most 40,000, as he may be shown them now."""
        found = []
        for now in spaces.known_to(tx, contact_id, sync.LOGS_MAX):
            one = self.known.setdefault(now.log.number, now)
            proof = logs.proof(tx, now.log.number) if now.log.state is logs.State.FROZEN else None
            said = Shared(
                log=one.log.id,
                author=one.log.author,
                secret=one.log.secret,
                with_contents=one.role not in HEADERS_ALONE,
                own=one.log.own,
                head=self.head(tx, one, account),
                proof=proof,
            )
            found.append((one, said))
        return tuple(found)

    def head(self, tx: Tx, one: Space, account: bytes) -> Head | None:
        """The newest entry of a log that an account may be shown now."""
        if not one.log.own:
            return entries.head(tx, one.log.number)
        return authoring.head_shown(tx, one.log.number, self.desks.shown_to(one.log.number, account))

    def ids(self, tx: Tx, contact_id: int) -> set[bytes]:
        """The ids of the logs of which a contact may know."""
        return {one.log.id for one in spaces.known_to(tx, contact_id, sync.LOGS_MAX)}
