"""storage: what takes room on the disk, by conversation, and how far the quota is kept."""

from collections.abc import Mapping
from typing import Any

import click

from cli import moving, options, show
from cli.options import Door

_NO_TEXTS = {"messages": None, "text_bytes": None, "keep_s": 0}  # of what other rooms take


@click.command(cls=options.Named, invoke_without_command=True, subcommand_metavar="NAME | COMMAND …")
@click.pass_context
def storage(ctx: click.Context) -> None:
    """Shows what takes room on the disk, by conversation, the largest first; or with NAME of one.

    weft config set media.quota 2000

    With a quota, in MB, files that can be fetched again are kept here no more once all files take more than that:
    those first that you did not use for longest. What you sent, what has a star, and texts stay.
    """
    if ctx.invoked_subcommand is None:
        _show(ctx.obj, None)


storage.params.extend(options.shared())


@options.sub(storage, name="show")
@click.argument("name", metavar="NAME", required=False, shell_complete=options.contact_names)
@click.pass_obj
def show_one(door: Door, name: str | None) -> None:
    """Shows what takes room: in all conversations, or in one."""
    _show(door, name)


@options.sub(storage)
@options.contact_argument
@click.argument("time", required=False, metavar="[TIME|all]")
@click.pass_obj
def keep(door: Door, name: str, time: str | None) -> None:
    """Lets files of a conversation go TIME after their last use (as 90d), or keeps all; shows what is so.

    Only files that can be fetched again go. What you sent, what has a star, and texts stay.
    """
    seconds = None if time is None else 0 if time.strip().lower() == "all" else int(options.seconds_of(time))
    with door.connect() as client:
        found = client.call("media.keep", within_s=moving.WORK_S, to=name, seconds=seconds)
    who, keep_s = show.clean(found["contact"]), found["keep_s"]
    stays = f"go {show.span(keep_s)} after their last use" if keep_s else "stay as long as there is room"
    mark = "" if seconds is None else "✔ "
    show.outcome(door, found, f"{mark}Files of {who} that can be fetched again {stays}.")


def _show(door: Door, name: str | None) -> None:
    with door.connect() as client:
        found = client.call("media.storage", within_s=moving.WORK_S, contact=name)
    heads = ("Name", "Messages", "Texts", "Files", "On disk", "Can be fetched again", "Goes after")
    lines = [_row(one) for one in found["conversations"]]
    lines += [_row(one | _NO_TEXTS | {"contact": f"({one['room']})"}) for one in found["rooms"]]
    table = show.table(door, heads, lines) if lines else "There is no conversation yet."
    show.outcome(door, found, "\n".join((table, "", _totals(found), _quota(door, found))))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    sizes = (show.size(one["files_bytes"]), show.size(one["again_bytes"])) if one["files"] else ("", "")
    after = show.span(one["keep_s"]) if one["keep_s"] else ""
    return (
        show.clean(one["contact"]),
        "" if one["messages"] is None else str(one["messages"]),
        "" if one["text_bytes"] is None else show.size(one["text_bytes"]),
        str(one["files"]),
        *sizes,
        after,
    )


def _totals(found: Mapping[str, Any]) -> str:
    held, again = show.size(found["files_bytes"]), show.size(found["again_bytes"])
    files = "1 file takes" if found["files"] == 1 else f"{found['files']} files take"
    database, free = show.size(found["database_bytes"]), show.size(found["free_bytes"])
    return f"{files} {held}, {again} can be fetched again. The database takes {database}. {free} of the disk are free."


def _quota(door: Door, found: Mapping[str, Any]) -> str:
    """How far the quota is kept, and what to type."""
    if not found["quota_bytes"]:
        return f"There is no quota. Set one, in MB: {door.typed('weft config set media.quota 2000')}"
    most, over = show.size(found["quota_bytes"]), show.size(found["over"])
    if not found["over"]:
        return f"The quota is {most}."
    if found["again_bytes"] >= found["over"]:
        return f"{over} more than the quota of {most}: what can be fetched again goes, an hour after it was used last."
    left = (
        f"{over} more than the quota of {most}, and too little of it can be fetched again; nothing else goes by itself."
    )
    drop, more = door.typed("weft files drop ID"), door.typed("weft config set media.quota MB")
    return f"{left}\nLet a file go: {drop}   or allow more: {more}"
