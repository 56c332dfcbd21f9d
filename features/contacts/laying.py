"""The records of our invitations that lie at our keepers, so that askers come to our doors there while we are away.

They hold for two weeks, and are made anew when what they say changes, and each day. Those of the DHT, which hold for a
day, are made in publishing.py; who lays these is node/keep. docs/protocol/rendezvous.md 5.4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crypto.keys import Entropy
from node.core import Core
from node.keep import strangers
from protocol import door_record, invitation_record, invite, record, rendezvous
from protocol.door_record import Doors
from protocol.invitation_record import Invited
from store import doors, invitations
from store.database import Tx
from store.invitations import Invitation


class _Made(NamedTuple):
    said: tuple[bytes, bytes, int]  # keys, content, day
    sequence: int
    raw: bytes


@dataclass
class Laying:
    """What shall lie at our keepers now."""

    core: Core
    _made: dict[bytes, _Made] = field(default_factory=dict)

    def records(self, tx: Tx) -> dict[bytes, bytes]:
        """The records by name: of each invitation that nobody has spent, its answer and its doors."""
        core = self.core
        now_ms = core.ground.now_ms()
        bits = strangers.bits_of(tx)
        made: dict[bytes, _Made] = {}
        for one in doors.open_invitations(tx, now_ms, bits) if doors.places(tx) else ():
            if one.spent_by is None:
                for keys, said in self._of(tx, one, bits, now_ms):
                    made[keys.name.public] = self._record(keys, said, now_ms // 1000)
        self._made = made
        return {name: one.raw for name, one in made.items()}

    def _of(
        self, tx: Tx, one: Invitation, bits: int, now_ms: int
    ) -> tuple[tuple[rendezvous.Keys, Invited], tuple[rendezvous.Keys, Doors]]:
        core = self.core
        bundle = invitations.current_bundle(tx, core.identity, one, now_ms, core.ground.entropy("prekeys"))
        answers = invitation_record.keys_of(invite.InviteKeys.of(one.secret), rendezvous.LAID_EPOCH)
        where = (core.network.peer, tuple(core.network.addresses()[: rendezvous.ADDRESSES_MAX]))
        said = invitation_record.answer(answers, core.identity.device_key, bundle, *where)
        named = door_record.keys_of(one.secret, rendezvous.LAID_EPOCH)
        return (answers, said), (named, told(core, tx, one, named, bits))

    def _record(self, keys: rendezvous.Keys, said: Invited | Doors, now_s: int) -> _Made:
        today = rendezvous.epoch_of(now_s)
        saying = (keys.seal, record.encode(said), today)
        known = self._made.get(keys.name.public)
        if known is not None and known.said == saying:
            return known
        entropy: Entropy = self.core.ground.entropy("laying")
        signer = rendezvous.appoint(keys.name, today + rendezvous.LAID_DAYS, entropy(32))
        sequence = rendezvous.next_sequence(now_s, None if known is None else known.sequence)
        return _Made(saying, sequence, rendezvous.write(signer, keys.seal, said, sequence, entropy(24)))


def endpoints(tx: Tx, own: Sequence[str], reached: frozenset[int]) -> tuple[invite.Endpoint, ...]:
    """The addresses of a link: the nearest of our own, and where a keeper is at which one may knock; at most two.

    reached: the keepers with which we are connected. Another one may be somewhere else by now.
    """
    mine = invite.addresses_of(own)
    nearest = sorted(doors.keepers_of(tx), key=lambda keeper: keeper.id not in reached)
    others = [one for keeper in nearest for one in invite.addresses_of(keeper.addresses) if one not in mine]
    return (*mine[: invite.ADDRESSES_MAX - bool(others)], *others)[: invite.ADDRESSES_MAX]


def told(core: Core, tx: Tx, one: Invitation, named: rendezvous.Keys, bits: int) -> Doors:
    """Where to knock for an invitation, by the record under these keys. There is a keeper at which one can."""
    key = doors.key_of(tx, one, core.ground.entropy("inbox"))
    asked = bits if doors.is_reserved(tx, one) else 0
    return door_record.tell(named, core.identity.device_key, key.public, asked, doors.places(tx))
