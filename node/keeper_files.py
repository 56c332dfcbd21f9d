"""Where the files of a keeper of one's own stand in its profile. Not here: the keeper (keeper_program.py)."""

from pathlib import Path

from node.profile import Profile


def key(place: Profile) -> Path:
    """The key of its database; where it is, the profile is a keeper's."""
    return place.root / "keeper.key"


def spare(place: Profile) -> Path:
    """What is given up when the disk is full (keeper_disk.py)."""
    return place.root / "keeper.spare"


def database(place: Profile) -> Path:
    """What lies there for the owner, and who the keeper is."""
    return place.root / "keeper.db"


def cellar(place: Profile) -> Path:
    """The folder of the files that are kept."""
    return place.root / "keeper.files"
