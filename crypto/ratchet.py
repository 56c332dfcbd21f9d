"""The Double Ratchet with header encryption and a sparse ML-KEM step.

The law is docs/protocol/ratchet.md; the source is Signal's "The Double Ratchet Algorithm", section 4, with the KEM of
SimpleX's PQDR. A sending turn starts when its first message is written, not when the peer's turn arrives: the new key
lives shorter, and opening a message needs no entropy. Not here: the agreement that a session starts from
(handshake.py), the memory of skipped keys (skipped.py), padding (sealing.py).
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
    crypto_scalarmult_base,
)
from nacl.exceptions import CryptoError
from nacl.exceptions import RuntimeError as SodiumError

from crypto import budget, chain, header, keys, skipped
from crypto.budget import FailureBudget
from crypto.faults import BodyForged, Forged, Malformed, Paused, TooFarAhead, Unreadable
from crypto.handshake import Agreed
from crypto.header import KemFields
from crypto.keys import DhKey, Encapsulate, Entropy, KemKey
from crypto.skipped import Closed, Skipped

DAY_MS = 86_400_000
MAX_SKIP = 2000  # messages of one chain that one message may skip: 12 ms of chain steps
MAX_SKIP_YOUNG = 1000  # the same while the session is younger than a day: strangers have young sessions
OFFER_AFTER = 50  # messages sent and received since the last offer; then the next turn offers a KEM key
OFFER_AFTER_MS = DAY_MS
HEADER_SMALL_BYTES = 24 + header.SMALL_BYTES + 16
HEADER_LARGE_BYTES = 24 + header.LARGE_BYTES + 16
BODY_BYTES_MIN = 24 + 16
MARK_BYTES = 8
NUMBER_MAX = 2**32 - 1
FROZEN_FORM = 1  # of what `freeze` gives; a later form adds to it and thaws this one

_open = crypto_aead_xchacha20poly1305_ietf_decrypt
_seal = crypto_aead_xchacha20poly1305_ietf_encrypt


class Mark(NamedTuple):
    """Names a message inside its session. turn: the first 8 bytes of its sender's DH key; number: within that turn."""

    turn: bytes
    number: int


@dataclass(slots=True, eq=False, repr=False)
class Ratchet:
    """One end of a session. Changed in place by `encrypt` and `decrypt`; never shared: clone it, then commit the clone.

    Empty bytes stand for what is not there: no chain yet, no KEM key offered. mine is our DH secret, from the start of
    our turn until the peer's next turn; fields is what each header of our turn repeats; offer is the seed of the ML-KEM
    key that we offered in this turn; their_ek is what they offered in theirs. messages counts since our last offer,
    mixed the KEM secrets in the root key.
    """

    sid: bytes
    created_ms: int
    offered_ms: int
    root: bytes
    mine: bytes
    mine_public: bytes
    send_next: bytes
    receive_next: bytes
    send_header: bytes = b""
    send_chain: bytes = b""
    send_count: int = 0
    previous: int = 0
    fields: bytes = b""
    offer: bytes = b""
    theirs: bytes = b""
    receive_header: bytes = b""
    receive_chain: bytes = b""
    receive_count: int = 0
    receive_turn: int = 0
    their_ek: bytes = b""
    messages: int = OFFER_AFTER  # so that a responder's first and an initiator's second turn offer (DR 4.1)
    mixed: int = 0
    budget: FailureBudget = budget.FULL
    skipped: Skipped = field(default_factory=Skipped)

    def clone(self) -> "Ratchet":
        """A copy that shares nothing that changes: about 2 us."""
        twin = Ratchet(*_plain(self))
        twin.budget = self.budget
        twin.skipped = self.skipped.clone()
        return twin

    def __repr__(self) -> str:
        return f"Ratchet(session={self.sid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ratchet is not pickled; ratchet.freeze is for the encrypted database")


_plain: Callable[[Ratchet], tuple[Any, ...]] = attrgetter(
    *(one.name for one in fields_of(Ratchet) if one.name not in ("budget", "skipped"))
)


