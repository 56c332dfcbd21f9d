"""By which tags contacts ask for what is here: each is hashed once for each contact who asks, then only looked up.

A tag is of a blob and a pair of accounts, and stays so. Of what came since a contact asked last the tags are added, and
one of a blob that is gone finds nothing in the database. Pure. Not here: what a tag is (protocol/blob_stream.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

NEWS_MAX = 256  # hashed at once: a third of a millisecond
CONTACTS_MAX = 32  # whose tags are kept; of more the one who asked longest ago is hashed anew
SHORT_BYTES = 8  # of a tag: with a million blobs one in 10^13 questions finds the wrong one


@dataclass
class _Known:
    """Tags of one contact, up to a turn."""

    turn: int = 0
    numbers: dict[int, int] = field(default_factory=dict)


@dataclass
class Tags:
    """The tags of the contacts who asked, the one who asked longest ago first."""

    _contacts: dict[int, _Known] = field(default_factory=dict)

    def seen(self, contact_id: int) -> int:
        """Up to which turn (store/blobs.py) the tags of a contact are known."""
        known = self._contacts.pop(contact_id, None) or _Known()
        self._contacts[contact_id] = known
        while len(self._contacts) > CONTACTS_MAX:
            del self._contacts[next(iter(self._contacts))]
        return known.turn

    def add(self, contact_id: int, after: int, news: Iterable[tuple[int, int, bytes]]) -> None:
        """More of them, as (turn, number of the blob, tag), in the order of their turns: all that follow on a turn.

        Nothing is added where what was before them was given up meanwhile.
        """
        known = self._contacts.get(contact_id)
        if known is None or known.turn < after:
            return
        for turn, number, tag in news:
            known.numbers[_short(tag)] = number
            known.turn = max(known.turn, turn)

    def find(self, contact_id: int, tag: bytes) -> int:
        """The number of the blob for which a contact asks by this tag, 0 for none; it may be gone."""
        known = self._contacts.get(contact_id)
        return 0 if known is None else known.numbers.get(_short(tag), 0)


def _short(tag: bytes) -> int:
    return int.from_bytes(tag[:SHORT_BYTES], "big")
