"""What the chat of the small node does to one message: react, edit, recall, delete, forward."""

from typing import Any

from tests.cli.faults import UnknownMessage


def answered(line: dict[str, Any]) -> dict[str, Any]:
    """A line as one that answers it shows it."""
    return {**{name: line[name] for name in ("id", "short", "mine")}, "is_here": True, "excerpt": line["text"]}


class Acts:
    """chat.*, the part about one message."""

    world: Any
    lines: list[dict[str, Any]]
    former: dict[str, list[str]]

    async def message(self, id: str) -> dict[str, Any]:
        """One."""
        return self.message_of(id)

    async def react(self, id: str, mark: str | None = None) -> dict[str, Any]:
        """One reaction, ours."""
        reactions = [] if mark is None else [{"mine": True, "mark": mark}]
        return self._change(id, reactions=reactions)

    async def edit(self, id: str, text: str) -> dict[str, Any]:
        """Says something else."""
        before = self.message_of(id)
        self.former.setdefault(before["id"], []).append(before["text"])
        return self._change(id, text=text, edited=before.get("edited", 0) + 1)

    async def edits(self, id: str) -> list[dict[str, Any]]:
        """What it said."""
        line = self.message_of(id)
        return [{"text": one, "at_ms": line["at_ms"]} for one in (*self.former.get(line["id"], []), line["text"])]

    async def recall(self, id: str) -> dict[str, Any]:
        """Takes it back."""
        before = dict(self.message_of(id))
        return {**self._change(id, text="", recalled=True), "said": before["text"], "was": before["state"]}

    async def delete(self, id: str) -> dict[str, str]:
        """Deletes it."""
        line = self.message_of(id)
        line["contact"] = ""
        return {"id": line["id"]}

    async def pin_message(self, id: str) -> dict[str, Any]:
        """Pinned."""
        return self._change(id, pinned=True)

    async def unpin_message(self, id: str) -> dict[str, Any]:
        """Not pinned."""
        return self._change(id, pinned=False)

    async def pins(self, to: str) -> list[dict[str, Any]]:
        """Those that are."""
        name = self.world.contacts.row_of(to)["name"]
        return [line for line in reversed(self.lines) if line["contact"] == name and line.get("pinned")]

    async def forward(self, id: str, to: str) -> dict[str, Any]:
        """Says it again."""
        text = self.message_of(id)["text"]
        return {**(await self._post(to, [text]))[0], "forwarded": True}

    def message_of(self, id: str) -> dict[str, Any]:
        """A line by the end of its id."""
        for line in self.lines:
            if line["id"].endswith(id):
                return line
        raise UnknownMessage(f"No message ends with {id}.")

    def _change(self, id: str, **changes: object) -> dict[str, Any]:
        (line := self.message_of(id)).update(changes)
        return line

    async def _post(self, to: str, texts: list[str]) -> list[dict[str, Any]]:
        """Says texts to a contact."""
        raise NotImplementedError
