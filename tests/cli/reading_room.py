"""What is read of the chats in a fake node: the history of one, and what a search finds in all."""

from typing import Any

from store.faults import StoreDamaged


class Reading:
    """Part of chat.*; asked: the filters of the last search; pages: the sizes of those that were read onward.

    breaks_at: from which row on nothing can be read.
    """

    world: Any
    lines: list[dict[str, Any]]
    asked: dict[str, Any]
    pages: list[int]
    breaks_at: int

    async def history(
        self, to: str, limit: int = 50, before: int | None = None, after: int | None = None
    ) -> list[dict[str, Any]]:
        """A conversation."""
        name = self.world.contacts.row_of(to)["name"]
        found = [line for line in self.lines if line["contact"] == name and line["seq"] > (after or 0)]
        found = [line for line in found if before is None or line["seq"] < before]
        if after is None:
            return found[-limit:]
        if found and found[0]["seq"] >= self.breaks_at:
            raise StoreDamaged
        self.pages.append(len(found[:limit]))
        return found[:limit]

    async def search(
        self,
        query: str = "",
        contact: str | None = None,
        limit: int = 50,
        before: int | None = None,
        author: str | None = None,
        has: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> list[dict[str, Any]]:
        """Finds a text as it stands, once in each line; a link begins with https."""
        assert before is None
        self.asked = {"author": author, "has": has, "since_ms": since_ms, "until_ms": until_ms}
        named = [one for one in (contact, author) if one not in (None, "me")]
        names = [self.world.contacts.row_of(one)["name"] for one in named if one is not None]
        found = [
            line
            for line in self.lines
            if query in line["text"]
            and all(name == line["contact"] for name in names)
            and (author is None or line["mine"] == (author == "me"))
            and (has is None or (has == "link" and "https" in line["text"]))
            and (since_ms is None or since_ms <= line["at_ms"])
            and (until_ms is None or line["at_ms"] < until_ms)
        ]
        return [{**line, "excerpt": _parted(line["text"], query)} for line in reversed(found)][:limit]


def _parted(text: str, query: str) -> list[str]:
    if not query:
        return [text]
    before, _, after = text.partition(query)
    return [before, query, after]
