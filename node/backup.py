"""Backups as files: written beside a running node, read from end to end, and brought into a new profile.

A file is written as a draft (drafts.py). Messages go chunk by chunk, so that a profile of any size takes about the same
memory. The bytes are in protocol/backup.py, the tables in store/backup.py.
"""

import errno
import os
import shlex
import stat
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import trio

from crypto import keys, secretstream, words
from node import config, drafts
from node.feature import Feature, Keeping, kinds_of
from node.ground import Ground, aside
from protocol import backup, backup_records, ids
from protocol.backup_records import OURSELVES, Contact, End, Head, Message, Order, Record, RoomNote, Setting
from protocol.faults import PeerFault, UserFault
from store import backup as kept
from store.database import Database, Tx
from store.identity import Identity

CHUNKS_AT_ONCE = 16  # of a restore in one transaction: 1 MiB
RECORDS_AT_ONCE = 1000  # of what is no message: what is composed at a time stays small
SHOWN_CHARS_MAX = 120  # of a path, in a sentence
T = TypeVar("T")
Keepings = Mapping[tuple[str, bool], Keeping]  # by the name of the room, and whether it is about ourselves
_SETTINGS = frozenset(row.name for row in config.SETTINGS)


class BadPath(UserFault):
    """The path of a file must begin with a slash here; nothing was done."""

    code = "backup.path"
    next = "weft backup create FILE"
    exit = 2


class BackupExists(UserFault):
    """There is a file of that name already; nothing was written."""

    code = "backup.exists"
    next = "weft backup create --force FILE"


class BackupUnwritable(UserFault):
    """The backup cannot be written there; nothing is left of it."""

    code = "backup.unwritable"
    next = "df -h"


class BackupUnsound(UserFault):
    """This profile holds something that could not be restored, so no backup was written; nothing is lost. This is a
    fault of weft: please report it with what weft doctor says."""

    code = "backup.unsound"
    next = "weft doctor"


class BackupUnreadable(UserFault):
    """The file cannot be read; nothing was changed."""

    code = "backup.unreadable"
    next = "weft backup verify FILE"
    exit = 5


class NoBackup(UserFault):
    """This file is no backup of weft; nothing was changed."""

    code = "backup.foreign"
    next = "weft backup verify FILE"


class BackupNewer(UserFault):
    """This backup was made by a newer weft. Update weft; nothing was changed."""

    code = "backup.newer"
    next = "weft version"
    exit = 8


class BackupCut(UserFault):
    """This backup is not whole: it is cut off, or something was added to it. Copy it again; nothing was changed."""

    code = "backup.cut"
    next = "weft backup verify FILE"


class BackupLocked(UserFault):
    """The backup does not open with these words: they are another account's, or its first bytes are damaged. Nothing
    was changed."""

    code = "backup.words"
    next = "weft backup verify --words FILE"
    exit = 4


class BackupDamaged(UserFault):
    """This backup was altered or damaged after it was made. Copy it again, or take another; nothing was changed."""

    code = "backup.damaged"
    next = "weft backup verify FILE"


class BackupStrange(UserFault):
    """This backup opens, and holds what weft would not have written; nothing of it was taken."""

    code = "backup.strange"
    next = "weft backup verify FILE"


class BadWords(UserFault):
    """These are not 24 recovery words of weft; compare each with what you wrote down, in order."""

    code = "words.wrong"
    next = "weft backup words"
    exit = 4


