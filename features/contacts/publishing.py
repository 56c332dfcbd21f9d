"""Leaves in the DHT what strangers find us by: the account's record, the answers to invitations, the claim to a handle.

It compares what should lie there with what it has put: at the start, every five minutes, when it is told to, and as
soon as our addresses may be other ones: whoever is behind a NAT has a relay some seconds after his first invitation.
What is new or changed is put at once, everything again after half a day, tomorrow's within an hour of 22:00 UTC. What
should not lie there any more is not put again, and ends at midnight. Not here: presence (node/finder.py), bytes
(protocol/).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
import trio

from features.contacts import seeking
from features.contacts.laying import Laying, told
from node import config
from node.bell import Bell
from node.core import Core
from node.ground import jitter
from node.keep import strangers
from node.lookup import Lookup
from protocol import account_record, door_record, handle_record, invitation_record, invite, record, rendezvous
from protocol.faults import PeerFault, Unavailable
from protocol.handle_record import Claim
from protocol.identity import Bundle
from protocol.rendezvous import Keys, Signer
from store import doors, findable, invitations, settings
from store.database import Tx
from store.faults import TooManyInvitations
from store.identity import renamed
from store.invitations import Invitation

LOOK_S = 300.0  # for what rings no bell: an invitation that is over, a new day
AGAIN_S = 12 * 3600.0  # those who keep a record come and go
SPREAD = 0.2  # of AGAIN_S, to both sides
LATE_S_MAX = 3600.0  # so that not everybody in the world puts tomorrow's records in one second
PUT_S = 60.0  # one record, over a slow network with dead peers in the tables
FAILURES_MAX = 3  # of one round
RETRY_S = (2.0, 5.0, 10.0, 30.0, 60.0)  # after the first round in a row that failed, the second, …
ADDRESSES_MAX = rendezvous.ADDRESSES_MAX

log = structlog.get_logger("publishing")


@dataclass(frozen=True, slots=True)
class Notice:
    """A record that should lie in the DHT. by: its signer, or the keys that appoint one. seal: makes its bytes."""

    name: bytes
    epoch: int
    by: Signer | Keys
    says: bytes
    seal: Callable[[Signer, int, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Placed:
    """A record as it was put. again_at: by the clock of trio."""

    epoch: int
    says: bytes
    sequence: int
    again_at: float


@dataclass
class Publisher:
    """Keeps our records in the DHT. `run` works until cancelled; `bell` makes it look at once.

    bell: rung when an invitation was made or withdrawn, a setting of find or dht is another one, or our addresses are.
    """

    core: Core
    bell: Bell = field(default_factory=Bell)
    laying: Laying = field(init=False)
    _placed: dict[bytes, Placed] = field(default_factory=dict)
    _stretched: tuple[str, int, bytes] = ("", -1, b"")

    def __post_init__(self) -> None:
        self.laying = Laying(self.core)

    async def run(self) -> None:
        """Publishes until cancelled."""
        chance = self.core.ground.entropy("publishing")
        late_s = int(LATE_S_MAX * jitter(chance))
        failed = 0  # rounds in a row
        while True:
            try:
                failed = failed + 1 if await self._look(late_s) else 0
            except (Unavailable, trio.TooSlowError) as fault:
                log.info("not published", reason=str(fault) or "no answer in time")
                failed += 1
            pause_s = RETRY_S[min(failed, len(RETRY_S)) - 1] if failed else LOOK_S
            with trio.move_on_after(pause_s * (1 - SPREAD + 2 * SPREAD * jitter(chance))):
                await self.bell.wait()
                failed = 0

    async def _look(self, late_s: int) -> int:
        """Puts what is new, changed or half a day old; returns how many could not be put.

        Raises: Unavailable, TooSlowError, the rest left for later.
        """
        core = self.core
        now_s = core.ground.now_ms() // 1000
        epochs = [e for e in rendezvous.epochs_published(now_s - late_s) if rendezvous.ends_s(e) > now_s]
        self._placed = {name: one for name, one in self._placed.items() if rendezvous.ends_s(one.epoch) > now_s}
        handle, notices, laid = await core.database.transact(self._notices, epochs)
        if laid != core.collector.reception.strangers.records:
            core.collector.reception.strangers.records = laid
            core.collector.tend()
        lookup = core.lookup
        if lookup is None:
            return 0
        failures = 0
        for notice in notices:
            failures = await self._keep(lookup, notice, failures)
        for epoch in epochs if handle else ():
            failures = await self._keep(lookup, await self._claim(handle, epoch), failures)
        return failures

    async def _keep(self, lookup: Lookup, notice: Notice, failures: int) -> int:
        """Puts a record if it is new, has changed or is half a day old; returns how many have failed in this round.

        Raises: Unavailable, TooSlowError for the third: then it is not this one's neighbours who are away.
        """
        before = self._placed.get(notice.name)
        if before is None or before.says != notice.says or trio.current_time() >= before.again_at:
            try:
                with trio.fail_after(PUT_S):
                    await self._put(lookup, notice, before)
            except (Unavailable, trio.TooSlowError):
                if failures + 1 >= FAILURES_MAX:
                    raise
                return failures + 1
        return failures

    async def _put(self, lookup: Lookup, notice: Notice, before: Placed | None) -> None:
        core = self.core
        entropy = core.ground.entropy("publishing")
        key = rendezvous.dht_key(notice.name)
        known = before.sequence if before is not None else await self._sequence(lookup, key)
        now_s = core.ground.now_ms() // 1000
        if rendezvous.ends_s(notice.epoch) <= now_s:
            return  # midnight has passed while others were put
        sequence = rendezvous.next_sequence(now_s, known)
        by = notice.by
        signer = by if isinstance(by, Signer) else rendezvous.appoint(by.name, notice.epoch, entropy(32))
        await lookup.put(key, notice.seal(signer, sequence, entropy(24)))
        again_at = trio.current_time() + AGAIN_S * (1 - SPREAD + 2 * SPREAD * jitter(entropy))
        self._placed[notice.name] = Placed(notice.epoch, notice.says, sequence, again_at)

    async def _sequence(self, lookup: Lookup, key: bytes) -> int | None:
        """What we, or another device of ours, put there before this start."""
        raw = await lookup.get(key)
        if raw is None:
            return None
        try:
            return rendezvous.check(key, raw, self.core.ground.now_ms() // 1000).sequence
        except PeerFault:
            return None  # whoever keeps it keeps garbage; ours takes its place

    # --- what should lie there

    def _notices(self, tx: Tx, epochs: list[int]) -> tuple[str, list[Notice], dict[bytes, bytes]]:
        """The handle that is set, the records of the account and of invitations that live, and what lies at keepers."""
        core = self.core
        now_ms = core.ground.now_ms()
        values = config.effective(settings.all_set(tx))
        peer, addresses = core.network.peer, tuple(core.network.addresses()[:ADDRESSES_MAX])
        notices: list[Notice] = []
        if values["find.account"] is not True:
            findable.withdraw(tx)
        if core.lookup is None:
            return "", [], self.laying.records(tx)
        if values["find.account"] is True:
            notices += self._accounts(tx, epochs, peer, addresses)
        bits, has_doors = strangers.bits_of(tx), bool(doors.places(tx))
        # What the account's record names answers there itself; only its doors need more (rendezvous 5.4).
        for one in doors.open_invitations(tx, now_ms, bits if has_doors else 0):
            if one.spent_by is None:
                entropy = core.ground.entropy("prekeys")
                bundle = invitations.current_bundle(tx, core.identity, one, now_ms, entropy)
                notices += [self._invited(one, bundle, epoch, peer, addresses) for epoch in epochs]
                if has_doors:
                    notices += [self._doors(tx, one, bits, epoch) for epoch in epochs]
        return str(values["find.handle"]), notices, self.laying.records(tx)

    def _accounts(self, tx: Tx, epochs: list[int], peer: bytes, addresses: tuple[str, ...]) -> list[Notice]:
        core = self.core
        now_ms, me = core.ground.now_ms(), core.identity
        findable.certify_ahead(tx, me, now_ms // 1000, core.ground.entropy("days"))
        try:
            made = findable.invitation(tx, me, now_ms, core.ground.entropy("invitation"))
        except TooManyInvitations:
            return []  # and every other room of this node is as full
        near = invite.addresses_of(addresses)[: invite.ADDRESSES_MAX]
        link = invite.Link(True, made.expires_s, me.account, made.secret, peer, near)
        said = account_record.Findable(invite.link_bytes(link), peer, addresses)
        notices = []
        for epoch in epochs:
            signer = findable.signer_of(tx, epoch)
            assert signer is not None  # 30 days at least are certified

            def seal(signer: Signer, sequence: int, nonce: bytes, epoch: int = epoch) -> bytes:
                return account_record.seal(signer, me.account, epoch, said, sequence, nonce)

            notices.append(Notice(signer.name, epoch, signer, record.encode(said), seal))
        return notices

    def _invited(
        self, invitation: Invitation, bundle: Bundle, epoch: int, peer: bytes, addresses: tuple[str, ...]
    ) -> Notice:
        keys = invitation_record.keys_of(invite.InviteKeys.of(invitation.secret), epoch)
        said = invitation_record.answer(keys, self.core.identity.device_key, bundle, peer, addresses)

        def seal(signer: Signer, sequence: int, nonce: bytes) -> bytes:
            return invitation_record.seal(signer, keys, said, sequence, nonce)

        return Notice(keys.name.public, epoch, keys, record.encode(said), seal)

    def _doors(self, tx: Tx, invitation: Invitation, bits: int, epoch: int) -> Notice:
        keys = door_record.keys_of(invitation.secret, epoch)
        said = told(self.core, tx, invitation, keys, bits)

        def seal(signer: Signer, sequence: int, nonce: bytes) -> bytes:
            return door_record.seal(signer, keys, said, sequence, nonce)

        return Notice(keys.name.public, epoch, keys, record.encode(said), seal)

    async def _claim(self, handle: str, epoch: int) -> Notice:
        """The claim to a handle. Raises: Unavailable when there is no memory for Argon2id now."""
        me = await self.core.database.transact(renamed, self.core.identity)
        month = handle_record.month_of(epoch)
        if self._stretched[:2] != (handle, month):
            self._stretched = (handle, month, await seeking.stretch(self.core.ground, handle, month))
        keys = handle_record.keys_of(self._stretched[2], handle_record.slot_of(me.account, month), epoch)
        said = Claim(me.account, me.name)

        def seal(signer: Signer, sequence: int, nonce: bytes) -> bytes:
            return handle_record.seal(signer, keys, said, sequence, nonce)

        return Notice(keys.name.public, epoch, keys, record.encode(said), seal)
