"""What a person hears when something cannot be done to a message."""

from protocol.faults import UserFault


class NotYours(UserFault):
    """Only who wrote a message can edit or recall it; nothing was done. You can delete it here, for yourself."""

    code = "message.foreign"
    next = "weft delete ID"
    exit = 1


class NoText(UserFault):
    """Only a text can be edited; nothing was done. Recall this message, or send another one."""

    code = "message.no_text"
    next = "weft recall ID"
    exit = 1


class TooLate(UserFault):
    """A message can be recalled within 2 minutes of sending, a file within 3 hours; nothing was done. You can edit a
    text, and delete anything here."""

    code = "message.late"
    next = "weft edit ID TEXT"
    exit = 1


class Recalled(UserFault):
    """This message was recalled: nothing is left of it but the notice."""

    code = "message.recalled"
    next = "weft inbox"
    exit = 1


class Notice(UserFault):
    """This is a notice about the conversation, which nobody has written; it is not forwarded, and nothing was sent."""

    code = "message.notice"
    next = "weft send NAME TEXT"
    exit = 1


class NoPreview(UserFault):
    """This message shows no picture of a link."""

    code = "message.no_preview"
    next = "weft message ID"
    exit = 1


class Undelivered(UserFault):
    """This message, or a change of it, is not delivered yet and would be lost with it; nothing was done. Recall it,
    or delete it once it has arrived."""

    code = "message.undelivered"
    next = "weft recall ID"
    exit = 1


class BadMark(UserFault):
    """A reaction is an emoji or a word of at most 32 bytes on one line; nothing was done."""

    code = "limit"
    next = "weft react ID 👍"
    exit = 2


class TooManyPins(UserFault):
    """A conversation has at most 50 pinned messages; nothing was done. Take a pin away first."""

    code = "limit"
    next = "weft pins NAME"
    exit = 1
