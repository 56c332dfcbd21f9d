"""What a person can do with red packets, and what a node does about them by itself.

    send: the shares are drawn and promised, and each named contact is told      open: a claim
    run : claim after claim is granted and paid in one transaction; at the end the record is told

Claims are rows before they are acknowledged, and what answers one is written together with its offer: a node that dies
anywhere gives nobody two shares and forgets nobody. Not here: which share (judging.py), what comes in (hearing.py).
"""

from dataclasses import asdict

import trio

from features.packets import judging, lines, view
from features.packets.content import Claim, Closed, Given, Granted, Packet, Reason, Refused
from features.packets.faults import (
    ForOneself,
    NobodyNamed,
    OwnPacket,
    PacketOpened,
    PacketOver,
    TooLarge,
    TooManyShares,
)
from features.packets.lines import Line
from features.packets.view import NEVER, OURS, Kept, Opening, Share, State
from ledger import commands, packet, units
from ledger.packet import NONCE_BYTES, SEED_BYTES
from ledger.payment import Stage
from ledger.terms import AMOUNT_MAX, Cause, Limit, Offer
from node import speech, till
from node.core import Core
from protocol import ids
from protocol.faults import UserFault
from store import expected, payments, people
from store.database import Tx
from store.people import Contact
from store.tabs import OpenTab

Names = list[str]
Rows = list[dict[str, object]]
EXPIRES_MS = 86_400_000  # as people know it: the rest comes back after a day
OFFER_MS = 86_400_000  # how long a share that was granted can be accepted, which a node does by itself
UNDERWAY_MS = 7 * 86_400_000  # how long a claim is counted on after its packet has come
NAMED_MAX = 100  # people of one packet
SHARE_MAX = 20_000  # of the smallest unit for each share in the mean: 200.00 EUR. A default, which others need not keep
LIST_MAX = 1000
WAKE_S = 3600.0  # the clock of the wall may be set while this one waits


