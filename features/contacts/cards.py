"""A contact as the local API shows it, and the contents that make somebody one."""

import base64
from dataclasses import dataclass

from crypto import keys
from features.contacts.content import Welcome
from protocol import ids
from store import pairs
from store.database import Tx
from store.identity import Identity, card, renamed
from store.people import Contact


@dataclass(frozen=True, slots=True)
class Shown:
    """A contact. state: asked, waiting, request, pending, active, blocked, refused. verified: no, words, digits, qr.

    busy: whether this node works so that his keeper takes our request: then `reason` is no last word.
    """

    name: str
    account: str
    announced: str
    state: str
    verified: str
    alarm: str
    greeting: str
    online: bool
    seen_ms: int
    created_ms: int
    reason: str
    busy: bool


def shown(contact: Contact, online: bool, reason: str, busy: bool) -> Shown:
    """A contact as doors see it. reason: why it is not reached now."""
    return Shown(
        name=contact.name,
        account=ids.account_text(contact.account),
        announced=contact.announced,
        state=contact.state.name.lower(),
        verified=contact.verified.name.lower(),
        alarm=contact.alarm,
        greeting=contact.greeting,
        online=online,
        seen_ms=contact.seen_ms,
        created_ms=contact.created_ms,
        reason=contact.reason or reason,
        busy=busy,
    )


def welcome(tx: Tx, me: Identity, contact_id: int, now_ms: int, entropy: keys.Entropy, epoch_min: int = 1) -> Welcome:
    """The inviter's first words, with a secret of the pair made for them in this transaction."""
    secret = entropy(32)
    epoch = pairs.make_pair_secret(tx, contact_id, secret, now_ms, epoch_min)
    return Welcome(card(renamed(tx, me), now_ms), epoch, secret, me.presence_epoch, me.presence)


def safety_code(mine: tuple[bytes, bytes], theirs: tuple[bytes, bytes]) -> str:
    """The text of the QR code that both sides show alike: both (account id, hash of the device list), sorted."""
    both = b"".join(part for pair in sorted((mine, theirs)) for part in pair)
    return "weft:v/" + base64.urlsafe_b64encode(both).decode().rstrip("=")