def sending_first(agreed: Agreed, their_signed_prekey: bytes, entropy: Entropy, now_ms: int) -> Ratchet:
    """The initiator's end, ready to send. their_signed_prekey: 32 bytes, the responder's first ratchet key.

    Draws 32 bytes. Raises: Forged when the prekey is of low order.
    """
    mine = DhKey(entropy(32))
    root, chain_key, send_next = chain.root_step(agreed.root, keys.agree(mine, their_signed_prekey), b"")
    # No KEM fields in this turn: PX3 has just mixed a KEM secret, and an init with two KEM keys bursts its bucket.
    return Ratchet(
        sid=agreed.session,
        created_ms=now_ms,
        offered_ms=now_ms,
        root=root,
        mine=mine.secret,
        mine_public=mine.public,
        send_next=send_next,
        receive_next=agreed.next_header,  # DR 2.2: the initiator's NHKr, and HKs
        send_header=agreed.header,
        send_chain=chain_key,
        theirs=their_signed_prekey,
    )


def receiving_first(agreed: Agreed, mine: DhKey, now_ms: int) -> Ratchet:
    """The responder's end, which must receive before it can send. mine: the signed prekey that the init used."""
    return Ratchet(
        sid=agreed.session,
        created_ms=now_ms,
        offered_ms=now_ms,
        root=agreed.root,
        mine=mine.secret,
        mine_public=mine.public,
        send_next=agreed.next_header,  # DR 2.2: the responder's NHKs, and NHKr
        receive_next=agreed.header,
    )


def can_send(r: Ratchet) -> bool:
    """Whether `encrypt` may be called: a responder has to receive a message first."""
    return bool(r.send_chain or r.theirs)


def encrypt(
    r: Ratchet, plaintext: bytes, entropy: Entropy, encapsulate: Encapsulate, now_ms: int
) -> tuple[bytes, bytes]:
    """The sealed header (80 or 2,352 bytes) and the sealed body (40 bytes longer than the plaintext).

    Moves the sending chain on; the first message of a turn also makes the turn's keys. Draws 48 bytes, before them 32
    for a turn and 64 for an offer. The caller stores the new state before the message leaves.
    """
    chain_key = r.send_chain
    if not chain_key:
        chain_key = _start_turn(r, entropy, encapsulate, now_ms)
    number = r.send_count
    assert number <= NUMBER_MAX
    # DR 3.2: a message key is used once, and its nonce is random all the same, so that a database that was set back
    # never repeats both.
    nonces = entropy(48)
    nonce = nonces[:24]
    plain_header = header.pack(r.mine_public, r.previous, number) + r.fields
    sealed_header = nonce + _seal(plain_header, r.sid, nonce, r.send_header)
    nonce = nonces[24:]
    key = hmac.digest(chain_key, b"\x01", "sha256")
    body = nonce + _seal(plaintext, r.sid + sealed_header, nonce, key)
    r.send_chain = hmac.digest(chain_key, b"\x02", "sha256")
    r.send_count = number + 1
    r.messages += 1
    return sealed_header, body


def last_sent(r: Ratchet) -> Mark:
    """The mark that the last message of `encrypt` has at its reader."""
    assert r.send_count > 0
    return Mark(r.mine_public[:MARK_BYTES], r.send_count - 1)


def confirm(r: Ratchet, turn: bytes) -> None:
    """Notes that the peer has read a message of this turn of ours (Mark.turn): its KEM fields are repeated no more.

    Only for what an acknowledgement after the peer's commit proves; a turn that is over changes nothing (DR 4.3).
    """
    if r.mine_public[:MARK_BYTES] == turn:
        r.fields = b""


def decrypt(r: Ratchet, sealed_header: bytes, body: bytes, now_ms: int) -> tuple[bytes, Mark]:
    """The plaintext and the mark of a message.

    Changes the ratchet only on success, except that a forged body is noted in r.budget.

    Raises: Malformed for a size that no message has; Unreadable when no header key opens it, or its key was dropped;
    Replayed when it was received already; TooFarAhead when it skips too much; BodyForged when the body, or a key in
    the header, is not what the good header promises; Paused while the session rests after too many of those.
    """
    if len(sealed_header) != HEADER_SMALL_BYTES and len(sealed_header) != HEADER_LARGE_BYTES:
        raise Malformed
    if len(body) < BODY_BYTES_MIN:
        raise Malformed
    nonce = sealed_header[:24]
    ciphertext = sealed_header[24:]
    # DR 2.3: the present turn, the next, then the old ones.
    if r.receive_header:
        try:
            opened = _open(ciphertext, r.sid, nonce, r.receive_header)
        except CryptoError:
            pass
        else:
            return _receive_same_turn(r, opened, sealed_header, body, now_ms)
    try:
        opened = _open(ciphertext, r.sid, nonce, r.receive_next)
    except CryptoError:
        pass
    else:
        return _receive_next_turn(r, opened, sealed_header, body, now_ms)
    for header_key, packed in r.skipped.old.items():
        try:
            opened = _open(ciphertext, r.sid, nonce, header_key)
        except CryptoError:
            continue
        return _receive_old_turn(r, skipped.closed(packed), opened, sealed_header, body, now_ms)
    raise Unreadable


