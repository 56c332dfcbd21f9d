"""What may come of a file that the workshop was given, as sentences; and what its program raises inside itself."""

from protocol.faults import UserFault
from protocol.workshop import Why


class CannotOpen(UserFault):
    """This file cannot be opened. It must be a plain file that you may read."""

    code = "workshop.file"
    next = "weft send --help"


class Broken(UserFault):
    """This file is broken: it cannot be read to its end as what it says it is."""

    code = "workshop.broken"
    next = "weft send --help"


class Strange(UserFault):
    """This is no picture, sound or film of a kind that weft looks into; it can still travel as a file."""

    code = "workshop.strange"
    next = "weft send --help"


class TooMuch(UserFault):
    """This file unpacks to more than weft looks at; it can still travel as a file."""

    code = "workshop.much"
    next = "weft send --help"


class NoRoom(UserFault):
    """The copy without metadata cannot be written. The disk may be full; make room and try again."""

    code = "workshop.room"
    next = "df -h"


class Ended(UserFault):
    """The program that looks into files ended in the middle of this one. Nothing else was touched."""

    code = "workshop.ended"
    next = "weft doctor"


class Refused(Exception):
    """Inside the program: the file is not worked on. Never leaves it but as `Failed`."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.name)
        self.why = why
