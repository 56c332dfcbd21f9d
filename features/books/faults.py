"""What a person may ask wrongly of this room."""

from protocol.faults import UserFault


class PartGone(UserFault):
    """What was being read is not kept so long; begin again."""

    code = "books.part"
    next = "weft ledger export --format hledger"
    exit = 1


class NoPart(UserFault):
    """There is no such part; begin again."""

    code = "books.offset"
    next = "weft ledger export --format hledger"
    exit = 2


class BadZone(UserFault):
    """No place is so far east or west; nothing was made."""

    code = "books.zone"
    next = "weft ledger export --format hledger"
    exit = 2
