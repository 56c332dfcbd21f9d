"""react, edit, recall, delete, forward, pin, message: what is done to one message, by its id or the end of it."""

from typing import Any

import click

from cli import faults, options, pictures, show
from cli.options import Door

PREVIEW_COLUMNS = 40

Message = dict[str, Any]

message_argument = click.argument("message_id", metavar="ID")


@options.command()
@message_argument
@click.argument("mark", required=False, metavar="[MARK]")
@click.option("--remove", is_flag=True, help="Take your reaction away.")
@click.pass_obj
def react(door: Door, message_id: str, mark: str | None, remove: bool) -> None:
    """Puts a reaction to a message, an emoji or a word, in place of an earlier one."""
    if remove == (mark is not None):
        raise faults.usage("Give either a reaction, as 👍, or --remove.")
    with door.connect() as client:
        message = client.call("chat.react", id=message_id, mark=mark)
    show.outcome(door, message, show.message_line(message))


@options.command()
@message_argument
@click.argument("text")
@click.pass_obj
def edit(door: Door, message_id: str, text: str) -> None:
    """Changes what a message of yours says, on both sides; it is marked as edited."""
    if not text:
        raise faults.usage("There is no text, so nothing was changed.")
    with door.connect() as client:
        message = client.call("chat.edit", id=message_id, text=text)
    show.outcome(door, message, show.message_line(message))


@options.command()
@message_argument
@click.pass_obj
def recall(door: Door, message_id: str) -> None:
    """Takes back a message of the last 2 minutes, a file of the last 3 hours; a notice of it stays on both sides."""
    with door.connect() as client:
        notice = client.call("chat.recall", id=message_id)
    show.outcome(door, notice, f"✔ Recalled. {_honest(notice)}")
    show.talk(door, f"It said: {show.clean(notice['said'])}")


@options.command()
@message_argument
@click.pass_obj
def delete(door: Door, message_id: str) -> None:
    """Deletes a message here, for you alone; the other side keeps it."""
    with door.connect() as client:
        gone = client.call("chat.delete", id=message_id)
    show.outcome(door, gone, "✔ Deleted here. The other side still has it.")


@options.command()
@message_argument
@options.contact_argument
@click.pass_obj
def forward(door: Door, message_id: str, name: str) -> None:
    """Sends what a message says to another contact, marked as forwarded, without its author's name."""
    with door.connect() as client:
        message = client.call("chat.forward", id=message_id, to=name)
    show.outcome(door, message, show.state_line(message))


@options.command()
@message_argument
@click.pass_obj
def pin(door: Door, message_id: str) -> None:
    """Pins a message for both of you, so that `pins` lists it.

    A whole conversation is pinned, in your list alone, with: weft chats pin NAME
    """
    with door.connect() as client:
        message = client.call("chat.pin_message", id=message_id)
    show.outcome(door, message, f"✔ Pinned for both of you: {show.message_line(message)}")


@options.command()
@message_argument
@click.pass_obj
def unpin(door: Door, message_id: str) -> None:
    """Takes the pin from a message for both of you, whoever has pinned it."""
    with door.connect() as client:
        message = client.call("chat.unpin_message", id=message_id)
    show.outcome(door, message, f"✔ Not pinned any more: {show.message_line(message)}")


@options.command()
@options.contact_argument
@click.pass_obj
def pins(door: Door, name: str) -> None:
    """Lists the pinned messages of a conversation, the newest pin first."""
    with door.connect() as client:
        found = client.call("chat.pins", to=name)
    text = "\n".join(show.message_line(line) for line in found)
    show.rows(door, "messages", found, text or "No message is pinned. Pin one: weft pin ID")


@options.command()
@message_argument
@click.option("--history", is_flag=True, help="What it said before it was edited, oldest first.")
@click.pass_obj
def message(door: Door, message_id: str, history: bool) -> None:
    """Shows one message, with its reactions, and the picture of its link where the terminal can."""
    with door.connect() as client:
        if not history:
            found = client.call("chat.message", id=message_id)
            show.outcome(door, found, pictures.with_sticker(door, client, found, show.message_line(found)))
            if (found.get("preview") or {}).get("has_picture"):
                webp = bytes.fromhex(client.call("chat.preview", id=found["id"])["webp"])
                pictures.show_preview(door, webp, PREVIEW_COLUMNS)
            return
        versions = client.call("chat.edits", id=message_id)
    text = "\n".join(f"{show.clock(one['at_ms'])}  {show.indented(one['text'])}" for one in versions)
    show.rows(door, "versions", versions, text)


def _honest(notice: Message) -> str:
    """What the other side may have of a message that was recalled, by how far it had come."""
    name = show.clean(notice["contact"])
    match notice["was"]:
        case "queued" | "failed":
            return f"It had not left this node: {name} only learns that you recalled a message."
        case "expired":
            return f"It never arrived; should it lie somewhere yet, {name}'s node drops it."
        case "sent" | "held" | "kept":
            return f"It was on its way: {name}'s node drops it once it has both, but {name} may see it before."
        case _:
            return (
                f"{name}'s node drops it, but it had arrived: {name} may have read or copied it, "
                "or use a program that keeps it."
            )