def expire(r: Ratchet, now_ms: int) -> None:
    """Drops skipped keys that have waited for 90 days. `decrypt` does it too; this is for sessions that are silent."""
    skipped.expire(r.skipped, now_ms)


def freeze(r: Ratchet) -> tuple[Any, ...]:
    """The whole state as ints, bytes and nested tuples of them, for the encrypted database and nowhere else."""
    paused = (r.budget.failed_at_ms, r.budget.paused_until_ms)
    return (FROZEN_FORM, *_plain(r), paused, skipped.freeze(r.skipped))


def thaw(frozen: Sequence[Any]) -> Ratchet:
    """The ratchet that was frozen. Tuples may have become lists in between."""
    form, *plain, (failed_at_ms, paused_until_ms), memory = frozen
    assert form == FROZEN_FORM
    r = Ratchet(*plain)
    r.budget = FailureBudget(tuple(failed_at_ms), paused_until_ms)
    r.skipped = skipped.thaw(memory)
    return r


def _receive_same_turn(r: Ratchet, opened: bytes, sealed_header: bytes, body: bytes, now_ms: int) -> tuple[bytes, Mark]:
    public, _, number = header.unpack_from(opened)
    count = r.receive_count
    if number < count:
        return _receive_skipped(r, r.receive_turn, Mark(public[:MARK_BYTES], number), sealed_header, body, now_ms)
    _refuse_paused(r, now_ms)
    chain_key = r.receive_chain
    missed: list[bytes] = []
    if number > count:
        if number - count > _skip_max(r, now_ms):
            raise TooFarAhead
        chain_key, missed = chain.skip(chain_key, number - count)
    plaintext = _open_body(r, hmac.digest(chain_key, b"\x01", "sha256"), sealed_header, body, now_ms)
    r.receive_chain = hmac.digest(chain_key, b"\x02", "sha256")
    r.receive_count = number + 1
    r.messages += 1
    if missed:
        skipped.keep(r.skipped, r.receive_turn, count, missed, now_ms)
    if r.skipped.keys:
        skipped.expire(r.skipped, now_ms)
    return plaintext, Mark(public[:MARK_BYTES], number)


def _receive_next_turn(r: Ratchet, opened: bytes, sealed_header: bytes, body: bytes, now_ms: int) -> tuple[bytes, Mark]:
    public, previous, number = header.unpack_from(opened)
    _refuse_paused(r, now_ms)
    # A PN below what we have is a peer whose database was set back; there is nothing to skip then.
    gap = max(0, previous - r.receive_count) if r.receive_chain else 0
    if max(gap, number) > _skip_max(r, now_ms):
        raise TooFarAhead  # DR 5.1: before any work
    try:
        fields = header.fields_of(opened)
        dh, kem_secret = _secrets_of_turn(r, public, fields)
    except Forged:
        r.budget = budget.spend(r.budget, now_ms)
        raise BodyForged from None
    root, chain_key, receive_next = chain.root_step(r.root, dh, kem_secret)
    old_missed = chain.skip(r.receive_chain, gap)[1] if gap else []
    chain_key, missed = chain.skip(chain_key, number)
    plaintext = _open_body(r, hmac.digest(chain_key, b"\x01", "sha256"), sealed_header, body, now_ms)

    if r.receive_header:
        ended = Closed(r.receive_turn, r.receive_count + gap, r.theirs[:MARK_BYTES])
        skipped.keep(r.skipped, r.receive_turn, r.receive_count, old_missed, now_ms)
        skipped.close(r.skipped, r.receive_header, ended)
    r.receive_turn += 1
    skipped.keep(r.skipped, r.receive_turn, 0, missed, now_ms)
    skipped.expire(r.skipped, now_ms)
    r.root, r.receive_header, r.receive_next = root, r.receive_next, receive_next
    r.receive_chain, r.receive_count = hmac.digest(chain_key, b"\x02", "sha256"), number + 1
    r.theirs, r.their_ek = public, fields.ek
    # Our own turn is over: its secrets go now, those of the next come with its first message.
    r.previous, r.send_count, r.send_chain = r.send_count, 0, b""
    r.mine, r.fields, r.offer = b"", b"", b""
    r.messages += 1
    r.mixed += bool(kem_secret)
    return plaintext, Mark(public[:MARK_BYTES], number)


