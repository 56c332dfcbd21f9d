"""What talks and rooms ask of the database: take envelopes in, say something, seal what waits, heal a session.

Each is one transaction. Everything that must be true together is written together here: the ratchet, the message, what
a room made of it, and the answers that the room gives at once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from node import channel, ground, speech
from node.feature import Feature
from node.ground import Ground
from node.window import Room
from protocol import attestation, content, grant, ids, mailbox, receipt, talk
from protocol import carrying as carrying_contents
from protocol import identity as documents
from protocol.faults import Expired
from store import (
    beheld,
    carried,
    carrying,
    collecting,
    devices,
    handovers,
    healing,
    inbox,
    inboxes,
    intake,
    lanes,
    outbox,
    pairs,
    people,
    sessions,
    spaces,
    witnessing,
)
from store.database import Database, Tx
from store.devices import Device
from store.identity import Identity
from store.outbox import NeedBundle, Outgoing

BRIEF_MAX = 4  # messages in one job that is done at once instead of waking the database's thread: about 1 ms
NONCES_BYTES = 48  # that one sealing draws
NONCES_MAX = 64  # sealings for which chance is drawn at once: as many as one call of the local API posts, mostly


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome of a batch: which envelopes (by index) could not be read yet, and whether something now waits."""

    held: tuple[int, ...]
    unreadable: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Inward:
    """The transactions that every talk of a node shares."""

    ground: Ground
    database: Database
    identity: Identity
    kinds: content.Kinds
    features: tuple[Feature, ...]

    def now(self) -> int:
        return self.ground.now_ms()

    def entropy(self, count: int) -> bytes:
        return self.ground.entropy("session")(count)

    def introduction(self) -> talk.Introduction:
        """Who we are, for the channel proof."""
        return talk.Introduction(self.identity.certificate, self.identity.lists[-documents.LISTS_MAX :])

    async def say(
        self,
        contact_id: int,
        contents: tuple[Any, ...],
        rooms: Mapping[int, Room],
        follow: speech.Follow,
        expire_s: int | None,
    ) -> tuple[tuple[speech.Spoken, ...], dict[int, tuple[Outgoing, ...] | NeedBundle]]:
        """Posts contents and seals for the devices that are connected, each as many as its window takes (`rooms`)."""

        def both(tx: Tx) -> tuple[tuple[speech.Spoken, ...], dict[int, tuple[Outgoing, ...] | NeedBundle]]:
            now_ms = self.now()
            spoken = speech.say(tx, contact_id, contents, now_ms, self.ground.entropy("message"), expire_s)
            follow(tx, spoken)
            return spoken, {device: self._seal(tx, device, room) for device, room in rooms.items() if room.envelopes}

        if len(contents) <= BRIEF_MAX:
            return await self.database.brief(both)
        return await self.database.transact(both)

    async def seal(self, device_id: int, room: Room) -> tuple[Outgoing, ...] | NeedBundle:
        """Seals what waits for a device, oldest first, as much as there is room for."""
        return await self.database.transact(self._seal, device_id, room)

    def _seal(self, tx: Tx, device_id: int, room: Room) -> tuple[Outgoing, ...] | NeedBundle:
        return outbox.seal(
            tx,
            self.identity,
            device_id,
            room.envelopes,
            room.bytes,
            self.now(),
            ground.ahead(self.entropy, NONCES_BYTES * min(room.envelopes, NONCES_MAX)),
            self.ground.encapsulate,
        )

    async def take(
        self, device_id: int, envelopes: tuple[bytes, ...], acked: tuple[int, ...], held: tuple[int, ...]
    ) -> Taken:
        """Takes in what came together: acknowledgements (tickets) and envelopes. On return it may be acknowledged."""

        def both(tx: Tx) -> Taken:
            if acked or held:
                outbox.acked(tx, device_id, acked, held, self.now())
            return self._take(tx, device_id, envelopes) if envelopes else Taken((), False, False)

        if len(envelopes) <= BRIEF_MAX and len(acked) <= BRIEF_MAX:
            return await self.database.brief(both)
        return await self.database.transact(both)

    def _take(self, tx: Tx, device_id: int, envelopes: tuple[bytes, ...]) -> Taken:
        answers = _Answers(self)
        rooms, now_ms = inbox.Rooms(self.kinds, answers.appliers()), self.now()
        took = inbox.accept(tx, rooms, self.identity, device_id, envelopes, now_ms)
        if took.read:  # held before, readable now: the stream said `held`, only a receipt says `delivered`
            contact_id = devices.device(tx, device_id).contact
            answers.owe(tx, contact_id, took.read[: receipt.IDS_MAX], now_ms)
        return Taken(took.held, took.unreadable, answers.given > 0 or took.renewed)

    def collect(self, tx: Tx, contact_id: int, parcels: Sequence[collecting.Collected]) -> bool:
        """Takes in what a contact left at keepers, and owes him a receipt for all of it; whether some is unreadable."""
        answers, now_ms = _Answers(self), self.now()
        rooms = inbox.Rooms(self.kinds, answers.appliers())
        unreadable = False
        for _, took in collecting.take(tx, rooms, self.identity, contact_id, parcels, now_ms):
            answers.owe(tx, contact_id, tuple(dict.fromkeys((*took.heard, *took.read))), now_ms)
            unreadable = unreadable or took.unreadable
        return unreadable

    async def requeue_held(self, device_id: int) -> bool:
        """Whether something that the other end holds and cannot read is sent again; mostly there is nothing."""
        if not await self.database.read(lanes.has_held, device_id):
            return False
        return bool(await self.database.transact(outbox.requeue_held, device_id, self.now()))

    async def retry_unheard(self) -> None:
        """Hears again what an older version could not understand (style: Database)."""

        def retry(tx: Tx) -> None:
            inbox.retry_unheard(tx, inbox.Rooms(self.kinds, _Answers(self).appliers()), self.now())

        await self.database.transact(retry)

    async def meet(self, proven: channel.Proven) -> Device:
        """The device at the other end of a proven channel. Raises: PeerFault (a false, revoked or forked identity)."""

        def met(tx: Tx) -> Device | people.Refusal:
            introduction = proven.introduction
            found = people.meet(tx, proven.contact, introduction.certificate, introduction.lists, self.now())
            if isinstance(found, Device) and proven.epoch > 0:
                # The secret of the pair has proven a channel, so the other side has it: store 3.
                pairs.pair_secret_taken(tx, proven.contact, proven.epoch, self.now())
                pairs.forget_boot(tx, proven.contact)
            return found

        found = await self.database.transact(met)
        if isinstance(found, people.Refusal):
            raise found.reason
        return found

    async def seen(self, contact_id: int) -> bool:
        """Keeps when a contact was last here and tells watchers; False where he may not be here (blocked meanwhile)."""

        def saw(tx: Tx) -> bool:
            if people.contact(tx, contact_id).state in pairs.CLOSED:
                return False
            people.saw(tx, contact_id, self.now())
            tx.changed(people.CHANGED, contact_id)
            return True

        return await self.database.transact(saw)

    async def parted(self, device: Device, acked: tuple[int, ...], held: tuple[int, ...]) -> None:
        """The talk with a device has ended: what was not acknowledged waits again, and watchers are told."""

        def end(tx: Tx) -> None:
            outbox.acked(tx, device.id, acked, held, self.now())
            outbox.requeue(tx, device.id)
            people.saw(tx, device.contact, self.now())
            tx.changed(people.CHANGED, device.contact)

        await self.database.transact(end)

    async def own_bundle(self, device_id: int) -> documents.Bundle:
        """A fresh bundle of ours for a device."""

        def make(tx: Tx) -> documents.Bundle:
            devices.bundle_given(tx, device_id, self.now())
            return sessions.own_bundle(tx, self.identity, self.now(), self.entropy)

        return await self.database.transact(make)

    async def take_bundle(self, device: Device, bundle: documents.Bundle) -> bool:
        """Keeps a bundle for the next session with a device; False where our clock says that its time is not now.

        Raises: PeerFault (another device's, forged).
        """
        try:
            await self.database.transact(sessions.store_bundle, device.id, bundle, self.now())
        except (Expired, documents.TooLongLived):
            return False
        return True

    async def restart(self, device_id: int) -> healing.Healing:
        """Starts a new session with a device whose mail stays unreadable, when it is time (sessions 4)."""
        reason = await self.database.read(healing.verdict, device_id, self.now())
        if reason is not None:
            return reason

        def heal(tx: Tx) -> healing.Healing:
            return sessions.heal(tx, self.identity, device_id, self.now(), self.entropy, self.ground.encapsulate)

        return await self.database.transact(heal)


