"""Which share a claim gets, and whether what a sender did is what he had promised (docs/protocol/ledger.md 8).

The rules themselves are ledger/packet.py's; here is what they are applied to: rows, and our own part in a packet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crypto.faults import Forged, Malformed
from features.packets import view
from features.packets.content import Closed, Granted, Reason
from features.packets.view import NOBODY, Claimed, Kept, Opening, Share, State
from ledger import packet
from ledger.packet import BadPacket, Unfair
from store import people
from store.database import Tx

NOT_PROMISED = "you were given a share that was not promised"
TWO_RECORDS = "two different closing records were told"
NOT_LISTED = "you got a share, and it is not in the closing record"
NEVER_OPENED = "the closing record says that you have opened it, and you have not"
OTHER_CLAIM = "the closing record has another claim of yours than the one that you made"
OTHER_SHARE = "the closing record has another share of yours than the one that you got"
NOT_EMPTY = "you were told that all shares were taken, and they were not"
NOT_TWICE = "you were told that you had a share, and you had none"


@dataclass(frozen=True, slots=True)
class Examined:
    """What a closing record comes to. opening: our own part. fault: what its sender did wrong, "" for nothing."""

    shares: tuple[Share, ...]
    opening: Opening
    fault: str


def decide(tx: Tx, claim: Claimed) -> Share | Reason:
    """What the claim that is next gets, by the shares that are given: a share without its payment, or why not."""
    one = view.packet(tx, claim.packet)
    assert one is not None
    given = view.shares(tx, one.id)
    if any(each.contact == claim.contact for each in given):
        return Reason.TWICE
    if len(given) == one.promised.count:
        return Reason.EMPTY
    if one.is_closed or claim.at_ms >= one.expires_ms:
        return Reason.OVER
    if any(each.nonce == claim.nonce for each in given):
        return Reason.NONCE
    nonces = (*(each.nonce for each in given), claim.nonce)
    index = packet.index(one.seed, nonces, [each.share for each in given], one.promised.count)
    account = people.contact(tx, claim.contact).account
    return Share(len(given), claim.contact, account, claim.nonce, index, drawn(one)[index], b"")


def drawn(one: Kept) -> tuple[int, ...]:
    """The shares of a packet of ours."""
    promised = one.promised
    return packet.draw(one.seed, promised.total, promised.count, is_random=promised.is_random)


def granted(one: Kept, before: Opening, said: Granted) -> tuple[Opening, str]:
    """How far the packet is with us once the sender has said this, and what is wrong with it, "" for nothing."""
    fault = ""
    try:
        packet.check_share(one.promised, said.index, said.amount, said.salt, said.path)
    except (Forged, Malformed):
        fault = NOT_PROMISED
    told = replace(before, place=said.place, share=said.index, amount=said.amount)
    if before.state is State.GRANTED and told != before:
        fault = fault or OTHER_SHARE
    return replace(told, state=State.GRANTED, pay=said.pay), fault


def examine(one: Kept, mine: Opening, me: bytes, said: Closed) -> Examined:
    """What a closing record shows. mine: our part as we know it; me: our account."""
    grants = [packet.Grant(each.account, each.nonce, each.index) for each in said.grants]
    try:
        amounts: Sequence[int] = packet.examine(one.promised, said.seed, grants)
        fault = ""
    except Unfair as unfair:
        amounts, fault = _as_told(one, said), str(unfair)
    shares = tuple(
        Share(place, NOBODY, each.account, each.nonce, each.index, amount, b"")
        for place, (each, amount) in enumerate(zip(said.grants, amounts, strict=True))
    )
    opening, wrong = _own_part(one, mine, [each for each in shares if each.account == me], len(shares))
    return Examined(shares, opening, fault or wrong)


def _own_part(one: Kept, mine: Opening, ours: Sequence[Share], given: int) -> tuple[Opening, str]:
    """Our own part after the closing record: what it says of us is what we know."""
    if not ours:
        match mine.state:
            case State.GRANTED:
                return mine, NOT_LISTED
            case State.REFUSED if mine.reason == Reason.EMPTY and given < one.promised.count:
                return mine, NOT_EMPTY
            case State.REFUSED if mine.reason == Reason.TWICE:
                return mine, NOT_TWICE
            case State.CLAIMED:
                why = Reason.EMPTY if given >= one.promised.count else Reason.OVER
                return replace(mine, state=State.REFUSED, reason=int(why)), ""
            case _:
                return mine, ""
    listed = ours[0]
    if mine.state is State.WAITING:
        return mine, NEVER_OPENED
    if listed.nonce != mine.nonce:
        return mine, OTHER_CLAIM
    told = replace(mine, state=State.GRANTED, place=listed.place, share=listed.share, amount=listed.amount, reason=0)
    if mine.state is State.GRANTED and told != mine:
        return mine, OTHER_SHARE
    return told, ""


def _as_told(one: Kept, said: Closed) -> list[int]:
    """The amounts of shares in a record that is not fair, as far as its seed says them; 0 for others."""
    promised = one.promised
    try:
        shares = packet.draw(said.seed, promised.total, promised.count, is_random=promised.is_random)
    except BadPacket:
        shares = ()
    return [shares[each.index] if each.index < len(shares) else 0 for each in said.grants]
