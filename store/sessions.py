"""Sessions with devices of contacts: begun, answered, ranked, restarted; their ratchets frozen in rows.

docs/protocol/store.md 4 and 5. One session sends, the others only receive: the higher restart counter, then the
bytewise smaller id. What goes through them: outbox.py and inbox.py. Whether a restart is due: healing.py.
"""

from dataclasses import dataclass
from typing import Any

from crypto import handshake, ratchet
from crypto.faults import Malformed, PeerFault, Replayed
from crypto.handshake import Party, Prekeys
from crypto.keys import DhKey, Encapsulate, Entropy
from protocol import envelope, ids, record, wire
from protocol import identity as documents
from protocol.identity import Bundle, Certificate
from store import devices, healing, lanes, parcels, people, prekeys, session_rows, watches
from store.database import Tx
from store.devices import Device
from store.healing import Healing
from store.identity import CERTIFICATE_BYTES_MAX, Identity
from store.prekeys import bundle_due, give_bundle, invitation_bundle, own_bundle
from store.session_rows import Live, sending

__all__ = [
    "Healing",
    "ListUnknown",
    "Opened",
    "answer",
    "answer_init",
    "asked",
    "asking",
    "bundle_due",
    "give_bundle",
    "heal",
    "invitation_bundle",
    "keep",
    "needs_restart",
    "own_bundle",
    "seal_init",
    "sending",
    "start",
    "store_bundle",
    "usable_bundle",
    "wrapped",
]

RESTARTED = "session.restarted"  # topic of changes; the key is the contact
_INIT_BYTES_MAX = 4 * 1024
_NO_SESSION = ids.SessionId(bytes(16))


