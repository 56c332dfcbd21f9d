"""What only we see of contacts: a remark that serves as a further name, and tags. Nobody is told of either.

Names and remarks share one namespace: who comes with a name that is another's remark is called otherwise (people.py).
"""

from dataclasses import dataclass

from protocol.faults import OverLimit, quoted
from store.database import Migration, Tx
from store.faults import BadRemark, BadTag, NameTaken

REMARK_BYTES_MAX = 128
TAG_BYTES_MAX = 32
TAGS_MAX = 16  # of one contact
CHANGED = "profile.marks"  # a topic: its key is the contact

SCHEMA = (
    Migration(
        "remarks",
        1,
        """
        CREATE TABLE remark (contact INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL, folded TEXT NOT NULL) STRICT;
        CREATE INDEX remark_folded ON remark (folded);
        CREATE TABLE tag (
          contact INTEGER NOT NULL, folded TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (contact, folded)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tag_folded ON tag (folded);
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Marks:
    """What we wrote on a contact; remark: "" for none."""

    remark: str
    tags: tuple[str, ...]


def of(tx: Tx, contact_id: int) -> Marks:
    """What we wrote on this contact."""
    row = tx.one("SELECT text FROM remark WHERE contact = ?", (contact_id,))
    tags = tx.all("SELECT text FROM tag WHERE contact = ? ORDER BY folded", (contact_id,))
    return Marks("" if row is None else str(row[0]), tuple(text for (text,) in tags))


def everybody(tx: Tx) -> dict[int, Marks]:
    """What we wrote, by contact; those on whom nothing is written are not in it."""
    tags: dict[int, list[str]] = {}
    for contact_id, text in tx.all("SELECT contact, text FROM tag ORDER BY contact, folded"):
        tags.setdefault(contact_id, []).append(text)
    texts: dict[int, str] = dict(tx.all("SELECT contact, text FROM remark ORDER BY contact"))
    return {one: Marks(texts.get(one, ""), tuple(tags.get(one, ()))) for one in sorted({*tags, *texts})}


def put(tx: Tx, contact_id: int, text: str) -> None:
    """Writes a remark in place of the one before; "" takes it away. Raises: BadRemark, NameTaken."""
    text = text.strip()
    if text and not _is_line(text, REMARK_BYTES_MAX):
        raise BadRemark
    folded = text.casefold()
    if text and is_taken(tx, folded, contact_id):
        raise NameTaken(f"Another contact is called {quoted(text)} already; nothing was changed.")
    tx.execute("DELETE FROM remark WHERE contact = ?", (contact_id,))
    if text:
        tx.execute("INSERT INTO remark (contact, text, folded) VALUES (?, ?, ?)", (contact_id, text, folded))
    tx.changed(CHANGED, contact_id)


def add_tag(tx: Tx, contact_id: int, text: str) -> None:
    """Writes a tag; one that differs by case alone is the same. Raises: BadTag, OverLimit."""
    text = text.strip()
    if not _is_tag(text):
        raise BadTag
    known = of(tx, contact_id).tags
    if len(known) >= TAGS_MAX and text.casefold() not in {one.casefold() for one in known}:
        raise OverLimit(f"A contact has at most {TAGS_MAX} tags; nothing was changed.")
    tx.execute(
        "INSERT OR REPLACE INTO tag (contact, folded, text) VALUES (?, ?, ?)", (contact_id, text.casefold(), text)
    )
    tx.changed(CHANGED, contact_id)


def drop_tag(tx: Tx, contact_id: int, text: str) -> bool:
    """Takes a tag away; returns whether it was there."""
    gone = tx.execute("DELETE FROM tag WHERE contact = ? AND folded = ?", (contact_id, text.strip().casefold()))
    tx.changed(CHANGED, contact_id)
    return int(gone.rowcount) > 0


def tagged(tx: Tx, text: str) -> tuple[int, ...]:
    """The contacts with this tag."""
    rows = tx.all("SELECT contact FROM tag WHERE folded = ? ORDER BY contact", (text.strip().casefold(),))
    return tuple(contact_id for (contact_id,) in rows)


def names(tx: Tx) -> dict[int, str]:
    """The remarks as further names, folded, by contact."""
    return dict(tx.all("SELECT contact, folded FROM remark ORDER BY contact"))


def is_taken(tx: Tx, folded: str, of_contact: int = 0) -> bool:
    """Whether somebody but this contact is called so, by our name for him or by a remark."""
    row = tx.one(
        "SELECT 1 FROM contact WHERE folded = ?1 AND id != ?2"
        " UNION ALL SELECT 1 FROM remark WHERE folded = ?1 AND contact != ?2 LIMIT 1",
        (folded, of_contact),
    )
    return row is not None


def is_good(marks: Marks) -> bool:
    """Whether these can be written: what a backup holds comes from a file."""
    folded = [one.casefold() for one in marks.tags]
    return (
        (not marks.remark or _is_line(marks.remark, REMARK_BYTES_MAX))
        and len(folded) <= TAGS_MAX
        and folded == sorted(set(folded))
        and all(map(_is_tag, marks.tags))
    )


def put_back(tx: Tx, contact_id: int, marks: Marks) -> None:
    """What was written on a contact as a backup has it, without a remark that is another's name by now."""
    if marks.remark and not is_taken(tx, marks.remark.casefold(), contact_id):
        put(tx, contact_id, marks.remark)
    for one in marks.tags:
        add_tag(tx, contact_id, one)


def _is_tag(text: str) -> bool:
    """Whether this can be a tag: lists of tags are typed with commas, and with # before one to tell it from a name."""
    return _is_line(text, TAG_BYTES_MAX) and "," not in text and not text.startswith("#")


def _is_line(text: str, bytes_max: int) -> bool:
    """Whether this is one printable line without spaces around it; a lone half of a character is not printable."""
    return bool(text) and text == text.strip() and text.isprintable() and len(text.encode()) <= bytes_max
