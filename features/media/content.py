"""What messages say of a file. Moments say it too, so it stands below the rooms (protocol/file.py)."""

from protocol.file import File

__all__ = ["File"]
