"""search: finds messages by their words, their author, chat and time, and by what they have."""

from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli import days, faults, options, show
from cli.options import Door

SEARCH_S = 120.0  # the first search after an upgrade may have a million messages to index
ME = "me"
TRAITS = ("file", "link", "picture", "voice", "video", "card", "place", "sticker")


def _authors(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes with "me" and the contacts."""
    mine = [CompletionItem(ME)] if ME.startswith(incomplete.lower()) else []
    return [*mine, *options.contact_names(ctx, param, incomplete)]


@options.command()
@click.argument("words", nargs=-1, metavar="[QUERY]")
@click.option("--from", "author", metavar="NAME", shell_complete=_authors, help='Only what NAME wrote; "me": what you.')
@click.option(
    "--in", "contact", metavar="NAME", shell_complete=options.contact_names, help="Only the chat with this contact."
)
@click.option("--since", metavar="DATE", help='Only from then on: 2026-11-30, "2026-11-30 18:30", yesterday, 7d ago.')
@click.option("--until", metavar="DATE", help="Only up to then; a day is meant to its end.")
@click.option("--has", type=click.Choice(TRAITS), help="Only what has such a thing.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many of the newest. [50]")
@click.pass_obj
def search(
    door: Door,
    words: tuple[str, ...],
    author: str | None,
    contact: str | None,
    since: str | None,
    until: str | None,
    has: str | None,
    limit: int,
) -> None:
    """Finds messages that have all words of QUERY, newest first; the last word may be the beginning of one.

    Without QUERY it finds all that the options let through, of which each narrows it down.
    """
    query = " ".join(words)
    filters: dict[str, Any] = {
        "contact": contact,
        "author": author,
        "has": has,
        "since_ms": None if since is None else days.since(since),
        "until_ms": None if until is None else days.until(until),
    }
    _check(query, filters)
    with door.connect() as client:
        show.passing(door, "Searching…")
        try:
            found = client.call("chat.search", within_s=SEARCH_S, query=query, limit=limit, **filters)
        finally:
            show.passing(door, "")
    text = "\n".join(_line(door, message) for message in found)
    show.rows(door, "messages", found, text or _nothing(query))
    if len(found) == limit:
        show.talk(door, f"These are the newest {limit}; there may be more: --limit N.")


def _check(query: str, filters: Mapping[str, Any]) -> None:
    """Raises: Failure where nothing is asked, or nothing can be found."""
    if not query.strip() and all(one is None for one in filters.values()):
        missing = faults.usage("There is no word to search for.")
        missing.next = "weft search WORD"
        raise missing
    since_ms, until_ms = filters["since_ms"], filters["until_ms"]
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise faults.usage("--since is not before --until, so there is nothing between them.")


def _nothing(query: str) -> str:
    return f"No message was found for “{show.clean(query)}”." if query.strip() else "No message was found."


def _line(door: Door, message: Mapping[str, Any]) -> str:
    """A message on one line: when, who to whom, the part that was found, and the end of its id."""
    name = show.clean(message["contact"])
    who = f"You to {name}" if message["mine"] else name
    pieces = [show.clean(piece) for piece in message["excerpt"]]
    said = "".join(show.strong(door, piece) if number % 2 else piece for number, piece in enumerate(pieces))
    return f"{show.clock(message['at_ms'])}  {who}: {said}  (…{message['short']})"
