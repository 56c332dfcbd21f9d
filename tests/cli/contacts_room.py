"""The room of contacts of the small node in fake.py."""

from dataclasses import dataclass, field
from typing import Any

import trio

from tests.cli.faults import UnknownContact

LINK = "weft:i/" + "A" * 160
DIGITS = " ".join(["12345"] * 12)


@dataclass
class ContactsRoom:
    """contacts.*"""

    world: Any
    rows: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    more: dict[str, bool] = field(default_factory=dict)  # of who is added
    words: tuple[str, ...] = ("able", "baker", "cab")
    invited: trio.Event = field(default_factory=trio.Event)
    added: trio.Event = field(default_factory=trio.Event)
    why: str = "Bo was not reached yet"  # who is added is not a contact at once

    def row_of(self, name: str) -> dict[str, Any]:
        for row in self.rows:
            if row["name"].lower() == name.lower():
                return row
        raise UnknownContact(f"No contact is called {name}.", name=name)

    async def invite(self, kind: str = "once", expires_s: int = 86_400) -> dict[str, object]:
        """Makes a link."""
        self.asked.append(("invite", kind, expires_s))
        self.invited.set()
        return {
            "id": "01J00000000000000000000001",
            "link": LINK,
            "kind": kind,
            "expires_ms": 4_000_000_000_000,
            "addresses": 1,
        }

    async def invitations(self) -> list[dict[str, Any]]:
        """Open links."""
        return [{"id": "01J00000000000000000000001", "kind": "once", "expires_ms": 4_000_000_000_000, "spent_by": ""}]

    async def revoke(self, id: str) -> dict[str, object]:
        """Ends a link."""
        return {"id": id}

    async def add(
        self, link: str, name: str | None = None, greeting: str = "", replace: bool = False
    ) -> dict[str, object]:
        """Follows a link."""
        self.asked.append(("add", link, name, greeting, replace))
        row = next((one for one in self.rows if (one["name"], one["state"]) == (name, "active")), None)
        if row is None:
            self.rows.append(row := contact(name or "Bo", state="asked", reason=self.why, **self.more))
        self.added.set()
        return dict(row)

    async def find(self, handle: str) -> list[dict[str, Any]]:
        """Who claims a handle."""
        return [{"account": row["account"], "claims": row["name"]} for row in self.rows]

    async def requests(self) -> list[dict[str, Any]]:
        """Who asks."""
        return [row for row in self.rows if row["state"] == "request"]

    async def accept(self, id_or_name: str, name: str | None = None) -> dict[str, Any]:
        """Yes."""
        return self._change(id_or_name, state="active", name=name or self.row_of(id_or_name)["name"])

    async def reject(self, id_or_name: str) -> dict[str, Any]:
        """No."""
        return self._change(id_or_name, state="refused")

    async def list(self) -> list[dict[str, Any]]:
        """All."""
        return self.rows

    async def show(self, name: str) -> dict[str, Any]:
        """One."""
        return {**self.row_of(name), "devices": [], "safety_number": DIGITS}

    async def rename(self, name: str, new: str) -> dict[str, Any]:
        """Names it."""
        return self._change(name, name=new)

    async def verify(self, name: str, how: str = "digits") -> dict[str, Any]:
        """Compared."""
        return self._change(name, verified=how)

    async def unverify(self, name: str) -> dict[str, Any]:
        """Not compared."""
        return self._change(name, verified="no")

    async def safety(self, name: str) -> dict[str, object]:
        """The number."""
        self.row_of(name)
        return {"digits": DIGITS, "qr": "weft:v/AAEC"}

    async def compare(self, name: str) -> dict[str, object]:
        """The words."""
        self.row_of(name)
        return {"words": list(self.words)}

    async def block(self, name: str) -> dict[str, Any]:
        """Ends it."""
        return self._change(name, state="blocked")

    async def unblock(self, name: str) -> dict[str, Any]:
        """Resumes it."""
        return self._change(name, state="active")

    async def trust(self, name: str) -> dict[str, Any]:
        """Accepts an alarm."""
        return self._change(name, alarm="")

    def _change(self, who: str, **changes: object) -> dict[str, Any]:
        (row := self.row_of(who)).update(changes)
        return row


def contact(name: str, **changes: object) -> dict[str, Any]:
    """A contact as the API shows it."""
    return {
        "name": name,
        "account": "wf1" + name.lower() + "q" * 55,
        "announced": name,
        "state": "active",
        "verified": "no",
        "alarm": "",
        "greeting": "",
        "online": False,
        "seen_ms": 0,
        "created_ms": 1_790_000_000_000,
        "reason": "",
        "busy": False,
        **changes,
    }
