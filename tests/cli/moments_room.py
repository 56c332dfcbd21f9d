"""The room of moments of the command line's small node: it says what the test gave it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from features.moments.faults import NoPicture, NothingLiked, UnknownMoment
from protocol.faults import UserFault
from tests.cli.moment_files_room import MomentFilesRoom

Rows = list[dict[str, Any]]
Names = list[str]
AT_MS = 1_790_000_000_000
WEBP = b"RIFF\x04\x00\x00\x00WEBP"  # of no picture


class Tells(Protocol):
    """Who tells the watchers that something has changed."""

    async def changed(self, topic: str, *keys: int) -> None: ...


@dataclass(kw_only=True)
class MomentsRoom(MomentFilesRoom):
    """moments.*; then: what happens once pictures are asked for; refuses: pictures, by name."""

    world: Tells
    rows: Rows = field(default_factory=list)
    comments: Rows = field(default_factory=list)
    told: Rows = field(default_factory=list)  # notices
    laws: Rows = field(default_factory=list)
    last: str = "all"
    webp: bytes = WEBP
    looked: Rows = field(default_factory=list)  # at previews
    asked: list[tuple[object, ...]] = field(default_factory=list)
    posted: dict[str, Any] = field(default_factory=dict)  # what was said of the newest of ours
    then: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    refuses: dict[str, UserFault] = field(default_factory=dict)
    breaks: UserFault | None = None  # what saving a picture of the oldest moment ends with

    async def post(
        self,
        text: str = "",
        images: Names | None = None,
        video: str | None = None,
        frame: str | None = None,
        link: str | None = None,
        place: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        to: Names | None = None,
        excepted: Names | None = None,
        at_ms: int | None = None,
        preview: bool | None = None,
        origins: Names | None = None,
    ) -> dict[str, Any]:
        """Posted."""
        for one in images or ():
            if (refusal := self.refuses.get(one.rpartition("/")[2])) is not None:
                raise refusal
        said: dict[str, Any] = {
            "text": text,
            "images": images or [],
            "video": video,
            "frame": frame,
            "link": link,
            "place": place,
        }
        said |= {"latitude": latitude, "longitude": longitude, "to": to, "excepted": excepted, "preview": preview}
        self.posted = {name: value for name, value in said.items() if value not in (None, [])}
        self.asked.append(("post", text, at_ms))
        words = "all" if to is None else ", ".join(to)
        words = words if excepted is None else f"all but {', '.join(excepted)}"
        self.rows.append(made := moment(text, len(self.rows) + 1, author="", mine=True, audience=words))
        made |= {} if at_ms is None else {"at_ms": at_ms}
        self.note(origins, made["short"])
        return made

    async def list(self, by: str | None = None, limit: int = 50, before: str | None = None) -> Rows:
        """The newest, oldest first."""
        self.asked.append(("list", by, limit, before))
        wanted = "" if by == "me" else by
        found = [row for row in self.rows if by is None or row["author"].lower() == str(wanted).lower()]
        if before is not None:
            found = found[: found.index(self._row(before))]
        return found[-limit:]

    async def show(self, id: str) -> dict[str, Any]:
        """One, with what is below it."""
        return {"moment": self._row(id), "comments": self.comments}

    async def like(self, id: str) -> dict[str, Any]:
        """Liked."""
        row = self._row(id)
        row["likes"] = ["", *row["likes"]]
        return row

    async def unlike(self, id: str) -> dict[str, Any]:
        """Not any more."""
        row = self._row(id)
        if "" not in row["likes"]:
            raise NothingLiked
        row["likes"].remove("")
        return row

    async def comment(self, id: str, text: str, reply: str | None = None) -> dict[str, Any]:
        """Said."""
        self._row(id)
        self.asked.append(("comment", id, text, reply))
        more = {} if reply is None else {"answers": reply, "answers_whom": "Bo"}
        self.comments.append(made := comment(len(self.comments) + 1, text, author="", mine=True, **more))
        return made

    async def hide(self, id: str) -> dict[str, Any]:
        """Hidden."""
        for row in self.comments:
            if row["id"].startswith(id):
                row["hidden"] = True
                return row
        raise UnknownMoment

    async def edit(self, id: str, text: str) -> dict[str, Any]:
        """As it reads now."""
        row = self._row(id)
        row.update(text=text, edited_ms=AT_MS)
        return row

    async def delete(self, id: str) -> dict[str, object]:
        """Gone."""
        row = self._row(id)
        self.rows.remove(row)
        return {"id": row["id"], "what": "moment"}

    async def notices(self, limit: int = 50) -> Rows:
        """Who liked and answered."""
        found = [dict(row) for row in self.told[-limit:]]
        for row in self.told:
            row["is_new"] = False
        return found

    async def rule(
        self,
        name: str,
        chats_only: bool | None = None,
        hide_mine: bool | None = None,
        hide_theirs: bool | None = None,
    ) -> dict[str, Any]:
        """What holds."""
        asked = {"chats_only": chats_only, "hide_mine": hide_mine, "hide_theirs": hide_theirs}
        before = next((row for row in self.laws if row["name"] == name), rule(name))
        self.laws = [row for row in self.laws if row["name"] != name]
        self.laws.append(made := before | {key: value for key, value in asked.items() if value is not None})
        return made

    async def rules(self) -> Rows:
        """Those that are any."""
        return [row for row in self.laws if row != rule(row["name"])]

    async def window(self, last: str | None = None) -> dict[str, object]:
        """How far back."""
        self.last = last or self.last
        return {"window": self.last}

    async def get(self, id: str, number: int | None = None) -> Rows:
        """Wanted."""
        row = self._row(id)
        self.asked.append(("get", id, number))
        found = [one for one in row["pictures"] if number in (None, one["number"])]
        if not found:
            raise NoPicture
        for one in found:
            if one["state"] in ("offered", "paused"):
                one["state"] = "fetching"
        answer = [dict(one) for one in found]
        if self.then is not None:
            await self.then(row)
        return answer

    async def save(self, id: str, folder: str, number: int | None = None) -> Rows:
        """Saved."""
        row = self._row(id)
        self.asked.append(("save", id, folder, number))
        if self.breaks is not None and row is self.rows[0]:
            raise self.breaks
        found = [one for one in row["pictures"] if number in (None, one["number"])]
        return [{"file": f"{folder}/{one['name']}", "bytes": one["bytes"]} for one in found]

    async def preview(self, id: str, number: int = 1) -> dict[str, object]:
        """What is seen of it."""
        self.looked.append({"id": self._row(id)["id"], "number": number})
        return {"webp": self.webp.hex()}

    def _row(self, id: str) -> dict[str, Any]:
        for row in self.rows:
            if row["id"].startswith(id.lower()):
                return row
        raise UnknownMoment


def ident(number: int, what: str = "a") -> str:
    """The id of an entry."""
    return f"{what}{number:07}".ljust(64, "0")


def moment(text: str, number: int = 1, **said: Any) -> dict[str, Any]:
    """A moment of bo's, of words alone."""
    plain: dict[str, Any] = {"id": ident(number), "short": ident(number)[:8], "author": "Bo", "mine": False}
    plain |= {"at_ms": AT_MS, "edited_ms": 0, "text": text, "pictures": [], "link": "", "preview": None}
    plain |= {"place": None, "likes": [], "comments": 0, "audience": "", "waits_for": ""}
    return plain | said


