"""The devices of contacts: certificate, where to reach them, the bundle for the next session, restart counters.

Callers come through people.py, which decides who is let in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protocol import backup_records, ids, record, wire
from protocol import identity as documents
from protocol.identity import Bundle, Certificate
from store import healing, lanes
from store.database import Tx
from store.identity import CERTIFICATE_BYTES_MAX

ADDRESSES_MAX = 8
ADDRESSES_BYTES_MAX = 4 * 1024
BUNDLE_BYTES_MAX = 8 * 1024
_COLUMNS = "id, contact, device, certificate, peer, next_peer, addresses, counter, bundle, bundle_given_ms, revoked"


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a contact. peer: the PeerId it was last reached under, next_peer: the one it announced.

    counter: the highest restart counter known between it and us. bundle: for the next session, checked when it was
    stored. bundle_given_ms: when we last gave it one of ours.
    """

    id: int
    contact: int
    device: ids.DeviceId
    certificate: Certificate
    peer: bytes | None
    next_peer: bytes | None
    addresses: tuple[str, ...]
    counter: int
    bundle: Bundle | None
    bundle_given_ms: int
    revoked: bool


def add_device(tx: Tx, contact_id: int, certificate: Certificate) -> Device:
    """The device of this certificate, which the caller has checked; stored if it is new.

    The first device of a contact takes over what was posted before. Raises: NotListed when another contact has it.
    """
    known = device_by_key(tx, certificate.device)
    if known is not None:
        if known.contact != contact_id:
            raise documents.NotListed
        return _renew_certificate(tx, known, certificate)
    device_id = tx.insert(
        "INSERT INTO device (contact, device, certificate, peer, next_peer, addresses, counter, bundle,"
        " bundle_given_ms, revoked) VALUES (?, ?, ?, x'', x'', ?, 0, x'', 0, 0)",
        (contact_id, certificate.device, record.encode(certificate), wire.encode(())),
    )
    lanes.begin(tx, device_id, contact_id)
    healing.begin(tx, device_id)
    _hand_over(tx, contact_id)
    return device(tx, device_id)


def put_back(tx: Tx, kept: backup_records.Device, is_listed: bool) -> None:
    """The row of a device as a backup has it, in an empty table; no bundle, and no session with it.

    is_listed: whether it is in the newest list of its contact.
    """
    tx.execute(
        "INSERT INTO device (id, contact, device, certificate, peer, next_peer, addresses, counter, bundle,"
        " bundle_given_ms, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, 0, x'', 0, ?)",
        (
            kept.number,
            kept.contact,
            kept.certificate.device,
            record.encode(kept.certificate),
            kept.peer or b"",
            kept.next_peer or b"",
            wire.encode(kept.addresses),
            int(kept.revoked or not is_listed),
        ),
    )
    lanes.begin(tx, kept.number, kept.contact)
    healing.begin(tx, kept.number)


def device(tx: Tx, device_id: int) -> Device:
    """The device in this row. It exists."""
    row = tx.one(f"SELECT {_COLUMNS} FROM device WHERE id = ?", (device_id,))
    assert row is not None
    return _device(row)


def device_by_key(tx: Tx, key: ids.DeviceId) -> Device | None:
    """The device with this public key."""
    row = tx.one(f"SELECT {_COLUMNS} FROM device WHERE device = ?", (key,))
    return None if row is None else _device(row)


def devices_of(tx: Tx, contact_id: int) -> tuple[Device, ...]:
    """All devices of a contact, revoked ones too, in the order in which they were met."""
    return tuple(map(_device, tx.all(f"SELECT {_COLUMNS} FROM device WHERE contact = ? ORDER BY id", (contact_id,))))


def addresses_of(tx: Tx, contact_id: int) -> tuple[str, ...]:
    """Where the devices of a contact can be reached, revoked ones too, in the order in which they were met."""
    rows = tx.all("SELECT addresses FROM device WHERE contact = ? ORDER BY id", (contact_id,))
    return tuple(address for (raw,) in rows for address in _addresses(raw))


