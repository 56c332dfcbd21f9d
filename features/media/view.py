"""Files as a person sees them: which message tells which blob, and how much of it is here.

The messages are written by the store, the blobs by store/blobs.py; this room adds only which belongs to which.
"""

from dataclasses import dataclass
from typing import TypedDict

from crypto import hashing
from crypto.hashing import Label
from features.media.faults import NoFile
from protocol import content, ids
from protocol.blobs import Blob
from protocol.content import Channel
from protocol.faults import UserFault, quoted
from protocol.file import File
from store import blobs, inboxes, keepers, leaving, people, pieces, settings, uses, whereabouts
from store.blobs import Row, State
from store.database import Migration, Tx
from store.inbox import Arrival
from store.whereabouts import Kept

MIGRATIONS = (
    Migration(
        "media",
        1,
        """
        CREATE TABLE media_file (seq INTEGER PRIMARY KEY, contact INTEGER NOT NULL, blob INTEGER NOT NULL) STRICT;
        CREATE INDEX media_file_blob ON media_file (blob);
        CREATE INDEX media_file_contact ON media_file (contact, seq);
        """,
    ),
    Migration(
        "media",
        3,
        "INSERT INTO blob_use (blob, room, ours, quiet) SELECT f.blob, 'media', COALESCE(MIN(m.device) = 0, 0), 0"
        " FROM media_file f LEFT JOIN message m ON m.seq = f.seq GROUP BY f.blob;",
    ),
)
ROOM = "media"  # as which conversations need a blob
LINES_MAX = 1000
SMALL = "media.fetch"  # the setting: what is fetched without asking, in MB
SMALL_DEFAULT = 8
MB = 1_000_000
UNASKED_MAX = 256  # blobs of one contact that are on their way without anybody having asked
UNASKED_BYTES_MAX = 64 * MB
FALSE_WHY = "it is not what its sender said"
OURS_GONE = "not here any more; the original is needed"

LINE_KINDS = "120, 124, 140, 141, 411, 412"  # what is a line of a chat; the index chat_line_end is for these

# By the index chat_line_end of the room of chats, which has lines of these kinds; those of files are in media_file.
ENDING = (
    "SELECT m.seq, m.message_id FROM message m CROSS JOIN media_file f ON f.seq = m.seq"
    f" WHERE m.kind IN ({LINE_KINDS}) AND substr(m.message_id, 15, 2) = ? ORDER BY m.seq DESC"
)

_KINDS = content.Kinds((File,))
STATES = {
    State.TOLD: "offered",
    State.WANTED: "fetching",
    State.PAUSED: "paused",
    State.WHOLE: "here",
    State.FALSE: "false",
}
_KEEPING = {leaving.State.WANTED: "wanted", leaving.State.KEPT: "kept", leaving.State.UNWANTED: "ending"}


class AmbiguousFile(UserFault):
    """Several files end like this; type more characters of the id."""

    code = "message.ambiguous"
    next = "weft files"
    exit = 5


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file of a conversation. shape: "file", "picture", "voice", "video", "folder".

    state: "offered" (nobody asked for it), "fetching", "paused", "here", "false". pieces, here: of all and here;
    given: of ours, how many the contact has. reason: why it does not go on. wave: levels of a recording.

    keeping: of ours, "" (it is left at no keeper), "wanted", "kept", "ending"; of theirs "kept" where a keeper had
    some of it. kept: how many pieces; keeper: in words, whose; kept_until_ms: until when, once all of it lies there;
    keep_reason: "kept by bo until 22 Dec", or why it is not.
    """

    id: str
    short: str
    seq: int
    contact: str
    mine: bool
    at_ms: int
    name: str
    mime: str
    shape: str
    bytes: int
    state: str
    pieces: int
    here: int
    given: int
    reason: str
    width: int
    height: int
    length_ms: int
    blurhash: str
    wave: tuple[int, ...]
    has_preview: bool
    keeping: str = ""
    keeper: str = ""
    kept: int = 0
    kept_until_ms: int = 0
    keep_reason: str = ""


class Keeping(TypedDict, total=False):
    """The fields of a FileLine that say what lies at keepers."""

    keeping: str
    keeper: str
    kept: int
    kept_until_ms: int
    keep_reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and the blob that it is."""

    seq: int
    contact: int
    mine: bool
    said: File
    row: Row