class Packets:
    """Red packets. Every public async method is a call of the local API, `packets.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def send(
        self, to: Names, amount: str, unit: str, shares: int | None = None, equal: bool = False, note: str = ""
    ) -> Line:
        """Puts a packet before contacts; durable on return. shares: as many as people where nobody says; at random
        where not equal.

        Errors: contact.unknown, contact.ambiguous, contact.blocked, contact.account_changed, contact.not_yet,
        packet.nobody, packet.people, packet.shares, packet.large, packet.self, limit, amount.unit, amount.malformed,
        amount.nothing, amount.decimals, amount.large.
        """
        core, now_ms = self._core, self._now()
        note = till.note(note)

        def begin(tx: Tx) -> tuple[Line, tuple[int, ...]]:
            named = self._named(tx, to)
            count = len(named) if shares is None else shares
            if count > len(named):
                raise TooManyShares
            known = units.of(unit, {text for one in named for text in core.till.of(tx, one.id).tab.units()})
            total = units.parse(amount, known)
            if count > 0 and total > count * SHARE_MAX:
                most = units.shown(count * SHARE_MAX, known)
                raise TooLarge(f"A packet of {count} holds at most {most}; nothing was sent.")
            seed = core.ground.entropy("packet")(SEED_BYTES)
            promised = packet.promise(seed, total, count, is_random=not equal)
            name = ids.new_message_id(now_ms, core.ground.entropy("packet"))
            expires_ms = now_ms + EXPIRES_MS
            kept = Kept(0, OURS, name, known.text, promised, seed, note, now_ms, expires_ms, NEVER, "")
            row = view.put(tx, kept)
            assert row is not None
            view.name(tx, row, [one.id for one in named])
            told = Packet(
                *(name, known.text, total, count, int(promised.is_random), promised.root, promised.seed_hash),
                *(expires_ms, note),
            )
            for one in named:
                speech.say(tx, one.id, (told,), now_ms, core.ground.entropy("message"))
            return self._line(tx, row), tuple(one.id for one in named)

        said, told = await core.database.transact(begin)
        self._stir(told)
        return said

    async def open(self, id: str) -> Line:
        """Opens a packet that a contact has sent; durable on return. His node serves whoever comes first.

        It lets the sender owe us as much as the largest share needs, and takes the share without asking again.
        Errors: id.malformed, packet.unknown, packet.ambiguous, packet.own, packet.opened, packet.over, contact.blocked,
        contact.account_changed, contact.not_yet, ledger.paused.
        """
        core, now_ms = self._core, self._now()

        def claim(tx: Tx) -> tuple[Line, int]:
            one = view.find(tx, id)
            if one.mine:
                raise OwnPacket
            before = view.opening(tx, one.id)
            if before.state in (State.CLAIMED, State.GRANTED):
                raise PacketOpened
            if one.is_closed or (before.state is State.REFUSED and before.reason not in lines.AGAIN):
                raise PacketOver
            contact = till.checked(people.contact(tx, one.contact))
            self._consent(tx, contact, one)
            nonce = core.ground.entropy("packet")(NONCE_BYTES)
            view.move(tx, one.id, Opening(nonce, State.CLAIMED))
            speech.say(tx, contact.id, (Claim(one.packet, nonce),), now_ms, core.ground.entropy("message"))
            return self._line(tx, one.id), contact.id

        said, told = await core.database.transact(claim)
        self._stir((told,))
        return said

    async def list(self, limit: int = 50) -> Rows:
        """Returns packets, ours and others', the newest first."""

        def look(tx: Tx) -> Rows:
            found = view.newest(tx, max(0, min(limit, LIST_MAX)))
            return [asdict(lines.line(tx, one, self._now())) for one in found]

        return await self._core.database.transact(look)

    async def show(self, id: str) -> dict[str, object]:
        """Returns a packet, who got what in which order, and what is left: the line, "grants", "remainder", "fair".

        fair: whether all was as it had been promised, as this node has computed it; None as long as nobody can say so.
        Errors: id.malformed, packet.unknown, packet.ambiguous.
        """

        def look(tx: Tx) -> dict[str, object]:
            one = view.find(tx, id)
            line, grants = lines.line(tx, one, self._now()), lines.got(tx, one)
            is_known = one.mine or one.is_closed
            left = one.promised.total - sum(each.minor for each in grants)
            return {
                **asdict(line),
                "grants": [asdict(each) for each in grants],
                "remainder": units.number(left, lines.unit_of(one.unit)) if is_known else "",
                "fair": False if line.fault else True if one.is_closed else None,
            }

        return await self._core.database.transact(look)

    async def settle(self) -> None:
        """Answers the claims that wait, in their order, and closes what is over."""
        database = self._core.database
        while True:
            told = await database.transact(self._answer_next)
            if told is None:
                told = await database.transact(self._close_next)
            if told is None:
                return
            self._stir(told)

    async def wait_s(self) -> float:
        """In how many seconds the next packet of ours is over."""
        next_ms = await self._core.database.transact(view.next_expiry)
        if next_ms is None:
            return WAKE_S
        return min(WAKE_S, max(0.0, (next_ms - self._now()) / 1000))

    # --- parts of commands, within one transaction

    def _named(self, tx: Tx, to: Names) -> tuple[Contact, ...]:
        """The contacts whom a person names. Raises: ForOneself, NobodyNamed, the faults of till.contact."""
        found: dict[int, Contact] = {}
        for text in to:
            try:
                one = till.contact(tx, text)
            except UserFault:
                if text.strip().casefold() in self._own_names():
                    raise ForOneself from None
                raise
            if one.id in found:
                raise NobodyNamed(f"{one.name} is named twice; nothing was sent.")
            found[one.id] = one
        if not 1 <= len(found) <= NAMED_MAX:
            raise NobodyNamed
        return tuple(found.values())

    def _own_names(self) -> tuple[str, ...]:
        me = self._core.identity
        return me.name.casefold(), ids.account_text(me.account)

    def _consent(self, tx: Tx, contact: Contact, one: Kept) -> None:
        """Lets the sender owe us what the largest share needs, beside what is on its way, and expects the share.

        Raises: TabPaused.
        """
        promised = one.promised
        most = packet.largest(promised.total, promised.count, is_random=promised.is_random)
        tab = self._core.till.of(tx, contact.id)
        need = (
            commands.exposure(tab.tab, tab.side, one.unit)
            + most
            + _on_its_way(tx, contact.id, one.unit, self._now() - UNDERWAY_MS)
        )
        before = tab.tab.limit(tab.side, one.unit)
        limit = min(max(before, need), AMOUNT_MAX)
        # Asked also where it is high enough: a ledger that cannot be written could not take the share either.
        self._core.till.write(tx, tab, lambda _: Limit(one.unit, limit) if limit != before else None)
        expected.expect(tx, contact.id, Cause.PACKET, one.packet, one.unit, most)

    def _answer_next(self, tx: Tx) -> tuple[int, ...] | None:
        """Answers the oldest claim, in one transaction with the offer of its share; returns whom to stir."""
        claim = view.next_claim(tx)
        if claim is None:
            return None
        view.answered(tx, claim)
        contact = people.contact(tx, claim.contact)
        if not till.is_open_to(contact):
            return ()  # who is blocked is told nothing
        one = view.packet(tx, claim.packet)
        assert one is not None
        found = judging.decide(tx, claim)
        if isinstance(found, Share):
            tab = self._core.till.of(tx, contact.id)
            found = Reason.PAUSED if tab.pause is not None else found
            if isinstance(found, Share):
                self._grant(tx, one, tab, found)
                return (contact.id,)
        assert isinstance(found, Reason)
        self._say(tx, contact.id, Refused(one.packet, claim.nonce, int(found)))
        return (contact.id,)

    def _grant(self, tx: Tx, one: Kept, tab: OpenTab, share: Share) -> None:
        """Offers a share, keeps that it is given, and tells its claimant."""
        pay = self._core.till.new_pay(tab)
        cause = one.packet + bytes((share.share,))
        expires_ms = self._now() + OFFER_MS
        offer = Offer(pay, one.unit, share.amount, expires_ms, (), one.note, int(Cause.PACKET), cause)
        self._core.till.write(tx, tab, lambda _: offer)
        given = Share(share.place, share.contact, share.account, share.nonce, share.share, share.amount, pay)
        view.grant(tx, one.id, (given,))
        salt, path = packet.opening(one.seed, judging.drawn(one), share.share)
        said = Granted(one.packet, share.nonce, share.place, share.share, share.amount, salt, path, pay)
        self._say(tx, share.contact, said)

    def _close_next(self, tx: Tx) -> tuple[int, ...] | None:
        """Tells the record of a packet that is over to all who were named; returns whom to stir."""
        one = view.due(tx, self._now())
        if one is None:
            return None
        given = tuple(Given(each.account, each.nonce, each.share) for each in view.shares(tx, one.id))
        told = [each for each in view.named(tx, one.id) if till.is_open_to(people.contact(tx, each))]
        for contact_id in told:
            self._say(tx, contact_id, Closed(one.packet, one.seed, given))
        view.close(tx, one, one.seed, self._now(), "")
        return tuple(told)

    def _say(self, tx: Tx, contact_id: int, what: object) -> None:
        speech.say(tx, contact_id, (what,), self._now(), self._core.ground.entropy("message"))

    def _line(self, tx: Tx, packet_id: int) -> Line:
        one = view.packet(tx, packet_id)
        assert one is not None
        return lines.line(tx, one, self._now())

    def _stir(self, told: tuple[int, ...]) -> None:
        for contact_id in told:
            self._core.delivery.stir(contact_id)

    def _now(self) -> int:
        return self._core.ground.now_ms()


async def run(room: Packets) -> None:
    """Answers claims as they come, and closes packets when their time is over, until cancelled."""
    with room._core.database.watch(frozenset({view.CHANGED})) as changes:
        while True:
            await room.settle()
            with trio.move_on_after(await room.wait_s()):
                await changes.receive()


def _on_its_way(tx: Tx, contact_id: int, unit: str, since_ms: int) -> int:
    """What other packets of this contact may still come to, beside what was accepted."""
    most = 0
    for one, opening in view.underway(tx, contact_id, since_ms):
        if one.unit != unit:
            continue
        promised = one.promised
        if opening.state is State.CLAIMED:
            most += packet.largest(promised.total, promised.count, is_random=promised.is_random)
            continue
        paid = payments.found(tx, contact_id, False, opening.pay)
        most += opening.amount if paid is None or paid.stage is Stage.OFFERED else 0
    return most
