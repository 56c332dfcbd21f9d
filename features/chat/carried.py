"""What a line carries besides words: a file, card, place or sticker; what follows where one comes, is said, or goes.

The rooms of files and of profiles keep lists of them; a line that goes takes its row there along.
"""

from features.media import view as files
from features.profile import view as told
from features.profile.content import ContactCard, Location
from features.stickers import view as stickers
from features.stickers.content import Sticker
from protocol.file import File
from store.database import Tx
from store.inbox import Arrival


def arrived(tx: Tx, arrival: Arrival) -> None:
    """Takes in what a line that came carries. Raises: NotSticker."""
    match arrival.said.content:
        case File():
            files.arrived(tx, arrival)
        case ContactCard() | Location() as what:
            told.fold(tx, arrival.contact.id, arrival.seq, what, arrival.now_ms)
        case Sticker(webp=picture):
            stickers.measured(picture)


def said(tx: Tx, contact_id: int, seq: int, what: object) -> None:
    """We have just said this, in this row."""
    if isinstance(what, Location):
        told.keep_location(tx, contact_id, seq, what, mine=True)


def forget(tx: Tx, seq: int) -> None:
    """The line is gone, and what it carried."""
    files.forget(tx, seq)
    told.forget(tx, seq)
