"""The room of profiles of the command line's small node: it says what the test gave it."""

import base64
from dataclasses import dataclass, field
from typing import Any

from features.profile.faults import NoPhoto, UnknownCard, UnknownTag

Rows = list[dict[str, Any]]


@dataclass
class ProfileRoom:
    """profile.*"""

    written: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name, "" for ours
    picture: bytes = b""
    received: Rows = field(default_factory=list)
    places: Rows = field(default_factory=list)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def remark(self, name: str, text: str = "") -> dict[str, Any]:
        """Written."""
        self.asked.append(("remark", name, text))
        row = self.written.setdefault(name, marked(name))
        row["remark"] = text
        return row

    async def tag(self, name: str, tag: str) -> dict[str, Any]:
        """One more."""
        row = self.written.setdefault(name, marked(name))
        row["tags"].append(tag)
        return row

    async def untag(self, name: str, tag: str) -> dict[str, Any]:
        """One less."""
        row = self.written.setdefault(name, marked(name))
        row["tags"] = [one for one in row["tags"] if one.casefold() != tag.casefold()]
        return row

    async def tags(self, tag: str | None = None) -> Rows:
        """All."""
        known = sorted({one for row in self.written.values() for one in row["tags"]})
        if tag is not None and tag not in known:
            raise UnknownTag(f"No contact has the tag {tag}.")
        return [
            {"tag": one, "contacts": [name for name, row in self.written.items() if one in row["tags"]]}
            for one in known
            if tag in (None, one)
        ]

    async def marks(self) -> Rows:
        """Who is marked."""
        return [*self.written.values()]

    async def show(self, name: str | None = None) -> dict[str, Any]:
        """One."""
        return self.rows.get(name or "") or presented(name or "Ana")

    async def photo(self, name: str | None = None) -> dict[str, object]:
        """The picture."""
        self.asked.append(("photo", name))
        if not self.picture:
            raise NoPhoto
        return {"webp": base64.b64encode(self.picture).decode()}

    async def introduce(self, name: str, to: str) -> dict[str, object]:
        """Sent."""
        self.asked.append(("introduce", name, to))
        return {"contact": to, "claims": name, "account": marked(name)["account"], "id": "01J0000000000000000000AAAA"}

    async def cards(self) -> Rows:
        """What came."""
        return self.received

    async def forget(self, id: int) -> dict[str, Any]:
        """One less."""
        for row in self.received:
            if row["id"] == id:
                self.received.remove(row)
                return row
        raise UnknownCard

    async def send_location(
        self, to: str, latitude: str, longitude: str, accuracy_m: int = 0, label: str = ""
    ) -> dict[str, Any]:
        """Sent."""
        self.asked.append(("send_location", to, latitude, longitude, accuracy_m, label))
        row = place(1, to, mine=True, label=label)
        self.places.append(row)
        return row

    async def locations(self, name: str | None = None, limit: int = 50) -> Rows:
        """All."""
        return [row for row in self.places if name in (None, row["contact"])][:limit]

    async def set(self, name: str | None = None, about: str | None = None, photo: str | None = None) -> dict[str, Any]:
        """Ours."""
        self.asked.append(("set", name, about, photo))
        return presented(name or "Ana", about=about or "", version=1, at_ms=1_790_000_000_000)


def marked(name: str, **more: Any) -> dict[str, Any]:
    """What is written on a contact."""
    return {"name": name, "account": f"wf1{name.lower()}{'q' * 55}", "remark": "", "tags": []} | more


def presented(name: str, **more: Any) -> dict[str, Any]:
    """A profile."""
    plain = {"name": name, "account": f"wf1{name.lower()}{'q' * 55}", "announced": name, "like": "", "about": ""}
    return plain | {"photo": 0, "version": 0, "at_ms": 0, "remark": "", "tags": []} | more


def introduced(number: int, contact: str, claims: str, **more: Any) -> dict[str, Any]:
    """A card that a contact sent."""
    plain = {"id": number, "contact": contact, "claims": claims, "account": marked(claims)["account"], "known": ""}
    return plain | {"at_ms": 1_790_000_000_000, "message": f"{number:026}"} | more


def place(number: int, contact: str, **more: Any) -> dict[str, Any]:
    """A place that was sent."""
    plain: dict[str, Any] = {"id": number, "contact": contact, "mine": False, "latitude": "52.52", "label": ""}
    plain |= {"longitude": "13.405", "accuracy_m": 0, "at_ms": 1_790_000_000_000, "geo": "geo:52.52,13.405"}
    plain |= {"message": f"{number:026}"}
    return plain | more
