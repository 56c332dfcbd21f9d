"""What a person may ask wrongly of this room. Nothing was written when one of these is raised."""

from protocol.faults import UserFault


class ToOneself(UserFault):
    """That is yourself; nothing was written."""

    code = "payment.self"
    next = "weft contacts"
    exit = 2


class OverLimit(UserFault):
    """More would be owed than is allowed; nothing was written."""

    code = "payment.limit"
    next = "weft ledger"
    exit = 1


class TooManyUnits(UserFault):
    """A contact can owe you in at most 100 units, and you have allowed so many; nothing was written."""

    code = "limit"
    next = "weft ledger"
    exit = 1


class NotForYou(UserFault):
    """That is for the other side to decide; nothing was written."""

    code = "payment.not_for_you"
    next = "weft pay requests"
    exit = 2


class PaymentOver(UserFault):
    """That is over already; nothing was written."""

    code = "payment.over"
    next = "weft ledger history"
    exit = 1


class StillBound(UserFault):
    """It was accepted, and its time is not over; nothing was written."""

    code = "payment.accepted"
    next = "weft pay requests"
    exit = 1


class NothingOwed(UserFault):
    """So much is not owed; nothing was written."""

    code = "payment.not_owed"
    next = "weft ledger"
    exit = 2


class TooMuchBack(UserFault):
    """More would be given back than was paid; nothing was written."""

    code = "payment.refund"
    next = "weft ledger history"
    exit = 2


class BadTime(UserFault):
    """An offer waits from a minute up to 90 days; nothing was written."""

    code = "payment.time"
    next = "weft pay requests"
    exit = 2


class BadBalances(UserFault):
    """Say what is owed as amounts with units, each unit once; nothing was written."""

    code = "ledger.balances"
    next = "weft ledger reset --help"
    exit = 2


class NothingProposed(UserFault):
    """Nothing is proposed that waits for you; nothing was written."""

    code = "ledger.nothing_proposed"
    next = "weft ledger"
    exit = 1
