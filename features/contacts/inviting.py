"""The inviter's side of /weft/invite/1: give the bundle, take the init, decide, say so after the commit.

The bytes are in protocol/invite.py, the other side in asking.py.
"""

from dataclasses import dataclass, field

import structlog
import trio

from features.contacts import cards, view
from features.contacts.content import Introduction
from node import frames, speech
from node.core import Core
from node.gate import Gate
from node.network import Stream
from protocol import content, envelope, identity, ids, invite, talk
from protocol.faults import PeerFault, Unavailable
from protocol.knock import Knock
from store import devices, inboxes, invitations, people, sessions
from store.database import Tx
from store.invitations import Invitation
from store.people import ContactState

DIALOGUE_S = 20.0
REFUSAL_DELAY_S = 1.0  # every refusal takes as long and says nothing

log = structlog.get_logger("inviting")
_KINDS = content.Kinds((Introduction,))


class Refused(PeerFault):
    """The asker does not hold the secret of a living invitation."""


@dataclass
class Inviter:
    """Serves those who follow our links."""

    core: Core
    gate: Gate = field(default_factory=Gate)

    async def serve(self, stream: Stream) -> None:
        """One dialogue. Raises: PeerFault, Unavailable; the network closes the stream then."""
        with self.gate.visit(stream.peer), trio.move_on_after(DIALOGUE_S) as deadline:
            await self._serve(stream)
        if deadline.cancelled_caught:
            raise Unavailable("an asker took too long")

    async def _serve(self, stream: Stream) -> None:
        core = self.core
        entropy = core.ground.entropy("invite")
        reader = frames.FrameReader(stream, invite.FRAME_BYTES_MAX)
        nonce = entropy(talk.NONCE_BYTES)
        await frames.write(stream, nonce)
        transcript = talk.transcript(stream.peer, core.network.peer, await _next(reader), nonce)
        mac = await _next(reader)
        async with self.gate.turn():
            living = await core.database.transact(invitations.open_invitations, core.ground.now_ms())
            index = invite.which([invite.InviteKeys.of(one.secret) for one in living], mac, transcript)
        bundle = None if index is None else await core.database.transact(self._fetch, living[index])
        if index is None or bundle is None:
            await trio.sleep(REFUSAL_DELAY_S)
            await frames.write(stream, entropy(32))
            raise Refused
        keys = invite.InviteKeys.of(living[index].secret)
        await frames.write(stream, invite.answer(keys, transcript, bundle, entropy(24)))
        init = invite.open_init(keys, transcript, await _next(reader))
        verdict, contact_id = await core.database.transact(self._decide, living[index], init)
        await frames.write(stream, invite.seal_verdict(keys, transcript, verdict, entropy(24)))
        if contact_id is not None:
            core.delivery.stir(contact_id)

    def knocked(self, tx: Tx, invitation: Invitation, knock: Knock) -> int | None:
        """Takes in what somebody left at a keeper for this invitation, as if he had said it here (invite 6.6).

        Returns the contact to whom an answer waits now. Raises: PeerFault, Unavailable; then nothing of it stays.
        """
        verdict, contact_id = self._decide(tx, invitation, knock.init)
        if knock.inbox is not None and verdict in (invite.Verdict.STORED, invite.Verdict.WAITING):
            device = devices.device_by_key(tx, knock.init.certificate.device)
            assert device is not None
            told = knock.inbox
            inboxes.take(tx, device.id, told.version, told.lines, self.core.ground.entropy("mailbox"))
        return contact_id

    def _fetch(self, tx: Tx, invitation: Invitation) -> identity.Bundle | None:
        core = self.core
        return invitations.fetched(tx, core.identity, invitation, core.ground.now_ms(), core.ground.entropy("prekeys"))

    def _decide(self, tx: Tx, invitation: Invitation, init: envelope.Init) -> tuple[invite.Verdict, int | None]:
        """All that an init changes, in one transaction (invite 4). Raises: PeerFault when anything in it is forged."""
        core = self.core
        now_ms = core.ground.now_ms()
        account = ids.AccountId(init.certificate.account)
        identity.check_certificate(init.certificate, account, now_ms // 1000)
        known = people.by_account(tx, account)
        if known is not None and known.state is ContactState.BLOCKED:
            return invite.Verdict.SPENT, None
        verdict = invitations.spend(tx, invitation, account, now_ms)
        if verdict in (invite.Verdict.SPENT, invite.Verdict.EXPIRED):
            return verdict, None
        if verdict is invite.Verdict.WAITING and known is None and people.count_requests(tx) >= invite.REQUESTS_MAX:
            raise Unavailable("too many requests wait for a decision already")
        contact = known or people.add_contact(tx, account, "", ContactState.REQUEST, "", now_ms)
        if contact.state is ContactState.REFUSED:
            people.set_state(tx, contact.id, ContactState.REQUEST, "")
        device = devices.add_device(tx, contact.id, init.certificate)
        opened = sessions.answer_init(tx, core.identity, device, init, now_ms)
        introduction = _KINDS.hear(opened.plaintext, content.Channel.INIT).content
        if not isinstance(introduction, Introduction):
            raise Refused  # and nothing of this transaction stays
        view.check_card(tx, contact, introduction.card, device.device, now_ms)
        newest = people.newest_list(tx, contact.id)
        assert newest is not None
        identity.check_listed(init.certificate, newest, now_ms // 1000)  # his list may not follow the pinned one
        people.set_greeting(tx, contact.id, introduction.greeting)
        devices.set_route(tx, device.id, introduction.peer, introduction.addresses)
        if verdict is invite.Verdict.WAITING and contact.state in (ContactState.REQUEST, ContactState.REFUSED):
            tx.changed(view.REQUESTED, contact.id)
            return verdict, None
        people.set_state(tx, contact.id, ContactState.ACTIVE, "")
        view.asked(tx, contact.id)
        entropy = core.ground.entropy("message")
        words = cards.welcome(tx, core.identity, contact.id, now_ms, core.ground.entropy("pair"))
        speech.say(tx, contact.id, (words,), now_ms, entropy)
        return invite.Verdict.STORED, contact.id


async def _next(reader: frames.FrameReader) -> bytes:
    frame = await reader.read()
    if frame is None:
        raise Unavailable("the asker ended the dialogue")
    return frame
