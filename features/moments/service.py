"""What a person can do with moments: post, look, like, comment, change and hide; who sees what."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from features.moments import (
    acting,
    audience,
    composing,
    fetching,
    handing,
    importing,
    pictures,
    ruling,
    view,
    wall,
    writing,
)
from features.moments.clerk import Clerk, go_on, here
from features.moments.content import Comment, Hide, Like, Post
from features.moments.faults import (
    NotBelowYours,
    NothingLiked,
    NothingSaid,
    NotYours,
    StillRead,
    TooLong,
    UnknownMoment,
)
from features.moments.feeds import By
from features.moments.shown import AnswerLine, MomentLine, Notice, Shown
from features.moments.view import OURS, Moment
from features.moments.wall import Eye
from node.core import Core
from protocol.faults import OverLimit
from store import people
from store.database import Tx

ME = "me"
ROUNDS_MAX = 8  # of a write, until nobody reads the feed who shall not
Names = list[str]
Rows = list[MomentLine]
Told = list[Notice]

T = TypeVar("T")


class Moments:
    """Moments. Every public method is a call of the local API, `moments.NAME`."""

    rule, rules, window = ruling.rule, ruling.rules, ruling.window
    get, save, preview, dates = fetching.get, fetching.save, fetching.preview, fetching.dates

    def __init__(self, core: Core) -> None:
        self._core = core
        core.services["contacts"].partings.append(ruling.parting)

    async def post(
        self,
        text: str = "",
        images: Names | None = None,
        video: str | None = None,
        frame: str | None = None,
        link: str | None = None,
        preview: bool | None = None,
        place: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        to: Names | None = None,
        excepted: Names | None = None,
        at_ms: int | None = None,
        origins: Names | None = None,
    ) -> MomentLine:
        """Posts a moment, durable on return; those whom it is for get it from us, and from others who have it.

        images: up to 9 whole paths; video: one instead; frame: a picture that is shown of it. preview: whether the site
        of the link is asked, None: as `links.preview` is set. latitude, longitude: in degrees. to: ["all"], which is
        what nothing means, ["private"], or tags and contacts; whom a tag means is settled now. excepted: all but these.
        at_ms: of when it is, not after now. origins: of imported pictures, as `moments.dates` names them.
        Errors: moment.empty, limit, moment.audience, moment.nobody, moment.pictures, moment.link, moment.place,
        moment.origin, moment.feed, contact.ambiguous, media.path, media.unreadable, media.changed, media.room,
        media.strange, media.preview.
        """
        core, noted = self._core, importing.checked(origins or ())
        where = composing.where(place, latitude, longitude)
        if not any((text.strip(), images, video, link, where)):
            raise NothingSaid
        await core.database.read(audience.chosen, to, excepted)  # before anything is looked into
        url, seen, _ = (None, None, "") if link is None else await composing.link(core, link, preview)
        paths, film = [Path(one) for one in images or ()], None if video is None else Path(video)
        async with pictures.prepared(core, paths, film, None if frame is None else Path(frame)) as sealed:
            media = tuple(one.said for one in sealed)

            def write(tx: Tx, by: By) -> MomentLine:
                shown_ms = by.now_ms if at_ms is None else min(max(at_ms, 0), by.now_ms)
                said = _post(text, shown_ms, media=media, link=url, preview=seen, place=where)
                row = writing.post(tx, by, said, audience.chosen(tx, to, excepted))
                pictures.keep(tx, row, sealed, by.now_ms)
                line = self._line(tx, row)
                importing.note(tx, noted, bytes.fromhex(line.id))
                return line

            return await self._write(write)

    async def list(self, by: str | None = None, limit: int = 50, before: str | None = None) -> Rows:
        """Returns the newest moments, the oldest first. by: of one contact, "me": ours. before: only older than this.

        Errors: contact.unknown, contact.ambiguous, moment.unknown, moment.ambiguous.
        """

        def look(tx: Tx) -> Rows:
            whose = None if by is None else OURS if by.strip().lower() == ME else people.find_contact(tx, by)
            eye = self._eye()
            return wall.page(tx, eye, whose, limit, None if before is None else view.find(tx, before))

        return await self._core.database.read(look)

    async def show(self, id: str) -> Shown:
        """Returns a moment with what is below it, as far as we may see it.

        Errors: moment.unknown, moment.ambiguous.
        """
        return await self._core.database.read(lambda tx: wall.show(tx, self._eye(), self._found(tx, id)))

    async def like(self, id: str) -> MomentLine:
        """Likes a moment. Its author, and who is his contact and ours, can see it.

        Errors: moment.unknown, moment.ambiguous, moment.feed.
        """

        def write(tx: Tx, by: By) -> MomentLine:
            one = self._found(tx, id)
            if not acting.likes(tx, one):
                acting.answer(tx, by, one, Like(one.ref))
            return self._line(tx, one.id)

        return await self._write(write)

    async def unlike(self, id: str) -> MomentLine:
        """Likes a moment no more. Errors: moment.unknown, moment.ambiguous, moment.not_liked, moment.feed."""

        def write(tx: Tx, by: By) -> MomentLine:
            one = self._found(tx, id)
            found = acting.likes(tx, one)
            if not found:
                raise NothingLiked
            for answer in found:
                acting.take_back(tx, by, one, answer)
            return self._line(tx, one.id)

        return await self._write(write)

    async def comment(self, id: str, text: str, reply: str | None = None) -> AnswerLine:
        """Writes below a moment. Its author, and who is his contact and ours, can read it. reply: to a comment there.

        Errors: moment.unknown, moment.ambiguous, moment.empty, limit, moment.feed.
        """
        if not text.strip():
            raise NothingSaid

        def write(tx: Tx, by: By) -> AnswerLine:
            one = self._found(tx, id)
            about = None if reply is None else view.find_comment(tx, reply)
            if about is not None and about.moment != one.id:
                raise UnknownMoment("This comment is not below that moment.")
            try:
                said = Comment(one.ref, text, None if about is None else about.ref)
            except OverLimit:
                raise TooLong from None
            made = view.answer(tx, acting.answer(tx, by, one, said))
            assert made is not None
            return wall.answer_line(tx, self._eye(), made)

        return await self._write(write)

    async def hide(self, id: str) -> AnswerLine:
        """Hides a comment below a moment of ours from all others.

        Errors: moment.unknown, moment.ambiguous, moment.not_below_yours, moment.feed.
        """

        def write(tx: Tx, by: By) -> AnswerLine:
            answer = view.find_comment(tx, id)
            one = view.moment(tx, answer.moment)
            if one is None or one.contact != OURS:
                raise NotBelowYours
            writing.answer(tx, by, one, Hide(one.ref, answer.ref))
            view.hide(tx, one.id, answer.ref)
            return wall.answer_line(tx, self._eye(), answer)

        return await self._write(write)

    async def delete(self, id: str) -> dict[str, object]:
        """Deletes a moment of ours, or a comment, here and with all who keep to it: {"id", "what"}.

        what: "moment" or "comment". Errors: moment.unknown, moment.ambiguous, moment.not_yours, moment.feed.
        """

        def write(tx: Tx, by: By) -> dict[str, object]:
            try:
                one = view.find(tx, id)
            except UnknownMoment:
                answer = view.find_comment(tx, id)
                if answer.contact != OURS:
                    raise NotYours from None
                below = view.moment(tx, answer.moment)
                assert below is not None
                acting.take_back(tx, by, below, answer)
                return {"id": view.id_of(answer.ref).hex(), "what": "comment"}
            if one.contact != OURS:
                raise NotYours
            writing.delete(tx, by, one)
            return {"id": view.id_of(one.ref).hex(), "what": "moment"}

        return await self._write(write)

    async def edit(self, id: str, text: str) -> MomentLine:
        """Changes the text of a moment of ours, for the same people; what it said before is dropped.

        Errors: moment.unknown, moment.ambiguous, moment.not_yours, moment.empty, limit, moment.feed.
        """

        def write(tx: Tx, by: By) -> MomentLine:
            one = view.find(tx, id)
            if one.contact != OURS:
                raise NotYours
            writing.edit(tx, by, one, _edited(one.said, text))
            return self._line(tx, one.id)

        return await self._write(write)

    async def notices(self, limit: int = 50) -> Told:
        """Returns who liked or answered, the oldest first; they are seen then."""

        def look(tx: Tx) -> Told:
            found = wall.notices(tx, self._eye(), limit)
            tx.execute("UPDATE moment_notice SET seen = 1 WHERE seen = 0")
            return found

        return await self._core.database.transact(look)

    # ---

    def _by(self) -> By:
        ground = self._core.ground
        entropies = ground.entropy("logs"), ground.entropy("message")
        return By(self._core.identity, ground.now_ms(), *entropies, here(self._core))

    def _eye(self) -> Eye:
        return Eye(self._core.ground.now_ms(), is_here=self._core.delivery.talks.online)

    def _found(self, tx: Tx, text: str) -> Moment:
        return wall.find(tx, text, self._core.ground.now_ms())

    def _line(self, tx: Tx, row: int) -> MomentLine:
        one = view.moment(tx, row)
        assert one is not None
        return wall.line(tx, self._eye(), one)

    async def _write(self, step: Callable[[Tx, By], T]) -> T:
        """One transaction; who is told something in it is stirred. Before it nobody is a reader who shall not be.

        Where somebody has become one in between, nothing is kept of it, and it is done again. Raises: StillRead.
        """
        for rounds_left in reversed(range(ROUNDS_MAX)):
            for number, without in (await self._core.database.read(handing.barred)).items():
                await go_on(self._core, number, without)
            by = self._by()
            try:
                found = await self._core.database.transact(step, by)
                break
            except StillRead:
                if not rounds_left:
                    raise
        for contact_id in sorted(by.told):
            self._core.delivery.stir(contact_id)
        return found


def _post(text: str, at_ms: int, **beside: Any) -> Post:
    """What a post says. Raises: NothingSaid, TooLong."""
    if not text.strip() and not any(beside.values()):
        raise NothingSaid
    try:
        return Post(text, at_ms, **beside)
    except OverLimit:
        raise TooLong from None


def _edited(said: Post, text: str) -> Post:
    beside = {"media": said.media, "link": said.link, "preview": said.preview, "place": said.place}
    return _post(text, said.at_ms, **beside)


def shown(tx: Tx, row: int) -> dict[str, object] | None:
    """What watchers are told when a moment is another."""
    line = wall.told(tx, row)
    return None if line is None else asdict(line)


async def run(moments: Moments) -> None:
    """What the room does by itself, until cancelled."""
    await Clerk(moments._core).run()
