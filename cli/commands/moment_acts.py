"""moments post, like, unlike, comment, hide, edit, delete: what you say and do. Put together in moments.py."""

import re
from typing import Any

import click

from cli import audience, faults, moving, options, show, stdin, walls
from cli.client import Client
from cli.faults import Failure
from cli.options import Door

PICTURES_MAX = 9
LATITUDE_MAX, LONGITUDE_MAX = 90, 180
SAID_CHARS = 60  # of a moment, before it is deleted
_PLACE = re.compile(r"([+−-]?\d{1,3}(?:\.\d{0,15})?)\s*[,;\s]\s*([+−-]?\d{1,3}(?:\.\d{0,15})?)")

moment_argument = click.argument("moment_id", metavar="ID")
comment_argument = click.argument("comment_id", metavar="ID")


@options.command()
@click.argument("text", required=False)
@click.option("--image", "images", multiple=True, type=click.Path(), metavar="FILE", help="A picture; up to 9 times.")
@click.option("--video", type=click.Path(), metavar="FILE", help="A film, in the place of pictures.")
@click.option("--frame", type=click.Path(), metavar="FILE", help="A picture of the film: what is seen of it at first.")
@click.option("--link", metavar="URL", help="A page that you want to share.")
@click.option(
    "--preview/--no-preview",
    default=None,
    help="Ask the site of the link what it is about, or do not. [as links.preview is set]",
)
@click.option("--place", metavar="LABEL", help="Where it is, in words.")
@click.option("--at", "at", metavar="LAT,LON", help="Where it is, in decimal degrees, as 52.52,13.405.")
@audience.asked("it")
@click.pass_obj
def post(
    door: Door,
    text: str | None,
    images: tuple[str, ...],
    video: str | None,
    frame: str | None,
    link: str | None,
    preview: bool | None,
    place: str | None,
    at: str | None,
    to: tuple[str, ...],
    excepted: tuple[str, ...],
) -> None:
    """Shares a moment with the contacts you choose.

    TEXT ("-": from stdin), pictures or a film, a link, a place:

    weft moments post "At the lake" --image a.jpg --image b.jpg --to family,bo

    A list is frozen when it is posted: who comes under the tag later does not see it. Where a tag and a contact are
    called the same, "#family" is the tag. Pictures go without what they say of place, time and camera. Nobody is told
    for whom a moment is.
    """
    _require_sense(images, video, frame, link, preview)
    readers, others = audience.read(to, excepted)
    latitude, longitude = (None, None) if at is None else _degrees(at)
    is_empty = not images and not any(one is not None for one in (video, link, place, at))
    with door.connect() as client:
        said = stdin.whole() if text == "-" or (text is None and is_empty) else text or ""
        if not said and is_empty:
            raise faults.usage("There is nothing in it, so nothing was posted.")
        made = _posted(
            door,
            client,
            text=said,
            images=[moving.whole(one) for one in images],
            video=None if video is None else moving.whole(video),
            frame=None if frame is None else moving.whole(frame),
            link=link,
            place=place,
            latitude=latitude,
            longitude=longitude,
            to=readers,
            excepted=others,
            preview=preview,
        )
    show.outcome(door, made, f"✔ Posted {walls.for_whom(made)}{walls.waits(made)}.   (id {made['short']})")
    if preview and link and not made["preview"]:
        show.talk(door, "! The site said nothing of itself, so the link stands alone.")


@options.command()
@moment_argument
@click.pass_obj
def like(door: Door, moment_id: str) -> None:
    """Likes a moment: its author sees it, and who knows you both."""
    with door.connect() as client:
        found = client.call("moments.like", id=moment_id)
    show.outcome(door, found, f"✔ {walls.head(found)}\n  {walls.marks(found)}".rstrip())


@options.command()
@moment_argument
@click.pass_obj
def unlike(door: Door, moment_id: str) -> None:
    """Takes a like back."""
    with door.connect() as client:
        found = client.call("moments.unlike", id=moment_id)
    show.outcome(door, found, f"✔ You do not like it any more: {walls.head(found)}")