class ListUnknown(PeerFault):
    """A session is begun under a device list that this node has not seen yet; it waits for the list."""


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An init that was taken in: its session, and the plaintext of its message."""

    session: ids.SessionId
    plaintext: bytes


def start(
    tx: Tx,
    identity: Identity,
    device: Device,
    bundle: Bundle,
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
    counter: int = 0,
    failed: ids.SessionId | None = None,
) -> ids.SessionId:
    """Begins a session by PX3, as initiator; every message carries the init until the other side answers.

    bundle: checked. counter, failed: of a restart; failed is None for a plain init, zeros for a session that is
    unknown. Raises: Reflected, Forged for keys that cannot be agreed with.
    """
    return _started(tx, identity, device, bundle, now_ms, entropy, encapsulate, counter, failed).sid


def _started(
    tx: Tx,
    identity: Identity,
    device: Device,
    bundle: Bundle,
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
    counter: int,
    failed: ids.SessionId | None,
) -> Live:
    assert bundle.certificate.device == device.device
    one_time = bundle.one_time
    offered = Prekeys(
        bundle.signed,
        None if one_time is None else one_time.key,
        bundle.kem if one_time is None else one_time.kem,
    )
    ephemeral = DhKey(entropy(32))
    mine, theirs = _party(identity.certificate), _party(bundle.certificate)
    agreed, ciphertext = handshake.initiate(
        mine, identity.identity_key, theirs, offered, ephemeral, counter, encapsulate
    )
    kem_number = bundle.kem_number if one_time is None else one_time.number
    pending: wire.Value = (
        record.encode(identity.certificate),
        documents.list_hash(identity.lists[-1]),
        ephemeral.public,
        ciphertext,
        bundle.signed_number,
        None if one_time is None else one_time.number,
        kem_number,
        counter,
    )
    live = session_rows.new(agreed, counter, now_ms, ratchet.sending_first(agreed, bundle.signed, entropy, now_ms))
    live.init = wire.encode(pending)
    live.failed = b"" if failed is None else failed
    session_rows.insert(tx, device, live)
    healing.started(tx, device.id, counter, now_ms)
    session_rows.prune(tx, device.id, now_ms)
    return live


def asking(
    tx: Tx,
    identity: Identity,
    device: Device,
    bundle: Bundle,
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
) -> ids.SessionId:
    """The session in which an invitation is followed: one that was begun with this bundle and not answered, else a new.

    One begun with another bundle came by another link, whose one-time keys its maker may not have any more. `boot` is
    kept although there may be a secret of the pair: either side may have lost that.
    """
    for live in session_rows.load(tx, device.id):
        if live.init and not live.failed and _begun_with(live, bundle):
            return live.sid
    live = _started(tx, identity, device, bundle, now_ms, entropy, encapsulate, 0, None)
    session_rows.keep_boot(tx, live)
    return live.sid


def _begun_with(live: Live, bundle: Bundle) -> bool:
    """Whether the pending init of a session names the prekeys of this bundle."""
    fields: Any = wire.decode(live.init, _INIT_BYTES_MAX)
    signed_number, one_time_number = fields[4:6]
    offered = None if bundle.one_time is None else bundle.one_time.number
    return bool((signed_number, one_time_number) == (bundle.signed_number, offered))


def seal_init(live: Live, plaintext: bytes, entropy: Entropy, now_ms: int) -> envelope.Init:
    """An init that carries this plaintext. live: a session that nobody has answered; the caller saves it."""
    assert live.init
    assert live.r.send_chain, "the initiator's first turn begins with the session"
    message = envelope.Message(*ratchet.encrypt(live.r, plaintext, entropy, _no_encapsulation, now_ms))
    inner = wrapped(live, message)
    assert isinstance(inner, envelope.Init)
    return inner


def _no_encapsulation(_: bytes) -> tuple[bytes, bytes]:
    raise AssertionError("a turn that has begun encapsulates nothing")


def answer_init(tx: Tx, identity: Identity, device: Device, init: envelope.Init, now_ms: int) -> Opened:
    """Takes in an init that came by an invitation: agrees, opens its message, stores the session.

    The device list is in the message: the caller checks that the device is in it, and how it follows the pinned one.
    `boot` stays although there may be a secret of the pair: an account that was restored has lost that.
    The same ephemeral key again is a retry: only its message is opened. Raises: the faults of `answer` and of
    ratchet.decrypt; PrekeysGone when the agreement gives other keys here than there.
    """
    answered = _answer(tx, identity, device, init, None, now_ms, None)
    if isinstance(answered, bytes):
        known = next((live for live in session_rows.load(tx, device.id) if live.sid == answered), None)
        if known is None:
            raise Replayed
        live = known
    else:
        live = answered
    plaintext = open_first(live, init.message, now_ms)
    if live.id == 0:
        keep(tx, device, live, now_ms)
        session_rows.keep_boot(tx, live)
    live.note(init.message.header, now_ms)
    session_rows.save(tx, live)
    return Opened(live.sid, plaintext)


def open_first(live: Live, message: envelope.Message, now_ms: int) -> bytes:
    """The plaintext of a message that came with an init. Raises: PrekeysGone, or the faults of ratchet.decrypt."""
    try:
        return ratchet.decrypt(live.r, message.header, message.body, now_ms)[0]
    except PeerFault:
        if live.id:
            raise
        # The agreement gave other keys here than there: prekeys under one number differ after a database was set back.
        raise prekeys.PrekeysGone from None


def wrapped(live: Live, message: envelope.Message) -> envelope.Inner:
    """The message as it travels before the other side has answered: with the init in front."""
    fields: Any = wire.decode(live.init, _INIT_BYTES_MAX)
    certificate, *numbers = fields
    parts = (record.decode(Certificate, certificate, CERTIFICATE_BYTES_MAX), *numbers, message)
    init = envelope.Init(*parts)
    return envelope.Restart(ids.SessionId(live.failed), init) if live.failed else init


def answer(
    tx: Tx, identity: Identity, device: Device, init: envelope.Init, failed: ids.SessionId | None, now_ms: int
) -> Live | ids.SessionId:
    """The session that an init begins, not kept yet: its message must open first. Or the id of one it began before.

    device: who is at the other end. failed: of a restart, None for a plain init.
    Raises: Forged, NotListed, Revoked, Expired (another device, a bad certificate), PrekeysGone, OneTimeSpent,
    ListUnknown, Malformed, Reflected.
    """
    newest = people.newest_list(tx, device.contact)
    return _answer(tx, identity, device, init, failed, now_ms, newest)


def _answer(
    tx: Tx,
    identity: Identity,
    device: Device,
    init: envelope.Init,
    failed: ids.SessionId | None,
    now_ms: int,
    newest: documents.DeviceList | None,
) -> Live | ids.SessionId:
    """As `answer`. newest: the list that the device must be in, None where the message inside brings it."""
    row = tx.one("SELECT sid FROM px3_seen WHERE ephemeral = ?", (init.ephemeral,))
    if row is not None:
        return ids.SessionId(row[0])
    if (failed is None) != (init.counter == 0):
        raise Malformed
    _check_sender(tx, device, init, newest, now_ms)
    secrets = prekeys.secrets_for(tx, init, init.certificate.account, now_ms)
    agreed = handshake.respond(
        _party(init.certificate),
        init.ephemeral,
        init.ciphertext,
        init.counter,
        _party(identity.certificate),
        identity.identity_key,
        secrets,
    )
    live = session_rows.new(agreed, init.counter, now_ms, ratchet.receiving_first(agreed, secrets.signed, now_ms))
    live.ephemeral = init.ephemeral
    live.prekey = init.signed_number if init.one_time_number is None else init.one_time_number
    if failed is not None:
        live.failed = failed
        live.receive_only = not _is_newer(tx, device.id, init.counter)
    return live


def keep(tx: Tx, device: Device, live: Live, now_ms: int) -> None:
    """Stores a session that `answer` gave, after its first message opened, and what follows from it.

    A restart means that the other side could not read: what is not acknowledged goes out again. One whose counter is
    not higher comes from a database that was set back: it only receives, and we restart above it.
    """
    is_restart = bool(live.failed)
    live.failed = b""
    session_rows.insert(tx, device, live)
    tx.execute(
        "INSERT INTO px3_seen (ephemeral, sid, prekey) VALUES (?, ?, ?)", (live.ephemeral, live.sid, live.prekey)
    )
    prekeys.spend(tx, live.prekey, people.contact(tx, device.contact).account)
    devices.count_to(tx, device.id, live.counter)
    healing.healed(tx, device.id, live.counter, now_ms)
    if is_restart:
        healing.set_must(tx, device.id, live.receive_only)
        lanes.new_round(tx, device.id)
        parcels.forget(tx, device.id)
        watches.begin_anew(tx, device.contact)
        tx.changed(RESTARTED, device.contact)
        people.tell_restart(tx, device.contact)
    session_rows.prune(tx, device.id, now_ms)


def store_bundle(tx: Tx, device_id: int, bundle: Bundle, now_ms: int) -> None:
    """Keeps a bundle that a device gave us, for the next session with it.

    Raises: the faults of identity.check_bundle; Forged when it is another device's.
    """
    device = devices.device(tx, device_id)
    account = people.contact(tx, device.contact).account
    documents.check_bundle(bundle, account, now_ms // 1000, people.newest_list(tx, device.contact))
    if bundle.certificate.device != device.device:
        raise documents.NotListed
    devices.store_bundle(tx, device_id, bundle)


def asked(tx: Tx, contact_id: int, bundle: Bundle, now_ms: int) -> None:
    """A device of a contact cannot read us, and has no bundle of ours: we begin a session with this one of its.

    One that is not newer than what we have from it was asked before that, and is passed over. Raises: as store_bundle.
    """
    device = devices.device_by_key(tx, bundle.certificate.device)
    if device is None or device.contact != contact_id or device.revoked:
        raise documents.NotListed
    if device.bundle is not None and bundle.not_after_s <= device.bundle.not_after_s:
        return
    store_bundle(tx, device.id, bundle, now_ms)
    healing.set_must(tx, device.id, True)


def usable_bundle(device: Device, now_ms: int) -> Bundle | None:
    """The stored bundle, if a session can be begun with it now."""
    if device.bundle is None or device.revoked or device.bundle.not_after_s < now_ms // 1000:
        return None
    return device.bundle


def needs_restart(tx: Tx, device_id: int, now_ms: int) -> bool:
    """Whether a new session with this device is due now: something stayed unreadable, and the back-off is over."""
    return healing.verdict(tx, device_id, now_ms) is None


def heal(
    tx: Tx, identity: Identity, device_id: int, now_ms: int, entropy: Entropy, encapsulate: Encapsulate
) -> Healing:
    """Begins a new session in place of one that cannot be read, if that is due and there is a bundle for it."""
    reason = healing.verdict(tx, device_id, now_ms)
    if reason is not None:
        return reason
    device = devices.device(tx, device_id)
    bundle = usable_bundle(device, now_ms)
    if bundle is None:
        return Healing.NO_BUNDLE
    replace(tx, identity, device, bundle, now_ms, entropy, encapsulate)
    return Healing.RESTARTED


def replace(
    tx: Tx,
    identity: Identity,
    device: Device,
    bundle: Bundle,
    now_ms: int,
    entropy: Entropy,
    encapsulate: Encapsulate,
) -> None:
    """Begins a session above all known ones; what is not acknowledged goes out again in it, a carrier first."""
    failed = sending(tx, device.id) or _NO_SESSION
    counter = 1 + max(device.counter, healing.state(tx, device.id).counter, 0)
    start(tx, identity, device, bundle, now_ms, entropy, encapsulate, counter, failed)
    devices.count_to(tx, device.id, counter)
    healing.restarted(tx, device.id, counter, now_ms)
    lanes.new_round(tx, device.id)
    parcels.forget(tx, device.id)
    lanes.add(tx, device.id, (lanes.CARRIER,))
    watches.begin_anew(tx, device.contact)
    tx.changed(RESTARTED, device.contact)
    people.tell_restart(tx, device.contact)


def _is_newer(tx: Tx, device_id: int, counter: int) -> bool:
    """Whether a restart of the other side stands above all sessions, or beside one that we began on our own.

    Then both sides restarted at once, and the order of session ids decides.
    """
    known = healing.state(tx, device_id).counter
    if counter != known:
        return counter > known
    row = tx.one(
        "SELECT 1 FROM session WHERE device = ? AND receive_only = 0 AND counter = ? AND prekey = 0",
        (device_id, counter),
    )
    return row is not None


def _check_sender(
    tx: Tx, device: Device, init: envelope.Init, newest: documents.DeviceList | None, now_ms: int
) -> None:
    """Returns when the init is by the device at the other end, under a list that we know (cases 2, 9, 33, 37, 39)."""
    certificate = init.certificate
    account = people.contact(tx, device.contact).account
    if certificate.device != device.device or device.revoked:
        raise documents.NotListed
    if newest is None:  # first contact, or by an invitation: the card inside brings the list
        documents.check_certificate(certificate, account, now_ms // 1000)
        return
    documents.check_listed(certificate, newest, None if certificate == device.certificate else now_ms // 1000)
    known = tx.one("SELECT 1 FROM pinned_list WHERE contact = ? AND hash = ?", (device.contact, init.list_hash))
    if known is None:
        raise ListUnknown


def _party(certificate: Certificate) -> Party:
    return Party(certificate.account, documents.certificate_hash(certificate), certificate.identity)
