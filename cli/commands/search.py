"""search: finds messages by their words, in all chats or in one."""

from collections.abc import Mapping
from typing import Any

import click

from cli import faults, options, show
from cli.options import Door

SEARCH_S = 120.0  # the first search after an upgrade may have a million messages to index


@options.command()
@click.argument("words", nargs=-1, metavar="QUERY")
@click.option(
    "--with", "contact", metavar="NAME", shell_complete=options.contact_names, help="Only the chat with this contact."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="How many of the newest. [50]")
@click.pass_obj
def search(door: Door, words: tuple[str, ...], contact: str | None, limit: int) -> None:
    """Finds messages that have all words of QUERY, newest first; the last word may be the beginning of one."""
    query = " ".join(words)
    if not query.strip():
        missing = faults.usage("There is no word to search for.")
        missing.next = "weft search WORD"
        raise missing
    with door.connect() as client:
        show.passing(door, "Searching…")
        try:
            found = client.call("chat.search", within_s=SEARCH_S, query=query, contact=contact, limit=limit)
        finally:
            show.passing(door, "")
    text = "\n".join(_line(door, message) for message in found)
    show.rows(door, "messages", found, text or f"No message was found for “{show.clean(query)}”.")
    if len(found) == limit:
        show.talk(door, f"These are the newest {limit}; there may be more: --limit N.")


def _line(door: Door, message: Mapping[str, Any]) -> str:
    """A message on one line: when, who to whom, the part that was found, and the end of its id."""
    name = show.clean(message["contact"])
    who = f"You to {name}" if message["mine"] else name
    pieces = [show.clean(piece) for piece in message["excerpt"]]
    said = "".join(show.strong(door, piece) if number % 2 else piece for number, piece in enumerate(pieces))
    return f"{show.clock(message['at_ms'])}  {who}: {said}  (…{message['short']})"