@options.command()
@moment_argument
@click.argument("text")
@click.option("--reply", metavar="ID", help="The comment that TEXT answers.")
@click.pass_obj
def comment(door: Door, moment_id: str, text: str, reply: str | None) -> None:
    """Says something below a moment: its author sees it, and who knows you both.

    weft moments comment 3f2a "Lovely!"

    TEXT "-" is read from stdin.
    """
    with door.connect() as client:
        said = stdin.whole() if text == "-" else text
        if not said.strip():
            raise faults.usage("There is no text, so nothing was said.")
        made = client.call("moments.comment", id=moment_id, text=said, reply=reply)
    whom = f" to {walls.answered(made)}" if made["answers"] else ""
    show.outcome(door, made, f"✔ Said{whom}.   (id {made['short']})")


@options.command()
@comment_argument
@click.pass_obj
def hide(door: Door, comment_id: str) -> None:
    """Hides a comment below a moment of yours: nobody else is shown it any more. Its author is not told."""
    with door.connect() as client:
        found = client.call("moments.hide", id=comment_id)
    who = "you" if found["mine"] else show.clean(found["author"])
    show.outcome(door, found, f"✔ Hidden: what {who} said is shown to nobody but you.   (id {found['short']})")
    show.talk(door, "  Who has read it has read it.")


@options.command()
@moment_argument
@click.argument("text")
@click.pass_obj
def edit(door: Door, moment_id: str, text: str) -> None:
    """Changes the text of a moment of yours; the rest stays.

    It is marked as edited. TEXT "-" is read from stdin.
    """
    with door.connect() as client:
        found = client.call("moments.edit", id=moment_id, text=stdin.whole() if text == "-" else text)
    show.outcome(door, found, f"✔ {walls.moment(found)}")


@options.command()
@moment_argument
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.pass_obj
def delete(door: Door, moment_id: str, yes: bool) -> None:
    """Deletes a moment or comment of yours: the nodes of others drop it too. At a terminal you are asked before.

    Who has seen it may have kept a copy; nothing can take that back.
    """
    with door.connect() as client:
        if door.asks and not yes:
            show.talk(door, _named(client, moment_id))
            if not click.confirm("Delete it everywhere?", default=False, err=True):
                show.talk(door, "Nothing was deleted.")
                return
        gone = client.call("moments.delete", id=moment_id)
    show.outcome(door, gone, f"✔ The {gone['what']} is deleted; the nodes of others drop it once they hear of it.")


def _require_sense(
    images: tuple[str, ...], video: str | None, frame: str | None, link: str | None, preview: bool | None
) -> None:
    """Raises: Failure where options of a post contradict each other."""
    if images and video is not None:
        raise faults.usage("A moment has pictures or one film: either --image or --video.")
    if len(images) > PICTURES_MAX:
        raise faults.usage(f"A moment has at most {PICTURES_MAX} pictures, not {len(images)}; nothing was posted.")
    if frame is not None and video is None:
        raise faults.usage("A --frame is a picture of a film: it goes with --video.")
    if preview is not None and link is None:
        raise faults.usage("A preview is of a link: --preview goes with --link.")


def _degrees(text: str) -> tuple[float, float]:
    """A latitude and a longitude. Raises: Failure."""
    found = _PLACE.fullmatch(text.strip().lower().removeprefix("geo:"))
    if found is not None:
        latitude, longitude = (float(one.replace("−", "-")) for one in found.groups())
        if abs(latitude) <= LATITUDE_MAX and abs(longitude) <= LONGITUDE_MAX:
            return latitude, longitude
    raise faults.usage(
        f"A place is LAT,LON in decimal degrees, from -90 to 90 and -180 to 180, not {faults.quoted(text)!r}."
    )


def _posted(door: Door, client: Client, **said: Any) -> dict[str, Any]:
    """The moment that is made of this; a person sees what takes long."""

    def waiting(_spent_s: float) -> None:
        has_media = said["images"] or said["video"]
        show.passing(door, "Sealing…" if has_media else "Looking at the link, at most 10 s…" if said["link"] else "")

    try:
        made: dict[str, Any] = client.call("moments.post", within_s=moving.WORK_S, waiting=waiting, **said)
    finally:
        show.passing(door, "")
    return made


def _named(client: Client, moment_id: str) -> str:
    """What is about to be deleted, in a line."""
    try:
        moment = client.call("moments.show", id=moment_id)["moment"]
    except Failure as unknown:
        if unknown.code != "moment.unknown":
            raise
        return f"A comment: {show.clean(moment_id)}"  # or nothing at all: the node says so then
    said = show.clean(moment["text"])
    return f"{walls.head(moment)}: {said[:SAID_CHARS]}{'…' if len(said) > SAID_CHARS else ''}"
