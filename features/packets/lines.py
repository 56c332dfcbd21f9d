"""Packets as people see them. Nothing is stored here."""

from dataclasses import dataclass

from features.packets import view
from features.packets.content import Reason
from features.packets.view import NOBODY, Kept, Opening, Share, State
from ledger import packet, units
from ledger.payment import Stage
from ledger.units import Unit
from protocol import ids
from store import identity, payments, people
from store.database import Tx

SHORT_CHARS = 12  # of an account id: enough to tell people of one packet apart
UNPAID = "what is offered to you is not the share that you got"
REASONS = {
    Reason.UNKNOWN: "{name} knows no such packet",
    Reason.NOT_NAMED: "it is for others",
    Reason.TWICE: "you have claimed it before",
    Reason.OVER: "its time was over when your claim came",
    Reason.EMPTY: "all shares were taken before yours",
    Reason.NONCE: "somebody else had claimed with the same nonce; open it again",
    Reason.PAUSED: "nothing can be written into the ledger of you two now; open it again later",
}
AGAIN = frozenset({Reason.NONCE, Reason.PAUSED})  # after which one may open it again
_PAID = {
    Stage.OFFERED: "offered",
    Stage.ACCEPTED: "accepted",
    Stage.REFUNDING: "refunding",
    Stage.SETTLED: "settled",
    Stage.DECLINED: "declined",
    Stage.REFUNDED: "refunded",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A packet in a list. contact: its sender, "" for our own. amount: as typed, minor: in the smallest unit.

    state: ours: "open", "closed"; another's: "waiting" (for us), "claimed", "granted", "refused", "over". share: ours,
    "" for none. largest: the most that one share can be. taken: how many are given, as far as that is known. reason:
    what it waits for, or why there is no share. fault: what its sender did wrong, "" for nothing.
    """

    id: str
    contact: str
    mine: bool
    amount: str
    unit: str
    minor: int
    kind: str
    shares: int
    taken: int
    note: str
    sent_ms: int
    until_ms: int
    state: str
    share: str
    largest: str
    reason: str
    fault: str


@dataclass(frozen=True, slots=True)
class Got:
    """Who got a share. who: "you", the name of a contact, else the beginning of the account id. place: from 1.

    state: of its payment, "" where that is between others.
    """

    place: int
    who: str
    account: str
    amount: str
    minor: int
    luckiest: bool
    state: str


def line(tx: Tx, one: Kept, now_ms: int) -> Line:
    """A packet for people."""
    unit, opening = unit_of(one.unit), view.opening(tx, one.id)
    promised = one.promised
    name = "" if one.mine else people.contact(tx, one.contact).name
    state, taken = _state(one, opening), len(view.shares(tx, one.id))
    most = packet.largest(promised.total, promised.count, is_random=promised.is_random)
    return Line(
        id=ids.ulid(one.packet),
        contact=name,
        mine=one.mine,
        amount=units.number(promised.total, unit),
        unit=unit.label,
        minor=promised.total,
        kind="random" if promised.is_random else "equal",
        shares=promised.count,
        taken=taken,
        note=one.note,
        sent_ms=one.sent_ms,
        until_ms=one.expires_ms,
        state=state,
        share=units.number(opening.amount, unit) if opening.state is State.GRANTED else "",
        largest=units.number(most, unit),
        reason=_reason(tx, one, opening, state, name, now_ms),
        fault=fault(tx, one, opening),
    )


def got(tx: Tx, one: Kept) -> list[Got]:
    """Who got what, in the order of their claims; of another's packet once it is over, and before that our share."""
    unit, shares = unit_of(one.unit), view.shares(tx, one.id)
    opening = view.opening(tx, one.id)
    me = identity.load_identity(tx)
    assert me is not None
    if not shares and opening.state is State.GRANTED:
        own = Share(opening.place, NOBODY, me.account, opening.nonce, opening.share, opening.amount, opening.pay)
        shares = (own,)
    lucky = luckiest(one, shares)
    return [
        Got(
            place=each.place + 1,
            who="you" if each.account == me.account else _who(tx, each),
            account=ids.account_text(ids.AccountId(each.account))[:SHORT_CHARS],
            amount=units.number(each.amount, unit),
            minor=each.amount,
            luckiest=each.place == lucky,
            state=_payment(tx, one, each, opening, each.account == me.account),
        )
        for each in shares
    ]


def luckiest(one: Kept, shares: tuple[Share, ...]) -> int | None:
    """The place of who got most, the first of several; None where it was not drawn, or nobody can say so."""
    if not one.is_closed or one.fault or not one.promised.is_random or len(shares) < 2:
        return None
    return max(shares, key=lambda each: (each.amount, -each.place)).place


def fault(tx: Tx, one: Kept, opening: Opening) -> str:
    """What the sender of a packet did wrong: what was found when he said something, or that he pays something else."""
    if one.fault or opening.state is not State.GRANTED or not opening.pay:
        return one.fault
    paid = payments.found(tx, one.contact, False, opening.pay)
    share = (opening.amount, one.unit, one.packet + bytes((opening.share,)))
    if paid is None or (paid.amount, paid.unit, paid.of) == share:
        return ""
    return UNPAID


def unit_of(text: str) -> Unit:
    """The unit of a packet, whatever it is."""
    return units.read(text) or units.foreign(text)


def _state(one: Kept, opening: Opening) -> str:
    if one.mine:
        return "closed" if one.is_closed else "open"
    if opening.state is State.WAITING and one.is_closed:
        return "over"
    return opening.state.name.lower()


def _reason(tx: Tx, one: Kept, opening: Opening, state: str, name: str, now_ms: int) -> str:
    is_late = one.expires_ms <= now_ms
    match state:
        case "open":
            return "its time is over" if is_late else "waits for people to open it"
        case "waiting":
            return "its time is over by your clock" if is_late else "waits for you"
        case "claimed":
            return f"waits for {name}'s node to grant a share"
        case "granted":
            paid = payments.found(tx, one.contact, False, opening.pay) if opening.pay else None
            if paid is None:
                return f"waits for {name}'s payment"
            if paid.lapsed and not paid.stage.is_final:
                return "given up with the old ledger"
            return {
                Stage.SETTLED: "",
                Stage.DECLINED: "declined",
                Stage.REFUNDED: "it was not accepted within its time, and went back",
            }.get(paid.stage, f"waits for {name}'s node to confirm it")
        case "refused":
            why = REASONS.get(Reason(opening.reason)) if opening.reason in Reason.__members__.values() else None
            return (why or "{name} refused it").format(name=name)
        case "over":
            return "you did not open it"
    return ""


def _who(tx: Tx, each: Share) -> str:
    """The name of a contact; of others the beginning of the account id, which is all that we are told of them."""
    if each.contact != NOBODY:
        return people.contact(tx, each.contact).name
    account = ids.AccountId(each.account)
    known = people.by_account(tx, account)
    return ids.account_text(account)[:SHORT_CHARS] + "…" if known is None else known.name


def _payment(tx: Tx, one: Kept, each: Share, opening: Opening, is_me: bool) -> str:
    """How far the payment of a share is, where it is ours to know."""
    if one.mine:
        paid = payments.found(tx, each.contact, True, each.pay)
    elif is_me and opening.pay:
        paid = payments.found(tx, one.contact, False, opening.pay)
    else:
        return ""
    return "" if paid is None else _PAID.get(paid.stage, "")
