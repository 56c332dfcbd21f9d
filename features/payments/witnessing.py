"""Who is asked when he has seen an acceptance of ours (docs/protocol/ledger.md 4).

A payer who is away cannot confirm in time what was accepted in time. So he names contacts of both in his offer, and the
payee asks those whom he knows: at once where the payer is away, and after a minute where he does not confirm. Not here:
who is named (node/till.py), what their words come to (store/testimony.py), what a witness does (store/beheld.py).
"""

from dataclasses import dataclass

from crypto.keys import Entropy
from ledger.payment import Payment, Stage
from ledger.tab import Key
from node import speech
from node.till import is_open_to
from protocol import ids
from protocol.spine import NONCE_BYTES
from store import beheld, payments, people, testimony
from store.database import Tx
from store.tabs import OpenTab

CONFIRMS_WITHIN_MS = 60_000  # a node that is there settles in a round trip


@dataclass(frozen=True, slots=True)
class Asking:
    """What asking needs of the node."""

    now_ms: int
    nonces: Entropy
    messages: Entropy


def ask(tx: Tx, one: OpenTab, is_away: bool, asking: Asking) -> tuple[int, ...]:
    """Asks the witnesses of what we accepted of a contact, where that is due; returns whom.

    one: caught up, and not paused. is_away: whether no device of the contact is connected.
    """
    asked: dict[int, None] = {}
    testimony.forget_others(
        tx, one.contact, [accept for key, accept in one.tab.accepts.items() if not one.is_mine(key)]
    )
    for each in sorted(one.tab.open(), key=lambda each: each.pay):
        key = Key(each.payer, each.pay)
        if one.is_mine(key) or each.stage is not Stage.ACCEPTED or key not in one.tab.accepts:
            continue
        accept = one.tab.accepts[key]
        if testimony.is_noted(tx, one.contact, each.pay, accept) or not (is_away or _is_slow(tx, one, each, asking)):
            continue
        hidden = testimony.note(tx, one.contact, each.pay, accept, asking.nonces(NONCE_BYTES))
        for contact_id, devices in _known(tx, one.contact, each.witnesses).items():
            behold = [beheld.asked(tx, hidden, device) for device in devices]
            speech.say(tx, contact_id, (behold[0],), asking.now_ms, asking.messages)
            asked[contact_id] = None
    return tuple(asked)


def next_ms(tx: Tx) -> dict[int, int]:
    """When the witnesses of what we accepted are asked at the latest, by contact."""
    return {contact: since_ms + CONFIRMS_WITHIN_MS for contact, since_ms in testimony.waiting(tx)}


def _is_slow(tx: Tx, one: OpenTab, each: Payment, asking: Asking) -> bool:
    row = payments.found(tx, one.contact, False, each.pay)
    return row is None or row.changed_ms + CONFIRMS_WITHIN_MS <= asking.now_ms


def _known(tx: Tx, payer: int, witnesses: tuple[bytes, ...]) -> dict[int, list[bytes]]:
    """The contacts of ours among these devices, each with those of his."""
    found: dict[int, list[bytes]] = {}
    for key in witnesses:
        device = people.device_by_key(tx, ids.DeviceId(key))
        if device is None or device.revoked or device.contact == payer:
            continue
        if is_open_to(people.contact(tx, device.contact)):
            found.setdefault(device.contact, []).append(key)
    return found
