"""What a person may ask wrongly of this room. Nothing was written when one of these is raised."""

from protocol.faults import UserFault


class NobodyAsked(UserFault):
    """A bill is split with others: name at least one contact; nothing was written."""

    code = "bill.nobody"
    next = "weft split 90 EUR NAME NAME"
    exit = 2


class NamedTwice(UserFault):
    """Somebody is named twice; nothing was written."""

    code = "bill.twice"
    next = "weft split 90 EUR NAME NAME"
    exit = 2


class NotWithoutMe(UserFault):
    """You name yourself, and say that you have no share; nothing was written."""

    code = "bill.without_me"
    next = "weft split 90 EUR NAME NAME"
    exit = 2


class BadWeights(UserFault):
    """Give one weight for each name, in order, and one more at the end for yourself; nothing was written."""

    code = "bill.weights"
    next = "weft split 90 EUR NAME NAME --weights 2,1"
    exit = 2


class EmptyShare(UserFault):
    """Somebody's share would be nothing; leave him out. Nothing was written."""

    code = "bill.share"
    next = "weft split 90 EUR NAME NAME"
    exit = 2


class LongReceipt(UserFault):
    """What a bill is for has at most 400 bytes of UTF-8; nothing was written."""

    code = "limit"
    next = "weft split 90 EUR NAME NAME --receipt TEXT"
    exit = 2


class UnknownBill(UserFault):
    """There is no such bill here."""

    code = "bill.unknown"
    next = "weft split"
    exit = 5


class AmbiguousBill(UserFault):
    """Several bills end so; give more of the id."""

    code = "bill.ambiguous"
    next = "weft split"
    exit = 5


class BillOver(UserFault):
    """Nothing of this bill is open any more; nothing was written."""

    code = "bill.over"
    next = "weft split"
    exit = 1


class UnknownRequest(UserFault):
    """There is no such request here."""

    code = "request.unknown"
    next = "weft pay requests"
    exit = 5


class AmbiguousRequest(UserFault):
    """Several requests end so; give more of the id."""

    code = "request.ambiguous"
    next = "weft pay requests"
    exit = 5


class NotOurs(UserFault):
    """Only who has made a request reminds of it; nothing was said."""

    code = "request.not_ours"
    next = "weft pay requests"
    exit = 2


class RequestOver(UserFault):
    """This request is not open any more; nothing was said."""

    code = "request.over"
    next = "weft pay requests"
    exit = 1


class RemindedAlready(UserFault):
    """One reminder a day counts, and there was one; nothing was said."""

    code = "request.reminded"
    next = "weft pay requests"
    exit = 1
