"""What this room does once an account is back on a new device: profiles are read from the messages that came too.

Who was told a later version by the lost device hears ours all the same: it is counted on from the time. Ours is kept by
itself, whether or not anybody was told it. docs/protocol/backup.md 4.7.
"""

from typing import Any

from crypto import keys
from crypto.faults import PeerFault
from features.profile import view
from features.profile.content import ContactCard, Location, Profile
from protocol import backup_records, content, record, webp
from store import backup
from store.database import Tx
from store.identity import Identity

_KINDS = content.Kinds((Profile, ContactCard, Location))


def keep(tx: Tx, _ourselves: int) -> bytes | None:
    """Our profile, for a backup."""
    mine = view.own(tx)
    return None if mine is None else record.encode(mine.said)


def own_of(kept: bytes) -> Profile:
    """What `keep` wrote. Raises: Malformed, NotWebp."""
    said = record.decode(Profile, kept, backup_records.NOTE_BYTES_MAX)
    if said.photo is not None:
        webp.measure(said.photo)
    return said


def put_back(tx: Tx, _ourselves: int, kept: bytes) -> None:
    """Takes in what `keep` gave; `restored` goes on with it. Raises: Malformed, NotWebp."""
    said = own_of(kept)
    view.keep_own(tx, view.Known(said.version, said.name, said.about, said.photo or b"", 0))


def restored(tx: Tx, _me: Identity, now_ms: int, _entropy: keys.Entropy) -> None:
    """Fills the tables of this room, which are empty."""
    mine = view.own(tx)
    ours = None if mine is None else mine.said
    rows = tx.all(
        "SELECT seq, contact, device, arrived_ms, body FROM message WHERE kind IN (?, ?, ?) ORDER BY seq",
        (Profile.KIND, ContactCard.KIND, Location.KIND),
    )
    for seq, contact_id, device_id, arrived_ms, body in rows:
        try:
            said: Any = _KINDS.hear(body, content.Channel.RATCHET).content
            if said is None:
                continue  # of a later version of weft
            if device_id:
                view.fold(tx, contact_id, seq, said, arrived_ms)
            elif isinstance(said, Profile):
                view.told(tx, contact_id, 0, seq, 0)
                ours = max(ours or said, said, key=lambda one: one.version)
            elif isinstance(said, Location):
                view.keep_location(tx, contact_id, seq, said, mine=True)
        except PeerFault:
            continue  # it was of another shape, or no newer than what we have
    if ours is not None:
        version = backup.epoch_min(ours.version, now_ms)
        view.keep_own(tx, view.Known(version, ours.name, ours.about, ours.photo or b"", now_ms))
