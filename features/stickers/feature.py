"""The room of stickers: packs of small pictures, which are said in place of words."""

from features.stickers import view
from features.stickers.service import Stickers
from node.feature import Feature
from store.database import Tx
from store.inbox import Arrival


def _apply(_tx: Tx, _arrival: Arrival) -> tuple[object, ...]:
    """A sticker is a line of a chat, and arrives there (features/chat/acts.py)."""
    return ()


def _show(_tx: Tx, _number: int) -> dict[str, object]:
    """That the packs are others; `stickers.list` says which there are."""
    return {}


FEATURE = Feature(
    name="stickers",
    needs=("media",),
    contents=(),
    migrations=view.MIGRATIONS,
    apply=_apply,
    open=Stickers,
    shows={view.CHANGED: _show},
)
