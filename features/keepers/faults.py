"""What a person may ask wrongly of this room."""

from protocol.faults import UserFault


class NobodyNamed(UserFault):
    """Name at least one contact to keep for; nothing was offered."""

    code = "keeper.nobody"
    next = "weft keeper offer NAME"
    exit = 2


class BadSpace(UserFault):
    """The space for others is from 20 MB to 1 PB; nothing was offered."""

    code = "keeper.space"
    next = "weft keeper offer NAME --space 1GB"
    exit = 2


class TooManyKeepers(UserFault):
    """Three keepers keep for you already, and more would only see more of you; nothing was changed. Stop one first."""

    code = "keeper.too_many"
    next = "weft keeper list"
    exit = 1


class KeepsTooBriefly(UserFault):
    """This contact keeps for too short a time: what he drops would look as if it had expired; nothing was changed."""

    code = "keeper.brief"
    next = "weft keeper list"
    exit = 1


class NotContacts(UserFault):
    """Only contacts keep for each other, and this is none; nothing was changed."""

    code = "keeper.no_contact"
    next = "weft contacts"
    exit = 1


class KeepsNothing(UserFault):
    """Nobody of this name keeps for you or offers it; nothing was changed."""

    code = "keeper.unknown"
    next = "weft keeper list"
    exit = 5


class KeptForNobody(UserFault):
    """You keep nothing for this contact; nothing was changed."""

    code = "keeper.not_kept"
    next = "weft keeper list"
    exit = 5


class KeeperNameTaken(UserFault):
    """A contact or another node of yours has this name already; nothing was changed."""

    code = "keeper.name_taken"
    next = "weft keeper use CODE --name NAME"
    exit = 2


class BadKeeperName(UserFault):
    """The name of a node of yours is a line of 1 to 64 bytes; nothing was changed."""

    code = "keeper.name"
    next = "weft keeper use CODE --name NAME"
    exit = 2
