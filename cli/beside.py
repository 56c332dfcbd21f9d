"""A folder beside a page that a command writes, for the files that the page speaks of: new, called after the page."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cli import faults
from cli.faults import Failure

FOLDERS_MAX = 1000  # of one page's name


@dataclass
class Beside:
    """again: the command that names another page. folder: made with the first file."""

    page: Path
    again: str
    folder: Path | None = None

    def place(self) -> Path:
        """The folder. Raises: Failure."""
        if self.folder is not None:
            return self.folder
        for number in range(1, FOLDERS_MAX):
            ending = "" if number == 1 else f"-{number}"
            folder = self.page.parent / f"{self.page.stem}-files{ending}"
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as broken:
                said = faults.quoted(str(folder))
                why = f"The folder {said} cannot be made ({broken.strerror}); nothing was written."
                raise Failure("file.unwritable", why, next=self.again) from None
            self.folder = folder
            return folder
        raise Failure("file.exists", "Too many folders of this name stand there.", next=self.again)

    def drop(self) -> None:
        """Takes the folder away: the page was not written. Nothing but its files is in it."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
