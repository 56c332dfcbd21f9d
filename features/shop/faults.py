"""What a person may ask wrongly of this room. Nothing was ordered, paid or changed when one of these is raised."""

from protocol.faults import UserFault


class BadTitle(UserFault):
    """What is sold is named by 1 to 64 bytes of one line; nothing was made."""

    code = "shop.title"
    next = "weft shop offer coffee 2.80 EUR"
    exit = 2


class TooManyOffers(UserFault):
    """You sell as many things as a shop can; close one that you sell no more; nothing was made."""

    code = "shop.offers"
    next = "weft shop"
    exit = 1


class UnknownOffer(UserFault):
    """You sell nothing of this id."""

    code = "shop.unknown"
    next = "weft shop"
    exit = 5


class AmbiguousOffer(UserFault):
    """Several things that you sell end so; give more of the id."""

    code = "shop.ambiguous"
    next = "weft shop"
    exit = 5


class OwnShop(UserFault):
    """That is the code of your own shop; nothing was ordered."""

    code = "shop.self"
    next = "weft shop"
    exit = 2


class StrangeShop(UserFault):
    """You are no contact of this shop, and its code has no link; ask it for an invitation; nothing was ordered."""

    code = "shop.stranger"
    next = "weft add LINK"
    exit = 1


class OverCredit(UserFault):
    """You would owe the shop more than it allows you; nothing was ordered."""

    code = "shop.limit"
    next = "weft ledger"
    exit = 1


class BadQuantity(UserFault):
    """One order is for 1 to 1,000 of a thing; nothing was ordered."""

    code = "shop.quantity"
    next = "weft pay code CODE --quantity 2"
    exit = 2


class BadPrice(UserFault):
    """This code has no price: say how much it shall be; nothing was ordered."""

    code = "shop.price"
    next = "weft pay code CODE --amount 3 EUR"
    exit = 2


class BadOrderNote(UserFault):
    """A note for a shop has at most 200 bytes; nothing was ordered."""

    code = "shop.note"
    next = "weft pay code CODE --note TEXT"
    exit = 2


class BadKey(UserFault):
    """An order of this key was for something else; take another key; nothing was ordered."""

    code = "shop.key"
    next = "weft shop bought"
    exit = 2


class UnknownOrder(UserFault):
    """You have no such order."""

    code = "shop.order"
    next = "weft shop bought"
    exit = 5


class OrderOver(UserFault):
    """That order waits for the shop no more; nothing was changed."""

    code = "shop.order_over"
    next = "weft shop bought"
    exit = 1


class NoReceipt(UserFault):
    """There is no receipt for such a payment here; a shop writes one once it has been paid."""

    code = "shop.receipt"
    next = "weft ledger history"
    exit = 5