def picture(number: int, name: str, **said: Any) -> dict[str, Any]:
    """A picture that nobody has looked at."""
    plain: dict[str, Any] = {"number": number, "name": name, "mime": "image/jpeg", "shape": "picture"}
    plain |= {"bytes": 1_200_000, "width": 1600, "height": 1200, "length_ms": 0, "blurhash": "", "has_preview": True}
    return plain | {"state": "offered", "pieces": 5, "here": 0, "reason": ""} | said


def place(label: str, **said: Any) -> dict[str, Any]:
    """A place by its name."""
    return {"label": label, "latitude": None, "longitude": None} | said


def comment(number: int, text: str, **said: Any) -> dict[str, Any]:
    """What chen says below a moment."""
    plain: dict[str, Any] = {"id": ident(number, "c"), "short": ident(number, "c")[:8], "author": "Chen"}
    plain |= {"mine": False, "at_ms": AT_MS, "text": text, "answers": "", "answers_whom": "", "hidden": False}
    return plain | said


def notice(number: int, kind: str, **said: Any) -> dict[str, Any]:
    """Somebody liked or answered."""
    plain: dict[str, Any] = {"number": number, "kind": kind, "who": "Chen", "moment": ident(1)[:8], "of": "At the lake"}
    return plain | {"answer": "", "text": "", "at_ms": AT_MS, "is_new": True} | said


def rule(name: str, **said: Any) -> dict[str, Any]:
    """Nothing but what is so by itself."""
    return {"name": name, "chats_only": False, "hide_mine": False, "hide_theirs": False} | said
