"""What a person may ask wrongly of this room."""

from protocol.faults import UserFault


class NoReaders(UserFault):
    """A log needs somebody to read it: name at least one contact."""

    code = "log.readers"
    next = "weft log new NAME --for CONTACT"
    exit = 2


class NoReader(UserFault):
    """This contact is no reader of the log; nothing was changed."""

    code = "log.no_reader"
    next = "weft log list"
    exit = 2


class NotAReader(UserFault):
    """The anchor of a log is one of its readers; nothing was changed."""

    code = "log.anchor"
    next = "weft log list"
    exit = 2


class NotOurs(UserFault):
    """You write only into logs that you began here with `weft log new`; nothing was changed."""

    code = "log.not_ours"
    next = "weft log list"
    exit = 2


class LogOver(UserFault):
    """This log is over: it goes on in another of the same name, or its readers are gone; nothing was written."""

    code = "log.over"
    next = "weft log list"
    exit = 1


class LogNameTaken(UserFault):
    """A log of yours has this name already; nothing was begun."""

    code = "log.name_taken"
    next = "weft log list"
    exit = 2


class BadLogName(UserFault):
    """The name of a log is a line of 1 to 64 bytes without a slash; nothing was begun."""

    code = "log.name"
    next = "weft log new NAME --for CONTACT"
    exit = 2


class BadNote(UserFault):
    """A note has at most 16 KiB of UTF-8; nothing was written. Write it in parts."""

    code = "limit"
    next = "weft log write LOG TEXT"
    exit = 2


class TooManyNotes(UserFault):
    """One call takes 1 to 512 notes; nothing was written. Write the rest with another call."""

    code = "limit"
    next = "weft log write LOG --lines"
    exit = 2


class NothingToTrust(UserFault):
    """This contact has no spine that waits for your decision; nothing was changed."""

    code = "log.no_doubt"
    next = "weft log list"
    exit = 1


class NoEvidence(UserFault):
    """An entry of this log has no good signature of its own: the chain vouches for it, but it convinces nobody else."""

    code = "log.no_evidence"
    next = "weft log proofs"
    exit = 1


class NoEntries(UserFault):
    """There are no entries here from that one on; nothing was written."""

    code = "log.no_entries"
    next = "weft log list"
    exit = 5
