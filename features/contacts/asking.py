"""The asker's side of /weft/invite/1: follow a link, or an account id, until there is an answer, also across restarts.

An account's record in the DHT gives a link; an invitation's record says where its maker is when he is not where the
link says. The bytes are in protocol/invite.py, the other side in inviting.py, what is asked of the DHT in seeking.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
import trio

from features.contacts import adding, knocking, seeking, view
from features.contacts.content import Introduction
from features.contacts.view import Asking
from node import dialler, finder, frames, ground
from node.bell import Bell
from node.core import Core
from node.network import Address, Link, PeerId, Stream
from protocol import (
    account_record,
    content,
    delivery,
    door_record,
    envelope,
    identity,
    ids,
    invitation_record,
    invite,
    talk,
)
from protocol.faults import PeerFault, Unavailable
from store import devices, outbox, pairs, people, sessions
from store.database import Tx
from store.identity import card, renamed
from store.people import ContactState

DIAL_S = 6.0  # connecting: two repetitions of a lost packet; whoever is elsewhere is found by his record after that
ASK_S = 20.0  # the whole dialogue over a slow link
SEEK_S = (15.0, 600.0)  # between two questions to the DHT, doubling: somebody may be away for days, and each costs
WAIT_S = (300.0, 4 * 3600.0)  # as soon as they have our request: for days, and mostly they are where they were
JITTER = 0.2
AWAY = "the invitation is genuine, its sealed answer was found, but its maker's node is away"
NEXT = "weft tries again by itself"  # what every reason ends with

Answer = tuple[invite.Verdict, tuple[PeerId, Address]]
"""The maker's word, and where he was met."""

log = structlog.get_logger("asking")

_ENDED = {
    invite.Verdict.SPENT: "somebody else used this invitation before; ask for a new one and compare with its maker",
    invite.Verdict.EXPIRED: "the invitation had expired when it reached its maker; ask for a new one",
}


@dataclass
class Trail:
    """What the DHT has said of the one we ask, and when it is asked again (by the clock of trio)."""

    looks: int = 0
    next_at: float = 0.0
    account: account_record.Found | None = None
    invited: invitation_record.Invited | None = None
    doors: door_record.Doors | None = None
    reason: str = ""

    def due(self) -> bool:
        """Whether to ask now; if so, it counts as asked."""
        if trio.current_time() < self.next_at:
            return False
        self.pause(SEEK_S, 0.5)
        return True

    def pause(self, pace_s: tuple[float, float], jitter: float) -> None:
        """Counts as asked. pace_s: the first pause, and the longest. jitter: 0 to 1, random."""
        pause_s = min(pace_s[0] * 2.0 ** min(self.looks, 10), pace_s[1])
        self.next_at = trio.current_time() + pause_s * (1 - JITTER + 2 * JITTER * jitter)
        self.looks += 1


