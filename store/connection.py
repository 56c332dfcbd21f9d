"""A connection to the encrypted file: its key, its pragmas, and the refusals that leave every byte as it was.

Not here: transactions (database.py), what a disk that fails means (disk.py).
"""

import os
import shutil
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from protocol.faults import UserFault
from store.disk import as_faults, fault_of
from store.faults import LogDamaged, NoSqlCipher, StoreDamaged, StoreLocked, StoreUnreadable, WrongKey

KEY_BYTES = 32
PAGE_BYTES = 2048  # each page that a commit changes costs AES and HMAC: smaller pages cost less than more of them
CACHE_KIB = 16 * 1024  # decrypted pages in memory: a page read again costs AES and HMAC again
CHECKPOINT_PAGES = 8000  # 16 MiB of log before it is copied back: fewer pauses, each about 50 ms
BUSY_MS = 200  # a lock that is held is held for as long as the other node runs: waiting is of no use
STATEMENTS_CACHED = 512  # more than all statements of the store and its rooms
LOG_STARTS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", bytes(4), b"")  # zeros: power went before anything was in it

_FIRST = (
    f"busy_timeout = {BUSY_MS}",
    f"cipher_page_size = {PAGE_BYTES}",
    "cipher_log_level = NONE",  # it writes to stderr otherwise
    "cipher_hmac_algorithm = HMAC_SHA256",  # a third off each page against the default of SHA-512
)
_THEN = (
    "locking_mode = EXCLUSIVE",  # one process; and then the index of the log stays in memory, not in a file
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "temp_store = MEMORY",
    f"cache_size = -{CACHE_KIB}",
    f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    "foreign_keys = OFF",  # rows are deleted by the file that owns the table
)


def connect(path: Path, key: bytes) -> Any:
    """A connection to the database in this file, which is made when it is not there.

    key: 32 bytes. Raises: StoreLocked, NoSqlCipher, WrongKey, LogDamaged, StoreFault; every file is then as it was.
    """
    assert len(key) == KEY_BYTES
    try:
        from playhouse.sqlcipher_ext import SqlCipherDatabase
        from sqlcipher3 import dbapi2
    except ImportError:
        raise NoSqlCipher from None
    _require_log(path)
    _require_key(path, key)
    database = SqlCipherDatabase(
        str(path),
        passphrase=_secret(key),
        autoconnect=False,
        thread_safe=False,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
    )
    with as_faults():
        database.connect()
    connection = database.connection()
    try:
        with as_faults():
            require_cipher(connection)
            _set(connection, _FIRST + _THEN)
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
    except dbapi2.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            raise StoreLocked from None
        raise
    except StoreDamaged:
        connection.close()
        raise WrongKey from None
    except BaseException:
        connection.close()
        raise
    return connection


def connect_still(path: Path, key: bytes) -> Any:
    """A connection that only reads a database which no node uses: no byte of it and of its log changes.

    key: 32 bytes. Works on a read-only disk too, unless a killed node left a log there. The caller sees to it that no
    node starts meanwhile. Raises: NoSqlCipher, LogDamaged, WrongKey, StoreUnreadable.
    """
    assert len(key) == KEY_BYTES
    try:
        from sqlcipher3 import dbapi2
    except ImportError:
        raise NoSqlCipher from None
    _require_log(path)
    where = f"file:{quote(str(path.resolve()))}?{'mode=ro' if has_log(path) else 'immutable=1'}"
    try:
        connection = dbapi2.connect(where, uri=True, check_same_thread=False, isolation_level=None)
    except dbapi2.DatabaseError as error:
        raise _unread(path, error) from None
    try:
        _set(connection, (f'key = "{_secret(key)}"',))
        require_cipher(connection)
        _set(connection, (*_FIRST, "temp_store = MEMORY"))
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except dbapi2.DatabaseError as error:
        connection.close()
        raise _unread(path, error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def has_log(path: Path) -> bool:
    """Whether a killed node left changes beside the database that are not in it yet."""
    with suppress(OSError):
        return _log(path).stat().st_size > 0
    return False


def require_cipher(connection: Any) -> None:
    """Returns when the connection is SQLCipher's. Raises: NoSqlCipher for any other SQLite."""
    row = connection.execute("PRAGMA cipher_version").fetchone()
    if row is None or not row[0]:
        raise NoSqlCipher


def _unread(path: Path, error: Exception) -> UserFault:
    """Why a database cannot even be read."""
    if isinstance(fault_of(error), StoreDamaged):
        return WrongKey()
    if has_log(path) and not os.access(path.parent, os.W_OK):
        return StoreUnreadable("A killed node left a log, which is read only where this disk can be written.")
    return StoreUnreadable(f"The database cannot be read: {error}. Nothing was changed.")


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _require_log(path: Path) -> None:
    """Refuses a log that never was one: SQLite would take it for an empty one, and lose what was in it."""
    with suppress(OSError), _log(path).open("rb") as log:
        if log.read(4) not in LOG_STARTS:
            raise LogDamaged


def _require_key(path: Path, key: bytes) -> None:
    """Refuses a file that the key does not open, before SQLite touches it: closing it moves its log into it.

    A first page that was half written when the power went is whole in the log: then a copy opens. Raises: WrongKey.
    """
    if not path.is_file() or not path.stat().st_size or _opens(path, key, "immutable=1"):
        return
    if _log(path).exists():
        with suppress(OSError), tempfile.TemporaryDirectory(dir=path.parent, prefix=".check-") as folder:
            for file in (path, _log(path)):
                shutil.copy(file, folder)
            if _opens(Path(folder, path.name), key, "mode=rw"):
                return
    raise WrongKey


def _opens(path: Path, key: bytes, mode: str) -> bool:
    from sqlcipher3 import dbapi2

    try:
        with closing(dbapi2.connect(f"file:{quote(str(path))}?{mode}", uri=True)) as connection:
            _set(connection, (f'key = "{_secret(key)}"', *_FIRST))
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except dbapi2.DatabaseError as error:
        # Only what the bytes say is an answer here; a disk that fails is met again, and told, when it is opened.
        return getattr(error, "sqlite_errorcode", 0) not in (11, 26)
    return True


def _secret(key: bytes) -> str:
    return f"x'{key.hex()}'"  # a raw key: no PBKDF2, the vault has stretched the passphrase


def _set(connection: Any, pragmas: tuple[str, ...]) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").fetchall()
