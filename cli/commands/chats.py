"""chats: the list of conversations, and what you decide about each; draft, star, starred: what you keep of one."""

from collections.abc import Mapping
from typing import Any

import click

from cli import options, show
from cli.options import Door

Conversation = Mapping[str, Any]


@options.group()
@click.option("--archived", is_flag=True, help="Only those that are put away.")
@click.pass_context
def chats(ctx: click.Context, archived: bool) -> None:
    """Lists the conversations: pinned ones first, then by what was said last."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, archived)


@options.sub(chats, name="list")
@click.option("--archived", is_flag=True, help="Only those that are put away.")
@click.pass_obj
def list_all(door: Door, archived: bool) -> None:
    """Lists the conversations."""
    _list(door, archived)


@options.sub(chats)
@options.contact_argument
@click.pass_obj
def pin(door: Door, name: str) -> None:
    """Keeps a conversation above all others, in your list alone.

    A message is pinned, for both of you, with: weft pin ID
    """
    _change(door, "chat.pin", name, "stays above all others.")


@options.sub(chats)
@options.contact_argument
@click.pass_obj
def unpin(door: Door, name: str) -> None:
    """Lets a conversation stand among the others again."""
    _change(door, "chat.unpin", name, "stands among the others again.")


@options.sub(chats)
@options.contact_argument
@click.option("--for", "time", callback=options.seconds, metavar="TIME", help="For how long, as in 8h. [until unmuted]")
@click.pass_obj
def mute(door: Door, name: str, time: float | None) -> None:
    """Lets a conversation ring no more; what comes is shown and counted all the same."""
    with door.connect() as client:
        found = client.call("chat.mute", to=name, for_s=None if time is None else int(time))
    until = show.clock(found["muted_until_ms"]) if found["muted_until_ms"] else "you unmute it"
    show.outcome(door, found, f"✔ {show.clean(found['contact'])} does not ring until {until}.")


@options.sub(chats)
@options.contact_argument
@click.pass_obj
def unmute(door: Door, name: str) -> None:
    """Lets a conversation ring again."""
    _change(door, "chat.unmute", name, "rings again.")


@options.sub(chats)
@options.contact_argument
@click.pass_obj
def archive(door: Door, name: str) -> None:
    """Puts a conversation away until something new is said in it; a muted one stays away."""
    _change(door, "chat.archive", name, "is put away.")


@options.sub(chats)
@options.contact_argument
@click.pass_obj
def unarchive(door: Door, name: str) -> None:
    """Takes a conversation back among the others."""
    _change(door, "chat.unarchive", name, "is back among the others.")


@options.sub(chats)
@options.contact_argument
@click.argument("time", required=False, metavar="[TIME|off]")
@click.pass_obj
def timer(door: Door, name: str, time: str | None) -> None:
    """Lets what both say disappear TIME after it was read (as 1h, 1d, 4w), or stay; shows what is so."""
    seconds = None if time is None else 0 if time.strip().lower() == "off" else int(options.seconds_of(time))
    with door.connect() as client:
        found = client.call("chat.timer", to=name, seconds=seconds)
    who, stays_s = show.clean(found["contact"]), found["timer_s"]
    said = f"disappears {show.span(stays_s)} after it was read" if stays_s else "stays"
    if seconds is None:
        show.outcome(door, found, f"What you and {who} say {said}.")
        return
    show.outcome(door, found, f"✔ What you and {who} say from now on {said}.")
    if stays_s:
        show.talk(door, "  The other side's weft does so too; nothing keeps a person from keeping a copy.")


@options.command()
@options.contact_argument
@click.argument("text", required=False)
@click.option("--remove", is_flag=True, help="Forget the draft.")
@click.pass_obj
def draft(door: Door, name: str, text: str | None, remove: bool) -> None:
    """Keeps TEXT to be sent later, or shows what is kept; to send it as it stands ends it."""
    with door.connect() as client:
        found = client.call("chat.draft", to=name, text="" if remove else text)
    shown = show.clean(found["draft"], keep_lines=True)
    if text is not None or remove:
        show.outcome(door, found, "✔ The draft is kept here; nobody is sent it." if shown else "✔ There is no draft.")
    else:
        show.outcome(door, found, shown or "There is no draft.")


@options.command()
@click.argument("message", metavar="ID")
@click.option("--remove", is_flag=True, help="Take the star away.")
@click.pass_obj
def star(door: Door, message: str, remove: bool) -> None:
    """Marks a message by the end of its id, so that `starred` lists it; nobody else sees it."""
    with door.connect() as client:
        line = client.call("chat.unstar" if remove else "chat.star", id=message)
    show.outcome(door, line, f"✔ {'Without a star' if remove else 'Starred'}: {show.message_line(line)}")


@options.command()
@click.argument("name", required=False, shell_complete=options.contact_names)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many of the newest. [50]")
@click.pass_obj
def starred(door: Door, name: str | None, limit: int) -> None:
    """Lists messages with a star, newest first, of one contact or of all."""
    with door.connect() as client:
        found = client.call("chat.starred", contact=name, limit=limit)
    text = "\n".join(show.message_line(line) for line in found)
    show.rows(door, "messages", found, text or "No message has a star.")


def _list(door: Door, archived: bool) -> None:
    with door.connect() as client:
        found = client.call("chat.chats", archived=archived)
        is_any_away = not found and not archived and client.call("chat.chats", archived=True, limit=1)
    lines = [(_marks(row), show.clean(row["contact"]), str(row["unread"] or ""), *_last(row)) for row in found]
    none = "Nothing is put away." if archived else "There is no conversation yet. Begin one: weft chat NAME"
    if is_any_away:
        none = "All conversations are put away: weft chats --archived"
    table = show.table(door, ("", "Name", "New", "When", "Last"), lines)
    show.rows(door, "chats", found, table if lines else none)


def _change(door: Door, method: str, name: str, said: str) -> None:
    with door.connect() as client:
        found = client.call(method, to=name)
    show.outcome(door, found, f"✔ {show.clean(found['contact'])} {said}")


def _marks(row: Conversation) -> str:
    """Pinned, muted, put away: one letter each."""
    return "".join(mark for mark, name in (("P", "pinned"), ("M", "muted"), ("A", "archived")) if row[name])


def _last(row: Conversation) -> tuple[str, str]:
    """When the last line was said, and its beginning; or of what is not sent yet."""
    last = row["last"]
    when = show.clock(last["at_ms"]) if last else ""
    if row["draft"]:
        return when, f"Draft: {show.clean(row['draft'])[:80]}"
    if not last:
        return when, ""
    if last.get("recalled"):
        return when, f"{'You' if last['mine'] else show.clean(row['contact'])} recalled a message."
    return when, f"{'You: ' if last['mine'] else ''}{show.clean(row['excerpt'])}"