def arrived(tx: Tx, arrival: Arrival) -> None:
    """Notes what was told, and begins to fetch it where it is small."""
    told = arrival.said.content
    assert isinstance(told, File)
    number = blobs.told(tx, told.blob, arrival.contact.id, file_of(told.blob), arrival.now_ms)
    row = blobs.row(tx, number)
    assert row is not None
    if row.state is State.TOLD and _is_small(tx, told.blob, arrival.contact.id):  # what a person paused stays so
        blobs.want(tx, number)
    note(tx, arrival.seq, arrival.contact.id, number)


def rebuild(tx: Tx, now_ms: int) -> None:
    """Notes what all messages tell, as after a restore: of our own files nothing is here then either."""
    rows = tx.all(
        f"SELECT seq, contact, device, body FROM message WHERE kind = {File.KIND}"
        " AND seq NOT IN (SELECT message FROM unheard) AND seq NOT IN (SELECT seq FROM media_file) ORDER BY seq"
    )
    for seq, contact_id, device, body in rows:
        said = _KINDS.hear(body, Channel.RATCHET).content
        assert isinstance(said, File)
        teller = contact_id if device else None
        note(tx, seq, contact_id, blobs.told(tx, said.blob, teller, file_of(said.blob), now_ms))


def note(tx: Tx, seq: int, contact_id: int, number: int) -> None:
    """This message tells this blob."""
    tx.execute("INSERT OR REPLACE INTO media_file (seq, contact, blob) VALUES (?, ?, ?)", (seq, contact_id, number))
    _weigh(tx, number)


def forget(tx: Tx, seq: int) -> None:
    """The message is gone; its blob too, where nothing else tells it, and what lies of it for this contact."""
    found = tx.one("DELETE FROM media_file WHERE seq = ? RETURNING blob, contact", (seq,))
    if found is None:
        return
    number, contact_id = found
    left = leaving.of(tx, number, contact_id)
    if left is not None and tx.one("SELECT 1 FROM media_file WHERE blob = ? AND contact = ?", found) is None:
        leaving.unwant(tx, left.id)
    _weigh(tx, number)


def file_of(blob: Blob) -> str:
    """The name of the file for a blob that was told: nobody else can tell from it which blob it is."""
    what = blob.root + blob.length.to_bytes(8, "big") + blob.hash
    return hashing.keyed_id(blob.key, Label.BLOB, what).hex()


def find(tx: Tx, text: str) -> Found:
    """The file whose message has an id that is, or ends with, this text. Raises: NoFile, AmbiguousFile, BadId."""
    wanted = ids.matches(text)
    rows = tx.all(ENDING, (ids.last_bytes(wanted),))
    found = [seq for seq, message_id in rows if ids.ulid(message_id).endswith(wanted)]
    if not found:
        raise NoFile(f"No message with a file ends with {quoted(text)}.")
    if len(found) > 1:
        raise AmbiguousFile(f"{len(found)} files end with {quoted(text)}.")
    one = at(tx, found[0])
    assert one is not None
    return one


def at(tx: Tx, seq: int) -> Found | None:
    """The file that the message of this row tells."""
    found = tx.one(
        "SELECT f.contact, f.blob, m.device, m.body FROM media_file f JOIN message m ON m.seq = f.seq WHERE f.seq = ?",
        (seq,),
    )
    if found is None:
        return None
    contact, number, device, body = found
    row = blobs.row(tx, number)
    said = _KINDS.hear(body, Channel.RATCHET).content
    assert isinstance(said, File)
    assert row is not None
    return Found(seq, contact, device == 0, said, row)


def telling(tx: Tx, number: int) -> tuple[int, ...]:
    """The rows of the messages that tell a blob."""
    return tuple(seq for (seq,) in tx.all("SELECT seq FROM media_file WHERE blob = ? ORDER BY seq", (number,)))


