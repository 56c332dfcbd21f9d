"""What a person is told when something nearby cannot be done."""

from protocol.faults import UserFault


class NotVisible(UserFault):
    """Nearby mode is off, so nobody sees you and you see nobody; nothing was done."""

    code = "nearby.off"
    next = "weft nearby on"


class CannotOpen(UserFault):
    """Nearby mode could not be switched on: no port can be listened on. Nothing was sent."""

    code = "nearby.listen"
    next = "weft doctor"


class UnknownPerson(UserFault):
    """Nobody of that id is nearby; nothing was done."""

    code = "nearby.unknown"
    next = "weft nearby list"
    exit = 5


class AmbiguousPerson(UserFault):
    """Several ids begin like that; type more of it. Nothing was done."""

    code = "nearby.ambiguous"
    next = "weft nearby list"
    exit = 5


class Gone(UserFault):
    """That person's node does not answer any more; nothing was sent."""

    code = "nearby.gone"
    next = "weft nearby list"
    exit = 6


class AlreadyGreeted(UserFault):
    """You greeted this person already; one greeting is all, until it is answered. Nothing was sent."""

    code = "nearby.greeted"
    next = "weft nearby greetings"


class TooManyWait(UserFault):
    """Too many greetings wait there already; nothing is kept. Try again in a while."""

    code = "nearby.full"
    next = "weft nearby list"
    exit = 7


class NoGreeting(UserFault):
    """No greeting of this person waits for an answer; nothing was changed."""

    code = "nearby.not_greeted"
    next = "weft nearby greetings"
    exit = 2


class TooLong(UserFault):
    """That is longer than it may be; nothing was done."""

    code = "limit"
    next = "weft nearby --help"
    exit = 2