def _receive_old_turn(
    r: Ratchet, ended: Closed, opened: bytes, sealed_header: bytes, body: bytes, now_ms: int
) -> tuple[bytes, Mark]:
    number: int = header.unpack_from(opened)[2]
    if number >= ended.end:
        raise Unreadable  # DR 5.4: its sender said that this turn had fewer; a database that was set back
    return _receive_skipped(r, ended.turn, Mark(ended.mark, number), sealed_header, body, now_ms)


def _receive_skipped(
    r: Ratchet, turn: int, mark: Mark, sealed_header: bytes, body: bytes, now_ms: int
) -> tuple[bytes, Mark]:
    key = skipped.find(r.skipped, turn, mark.number, now_ms)
    _refuse_paused(r, now_ms)
    plaintext = _open_body(r, key, sealed_header, body, now_ms)
    skipped.forget(r.skipped, turn, mark.number)
    skipped.expire(r.skipped, now_ms)
    r.messages += 1
    return plaintext, mark


def _open_body(r: Ratchet, key: bytes, sealed_header: bytes, body: bytes, now_ms: int) -> bytes:
    try:
        return _open(body[24:], r.sid + sealed_header, body[:24], key)
    except CryptoError:
        r.budget = budget.spend(r.budget, now_ms)
        raise BodyForged from None


def _secrets_of_turn(r: Ratchet, public: bytes, fields: KemFields) -> tuple[bytes, bytes]:
    """The DH secret and the KEM secret (empty without one) that the peer's new turn mixes. Raises: Forged."""
    if not r.mine:
        raise Forged  # DR 2.4: a turn answers a turn of ours, and we have not begun one
    if bool(r.offer) != bool(fields.ct):
        raise Forged  # DR 4.2: an offer is answered in the very next turn, and nothing else is
    if fields.ek:
        keys.require_kem_public(fields.ek)
    try:
        dh = crypto_scalarmult(r.mine, public)
    except SodiumError:
        raise Forged from None
    return dh, KemKey(r.offer).decapsulate(fields.ct) if r.offer else b""


def _start_turn(r: Ratchet, entropy: Entropy, encapsulate: Encapsulate, now_ms: int) -> bytes:
    """Begins our next turn and returns its chain key; answers the peer's KEM key and offers one when it is time."""
    assert r.theirs, "a responder receives before it sends"
    assert not r.mine
    mine = entropy(32)
    ct, kem_secret = encapsulate(r.their_ek) if r.their_ek else (b"", b"")
    ek = b""
    if r.messages >= OFFER_AFTER or now_ms - r.offered_ms >= OFFER_AFTER_MS:
        r.offer = entropy(keys.KEM_SEED_BYTES)
        ek = KemKey(r.offer).public
        r.messages, r.offered_ms = 0, now_ms
    r.root, r.send_chain, send_next = chain.root_step(r.root, crypto_scalarmult(mine, r.theirs), kem_secret)
    r.send_header, r.send_next = r.send_next, send_next
    r.mine, r.mine_public = mine, crypto_scalarmult_base(mine)
    r.fields, r.their_ek = header.pack_fields(KemFields(ek, ct)), b""
    r.mixed += bool(kem_secret)
    return r.send_chain


def _skip_max(r: Ratchet, now_ms: int) -> int:
    return MAX_SKIP if now_ms - r.created_ms >= DAY_MS else MAX_SKIP_YOUNG


def _refuse_paused(r: Ratchet, now_ms: int) -> None:
    if r.budget.paused_until_ms and budget.paused(r.budget, now_ms):
        raise Paused
