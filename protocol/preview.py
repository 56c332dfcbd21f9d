"""What the sender of a link says that its page is: it travels inside his message, so nobody else has to ask the site.

It is his word: a sender can say anything of any address. Only the host is certain, since it is part of the address.
Not here: where it stands (features/chat/content.py), how it is made (node/web/).
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import record, url

TITLE_BYTES_MAX = 300
ABOUT_BYTES_MAX = 600
PICTURE_BYTES_MAX = 12 * 1024  # as the preview of a picture


@dataclass(frozen=True, slots=True)
class SeenLink:
    """A preview as it is shown, but for its picture. host: what the address leads to, in ASCII."""

    url: str
    host: str
    title: str
    about: str
    has_picture: bool


@record.record
@dataclass(frozen=True, slots=True)
class Preview:
    """What the page of a link says of itself, by its sender. picture: WebP, empty for none."""

    KIND: ClassVar[int] = 31

    url: Annotated[str, record.Url(url.URL_BYTES_MAX)]
    title: Annotated[str, record.Line(TITLE_BYTES_MAX)] | None
    about: Annotated[str, record.Line(ABOUT_BYTES_MAX)] | None
    picture: Annotated[bytes, record.Size(0, PICTURE_BYTES_MAX)] = b""

    @property
    def shown(self) -> SeenLink:
        """The same for a person."""
        found = url.parts(self.url)
        assert found is not None
        return SeenLink(self.url, found.shown, self.title or "", self.about or "", bool(self.picture))