_SENTENCES: tuple[tuple[type[PeerFault], type[UserFault]], ...] = (
    (backup.NotBackup, NoBackup),
    (backup.NewerBackup, BackupNewer),
    (backup_records.NewerContent, BackupNewer),
    (backup.CutOff, BackupCut),
    (backup.OtherWords, BackupLocked),
    (backup.Altered, BackupDamaged),
    (PeerFault, BackupStrange),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a backup: whose it is, when it was made (ms), and how much of what."""

    account: str
    name: str
    made_ms: int
    contacts: int
    messages: int
    bytes: int


def secret_of(text: str) -> bytes:
    """The 32 bytes of 24 words. Raises: BadWords."""
    try:
        return words.secret_of(text)
    except words.WordsWrong as wrong:
        raise BadWords(f"These are not your 24 recovery words: {wrong}. Nothing was changed.") from None


def place_of(text: str) -> Path:
    """The file of this path. Raises: BadPath where it is none, or not whole."""
    if not text.startswith("/") or "\0" in text:
        raise BadPath
    return Path(text)


async def create(
    database: Database, me: Identity, rooms: Sequence[Feature], ground: Ground, file: Path, replace: bool
) -> Summary:
    """Writes a backup of this moment to a file, and returns once it is on the disk.

    Others use the database meanwhile. Each record is held against the law as a reader would: what could not be restored
    is not said to be kept. Raises: BackupExists, BackupUnwritable, BackupUnsound, StoreFault.
    """
    keeping = _keeping(rooms)
    order = _order(me.recovery, rooms)
    async with _writing(ground, file, replace) as draft:
        composer = backup.Composer(me.recovery, ground.entropy("backup")(secretstream.NONCE_BYTES))

        def write(records: Sequence[Record]) -> None:
            try:
                _check(order, keeping, records)
            except PeerFault as fault:
                raise BackupUnsound from fault
            draft.out.write(composer.add(records))

        def end() -> int:
            for piece in composer.end():
                draft.out.write(piece)
            return draft.settle(replace)

        draft.out.write(composer.head)
        keeps = [(room, is_own, one.keep) for (room, is_own), one in keeping.items()]
        seen = await database.transact(kept.frame, _SETTINGS, keeps, ground.now_ms())
        for at in range(0, len(seen.records), RECORDS_AT_ONCE):
            await aside(ground, write, seen.records[at : at + RECORDS_AT_ONCE])
        after = 0
        while True:
            page = await database.transact(kept.page, seen, after)
            await aside(ground, write, page.messages)
            after = page.after
            if not after:
                break
        size = await aside(ground, end)
    head, counts = order.head, order.counts
    assert isinstance(head, Head)
    contacts, messages = counts.get(Contact, 0), counts.get(Message, 0)
    return Summary(ids.account_text(head.account), head.name, head.made_ms, contacts, messages, size)


def verify(file: Path, secret: bytes, rooms: Sequence[Feature]) -> Summary:
    """Reads all of a backup, and says what is in it. secret: 32 bytes, of the words.

    Raises: BackupUnreadable, NoBackup, BackupNewer, BackupCut, BackupLocked, BackupDamaged, BackupStrange.
    """
    order, keeping = _order(secret, rooms), _keeping(rooms)
    with _reading(file) as (opened, size):
        for records in _records(opened, size, secret, order):
            _check_notes(keeping, records)
    return _summary(order, size)


async def restore(
    database: Database, file: Path, secret: bytes, rooms: Sequence[Feature], now_ms: int, entropy: keys.Entropy
) -> Identity:
    """Brings a backup into an empty database, as a new device of its account; the caller has verified it.

    What fails on the way leaves a database that is of no use. Raises: as `verify`, and StoreFault.
    """
    order, keeping = _order(secret, rooms), _keeping(rooms)
    me: Identity | None = None

    def put(tx: Tx, records: Sequence[Record]) -> None:
        for note in kept.put(tx, order.kinds, [one for one in records if not isinstance(one, Setting) or _fits(one)]):
            if (one := keeping.get(_whose(note))) is not None:
                one.put_back(tx, note.contact, note.body)

    def end(tx: Tx, mine: Identity) -> None:
        for room in rooms:
            if room.restored is not None:
                room.restored(tx, mine, now_ms, entropy)

    with _reading(file) as (opened, size):
        for records in _records(opened, size, secret, order):
            if me is None and order.head is not None:
                me = await database.transact(kept.begin, secret, order.head, now_ms, entropy)
            await database.transact(put, records)
    assert me is not None
    await database.transact(end, me)
    return me


def _fits(one: Setting) -> bool:
    """Whether this version has such a setting, and takes this value: another one is as if it had not been set."""
    try:
        config.parse(one.name, one.value)
    except UserFault:
        return False
    return one.name in _SETTINGS


def _order(secret: bytes, rooms: Sequence[Feature]) -> Order:
    return Order(ids.AccountId(words.account_key(secret).public), kinds_of(rooms))


def _keeping(rooms: Sequence[Feature]) -> Keepings:
    both = [(room.name, is_own, one) for room in rooms for is_own, one in enumerate((room.keeping, room.keeping_own))]
    return {(name, bool(is_own)): one for name, is_own, one in both if one is not None}


def _whose(note: RoomNote) -> tuple[str, bool]:
    return note.room, note.contact == OURSELVES


def _check(order: Order, keeping: Keepings, records: Sequence[Record]) -> None:
    """Returns when these records may come next. Raises: PeerFault."""
    for one in records:
        order.take(one)
    _check_notes(keeping, records)


def _check_notes(keeping: Keepings, records: Sequence[Record]) -> None:
    for one in records:
        if isinstance(one, RoomNote) and _whose(one) in keeping:  # else of a room that this version has no more
            keeping[_whose(one)].check(one.body)


def _records(opened: Any, size: int, secret: bytes, order: Order) -> Iterator[list[Record]]:
    """The records of a file, some chunks' worth at a time. Raises: PeerFault, OSError."""
    reader = backup.Reader(secret, opened.read(backup.HEAD_BYTES), size, order)
    found: list[Record] = []
    count = 0
    while sealed := opened.read(backup.SEALED_BYTES):
        found += reader.take(sealed)
        count += 1
        if count % CHUNKS_AT_ONCE == 0 and found:
            yield found
            found = []
    reader.finish()
    if found:
        yield found


def _summary(order: Order, size: int) -> Summary:
    head, end = order.head, order.end
    assert isinstance(head, Head)
    assert isinstance(end, End)
    return Summary(ids.account_text(head.account), head.name, head.made_ms, end.contacts, end.messages, size)


@contextmanager
def _reading(file: Path) -> Iterator[tuple[Any, int]]:
    """An open file and its size. Raises: a UserFault for whatever is wrong with it."""
    try:
        with open(file, "rb", opener=_open_at_once) as opened:
            state = os.fstat(opened.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise BackupUnreadable(f"There is no file {_shown(file)}; nothing was changed.")
            yield opened, state.st_size
    except OSError as broken:
        raise BackupUnreadable(
            f"The file {_shown(file)} cannot be read ({broken.strerror}); nothing was changed."
        ) from None
    except PeerFault as fault:
        raise next(said for kind, said in _SENTENCES if isinstance(fault, kind)) from fault


@asynccontextmanager
async def _writing(ground: Ground, file: Path, replace: bool) -> AsyncIterator[drafts.Draft]:
    """A draft of this file, gone afterwards if it was not settled. Raises: BackupExists, BackupUnwritable."""
    draft: drafts.Draft | None = None
    try:
        draft = await aside(ground, _begin, file, replace, ground.entropy("draft"))
        yield draft
    except FileExistsError:
        force = shlex.join(("weft", "backup", "create", "--force", _shown(file)))
        raise BackupExists(f"There is a file {_shown(file)} already; it was left as it is.", next=force) from None
    except OSError as broken:
        said = f"The file {_shown(file)} cannot be written ({broken.strerror}); nothing is left of it."
        raise BackupUnwritable(said) from None
    finally:
        if draft is not None:
            with trio.CancelScope(shield=True):  # one file is removed: the disk's time, which nothing can shorten
                await aside(ground, draft.drop)


def _begin(file: Path, replace: bool, entropy: keys.Entropy) -> drafts.Draft:
    """Where a link stands, what it leads to is replaced. Raises: OSError, FileExistsError."""
    if not replace:
        if os.path.lexists(file):
            raise FileExistsError
        return drafts.begin(file, entropy)
    aim = Path(os.path.realpath(file))
    if aim.exists() and not aim.is_file():
        raise OSError(errno.EINVAL, "what stands there is no file")
    return drafts.begin(aim, entropy)


def _open_at_once(path: str, flags: int) -> int:
    """Opens a file, and does not wait for who writes into it where it is a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _shown(file: Path) -> str:
    """A path that fits a sentence: of a long one its end."""
    text = str(file)
    return text if len(text) <= SHOWN_CHARS_MAX else f"…{text[-SHOWN_CHARS_MAX:]}"
