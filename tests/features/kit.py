"""What the tests of rooms share: faults that a call of the local API ends with, and what a room says it ends with."""

from typing import Any

import pytest

from lab.world import Person
from node import methods
from protocol.faults import UserFault


class Faults:
    """The faults that one person met, by method: what a docstring promises must be among them."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.met: set[tuple[str, str]] = set()

    async def of(self, method: str, **params: object) -> UserFault:
        """The fault that a call ends with; it must end with one."""
        with pytest.raises(UserFault, match=r"\w") as met:
            await self.person.call(method, **params)
        self.met.add((method, met.value.code))
        return met.value

    async def code(self, method: str, **params: object) -> str:
        """The code of the fault that a call ends with."""
        return (await self.of(method, **params)).code

    def missing(self, room: str) -> set[tuple[str, str]]:
        """What the docstrings of a room promise, and nobody has met yet."""
        assert self.person.node is not None
        table = methods.table({room: self.person.node.core.services[room]})
        return {(name, code) for name, method in table.items() for code in method.errors} - self.met


async def only(person: Person, method: str = "contacts.list") -> dict[str, Any]:
    """The one row that a call answers with."""
    (row,) = await person.call(method)
    found: dict[str, Any] = row
    return found