def revoke_unlisted(tx: Tx, contact_id: int, certificates: Sequence[bytes]) -> None:
    """Marks the devices that are not in the newest list: nothing is sealed for them, nothing taken from them.

    certificates: hashes, as the list has them. What they have not acknowledged goes to who took their place.
    """
    for one in devices_of(tx, contact_id):
        if not one.revoked and documents.certificate_hash(one.certificate) not in certificates:
            tx.execute("UPDATE device SET revoked = 1, bundle = x'' WHERE id = ?", (one.id,))
    _hand_over(tx, contact_id)


def heard_hello(
    tx: Tx, device_id: int, addresses: Sequence[str], next_peer: bytes | None, counter: int, now_ms: int
) -> None:
    """Keeps what a device said of itself at the start of a stream. counter: its highest restart counter."""
    tx.execute(
        "UPDATE device SET addresses = ?, next_peer = ?, counter = MAX(counter, ?) WHERE id = ?",
        (wire.encode(tuple(addresses[:ADDRESSES_MAX])), next_peer or b"", counter, device_id),
    )
    tx.execute(
        "UPDATE contact SET seen_ms = ? WHERE id = (SELECT contact FROM device WHERE id = ?)", (now_ms, device_id)
    )


def set_route(tx: Tx, device_id: int, peer: bytes | None, addresses: Sequence[str] | None = None) -> None:
    """Keeps where a device was reached. addresses: None leaves those that are known."""
    tx.execute("UPDATE device SET peer = ? WHERE id = ?", (peer or b"", device_id))
    if addresses is not None:
        known = wire.encode(tuple(addresses[:ADDRESSES_MAX]))
        tx.execute("UPDATE device SET addresses = ? WHERE id = ?", (known, device_id))


def store_bundle(tx: Tx, device_id: int, bundle: Bundle) -> None:
    """Keeps a bundle for the next session; the caller has checked it."""
    tx.execute("UPDATE device SET bundle = ? WHERE id = ?", (record.encode(bundle), device_id))


def count_to(tx: Tx, device_id: int, counter: int) -> None:
    """Notes a restart counter between this device and us; the highest is kept, and told in the next hello."""
    tx.execute("UPDATE device SET counter = MAX(counter, ?) WHERE id = ?", (counter, device_id))


def bundle_given(tx: Tx, device_id: int, now_ms: int) -> None:
    """Notes that the device has a fresh bundle of ours."""
    tx.execute("UPDATE device SET bundle_given_ms = ? WHERE id = ?", (now_ms, device_id))


def announced_peers(tx: Tx, device_id: int) -> tuple[bytes, ...]:
    """The PeerIds that this device may have: the last one seen, the next one announced."""
    known = device(tx, device_id)
    return tuple(peer for peer in (known.peer, known.next_peer) if peer is not None)


def _hand_over(tx: Tx, contact_id: int) -> None:
    """What a revoked device has not acknowledged is for the newest one that was met after it (store 4.1)."""
    rows = tx.all("SELECT id, revoked FROM device WHERE contact = ? ORDER BY id", (contact_id,))
    heir = max((device_id for device_id, revoked in rows if not revoked), default=0)
    for device_id, revoked in rows:
        if revoked and device_id < heir:
            lanes.inherit(tx, device_id, heir)


def _renew_certificate(tx: Tx, known: Device, certificate: Certificate) -> Device:
    """The device under a certificate that was checked against the newest list and may be newer than the one stored."""
    if certificate != known.certificate or known.revoked:
        raw = record.encode(certificate)
        tx.execute("UPDATE device SET certificate = ?, revoked = 0 WHERE id = ?", (raw, known.id))
    return device(tx, known.id)


def _device(row: tuple[Any, ...]) -> Device:
    device_id, contact_id, key, certificate, peer, next_peer, addresses, counter, bundle, given_ms, revoked = row
    return Device(
        id=device_id,
        contact=contact_id,
        device=key,
        certificate=record.decode(Certificate, certificate, CERTIFICATE_BYTES_MAX),
        peer=peer or None,
        next_peer=next_peer or None,
        addresses=_addresses(addresses),
        counter=counter,
        bundle=record.decode(Bundle, bundle, BUNDLE_BYTES_MAX) if bundle else None,
        bundle_given_ms=given_ms,
        revoked=bool(revoked),
    )


def _addresses(raw: bytes) -> tuple[str, ...]:
    texts: Any = wire.decode(raw, ADDRESSES_BYTES_MAX)
    return tuple(texts)