def lines(tx: Tx, contact_id: int | None, limit: int) -> tuple[FileLine, ...]:
    """The newest files, the oldest of them first. contact_id: None for those of all contacts."""
    where, params = ("", ()) if contact_id is None else ("WHERE contact = ?", (contact_id,))
    count = max(0, min(limit, LINES_MAX))
    rows = tx.all(f"SELECT seq FROM media_file {where} ORDER BY seq DESC LIMIT ?", (*params, count))
    found = (line(tx, seq) for (seq,) in reversed(rows))
    return tuple(one for one in found if one is not None)


def line(tx: Tx, seq: int) -> FileLine | None:
    """The file that the message of this row tells, for a person."""
    found = tx.one("SELECT message_id, at_ms FROM message WHERE seq = ?", (seq,))
    one = at(tx, seq)
    if found is None or one is None:
        return None
    message_id, at_ms = found
    said, row = one.said, one.row
    given = blobs.given(tx, row.number, one.contact) if one.mine else 0
    return FileLine(
        id=ids.ulid(message_id),
        short=ids.short(message_id),
        seq=seq,
        contact=people.contact(tx, one.contact).name,
        mine=one.mine,
        at_ms=at_ms,
        name=said.name,
        mime=said.mime,
        shape=said.shape.name.lower(),
        bytes=said.blob.length,
        state=STATES[row.state],
        pieces=row.blob.count,
        here=row.here,
        given=min(given, row.blob.count),
        reason=why(tx, row, one.mine),
        width=said.width,
        height=said.height,
        length_ms=said.length_ms,
        blurhash=said.blurhash,
        wave=tuple(said.wave),
        has_preview=bool(said.preview),
        **_keeping(tx, one.mine, one.contact, row.number),
    )


def why(tx: Tx, row: Row, is_mine: bool) -> str:
    """Why a file does not go on, or cannot be given."""
    if row.state is State.FALSE:
        return FALSE_WHY
    if is_mine and row.state is State.TOLD and pieces.is_original(tx, row.number):
        return OURS_GONE
    return row.reason


def _weigh(tx: Tx, number: int) -> None:
    """Says whether conversations still need a blob, and whether a message of ours is among those that tell it."""
    found = tx.one(
        "SELECT COUNT(*), MIN(m.device) FROM media_file f LEFT JOIN message m ON m.seq = f.seq WHERE f.blob = ?",
        (number,),
    )
    assert found is not None
    if found[0]:
        uses.needed(tx, number, ROOM, is_ours=found[1] == 0)
    else:
        uses.ended(tx, number, ROOM)


def _keeping(tx: Tx, mine: bool, contact_id: int, number: int) -> Keeping:
    """What of a file lies at keepers: for the contact, where it is ours, else for us."""
    if not mine:
        found = leaving.lying(tx, number)
        one = keepers.find(tx, found[0].keeper) if found else None
        return {} if one is None else {"keeping": "kept", "keeper": keepers.name(tx, one), "kept": found[0].pieces}
    left = leaving.of(tx, number, contact_id)
    if left is None:
        return {}
    line = inboxes.by_sender(tx, left.sender)
    keeper = "" if line is None else whereabouts.keepers_of(tx, contact_id).get(line, "")
    is_kept = left.state is leaving.State.KEPT and keeper
    return {
        "keeping": _KEEPING[left.state],
        "keeper": keeper,
        "kept": left.pieces,
        "kept_until_ms": left.until_ms,
        "keep_reason": whereabouts.said((Kept(keeper, left.until_ms),)) if is_kept else left.reason,
    }


def _is_small(tx: Tx, blob: Blob, contact_id: int) -> bool:
    """Whether a blob is fetched although nobody asked: it is small, and so is what of this contact comes unasked."""
    most = int(settings.get(tx, SMALL) or SMALL_DEFAULT) * MB
    found = tx.one(
        "SELECT COUNT(*), TOTAL(b.length) FROM blob b JOIN blob_source s ON s.blob = b.number"
        " WHERE b.state = ? AND s.contact = ? AND b.length <= ?"
        " AND EXISTS (SELECT 1 FROM media_file f WHERE f.blob = b.number)",  # what moments tell was asked for
        (int(State.WANTED), contact_id, most),
    )
    assert found is not None
    return blob.length <= most and found[0] < UNASKED_MAX and found[1] + blob.length <= UNASKED_BYTES_MAX
