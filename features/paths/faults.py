"""What a person may ask wrongly of this room. Nothing was written or paid when one of these is raised."""

from protocol.faults import UserFault


class BadCaps(UserFault):
    """The cap for one payment is at most the one for all together; nothing was changed."""

    code = "path.caps"
    next = "weft ledger forward NAME 20 100 EUR"
    exit = 2


class NotForwarding(UserFault):
    """Nothing is passed on over that contact, so nothing was changed."""

    code = "path.off"
    next = "weft ledger forward"
    exit = 5


class UnknownPath(UserFault):
    """There is no such payment by an invoice, ring or invoice of yours."""

    code = "path.unknown"
    next = "weft ledger history"
    exit = 5


class AmbiguousPath(UserFault):
    """Several payments end so; give more of the id."""

    code = "path.ambiguous"
    next = "weft ledger history"
    exit = 5


class BadInvoice(UserFault):
    """The device that signed this invoice is not, or no longer, one of its payee; nothing was paid."""

    code = "invoice.forged"
    next = "weft pay CODE"
    exit = 7


class OwnInvoice(UserFault):
    """This invoice is your own; nothing was paid."""

    code = "invoice.own"
    next = "weft invoice"
    exit = 2


class ForAnother(UserFault):
    """This invoice is for somebody else to pay; nothing was paid."""

    code = "invoice.another"
    next = "weft pay CODE"
    exit = 2


class PaidAlready(UserFault):
    """You have paid this invoice already; nothing was paid again."""

    code = "invoice.paid"
    next = "weft pay show ID"
    exit = 1


class Counted(UserFault):
    """It was locked in a ledger that was begun anew, and may have been paid so; nothing was paid.

    If the payee was not paid, he makes another invoice.
    """

    code = "invoice.counted"
    next = "weft ledger history"
    exit = 1


class BadTime(UserFault):
    """An invoice can be paid from a minute up to 90 days; none was made."""

    code = "invoice.time"
    next = "weft invoice 8 EUR --within 24h"
    exit = 2
