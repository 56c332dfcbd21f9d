"""The row below the line that is being typed: a few words that come and go, and never move the cursor.

Not here: what is said there, and when (cli/commands/chat.py).
"""

import shutil

ROOM_COLUMNS = 12  # between what is typed and the end of its row: what goes on in a second row would be written over

_DOWN, _UP, _SAVE, _BACK, _WIPE = "\x1bD", "\x1bM", "\x1b7", "\x1b8", "\r\x1b[K"  # all of a VT100


def fits(line: str) -> bool:
    """Whether what stands on the row of the cursor, prompt and all, leaves the row below alone."""
    return 2 * len(line) - sum(one.isascii() for one in line) + ROOM_COLUMNS <= _columns()


def shown(text: str) -> str:
    """What puts a text on the row below; on the last row of the screen all others move up first."""
    return f"{_DOWN}{_UP}{_SAVE}{_DOWN}{_WIPE}{text[: _columns() - 1]}{_BACK}"


def gone() -> str:
    """What takes it from there."""
    return f"{_SAVE}{_DOWN}{_WIPE}{_BACK}"


def _columns() -> int:
    return shutil.get_terminal_size().columns
