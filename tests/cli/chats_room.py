"""What is kept of conversations, played for the command line's tests: methods of fake.py's room `chat`."""

from typing import Any, Protocol


class World(Protocol):
    """Who knows the contacts."""

    @property
    def contacts(self) -> Any: ...


class Room(Protocol):
    """What the methods below need of the room: its lines, what was decided by name, the rows with a star."""

    lines: list[dict[str, Any]]
    kept: dict[str, dict[str, object]]
    stars: set[int]

    @property
    def world(self) -> World: ...


async def chats(room: Room, archived: bool = False, limit: int = 1000) -> list[dict[str, Any]]:
    """The conversations, in the order of the contacts."""
    found = [_conversation(room, row["name"]) for row in room.world.contacts.rows]
    return [row for row in found if row["archived"] is archived and (row["last"] or row["draft"])][:limit]


async def pin(room: Room, to: str) -> dict[str, Any]:
    """First."""
    return _keep(room, to, pinned=True)


async def unpin(room: Room, to: str) -> dict[str, Any]:
    """Among the others."""
    return _keep(room, to, pinned=False)


async def mute(room: Room, to: str, for_s: int | None = None) -> dict[str, Any]:
    """Silent."""
    return _keep(room, to, muted=True, muted_until_ms=0 if for_s is None else 1_790_000_000_000 + for_s * 1000)


async def unmute(room: Room, to: str) -> dict[str, Any]:
    """Rings."""
    return _keep(room, to, muted=False, muted_until_ms=0)


async def archive(room: Room, to: str) -> dict[str, Any]:
    """Away."""
    return _keep(room, to, archived=True)


async def unarchive(room: Room, to: str) -> dict[str, Any]:
    """Back."""
    return _keep(room, to, archived=False)


async def draft(room: Room, to: str, text: str | None = None) -> dict[str, Any]:
    """Not sent yet."""
    return _keep(room, to, **({} if text is None else {"draft": text}))


async def timer(room: Room, to: str, seconds: int | None = None) -> dict[str, Any]:
    """How long it stays."""
    return _keep(room, to, **({} if seconds is None else {"timer_s": seconds}))


async def star(room: Room, id: str) -> dict[str, Any]:
    """Marked."""
    line = next(line for line in room.lines if line["id"].endswith(id))
    room.stars.add(line["seq"])
    line["starred"] = True
    return line


async def unstar(room: Room, id: str) -> dict[str, Any]:
    """Not marked."""
    line = next(line for line in room.lines if line["id"].endswith(id))
    room.stars.discard(line["seq"])
    line["starred"] = False
    return line


async def starred(
    room: Room, contact: str | None = None, limit: int = 50, before: int | None = None
) -> list[dict[str, Any]]:
    """Those that are marked."""
    assert before is None
    name = None if contact is None else room.world.contacts.row_of(contact)["name"]
    found = [line for line in room.lines if line["seq"] in room.stars and name in (None, line["contact"])]
    return [*reversed(found)][:limit]


def _keep(room: Room, to: str, **changes: object) -> dict[str, Any]:
    name = room.world.contacts.row_of(to)["name"]
    room.kept.setdefault(name, {}).update(changes)
    return _conversation(room, name)


def _conversation(room: Room, name: str) -> dict[str, Any]:
    lines = [line for line in room.lines if line["contact"] == name]
    return conversation(name, *lines, **room.kept.get(name, {}))


def conversation(name: str, *lines: dict[str, Any], **changes: object) -> dict[str, Any]:
    """A conversation as the API shows it."""
    return {
        "contact": name,
        "last": lines[-1] if lines else None,
        "excerpt": lines[-1]["text"] if lines else "",
        "unread": sum(line["unread"] for line in lines),
        "pinned": False,
        "muted": False,
        "muted_until_ms": 0,
        "archived": False,
        "draft": "",
        "timer_s": 0,
        **changes,
    }
