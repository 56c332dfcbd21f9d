"""What contacts say about packets, taken in with the message that says it.

A claim is put behind all before it and answered by the service; what is refused whatever was claimed before is answered
at once.
"""

from typing import Any, assert_never

from crypto.faults import Malformed
from features.packets import judging, view
from features.packets.content import Claim, Closed, Granted, Packet, Reason, Refused
from features.packets.faults import NotPromised
from features.packets.view import NEVER, OURS, Kept, State
from ledger.packet import Promise
from ledger.terms import Cause
from store import expected, identity
from store.database import Tx
from store.inbox import Arrival

OPEN_MAX = 100  # packets of one contact within OPEN_MS that are not over; more of them are dropped
ALL_MAX = 500  # packets of one contact within OPEN_MS, over or not
OPEN_MS = 7 * 86_400_000

Content = Packet | Claim | Granted | Refused | Closed


def apply(tx: Tx, arrival: Arrival) -> tuple[Any, ...]:
    """Takes in what a contact says; returns what to answer. Raises: Malformed, NotPromised."""
    said: Content = arrival.said.content
    contact_id, now_ms = arrival.contact.id, arrival.now_ms
    match said:
        case Packet():
            _came(tx, contact_id, said, now_ms)
        case Claim():
            return _claimed(tx, contact_id, said, now_ms)
        case Granted():
            _granted(tx, _known(tx, contact_id, said.packet), said)
        case Refused():
            _refused(tx, _known(tx, contact_id, said.packet), said)
        case Closed():
            _closed(tx, _known(tx, contact_id, said.packet), said, now_ms)
        case _:
            assert_never(said)
    return ()


def _came(tx: Tx, contact_id: int, said: Packet, now_ms: int) -> None:
    if said.total < said.count:
        raise Malformed
    since_ms = now_ms - OPEN_MS
    if view.count_open(tx, contact_id, since_ms) >= OPEN_MAX or view.count(tx, contact_id, since_ms) >= ALL_MAX:
        raise NotPromised
    promised = Promise(said.total, said.count, bool(said.is_random), said.root, said.seed_hash)
    kept = Kept(0, contact_id, said.packet, said.unit, promised, b"", said.note, now_ms, said.expires_ms, NEVER, "")
    if view.put(tx, kept) is None:
        raise NotPromised


def _claimed(tx: Tx, contact_id: int, said: Claim, now_ms: int) -> tuple[Any, ...]:
    one = view.of(tx, OURS, said.packet)
    if one is None:
        return (Refused(said.packet, said.nonce, int(Reason.UNKNOWN)),)
    if contact_id not in view.named(tx, one.id):
        return (Refused(said.packet, said.nonce, int(Reason.NOT_NAMED)),)
    if not view.claim(tx, one, contact_id, said.nonce, now_ms):
        return (Refused(said.packet, said.nonce, int(Reason.TWICE)),)
    return ()


def _granted(tx: Tx, one: Kept, said: Granted) -> None:
    before = view.opening(tx, one.id)
    is_open = before.state is State.CLAIMED or (before.state is State.GRANTED and not before.pay)
    if not is_open or said.nonce != before.nonce:
        raise NotPromised
    after, fault = judging.granted(one, before, said)
    view.move(tx, one.id, after)
    if fault:
        view.blame(tx, one, fault)


def _refused(tx: Tx, one: Kept, said: Refused) -> None:
    before = view.opening(tx, one.id)
    if before.state is not State.CLAIMED or said.nonce != before.nonce:
        raise NotPromised
    view.move(tx, one.id, view.Opening(said.nonce, State.REFUSED, reason=said.reason))
    expected.expect_no_more(tx, one.contact, Cause.PACKET, one.packet)


def _closed(tx: Tx, one: Kept, said: Closed, now_ms: int) -> None:
    if one.is_closed:
        same = said.seed == one.seed and [(each.account, each.nonce, each.index) for each in said.grants] == [
            (each.account, each.nonce, each.share) for each in view.shares(tx, one.id)
        ]
        if same:
            raise NotPromised
        view.blame(tx, one, judging.TWO_RECORDS)
        return
    me = identity.load_identity(tx)
    assert me is not None
    before = view.opening(tx, one.id)
    found = judging.examine(one, before, me.account, said)
    view.grant(tx, one.id, found.shares)
    if found.opening != before:
        view.move(tx, one.id, found.opening)
    if found.opening.state is not State.GRANTED:
        expected.expect_no_more(tx, one.contact, Cause.PACKET, one.packet)
    view.close(tx, one, said.seed, now_ms, found.fault)


def _known(tx: Tx, contact_id: int, name: bytes) -> Kept:
    """The packet of this contact. Raises: NotPromised."""
    one = view.of(tx, contact_id, name)
    if one is None:
        raise NotPromised
    return one
