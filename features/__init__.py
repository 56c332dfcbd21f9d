"""The names of all rooms, and the one place that loads them: this package itself stays light to import."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node.feature import Feature

ALL: tuple[str, ...] = (
    "contacts",
    "media",
    "stickers",
    "profile",
    "chat",
    "moments",
    "nearby",
    "logs",
    "keepers",
    "payments",
    "vouchers",
    "books",
    "bills",
    "packets",
    "shop",
    "paths",
)


def load() -> "tuple[Feature, ...]":
    """The features of all rooms, in the order of ALL."""
    return tuple(import_module(f"features.{name}.feature").FEATURE for name in ALL)
