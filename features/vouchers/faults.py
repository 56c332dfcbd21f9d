"""What a person may ask wrongly of this room. Nothing was written when one of these is raised."""

from protocol.faults import UserFault


class VoucherTaken(UserFault):
    """You have issued a voucher of this name already; nothing was issued."""

    code = "voucher.taken"
    next = "weft voucher"
    exit = 2


class UnknownVoucher(UserFault):
    """You neither issue nor hold such a voucher; nothing was written."""

    code = "voucher.unknown"
    next = "weft voucher"
    exit = 5


class NotSoMany(UserFault):
    """You do not hold so many of them; nothing was written."""

    code = "voucher.few"
    next = "weft voucher"
    exit = 2
