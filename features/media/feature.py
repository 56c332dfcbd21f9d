"""The room of files: pictures, recordings, videos, folders, and all else that is too large for a message."""

from dataclasses import asdict

from crypto.keys import Entropy
from features.media import aging, service, view
from features.media.service import Media
from node.feature import Feature, Keeping
from store import blobs, leaving
from store.database import Tx
from store.identity import Identity
from store.inbox import Arrival


def _show(tx: Tx, number: int) -> dict[str, object] | None:
    """The newest message that tells a blob, and how much of it is here."""
    told = view.telling(tx, number)
    line = view.line(tx, told[-1]) if told else None
    return None if line is None else asdict(line)


def _show_given(tx: Tx, row_id: int) -> dict[str, object] | None:
    """The newest message that told a contact a blob, and how much of it he has."""
    found = blobs.given_row(tx, row_id)
    if found is None:
        return None
    return _told(tx, *found)


def _told(tx: Tx, number: int, contact_id: int) -> dict[str, object] | None:
    for seq in reversed(view.telling(tx, number)):
        one = view.at(tx, seq)
        if one is not None and one.mine and one.contact == contact_id:
            line = view.line(tx, seq)
            return None if line is None else asdict(line)
    return None


def _show_left(tx: Tx, row_id: int) -> dict[str, object] | None:
    """The newest message that told a contact a file of ours, and what of it lies at a keeper of his."""
    one = leaving.at(tx, row_id)
    return None if one is None else _told(tx, one.blob, one.contact)


def _apply(_tx: Tx, _arrival: Arrival) -> tuple[object, ...]:
    """A file is a line of a chat, and arrives there (features/chat/acts.py)."""
    return ()


def _restored(tx: Tx, _identity: Identity, now_ms: int, _entropy: Entropy) -> None:
    view.rebuild(tx, now_ms)


FEATURE = Feature(
    name="media",
    contents=(),
    migrations=(*view.MIGRATIONS, aging.MIGRATION),
    apply=_apply,
    open=Media,
    run=service.run,
    shows={blobs.CHANGED: _show, blobs.GIVEN: _show_given, leaving.CHANGED: _show_left},
    keeping=Keeping(aging.kept, aging.kept_of, aging.put_back),
    restored=_restored,
)
