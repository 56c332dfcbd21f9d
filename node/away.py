"""Who is away: known once dialling him has failed, until a talk with him begins. For who then does something else.

Not here: dialling (delivery.py), looking for him (finder.py), leaving him mail (keep/courier.py) and files
(keep/leaver.py).
"""

from dataclasses import dataclass, field

from node.bell import Bell


@dataclass(slots=True)
class Away:
    """The contacts who are away, and news of them for one task."""

    _away: dict[int, None] = field(default_factory=dict)
    _news: dict[int, None] = field(default_factory=dict)
    _bell: Bell = field(default_factory=Bell)
    gone: Bell = field(default_factory=Bell)  # rung whenever somebody is found to be away, for another task

    def is_away(self, contact_id: int) -> bool:
        """Whether he was dialled in vain since he was here last, or since the start."""
        return contact_id in self._away

    def missed(self, contact_id: int) -> None:
        """Dialling him has failed."""
        if contact_id not in self._away:
            self._away[contact_id] = None
            self.hint(contact_id)
            self.gone.ring()

    def met(self, contact_id: int) -> None:
        """A talk with him begins."""
        self._away.pop(contact_id, None)

    def hint(self, contact_id: int) -> None:
        """Something waits for him; it is news while he is away."""
        if contact_id in self._away:
            self._news[contact_id] = None
            self._bell.ring()

    def all_again(self) -> None:
        """Everybody who is away is news once more: who took the last ones did not come to an end with them."""
        for contact_id in self._away:
            self.hint(contact_id)

    async def take(self) -> tuple[int, ...]:
        """The contacts of whom something is new, once there are any. One task may wait."""
        while not self._news:
            await self._bell.wait()
        found = tuple(self._news)
        self._news.clear()
        return found
