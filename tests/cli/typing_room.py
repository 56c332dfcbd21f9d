"""Who types, played for the command line's tests: part of fake.py's room `chat`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio


@dataclass
class Typing:
    """typed_to: who was told that one types. watched: whether anybody sees who types."""

    world: Any
    typed_to: list[str] = field(default_factory=list)
    typed: trio.Event = field(default_factory=trio.Event)
    watched: trio.Event = field(default_factory=trio.Event)
    typists: list[trio.MemorySendChannel[dict[str, object]]] = field(default_factory=list)

    async def typing(self, to: str) -> dict[str, bool]:
        """Tells."""
        self.typed_to.append(self.world.contacts.row_of(to)["name"])
        self.typed.set()
        return {"told": True}

    @contextmanager
    def watch_typists(self) -> Iterator[trio.MemoryReceiveChannel[dict[str, object]]]:
        """Who types."""
        send, receive = trio.open_memory_channel[dict[str, object]](8)
        self.typists.append(send)
        self.watched.set()
        yield receive

    def types(self, name: str, is_typing: bool = True) -> None:
        """A contact begins to type, or types no more."""
        for send in self.typists:
            send.send_nowait({"contact": name, "typing": is_typing})
