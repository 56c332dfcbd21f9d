"""What a person is told when something about moments cannot be done."""

from protocol.faults import UserFault


class UnknownMoment(UserFault):
    """There is no moment with this id, or it is not shown to you any more."""

    code = "moment.unknown"
    next = "weft moments list"
    exit = 5


class AmbiguousMoment(UserFault):
    """Several moments or comments begin like this; type more characters of the id."""

    code = "moment.ambiguous"
    next = "weft moments list"
    exit = 5


class NotYours(UserFault):
    """This moment or comment is somebody else's, so it is not yours to change. You can hide a comment below yours."""

    code = "moment.not_yours"
    next = "weft moments hide --help"
    exit = 1


class NotBelowYours(UserFault):
    """Only the author of a moment can hide a comment below it."""

    code = "moment.not_below_yours"
    next = "weft moments list --by me"
    exit = 1


class NothingSaid(UserFault):
    """A moment has a text, a picture, a video, a link or a place; nothing was posted."""

    code = "moment.empty"
    next = 'weft moments post "…"'
    exit = 2


class TooLong(UserFault):
    """A moment has at most 8 KiB of text and a comment 2 KiB; nothing was said or changed."""

    code = "limit"
    next = "weft moments --help"
    exit = 2


class TooManyPictures(UserFault):
    """A moment has at most 9 pictures, or one video and no picture; nothing was posted."""

    code = "moment.pictures"
    next = 'weft moments post "…" --image FILE'
    exit = 2


class BadAudience(UserFault):
    """A moment is for all, for nobody (private), for tags and contacts, or for all but some; nothing was posted."""

    code = "moment.audience"
    next = 'weft moments post "…" --to NAME,TAG'
    exit = 2


class UnknownAudience(UserFault):
    """No tag and no contact is called like this; nothing was posted."""

    code = "moment.nobody"
    next = "weft contacts"
    exit = 5


class NothingLiked(UserFault):
    """You do not like this moment, so there is nothing to take back."""

    code = "moment.not_liked"
    next = "weft moments show ID"
    exit = 1


class BadWindow(UserFault):
    """Others can see the last 3d, 1m or 6m of your moments, or all; nothing was changed."""

    code = "moment.window"
    next = "weft moments window 3d|1m|6m|all"
    exit = 2


class FeedStopped(UserFault):
    """Your feed cannot be written to now, because two machines have written it; nothing was posted."""

    code = "moment.feed"
    next = "weft log proofs"
    exit = 1


class StillRead(FeedStopped):
    """Somebody who shall not read your feed any more still reads it; nothing was posted. Try again in a moment."""

    next = "weft moments rule"


class NoPicture(UserFault):
    """This moment has no picture of this number, or none at all."""

    code = "moment.no_picture"
    next = "weft moments show ID"
    exit = 5


class BadLink(UserFault):
    """A link leads to a page of the web, with http or https; nothing was posted."""

    code = "moment.link"
    next = 'weft moments post "…" --link URL'
    exit = 2


class BadWhere(UserFault):
    """A latitude has -90 to 90 degrees and a longitude -180 to 180; nothing was posted."""

    code = "moment.place"
    next = 'weft moments post "…" --place NAME'
    exit = 2
