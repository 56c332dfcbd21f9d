"""What a person is told when something about stickers cannot be done."""

from protocol.faults import UserFault


class UnknownSticker(UserFault):
    """You have no such sticker, and no message with one has this id."""

    code = "sticker.unknown"
    next = "weft sticker list"
    exit = 5


class AmbiguousSticker(UserFault):
    """Several stickers are called so; say PACK/STICKER."""

    code = "sticker.ambiguous"
    next = "weft sticker list"
    exit = 5


class UnknownPack(UserFault):
    """You have no pack of this name."""

    code = "sticker.no_pack"
    next = "weft sticker list"
    exit = 5


class PackExists(UserFault):
    """You have a pack of this name already; nothing was added. Take the new one in under another name."""

    code = "sticker.exists"
    next = "weft sticker add ID --as NAME"
    exit = 1


class BadPicture(UserFault):
    """No sticker can be made of this file, so nothing was added. Name pictures: PNG, WebP, GIF or JPEG."""

    code = "sticker.picture"
    next = "weft sticker pack NAME FILE"
    exit = 2


class PictureUnreadable(UserFault):
    """This file or folder cannot be read by the node; nothing was added."""

    code = "sticker.unreadable"
    next = "weft sticker pack NAME FILE"
    exit = 5


class NoPictures(UserFault):
    """There is no picture in there; nothing was added. Name pictures, or a folder with some: PNG, WebP, GIF or JPEG."""

    code = "sticker.none"
    next = "weft sticker pack NAME FOLDER"
    exit = 2


class BadName(UserFault):
    """A pack has a name of at most 48 bytes on one line, without a slash; nothing was changed."""

    code = "sticker.name"
    next = "weft sticker list"
    exit = 2


class PathNeeded(UserFault):
    """A picture or folder is named by its whole path here, because the node works in another directory than you."""

    code = "sticker.path"
    next = "weft sticker pack NAME FILE"
    exit = 2


class TooMany(UserFault):
    """A pack has at most 120 stickers, and all packs, of which there may be 64, take 64 MiB; nothing was added."""

    code = "limit"
    next = "weft sticker remove PACK"
    exit = 2


class NoPack(UserFault):
    """This file is no pack of stickers, or a broken one; nothing was added."""

    code = "sticker.file"
    next = "weft sticker list"
    exit = 1
