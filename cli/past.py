"""The last lines of a conversation, as many as are asked for and all that is new, so that nothing is read unseen."""

from typing import Any

from cli.client import Client

LINES_MAX = 1000  # as many as the node gives at once

Message = dict[str, Any]


def lines(client: Client, contact: str, count: int) -> list[Message]:
    """The newest lines with a contact, oldest first: `count`, or more where more are new, up to LINES_MAX."""
    unread, limit = client.call("chat.timer", to=contact)["unread"], count
    while True:
        past: list[Message] = client.call("chat.history", to=contact, limit=limit, before=None)
        new = [place for place, message in enumerate(past) if message["unread"]]
        if len(new) >= unread or len(past) < limit or limit == LINES_MAX:
            return past[min([*new, max(0, len(past) - count)]) :]
        limit = min(LINES_MAX, 4 * limit)
