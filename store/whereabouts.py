"""Where a message of ours is, in words: which keepers have it, by the names that the person knows; why it expired.

A keeper is recognised by the mark of its line (docs/protocol/mailbox.md 2.2): a contact of ours, a node of the reader's
own, or somebody whom we do not know. The rows are written by parcels.py and inboxes.py.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from protocol import ids, mailbox
from protocol.mailbox import Line
from store import devices, inboxes, parcels, people
from store.database import Tx
from store.identity import load_identity

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_MS = 86_400_000
OURSELVES = "you"


@dataclass(frozen=True, slots=True)
class Kept:
    """A keeper that has a message, and until when (ms)."""

    keeper: str
    until_ms: int


def keepers_of(tx: Tx, contact_id: int) -> dict[int, str]:
    """Who keeps for a contact: names, by line (id), his devices' lines in their order."""
    boxes = [box for one in devices.devices_of(tx, contact_id) for box in inboxes.of(tx, one.id)]
    if not boxes:
        return {}
    reader = people.contact(tx, contact_id)
    known: list[tuple[bytes, str]] = [(reader.account, f"{reader.name}'s own node")]
    me = load_identity(tx)
    known += [] if me is None else [(me.account, OURSELVES)]
    known += tx.all("SELECT account, name FROM contact WHERE id != ? ORDER BY id", (contact_id,))
    return {box.id: _keeper(box.line, known) or f"a keeper of {reader.name}'s" for box in boxes}


def kept(tx: Tx, message: int, names: Mapping[int, str], now_ms: int) -> tuple[Kept, ...]:
    """Who has a message now, the longest first. names: what `keepers_of` gave for its reader."""
    found = parcels.where(tx, message, now_ms)
    return tuple(Kept(names[line], until_ms) for line, until_ms in found if line in names)


def lying(tx: Tx, contact_id: int, now_ms: int, wanted: Callable[[int], bool]) -> dict[int, tuple[Kept, ...]]:
    """Who has which of our messages for a contact now, by message, the longest first. wanted: whether of this kind."""
    names = keepers_of(tx, contact_id)
    found: dict[int, tuple[Kept, ...]] = {}
    for message, kind, line, until_ms in tx.all(
        "SELECT m.seq, m.kind, p.line, p.until_ms FROM device d JOIN parcel p ON p.device = d.id"
        " JOIN message m ON m.seq = p.message WHERE d.contact = ? AND p.until_ms > ? ORDER BY p.until_ms DESC, p.line",
        (contact_id, now_ms),
    ):
        if line in names and wanted(kind):
            found[message] = (*found.get(message, ()), Kept(names[line], until_ms))
    return found


def said(found: Sequence[Kept]) -> str:
    """Who has a message and until when, in one line; "" where nobody has it."""
    return said_of((found,) if found else ())


def said_of(messages: Collection[Sequence[Kept]]) -> str:
    """Who has these messages, and until when each of them is somewhere, in one line; "" where there are none."""
    if not messages:
        return ""
    ends = sorted(max(one.until_ms for one in found) for found in messages)
    some = "" if day(ends[0]) == day(ends[-1]) else " at least"
    return f"kept by {_listed([one for found in messages for one in found])} until {day(ends[0])}{some}"


def why_expired(tx: Tx, message: int, now_ms: int) -> str:
    """Why a message was given up, in one line: when its reader was seen last, and who had it for him."""
    row = tx.one("SELECT contact FROM message WHERE seq = ?", (message,))
    assert row is not None
    reader = people.contact(tx, row[0])
    seen = f"was last seen on {day(reader.seen_ms)}" if reader.seen_ms else "was never here"
    why = f"not delivered within 30 days: {reader.name} {seen}"
    found = kept(tx, message, keepers_of(tx, reader.id), 0)
    if not found:
        return why
    until_ms = found[0].until_ms
    has = "had" if until_ms <= now_ms else "have" if len(found) > 1 or found[0].keeper == OURSELVES else "has"
    return f"{why}; {_listed(found)} {has} it until {day(until_ms)}"


def day(ms: int) -> str:
    """The day of a moment (UTC): "22 Dec"."""
    days = ms // _DAY_MS + 719_468  # from 1 March of the year 0, so that the leap day is the last of a year
    of_era = days % 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return f"{of_year - (153 * month + 2) // 5 + 1} {_MONTHS[(month + 2) % 12]}"


def _keeper(line: Line, known: Sequence[tuple[bytes, str]]) -> str:
    marks = ((mailbox.mark_of(line.put_key, ids.AccountId(account)), name) for account, name in known)
    return next((name for mark, name in marks if mark == line.mark), "")


def _listed(found: Sequence[Kept]) -> str:
    names = list(dict.fromkeys(one.keeper for one in found))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
