"""What stories about moments ask of people: what is on whose wall, and what is below it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lab.world import Person, World, befriend


async def rooted(w: World, *names: str) -> list[Person]:
    """So many people, each a contact of each; the second is the anchor of the feed of the first, who has posted."""
    found = [await w.person(name) for name in names]
    author, anchor = found[:2]
    await befriend(author, anchor)
    await author.call("moments.post", text="first")
    await w.until(sees([anchor], "first"))
    for at, person in enumerate(found):
        for other in found[max(at + 1, 2) :]:
            await befriend(person, other)
    await w.until(sees(found, "first"))
    return found


async def wall(person: Person, **how: object) -> list[str]:
    """The texts on somebody's wall, the oldest first."""
    return [one["text"] for one in await person.call("moments.list", **how)]


async def one(person: Person, text: str) -> dict[str, Any]:
    """The moment with this text, as somebody sees it."""
    (found,) = [line for line in await person.call("moments.list", limit=1000) if line["text"] == text]
    return dict(found)


async def comments(person: Person, text: str) -> list[str]:
    """What somebody reads below the moment with this text."""
    shown = await person.call("moments.show", id=(await one(person, text))["id"])
    return [line["text"] for line in shown["comments"]]


def sees(people: Sequence[Person], *texts: str) -> Callable[[], Awaitable[bool]]:
    """Whether these texts are on all their walls."""

    async def true() -> bool:
        return all([{*texts} <= {*await wall(person, limit=1000)} for person in people])

    return true


def reads(people: Sequence[Person], text: str, below: list[str]) -> Callable[[], Awaitable[bool]]:
    """Whether they all read exactly this below a moment that they see."""

    async def true() -> bool:
        return all([text in await wall(person) and await comments(person, text) == below for person in people])

    return true


def gone(people: Sequence[Person], *texts: str) -> Callable[[], Awaitable[bool]]:
    """Whether none of these texts is on any of their walls."""

    async def true() -> bool:
        return not any([{*texts} & {*await wall(person, limit=1000)} for person in people])

    return true
