"""The `weft` command: finds the sub-command, runs it, and turns what goes wrong into words and an exit code."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import ClassVar

import click

from cli import faults, places, show
from cli.faults import Failure
from cli.options import Door, Form, Lazy, shared

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 node not running, 4 locked, 5 unknown name, 6 not delivered in time, \
7 refused or not verified, 8 versions differ, 130 interrupted. More: docs/cli.md"
)


SAID_CHARS_MAX = 200


class Commands(Lazy):
    """Every command of weft: where it is, and what it does in one sentence."""

    places: ClassVar[Mapping[str, tuple[str, str]]] = {
        "init": ("cli.commands.node:init", "Makes your identity on this device."),
        "up": ("cli.commands.node:up", "Starts the node of this identity."),
        "down": ("cli.commands.node:down", "Stops the node; what is queued is kept."),
        "status": ("cli.commands.node:status", "Shows the node, its contacts and what waits."),
        "doctor": (
            "cli.commands.doctor:doctor",
            "Examines this device, its node and your contacts, and says what to do.",
        ),
        "invite": ("cli.commands.people:invite", "Makes a link that lets somebody become your contact."),
        "add": ("cli.commands.people:add", "Becomes the contact of whoever made a link."),
        "requests": ("cli.commands.people:requests", "Lists who wants to be your contact, to accept or reject."),
        "contacts": ("cli.commands.contacts:contacts", "Lists, shows, renames, tags, verifies and blocks contacts."),
        "send": ("cli.commands.messages:send", "Sends a text or files to a contact."),
        "profile": ("cli.commands.profile:profile", "Shows how you and your contacts present themselves."),
        "remark": ("cli.commands.profile:remark", "Writes on a contact what only you see."),
        "tag": ("cli.commands.profile:tag", "Puts a contact under a tag that only you see."),
        "tags": ("cli.commands.profile:tags", "Lists your tags, and who is under each."),
        "card": ("cli.commands.cards:card", "Sends the card of a contact to another one."),
        "cards": ("cli.commands.cards:cards", "Lists the cards that contacts sent you."),
        "send-location": ("cli.commands.location:send_location", "Sends a contact a place."),
        "locations": ("cli.commands.location:locations", "Lists places that you and contacts sent."),
        "sticker": ("cli.commands.stickers:sticker", "Makes, lists, sends and keeps stickers."),
        "inbox": ("cli.commands.messages:inbox", "Shows messages that came, oldest first."),
        "read": ("cli.commands.messages:read", "Shows a conversation and marks it as read."),
        "get": ("cli.commands.files:get", "Fetches a file that came, and saves it."),
        "files": ("cli.commands.files:files", "Lists files that you sent and that came, and how far each is."),
        "storage": ("cli.commands.storage:storage", "Shows what takes room on the disk, by conversation."),
        "chat": ("cli.commands.chat:chat", "Talks with a contact line by line."),
        "react": ("cli.commands.acts:react", "Puts a reaction to a message."),
        "edit": ("cli.commands.acts:edit", "Changes what a message of yours says."),
        "recall": ("cli.commands.acts:recall", "Takes back what you have just sent."),
        "delete": ("cli.commands.acts:delete", "Deletes a message here, for you alone."),
        "forward": ("cli.commands.acts:forward", "Sends a message or file to another contact."),
        "pin": ("cli.commands.acts:pin", "Pins a message for both sides, so that `pins` lists it."),
        "unpin": ("cli.commands.acts:unpin", "Takes the pin from a message."),
        "pins": ("cli.commands.acts:pins", "Lists the pinned messages of a conversation."),
        "message": ("cli.commands.acts:message", "Shows one message, and what it said before."),
        "chats": (
            "cli.commands.chats:chats",
            "Lists the conversations; pins, mutes and puts away, and lets messages disappear.",
        ),
        "draft": ("cli.commands.chats:draft", "Keeps a text to be sent later."),
        "star": ("cli.commands.chats:star", "Marks a message, so that `starred` lists it."),
        "starred": ("cli.commands.chats:starred", "Lists messages with a star, newest first."),
        "moments": (
            "cli.commands.moments:moments",
            "Shows what you and your contacts share: posts, pictures, likes, comments.",
        ),
        "pay": ("cli.commands.pay:pay", "Pays a contact: he accepts, and you owe him. Shows what waits."),
        "invoice": ("cli.commands.invoice:invoice", "Makes a code by which you are paid, by anybody. Lists yours."),
        "request": ("cli.commands.pay:request", "Asks a contact to pay you."),
        "split": ("cli.commands.split:split", "Splits a bill: asks contacts for their shares, and shows who has paid."),
        "ledger": (
            "cli.commands.ledger:ledger",
            "What you and your contacts owe each other, and how it came to that.",
        ),
        "packet": ("cli.commands.packet:packet", "Sends a red packet, opens one, and shows who got what."),
        "shop": ("cli.commands.shop:shop", "Sells things by codes: what you sell, to whom, and what you bought."),
        "voucher": ("cli.commands.voucher:voucher", "Vouchers and gift cards: issue, give, redeem."),
        "nearby": (
            "cli.commands.nearby:nearby",
            "Shows strangers around you who want to be met, while you are visible to them.",
        ),
        "search": ("cli.commands.search:search", "Finds messages in all chats by their words."),
        "export": ("cli.commands.export:export", "Writes a whole conversation to a file, for your archive."),
        "config": ("cli.commands.settings:config", "Shows and changes the settings of the node."),
        "backup": ("cli.commands.backup:backup", "Keeps your identity beyond this device."),
        "keeper": (
            "cli.commands.keeper:keeper",
            "Keepers: who keeps your mail while you are away, and for whom you keep.",
        ),
        "log": ("cli.commands.log:log", "Signed logs: what you and your contacts wrote, and evidence of it."),
        "rpc": ("cli.commands.scripting:rpc", "Connects stdin and stdout to the node, for scripts."),
        "completion": ("cli.commands.scripting:completion", "Writes a script for the Tab key of your shell."),
        "version": ("cli.commands.scripting:version", "Shows the versions of this command and of the node."),
    }


COMMANDS = Commands(
    name="weft",
    params=shared(),
    help="Messages between people, sealed, without anybody in the middle.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str]) -> int:
    """Runs the command line of this program; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that has no ✔ shows ?
    code = run(arguments, Door())
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has left, e.g. `weft inbox | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def run(arguments: Sequence[str], door: Door) -> int:
    """Runs one command line in these surroundings and returns the exit code; writes what went wrong."""
    try:
        if any(not _is_text(one) for one in arguments):
            raise click.UsageError("An argument is not text in UTF-8; nothing was done")
        ended = COMMANDS.main(list(arguments), prog_name="weft", standalone_mode=False, obj=door)
        return ended if isinstance(ended, int) else 0
    except Failure as failure:
        _heed_form(door, arguments)
        said = _of_keeper(door, failure)
        show.failure(door, said)
        return said.exit
    except click.exceptions.NoArgsIsHelpError as wanted:
        click.echo(wanted.ctx.get_help(), err=True)
        return faults.USAGE
    except click.UsageError as wrong:
        _heed_form(door, arguments)
        show.failure(door, _of_click(wrong))
        return faults.USAGE
    except click.ClickException as wrong:
        show.failure(door, Failure("failed", wrong.format_message(), next="weft --help"))
        return faults.FAILED
    except click.Abort:
        show.talk(door, "")
        return faults.INTERRUPTED
    except BrokenPipeError:
        return faults.FAILED


def _of_keeper(door: Door, failure: Failure) -> Failure:
    """The failure, or that it was asked of a keeper, which has no account and answers little."""
    if failure.code != "call.method" or not places.is_keeper(door.directory):
        return failure
    said = "This profile is a keeper's, which has no account and cannot do that."
    return Failure("keeper.profile", said, next="weft status", verb="What it does")


def _heed_form(door: Door, arguments: Sequence[str]) -> None:
    """Lets an error be JSON where that was wanted, though the line made no sense before the option came."""
    if door.form is Form.TEXT and not {"--json", "--jsonl"}.isdisjoint(arguments):
        door.form = Form.JSON


def _is_text(argument: str) -> bool:
    """Whether the bytes that were typed are text: Python hands others on as halves of characters."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_click(wrong: click.UsageError) -> Failure:
    path = wrong.ctx.command_path if wrong.ctx is not None else "weft"
    said = " ".join(wrong.format_message().split()).rstrip(".")
    if len(said) > SAID_CHARS_MAX:  # click says the whole value again, and what is allowed behind it
        said = f"{said[: SAID_CHARS_MAX // 2]} … {said[-SAID_CHARS_MAX // 2 :]}"
    failure = faults.usage(said if said.endswith("?") else f"{said}.")
    failure.next = f"{path} --help"
    return failure


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
