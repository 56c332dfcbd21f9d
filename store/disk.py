"""What a disk that fails means to weft: the one place that reads SQLite's result codes.

Not here: what is done about it (database.py gives the faults to those who wait, node/disk.py waits for better days).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from store.faults import StoreDamaged, StoreFault, StoreFull, StoreUnwritable

# https://www.sqlite.org/rescode.html: the low byte is the kind. A quota and a limit of file sizes come as IOERR.
_FAULTS: Mapping[int, type[StoreFault]] = {
    3: StoreUnwritable,  # PERM
    8: StoreUnwritable,  # READONLY
    10: StoreUnwritable,  # IOERR
    11: StoreDamaged,  # CORRUPT
    13: StoreFull,  # FULL
    14: StoreUnwritable,  # CANTOPEN
    26: StoreDamaged,  # NOTADB: a page that does not open with the key
}


def fault_of(error: BaseException) -> StoreFault | None:
    """What the disk did, when that is what SQLite's error says; None for every other error, which is a bug."""
    if isinstance(error, StoreFault):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    kind = _FAULTS.get(code & 0xFF) if isinstance(code, int) else None
    return None if kind is None else kind()


@contextmanager
def as_faults() -> Iterator[None]:
    """Turns what SQLite says about the disk into a StoreFault; everything else passes."""
    from sqlcipher3 import dbapi2

    try:
        yield
    except dbapi2.DatabaseError as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from error
