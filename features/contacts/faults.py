"""What a person is told when something about contacts cannot be done."""

from protocol.faults import UserFault


class OwnInvitation(UserFault):
    """That is your own invitation. Give it to somebody else; nothing was added."""

    code = "contact.self"
    next = "weft invite"
    exit = 2


class AlreadyContact(UserFault):
    """This account is a contact already; nothing was changed."""

    code = "contact.exists"
    next = "weft contacts"


class AnotherAccount(UserFault):
    """A contact of this name has another account; nothing was added."""

    code = "contact.another_account"
    next = "weft contacts"
    exit = 7


class NotRequest(UserFault):
    """This contact is not a request that waits for an answer; nothing was changed."""

    code = "contact.not_request"
    next = "weft requests"
    exit = 2


class NotConnected(UserFault):
    """This contact is not connected now; nothing was done. Try again when he is."""

    code = "contact.offline"
    next = "weft status"
    exit = 6


class NoLookup(UserFault):
    """This node is in no DHT, or nobody in it answers, so nothing could be looked up. Try again later."""

    code = "lookup.unavailable"
    next = "weft doctor"
    exit = 6


class UnknownInvitation(UserFault):
    """No living invitation has this id."""

    code = "invitation.unknown"
    next = "weft invite --list"
    exit = 5


class UnknownWay(UserFault):
    """There is no such way; nothing was done."""

    code = "usage"
    next = "weft --help"
    exit = 2


class TooLong(UserFault):
    """That is longer than it may be; nothing was sent."""

    code = "limit"
    next = "weft --help"
    exit = 2
