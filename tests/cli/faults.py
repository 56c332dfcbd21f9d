"""What the small node of the command line's tests refuses."""

from protocol.faults import UserFault


class UnknownContact(UserFault):
    """No contact is called that."""

    code = "contact.unknown"
    next = "weft contacts"
    exit = 5


class TooLong(UserFault):
    """A text is at most 16 KiB; nothing was sent."""

    code = "limit"
    exit = 2


class BackupExists(UserFault):
    """There is a file already; it was left as it is."""

    code = "backup.exists"
    next = "weft backup create --force FILE"


class UnknownMessage(UserFault):
    """No message has this id."""

    code = "message.unknown"
    next = "weft inbox"
    exit = 5
