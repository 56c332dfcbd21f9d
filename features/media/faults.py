"""What a person is told when a file cannot be sent, fetched or saved."""

from protocol.faults import UserFault


class BadFile(UserFault):
    """This file cannot be read, so nothing was sent. Name one that is there and that you may read."""

    code = "media.unreadable"
    next = "weft send NAME --file FILE"
    exit = 2


class Unlooked(UserFault):
    """This file cannot be looked into, so where and with what it was taken would go along; nothing was sent."""

    code = "media.strange"
    next = "weft send NAME --as-is --file FILE"
    exit = 1


class BadPreview(UserFault):
    """A picture to be seen before it is fetched goes with one video only; nothing was sent."""

    code = "media.preview"
    next = "weft send NAME --video FILE --frame PICTURE"
    exit = 2


class FileChanged(UserFault):
    """The file was changed while it was read, so nothing was sent. Send it again once nobody writes into it."""

    code = "media.changed"
    next = "weft send NAME --file FILE"
    exit = 1


class FileTooLarge(UserFault):
    """A file has at most 64 GiB; nothing was sent. Send it in parts."""

    code = "limit"
    next = "weft send NAME --file FILE"
    exit = 2


class NoFile(UserFault):
    """This message has no file."""

    code = "media.none"
    next = "weft files"
    exit = 5


class BadKeep(UserFault):
    """Files stay a day to a hundred years after they were used, or as long as there is room; nothing was changed."""

    code = "limit"
    next = "weft storage keep NAME 90d"
    exit = 2


class BadPlace(UserFault):
    """Nothing can be saved there; the file stays here. Name a folder that is there and that you may write to."""

    code = "media.place"
    next = "weft get ID --to FOLDER"
    exit = 2


class PathNeeded(UserFault):
    """A file or folder is named by its whole path here, because the node works in another directory than you."""

    code = "media.path"
    next = "weft send NAME --file FILE"
    exit = 2


class NotMine(UserFault):
    """This file is not yours; only who has sent one leaves it at a keeper. Nothing was changed."""

    code = "media.theirs"
    next = "weft get ID"
    exit = 2


class AllThere(UserFault):
    """Your contact has this file already; nothing was changed."""

    code = "media.had"
    next = "weft files"
    exit = 1


class KeptNowhere(UserFault):
    """Nobody keeps anything for this contact, as far as you were told; nothing was changed."""

    code = "media.no_keeper"
    next = "weft files"
    exit = 1
