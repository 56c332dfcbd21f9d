"""Which files are left at keepers of who is away: small ones by themselves, others because a person said so.

Not here: how they come there (node/keep/leaver.py), and from there (node/blobs/kept.py); what is seen of it (view.py).
"""

from features.media.faults import AllThere, KeptNowhere, NotMine
from node import config
from protocol import deposit
from protocol.blobs import Blob
from store import blobs, inboxes, leaving, settings
from store.database import Tx

SETTING = "media.keep"  # MB: what is left at a keeper without asking
MB = 1_000_000


def by_itself(tx: Tx, number: int, blob: Blob, contact_id: int, now_ms: int) -> None:
    """Has a file that was just said left at a keeper whenever the contact is away, where it is not too large."""
    said = config.effective(settings.all_set(tx))[SETTING]
    if 0 < blob.length <= int(said) * MB:
        leaving.want(tx, number, contact_id, now_ms)


def wanted(tx: Tx, mine: bool, contact_id: int, number: int, now_ms: int) -> None:
    """Has a file left at a keeper of a contact because a person said so. Raises: NotMine, AllThere, KeptNowhere."""
    row = blobs.row(tx, number)
    if not mine or row is None:
        raise NotMine
    if blobs.given(tx, number, contact_id) >= row.blob.count:
        raise AllThere
    if row.blob.count > deposit.PIECES_MAX:
        raise KeptNowhere("A keeper takes files of at most 2 GB; nothing was changed.")
    if row.state is not blobs.State.WHOLE:
        raise KeptNowhere("Not all of this file is here, so it cannot be left anywhere; nothing was changed.")
    if not inboxes.devices_of(tx, contact_id):
        raise KeptNowhere
    leaving.want(tx, number, contact_id, now_ms)


def unwanted(tx: Tx, contact_id: int, number: int) -> None:
    """Has what lies there taken back; well where nothing does."""
    left = leaving.of(tx, number, contact_id)
    if left is not None:
        leaving.unwant(tx, left.id)