@dataclass
class Asker:
    """Follows links and account ids, one task each. `run` works until cancelled; `follow` starts or wakes one."""

    core: Core
    network_changed: Bell = field(default_factory=Bell)  # rung from outside
    working: set[int] = field(default_factory=set)  # the contacts for whose keepers work is done now
    _bells: dict[int, Bell] = field(default_factory=dict)
    _news: Bell = field(default_factory=Bell)
    _waiting: list[int] = field(default_factory=list)

    def follow(self, contact_id: int) -> None:
        """Starts to follow the link that was stored for this contact, or wakes the task that does."""
        if contact_id in self._bells:
            self._bells[contact_id].ring()
        elif contact_id not in self._waiting:
            self._waiting.append(contact_id)
            self._news.ring()

    async def run(self) -> None:
        """Follows every stored link."""
        for one in await self.core.database.transact(view.askings):
            self.follow(one.contact)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_network)
            while True:
                while self._waiting:
                    contact_id = self._waiting.pop()
                    self._bells[contact_id] = Bell()
                    nursery.start_soon(self._ask, contact_id)
                await self._news.wait()

    async def _heed_network(self) -> None:
        """Tries and looks for everybody as if it were the first time, whenever the network has changed."""
        while True:
            await self.network_changed.wait()
            for bell in self._bells.values():
                bell.ring()

    async def _ask(self, contact_id: int) -> None:
        """Dials until there is an answer; the reason of the last failure is shown with the contact.

        Who has our request and has not decided is looked for from time to time, as he has no record for us alone yet.
        """
        bell = self._bells[contact_id]
        core = self.core
        failures, trail = 0, Trail()
        try:
            while (asking := await core.database.transact(view.asking, contact_id)) is not None:
                if self._is_over(asking):
                    await core.database.transact(self._expire, contact_id)
                    return
                if await core.database.transact(_is_waiting, contact_id):
                    if trio.current_time() >= trail.next_at:
                        await self._find(asking)
                        trail.pause(WAIT_S, ground.jitter(core.ground.entropy("jitter")))
                    with trio.move_on_at(trail.next_at):
                        await bell.wait()
                        trail = Trail()
                    continue
                try:
                    verdict, route = await self._attempt(asking, trail)
                    await core.database.transact(self._answered, contact_id, verdict, *route)
                except (PeerFault, Unavailable) as fault:
                    why = str(fault).rstrip(".")
                    core.delivery.reasons[contact_id] = f"{why}; {NEXT}"
                    log.info("invitation not answered", contact=contact_id, reason=why)
                else:
                    core.delivery.reasons.pop(contact_id, None)
                    core.delivery.found(contact_id, (route[1],))
                    core.delivery.reach(contact_id)
                    failures, trail = 0, Trail()
                    trail.pause(WAIT_S, ground.jitter(core.ground.entropy("jitter")))
                    continue
                failures += 1
                wait_s = delivery.redial_after_s(failures, 1, ground.jitter(core.ground.entropy("jitter")))
                now = trio.current_time()
                look_at = trail.next_at if trail.next_at > now else float("inf")  # a look is not to wait for a dial
                with trio.move_on_at(min(now + wait_s, look_at)):
                    await bell.wait()
                    trail = Trail()  # a person asks again, perhaps by another link, or this is another network
        finally:
            del self._bells[contact_id]

    def _is_over(self, asking: Asking) -> bool:
        if adding.is_account(asking.link):
            return False
        return self.core.ground.now_ms() // 1000 > invite.link_from(asking.link).expiry_s

    async def _attempt(self, asking: Asking, trail: Trail) -> Answer:
        """One attempt, by all that is known. Raises: PeerFault, Unavailable."""
        if adding.is_account(asking.link):
            return await self._ask_account(asking, trail)
        link = invite.link_from(asking.link)
        said = tuple(invite.address_text(one) for one in link.addresses)
        if self.core.bootstrap is not None:
            self.core.bootstrap.meet(PeerId(link.peer), tuple(map(Address, said)))
        try:
            return await self._dialogue(asking, link, said)
        except (PeerFault, Unavailable) as fault:
            if trail.due():
                await self._look(asking, link, trail)
            known = () if trail.invited is None else trail.invited.addresses
            elsewhere = tuple(one for one in known if one not in said)
            if isinstance(fault, PeerFault) and not elsewhere:
                raise
            if trail.invited is None:
                raise Unavailable(await self._leave(asking, link, trail, f"{fault}, and {trail.reason}")) from None
        try:
            return await self._dialogue(asking, link, elsewhere)
        except Unavailable:
            raise Unavailable(await self._leave(asking, link, trail, AWAY)) from None

    async def _look(self, asking: Asking, link: invite.Link, trail: Trail) -> None:
        """One look for an invitation's records; what was found before is kept where there is none now."""
        try:
            trail.invited = await seeking.invitation(self.core, link)
            trail.doors = await seeking.doors(self.core, link, trail.invited.bundle) or trail.doors
        except Unavailable as fault:
            trail.reason = str(fault)
        if trail.doors is None and not await self.core.database.transact(view.knocked, asking.contact):
            said = [invite.address_text(one) for one in link.addresses]
            if (found := await knocking.look(self.core, link, said)) is not None:
                trail.invited, trail.doors = trail.invited or found[0], found[1]

    async def _leave(self, asking: Asking, link: invite.Link | None, trail: Trail, why: str) -> str:
        """Leaves our request at keepers of somebody who is away; returns what a person is told."""

        def introduce(tx: Tx, bundle: identity.Bundle) -> envelope.Init:
            return self._introduce(tx, asking.contact, bundle, asking.greeting)

        known = (link, trail.invited, trail.doors)
        return await knocking.leave_once(self.core, asking.contact, *known, introduce, self.working, why)

    async def _find(self, asking: Asking) -> None:
        """Looks where they are who have our request: delivery dials them there too."""
        core = self.core
        said: Sequence[str]
        try:
            if adding.is_account(asking.link):
                account = await seeking.account(core, ids.account_from(asking.link))
                said = (*account.addresses, *(invite.address_text(one) for one in account.link.addresses))
            else:
                said = (await seeking.invitation(core, invite.link_from(asking.link))).addresses
        except Unavailable as fault:
            log.info("not found", contact=asking.contact, reason=str(fault))
            return
        if addresses := finder.dialable(said, core.network.addresses()):
            core.delivery.found(asking.contact, addresses)

    async def _ask_account(self, asking: Asking, trail: Trail) -> Answer:
        """Makes a request to an account by the link in its record of the day."""
        if is_due := trail.due():
            try:
                trail.account = await seeking.account(self.core, ids.account_from(asking.link))
            except Unavailable as fault:
                trail.reason = str(fault)
        found = trail.account
        if found is None:
            raise Unavailable(await self._leave(asking, None, trail, trail.reason))
        said = (*found.addresses, *(invite.address_text(one) for one in found.link.addresses))
        try:
            return await self._dialogue(asking, found.link, said)
        except (PeerFault, Unavailable) as fault:
            if is_due:
                await self._look(asking, found.link, trail)
            why = f"the account was found in the DHT, but its node does not answer: {fault}"
            raise Unavailable(await self._leave(asking, found.link, trail, why)) from None

    async def _dialogue(self, asking: Asking, link: invite.Link, addresses: Sequence[str]) -> Answer:
        """A dialogue with whoever of those at these addresses made the invitation: one of them may be a keeper of his.

        Raises: PeerFault, Unavailable.
        """
        left, met = list(addresses), list[str]()
        while True:
            try:
                return await self._run_dialogue(asking, link, left, met)
            except (PeerFault, Unavailable):
                others = [one for one in left if one not in met]
                if not others or len(others) == len(left):
                    raise
                left = others

    async def _run_dialogue(
        self, asking: Asking, link: invite.Link, addresses: Sequence[str], met: list[str]
    ) -> Answer:
        """One run of the dialogue. Whoever sits at that address without the secret learns and swaps nothing.

        met: gets the address that answered. Raises: PeerFault, Unavailable.
        """
        if not addresses:
            raise Unavailable("no address of its node is known")
        places = "its address" if len(addresses) == 1 else f"its {len(addresses)} addresses"
        connection: Link | None = None
        with trio.move_on_after(DIAL_S):
            try:
                connection = await dialler.dial(self.core.network, [Address(one) for one in addresses], None)
            except Unavailable as fault:
                raise Unavailable(f"{places}: {dialler.reasons(str(fault))}") from None
        if connection is not None:
            met.append(connection.address)
            try:
                with trio.move_on_after(ASK_S):
                    stream = await connection.open(invite.PROTOCOL)
                    verdict = await self._speak(asking.contact, link, asking.greeting, stream)
                    return verdict, (connection.peer, connection.address)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                    await connection.aclose()
        raise Unavailable(f"{places}: no answer in time")

    async def _speak(self, contact_id: int, link: invite.Link, greeting: str, stream: Stream) -> invite.Verdict:
        core = self.core
        entropy = core.ground.entropy("invite")
        keys = invite.InviteKeys.of(link.secret)
        reader = frames.FrameReader(stream, invite.FRAME_BYTES_MAX)
        nonce = entropy(talk.NONCE_BYTES)
        await frames.write(stream, nonce)
        transcript = talk.transcript(core.network.peer, stream.peer, nonce, await _next(reader))
        await frames.write(stream, invite.asker_mac(keys, transcript))
        raw = await _next(reader)
        bundle = invite.open_answer(keys, transcript, raw, link.account, core.ground.now_ms() // 1000)
        init = await core.database.transact(self._introduce, contact_id, bundle, greeting)
        await frames.write(stream, invite.seal_init(keys, transcript, init, entropy(24)))
        return invite.open_verdict(keys, transcript, await _next(reader))

    def _introduce(self, tx: Tx, contact_id: int, bundle: identity.Bundle, greeting: str) -> envelope.Init:
        """The init with our card. The session is stored before a byte of it leaves, and repeated when asked again."""
        core = self.core
        now_ms, entropy = core.ground.now_ms(), core.ground.entropy("session")
        if people.contact(tx, contact_id).state is ContactState.BLOCKED:
            raise Unavailable("you blocked this contact")  # while he was dialled, or looked for
        _check_not_void(tx, contact_id, bundle.certificate)
        device = devices.add_device(tx, contact_id, bundle.certificate)
        # The same session as before, if nobody has answered in it: a retry, not a second asker.
        sid = sessions.asking(tx, core.identity, device, bundle, now_ms, entropy, core.ground.encapsulate)
        introduction = Introduction(
            card=card(renamed(tx, core.identity), now_ms),
            greeting=greeting,
            addresses=tuple(core.network.addresses())[: talk.ADDRESSES_MAX],
            peer=core.network.peer,
        )
        raw = content.say(
            message_id=ids.new_message_id(now_ms, entropy),
            hlc_ms=now_ms,
            device_seq=0,
            parents=(),
            content=introduction,
        )
        return outbox.seal_init(tx, sid, raw, entropy, now_ms)

    def _answered(self, tx: Tx, contact_id: int, verdict: invite.Verdict, peer: PeerId, address: Address) -> None:
        """The maker's word, and where he was met: he is dialled there from now on."""
        match verdict:
            case invite.Verdict.STORED | invite.Verdict.WAITING:
                contact = people.contact(tx, contact_id)
                if contact.state is ContactState.ACTIVE:
                    pairs.set_aside(tx, contact_id)
                    view.asked(tx, contact_id)
                    return
                if contact.state in (ContactState.ASKED, ContactState.WAITING):
                    stored = verdict is invite.Verdict.STORED
                    people.set_state(
                        tx,
                        contact_id,
                        ContactState.PENDING if stored else ContactState.WAITING,
                        "" if stored else "your request waits for a decision",
                    )
                for device in devices.devices_of(tx, contact_id):
                    devices.set_route(tx, device.id, peer, (address,))
                if not _is_waiting(tx, contact_id):  # else what led to them may have to lead there again
                    view.asked(tx, contact_id)
            case invite.Verdict.SPENT | invite.Verdict.EXPIRED:
                self._end(tx, contact_id, _ENDED[verdict])

    def _expire(self, tx: Tx, contact_id: int) -> None:
        """The invitation has ended. Who has our request by it may still accept, but has no record under it any more."""
        if _is_waiting(tx, contact_id):
            view.asked(tx, contact_id)
        else:
            self._end(tx, contact_id, "the invitation expired before it was answered")

    def _end(self, tx: Tx, contact_id: int, reason: str) -> None:
        is_contact = people.contact(tx, contact_id).state is ContactState.ACTIVE
        people.set_state(tx, contact_id, ContactState.ACTIVE if is_contact else ContactState.REFUSED, reason)
        view.asked(tx, contact_id)


def _check_not_void(tx: Tx, contact_id: int, certificate: identity.Certificate) -> None:
    """Returns unless we know that the account has revoked the device whose bundle this is (case 39).

    One that is not in the list we know is no fault: its account may have been restored. Raises: Revoked.
    """
    newest = people.newest_list(tx, contact_id)
    name = identity.certificate_hash(certificate)
    if newest is None or name in newest.certificates:
        return
    known = devices.device_by_key(tx, certificate.device)
    if (known is not None and known.revoked) or any(one.certificate == name for one in newest.revoked):
        raise identity.Revoked


def _is_waiting(tx: Tx, contact_id: int) -> bool:
    """Whether they have our request, and have not decided."""
    return people.contact(tx, contact_id).state is ContactState.WAITING


async def _next(reader: frames.FrameReader) -> bytes:
    frame = await reader.read()
    if frame is None:
        raise Unavailable("the inviter's node ended the dialogue: the link may be spent, revoked or from another time")
    return frame
