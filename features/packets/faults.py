"""What a person may ask wrongly of this room, and what contacts may say wrongly."""

from protocol.faults import PeerFault, UserFault


class NobodyNamed(UserFault):
    """Name at least one contact, and at most 100, each once; nothing was sent."""

    code = "packet.nobody"
    next = "weft packet send --to NAME,NAME 20 EUR"
    exit = 2


class TooManyShares(UserFault):
    """Each person opens a packet once, so there are at most as many shares as people; nothing was sent."""

    code = "packet.people"
    next = "weft packet send --to NAME,NAME 20 EUR"
    exit = 2


class TooLarge(UserFault):
    """A packet holds at most 20,000 of the smallest unit for each share, such as 200.00 EUR; nothing was sent."""

    code = "packet.large"
    next = "weft packet --help"
    exit = 2


class ForOneself(UserFault):
    """A packet is for others: name your contacts; nothing was sent."""

    code = "packet.self"
    next = "weft contacts"
    exit = 2


class UnknownPacket(UserFault):
    """There is no such packet here."""

    code = "packet.unknown"
    next = "weft packet"
    exit = 5


class AmbiguousPacket(UserFault):
    """Several packets end so; give more of the id."""

    code = "packet.ambiguous"
    next = "weft packet"
    exit = 5


class OwnPacket(UserFault):
    """That is your own packet: others open it; nothing was done."""

    code = "packet.own"
    next = "weft packet"
    exit = 2


class PacketOpened(UserFault):
    """You have opened it already; nothing was done."""

    code = "packet.opened"
    next = "weft packet"
    exit = 1


class PacketOver(UserFault):
    """It is over: all shares are taken, or its time has passed; nothing was done."""

    code = "packet.over"
    next = "weft packet"
    exit = 1


class NotPromised(PeerFault):
    """A contact said something about a packet that he or we did not begin, or said it twice; it was dropped."""
