"""Placeholder until PICTURES is merged."""

from features.moments.shown import Picture
from protocol.file import File
from store.database import Tx


def lines(_tx: Tx, _moment: int, _media: tuple[File, ...]) -> tuple[Picture, ...]:
    """Nothing yet."""
    return ()
