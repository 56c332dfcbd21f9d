"""What a person may ask wrongly of this room. Nothing was changed or sent when one of these is raised."""

from protocol.faults import UserFault


class AboutTooLong(UserFault):
    """What you say about yourself has at most 280 characters of text; nothing was changed."""

    code = "profile.about"
    next = 'weft profile set --about "…"'
    exit = 2


class BadPhoto(UserFault):
    """No photo can be made of this file, so nothing was changed. Name a picture: JPEG, PNG, WebP or GIF."""

    code = "profile.photo"
    next = "weft profile set --photo FILE"
    exit = 2


class PhotoUnreadable(UserFault):
    """The file of the photo cannot be read by the node; nothing was changed."""

    code = "profile.unreadable"
    next = "weft profile set --photo FILE"
    exit = 5


class NoPhoto(UserFault):
    """There is no photo in this profile."""

    code = "profile.no_photo"
    next = "weft profile"
    exit = 5


class UnknownCard(UserFault):
    """There is no such card; it was taken off the list, or a newer one is in its place."""

    code = "card.unknown"
    next = "weft cards"
    exit = 5


class NotIntroduced(UserFault):
    """You can introduce a contact of yours to another one, not to himself; nothing was sent."""

    code = "card.pair"
    next = "weft contacts"
    exit = 2


class BadPlace(UserFault):
    """A place is a latitude from -90 to 90 and a longitude from -180 to 180, in decimal degrees; nothing was sent."""

    code = "location.place"
    next = "weft send-location NAME 52.52 13.405"
    exit = 2


class UnknownTag(UserFault):
    """No contact has this tag."""

    code = "tag.unknown"
    next = "weft tags"
    exit = 5