class _Answers:
    """Posts what a room answers in the transaction of what it answers to."""

    def __init__(self, inward: Inward) -> None:
        self._inward = inward
        self.given = 0

    def appliers(self) -> dict[int, inbox.Apply]:
        """What is done with an arrival, by kind: its room's apply, and posting what that answers."""
        found: dict[int, inbox.Apply] = {
            receipt.Receipt.KIND: _receive,
            grant.Grant.KIND: spaces.granted,
            grant.Cosigned.KIND: witnessing.cosigned,
            grant.Committed.KIND: _committed,
            grant.Handover.KIND: handovers.heard,
            attestation.Behold.KIND: self._behold,
            attestation.Beheld.KIND: beheld.heard,
            mailbox.Inbox.KIND: self._told_inbox,
            mailbox.Prekeys.KIND: _given,
            carrying_contents.Carried.KIND: self._carried,
            carrying_contents.Holding.KIND: carrying.heard,
        }
        for feature in self._inward.features:
            applier = self._applier(feature)
            for what in feature.contents:
                found[what.KIND] = applier  # type: ignore[attr-defined]
        return found

    def give(self, tx: Tx, contact_id: int, answers: tuple[Any, ...], now_ms: int) -> None:
        """Posts answers in this transaction."""
        speech.say(tx, contact_id, answers, now_ms, self._inward.ground.entropy("message"))
        self.given += len(answers)

    def owe(self, tx: Tx, contact_id: int, message_ids: Sequence[ids.MessageId], now_ms: int) -> None:
        """Posts receipts, but for a contact to whom nothing is said now (case 34): his node sends the same again."""
        if people.contact(tx, contact_id).alarm == people.STOPS:
            return
        for start in range(0, len(message_ids), receipt.IDS_MAX):
            self.give(tx, contact_id, (receipt.Receipt(tuple(message_ids[start : start + receipt.IDS_MAX])),), now_ms)

    def _told_inbox(self, tx: Tx, arrival: inbox.Arrival) -> None:
        """Where the device can be left mail."""
        said = arrival.said.content
        assert isinstance(said, mailbox.Inbox)
        inboxes.take(tx, arrival.device.id, said.version, said.lines, self._inward.ground.entropy("mailbox"))

    def _behold(self, tx: Tx, arrival: inbox.Arrival) -> None:
        """Somebody asks when this node has seen something: it says so at once, by its own device."""
        word = beheld.answer(tx, arrival, self._inward.identity.device_key)
        if word is not None:
            self.give(tx, arrival.contact.id, (word,), arrival.now_ms)

    def _carried(self, tx: Tx, arrival: inbox.Arrival) -> None:
        """Entries of a log, of which we shall say what we hold then."""
        carried.take(tx, arrival, self._inward.identity, self._inward.ground.entropy("logs"))

    def _applier(self, feature: Feature) -> Callable[[Tx, inbox.Arrival], None]:
        def apply(tx: Tx, arrival: inbox.Arrival) -> None:
            answers = feature.apply(tx, arrival)
            if answers:
                self.give(tx, arrival.contact.id, answers, arrival.now_ms)

        return apply


def _committed(tx: Tx, arrival: inbox.Arrival) -> None:
    """A contact's spine commits to a log of his: what contradicts it is proven, and the person is warned."""
    proof = witnessing.committed(tx, arrival)
    if proof is not None:
        intake.freeze(tx, proof, arrival.now_ms)


def _given(tx: Tx, arrival: inbox.Arrival) -> None:
    """A bundle for the next session; one that our clock cannot take now is forgotten, as on a talk."""
    said = arrival.said.content
    assert isinstance(said, mailbox.Prekeys)
    with suppress(Expired, documents.TooLongLived):
        sessions.store_bundle(tx, arrival.device.id, said.bundle, arrival.now_ms)


def _receive(tx: Tx, arrival: inbox.Arrival) -> None:
    """A receipt for held mail. Names that this device is not waited for are ignored (case 36b)."""
    assert isinstance(arrival.said.content, receipt.Receipt)
    message_ids = tuple(map(ids.MessageId, arrival.said.content.ids))
    outbox.received_receipt(tx, arrival.device.id, message_ids, arrival.now_ms)
